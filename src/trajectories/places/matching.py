"""Typed places → municipality, region and zone, with the kind of match.

Order of evidence (deposit-schema.md, « Places »): the name, exact then with a typing slip; where it does not decide,
the qualifier typed with it, the row's own municipal code, then its postal code, which only breaks ties between
homonyms. The region of the organisation is not used. All work is on unique values.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..tables import OUTSIDE_QUEBEC, UNKNOWN
from .lexicon import lexicon
from .spelling import SMALL_WORDS, Spelling, joined, key_of, spell, trimmed, without_articles
from .territory import check_perimeter, read_reference, reference_municipalities, region_zones, same_side, zones

# ----------------------------------------------------------------------------------------------------
# Words for places outside Québec, and for « unknown », as partners type them for a destination.

_PHRASES = (
    "hors Québec", "hors du Québec", "à l'extérieur du Québec", "extérieur du Québec", "extérieur Québec",
    "autre province", "une autre province", "dans une autre province", "hors province", "hors de la province",
    "hors du pays", "hors pays", "hors Canada", "hors du Canada",
    "à l'étranger", "étranger",
    "l'étranger", "autre pays", "pays d'origine", "retour au pays", "retour dans son pays", "retour au pays d'origine",
    "outside Quebec", "out of province", "abroad", "Canada", "Canada anglais", "ailleurs au Canada",
    "reste du Canada", "rest of Canada", "ROC", "Ouest canadien", "Maritimes", "provinces maritimes", "Europe",
    "Afrique", "Asie",
)  # fmt: skip
_PROVINCES = (
    "Ontario", "ON", "Ont.", "Nouveau-Brunswick", "NB", "N.-B.", "New Brunswick", "Nouvelle-Écosse", "NS", "N.-É.",
    "Nova Scotia", "Île-du-Prince-Édouard", "ÎPÉ", "IPE", "PEI", "Prince Edward Island", "Terre-Neuve",
    "Terre-Neuve-et-Labrador", "Newfoundland", "Manitoba", "MB", "Saskatchewan", "SK", "Alberta",
    "AB", "Colombie-Britannique", "C.-B.", "CB", "BC", "British Columbia", "Yukon", "Nunavut",
    "Territoires du Nord-Ouest", "TNO", "Toronto", "Ottawa", "Vancouver", "Calgary",
    "Edmonton", "Winnipeg", "Moncton", "Halifax", "Mississauga",
)  # fmt: skip
_COUNTRIES = (
    "États-Unis", "USA", "É.-U.", "US", "États-Unis d'Amérique", "RDC", "Congo", "République démocratique du Congo",
    "République du Congo", "Congo (RDC)", "Royaume-Uni", "Angleterre", "République centrafricaine", "Cap-Vert",
    "Birmanie", "Viet Nam", "Vietnam", "République dominicaine", "Corée", "République tchèque", "Moldavie",
    "Fédération de Russie",
)  # fmt: skip
_UNKNOWN = (
    "inconnu", "inconnue", "destination inconnue", "ne sait pas", "NSP", "non connu", "non connue", "non précisé",
    "non précisée", "indéterminé", "indéterminée", "à déterminer", "aucune information", "sans nouvelle",
    "sans nouvelles", "unknown", "?", "n/d", "ND", "n.d.", "N/A", "NA", "-", "s.o.", "sans objet", "non disponible",
)  # fmt: skip


@functools.cache
def outside_words() -> frozenset[str]:
    """Keys that mean « outside Québec »: phrases, provinces, large cities, every country (Babel, fr and en)."""
    from babel import Locale

    countries = [
        name
        for language in ("fr", "en")
        for code, name in Locale(language).territories.items()
        if len(code) == 2 and code.isalpha() and code != "CA"
    ]
    return frozenset(filter(None, map(key_of, (*_PHRASES, *_PROVINCES, *_COUNTRIES, *countries))))


@functools.cache
def unknown_words() -> frozenset[str]:
    """Keys of the words that mean « unknown »."""
    return frozenset(map(key_of, _UNKNOWN))


# ----------------------------------------------------------------------------------------------------
# Typed words → municipality, area or place outside Québec, by exact names alone.
#
# Order of evidence (deposit-schema.md, « Places »): the name, then the qualifier typed with it. A name of several codes
# is `ambiguous`, with these as candidates; a regional word is `area_only`. Typing slips: `by_slips`.


class Slip(NamedTuple):
    """A name reached by a typing slip: its key, the number of keystrokes, and the nearest other name (None: far)."""

    key: str
    distance: int
    second: str | None
    second_distance: int | None


class PlaceMatch(NamedTuple):
    """The match of one typed place; `why` is a stable word, a key of `explanation.REASONS`."""

    code: str | None = None
    region: str | None = None
    zone: str | None = UNKNOWN
    match: str | None = "none"
    candidates: tuple[str, ...] = ()
    why: str = "not_found"
    slip: Slip | None = None


BLANK = PlaceMatch(None, None, None, None, (), "blank")
NOT_FOUND = PlaceMatch()


def by_words(spelling: Spelling, typed: str) -> PlaceMatch | None:
    """The match by exact words; None where no name is known, so that a slip may be looked for."""
    if not spelling.key:
        return PlaceMatch(why="postal_typed" if spelling.postal else "not_found")
    names = lexicon()
    if spelling.bracketed and (codes := names.aliases.get(key_of(typed))):
        if not spelling.qualifiers:  # « (Québec) » may be the city of a neighbourhood, or the province
            codes = tuple(sorted({*codes, *names.official.get(spelling.key, ())}))
        return _settled(codes, "alias", (), "alias")  # « Le Plateau (Gatineau) » is one name
    key, sort, designation = trimmed(spelling.key)
    if (place := in_lexicon(spelling.key, "", spelling.qualifiers)) is not None:
        return place
    if key != spelling.key and (place := in_lexicon(key, sort, spelling.qualifiers, designation)) is not None:
        return place
    if spelling.key.isdigit() and 4 <= len(spelling.key) <= 5:
        place = coded(spelling.key)
        return place._replace(why="code_typed") if place else NOT_FOUND
    for word in (spelling.key, key, *spelling.qualifiers):
        if (place := not_in_quebec(word)) is not None:
            return place
    for word in (key.replace(" ", ""), joined(key)):
        # « Troisrivieres », « St-Jean Richelieu »: fewer words; the same number split elsewhere (Lac Roche) is a slip
        if (joined_key := names.joined.get(word)) and joined_key.count(" ") > key.count(" "):
            return in_lexicon(joined_key, sort, spelling.qualifiers, designation)
    return _two_names(key)


def not_in_quebec(key: str) -> PlaceMatch | None:
    """The match of a word that means « unknown », or of a place outside Québec; None for any other."""
    if key in unknown_words():
        return PlaceMatch(why="unknown_word")
    if key in outside_words():
        return PlaceMatch(None, None, OUTSIDE_QUEBEC, "area_only", (), "outside")
    return None


def in_lexicon(key: str, sort: str = "", qualifiers: tuple[str, ...] = (), designation: str = "") -> PlaceMatch | None:
    """The match of a key in the lexicon; `sort` is « area » or « borough » where that was typed with it."""
    names = lexicon()
    if sort == "borough" and key in names.boroughs:
        return _settled(names.boroughs[key], "alias", qualifiers, "borough")
    if sort == "area" and (key in names.areas or without_articles(key) in names.mrc):
        return PlaceMatch(None, _area(key), UNKNOWN, "area_only", (), "area")
    if sort == "area" and (key in names.official or key in names.aliases):
        return PlaceMatch(None, None, UNKNOWN, "area_only", (), "area")  # « région de Sherbrooke » is not the town
    if key in names.aliases:
        return _settled(names.aliases[key], "alias", qualifiers, "alias", designation)
    if key in names.official:
        return _settled(names.official[key], "exact", qualifiers, "official", designation)
    if key in names.areas:
        return PlaceMatch(None, names.areas[key], UNKNOWN, "area_only", (), "area")
    bare = without_articles(key)
    if bare in names.bare and key not in outside_words():  # « Guadeloupe » is not La Guadeloupe
        return _settled(names.bare[bare], "alias", qualifiers, "article", designation)
    if bare in names.mrc:
        return PlaceMatch(None, _common_region(names.mrc[bare]), UNKNOWN, "area_only", (), "area")
    if key in names.prefixes:
        place = _settled(names.prefixes[key], "alias", qualifiers, "prefix")
        # the beginning of a longer name decides only together with a qualifier
        if qualifiers and place.code:
            return place
        return PlaceMatch(match="ambiguous", candidates=names.prefixes[key], why="prefix")
    return None


def coded(code: str) -> PlaceMatch | None:
    """The municipality of a typed code (Excel drops the leading zero)."""
    digits = code.removesuffix(".0").replace(" ", "")
    if digits.isascii() and digits.isdigit() and 4 <= len(digits) <= 5 and digits.zfill(5) in lexicon().regions:
        return PlaceMatch(digits.zfill(5), None, UNKNOWN, "code", (), "code")
    return None


@functools.cache
def answer(key: str) -> PlaceMatch:
    """The match of one known key, without qualifiers."""
    return in_lexicon(key) or not_in_quebec(key) or NOT_FOUND


def _area(key: str) -> str | None:
    names, bare = lexicon(), without_articles(key)
    return names.areas.get(key) or (_common_region(names.mrc[bare]) if bare in names.mrc else None)


def _common_region(codes: frozenset[str]) -> str | None:
    within = {lexicon().regions[code] for code in codes}
    return within.pop() if len(within) == 1 else None


def _two_names(key: str) -> PlaceMatch | None:
    """« Gatineau secteur Hull », « Montréal-Rosemont »: two names of one municipality."""
    words = [word for word in key.split() if word not in ("secteur", "arrondissement", "quartier", "arr")]
    names = lexicon()
    for cut in range(1, len(words)):
        left, right = " ".join(words[:cut]), " ".join(words[cut:])
        codes = names.official.get(left) or names.aliases.get(left)
        if codes and len(codes) == 1 and codes == (names.aliases.get(right) or names.official.get(right)):
            return PlaceMatch(codes[0], None, UNKNOWN, "alias", (), "two_names")
    return None


def _settled(
    codes: tuple[str, ...], match: str, qualifiers: tuple[str, ...], why: str, designation: str = ""
) -> PlaceMatch:
    """The match of codes: one code, or homonyms that a qualifier decides (region, MRC, designation, code), or none."""
    if len(codes) == 1:
        others = _contradicting(codes[0], qualifiers) if qualifiers else ()
        if others:
            return PlaceMatch(match="ambiguous", candidates=others, why="contradiction")
        return PlaceMatch(codes[0], None, UNKNOWN, match, (), why)
    for qualifier in qualifiers:
        remaining = qualified(codes, qualifier)
        if len(remaining) == 1:
            return PlaceMatch(remaining[0], None, UNKNOWN, match, (), "qualifier")
        codes = remaining or codes
    if designation and same_side(codes):
        # « Paroisse de Senneterre » is not the town; across zones the word is too loosely used to be followed
        remaining = tuple(code for code in codes if code in lexicon().designations.get(designation, ()))
        if len(remaining) == 1:
            return PlaceMatch(remaining[0], None, UNKNOWN, match, (), "qualifier")
    return PlaceMatch(match="ambiguous", candidates=codes, why="homonym")


def _contradicting(code: str, qualifiers: tuple[str, ...]) -> tuple[str, ...]:
    """The code and the municipalities that a contradicting qualifier names; empty where they agree."""
    names = lexicon()
    for qualifier in qualifiers:
        named = names.official.get(qualifier, ()) or names.aliases.get(qualifier, ())
        if named and not qualified((code,), qualifier):
            return tuple(sorted({code, *named}))
    return ()


def qualified(codes: tuple[str, ...], qualifier: str) -> tuple[str, ...]:
    """The codes that a qualifier fits."""
    if qualifier in codes:
        return (qualifier,)
    names, bare = lexicon(), without_articles(qualifier)
    for group in (
        names.designations.get(qualifier),
        names.mrc.get(qualifier),
        names.mrc.get(bare),
        names.towns.get(qualifier),
    ):
        if group and (fitting := tuple(code for code in codes if code in group)):
            return fitting
    named = names.official.get(qualifier, ()) or names.aliases.get(qualifier, ())
    if set(named) & set(codes):
        return tuple(code for code in codes if code in named)
    region = names.areas.get(qualifier)
    return tuple(code for code in codes if region and region in (names.regions[code], names.former_regions.get(code)))


# ----------------------------------------------------------------------------------------------------
# Typing slips: the only known name within a few keystrokes of the typed text, or none.
#
# Keystrokes are counted by the optimal string alignment distance (Damerau 1964: one letter left out, added, replaced,
# or swapped with the next). The number allowed grows with the distinctive letters of a name (without « Saint », « Lac »
# and articles), and a short name must keep its first letter, which slips seldom change (Yannakoudakis and Fawthrop
# 1983). A name is chosen only with a margin to the second-best, wider where the two are on different sides of any of
# the three perimeters. Otherwise the candidates are kept and none is chosen. The figures are in `benchmarks/places.py`.

# (bound, keystrokes): the keystrokes allowed for fewer distinctive letters than the bound, first match.
_ALLOWED = ((4, 0), (9, 1), (14, 2))
_MOST = 3
_SHORTEST = 5  # letters in all: « Gore », « Alma » and « Lévis » are a keystroke away from too many words
_KEEPS_FIRST = 12  # names of fewer letters keep their first one
# The second-best must be this many keystrokes farther than the best: on the same side, and on different sides.
MARGIN = 2
MARGIN_ACROSS = 3
_COMMON = frozenset(("saint", "sainte", "saints", "saintes", "st", "ste", "notre", "dame", "mont", "lac", "riviere"))
_CHUNK = 4096


class _Index(NamedTuple):
    texts: list[str]  # by length
    keys: list[str]
    lengths: list[int]


@functools.cache
def _index() -> _Index:
    """Every known name, « saint » abbreviated too: « Sy Thomas » is one keystroke from « St Thomas »."""
    names = lexicon()
    known = {*names.official, *names.aliases, *names.boroughs, *names.bare, *names.prefixes, *names.mrc, *names.areas}
    known |= outside_words() | unknown_words()
    known.discard("")
    texts = {key: key for key in known if not any(letter.isdigit() for letter in key)}
    for key in known:
        first, _, rest = key.partition(" ")
        if rest and first in ("saint", "sainte"):
            texts.setdefault(("st " if first == "saint" else "ste ") + rest, key)
    ordered = sorted(texts, key=lambda text: (len(text), text))
    return _Index(ordered, [texts[text] for text in ordered], [len(text) for text in ordered])


@functools.cache
def allowed(key: str) -> int:
    """
    Keystrokes within which a known name is recognised.

    Examples
    --------
    >>> [allowed(key) for key in ("gore", "laval", "saint paul", "trois rivieres", "saint jean sur richelieu")]
    [0, 1, 1, 2, 2]
    """
    words = key.split()
    letters = sum(len(word) for word in words if word not in _COMMON and word not in SMALL_WORDS)
    if sum(map(len, words)) < _SHORTEST or not letters:
        return 0
    return next((number for bound, number in _ALLOWED if letters < bound), _MOST)


def near_names(keys: list[str]) -> list[list[tuple[int, str]]]:
    """Per key, the known names at most `MARGIN_ACROSS` − 1 keystrokes farther than the nearest, nearest first."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    index = _index()
    cutoff = _MOST + MARGIN_ACROSS - 1
    near_by_key: list[list[tuple[int, str]]] = [[] for _ in keys]
    order = sorted((i for i, key in enumerate(keys) if key), key=lambda i: len(keys[i]))
    start = 0
    while start < len(order):
        # one chunk: keys of one length, compared with the names whose length differs by at most the cut-off
        length = len(keys[order[start]])
        stop = start
        while stop < len(order) and stop - start < _CHUNK and len(keys[order[stop]]) == length:
            stop += 1
        first, last = (bisect_left(index.lengths, bound) for bound in (length - cutoff, length + cutoff + 1))
        chunk, start = order[start:stop], stop
        if first == last:
            continue
        distances = process.cdist(
            [keys[i] for i in chunk], index.texts[first:last], scorer=OSA.distance, score_cutoff=cutoff, dtype=np.uint8
        )
        best = distances.min(axis=1)
        near = (distances <= np.minimum(best + MARGIN_ACROSS - 1, cutoff)[:, None]) & (best <= _MOST)[:, None]
        rows, columns = np.nonzero(near)
        for row, column, distance in zip(
            rows.tolist(), columns.tolist(), distances[rows, columns].tolist(), strict=True
        ):
            near_by_key[chunk[row]].append((distance, index.keys[first + column]))
    for names in near_by_key:
        names.sort()
    return near_by_key


