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
# Two towns named within so many days may be one settling told twice (design.md, rule 1).
SAME_EVENT = 31
# Each round settles at least the next move of each person; hardly anybody needs a third.
_ROUNDS = 8


def read_addresses(found: Evidence, grace_days: int) -> tuple[list[Aside], Aside]:
    """
    Say which addresses are news, and put « présent » beside an old or blank one where the person last settled.

    Parameters
    ----------
    found : Evidence
        All observations; the places of follow-ups are changed where they stand.
    grace_days : int
        How long after the last report of somebody en région an address of the metropole is surely a repetition.

    Returns
    -------
    list of Aside, Aside
        What is no news, or open; and addresses that may be of before a settling, though they were told after it.
    """
    kind, zone = found.kind, found.zone
    presence, blank = found.of_kind(SERVICE, FOLLOW_UP), (kind == FOLLOW_UP) & found.nowhere()
    established = kind == ESTABLISHMENT
    settles = established & (zone == IN_REGION)
    everywhere = settles | (presence & (zone == IN_REGION))
    departures = np.flatnonzero(kind == DEPARTURE)
    gone = established & (zone != IN_REGION) & (zone != NOWHERE_KNOWN)
    gone[departures] = found.asked("origin_zone", departures).ne(METROPOLE).to_numpy()

    # only what comes after a settling, or may do so, can be a repetition; so can what says no place
    inside = np.flatnonzero(presence & (zone == IN_METROPOLE) | blank)
    following = next_known(found, everywhere, found.person[inside], found.earliest[inside])
    perhaps = (following >= 0) & (found.earliest[following] <= found.latest[inside])
    after = last_before(everywhere, inside, found.person) >= 0
    inside, following, perhaps = (values[after | perhaps] for values in (inside, following, perhaps))
    regional = np.flatnonzero(presence & (zone == IN_REGION))
    settling = last_before(settles, regional, found.person)
    regional = regional[(settling >= 0) & _other_place(found, regional, settling)]
    at = np.concatenate([inside, regional])
    metropolitan = np.arange(len(at)) < len(inside)
    silent = blank[at]
    regional_teller = found.asked("organisation_zone", at).eq(REGION).to_numpy() & metropolitan
    following, perhaps = (
        np.append(values, np.zeros(len(regional), dtype=values.dtype)) for values in (following, perhaps)
    )
    printed, person, own = _first_printed(found, at), found.person[at], found.earliest[at]
    begins = np.searchsorted(found.person, person)
    contact = kind[at] == FOLLOW_UP
    old = returned = np.zeros(len(at), dtype=bool)
    because = np.full(len(at), -1)
    for _ in range(_ROUNDS):
        there, breaks = everywhere.copy(), gone.copy()
        there[at[old]] = contact[old]
        breaks[at[returned]] = True
        left, seen, settled = (last_known(found, flag, person, own) for flag in (breaks, there, settles))
        explicit, stays = settled > left, seen > left
        # nobody en région meets somebody who has yet to come: what may be of after a settling is
        met = (regional_teller | silent) & perhaps & ~stays
        stays, seen = stays | met, np.where(met, following, seen)
        # the stay began with the last settling told, else with the first that was seen of it
        begun = np.where(explicit, settled, _next(there, np.maximum(left + 1, begins), seen))
        again = (printed <= found.latest[begun]) | regional_teller | silent
        before = printed < found.earliest[settled] - SAME_EVENT
        came = found.in_person[at] & (own > found.latest[begun] + VISIT_DAYS)
        now_old = np.where(metropolitan, stays & again & ~came, explicit & before & _other_place(found, at, settled))
        now_returned = metropolitan & stays & ~now_old
        because = np.where(metropolitan, seen, settled)
        same = np.array_equal(now_old, old) and np.array_equal(now_returned, returned)
        old, returned = now_old, now_returned
        if same:
            break
    # an address of the metropole that may be of before or after a settling is of before: it does not bound it
    vague = perhaps & ~old & ~returned & ~silent & (printed < own) & (own > found.earliest[following])
    found.earliest[at[vague]] = found.earliest[following[vague]]
    before_or_after = Aside("old_address", found, at[vague], following[vague])
    _put_where_settled(found, at[old & contact], because[old & contact])
    old &= ~contact
    at, because, metropolitan, regional_teller = (
        values[old] for values in (at, because, metropolitan, regional_teller)
    )
    visit = found.in_person[at]
    late = ~visit & metropolitan & ~regional_teller & (found.earliest[at] > found.latest[because] + grace_days)
    repeated = ~visit & ~late
    aside = np.zeros(len(found), dtype=bool)
    aside[at] = True
    _blank_presences(found, aside)
    rules = (("old_address", repeated), ("possible_return", late), ("possible_visit", visit))
    return [Aside(rule, found, at[flag], because[flag]) for rule, flag in rules], before_or_after


def _first_printed(found: Evidence, at: np.ndarray) -> np.ndarray:
    """
    For the rows at positions, the first day on which the person's town was printed.

    Of the metropole as a whole, the first day on which any address there was.
    """
    theirs = np.zeros(int(found.person.max(initial=-1)) + 1, dtype=bool)
    theirs[found.person[at]] = True
    named = np.flatnonzero(theirs[found.person] & (found.kind != DEPARTURE))
    metropole = found.zone == IN_METROPOLE
    first = found.latest[at].copy()
    for those, place in ((found.town >= 0, found.town), (metropole, np.zeros_like(found.town))):
        printed = named[those[named]]
        keys, begins = np.unique(_packed(found, place, printed), return_index=True)
        asked = np.flatnonzero(those[at] & ((found.town[at] >= 0) == (place is found.town)))
        first[asked] = found.latest[printed[begins[np.searchsorted(keys, _packed(found, place, at[asked]))]]]
    return first


def _packed(found: Evidence, place: np.ndarray, at: np.ndarray) -> np.ndarray:
    return (found.person[at].astype(np.int64) << 32) + place[at]


def _next(flag: np.ndarray, position: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """The first flagged position from each position on; `otherwise` where there is none."""
    flagged = np.flatnonzero(flag)
    place = np.searchsorted(flagged, position)
    return np.where(place < len(flagged), np.append(flagged, -1)[np.minimum(place, len(flagged))], otherwise)


def _other_place(found: Evidence, at: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether two rows name two towns, or two regions."""
    both = (found.town[at] >= 0) & (found.town[other] >= 0)
    towns = both & (found.town[at] != found.town[other])
    regions = (found.region[at] >= 0) & (found.region[other] >= 0) & (found.region[at] != found.region[other])
    return towns | regions


def _put_where_settled(found: Evidence, at: np.ndarray, where: np.ndarray) -> None:
    """Give the rows at positions the places of others, which may be among them; none where −1."""
    place = np.arange(-1, len(found))  # the last row but one is at −1
    place[at + 1] = where
    for _ in range(len(at).bit_length()):  # each round halves the way to who was really placed
        place = place[place + 1]
    where = place[at + 1]
    for values, none in ((found.town, MISSING), (found.region, MISSING), (found.zone, NOWHERE_KNOWN)):
        values[at] = np.where(where >= 0, values[where], none)


def _blank_presences(found: Evidence, aside: np.ndarray) -> None:
    """« Présent » without a known place: present where the person was last said to have settled or been."""
    blank = np.flatnonzero((found.kind == FOLLOW_UP) & found.nowhere())
    says = found.of_kind(ESTABLISHMENT, FOLLOW_UP, SERVICE) & (found.zone != NOWHERE_KNOWN) & ~aside
    _put_where_settled(found, blank, last_before(says, blank, found.person))
