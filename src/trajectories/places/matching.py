"""From what was typed to a municipality, a region and a zone, saying how it was known.

Order of evidence (deposit-schema.md, « Places »): the name; where it does not settle, the qualifier typed with it, the
row's own municipal code, then its postal code, which only breaks ties between homonyms. The region of the organisation
is no evidence. All work is on unique values.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from ..tables import OUTSIDE_QUEBEC, UNKNOWN
from .lexicon import Lexicon, lexicon
from .outside import outside_words, unknown_words
from .spelling import key_of, spell, trimmed, without_articles
from .territory import check_perimeter, read_reference, reference_municipalities, region_zones, zones

_COLUMNS = ("code", "region", "zone", "match", "candidates")
_NOTHING = (None, None, UNKNOWN, "none", ())


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
        where nothing was typed), candidates (codes joined by ";" where the name is ambiguous, else None). Provinces and
        countries have zone `outside_quebec` and match `area_only`.

    Raises
    ------
    ValueError
        The perimeter is unknown, or the arrays are not of one length.

    Examples
    --------
    >>> found = find_places(["ST-JEAN S/ RICHELIEU", "Saint-Lambert", "Montérégie"])
    >>> found[["code", "zone", "match"]].values.tolist()
    [['56083', 'metropole', 'exact'], [None, 'unknown', 'ambiguous'], [None, 'unknown', 'area_only']]
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
    resolved = _resolve(list(unique), perimeter)
    found = {"value": typed}
    for name, column in zip(_COLUMNS, resolved, strict=True):
        found[name] = column[position]
    return pd.DataFrame(found)


def _texts(values, name: str) -> np.ndarray:
    array = np.asarray(values, dtype=object)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {array.ndim}.")
    return np.where(pd.isna(array), None, array)


def _resolve(unique: list[tuple], perimeter: str) -> list[np.ndarray]:
    names = lexicon()
    by_region = region_zones(perimeter)
    rows = []
    for value, code, postal in unique:
        found = _by_name(_text(value))
        if found[3] in ("ambiguous", "area_only", "none", None):
            found = _by_other_evidence(found, _text(code), _text(postal), names)
        rows.append(found)
    code, region, zone, match, candidates = (_column(rows, field) for field in range(5))
    region = np.array([names.regions[c] if c else r for c, r in zip(code, region, strict=True)], dtype=object)
    # zones: of the municipality; of the region where it lies whole on one side; of all candidates where they agree
    from_code = zones(code, perimeter)
    zone = np.array([
        z if z != UNKNOWN else by_region.get(r, UNKNOWN) if r and not c else z
        for z, r, c in zip(np.where((zone == UNKNOWN) | (code != None), from_code, zone), region, code, strict=True)  # noqa: E711
    ], dtype=object)  # fmt: skip
    undecided = np.flatnonzero([bool(c) for c in candidates])
    for i in undecided:
        sides = set(zones(candidates[i], perimeter))
        zone[i] = sides.pop() if len(sides) == 1 else UNKNOWN
        within = {names.regions[c] for c in candidates[i]}
        region[i] = within.pop() if len(within) == 1 else None
    joined = np.array([";".join(c) if c else None for c in candidates], dtype=object)
    return [code, region, zone, match, joined]


def _column(rows: list[tuple], field: int) -> np.ndarray:
    column = np.empty(len(rows), dtype=object)
    column[:] = [row[field] for row in rows]
    return column


def _text(value) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _by_name(typed: str) -> tuple:
    """(code, region, zone, match, candidates) from the words alone."""
    if not typed:
        return (None, None, None, None, ())
    names = lexicon()
    spelling = spell(typed)
    if not spelling.key:
        return _NOTHING
    if "(" in typed and (whole := names.aliases.get(key_of(typed))):
        if not spelling.qualifiers:  # « (Québec) » may be the town that a quarter lies in, or the province
            whole = tuple(sorted({*whole, *names.official.get(spelling.key, ())}))
        return _settled(whole, "alias", (), names)  # « Le Plateau (Gatineau) » is one name
    if (found := _in_lexicon(spelling.key, "", spelling.qualifiers, names)) is not None:
        return found
    key, sort = trimmed(spelling.key)
    if key != spelling.key and (found := _in_lexicon(key, sort, spelling.qualifiers, names)) is not None:
        return found
    if spelling.key.isdigit() and 4 <= len(spelling.key) <= 5:
        return _coded(spelling.key, names) or _NOTHING
    for key in (spelling.key, *spelling.qualifiers):
        if key in unknown_words():
            return _NOTHING
        if key in outside_words():
            return (None, None, OUTSIDE_QUEBEC, "area_only", ())
    # Typing slips are looked for here (issue 3: rapidfuzz, with a margin to the second-best); until then, not found.
    return _NOTHING


def _in_lexicon(key: str, sort: str, qualifiers: tuple[str, ...], names: Lexicon) -> tuple | None:
    """What the lexicon says of a key; `sort` is « area » or « borough » where the typed words said so."""
    if sort == "borough" and key in names.boroughs:
        return _settled(names.boroughs[key], "alias", qualifiers, names)
    if sort == "area" and (region := _area(key, names)):
        return (None, region, UNKNOWN, "area_only", ())
    if key in names.aliases:
        return _settled(names.aliases[key], "alias", qualifiers, names)
    if key in names.official:
        return _settled(names.official[key], "exact", qualifiers, names)
    if key in names.areas:
        return (None, names.areas[key], UNKNOWN, "area_only", ())
    bare = without_articles(key)
    if bare in names.bare:
        return _settled(names.bare[bare], "alias", qualifiers, names)
    if bare in names.mrc:
        return (None, _common_region(names.mrc[bare], names), UNKNOWN, "area_only", ())
    if key in names.prefixes:
        found = _settled(names.prefixes[key], "alias", qualifiers, names)
        # the beginning of one longer name alone is a hint, no more
        return found if qualifiers and found[0] else (None, None, UNKNOWN, "ambiguous", names.prefixes[key])
    return None


def _area(key: str, names: Lexicon) -> str | None:
    bare = without_articles(key)
    return names.areas.get(key) or (_common_region(names.mrc[bare], names) if bare in names.mrc else None)


def _common_region(codes: frozenset[str], names: Lexicon) -> str | None:
    within = {names.regions[code] for code in codes}
    return within.pop() if len(within) == 1 else None


def _settled(codes: tuple[str, ...], match: str, qualifiers: tuple[str, ...], names: Lexicon) -> tuple:
    """One code, or homonyms settled by a qualifier (a region, an MRC, a designation, a code), or ambiguous."""
    if len(codes) == 1:
        others = _contradicting(codes[0], qualifiers, names)
        return (None, None, UNKNOWN, "ambiguous", others) if others else (codes[0], None, UNKNOWN, match, ())
    for qualifier in qualifiers:
        left = _qualified(codes, qualifier, names)
        if len(left) == 1:
            return (left[0], None, UNKNOWN, match, ())
        codes = left or codes
    return (None, None, UNKNOWN, "ambiguous", codes)


def _contradicting(code: str, qualifiers: tuple[str, ...], names: Lexicon) -> tuple[str, ...]:
    """The code and the municipality a qualifier names, where the two are not of one place; nothing where they agree."""
    for qualifier in qualifiers:
        named = names.official.get(qualifier, ()) or names.aliases.get(qualifier, ())
        if named and not _qualified((code,), qualifier, names):
            return tuple(sorted({code, *named}))
    return ()


def _qualified(codes: tuple[str, ...], qualifier: str, names: Lexicon) -> tuple[str, ...]:
    if qualifier in codes:
        return (qualifier,)
    bare = without_articles(qualifier)
    for group in (
        names.designations.get(qualifier), names.mrc.get(qualifier), names.mrc.get(bare), names.towns.get(qualifier)
    ):  # fmt: skip
        if group and (left := tuple(code for code in codes if code in group)):
            return left
    region = names.areas.get(qualifier)
    near = names.official.get(qualifier, ()) or names.aliases.get(qualifier, ())
    if set(near) & set(codes):
        return tuple(code for code in codes if code in near)
    return tuple(code for code in codes if region and names.regions[code] == region)


def _coded(code: str, names: Lexicon) -> tuple | None:
    """The municipality of a typed code (Excel drops the leading zero)."""
    digits = code.removesuffix(".0").replace(" ", "")
    if digits.isascii() and digits.isdigit() and 4 <= len(digits) <= 5 and digits.zfill(5) in names.regions:
        return (digits.zfill(5), None, UNKNOWN, "code", ())
    return None


def _by_other_evidence(found: tuple, code: str, postal: str, names: Lexicon) -> tuple:
    """What the row's own code, then its postal code, add to a name that does not settle."""
    outside = found[2] == OUTSIDE_QUEBEC
    candidates = found[4]
    if code and not outside:
        coded = _coded(code, names)
        if coded and (not candidates or coded[0] in candidates):
            return coded
    if candidates and postal:
        left = _by_postal_code(candidates, postal[:3].upper())
        if len(left) == 1:
            return (left[0], None, UNKNOWN, "postal", ())
    return found


@functools.cache
def _postal_areas() -> dict[str, tuple[frozenset[str], str]]:
    table = read_reference("fsa")
    return {row.fsa: (frozenset(row.regions_all.split("/")), row.cmm) for row in table.itertuples(index=False)}


def _by_postal_code(candidates: tuple[str, ...], area: str) -> tuple[str, ...]:
    if area not in _postal_areas():
        return ()
    regions, cmm = _postal_areas()[area]
    table = reference_municipalities().loc[list(candidates)]
    fits = table["region_code"].isin(regions) & ((table["cmm"] == cmm) | (cmm == "mixed"))
    return tuple(table.index[fits])