def by_slips(spellings: list[Spelling]) -> list[PlaceMatch]:
    """The match of each typed place as a known name with a slip: as typed, else without « ville de », « QC »."""
    parts = [trimmed(spelling.key) for spelling in spellings]
    untrimmed = [
        spelling.key if spelling.key != key else "" for spelling, (key, _, _) in zip(spellings, parts, strict=True)
    ]
    typed_keys = untrimmed + [key for key, _, _ in parts]
    near = near_names([key if any(map(str.isalpha, key)) else "" for key in typed_keys])
    places = []
    for i, (spelling, (key, sort, _)) in enumerate(zip(spellings, parts, strict=True)):
        first = decide(untrimmed[i], "", spelling.qualifiers, near[i]) if near[i] else NOT_FOUND
        if first.match == "none" and first.why != "slip_unknown_word" and (near_trimmed := near[len(spellings) + i]):
            second = decide(key, sort, spelling.qualifiers, near_trimmed)
            first = second if second.match != "none" or not first.candidates else first
        places.append(first)
    return places


def decide(typed: str, sort: str, qualifiers: tuple[str, ...], near: list[tuple[int, str]]) -> PlaceMatch:
    """The nearest name if it is near enough and has no rival; otherwise the candidates."""
    slipped = next(((distance, key) for distance, key in near if _is_slip(typed, distance, key)), None)
    if slipped is None:
        hints = [(distance, key) for distance, key in near if distance <= allowed(key) + 1]
        if not hints:
            return NOT_FOUND
        nearest = [answer(key) for distance, key in hints if distance == hints[0][0]]
        codes = tuple(sorted({code for place in nearest for code in _codes(place)}))
        return PlaceMatch(candidates=codes, why="slip_too_far", slip=Slip(hints[0][1], hints[0][0], None, None))
    distance, key = slipped
    best = _meant(key, sort, qualifiers)
    rivals = [(far, name, rival) for far, name in near if name != key and not _same(rival := answer(name), best)]
    second = rivals[0] if rivals else None
    slip = Slip(key, distance, second[1] if second else None, second[0] if second else None)
    candidates = _codes(best)
    close = [rival for far, name, rival in rivals if _is_rival(typed, best, distance, rival, far, name)]
    if close:
        codes = tuple(sorted({code for rival in (best, *close) for code in _codes(rival)}))
        settled = [code for code in codes if qualifiers and all(qualified((code,), word) for word in qualifiers)]
        if len(settled) == 1 and all(rival.match in ("exact", "alias", "ambiguous") for rival in (best, *close)):
            return PlaceMatch(settled[0], None, UNKNOWN, "fuzzy", (), "slip_qualifier", slip)
        # a postal code may break the tie between municipalities, not between one and a regional word
        reason = "slip_rivals" if all(map(_codes, (best, *close))) else "slip_unclear"
        return PlaceMatch(match="ambiguous" if codes else "none", candidates=codes, why=reason, slip=slip)
    if best.code is None:
        return best._replace(why=f"slip_{best.why}", slip=slip)
    if any(_elsewhere(best.code, word) for word in qualifiers):
        return PlaceMatch(match="ambiguous", candidates=candidates, why="contradiction", slip=slip)
    return best._replace(match="fuzzy", why="slip", slip=slip)


