"""Moves: from each spell to the next one of the same person, each of one kind (design.md, « Words »)."""

from __future__ import annotations

import numpy as np

from ..tables import MOVE_KINDS
from .coding import MISSING
from .evidence import IN_METROPOLE, IN_REGION, NOWHERE_KNOWN, OUTSIDE


def number_within(person: np.ndarray) -> np.ndarray:
    """
    The rank, from 1, of each row among those of its person, for rows in order of person.

    Examples
    --------
    >>> number_within(np.array([4, 4, 7])).tolist()
    [1, 2, 1]
    """
    position = np.arange(len(person))
    new = np.ones(len(person), dtype=bool)
    new[1:] = person[1:] != person[:-1]
    return position - np.maximum.accumulate(np.where(new, position, 0)) + 1


def move_kinds(
    origin_region: np.ndarray, origin_zone: np.ndarray, destination_region: np.ndarray, destination_zone: np.ndarray
) -> np.ndarray:
    """
    The kind of each move as its position in `tables.MOVE_KINDS`, from regions and zones as codes.

    Zones are compared before regions: from Sorel-Tracy to Longueuil, both region 16, is a return.

    Examples
    --------
    >>> montérégie, metropole, region = np.array([15, 15]), IN_METROPOLE, IN_REGION
    >>> kinds = move_kinds(montérégie, np.array([metropole, region]), montérégie, np.array([region, metropole]))
    >>> [MOVE_KINDS[kind] for kind in kinds]
    ['secondary', 'return']
    """
    unknown_region = (origin_region == MISSING) | (destination_region == MISSING)
    both_regional = (origin_zone == IN_REGION) & (destination_zone == IN_REGION)
    rules = {
        "undetermined": (origin_zone == NOWHERE_KNOWN)
        | (destination_zone == NOWHERE_KNOWN)
        | (both_regional & unknown_region),
        "out_of_quebec": destination_zone == OUTSIDE,
        "arrival": origin_zone == OUTSIDE,
        "secondary": (origin_zone == IN_METROPOLE) & (destination_zone == IN_REGION),
        "return": (origin_zone == IN_REGION) & (destination_zone == IN_METROPOLE),
        "onward": both_regional & (origin_region != destination_region),
    }
    return np.select(list(rules.values()), [MOVE_KINDS.index(kind) for kind in rules], MOVE_KINDS.index("within"))


def moves_of(spells: dict[str, np.ndarray], moving_spells: np.ndarray) -> dict[str, np.ndarray]:
    """
    The columns of the table `moves`, from spells as codes; kinds are codes as well, positions in `tables.MOVE_KINDS`.

    Parameters
    ----------
    spells : dict of arrays
        person_id, municipality, region, zone as codes; end_earliest and end_latest as days; in order.
    moving_spells : ndarray of int
        The positions of the spells that ended in the next one.
    """
    sides = {"origin": moving_spells, "destination": moving_spells + 1}
    columns = {
        f"{side}_{name}": spells[name][at] for side, at in sides.items() for name in ("municipality", "region", "zone")
    }
    person = spells["person_id"][moving_spells]
    kind = move_kinds(*(columns[f"{side}_{name}"] for side in sides for name in ("region", "zone")))
    return {
        **columns,
        "person_id": person,
        "move": number_within(person),
        "kind": kind.astype(np.int8),
        "earliest": spells["end_earliest"][moving_spells],
        "latest": spells["end_latest"][moving_spells],
    }
