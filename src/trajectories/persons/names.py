"""Names as they can be compared: without accents, case, hyphens or order.

Partners type one name in many ways (« Nguyễn Thị-Mai », « MAI NGUYEN THI »). The key of a name is the sorted
list of its words, which also makes swapped given and family names equal. Work is done on unique spellings.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pandas as pd

# No name is longer: what lies beyond, in a cell that something was pasted into, is not looked at.
LONGEST = 200
# Letters that Unicode does not take apart into a base letter and an accent.
_LETTERS = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "œ": "oe", "æ": "ae", "ß": "ss", "ı": "i"})


def simplify(name: str) -> str:
    """
    Lower-case words of plain letters and digits, one space apart.

    Examples
    --------
    >>> simplify("  Nguyễn-Thị  MAI ")
    'nguyen thi mai'
    """
    name = name[:LONGEST]
    # twice: a mathematical or full-width letter shows its case only once it is taken apart
    letters = name
    for _ in range(2):
        letters = unicodedata.normalize("NFKD", letters).casefold().translate(_LETTERS)
    letters = unicodedata.normalize("NFKD", letters)
    kept = (c if c.isalnum() else " " for c in letters if not unicodedata.combining(c))
    return " ".join("".join(kept).split())[:LONGEST].rstrip()


def name_keys(given: pd.Series, family: pd.Series) -> pd.Series:
    """
    The comparable key of each person's name: its words sorted; None where neither name is known.

    Examples
    --------
    >>> name_keys(pd.Series(["Ana-Lucía", "Pérez"]), pd.Series(["Pérez", "Ana Lucia"])).tolist()
    ['ana lucia perez', 'ana lucia perez']
    """
    # each spelling is simplified once, each pair of them sorted once
    simple = {
        name: simplify(name).split() for part in (given, family) for name in part.unique() if isinstance(name, str)
    }
    pairs = pd.MultiIndex.from_arrays([given, family])
    codes, unique = pd.factorize(pairs)
    keys = [" ".join(sorted(simple.get(g, []) + simple.get(f, []))) or None for g, f in unique]
    return pd.Series(np.asarray([*keys, None], dtype=object)[codes], index=given.index)


# One sound, many romanisations (« Chérif / Sharif », « Youssef / Yusuf », « Khadija / Hadidja »): rough on purpose,
# since agreement by sound is weaker evidence than agreement by letters, and is weighed as such.
_SOUNDS = tuple(
    (re.compile(pattern), letter)
    for pattern, letter in (
        (r"sch|sh|ch|tch", "x"), (r"ph", "f"), (r"kh|gh|ck|q|k|c(?![eiy])", "k"), (r"ç|c|z|ts", "s"), (r"dj|j", "j"),
        (r"w|ou|oo", "u"), (r"th", "t"), (r"dh", "d"), (r"h", ""), (r"y", "i"), (r"(.)\1+", r"\1"),
        (r"(?<!^)[aeiou]", ""), (r"^[aeo]", "a"), (r"^[iu]", "i"), (r"(.)\1+", r"\1"),
    )
)  # fmt: skip


def sound(word: str) -> str:
    """
    What a simplified word sounds like, whichever way it was romanised: consonants, and whether it begins with a vowel.

    Examples
    --------
    >>> sound("youssef") == sound("yusuf"), sound("mohamed") == sound("muhammad"), sound("cherif") == sound("sharif")
    (True, True, True)
    >>> sound("lopez") == sound("garcia")
    False
    """
    for pattern, letter in _SOUNDS:
        word = pattern.sub(letter, word)
    return word
