"""From the words typed to a municipality, an area or a place outside Québec, by exact names alone.

Order of evidence (deposit-schema.md, « Places »): the name, then the qualifier typed with it. What several codes claim
stays `ambiguous` with them; a regional word stays `area_only`. Typing slips are the work of `slips`.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from ..tables import OUTSIDE_QUEBEC, UNKNOWN
from .lexicon import lexicon
from .outside import outside_words, unknown_words
from .spelling import Spelling, joined, key_of, trimmed, without_articles
from .territory import same_side


class Slip(NamedTuple):
    """A name reached by a typing slip: its key, the number of keystrokes, and the nearest other name (None: far)."""

    key: str
    distance: int
    second: str | None
    second_distance: int | None


class Found(NamedTuple):
    """What is known of one typed place; `why` is a stable word, a line of `sentences.REASONS`."""

    code: str | None = None
    region: str | None = None
    zone: str | None = UNKNOWN
    match: str | None = "none"
    candidates: tuple[str, ...] = ()
    why: str = "not_found"
    slip: Slip | None = None


BLANK = Found(None, None, None, None, (), "blank")
NOT_FOUND = Found()


def by_words(spelling: Spelling, typed: str) -> Found | None:
    """What the exact words say; None where no name is known, so that a slip may be looked for."""
    if not spelling.key:
        return Found(why="postal_typed" if spelling.postal else "not_found")
    names = lexicon()
    if spelling.bracketed and (whole := names.aliases.get(key_of(typed))):
        if not spelling.qualifiers:  # « (Québec) » may be the town that a quarter lies in, or the province
            whole = tuple(sorted({*whole, *names.official.get(spelling.key, ())}))
        return _settled(whole, "alias", (), "alias")  # « Le Plateau (Gatineau) » is one name
    key, sort, designation = trimmed(spelling.key)
    if (found := in_lexicon(spelling.key, "", spelling.qualifiers)) is not None:
        return found
    if key != spelling.key and (found := in_lexicon(key, sort, spelling.qualifiers, designation)) is not None:
        return found
    if spelling.key.isdigit() and 4 <= len(spelling.key) <= 5:
        found = coded(spelling.key)
        return found._replace(why="code_typed") if found else NOT_FOUND
    for word in (spelling.key, key, *spelling.qualifiers):
        if (found := not_in_quebec(word)) is not None:
            return found
    for word in (key.replace(" ", ""), joined(key)):
        # « Troisrivieres », « St-Jean Richelieu »: fewer words; as many words cut elsewhere (Lac Roche) are a slip
        if (whole := names.joined.get(word)) and whole.count(" ") > key.count(" "):
            return in_lexicon(whole, sort, spelling.qualifiers, designation)
    return _two_names(key)


def not_in_quebec(key: str) -> Found | None:
    """A word that means « we don't know », or a place outside Québec."""
    if key in unknown_words():
        return Found(why="unknown_word")
    if key in outside_words():
        return Found(None, None, OUTSIDE_QUEBEC, "area_only", (), "outside")
    return None


def in_lexicon(key: str, sort: str = "", qualifiers: tuple[str, ...] = (), designation: str = "") -> Found | None:
    """What the lexicon says of a key; `sort` is « area » or « borough » where the typed words said so."""
    names = lexicon()
    if sort == "borough" and key in names.boroughs:
        return _settled(names.boroughs[key], "alias", qualifiers, "borough")
    if sort == "area" and (key in names.areas or without_articles(key) in names.mrc):
        return Found(None, _area(key), UNKNOWN, "area_only", (), "area")
    if sort == "area" and (key in names.official or key in names.aliases):
        return Found(None, None, UNKNOWN, "area_only", (), "area")  # « région de Sherbrooke » is not the town
    if key in names.aliases:
        return _settled(names.aliases[key], "alias", qualifiers, "alias", designation)
    if key in names.official:
        return _settled(names.official[key], "exact", qualifiers, "official", designation)
    if key in names.areas:
        return Found(None, names.areas[key], UNKNOWN, "area_only", (), "area")
    bare = without_articles(key)
    if bare in names.bare and key not in outside_words():  # « Guadeloupe » is not La Guadeloupe
        return _settled(names.bare[bare], "alias", qualifiers, "article", designation)
    if bare in names.mrc:
        return Found(None, _common_region(names.mrc[bare]), UNKNOWN, "area_only", (), "area")
    if key in names.prefixes:
        found = _settled(names.prefixes[key], "alias", qualifiers, "prefix")
        # the beginning of one longer name alone is a hint, no more
        if qualifiers and found.code:
            return found
        return Found(match="ambiguous", candidates=names.prefixes[key], why="prefix")
    return None


