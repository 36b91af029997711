"""The deposits of an organisation: quarters, annual workbooks, re-sent and copied files; and the truth of their rows.

The truth of a row is its address, its person, and its fate: the first that applies of superseded, quarantined,
duplicate, accepted (deposit-schema.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .defects import Mishaps, bend_quarters
from .organisations import Habit, Organisation, habit_in
from .settings import (
    HABIT,
    LAYOUT,
    Settings,
    as_dates,
    between,
    date_of,
    fiscal,
    generator,
    quarter_end,
    quarter_of,
    words,
)
from .sheets import (
    EVENT_DATES,
    FLAWS,
    NO_DATE,
    PLACES,
    UNREADABLE,
    Draft,
    Sheet,
    can_have,
    lay_out,
    text_bytes,
    workbook_bytes,
)

_DATES = ("event_date", "exit_date", "noted_date", "follow_up_date")
_NUMBERS = ("true_person", "true_household", "identity")
ROW_COLUMNS = words(
    "file sheet row organisation_id true_person true_household kind fate event_date exit_date residence_code "
    "destination_code residence_form destination_form quarantine_reason superseded_by note service status date_form "
    "exit_form noted_date follow_up_date follow_up_form true_code stale identity"
)
_NOBODY = dict.fromkeys(ROW_COLUMNS, "") | dict.fromkeys((*_DATES, *_NUMBERS), None) | {"stale": False}


@dataclass
class Deposit:
    """One file and the sheets in it."""

    path: str
    habit: Habit
    sheets: list[Sheet]
    superseded_by: str = ""
    copy_of: str = ""
    extras: frozenset[str] = frozenset()  # what a workbook has besides (workbook_bytes)
    flaw: str = ""  # what is wrong with a text (FLAWS)

    def content(self) -> bytes:
        """The file's bytes."""
        if self.habit.format == "xlsx":
            return workbook_bytes(self.sheets, self.habit, self.extras)
        return text_bytes(self.sheets[0], self.flaw)


def deposit(  # noqa: C901  # a case a habit of an organisation
    settings: Settings, organisation: Organisation, habit: Habit, drafts: list[Draft], quarters: range, mishaps: Mishaps
) -> list[Deposit]:
    """All the files of one organisation, in the order it hands them in."""
    rng = generator(settings.seed, LAYOUT, organisation.index)
    by_quarter: dict[int, list[Draft]] = {}
    for item in drafts:
        by_quarter.setdefault(item.quarter, []).append(item)
    last = min(quarters[-1], quarter_of(organisation.closed) if organisation.closed is not None else quarters[-1])
    open_in = [q for q in quarters if quarter_of(organisation.opened) <= q <= last]
    bend_quarters(by_quarter, organisation, open_in, mishaps)
    sheets = {
        q: lay_out(
            organisation, habit_in(habit, q), q, by_quarter.get(q, []), f"T{fiscal(q)[1]}" if habit.annual else "Feuil1"
        )
        for q in open_in
    }
    earlier: dict[int, Sheet] = {}
    corrects = "deposits_corrected" in habit.drawn
    undated, unruly = (
        dict(zip(open_in, mishaps.hits(name, organisation.index, len(open_in)), strict=True))
        for name in ("resent_undated", "unruly_name")
    )
    if not habit.annual:
        for q in open_in:
            u, keep = rng.random(), rng.random(len(by_quarter.get(q, [])))
            if u < _resent(habit, mishaps) and len(keep):
                # The first version lacks a tenth of the rows, and the codes were not filled in yet; or it has errors.
                kept = [d for d, v in zip(by_quarter[q], keep.tolist(), strict=True) if v < 0.9 or corrects]
                if habit.drawn and not kept:
                    continue
                earlier[q] = lay_out(organisation, habit_in(habit, q), q, kept, "Feuil1")
                if corrects:
                    undated[q] = False
                    _with_errors(earlier[q])
                elif not undated[q]:  # it is the first version that stays
                    _without_codes(earlier[q])
                mishaps.counts["resent_undated" if undated[q] else "resent", "file"] += 1
    mishaps.bend("sheet", [*sheets.values(), *earlier.values()], organisation.index)
    deposits: list[Deposit] = []
    if habit.annual:
        for year in sorted({fiscal(q)[0] for q in open_in}):
            year_sheets = [sheets[q] for q in open_in if fiscal(q)[0] == year]
            on = date_of(quarter_end(year_sheets[-1].quarter) + between(rng, 5, 30))
            deposits.append(Deposit(f"{year}/{organisation.code}_{year}_annuel_{on}.xlsx", habit, year_sheets))
    else:
        for q in open_in:
            rival = earlier.get(q)
            odd = undated[q] if rival else unruly[q]
            deposits += _quarterly(settings, organisation, habit, q, sheets[q], rival, odd, rng, mishaps)
        if "deposits_cumulative" in habit.drawn:
            _replaced_within_the_year(deposits)
    notes = [rng.random() < mishaps.rate("notes_sheet") for _ in deposits]
    if habit.format == "xlsx":
        chosen = {"notes_sheet": notes} | {
            name: mishaps.hits(name, organisation.index, len(deposits)) for name in ("hidden_sheet", "hidden_columns")
        }
        for i, item in enumerate(deposits):
            item.extras = frozenset(name for name, hits in chosen.items() if hits[i])
            mishaps.counts.update((name, "file") for name in item.extras)
    else:
        _flaw(deposits, organisation, mishaps)
    mishaps.count_unplanted(
        "header_only", sum(not s.rows() for item in deposits for s in item.sheets if not habit.annual)
    )
    return deposits


