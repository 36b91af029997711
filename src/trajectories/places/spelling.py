"""A typed place → its key, whatever the case, accents, dashes, St/Ste, s/, brackets, « QC », postal codes.

The key keeps every word that distinguishes two municipalities: articles are dropped only in a second key, tried after
the first. A text in brackets or after a comma is a qualifier, kept separately: it decides between homonyms.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_WORDS = {
    "st": "saint",
    "ste": "sainte",
    "sts": "saints",
    "stes": "saintes",
    "mt": "mont",
    "mtn": "mont",
    "cte": "comte",
    "riv": "riviere",
}
_ARTICLES = {"le", "la", "les", "l"}
SMALL_WORDS = _ARTICLES | {"de", "du", "des", "d", "sur", "a", "au", "aux", "en", "et"}
# Last words that only say « in Québec » or « in Canada ».
_TAILS = (("province", "de", "quebec"), ("p", "q"), ("pq",), ("qc",), ("que",), ("quebec",), ("canada",), ("ca",))
_LAST_WORDS = frozenset(tail[-1] for tail in _TAILS)
_OF = ("de", "du", "des", "d")
# Words before a name that give the sort of place: (sort, designation), both "" where they change nothing.
_HEADS: dict[tuple[str, ...], tuple[str, str]] = {
    **{(*words, of): ("", "") for words in (("municipalite",), ("mun",), ("secteur",), ("quartier",)) for of in _OF},
    **{(word,): ("", "") for word in ("mun", "secteur", "quartier")},
    **{(word, "of"): ("", "") for word in ("city", "town", "municipality", "village", "township", "parish")},
    **{
        (*municipality, word, of): ("", word)
        for word in ("ville", "paroisse", "canton", "village")
        for municipality in ((), ("municipalite", "de"), ("municipalite", "du"), ("municipalite", "de", "la"))
        for of in _OF
    },
    ("cantons", "unis", "de"): ("", "cantons unis"), ("cantons", "unis", "des"): ("", "cantons unis"),
    **{(word, of): ("borough", "") for word in ("arrondissement", "arrond", "arr") for of in _OF},
    **{(word,): ("borough", "") for word in ("arrondissement", "arrond", "arr")},
    **{(word, of): ("area", "") for word in ("mrc", "region", "agglomeration") for of in _OF},
    **{("region", "administrative", of): ("area", "") for of in _OF},
    ("municipalite", "regionale", "de", "comte", "de"): ("area", ""),
    ("municipalite", "regionale", "de", "comte", "des"): ("area", ""),
    **{words: ("area", "") for words in (("mrc",), ("region",), ("region", "administrative"))},
    ("rss",): ("area", ""),  # regions of the health network, by number
}  # fmt: skip
_LONGEST_HEAD = max(map(len, _HEADS))
_FIRST_WORDS = frozenset(head[0] for head in _HEADS)

_LIGATURES = str.maketrans({"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ß": "ss"})
_COMBINING = re.compile("[\u0300-\u036f]+")
_SUR = re.compile(r"\bs/\s*")
_BRACKETS = re.compile(r"[(\[{]([^)\]}]*)[)\]}]?")
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
_POSTAL = re.compile(r"\b[abceghj-nprstvxy]\d[a-z](?:[ -]?\d[a-z]\d)?\b")
_DIGIT, _LETTER = re.compile("[0-9]"), re.compile("[a-z]")
_MUNICIPAL_CODE = re.compile(r"\b\d{5}\b")


class Spelling(NamedTuple):
    """One typed place: its key, the keys of its qualifiers, whether a postal code or brackets were typed with it."""

    key: str
    qualifiers: tuple[str, ...] = ()
    postal: bool = False
    bracketed: bool = False


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
    """
    The key without articles; « La-Saint-Paul » is left as it is: its article is a slip.

    Examples
    --------
    >>> without_articles("la malbaie"), without_articles("la saint paul")
    ('malbaie', 'la saint paul')
    """
    words = key.split()
    if len(words) > 1 and words[1] in ("saint", "sainte"):
        return key
    kept = [word for word in words if word not in _ARTICLES]
    return " ".join(kept or words)


def joined(key: str) -> str:
    """
    The key without spaces and small words, for a name typed in one word or without its « de » and « sur ».

    Examples
    --------
    >>> joined("saint jean sur richelieu"), joined("troisrivieres")
    ('saintjeanrichelieu', 'troisrivieres')
    """
    return "".join(word for word in key.split() if word not in SMALL_WORDS)


def trimmed(key: str) -> tuple[str, str, str]:
    """
    The key without « ville de », « MRC de », « QC », « Canada » around it (never empty), the sort of place (area,
    borough) and the designation (ville, paroisse, canton, village) that the words before it name.

    Examples
    --------
    >>> trimmed("ville de quebec qc"), trimmed("mrc de portneuf")
    (('quebec', '', 'ville'), ('portneuf', 'area', ''))
    """
    words = key.split()
    sort = designation = ""
    longest = min(_LONGEST_HEAD, len(words) - 1) if words and words[0] in _FIRST_WORDS else 0
    for length in range(longest, 0, -1):
        if (head := tuple(words[:length])) in _HEADS:
            (sort, designation), words = _HEADS[head], words[length:]
            break
    while words and words[-1] in _LAST_WORDS:
        tail = next((t for t in _TAILS if len(words) > len(t) and tuple(words[-len(t) :]) == t), None)
        if tail is None or words[-len(tail) - 1] in SMALL_WORDS:  # « Venise-en-Québec »
            break
        words = words[: -len(tail)]
    return " ".join(words), sort, designation


def spell(text: str) -> Spelling:
    """
    Split a typed place into its key and qualifiers.

    Examples
    --------
    >>> spell("Saint-Isidore (Chaudière-Appalaches), QC")
    Spelling(key='saint isidore', qualifiers=('chaudiere appalaches',), postal=False, bracketed=True)
    """
    folded = fold(text)
    qualifiers: list[str] = []
    postal = False
    if _DIGIT.search(folded):
        folded, postal = _POSTAL.subn(" ", folded)
        if _LETTER.search(folded):  # « 56083 - Saint-Jean-sur-Richelieu »
            qualifiers += _MUNICIPAL_CODE.findall(folded)
            folded = _MUNICIPAL_CODE.sub(" ", folded)
    bracketed = "(" in folded or "[" in folded or "{" in folded
    if bracketed:
        qualifiers += _BRACKETS.findall(folded)
        folded = _BRACKETS.sub(" ", folded)
    if "," in folded or ";" in folded:
        first, *rest = [part for part in re.split("[,;]", folded) if part.strip()] or [""]
        folded, qualifiers = first, qualifiers + rest
    key = _key(folded)
    if not key and qualifiers:
        key, qualifiers = _key(qualifiers[0]), qualifiers[1:]
    if not qualifiers:
        return Spelling(key, (), bool(postal), bracketed)
    words = (trimmed(word)[0] for word in map(_key, qualifiers) if word)
    return Spelling(key, tuple(word for word in words if (word,) not in _TAILS), bool(postal), bracketed)
