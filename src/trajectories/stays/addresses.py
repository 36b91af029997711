"""Which typed addresses are news: of each presence, whether it moves somebody (docs/rules.md, « Addresses »).

Files go on printing an address that is long out of date. What a contact says (an establishment, « présent », a
departure) outweighs it: once somebody has settled en région, an address that was printed before comes again as a
repetition, until something else says that the person has left. What is decided against an address is a row of
`conflicts`:

- `old_address`: a repetition, no news;
- `possible_return`: an address of the metropole at an organisation of the metropole, beyond the grace period and of a
  service that nobody had to come for: the person may have come back;
- `possible_visit`: a service in person in the metropole in the first two months: a visit, or a return.

The last two are open: they neither move the person nor confirm the stay. « Présent » beside an old or blank address
says that the person is where they last settled.
"""

from __future__ import annotations

import numpy as np

from ..tables import METROPOLE, REGION
from .coding import MISSING
from .evidence import (
    DEPARTURE,
    ESTABLISHMENT,
    FOLLOW_UP,
    IN_METROPOLE,
    IN_REGION,
    NOWHERE_KNOWN,
    SERVICE,
    Aside,
    Evidence,
    last_before,
    last_known,
    next_known,
)

# A service in person in the metropole so soon after settling may be a visit (docs/rules.md).
VISIT_DAYS = 62
# Two towns reported within so many days may be one settling reported twice (design.md, rule 1).
SAME_EVENT = 31
# Each round decides at least the next move of each person; a third is rarely needed.
_ROUNDS = 8


def read_addresses(evidence: Evidence, grace_days: int) -> tuple[list[Aside], Aside]:
    """
    Say which addresses are news, and put « présent » beside an old or blank one where the person last settled.

    Parameters
    ----------
    evidence : Evidence
        All observations; the places of follow-ups are changed in place.
    grace_days : int
        How long after the last report of somebody en région an address of the metropole is surely a repetition.

    Returns
    -------
    list of Aside, Aside
        Addresses that are no news, or open; and addresses that may date from before a settling, though they were
        reported after it.
    """
    kind, zone = evidence.kind, evidence.zone
    presence, blank = evidence.of_kind(SERVICE, FOLLOW_UP), (kind == FOLLOW_UP) & evidence.nowhere()
    established = kind == ESTABLISHMENT
    settles = established & (zone == IN_REGION)
    everywhere = settles | (presence & (zone == IN_REGION))
    departures = np.flatnonzero(kind == DEPARTURE)
    gone = established & (zone != IN_REGION) & (zone != NOWHERE_KNOWN)
    gone[departures] = evidence.table_column("origin_zone", departures).ne(METROPOLE).to_numpy()

    # only presences after a settling, or possibly after one, can be repetitions; so can those without a place
    inside = np.flatnonzero(presence & (zone == IN_METROPOLE) | blank)
    following = next_known(evidence, everywhere, evidence.person[inside], evidence.earliest[inside])
    perhaps = (following >= 0) & (evidence.earliest[following] <= evidence.latest[inside])
    after = last_before(everywhere, inside, evidence.person) >= 0
    inside, following, perhaps = (values[after | perhaps] for values in (inside, following, perhaps))
    regional = np.flatnonzero(presence & (zone == IN_REGION))
    settling = last_before(settles, regional, evidence.person)
    regional = regional[(settling >= 0) & _other_place(evidence, regional, settling)]
    at = np.concatenate([inside, regional])
    metropolitan = np.arange(len(at)) < len(inside)
    silent = blank[at]
    regional_teller = evidence.table_column("organisation_zone", at).eq(REGION).to_numpy() & metropolitan
    following, perhaps = (
        np.append(values, np.zeros(len(regional), dtype=values.dtype)) for values in (following, perhaps)
    )
    printed, person, day = _first_printed(evidence, at), evidence.person[at], evidence.earliest[at]
    begins = np.searchsorted(evidence.person, person)
    contact = kind[at] == FOLLOW_UP
    old = returned = np.zeros(len(at), dtype=bool)
    because = np.full(len(at), -1)
    for _ in range(_ROUNDS):
        is_presence, breaks = everywhere.copy(), gone.copy()
        is_presence[at[old]] = contact[old]
        breaks[at[returned]] = True
        last_departure, last_presence, last_settling = (
            last_known(evidence, flag, person, day) for flag in (breaks, is_presence, settles)
        )
        explicit, stays = last_settling > last_departure, last_presence > last_departure
        # an organisation en région meets only persons who have settled: a row that may follow a settling does
        met = (regional_teller | silent) & perhaps & ~stays
        stays, last_presence = stays | met, np.where(met, following, last_presence)
        # the stay began with the last reported settling, else with the first presence in it
        begun = np.where(
            explicit, last_settling, _next(is_presence, np.maximum(last_departure + 1, begins), last_presence)
        )
        again = (printed <= evidence.latest[begun]) | regional_teller | silent
        before = printed < evidence.earliest[last_settling] - SAME_EVENT
        came = evidence.in_person[at] & (day > evidence.latest[begun] + VISIT_DAYS)
        now_old = np.where(
            metropolitan, stays & again & ~came, explicit & before & _other_place(evidence, at, last_settling)
        )
        now_returned = metropolitan & stays & ~now_old
        because = np.where(metropolitan, last_presence, last_settling)
        same = np.array_equal(now_old, old) and np.array_equal(now_returned, returned)
        old, returned = now_old, now_returned
        if same:
            break
    # a metropole address that may date from before or after a settling is taken as before: it does not bound it
    vague = perhaps & ~old & ~returned & ~silent & (printed < day) & (day > evidence.earliest[following])
    evidence.earliest[at[vague]] = evidence.earliest[following[vague]]
    before_or_after = Aside("old_address", evidence, at[vague], following[vague])
    _put_where_settled(evidence, at[old & contact], because[old & contact])
    old &= ~contact
    at, because, metropolitan, regional_teller = (
        values[old] for values in (at, because, metropolitan, regional_teller)
    )
    visit = evidence.in_person[at]
    late = ~visit & metropolitan & ~regional_teller & (evidence.earliest[at] > evidence.latest[because] + grace_days)
    repeated = ~visit & ~late
    aside = np.zeros(len(evidence), dtype=bool)
    aside[at] = True
    _blank_presences(evidence, aside)
    rules = (("old_address", repeated), ("possible_return", late), ("possible_visit", visit))
    return [Aside(rule, evidence, at[flag], because[flag]) for rule, flag in rules], before_or_after