def _meant(key: str, sort: str, qualifiers: tuple[str, ...]) -> PlaceMatch:
    if not sort and not qualifiers:
        return answer(key)
    return in_lexicon(key, sort, qualifiers) or not_in_quebec(key) or NOT_FOUND


def _is_slip(typed: str, distance: int, key: str) -> bool:
    """Whether a name is near enough to the typed text."""
    kept = typed[0] == key[0] or len(key.replace(" ", "")) >= _KEEPS_FIRST
    return kept and distance <= allowed(key)


def _is_rival(typed: str, best: PlaceMatch, distance: int, rival: PlaceMatch, far: int, name: str) -> bool:
    """Whether another name is too near for the best one to be chosen."""
    far += typed[0] != name[0]  # the first letter is seldom the one that slips
    if far < distance + MARGIN:  # countries and regions are many and seldom meant: no further keystroke for them
        return far <= (allowed(name) + 1 if _codes(rival) else max(allowed(name), 1))
    return far < distance + MARGIN_ACROSS and far <= allowed(name) and not _one_side(best, rival)


def _codes(place: PlaceMatch) -> tuple[str, ...]:
    return (place.code,) if place.code else place.candidates


def _same(first: PlaceMatch, second: PlaceMatch) -> bool:
    """Whether the second match adds nothing to the first: the same codes, or a superset of them."""
    if first.code or first.candidates:
        return set(_codes(first)) <= set(_codes(second))
    return (first.match, first.region, first.zone, first.why) == (second.match, second.region, second.zone, second.why)


