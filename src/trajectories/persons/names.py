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
# How many more given than family names a household of an organisation must show, for its order to be known from them.
PLAIN = 0.5
# How often organisations' orders are told by each other's, and how sure the words of one name must be against its
# organisation's order (of 2 for a family name that is one, and a given name that is one).
ROUNDS, SURE = 4, 0.75
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


def turned(
    given: pd.Series, family: pd.Series, organisation: pd.Series, household: pd.Series, year: pd.Series
) -> np.ndarray:
    """
    Which names stand in the other order: the family name where the given name belongs.

    An initial is of a given name. Else an organisation's order is told by the members of its households, who share the
    family name, or by the words that organisations of which the order is known use as family names; a single name is
    turned where its words say so, against its organisation.

    Parameters
    ----------
    given, family : Series of str
        Simplified names; a row where one is missing is left as it is.
    organisation, household, year : Series
        Who typed them, of which household, and of whom born in which year (missing where that is not known).

    Examples
    --------
    >>> ana, eva = {"given": "ana", "family": "roy", "year": "1990"}, {"given": "eva", "family": "roy", "year": "2015"}
    >>> a = pd.DataFrame([ana, eva]).assign(organisation="A", household="1")
    >>> b = a.assign(organisation="B", household=None, given=a["family"], family=a["given"])
    >>> turned(**pd.concat([a, b], ignore_index=True)).tolist()
    [False, False, True, True]
    """
    keys = pd.MultiIndex.from_arrays([organisation, given, family])
    names = pd.DataFrame({"organisation": organisation, "given": given, "family": family})
    names = names.assign(household=household, year=year)[given.notna() & family.notna()]
    # one name for each birth year of a household: the ways in which one person is typed are no members
    members = names.dropna().drop_duplicates(["organisation", "household", "year"])
    names = names.drop_duplicates(["organisation", "given", "family"])
    if names.empty:
        return np.zeros(len(given), dtype=bool)
    of = pd.factorize(names["organisation"])[0]
    first, last = (names[part].map(initials).to_numpy(dtype=bool) for part in ("given", "family"))
    by_initial = np.where(first & ~last, 1, np.where(last & ~first, -1, 0))
    members = members.groupby(["organisation", "household"])[["given", "family"]].nunique()
    members = members[members.max(axis=1) > 1]
    more = (members["given"] - members["family"]).groupby(level="organisation").agg(["sum", "size"])
    more = more[more["sum"].abs() >= PLAIN * more["size"]]["sum"]
    known = np.sign(names["organisation"].map(more).fillna(0).to_numpy())
    if not (known.any() or by_initial.any()):
        known = np.ones(len(names))
    order = np.where(by_initial != 0, by_initial, known).astype(float)
    word, at, side = _words_of(names)
    weight = side / np.bincount(at, minlength=len(names))[at]
    width = of.max() + 1
    for _ in range(ROUNDS):
        # what other organisations make of each word: a family name where positive
        said = np.bincount(word, weights=side * order[at])
        own = np.bincount(word * width + of[at], weights=side * order[at], minlength=(word.max() + 1) * width)
        others = np.tanh(said[word] - own[word * width + of[at]])
        elsewhere = np.sign(np.bincount(of[at], weights=weight * others, minlength=width))[of]
        order = np.where(by_initial != 0, by_initial, np.where(known != 0, known, elsewhere))
    order = np.where(order == 0, 1, order)
    # its own use of a word says nothing of a name
    said = np.bincount(word, weights=side * order[at])
    alone = np.bincount(at, weights=weight * np.tanh(said[word] - side * order[at]), minlength=len(names))
    turn = np.where((by_initial == 0) & (alone * order < -SURE), -order, order) < 0
    found = pd.Series(turn, index=pd.MultiIndex.from_frame(names[["organisation", "given", "family"]]))
    return found.reindex(keys, fill_value=False).to_numpy()


def initials(name: object) -> bool:
    """
    Whether a simplified name is letters alone.

    Examples
    --------
    >>> initials("j p"), initials("jo"), initials(None)
    (True, False, False)
    """
    return isinstance(name, str) and all(len(word) == 1 for word in name.split())


def _words_of(names: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The words of each name, letters left out: their code, the row they are of, and 1 in the family name, else −1."""
    rows = names[["family", "given"]].reset_index(drop=True)
    words = pd.concat([rows[part].str.split().explode() for part in rows])
    side = np.repeat([1.0, -1.0], [rows[part].str.split().str.len().sum() for part in rows])
    long = words.str.len().gt(1).to_numpy()
    return pd.factorize(words[long])[0], words.index.to_numpy()[long], side[long]
