"""The truth of the rows: where each one stands, whose it is, and its fate.

The fate is the first that fits of superseded, quarantined, duplicate, accepted (deposit-schema.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from .drafts import NO_DATE, Draft
from .organisations import Event
from .settings import as_dates
from .sheets import Line, Sheet

if TYPE_CHECKING:
    from .deposits import Deposit

ROW_COLUMNS = (
    "file", "sheet", "row", "organisation_id", "true_person", "true_household", "kind", "fate", "event_date",
    "exit_date", "residence_code", "destination_code", "residence_form", "destination_form", "quarantine_reason",
    "superseded_by", "note", "service", "status", "date_form", "noted_date", "follow_up_date", "follow_up_form",
    "true_code", "stale", "identity",
)  # fmt: skip


@dataclass
class Ledger:
    """The truth of the rows, column by column."""

    columns: dict[str, list[object]] = field(default_factory=lambda: {name: [] for name in ROW_COLUMNS})

    def add(self, *values: object) -> None:
        """One row."""
        for name, value in zip(ROW_COLUMNS, values, strict=True):
            self.columns[name].append(value)

    def frame(self) -> pd.DataFrame:
        """The rows as a table."""
        dates = ("event_date", "exit_date", "noted_date", "follow_up_date")
        table = pd.DataFrame({k: v for k, v in self.columns.items() if k not in dates})
        for name in ("true_person", "true_household", "identity"):
            table[name] = table[name].astype("Int64")
        for name in dates:
            table[name] = as_dates(self.columns[name])  # type: ignore[arg-type]
        return table[list(ROW_COLUMNS)]


def record(ledger: Ledger, item: Deposit, sheet: Sheet) -> None:
    """Write down each row of a sheet: where it stands, and its fate."""
    seen: set[tuple[str, ...]] = set()
    skipped = {i for i, c in enumerate(sheet.habit.columns) if c in ("code_organisme", "nom_organisme")}
    name = sheet.name if item.habit.format == "xlsx" else ""
    for number, line in enumerate(sheet.lines, 1):
        if line.kind in ("header", "title", "blank"):
            continue
        own = line.draft.quarantine if line.draft else ""
        reason = {"total": "total_row", "ragged": "ragged", "aggregate": "no_identity"}.get(line.kind, own)
        # Filled down, the organisation's cells are the same on all rows: they can't tell two rows apart.
        key = tuple(str(c) for i, c in enumerate(line.cells) if i not in skipped)
        fate = "superseded" if item.superseded_by else "quarantined" if reason else (
            "duplicate" if key in seen or item.copy_of else "accepted"
        )  # fmt: skip
        seen.add(key)
        _add(ledger, item, sheet, name, number, line, fate, reason)


def _add(
    ledger: Ledger, item: Deposit, sheet: Sheet, name: str, number: int, line: Line, fate: str, reason: str
) -> None:
    made, event = line.draft, line.draft.event if line.draft else None
    if made is None or event is None:
        nobody = (None, None, line.kind, fate, None, None, "", "", "", "")
        ledger.add(
            item.path, name, number, sheet.organisation.code, *nobody, reason, item.superseded_by, "", "", "", "",
            None, None, "", "", False, None,
        )  # fmt: skip
        return
    target = made.destination or event.destination or event.exit_destination
    target = target if made.destination_form not in ("", "none") else ""
    ledger.add(
        item.path, name, number, sheet.organisation.code, event.person, event.household, event.kind, fate,
        _date(event), event.exit_date, event.residence, target if target.isdigit() else "", made.residence_form,
        made.destination_form, reason, item.superseded_by, made.note, event.service, event.status,
        _date_form(made, _DATES.get(event.kind, "date_service")), event.day, event.follow_up_date,
        _date_form(made, "date_suivi") if event.follow_up_date is not None else "", event.lived,
        _stale(made), made.identity.lines[sheet.organisation.code],
    )  # fmt: skip


def _stale(draft: Draft) -> bool:
    """Whether the residence typed is not where the person lives; of who has left, or is not reached, it says nothing."""
    event = draft.event
    told = event.kind == "departure" or event.status in ("left", "not_reached") or draft.residence_form == "none"
    return not told and event.residence != event.lived


_DATES = {"establishment": "date_etablissement", "follow_up": "date_suivi", "departure": "date_depart_region"}


def _date_form(draft: Draft, column: str) -> str:
    """How well a date is typed: its precision, or that it is missing, unreadable or another day's."""
    typed = draft.cells.get(column, "")
    if typed == "":
        return "missing"
    return "unreadable" if typed in NO_DATE else "moved" if column in draft.moved else draft.days[column][1]


def _date(event: Event) -> int | None:
    """The date the row is about."""
    return {
        "establishment": event.establishment_date, "follow_up": event.follow_up_date, "departure": event.exit_date,
    }.get(event.kind, event.service_date)  # fmt: skip