def _one_side(best: PlaceMatch, rival: PlaceMatch) -> bool:
    codes = _codes(best) + _codes(rival)
    return bool(_codes(best) and _codes(rival)) and same_side(codes)


def _elsewhere(code: str, qualifier: str) -> bool:
    """Whether a qualifier names another area than the municipality's."""
    names = lexicon()
    known = qualifier in names.areas or qualifier in names.mrc or qualifier in names.towns
    return known and not qualified((code,), qualifier)


# ----------------------------------------------------------------------------------------------------

_COLUMNS = ("code", "region", "zone", "match", "candidates")


def find_places(
    values: ArrayLike,
    *,
    codes: ArrayLike | None = None,
    postal_codes: ArrayLike | None = None,
    perimeter: str = "RMR-2021",
) -> pd.DataFrame:
    """
    Find the municipality, region and zone of typed places.

    Parameters
    ----------
    values : array-like of str, shape (n,)
        Texts of a municipality column; None and blank are missing.
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
    >>> places = find_places(["ST-JEAN S/ RICHELIEU", "Sherboroke", "Saint-Lambert", "Montérégie"])
    >>> places[["code", "zone", "match"]].values.tolist()
    [['56083', 'metropole', 'exact'], ['43027', 'region', 'fuzzy'],
     [None, 'unknown', 'ambiguous'], [None, 'unknown', 'area_only']]
    """
    check_perimeter(perimeter)
    typed = _texts(values, "values")
    columns = [typed]
    for name, evidence in (("codes", codes), ("postal_codes", postal_codes)):
        columns.append(np.full(len(typed), None, dtype=object) if evidence is None else _texts(evidence, name))
        if len(columns[-1]) != len(typed):
            raise ValueError(f"{name} has {len(columns[-1])} value(s) for {len(typed)} place(s): one each is needed.")
    # distinct (value, code, postal code), numbered: each is resolved once
    unique: dict[tuple, int] = {}
    position = np.fromiter((unique.setdefault(key, len(unique)) for key in zip(*columns, strict=True)), np.int64)
    resolved = _as_columns(resolve_places([(_text(a), _text(b), _text(c)) for a, b, c in unique]), perimeter)
    columns_by_name = {"value": typed}
    for name, column in zip(_COLUMNS, resolved, strict=True):
        columns_by_name[name] = column[position]
    return pd.DataFrame(columns_by_name)


