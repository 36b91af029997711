"""Typed words → codes: categories, levels, yes and no, numbers, countries, periods. Work is on distinct texts.

Each function takes distinct texts and returns (values, unreadable): an object array with None where nothing was typed or
nothing could be read, and a mask of the second.
"""

from __future__ import annotations

import functools
import re

import numpy as np

from ..places.spelling import fold
from .crosswalks import word_key

# Typed for « nothing » in a column of words: missing, and no fault.
_NOTHING = frozenset((
    "", "n d", "nd", "na", "n a", "s o", "so", "sans objet", "non disponible", "non precise", "non precisee", "inconnu",
    "inconnue", "ne sait pas", "nsp", "null", "nan", "vide", "non renseigne", "n s p", "a venir", "a determiner",
))  # fmt: skip
_SPLIT = re.compile(r"[;,/|+&\n\r]+|\s+et\s+")
_FRACTION = re.compile(r"^(?:niveau|niv|n|stade)?\s*(\d{1,2})(?:[.,]0*)?(?:\s*/\s*12)?$")
_NUMBER = re.compile(r"^([-−]?\d{1,3})(?:[.,]0*)?\s*(?:personnes?|pers|membres?)?\.?$")
_STREAM = re.compile(r"^(?:v|volet)?\s*([1-9])$")
_EXERCICE = re.compile(r"(?<!\d)(\d{4})\s*[-/–—_ ]\s*(\d{4}|\d{2})(?!\d)")
_QUARTER = re.compile(r"^(?:t|q|trim\w*)?\W*([1-4])(?:er|re|e|eme|nd)?(?:\W+trim\w*)?(?:\W.*)?$")
_POSTAL = re.compile(r"^[A-Z]\d[A-Z](?: ?\d[A-Z]\d)?$")

Result = tuple[np.ndarray, np.ndarray]


def _result(texts: list[str], read) -> Result:
    """`read` returns the value, None for nothing typed, or raises KeyError/ValueError for what it cannot read."""
    values = np.full(len(texts), None, dtype=object)
    unreadable = np.zeros(len(texts), dtype=bool)
    for i, text in enumerate(texts):
        try:
            values[i] = read(text)
        except (KeyError, ValueError):
            unreadable[i] = True
    return values, unreadable


def coded(texts: list[str], words: dict[str, str]) -> Result:
    """Words of a closed list → codes."""

    def read(text: str):
        key = word_key(text)
        return words[key] if key in words or key not in _NOTHING else None

    return _result(texts, read)


def coded_list(texts: list[str], words: dict[str, str]) -> Result:
    """Several words in one cell → codes joined by ";" in the order typed; unreadable if one of them is."""
    values = np.full(len(texts), None, dtype=object)
    unreadable = np.zeros(len(texts), dtype=bool)
    for i, text in enumerate(texts):
        codes = {}
        whole = word_key(text)
        for part in [whole] if whole in words else map(word_key, _SPLIT.split(text)):
            if part in words:
                codes[words[part]] = None
            elif part not in _NOTHING:
                unreadable[i] = True
        values[i] = ";".join(codes) or None
    return values, unreadable


def named(texts: list[str], words: dict[str, str]) -> Result:
    """Words of an open list → codes; a word that is not in it stays as it was typed."""
    return _result(texts, lambda text: words.get(word_key(text), clean(text)))


def french_levels(texts: list[str], words: dict[str, str]) -> Result:
    """Words, or a level 0–12 of the Échelle québécoise, also as `niveau 5` or `5/12`."""

    def read(text: str):
        if found := _FRACTION.match(fold(text).strip()):
            return words[str(int(found[1]))]
        key = word_key(text)
        return words[key] if key in words or key not in _NOTHING else None

    return _result(texts, read)


def yes_no(texts: list[str], words: dict[str, str]) -> Result:
    """Yes and no → True and False."""
    values, unreadable = coded(texts, words)
    flags = {"yes": True, "no": False, None: None}
    return np.array([flags[value] for value in values], dtype=object), unreadable


