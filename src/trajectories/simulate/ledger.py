"""The truth of the rows: where each one stands, whose it is, and its fate.

The fate is the first that fits of superseded, quarantined, duplicate, accepted (deposit-schema.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from .drafts import NO_DATE, Draft
from .saving import Deposit
from .settings import as_dates
from .sheets import Sheet

_DATES = ("event_date", "exit_date", "noted_date", "follow_up_date")
_NUMBERS = ("true_person", "true_household", "identity")
ROW_COLUMNS = (
    "file", "sheet", "row", "organisation_id", "true_person", "true_household", "kind", "fate", "event_date",
    "exit_date", "residence_code", "destination_code", "residence_form", "destination_form", "quarantine_reason",
    "superseded_by", "note", "service", "status", "date_form", "exit_form", "noted_date", "follow_up_date",
    "follow_up_form", "true_code", "stale", "identity",
)  # fmt: skip
_NOBODY = dict.fromkeys(ROW_COLUMNS, "") | dict.fromkeys((*_DATES, *_NUMBERS), None) | {"stale": False}


@dataclass
class Ledger:
    """The truth of the rows, column by column."""

    columns: dict[str, list[object]] = field(default_factory=lambda: {name: [] for name in ROW_COLUMNS})

    def add(self, **values: object) -> None:
        """One row; what is not given is nobody's."""
        row = _NOBODY | values
        for name in ROW_COLUMNS:
            self.columns[name].append(row[name])

    def frame(self) -> pd.DataFrame:
        """The rows as a table."""
        table = pd.DataFrame({k: v for k, v in self.columns.items() if k not in _DATES})
        for name in _NUMBERS:
            table[name] = table[name].astype("Int64")
        for name in _DATES:
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
        ledger.add(
            file=item.path, sheet=name, row=number, organisation_id=sheet.organisation.code, fate=fate,
            quarantine_reason=reason, superseded_by=item.superseded_by,
            **(_said(line.draft, sheet.organisation.code) if line.draft else {"kind": line.kind}),
        )  # fmt: skip


def _said(draft: Draft, organisation: str) -> dict[str, object]:
    """Of whom a row is, and what it truly says."""
    event = draft.event
    target = draft.destination or event.destination or event.exit_destination
    if draft.destination_form in ("", "none") or not target.isdigit():
        target = ""
    column = {
        "establishment": "date_etablissement", "follow_up": "date_suivi", "departure": "date_depart_region",
    }.get(event.kind, "date_service")  # fmt: skip
    date = {
        "establishment": event.establishment_date, "follow_up": event.follow_up_date, "departure": event.exit_date,
    }.get(event.kind, event.service_date)  # fmt: skip
    of_a_stay = event.kind != "departure" and event.status not in ("left", "not_reached")
    return {
        "true_person": event.person, "true_household": event.household, "kind": event.kind, "event_date": date,
        "exit_date": event.exit_date, "residence_code": event.residence, "destination_code": target,
        "residence_form": draft.residence_form, "destination_form": draft.destination_form, "note": draft.note,
        "service": event.service, "status": event.status, "date_form": _date_form(draft, column),
        "exit_form": _date_form(draft, "date_depart_region") if event.exit_date is not None else "",
        "noted_date": event.day, "follow_up_date": event.follow_up_date,
        "follow_up_form": _date_form(draft, "date_suivi") if event.follow_up_date is not None else "",
        "true_code": event.lived, "identity": draft.identity.lines[organisation],
        "stale": of_a_stay and draft.residence_form != "none" and event.residence != event.lived,
    }  # fmt: skip


def _date_form(draft: Draft, column: str) -> str:
    """How well a date is typed: its precision, or that it is missing, unreadable or another day's."""
    typed = draft.cells.get(column, "")
    if typed == "":
        return "missing"
    return "unreadable" if typed in NO_DATE else "moved" if column in draft.moved else draft.days[column][1]
