"""The habits of organisations that a world can draw, one line each in `HABITS`: who has it, and what to conclude.

A habit is an organisation's: it does so on all its rows. `Settings.habits` says which ones exist: none; all, each by a
share of the organisations that is itself drawn, from 0 to the habit's `prior`; or some by name, with every organisation
that they fit. Of one `group` an organisation has one at most. Functions that change events stand in `habit_events`,
those that change what is typed in `identity_defects`, `row_defects` and `habit_rows`; `deposits` sees to whole files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from . import habit_events as events
from . import habit_rows as row
from . import identity_defects as identity
from . import row_defects
from .drafts import Draft, Identity
from .geography import Geography
from .habit_events import Scene, in_order
from .organisations import COLUMNS, Event, Habit, Network, Organisation
from .settings import HABIT, Settings, day_of, generator, quarter_of, quarter_start


@dataclass(frozen=True)
class DrawnHabit:
    """
    One habit.

    Attributes
    ----------
    name : str
        What `Settings.habits` names it by.
    group : str
        Of the habits of one group an organisation has one at most ("": it goes with any other).
    prior : float
        A world's share of the organisations with the habit is drawn from 0 to this.
    scope : {"events", "identity", "row", "columns", "deposits"}
        What it changes.
    where : {"any", "region", "metropole", "quarterly"}
        The organisations it fits; "quarterly": those that hand in a file a quarter.
    concludes : str
        What a careful reader concludes from the rows (docs/habits.md).
    apply : callable, optional
        (scene, events) for events, (identity, rng, form of dates) and (draft, rng, geography) as for `Defect`. None for
        columns and deposits.
    """

    name: str
    group: str
    prior: float
    scope: str
    where: str
    concludes: str
    apply: Callable[..., object] | None = None


_OLD = "the status and the service say where the person is; an address printed before a settlement is no news"
_ROW = "the rest of the row"
_PRECISE = "intervals as wide as what is typed; of two orders the one with fewer moves"
_NAMES = "the same person, by the birth date and the other names"
_TWO = "two facts, each on its date; a service without one is of the row's quarter"
_VISIT, _STAYS = "a visit or a return: open", "no return"
_FATES = "of each quarter the deposit of the latest date"

# Columns that an organisation may never fill: all but what makes a row usable.
NEVER_FILLED = {
    "no_menage": 0.4, "prenom": 0.2, "nom": 0.15, "no_dossier": 0.25, "date_naissance": 0.2, "sexe": 0.4,
    "pays_naissance": 0.4, "categorie_immigration": 0.4, "date_arrivee_quebec": 0.4, "taille_menage": 0.4,
    "municipalite_residence": 0.2, "code_municipal": 0.8, "code_postal": 0.8, "municipalite_destination": 0.2,
    "service": 0.2, "date_depart_montreal": 0.8, "destination_depart": 0.4, "motif_depart": 0.8,
}  # fmt: skip

HABITS = (
    # What is noted at all.
    DrawnHabit("visit_with_old_address", "visit", 0.4, "events", "metropole", _VISIT, events.visit_with_old_address),
    DrawnHabit("visit_with_new_address", "visit", 0.4, "events", "metropole", _STAYS, events.visit_with_new_address),
    DrawnHabit("visit_without_address", "visit", 0.4, "events", "metropole", _STAYS, events.visit_without_address),
    DrawnHabit(
        "departures_late",
        "departures",
        0.4,
        "events",
        "region",
        "a departure on its date, told late",
        events.departures_late,
    ),
    DrawnHabit("departures_never", "departures", 0.4, "events", "region", "nothing", events.departures_never),
    DrawnHabit(
        "departures_in_remarks",
        "departures",
        0.4,
        "row",
        "region",
        "nothing: remarks are not read",
        row_defects.departure_in_remarks,
    ),
    DrawnHabit(
        "departures_false",
        "",
        0.3,
        "events",
        "region",
        "a departure; who is present later came back, or never left: open",
        events.departures_false,
    ),
    # The column of residence.
    DrawnHabit("residence_intake", "residence", 0.5, "events", "any", _OLD, events.residence_intake),
    DrawnHabit(
        "residence_intake_metropole", "residence", 0.5, "events", "region", _OLD, events.residence_intake_metropole
    ),
    DrawnHabit("residence_first_row_only", "residence", 0.5, "events", "any", _OLD, events.residence_first_row_only),
    DrawnHabit(
        "residence_own_town",
        "residence",
        0.5,
        "events",
        "any",
        "the region, not the municipality",
        events.residence_own_town,
    ),
    DrawnHabit(
        "destination_in_residence",
        "",
        0.8,
        "events",
        "any",
        "an establishment without a destination settles at the residence, if that is en région",
        events.destination_in_residence,
    ),
    # What a row is about.
    DrawnHabit("two_facts_two_dates", "facts", 0.4, "events", "region", _TWO, events.two_facts_two_dates),
    DrawnHabit("two_facts_one_date", "facts", 0.4, "events", "region", _TWO, events.two_facts_one_date),
    DrawnHabit(
        "status_own_words",
        "",
        0.8,
        "row",
        "region",
        "present, left or not reached, whatever the words",
        row.status_own_words,
    ),
    DrawnHabit(
        "status_without_date", "", 0.8, "row", "region", "a contact in the row's quarter", row.status_without_date
    ),
    DrawnHabit(
        "head_only", "", 0.8, "events", "any", "the journey of the head; nothing of the others", events.head_only
    ),
    # Dates.
    DrawnHabit("dates_to_the_month", "dates", 0.4, "row", "any", _PRECISE, row.dates_to_the_month),
    DrawnHabit("dates_to_the_quarter", "dates", 0.4, "row", "any", _PRECISE, row.dates_to_the_quarter),
    DrawnHabit("dates_to_the_year", "dates", 0.4, "row", "any", _PRECISE, row.dates_to_the_year),
    # Who is on a row.
    DrawnHabit(
        "number_each_year",
        "number",
        0.5,
        "events",
        "any",
        "the same person, by names and birth",
        events.number_each_year,
    ),
    DrawnHabit(
        "number_of_the_household",
        "number",
        0.5,
        "identity",
        "any",
        "names and births tell the members apart",
        identity.number_of_the_household,
    ),
    DrawnHabit(
        "given_name_first_row_only",
        "first_row",
        0.4,
        "events",
        "any",
        "the file's first row says who",
        events.given_name_first_row_only,
    ),
    DrawnHabit(
        "names_first_row_only",
        "first_row",
        0.4,
        "events",
        "any",
        "the file's first row says who",
        events.names_first_row_only,
    ),
    DrawnHabit("birth_year", "birth", 0.4, "identity", "any", "the year", identity.birth_year_only),
    DrawnHabit("birth_first_of_january", "birth", 0.4, "identity", "any", "the year", identity.birth_first_of_january),
    DrawnHabit(
        "birth_swapped",
        "birth",
        0.4,
        "identity",
        "any",
        "the year; a day of 12 or less may be the month",
        identity.birth_day_month_swapped,
    ),
    DrawnHabit("name_of_the_spouse", "", 0.8, "identity", "any", _NAMES, identity.married_name),
    DrawnHabit("name_turned", "", 0.8, "identity", "any", _NAMES, identity.surnames_turned),
    DrawnHabit("name_transliterated", "", 0.8, "identity", "any", _NAMES, identity.transliterated),
    DrawnHabit("name_nickname", "given", 0.4, "identity", "any", _NAMES, identity.nickname),
    DrawnHabit("name_initial", "given", 0.4, "identity", "any", _NAMES, identity.initial),
    DrawnHabit("names_exchanged", "", 0.8, "identity", "any", _NAMES, identity.names_swapped),
    # Deposits.
    DrawnHabit("deposits_late", "deposits", 0.4, "deposits", "quarterly", _FATES),
    DrawnHabit("deposits_twice", "deposits", 0.4, "deposits", "quarterly", _FATES),
    DrawnHabit("deposits_corrected", "deposits", 0.4, "deposits", "quarterly", _FATES),
    DrawnHabit("deposits_cumulative", "deposits", 0.4, "deposits", "quarterly", _FATES),
    DrawnHabit("deposits_cumulative_as_new", "deposits", 0.4, "deposits", "quarterly", "the same facts, told again"),
    DrawnHabit("code_changes", "partner", 0.3, "deposits", "any", "the same persons, by names and birth"),
    DrawnHabit("merges", "partner", 0.3, "deposits", "any", "the same persons, by names and birth"),
    # Columns.
    DrawnHabit("quarter_in_the_file_name", "", 0.8, "columns", "quarterly", "the quarter of the file's name"),
    *(DrawnHabit(f"no_{column}", "", prior, "columns", "any", _ROW) for column, prior in NEVER_FILLED.items()),
)
NAMES = tuple(habit.name for habit in HABITS)


def with_drawn(settings: Settings, network: Network, manners: list[Habit]) -> list[Habit]:
    """The habits of all organisations with those that the settings ask for: `drawn`, and the columns that are left."""
    if settings.habits == "none":
        return manners
    shares = {h.name: _share(settings, h) for h in HABITS}
    return [
        _with(settings, organisation, manner, shares) for organisation, manner in zip(network.all, manners, strict=True)
    ]


def _share(settings: Settings, habit: DrawnHabit) -> float:
    """The share of the organisations of this world that have a habit."""
    if settings.habits == "drawn":
        return habit.prior * generator(settings.seed, HABIT, crc32(habit.name.encode())).random()
    return float(habit.name in settings.habits.split(","))


def _with(settings: Settings, organisation: Organisation, manner: Habit, shares: dict[str, float]) -> Habit:
    rng = generator(settings.seed, HABIT, organisation.index)
    draws = rng.random((len(HABITS), 2)).tolist()
    fitting = [
        (v, habit)
        for (u, v), habit in zip(draws, HABITS, strict=True)
        if u < shares[habit.name] and habit.where in ("any", organisation.zone, "" if manner.annual else "quarterly")
    ]
    kept: dict[str, DrawnHabit] = {}
    for _, habit in sorted(fitting, key=lambda item: item[0]):
        kept.setdefault(habit.group or habit.name, habit)
    drawn = _usable({habit.name for habit in kept.values()}, manner.columns)
    return replace(manner, drawn=drawn, columns=_columns(drawn, manner.columns))


def _usable(drawn: set[str], columns: Sequence[str]) -> frozenset[str]:
    """Without the habits that would together leave rows of which nobody could say whose, when or where they are."""
    if {"number_of_the_household", "no_no_dossier"} & drawn:
        drawn -= {"given_name_first_row_only", "names_first_row_only", "no_prenom", "no_nom", "no_date_naissance"}
    if {"no_prenom", "no_nom"} <= drawn:
        drawn -= {"no_nom"}
    if "no_municipalite_residence" in drawn:
        drawn -= {"destination_in_residence", "no_municipalite_destination", "residence_own_town", "residence_intake",
                  "residence_intake_metropole", "residence_first_row_only"}  # fmt: skip
    if {"residence_intake_metropole", "destination_in_residence"} & drawn:
        drawn -= {"no_municipalite_destination"}
    if "residence_intake_metropole" in drawn:
        drawn -= {"destination_in_residence"}
    if not {"exercice", "trimestre"} <= set(columns):
        drawn -= {"deposits_cumulative"}
    if "deposits_cumulative" in drawn:
        drawn -= {"quarter_in_the_file_name"}
    if "deposits_cumulative_as_new" in drawn:
        drawn -= {"status_without_date", "two_facts_one_date"}
    return frozenset(drawn)


def _columns(drawn: frozenset[str], columns: Sequence[str]) -> tuple[str, ...]:
    absent = {c for c in COLUMNS if f"no_{c}" in drawn}
    if "quarter_in_the_file_name" in drawn:
        absent |= {"exercice", "trimestre"}
    if "destination_in_residence" in drawn:
        absent |= {"municipalite_destination"}
    if "departures_in_remarks" in drawn and "remarques" not in columns:
        columns = (*columns, "remarques")
    return tuple(c for c in columns if c not in absent)


def to_events(scene: Scene, drawn: frozenset[str], mine: list[Event]) -> list[Event]:
    """The events of one organisation as its habits let it note them."""
    for habit in _of("events", drawn):
        mine = habit.apply(scene.for_habit(habit.name), mine)  # type: ignore[misc,assignment]
    return mine


@dataclass(frozen=True)
class Change:
    """An organisation that goes on under another code, or as part of a neighbour, from a quarter on."""

    quarter: int
    heir: Organisation
    is_new: bool  # the code is; else it is a neighbour's


def changes(settings: Settings, network: Network, manners: list[Habit]) -> dict[int, Change]:
    """Who changes its code or merges, in the April nearest to the middle of the period, by the organisation's index."""
    first, last = quarter_of(day_of(settings.start)), quarter_of(day_of(settings.end))
    april = (first + last) // 2 // 4 * 4 + 1
    here = {o.index for o in network.all if o.closed is None and first < april and o.opened < quarter_start(april)}
    found: dict[int, Change] = {}
    heirs: set[int] = set()
    for organisation in network.all:
        drawn = manners[organisation.index].drawn
        if organisation.index not in here or organisation.index in heirs:
            continue
        if "code_changes" in drawn:
            code = f"{organisation.code[:3]}{50 + int(organisation.code[3:])}"
            heir = replace(organisation, code=code, opened=quarter_start(april))
            found[organisation.index] = Change(april, heir, True)
        elif "merges" in drawn:
            near = [o for o in network.all if o.index in here and o.zone == organisation.zone and o is not organisation]
            near = [o for o in near if o.index not in found]
            if near:
                heir = min(near, key=lambda o: (o.region != organisation.region, abs(o.index - organisation.index)))
                heirs.add(heir.index)
                found[organisation.index] = Change(april, heir, False)
    return found


