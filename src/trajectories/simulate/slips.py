"""Slips of the keyboard and of the encoding, on one text at a time."""

from __future__ import annotations

import unicodedata

import numpy as np

from .chance import pick

_NEAR = {
    "a": "qzs", "b": "vn", "c": "xv", "d": "sf", "e": "rz", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "km", "m": "l", "n": "b", "o": "ip", "p": "o", "q": "a", "r": "et", "s": "dq", "t": "ry",
    "u": "yi", "v": "cb", "x": "c", "y": "tu", "z": "ae",
}  # fmt: skip
_LATIN = str.maketrans({"œ": "oe", "Œ": "OE", "æ": "ae", "–": "-", "’": "'"})


def drop_accents(text: str) -> str:
    """The text without accents.

    >>> drop_accents("Trois-Rivières")
    'Trois-Rivieres'
    """
    decomposed = unicodedata.normalize("NFD", text.translate(_LATIN))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def slip(text: str, rng: np.random.Generator) -> str:
    """One letter dropped, doubled, swapped with the next, or replaced by its neighbour; never the first."""
    spots = [i for i in range(1, len(text)) if text[i].isalpha()]
    if len(spots) < 4:
        return text
    i, kind = pick(rng, spots), int(rng.random() * 4)
    letter = text[i]
    if kind == 0:
        return text[:i] + text[i + 1 :]
    if kind == 1:
        return text[:i] + letter + text[i:]
    if kind == 2 and i + 1 < len(text) and text[i + 1].isalpha() and text[i + 1] != letter:
        return text[:i] + text[i + 1] + letter + text[i + 2 :]
    near = _NEAR.get(drop_accents(letter).lower(), "e")
    return text[:i] + pick(rng, near) + text[i + 1 :]


def mojibake(text: str) -> str:
    """UTF-8 read as cp1252, where that can be done and undone.

    >>> mojibake("Montréal")
    'MontrÃ©al'
    """
    try:
        return text.encode("utf-8").decode("cp1252")
    except UnicodeDecodeError:
        return text


def nfd(text: str) -> str:
    """Accents as separate characters, as some Macs write them."""
    return unicodedata.normalize("NFD", text)