def resolve_places(triples: list[tuple[str, str, str]]) -> list[PlaceMatch]:
    """The match of each (typed place, municipal code, postal code)."""
    names: dict[str, PlaceMatch] = {}
    unsettled = {}
    for typed, _, _ in triples:
        if typed in names or typed in unsettled:
            continue
        if not typed:
            names[typed] = BLANK
            continue
        spelling = spell(typed)
        if (place := by_words(spelling, typed)) is None:
            unsettled[typed] = spelling
        else:
            names[typed] = place
    names.update(zip(unsettled, by_slips(list(unsettled.values())), strict=True))
    return [
        place if (place := names[typed]).code else _by_other_evidence(place, typed, code, postal)
        for typed, code, postal in triples
    ]


def one_place(
    typed: str, code: str | None, postal_code: str | None, perimeter: str
) -> tuple[PlaceMatch, str | None, str | None]:
    """The match of one typed place, with its region and zone."""
    check_perimeter(perimeter)
    places = resolve_places([(_text(typed), _text(code), _text(postal_code))])
    _, region, zone, _, _ = _as_columns(places, perimeter)
    return places[0], region[0], zone[0]


def _texts(values, name: str) -> np.ndarray:
    array = np.asarray(values, dtype=object)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {array.ndim}.")
    return np.where(pd.isna(array), None, array)  # type: ignore[call-overload]