def whole_numbers(texts: list[str], lowest: int, highest: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Small whole numbers → (numbers, unreadable, impossible): the last are numbers outside [lowest, highest]."""

    def read(text: str):
        folded = fold(text).strip()
        if word_key(folded) in _NOTHING:
            return None
        found = _NUMBER.match(folded)
        if not found:
            raise ValueError(text)
        return int(found[1].replace("−", "-"))

    values, unreadable = _result(texts, read)
    impossible = np.array([value is not None and not lowest <= value <= highest for value in values], dtype=bool)
    values[impossible] = None
    return values, unreadable, impossible


def clean(text: str) -> str | None:
    """A text with single plain spaces, or None."""
    return " ".join(text.split()) or None


def plain(texts: list[str]) -> Result:
    """Texts as typed, spaces put right."""
    return _result(texts, clean)


def streams(texts: list[str]) -> Result:
    """`V1`, `volet 1`, `1` → V1; anything else as typed (its meaning is keyed by programme and exercice)."""

    def read(text: str):
        found = _STREAM.match(word_key(text))
        return f"V{found[1]}" if found else clean(text)

    return _result(texts, read)


def municipal_codes(texts: list[str]) -> Result:
    """Municipal codes as 5 digits: Excel drops the leading zero (`1023` is `01023`)."""

    def read(text: str):
        digits = re.sub(r"[.,]0+$", "", text.strip()).replace(" ", "").replace("\xa0", "")
        if word_key(digits) in _NOTHING:
            return None
        if not (digits.isascii() and digits.isdigit() and 4 <= len(digits) <= 5):
            raise ValueError(text)
        return digits.zfill(5)

    return _result(texts, read)


def postal_codes(texts: list[str]) -> Result:
    """Postal codes as `A1A 1A1`, or their first three characters alone."""

    def read(text: str):
        key = re.sub(r"[\s\xa0-]+", "", text.upper())
        if word_key(key) in _NOTHING:
            return None
        if not _POSTAL.match(key):
            raise ValueError(text)
        return f"{key[:3]} {key[3:]}".strip()

    return _result(texts, read)


def fiscal_years(texts: list[str]) -> Result:
    """`2021-2022`, `2021/22`, « exercice 2021–2022 » → `2021-2022`."""

    def read(text: str):
        if word_key(text) in _NOTHING:
            return None
        found = _EXERCICE.search(fold(text))
        if not found or int(found[2]) % 100 != (int(found[1]) + 1) % 100:
            raise ValueError(text)
        return f"{found[1]}-{int(found[1]) + 1}"

    return _result(texts, read)


def quarters(texts: list[str]) -> Result:
    """`3`, `T3`, `3e trimestre`, `T3 2021-2022` → 3."""

    def read(text: str):
        folded = fold(text).strip()
        if word_key(folded) in _NOTHING:
            return None
        if not (found := _QUARTER.match(re.sub(r"[.,]0$", "", folded))):
            raise ValueError(text)
        return int(found[1])

    return _result(texts, read)


_COUNTRY_WORDS = {
    "rdc": "COD", "rd congo": "COD", "congo rdc": "COD", "republique democratique du congo": "COD", "congo kinshasa": "COD",
    "zaire": "COD", "congo": "COG", "republique du congo": "COG", "usa": "USA", "etats unis d amerique": "USA",
    "e u": "USA", "us": "USA", "angleterre": "GBR", "grande bretagne": "GBR", "ecosse": "GBR", "uk": "GBR",
    "birmanie": "MMR", "myanmar": "MMR", "cap vert": "CPV", "vietnam": "VNM", "viet nam": "VNM", "coree": "KOR",
    "coree du sud": "KOR", "iran": "IRN", "republique islamique d iran": "IRN", "syrie": "SYR", "moldavie": "MDA",
    "moldova": "MDA", "cote ivoire": "CIV", "ivory coast": "CIV", "rca": "CAF", "centrafrique": "CAF", "palestine": "PSE",
    "kosovo": "XKX", "taiwan": "TWN", "hong kong": "HKG", "chine": "CHN", "macedoine": "MKD", "bielorussie": "BLR",
    "tcheque": "CZE", "republique tcheque": "CZE", "hollande": "NLD", "quebec": "CAN", "emirats": "ARE", "eau": "ARE",
    "guinee conakry": "GIN", "guinee bissau": "GNB", "salvador": "SLV", "trinite et tobago": "TTO", "swaziland": "SWZ",
}  # fmt: skip


@functools.cache
def country_words() -> dict[str, str]:
    """Names of countries in French and English, and their codes → ISO 3166-1 alpha-3."""
    from babel import Locale
    from babel.core import get_global

    # CLDR lists the three-letter codes as aliases of the two-letter ones
    three = {
        targets[0]: alias
        for alias, targets in sorted(get_global("territory_aliases").items())
        if len(alias) == 3 and alias.isalpha() and len(targets) == 1
    }
    # withdrawn codes that CLDR also points at a living country
    three |= {"CD": "COD", "MM": "MMR", "TL": "TLS", "RO": "ROU", "DE": "DEU", "FR": "FRA", "YE": "YEM", "RU": "RUS", "RS": "SRB"}
    words: dict[str, str] = {}
    for language in ("en", "fr"):
        for code, name in Locale(language).territories.items():
            if code in three:
                words[word_key(name)] = three[code]
    for code, alpha in three.items():
        words.setdefault(word_key(alpha), alpha)
        words.setdefault(word_key(code), alpha)
    return words | _COUNTRY_WORDS


def countries(texts: list[str]) -> Result:
    """
    Names of countries → ISO 3166-1 alpha-3.

    Examples
    --------
    >>> countries(["Côte d'Ivoire", "HAITI", "RDC", "Atlantide"])[0].tolist()
    ['CIV', 'HTI', 'COD', None]
    """
    words = country_words()

    def read(text: str):
        key = word_key(text)
        if key in _NOTHING:
            return None
        for article in ("", "la ", "le ", "les ", "l ", "republique de ", "republique du ", "republique d "):
            if key.startswith(article) and key.removeprefix(article) in words:
                return words[key.removeprefix(article)]
        raise KeyError(text)

    return _result(texts, read)