def merged(by_organisation: dict[int, list[Event]], changed: dict[int, Change]) -> dict[int, list[Event]]:
    """The events of each organisation, those of the merged ones with their neighbour, in files opened anew."""
    for index, change in changed.items():
        if not change.is_new:
            day = quarter_start(change.quarter)
            theirs = [e for e in by_organisation.get(index, []) if e.day >= day]
            by_organisation[index] = [e for e in by_organisation.get(index, []) if e.day < day]
            for event in theirs:
                event.organisation, event.opening = change.heir.index, event.opening + 50
            by_organisation[change.heir.index] = in_order([*by_organisation.get(change.heir.index, []), *theirs])
    return by_organisation


def eras(
    organisation: Organisation, change: Change | None, drafts: list[Draft]
) -> list[tuple[Organisation, list[Draft]]]:
    """The organisation with its rows; before and after, where it ends or changes its code."""
    if change is None:
        return [(organisation, drafts)]
    until = replace(organisation, closed=quarter_start(change.quarter) - 1)
    before = [(until, [d for d in drafts if d.quarter < change.quarter])]
    if not change.is_new:
        return before
    after = [d for d in drafts if d.quarter >= change.quarter]
    for item in after:
        if item.cells["code_organisme"]:
            item.cells["code_organisme"] = change.heir.code
    return [*before, (change.heir, after)]


def to_identities(settings: Settings, manner: Habit, identities: list[Identity]) -> None:
    """The identity habits of one organisation, on all its files."""
    for habit in _of("identity", manner.drawn):
        rng = _generator(settings, identities[0].organisation, habit.name) if identities else None
        for item in identities:
            habit.apply(item, rng, manner.dates)  # type: ignore[misc]


def to_rows(settings: Settings, place: Geography, drafts: list[Draft]) -> None:
    """The row habits of one organisation, on all its rows; then what it never fills, or not on this row, is blank."""
    if not drafts or not drafts[0].habit.drawn:
        return
    for habit in _of("row", drafts[0].habit.drawn):
        rng = _generator(settings, drafts[0].event.organisation, habit.name)
        for item in drafts:
            habit.apply(item, rng, place)  # type: ignore[misc]
    for item in drafts:
        row.leave_blank(item)


def _of(scope: str, drawn: frozenset[str]) -> list[DrawnHabit]:
    return [habit for habit in HABITS if habit.scope == scope and habit.name in drawn]


def _generator(settings: Settings, organisation: int, name: str) -> np.random.Generator:
    return generator(settings.seed, HABIT, organisation, crc32(name.encode()))