def _text(value) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _as_columns(rows: list[PlaceMatch], perimeter: str) -> list[np.ndarray]:
    """Code, region, zone, match and candidates of each, as columns."""
    names, by_region = lexicon(), region_zones(perimeter)
    code, region, zone, match = (_column([row[field] for row in rows]) for field in range(4))
    settled = code != None  # noqa: E711
    zone[settled] = zones(code[settled], perimeter)
    region[settled] = [names.regions[c] for c in code[settled]]
    joined_candidates = np.full(len(rows), None, dtype=object)
    for i in np.flatnonzero(~settled):
        candidates = rows[i].candidates
        if candidates:
            joined_candidates[i] = ";".join(candidates)
        if match[i] == "ambiguous":  # the zone and the region are known where all candidates agree
            zone[i] = _if_one(zones(candidates, perimeter)) or UNKNOWN
            region[i] = _if_one(names.regions[c] for c in candidates)
        elif region[i] and zone[i] == UNKNOWN:  # the region's zone, where all of it is on one side
            zone[i] = by_region.get(region[i], UNKNOWN)
    return [code, region, zone, match, joined_candidates]


def _column(values: list) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _if_one(values) -> str | None:
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _by_other_evidence(place: PlaceMatch, typed: str, code: str, postal: str) -> PlaceMatch:
    """The match of a name that does not decide, by the row's own code, then by its postal code."""
    candidates = place.candidates
    if code and place.zone != OUTSIDE_QUEBEC:
        place_of_code = coded(code)
        if (
            place_of_code
            and place_of_code.code
            and place.why == "postal_typed"
            and not _by_postal_code((place_of_code.code,), _area_of(typed), unknown=True)
        ):
            return place  # a postal code in the place's column and a municipal code from elsewhere
        if place_of_code and (place.match != "ambiguous" or place_of_code.code in candidates):
            return place_of_code._replace(slip=place.slip)
    if place.match == "ambiguous" and place.why != "slip_unclear" and postal:
        fitting = _by_postal_code(candidates, _area_of(postal))
        if len(fitting) == 1:
            return PlaceMatch(fitting[0], None, UNKNOWN, "postal", (), "postal", place.slip)
    return place


@functools.cache
def _postal_areas() -> dict[str, tuple[frozenset[str], str]]:
    table = read_reference("fsa")
    return {row.fsa: (frozenset(row.regions_all.split("/")), row.cmm) for row in table.itertuples(index=False)}


def _area_of(postal: str) -> str:
    return postal.strip(" ([{")[:3].upper()


def _by_postal_code(candidates: tuple[str, ...], area: str, unknown: bool = False) -> tuple[str, ...]:
    """The candidates that fit the first half of a postal code; all of them if `unknown` and it is not a known one."""
    if area not in _postal_areas():
        return candidates if unknown else ()
    regions, cmm = _postal_areas()[area]
    table = reference_municipalities().loc[list(candidates)]
    fits = table["region_code"].isin(regions) & ((table["cmm"] == cmm) | (cmm == "mixed"))
    return tuple(table.index[fits])
