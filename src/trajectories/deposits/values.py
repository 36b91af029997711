"""Typed words → codes: categories, levels, yes and no, numbers, periods. Work is on distinct texts.

Each function takes distinct texts and returns (values, unreadable): an object array with None where nothing was typed
or nothing could be read, and a mask of the second.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from ..places.spelling import fold
from .crosswalks import word_key

# Typed for « nothing » in a column of words: missing, and no fault.
NOTHING = frozenset((
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


def read_each(texts: list[str], read: Callable[[str], object]) -> Result:
    """
    Each text read on its own.

    `read` returns the value, None for nothing typed, or raises KeyError or ValueError for what it cannot read.
    """
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
        return words[key] if key in words or key not in NOTHING else None

    return read_each(texts, read)


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
            elif part not in NOTHING:
                unreadable[i] = True
        values[i] = ";".join(codes) or None
    return values, unreadable


def named(texts: list[str], words: dict[str, str]) -> Result:
    """Words of an open list → codes; a word that is not in it stays as it was typed."""
    return read_each(texts, lambda text: words.get(word_key(text), clean(text)))


def french_levels(texts: list[str], words: dict[str, str]) -> Result:
    """Words, or a level 0–12 of the Échelle québécoise, also as `niveau 5` or `5/12`."""

    def read(text: str):
        if found := _FRACTION.match(fold(text).strip()):
            return words[str(int(found[1]))]
        key = word_key(text)
        return words[key] if key in words or key not in NOTHING else None

    return read_each(texts, read)


def yes_no(texts: list[str], words: dict[str, str]) -> Result:
    """Yes and no → True and False."""
    values, unreadable = coded(texts, words)
    flags = {"yes": True, "no": False, None: None}
    return np.array([flags[value] for value in values], dtype=object), unreadable


def whole_numbers(texts: list[str], lowest: int, highest: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Small whole numbers → (numbers, unreadable, impossible): the last are numbers outside [lowest, highest]."""

    def read(text: str):
        folded = fold(text).strip()
        if word_key(folded) in NOTHING:
            return None
        found = _NUMBER.match(folded)
        if not found:
            raise ValueError(text)
        return int(found[1].replace("−", "-"))

    values, unreadable = read_each(texts, read)
    impossible = np.array([value is not None and not lowest <= value <= highest for value in values], dtype=bool)
    values[impossible] = None
    return values, unreadable, impossible


def clean(text: str) -> str | None:
    """A text with single plain spaces, or None."""
    return " ".join(text.split()) or None


def plain(texts: list[str]) -> Result:
    """Texts as typed, spaces put right."""
    return read_each(texts, clean)


def streams(texts: list[str]) -> Result:
    """`V1`, `volet 1`, `1` → V1; anything else as typed (its meaning is keyed by programme and exercice)."""

    def read(text: str):
        found = _STREAM.match(word_key(text))
        return f"V{found[1]}" if found else clean(text)

    return read_each(texts, read)


def municipal_codes(texts: list[str]) -> Result:
    """Municipal codes as 5 digits: Excel drops the leading zero (`1023` is `01023`)."""

    def read(text: str):
        digits = re.sub(r"[.,]0+$", "", text.strip()).replace(" ", "").replace("\xa0", "")
        if word_key(digits) in NOTHING:
            return None
        if not (digits.isascii() and digits.isdigit() and 4 <= len(digits) <= 5):
            raise ValueError(text)
        return digits.zfill(5)

    return read_each(texts, read)


def postal_codes(texts: list[str]) -> Result:
    """Postal codes as `A1A 1A1`, or their first three characters alone."""

    def read(text: str):
        key = re.sub(r"[\s\xa0-]+", "", text.upper())
        if word_key(key) in NOTHING:
            return None
        if not _POSTAL.match(key):
            raise ValueError(text)
        return f"{key[:3]} {key[3:]}".strip()

    return read_each(texts, read)


def fiscal_years(texts: list[str]) -> Result:
    """`2021-2022`, `2021/22`, « exercice 2021–2022 » → `2021-2022`."""

    def read(text: str):
        if word_key(text) in NOTHING:
            return None
        found = _EXERCICE.search(fold(text))
        if not found or int(found[2]) % 100 != (int(found[1]) + 1) % 100:
            raise ValueError(text)
        return f"{found[1]}-{int(found[1]) + 1}"

    return read_each(texts, read)


def quarters(texts: list[str]) -> Result:
    """`3`, `T3`, `3e trimestre`, `T3 2021-2022` → 3."""

    def read(text: str):
        folded = fold(text).strip()
        if word_key(folded) in NOTHING:
            return None
        if not (found := _QUARTER.match(re.sub(r"[.,]0$", "", folded))):
            raise ValueError(text)
        return int(found[1])

    return read_each(texts, read)