def _flaw(made: list[Deposit], organisation: Organisation, mishaps: Mishaps) -> None:
    """Flaws in text files, except those that another file repeats, whose cells must stay equal."""
    repeated = {item.copy_of for item in made} | {item.superseded_by for item in made}
    for name in FLAWS:
        for item, hit in zip(made, mishaps.hits(name, organisation.index, len(made)), strict=True):
            single = not (item.flaw or item.copy_of or item.superseded_by or item.path in repeated)
            if hit and single and can_have(item.sheets[0], name):
                item.flaw = name
                mishaps.counts[name, "file"] += 1


def _resent(habit: Habit, mishaps: Mishaps) -> float:
    """How often a quarter is sent again."""
    if {"deposits_twice", "deposits_corrected"} & habit.drawn:
        return 0.6
    return 0.0 if "deposits_cumulative" in habit.drawn else mishaps.rate("resent")


def _with_errors(sheet: Sheet) -> None:
    """Shift places, dates and statuses to the row below, in a third of the rows."""
    wrong = [
        i
        for i, c in enumerate(sheet.habit.columns)
        if c in (*PLACES, *EVENT_DATES, "code_municipal", "code_postal", "statut_suivi")
    ]
    rows = sheet.rows()
    for above, below in zip(rows[::3], rows[1::3], strict=False):
        for i in wrong:
            below.cells[i] = above.cells[i]


def _replaced_within_the_year(made: list[Deposit]) -> None:
    """Cumulative deposits that keep each row's quarter: the last of a year replaces the others."""
    last = {Path(item.path).parts[0]: item.path for item in made if not item.copy_of}
    copies = {item.path: item.copy_of for item in made if item.copy_of}
    years = {item.path: fiscal(item.sheets[0].quarter)[0] for item in made}
    for item in made:
        final = last[years[item.path]]
        # A file without rows reports only its own quarter, which no other file does.
        if item.sheets[0].rows() and final not in (item.path, copies.get(item.path)):
            item.superseded_by, item.copy_of = final, ""


def _without_codes(sheet: Sheet) -> None:
    names = [i for i, c in enumerate(sheet.habit.columns) if c in ("code_municipal", "remarques", "besoins")]
    for line in sheet.rows():
        for i in names:
            line.cells[i] = ""


def _quarterly(  # noqa: PLR0913  # what a world is drawn from
    settings: Settings,
    organisation: Organisation,
    habit: Habit,
    q: int,
    sheet: Sheet,
    earlier: Sheet | None,
    odd_name: bool,
    rng: np.random.Generator,
    mishaps: Mishaps,
) -> list[Deposit]:
    """The files of one quarter: one, or a first version and the one re-sent, or one and its copy."""
    year, n = fiscal(q)
    on = quarter_end(q) + between(rng, 5, 30)
    if "deposits_late" in habit.drawn:
        on += between(generator(settings.seed, HABIT, organisation.index, LAYOUT), 100, 250)
    resent_on, u, v = on + between(rng, 12, 60), rng.random(), rng.random()
    suffix = "csv" if habit.format == "csv" else "xlsx"
    if settings.level == 2 and habit.separator in ("\t", "|") and suffix == "csv":
        suffix = "tsv" if habit.separator == "\t" else "txt"
    stem = f"{year}/{organisation.code}_{year}_T{n}"
    name = f"{stem}_{date_of(on)}.{suffix}"
    if earlier is not None and odd_name:
        # Without a date it counts as deposited at the quarter's end, thus before the first (the contract, « Decided »).
        return [Deposit(name, habit, [earlier]), Deposit(f"{stem}.{suffix}", habit, [sheet], superseded_by=name)]
    if earlier is not None:
        again = f"{stem}_{date_of(resent_on)}.{suffix}"
        return [Deposit(name, habit, [earlier], superseded_by=again), Deposit(again, habit, [sheet])]
    # Cumulative deposits need a date, so that it is known which is the last.
    if "deposits_cumulative" in habit.drawn:
        u, odd_name = 1.0, False
    if u < mishaps.rate("undated_name"):
        mishaps.counts["undated_name", "file"] += 1
        name = f"{stem}.{suffix}"
    elif odd_name and {"exercice", "trimestre", "code_organisme"} <= set(habit.columns):
        mishaps.counts["unruly_name", "file"] += 1
        name = f"{year}/Rapport trimestriel {n}, {organisation.name}.{suffix}"
    made = [Deposit(name, habit, [sheet])]
    if v < mishaps.rate("copied_file"):
        mishaps.counts["copied_file", "file"] += 1
        made.append(Deposit(f"zz_copies/{Path(name).name}", habit, [sheet], copy_of=name))
    return made