def _first_printed(evidence: Evidence, at: np.ndarray) -> np.ndarray:
    """
    For the rows at positions, the first day on which the person's town was printed.

    For metropole addresses, the first day on which any address of the metropole was.
    """
    is_their_row = np.zeros(int(evidence.person.max(initial=-1)) + 1, dtype=bool)
    is_their_row[evidence.person[at]] = True
    named = np.flatnonzero(is_their_row[evidence.person] & (evidence.kind != DEPARTURE))
    metropole = evidence.zone == IN_METROPOLE
    first = evidence.latest[at].copy()
    for has_place, place_code in ((evidence.town >= 0, evidence.town), (metropole, np.zeros_like(evidence.town))):
        printed = named[has_place[named]]
        keys, begins = np.unique(_packed(evidence, place_code, printed), return_index=True)
        indices = np.flatnonzero(has_place[at] & ((evidence.town[at] >= 0) == (place_code is evidence.town)))
        first[indices] = evidence.latest[
            printed[begins[np.searchsorted(keys, _packed(evidence, place_code, at[indices]))]]
        ]
    return first


def _packed(evidence: Evidence, place_code: np.ndarray, at: np.ndarray) -> np.ndarray:
    return (evidence.person[at].astype(np.int64) << 32) + place_code[at]


def _next(flag: np.ndarray, position: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """The first flagged position from each position on; `otherwise` where there is none."""
    flagged = np.flatnonzero(flag)
    rank = np.searchsorted(flagged, position)
    return np.where(rank < len(flagged), np.append(flagged, -1)[np.minimum(rank, len(flagged))], otherwise)


def _other_place(evidence: Evidence, at: np.ndarray, compared_at: np.ndarray) -> np.ndarray:
    """Whether two rows name two towns, or two regions."""
    both_named = (evidence.town[at] >= 0) & (evidence.town[compared_at] >= 0)
    towns = both_named & (evidence.town[at] != evidence.town[compared_at])
    regions = (
        (evidence.region[at] >= 0)
        & (evidence.region[compared_at] >= 0)
        & (evidence.region[at] != evidence.region[compared_at])
    )
    return towns | regions


def _put_where_settled(evidence: Evidence, at: np.ndarray, where: np.ndarray) -> None:
    """Copy to the rows at positions the places of the rows `where`, which may be among them; none where −1."""
    source_row = np.arange(-1, len(evidence))  # the last row but one is at −1
    source_row[at + 1] = where
    for _ in range(len(at).bit_length()):  # chains of blank rows: each round halves the distance to a row with a place
        source_row = source_row[source_row + 1]
    where = source_row[at + 1]
    for values, none in ((evidence.town, MISSING), (evidence.region, MISSING), (evidence.zone, NOWHERE_KNOWN)):
        values[at] = np.where(where >= 0, values[where], none)


def _blank_presences(evidence: Evidence, aside: np.ndarray) -> None:
    """Give « présent » without a place that of the person's last settling or presence."""
    blank = np.flatnonzero((evidence.kind == FOLLOW_UP) & evidence.nowhere())
    says = evidence.of_kind(ESTABLISHMENT, FOLLOW_UP, SERVICE) & (evidence.zone != NOWHERE_KNOWN) & ~aside
    _put_where_settled(evidence, blank, last_before(says, blank, evidence.person))
