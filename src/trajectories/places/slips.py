"""Typing slips: the one known name within a few keystrokes of what was typed, or none.

Keystrokes are counted by the optimal string alignment distance (Damerau 1964: one letter left out, added, replaced, or
swapped with the next). How many are allowed grows with the letters that tell a name from others (« Saint », « Lac » and
articles do not), and a short name must keep its first letter, which slips seldom touch (Yannakoudakis and Fawthrop
1983). A name is taken only with a margin to the second-best, wider where the two lie on different sides of any of the
three perimeters. Otherwise the candidates are kept and nothing is chosen. The figures are in `benchmarks/places.py`.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from typing import NamedTuple

import numpy as np

from ..tables import UNKNOWN
from .lexicon import lexicon
from .naming import NOT_FOUND, Found, Slip, answer, in_lexicon, not_in_quebec, qualified
from .outside import outside_words, unknown_words
from .spelling import SMALL_WORDS, Spelling, trimmed
from .territory import same_side

# Letters that tell a name apart → keystrokes allowed: the first bound the count does not reach.
_ALLOWED = ((4, 0), (9, 1), (14, 2))
_MOST = 3
_SHORTEST = 5  # letters in all: « Gore », « Alma » and « Lévis » are a keystroke away from too many words
_KEEPS_FIRST = 12  # names of fewer letters keep their first one
# The second-best must be this many keystrokes farther than the best: on the same side, and across zones.
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
    """Every known name, « saint » also as people abbreviate it: « Sy Thomas » is one keystroke from « St Thomas »."""
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
    told = sum(len(word) for word in words if word not in _COMMON and word not in SMALL_WORDS)
    if sum(map(len, words)) < _SHORTEST or not told:
        return 0
    return next((number for bound, number in _ALLOWED if told < bound), _MOST)


def near_names(keys: list[str]) -> list[list[tuple[int, str]]]:
    """Per key, the known names at most `MARGIN_ACROSS` − 1 keystrokes farther than the nearest, nearest first."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    index = _index()
    cutoff = _MOST + MARGIN_ACROSS - 1
    found: list[list[tuple[int, str]]] = [[] for _ in keys]
    order = sorted((i for i, key in enumerate(keys) if key), key=lambda i: len(keys[i]))
    start = 0
    while start < len(order):
        # one chunk: keys of one length, against the names that the cut-off lets be long or short enough
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
            found[chunk[row]].append((distance, index.keys[first + column]))
    for names in found:
        names.sort()
    return found


def by_slips(spellings: list[Spelling]) -> list[Found]:
    """What each typed place is, if it is a known name with a slip: as typed, else without « ville de », « QC »."""
    parts = [trimmed(spelling.key) for spelling in spellings]
    whole = [
        spelling.key if spelling.key != key else "" for spelling, (key, _, _) in zip(spellings, parts, strict=True)
    ]
    wanted = whole + [key for key, _, _ in parts]
    near = near_names([key if any(map(str.isalpha, key)) else "" for key in wanted])
    found = []
    for i, (spelling, (key, sort, _)) in enumerate(zip(spellings, parts, strict=True)):
        first = decide(whole[i], "", spelling.qualifiers, near[i]) if near[i] else NOT_FOUND
        if first.match == "none" and first.why != "slip_unknown_word" and (others := near[len(spellings) + i]):
            second = decide(key, sort, spelling.qualifiers, others)
            first = second if second.match != "none" or not first.candidates else first
        found.append(first)
    return found


def decide(typed: str, sort: str, qualifiers: tuple[str, ...], near: list[tuple[int, str]]) -> Found:
    """The nearest name if it is near enough and alone; otherwise the candidates."""
    own = next(((distance, key) for distance, key in near if _is_slip(typed, distance, key)), None)
    if own is None:
        hints = [(distance, key) for distance, key in near if distance <= allowed(key) + 1]
        if not hints:
            return NOT_FOUND
        nearest = [answer(key) for distance, key in hints if distance == hints[0][0]]
        codes = tuple(sorted({code for found in nearest for code in _codes(found)}))
        return Found(candidates=codes, why="slip_too_far", slip=Slip(hints[0][1], hints[0][0], None, None))
    distance, key = own
    best = _meant(key, sort, qualifiers)
    rivals = [(far, name, other) for far, name in near if name != key and not _same(other := answer(name), best)]
    second = rivals[0] if rivals else None
    slip = Slip(key, distance, second[1] if second else None, second[0] if second else None)
    candidates = _codes(best)
    close = [other for far, name, other in rivals if _is_rival(typed, best, distance, other, far, name)]
    if close:
        codes = tuple(sorted({code for other in (best, *close) for code in _codes(other)}))
        settled = [code for code in codes if qualifiers and all(qualified((code,), word) for word in qualifiers)]
        if len(settled) == 1 and all(other.match in ("exact", "alias", "ambiguous") for other in (best, *close)):
            return Found(settled[0], None, UNKNOWN, "fuzzy", (), "slip_qualifier", slip)
        # a postal code may break the tie between municipalities, not between one and a regional word
        why = "slip_rivals" if all(map(_codes, (best, *close))) else "slip_unclear"
        return Found(match="ambiguous" if codes else "none", candidates=codes, why=why, slip=slip)
    if best.code is None:
        return best._replace(why=f"slip_{best.why}", slip=slip)
    if any(_elsewhere(best.code, word) for word in qualifiers):
        return Found(match="ambiguous", candidates=candidates, why="contradiction", slip=slip)
    return best._replace(match="fuzzy", why="slip", slip=slip)


def _meant(key: str, sort: str, qualifiers: tuple[str, ...]) -> Found:
    if not sort and not qualifiers:
        return answer(key)
    return in_lexicon(key, sort, qualifiers) or not_in_quebec(key) or NOT_FOUND


def _is_slip(typed: str, distance: int, key: str) -> bool:
    """Whether a name is near enough to be what was typed."""
    kept = typed[0] == key[0] or len(key.replace(" ", "")) >= _KEEPS_FIRST
    return kept and distance <= allowed(key)


def _is_rival(typed: str, best: Found, distance: int, other: Found, far: int, name: str) -> bool:
    """Whether another name is too near to be told from the best one."""
    far += typed[0] != name[0]  # the first letter is seldom the one that slips
    if far < distance + MARGIN:  # countries and regions are many and seldom meant: no keystroke more for them
        return far <= (allowed(name) + 1 if _codes(other) else max(allowed(name), 1))
    return far < distance + MARGIN_ACROSS and far <= allowed(name) and not _one_side(best, other)


def _codes(found: Found) -> tuple[str, ...]:
    return (found.code,) if found.code else found.candidates


def _same(one: Found, other: Found) -> bool:
    """Whether two names say the same thing; the beginning of a name that is already meant adds nothing."""
    if one.code or one.candidates:
        return set(_codes(one)) <= set(_codes(other))
    return (one.match, one.region, one.zone, one.why) == (other.match, other.region, other.zone, other.why)


def _one_side(best: Found, other: Found) -> bool:
    codes = _codes(best) + _codes(other)
    return bool(_codes(best) and _codes(other)) and same_side(codes)


def _elsewhere(code: str, qualifier: str) -> bool:
    """Whether a qualifier names another area than the municipality's."""
    names = lexicon()
    known = qualifier in names.areas or qualifier in names.mrc or qualifier in names.towns
    return known and not qualified((code,), qualifier)
