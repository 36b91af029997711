"""How a place is typed, brought to one key: case, accents, dashes, St/Ste, s/, brackets, « QC », postal codes.

The key keeps every word that tells two municipalities apart: articles are dropped only in a second key, tried after
the first. What stands in brackets or after a comma is a qualifier, kept apart: it settles homonyms.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_WORDS = {
    "st": "saint", "ste": "sainte", "sts": "saints", "stes": "saintes", "mt": "mont", "mtn": "mont",
    "cte": "comte", "riv": "riviere",
}  # fmt: skip
_ARTICLES = {"le", "la", "les", "l"}
# Words that say only that this is in Québec, or what sort of thing it is, never which one.
_TAILS = (("province", "de", "quebec"), ("p", "q"), ("pq",), ("qc",), ("que",), ("quebec",), ("canada",), ("ca",))
# What stands before a name and says what sort of place it is; "" says nothing that a key needs.
_HEADS: dict[tuple[str, ...], str] = {
    **{("ville", small): "" for small in ("de", "du", "des", "d")},
    **{("municipalite", small): "" for small in ("de", "du", "des", "d")},
    **{(word, small): "" for word in ("paroisse", "canton", "village") for small in ("de", "du")},
    ("city", "of"): "", ("quartier",): "", ("quartier", "de"): "", ("secteur",): "", ("secteur", "de"): "",
    **{(word, small): "borough" for word in ("arrondissement", "arr") for small in ("de", "du", "des", "d")},
    ("arrondissement",): "borough", ("arr",): "borough",
    **{(word, small): "area" for word in ("mrc", "region") for small in ("de", "du", "des", "d")},
    ("municipalite", "regionale", "de", "comte", "de"): "area", ("mrc",): "area", ("region",): "area",
    ("rss",): "area",  # regions of the health network, by number
}  # fmt: skip
_LONGEST_HEAD = max(map(len, _HEADS))

_LIGATURES = str.maketrans({"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ß": "ss"})
_COMBINING = re.compile("[\u0300-\u036f]+")
_SUR = re.compile(r"\bs/\s*")
_BRACKETS = re.compile(r"[(\[{]([^)\]}]*)[)\]}]?")
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
_POSTAL = re.compile(r"\b[a-z]\d[a-z][ -]?\d[a-z]\d\b")


class Spelling(NamedTuple):
    """One typed place: its key, the key without articles, and the keys of its qualifiers."""

    key: str
    bare: str
    qualifiers: tuple[str, ...]


def fold(text: str) -> str:
    """
    Lower case without accents, ligatures or special spaces.

    Examples
    --------
    >>> fold("L’Île-d’Orléans")
    'l’ile-d’orleans'
    """
    if text.isascii():
        return text.lower()
    return _COMBINING.sub("", unicodedata.normalize("NFKD", text.translate(_LIGATURES))).lower()


def key_of(text: str) -> str:
    """
    The words of a place name, folded, with abbreviations written out.

    Examples
    --------
    >>> key_of("St-Jean s/ Richelieu"), key_of("STE THERESE"), key_of("N.-D.-de-Lourdes")
    ('saint jean sur richelieu', 'sainte therese', 'notre dame de lourdes')
    """
    return _key(fold(text))


def _key(folded: str) -> str:
    if "s/" in folded:
        folded = _SUR.sub("sur ", folded)
    words = [_WORDS.get(word, word) for word in _NOT_A_WORD.sub(" ", folded).split()]
    if len(words) > 2:
        # « st jean s richelieu »: a lone s between two words is « sur »
        words[1:-1] = ["sur" if word == "s" else word for word in words[1:-1]]
        if words[:2] == ["n", "d"]:
            words[:2] = ["notre", "dame"]
    if len(words) > 1 and words[0] == "nd":
        words[:1] = ["notre", "dame"]
    return " ".join(words)


def without_articles(key: str) -> str:
    """The key without its leading article and the articles inside it."""
    words = key.split()
    kept = [word for word in words if word not in _ARTICLES]
    return " ".join(kept or words)


def trimmed(key: str) -> tuple[str, str]:
    """
    The key without « ville de », « MRC de », « QC », « Canada » around it (never empty), and the sort it names.

    Examples
    --------
    >>> trimmed("ville de quebec qc"), trimmed("mrc de portneuf")
    (('quebec', ''), ('portneuf', 'area'))
    """
    words = key.split()
    sort = ""
    for length in range(min(_LONGEST_HEAD, len(words) - 1), 0, -1):
        if (head := tuple(words[:length])) in _HEADS:
            sort, words = _HEADS[head], words[length:]
            break
    while tail := next((t for t in _TAILS if len(words) > len(t) and tuple(words[-len(t) :]) == t), None):
        words = words[: -len(tail)]
    return " ".join(words), sort


def spell(text: str) -> Spelling:
    """
    Take a typed place apart.

    Examples
    --------
    >>> spell("Saint-Isidore (Chaudière-Appalaches), QC")
    Spelling(key='saint isidore', bare='saint isidore', qualifiers=('chaudiere appalaches',))
    """
    folded = fold(text)
    if any(letter.isdigit() for letter in folded):
        folded = _POSTAL.sub(" ", folded)
    qualifiers: list[str] = []
    if "(" in folded or "[" in folded or "{" in folded:
        qualifiers += _BRACKETS.findall(folded)
        folded = _BRACKETS.sub(" ", folded)
    if "," in folded or ";" in folded:
        first, *rest = [part for part in re.split("[,;]", folded) if part.strip()] or [""]
        folded, qualifiers = first, qualifiers + rest
    key = _key(folded)
    if not key and qualifiers:
        key, qualifiers = _key(qualifiers[0]), qualifiers[1:]
    if not qualifiers:
        return Spelling(key, without_articles(key), ())
    keys = tuple(word for word in map(_key, qualifiers) if word and (word,) not in _TAILS)
    return Spelling(key, without_articles(key), tuple(trimmed(word)[0] for word in keys))
