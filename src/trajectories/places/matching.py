"""From what was typed to a municipality, a region and a zone, saying how it was known.

Order of evidence (deposit-schema.md, « Places »): the name, exact then with a typing slip; where it does not settle,
the qualifier typed with it, the row's own municipal code, then its postal code, which only breaks ties between
homonyms. The region of the organisation is no evidence. All work is on unique values.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from ..tables import OUTSIDE_QUEBEC, UNKNOWN
from .lexicon import lexicon
from .naming import BLANK, Found, by_words, coded
from .slips import by_slips
from .spelling import spell
from .territory import check_perimeter, read_reference, reference_municipalities, region_zones, zones

_COLUMNS = ("code", "region", "zone", "match", "candidates")


def find_places(values, *, codes=None, postal_codes=None, perimeter: str = "RMR-2021") -> pd.DataFrame:
    """
    Find the municipality, region and zone of typed places.

    Parameters
    ----------
    values : array-like of str, shape (n,)
        What was typed in a municipality column; None and blank are missing.
    codes, postal_codes : array-like of str, shape (n,), optional
        The municipal code and the postal code typed on the same row for the same place.
    perimeter : {"RMR-2021", "RMR-2016", "CMM"}

    Returns
    -------
    DataFrame, n rows in the order given
        value, code (5 digits or None), region (2 digits or None), zone (`tables.ZONES`), match (`tables.MATCHES`; None
        where nothing was typed), candidates (codes joined by ";" where the name is ambiguous or too far from a known
        one to be taken for it, else None). Provinces and countries have zone `outside_quebec` and match `area_only`.

    Raises
    ------
    ValueError
        The perimeter is unknown, or the arrays are not of one length.

    Examples
    --------
    >>> found = find_places(["ST-JEAN S/ RICHELIEU", "Sherboroke", "Saint-Lambert", "Montérégie"])
    >>> found[["code", "zone", "match"]].values.tolist()
    [['56083', 'metropole', 'exact'], ['43027', 'region', 'fuzzy'],
     [None, 'unknown', 'ambiguous'], [None, 'unknown', 'area_only']]
    """
    check_perimeter(perimeter)
    typed = _texts(values, "values")
    columns = [typed]
    for name, given in (("codes", codes), ("postal_codes", postal_codes)):
        columns.append(np.full(len(typed), None, dtype=object) if given is None else _texts(given, name))
        if len(columns[-1]) != len(typed):
            raise ValueError(f"{name} has {len(columns[-1])} value(s) for {len(typed)} place(s): one each is needed.")
    # one number a distinct (value, code, postal code): everything below is done once for each
    unique: dict[tuple, int] = {}
    position = np.fromiter((unique.setdefault(key, len(unique)) for key in zip(*columns, strict=True)), np.int64)
    resolved = _as_columns(found_of([tuple(map(_text, key)) for key in unique]), perimeter)
    found = {"value": typed}
    for name, column in zip(_COLUMNS, resolved, strict=True):
        found[name] = column[position]
    return pd.DataFrame(found)


def found_of(triples: list[tuple[str, str, str]]) -> list[Found]:
    """What is known of each (typed place, municipal code, postal code)."""
    names: dict[str, Found] = {}
    unsettled = {}
    for typed, _, _ in triples:
        if typed in names or typed in unsettled:
            continue
        if not typed:
            names[typed] = BLANK
            continue
        spelling = spell(typed)
        if (found := by_words(spelling, typed)) is None:
            unsettled[typed] = spelling
        else:
            names[typed] = found
    names.update(zip(unsettled, by_slips(list(unsettled.values())), strict=True))
    return [
        found if (found := names[typed]).code else _by_other_evidence(found, typed, code, postal)
        for typed, code, postal in triples
    ]


def one_place(
    typed: str, code: str | None, postal_code: str | None, perimeter: str
) -> tuple[Found, str | None, str | None]:
    """What is known of one typed place, with its region and zone."""
    check_perimeter(perimeter)
    found = found_of([(_text(typed), _text(code), _text(postal_code))])
    _, region, zone, _, _ = _as_columns(found, perimeter)
    return found[0], region[0], zone[0]


def _texts(values, name: str) -> np.ndarray:
    array = np.asarray(values, dtype=object)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {array.ndim}.")
    return np.where(pd.isna(array), None, array)


def _text(value) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _as_columns(rows: list[Found], perimeter: str) -> list[np.ndarray]:
    """Code, region, zone, match and candidates of each, as columns."""
    names, by_region = lexicon(), region_zones(perimeter)
    code, region, zone, match = (_column([row[field] for row in rows]) for field in range(4))
    settled = code != None  # noqa: E711
    zone[settled] = zones(code[settled], perimeter)
    region[settled] = [names.regions[c] for c in code[settled]]
    joined = np.full(len(rows), None, dtype=object)
    for i in np.flatnonzero(~settled):
        candidates = rows[i].candidates
        if candidates:
            joined[i] = ";".join(candidates)
        if match[i] == "ambiguous":  # what all candidates agree on is known
            zone[i] = _if_one(zones(candidates, perimeter)) or UNKNOWN
            region[i] = _if_one(names.regions[c] for c in candidates)
        elif region[i] and zone[i] == UNKNOWN:  # the region's, where it lies whole on one side
            zone[i] = by_region.get(region[i], UNKNOWN)
    return [code, region, zone, match, joined]


def _column(values: list) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _if_one(values) -> str | None:
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _by_other_evidence(found: Found, typed: str, code: str, postal: str) -> Found:
    """What the row's own code, then its postal code, add to a name that does not settle."""
    candidates = found.candidates
    if code and found.zone != OUTSIDE_QUEBEC:
        own = coded(code)
        if own and found.why == "postal_typed" and not _by_postal_code((own.code,), _area_of(typed), unknown=True):
            return found  # a postal code in the place's column and a municipal code from elsewhere
        if own and (found.match != "ambiguous" or own.code in candidates):
            return own._replace(slip=found.slip)
    if found.match == "ambiguous" and found.why != "slip_unclear" and postal:
        left = _by_postal_code(candidates, _area_of(postal))
        if len(left) == 1:
            return Found(left[0], None, UNKNOWN, "postal", (), "postal", found.slip)
    return found


@functools.cache
def _postal_areas() -> dict[str, tuple[frozenset[str], str]]:
    table = read_reference("fsa")
    return {row.fsa: (frozenset(row.regions_all.split("/")), row.cmm) for row in table.itertuples(index=False)}


def _area_of(postal: str) -> str:
    return postal.strip(" ([{")[:3].upper()


def _by_postal_code(candidates: tuple[str, ...], area: str, unknown: bool = False) -> tuple[str, ...]:
    """The candidates that the first half of a postal code fits; all of them if `unknown` and the half is not known."""
    if area not in _postal_areas():
        return candidates if unknown else ()
    regions, cmm = _postal_areas()[area]
    table = reference_municipalities().loc[list(candidates)]
    fits = table["region_code"].isin(regions) & ((table["cmm"] == cmm) | (cmm == "mixed"))
    return tuple(table.index[fits])
