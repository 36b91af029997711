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
    where : {"any", "region", "metropole", "quarterly"}
        The organisations it fits; "quarterly": those that hand in a file a quarter.
    scope : {"events", "identity", "row", "columns", "deposits"}
        What it changes.
    apply : callable or str
        (scene, events) for events, (identity, rng, form of dates) and (draft, rng, geography) as for `Defect`; what it
        does, in words, where other code sees to it (columns and deposits).
    concludes : str
        What a careful reader concludes from the rows (docs/habits.md).

    Examples
    --------
    >>> next(habit.does for habit in HABITS if habit.name == "deposits_late")
    'Deposits come months late.'
    """

    name: str
    group: str
    prior: float
    where: str
    scope: str
    apply: Callable[..., object] | str
    concludes: str

    @property
    def does(self) -> str:
        """What an organisation with the habit does, in one sentence."""
        return self.apply if isinstance(self.apply, str) else (self.apply.__doc__ or "").strip().split("\n")[0]


_REPEATED = "who is there or was served there, not the address: one printed before a settlement is no news"
_AREA = "the region, not the municipality"
_SETTLED = "without a destination one settles at the residence, if that is en région"
_TWO = "two facts, each on its date; a service without one is of the row's quarter"
_HEAD = "the journey of the head, nothing of the others"
_COARSE = "an interval as wide as the date; of two orders the one with fewer moves"
_SAME = "the same person, by names and birth"
_TOLD_APART = "the members, by names and births"
_FIRST_ROW = "who it is, from the file's first row"
_YEAR = "the year, beside the names"
_OTHER = "the same person, by the birth date and the other names"
_STATUS = "present, left or not reached"
_QUARTER = "a contact in the row's quarter"
_OPEN = "a visit or a return: open"
_NO_RETURN = "no return"
_LATEST = "of each quarter the deposit of the latest date"
_AGAIN = "the same facts, told again"
_REST = "what the rest of the row says"

# Columns that an organisation may never fill, and their priors: all but what makes a row usable.
NEVER_FILLED = {
    "no_menage": 0.4, "prenom": 0.2, "nom": 0.15, "no_dossier": 0.25, "date_naissance": 0.2, "sexe": 0.4,
    "pays_naissance": 0.4, "categorie_immigration": 0.4, "date_arrivee_quebec": 0.4, "taille_menage": 0.4,
    "municipalite_residence": 0.2, "code_municipal": 0.8, "code_postal": 0.8, "municipalite_destination": 0.2,
    "service": 0.2, "date_depart_montreal": 0.8, "date_depart_region": 0.2, "destination_depart": 0.4,
    "motif_depart": 0.8, "connaissance_francais": 0.4, "scolarite": 0.4, "programme": 0.4, "volet": 0.4,
    "motif_etablissement": 0.4, "besoins": 0.4, "emploi_obtenu": 0.4, "date_emploi": 0.4, "logement_trouve": 0.4,
    "date_logement": 0.4,
}  # fmt: skip

# Applied in this order.
HABITS = tuple(DrawnHabit(*line) for line in (
    # Visits to the metropole; then the column of residence, which prints its own address on them too.
    ("visit_with_old_address", "visit", 0.4, "metropole", "events", events.visit_with_old_address, _OPEN),
    ("visit_with_new_address", "visit", 0.4, "metropole", "events", events.visit_with_new_address, _NO_RETURN),
    ("visit_without_address", "visit", 0.4, "metropole", "events", events.visit_without_address, _NO_RETURN),
    ("residence_intake", "residence", 0.5, "any", "events", events.residence_intake, _REPEATED),
    ("residence_intake_metropole", "residence", 0.5, "region", "events", events.residence_intake_metropole, _REPEATED),
    ("residence_first_row_only", "residence", 0.5, "any", "events", events.residence_first_row_only, _REPEATED),
    ("residence_own_town", "residence", 0.5, "any", "events", events.residence_own_town, _AREA),
    ("destination_in_residence", "", 0.8, "any", "events", events.destination_in_residence, _SETTLED),
    # What a row is about, and who is on it.
    ("two_facts_two_dates", "facts", 0.4, "region", "events", events.two_facts_two_dates, _TWO),
    ("two_facts_one_date", "facts", 0.4, "region", "events", events.two_facts_one_date, _TWO),
    ("status_own_words", "", 0.8, "region", "row", row.status_own_words, _STATUS),
    ("status_without_date", "", 0.8, "region", "row", row.status_without_date, _QUARTER),
    ("head_only", "", 0.8, "any", "events", events.head_only, _HEAD),
    ("departures_late", "departures", 0.4, "region", "events", events.departures_late, "a departure on its date"),
    ("departures_never", "departures", 0.4, "region", "events", events.departures_never, "nothing"),
    ("departures_in_remarks", "departures", 0.4, "region", "row", row_defects.departure_in_remarks,
     "nothing: remarks are not read"),
    ("departures_false", "", 0.3, "region", "events", events.departures_false, "a departure; it cannot be known"),
    ("dates_to_the_month", "dates", 0.4, "any", "row", row.dates_to_the_month, _COARSE),
    ("dates_to_the_quarter", "dates", 0.4, "any", "row", row.dates_to_the_quarter, _COARSE),
    ("dates_to_the_year", "dates", 0.4, "any", "row", row.dates_to_the_year, _COARSE),
    # Who somebody is.
    ("number_each_year", "number", 0.5, "any", "events", events.number_each_year, _SAME),
    ("number_of_the_household", "number", 0.5, "any", "identity", identity.number_of_the_household, _TOLD_APART),
    ("given_name_first_row_only", "first_row", 0.4, "any", "events", events.given_name_first_row_only, _FIRST_ROW),
    ("names_first_row_only", "first_row", 0.4, "any", "events", events.names_first_row_only, _FIRST_ROW),
    ("birth_year", "birth", 0.4, "any", "identity", identity.birth_year_only, _YEAR),
    ("birth_first_of_january", "birth", 0.4, "any", "identity", identity.birth_first_of_january, _YEAR),
    ("birth_swapped", "birth", 0.4, "any", "identity", identity.birth_day_month_swapped, _YEAR),
    ("name_of_the_spouse", "", 0.8, "any", "identity", identity.married_name, _OTHER),
    ("name_turned", "", 0.8, "any", "identity", identity.surnames_turned, _OTHER),
    ("name_transliterated", "", 0.8, "any", "identity", identity.transliterated, _OTHER),
    ("name_nickname", "given", 0.4, "any", "identity", identity.nickname, _OTHER),
    ("name_initial", "given", 0.4, "any", "identity", identity.initial, _OTHER),
    ("names_exchanged", "", 0.8, "any", "identity", identity.names_swapped, _OTHER),
    # Deposits, organisations, columns.
    ("deposits_late", "deposits", 0.4, "quarterly", "deposits", "Deposits come months late.", _LATEST),
    ("deposits_twice", "deposits", 0.4, "quarterly", "deposits",
     "Most deposits are sent twice, the first time with gaps.", _LATEST),
    ("deposits_corrected", "deposits", 0.4, "quarterly", "deposits",
     "Most deposits are sent again, with the errors of the first corrected.", _LATEST),
    ("deposits_cumulative", "deposits", 0.4, "quarterly", "deposits",
     "A deposit repeats the year's earlier rows, each under its own quarter.", _LATEST),
    ("deposits_cumulative_as_new", "deposits", 0.4, "quarterly", "deposits",
     "A deposit repeats the year's earlier rows, under its own quarter.", _AGAIN),
    ("code_changes", "partner", 0.3, "any", "deposits", "The organisation's code changes.", _SAME),
    ("merges", "partner", 0.3, "any", "deposits",
     "The organisation becomes part of a neighbour, which gives new file numbers.", _SAME),
    ("quarter_in_the_file_name", "", 0.8, "quarterly", "columns", "Only the file's name says the quarter.",
     "the quarter of the file's name"),
    *((f"no_{column}", "", prior, "any", "columns", "The column is never filled, or not there.", _REST)
      for column, prior in NEVER_FILLED.items()),
))  # fmt: skip
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
    return replace(manner, drawn=drawn, columns=_columns(drawn, manner.columns, rng))


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


def _columns(drawn: frozenset[str], columns: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    there = (rng.random(len(COLUMNS)) < 0.5).tolist()  # of those never filled: the column may be there all the same
    absent = {c for c, kept in zip(COLUMNS, there, strict=True) if f"no_{c}" in drawn and not kept}
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
            code = f"{organisation.code[:3]}{500 + int(organisation.code[3:])}"
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