def write_all(folder: Path, deposits: list[Deposit], mishaps: Mishaps) -> pd.DataFrame:
    """Write the files; returns the truth of their rows."""
    columns: dict[str, list[object]] = {name: [] for name in ROW_COLUMNS}
    for item in deposits:
        path = folder / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item.content())
        for row in _true_rows(item):
            for name, values in columns.items():
                values.append(row[name])
    for name, (path, content) in UNREADABLE.items():
        if mishaps.rate(name):
            (folder / path).write_bytes(content)
            mishaps.counts[name, "file"] += 1
    rows = pd.DataFrame(columns)
    return rows.assign(
        **{name: rows[name].astype("Int64") for name in _NUMBERS},
        **{name: as_dates(columns[name]) for name in _DATES},  # type: ignore[arg-type]
    )


def _true_rows(item: Deposit) -> Iterator[dict[str, object]]:
    """Each row of a file: its address, its fate, and its true values."""
    for sheet in item.sheets:
        seen: set[tuple[str, ...]] = set()
        skipped = {i for i, c in enumerate(sheet.habit.columns) if c in ("code_organisme", "nom_organisme")}
        for number, line in enumerate(sheet.lines, 1):
            if line.kind in ("header", "title", "blank"):
                continue
            own = line.draft.quarantine if line.draft else ""
            reason = {"total": "total_row", "ragged": "ragged", "aggregate": "no_identity"}.get(line.kind, own)
            # Filled down, the organisation's cells are the same on all rows, so they are not compared.
            key = tuple(str(c) for i, c in enumerate(line.cells) if i not in skipped)
            fate = "duplicate" if key in seen or item.copy_of else "accepted"
            seen.add(key)
            yield {
                **_NOBODY,
                "file": item.path,
                "sheet": sheet.name if item.habit.format == "xlsx" else "",
                "row": number,
                "organisation_id": sheet.organisation.code,
                "fate": "superseded" if item.superseded_by else "quarantined" if reason else fate,
                "quarantine_reason": reason,
                "superseded_by": item.superseded_by,
                **(_true_facts(line.draft, sheet.organisation.code) if line.draft else {"kind": line.kind}),
            }


def _true_facts(draft: Draft, organisation: str) -> dict[str, object]:
    """The person of a row, and its true values."""
    event = draft.event
    target = draft.destination or event.destination or event.exit_destination
    if draft.destination_form in ("", "none") or not target.isdigit():
        target = ""
    column, date = {
        "establishment": ("date_etablissement", event.establishment_date),
        "follow_up": ("date_suivi", event.follow_up_date),
        "departure": ("date_depart_region", event.exit_date),
    }.get(event.kind, ("date_service", event.service_date))
    of_a_stay = event.kind != "departure" and event.status not in ("left", "not_reached")
    return {
        "true_person": event.person,
        "true_household": event.household,
        "kind": event.kind,
        "event_date": date,
        "exit_date": event.exit_date,
        "residence_code": event.residence,
        "destination_code": target,
        "residence_form": draft.residence_form,
        "destination_form": draft.destination_form,
        "note": draft.note,
        "service": event.service,
        "status": event.status,
        "date_form": _date_form(draft, column),
        "exit_form": _date_form(draft, "date_depart_region") if event.exit_date is not None else "",
        "noted_date": event.day,
        "follow_up_date": event.follow_up_date,
        "follow_up_form": _date_form(draft, "date_suivi") if event.follow_up_date is not None else "",
        "true_code": event.lived,
        "identity": draft.identity.lines[organisation],
        "stale": of_a_stay and draft.residence_form != "none" and event.residence != event.lived,
    }


def _date_form(draft: Draft, column: str) -> str:
    """The form of a date: its precision, missing, unreadable, or moved to another day."""
    typed = draft.cells.get(column, "")
    if typed == "":
        return "missing"
    return "unreadable" if typed in NO_DATE else "moved" if column in draft.wrong_dates else draft.days[column][1]