def coded(code: str) -> Found | None:
    """The municipality of a typed code (Excel drops the leading zero)."""
    digits = code.removesuffix(".0").replace(" ", "")
    if digits.isascii() and digits.isdigit() and 4 <= len(digits) <= 5 and digits.zfill(5) in lexicon().regions:
        return Found(digits.zfill(5), None, UNKNOWN, "code", (), "code")
    return None


@functools.cache
def answer(key: str) -> Found:
    """What one known key stands for, without anything typed beside it."""
    return in_lexicon(key) or not_in_quebec(key) or NOT_FOUND


def _area(key: str) -> str | None:
    names, bare = lexicon(), without_articles(key)
    return names.areas.get(key) or (_common_region(names.mrc[bare]) if bare in names.mrc else None)


def _common_region(codes: frozenset[str]) -> str | None:
    within = {lexicon().regions[code] for code in codes}
    return within.pop() if len(within) == 1 else None


def _two_names(key: str) -> Found | None:
    """« Gatineau secteur Hull », « Montréal-Rosemont »: two names of one municipality."""
    words = [word for word in key.split() if word not in ("secteur", "arrondissement", "quartier", "arr")]
    names = lexicon()
    for cut in range(1, len(words)):
        left, right = " ".join(words[:cut]), " ".join(words[cut:])
        codes = names.official.get(left) or names.aliases.get(left)
        if codes and len(codes) == 1 and codes == (names.aliases.get(right) or names.official.get(right)):
            return Found(codes[0], None, UNKNOWN, "alias", (), "two_names")
    return None


def _settled(codes: tuple[str, ...], match: str, qualifiers: tuple[str, ...], why: str, designation: str = "") -> Found:
    """One code, or homonyms settled by a qualifier (a region, an MRC, a designation, a code), or ambiguous."""
    if len(codes) == 1:
        others = _contradicting(codes[0], qualifiers) if qualifiers else ()
        if others:
            return Found(match="ambiguous", candidates=others, why="contradiction")
        return Found(codes[0], None, UNKNOWN, match, (), why)
    for qualifier in qualifiers:
        left = qualified(codes, qualifier)
        if len(left) == 1:
            return Found(left[0], None, UNKNOWN, match, (), "qualifier")
        codes = left or codes
    if designation and same_side(codes):
        # « Paroisse de Senneterre » is not the town; across zones the word is too loosely used to decide
        left = tuple(code for code in codes if code in lexicon().designations.get(designation, ()))
        if len(left) == 1:
            return Found(left[0], None, UNKNOWN, match, (), "qualifier")
    return Found(match="ambiguous", candidates=codes, why="homonym")


def _contradicting(code: str, qualifiers: tuple[str, ...]) -> tuple[str, ...]:
    """The code and the municipality a qualifier names, where the two are not of one place; nothing where they agree."""
    names = lexicon()
    for qualifier in qualifiers:
        named = names.official.get(qualifier, ()) or names.aliases.get(qualifier, ())
        if named and not qualified((code,), qualifier):
            return tuple(sorted({code, *named}))
    return ()


def qualified(codes: tuple[str, ...], qualifier: str) -> tuple[str, ...]:
    """Those of the codes that a qualifier fits."""
    if qualifier in codes:
        return (qualifier,)
    names, bare = lexicon(), without_articles(qualifier)
    for group in (
        names.designations.get(qualifier), names.mrc.get(qualifier), names.mrc.get(bare), names.towns.get(qualifier)
    ):  # fmt: skip
        if group and (left := tuple(code for code in codes if code in group)):
            return left
    near = names.official.get(qualifier, ()) or names.aliases.get(qualifier, ())
    if set(near) & set(codes):
        return tuple(code for code in codes if code in near)
    region = names.areas.get(qualifier)
    return tuple(code for code in codes if region and region in (names.regions[code], names.former_regions.get(code)))
