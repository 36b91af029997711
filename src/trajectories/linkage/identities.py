"""Records → identities: what each organisation says of each person it has a file on.

Identities are linked, not rows (one for an organisation, a file number and a person behind it): a person with forty
rows in one file is compared once, by the most frequent of the fullest names and dates typed. A file that was closed and
opened again under another number, and rows without a file number, are first joined to their identity, where the same
organisation typed the same full name and birth date.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from ..exceptions import LinkageError
from ..tables import RECORDS, REGION
from .clusters import connected_components, shared_label_components
from .comparisons import MACROS

# ----------------------------------------------------------------------------------------------------
# Names as they can be compared: without accents, case, hyphens or order.
#
# Partners type one name in many ways (« Nguyễn Thị-Mai », « MAI NGUYEN THI »). The key of a name is the sorted
# list of its words, which also makes swapped given and family names equal. Work is done on unique spellings.

# Characters: the rest of a longer cell, into which something was pasted, is ignored.
LONGEST = 200
# The order of an organisation's names is known from its households where these have on average at least this many more
# distinct given names than family names (or the reverse).
PLAIN = 0.5
# Rounds in which the order of an organisation's names is inferred from the others', and the evidence (at most 2) from
# which the words of a single name override the order of its organisation.
ROUNDS, SURE = 4, 0.75
# Letters that Unicode does not decompose into a base letter and an accent.
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
    # twice: a mathematical or full-width letter has a case only once it is decomposed
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


# One sound, many romanisations (« Chérif / Sharif », « Youssef / Yusuf », « Khadija / Hadidja »): coarse on purpose, as
# agreement by sound has a level of its own, weaker than agreement by letters.
_SOUNDS = tuple(
    (re.compile(pattern), letter)
    for pattern, letter in (
        (r"sch|sh|ch|tch", "x"),
        (r"ph", "f"),
        (r"kh|gh|ck|q|k|c(?![eiy])", "k"),
        (r"ç|c|z|ts", "s"),
        (r"dj|j", "j"),
        (r"w|ou|oo", "u"),
        (r"th", "t"),
        (r"dh", "d"),
        (r"h", ""),
        (r"y", "i"),
        (r"(.)\1+", r"\1"),
        (r"(?<!^)[aeiou]", ""),
        (r"^[aeo]", "a"),
        (r"^[iu]", "i"),
        (r"(.)\1+", r"\1"),
    )
)


def sound(word: str) -> str:
    """
    Phonetic key of a simplified word, the same for all romanisations: its consonants, and an initial vowel.

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


def swapped_names(
    given: pd.Series, family: pd.Series, organisation: pd.Series, household: pd.Series, year: pd.Series
) -> np.ndarray:
    """
    Per row, whether given and family name are swapped.

    An initial is a given name. Else the order of an organisation's names is inferred from the members of its
    households, who share the family name, or from the words that organisations of known order use as family names; a
    single name counts as swapped against its organisation where its words are strong evidence.

    Parameters
    ----------
    given, family : Series of str
        Simplified names; a row where one is missing is not swapped.
    organisation, household, year : Series
        The organisation, the household and the year of birth of each row (the last two may be missing).

    Examples
    --------
    >>> ana, eva = {"given": "ana", "family": "roy", "year": "1990"}, {"given": "eva", "family": "roy", "year": "2015"}
    >>> a = pd.DataFrame([ana, eva]).assign(organisation="A", household="1")
    >>> b = a.assign(organisation="B", household=None, given=a["family"], family=a["given"])
    >>> swapped_names(**pd.concat([a, b], ignore_index=True)).tolist()
    [False, False, True, True]
    """
    keys = pd.MultiIndex.from_arrays([organisation, given, family])
    names = pd.DataFrame({"organisation": organisation, "given": given, "family": family})
    names = names.assign(household=household, year=year)[given.notna() & family.notna()]
    # one name per birth year of a household, as spellings of one person are not further members
    members = names.dropna().drop_duplicates(["organisation", "household", "year"])
    names = names.drop_duplicates(["organisation", "given", "family"])
    if names.empty:
        return np.zeros(len(given), dtype=bool)
    organisation_of = pd.factorize(names["organisation"])[0]
    first, last = (names[part].map(initials).to_numpy(dtype=bool) for part in ("given", "family"))
    by_initial = np.where(first & ~last, 1, np.where(last & ~first, -1, 0))
    members = members.groupby(["organisation", "household"])[["given", "family"]].nunique()
    members = members[members.max(axis=1) > 1]
    surplus = (members["given"] - members["family"]).groupby(level="organisation").agg(["sum", "size"])
    surplus = surplus[surplus["sum"].abs() >= PLAIN * surplus["size"]]["sum"]
    known = np.sign(names["organisation"].map(surplus).fillna(0).to_numpy())
    if not (known.any() or by_initial.any()):
        known = np.ones(len(names))
    order = np.where(by_initial != 0, by_initial, known).astype(float)
    word, at, side = _words_of(names)
    weight = side / np.bincount(at, minlength=len(names))[at]
    width = organisation_of.max() + 1
    for _ in range(ROUNDS):
        # use of each word by other organisations: as a family name where positive
        family_use = np.bincount(word, weights=side * order[at])
        own = np.bincount(
            word * width + organisation_of[at], weights=side * order[at], minlength=(word.max() + 1) * width
        )
        others = np.tanh(family_use[word] - own[word * width + organisation_of[at]])
        elsewhere = np.sign(np.bincount(organisation_of[at], weights=weight * others, minlength=width))[organisation_of]
        order = np.where(by_initial != 0, by_initial, np.where(known != 0, known, elsewhere))
    order = np.where(order == 0, 1, order)
    # the words of a name are judged by all other names
    family_use = np.bincount(word, weights=side * order[at])
    alone = np.bincount(at, weights=weight * np.tanh(family_use[word] - side * order[at]), minlength=len(names))
    swap = np.where((by_initial == 0) & (alone * order < -SURE), -order, order) < 0
    is_swapped = pd.Series(swap, index=pd.MultiIndex.from_frame(names[["organisation", "given", "family"]]))
    return is_swapped.reindex(keys, fill_value=False).to_numpy()


def initials(name: object) -> bool:
    """
    Whether all words of a simplified name are single letters.

    Examples
    --------
    >>> initials("j p"), initials("jo"), initials(None)
    (True, False, False)
    """
    return isinstance(name, str) and all(len(word) == 1 for word in name.split())


def _words_of(names: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The words of each name without single letters: their code, their row, and 1 in the family name, else −1."""
    rows = names[["family", "given"]].reset_index(drop=True)
    words = pd.concat([rows[part].str.split().explode() for part in rows])
    side = np.repeat([1.0, -1.0], [rows[part].str.split().str.len().sum() for part in rows])
    long = words.str.len().gt(1).to_numpy()
    return pd.factorize(words[long])[0], words.index.to_numpy()[long], side[long]


# ----------------------------------------------------------------------------------------------------
# DuckDB in memory, without output: the engine of the comparisons.

# The result does not depend on it: each pair is weighed alone, and pairs are sorted before anything is decided.
THREADS = min(4, os.cpu_count() or 1)
# Memory limit of DuckDB; the rest is spilled to the scratch folder.
MEMORY = "4GB"


@contextmanager
def connected(scratch: Path | None, threads: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in memory; an engine's error message may hold values, so only its type is passed on."""
    folder = "" if scratch is None else str(scratch)
    try:
        with duckdb.connect() as connection:
            connection.execute(f"SET threads = {threads or THREADS}; SET memory_limit = '{MEMORY}'")
            # where it is on only: in a notebook without ipywidgets even switching the bar off raises
            if connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (True,):
                connection.execute("SET enable_progress_bar = false")
            connection.execute("SET temp_directory = '" + folder.replace("'", "''") + "'")
            yield connection
    except duckdb.Error as error:
        raise LinkageError(type(error).__name__) from None


# ----------------------------------------------------------------------------------------------------
# Persons of a file number: one, as the form means it, or several who share it.
#
# Some organisations give a number to a household. Rows under one number with dissimilar given names and birth dates
# that no slip explains are of several persons. Where that is frequent, the organisation numbers households, and one of
# the two signs is enough. A row without a given name goes to the person of the closest birth date, else to that of the
# first row.

# From this share of an organisation's numbers on (among those with several rows), its numbers are those of households.
SHARED = 0.1
# With more given names than this, the number is a placeholder for « none ».
MOST_NAMES = 20
# Prior of that share: so many numbers of one person each.
FEW = 10

# `alike`: given names that may be one. `born`: 3 equal, 2 equal but for a slip (one part differs, day and month
# exchanged) or for the day, 1 a year apart where only years are known (from an age), 0 different, −1 not stated.
_PAIRS = """
SELECT l.profile AS left, r.profile AS right, l.number,
    coalesce(CASE
        WHEN l.given IS NULL OR r.given IS NULL THEN NULL
        WHEN l.initials OR r.initials THEN l.given[1] = r.given[1]
        ELSE alike(l.given, r.given, l.given_sounds, r.given_sounds)
             OR (alike(l.given, r.family, l.given_sounds, r.family_sounds)
                 AND alike(l.family, r.given, l.family_sounds, r.given_sounds)) END::INT, -1) AS alike,
    coalesce(alike(l.family, r.family, l.family_sounds, r.family_sounds), false) AS family,
    CASE
        WHEN l.birth_year IS NULL OR r.birth_year IS NULL THEN -1
        WHEN l.birth = r.birth OR (l.birth_vague AND r.birth_vague AND l.birth_year = r.birth_year) THEN 3
        WHEN l.birth_vague OR r.birth_vague
            THEN 2 - least(2, abs(CAST(l.birth_year AS INT) - CAST(r.birth_year AS INT)))
        ELSE 2 * (coalesce(l.birth = r.birth_swapped, false) OR one_part_differs(l.birth, r.birth))::INT END AS born,
    coalesce(l.birth = r.birth, false) AS same_day,
    coalesce(l.sex <> r.sex, false) AS sexes
FROM profiles l JOIN profiles r ON l.number = r.number AND l.profile < r.profile
"""


def persons_of_numbers(profiles: pd.DataFrame, connection: duckdb.DuckDBPyConnection) -> np.ndarray:
    """
    The person that each profile belongs to, among those who share its number.

    Parameters
    ----------
    profiles : DataFrame
        One row per distinct name, birth date and sex typed under a number of an organisation: profile (0, 1 …, in order
        of the first row of each), number (code of organisation and file number, −1 where there is none), organisation
        (code), rows, and names, birth and sex as in `Identities.table`.
    connection : DuckDBPyConnection
        With the macros of comparisons.py and the table `profiles`.

    Returns
    -------
    ndarray of int64, shape (n_profiles,)
        The first profile of the same person; a profile without a number is a person alone.
    """
    pairs = connection.execute(f"{_PAIRS} WHERE l.number >= 0 ORDER BY l.profile, r.profile").df()
    number = profiles["number"].to_numpy()
    apart, doubtful = _signs(pairs)
    habit = _households_of_pairs(profiles, pairs, apart | doubtful)
    shared = np.zeros(number.max(initial=0) + 1, dtype=bool)
    shared[pairs["number"][apart | (doubtful & habit[pairs["number"]])]] = True
    alone = np.where(number < 0, True, shared[number])
    part = _first_of(np.where(alone, -1 - np.arange(len(number)), number))
    inside = pairs[shared[pairs["number"]]]
    return _parted(part, profiles, inside) if len(inside) else part


def _signs(pairs: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Pairs that are two persons by both names and births, and those that are by one of the two."""
    names, births = pairs["alike"].eq(0), pairs["born"].eq(0)
    return names & births, births | (names & (~pairs["same_day"] | pairs["sexes"]))


def _households_of_pairs(profiles: pd.DataFrame, pairs: pd.DataFrame, sign: pd.Series) -> np.ndarray:
    """For each number, whether its organisation's numbers are those of households."""
    numbers = (
        profiles[profiles["number"] >= 0]
        .groupby("number")
        .agg(organisation=("organisation", "first"), rows=("rows", "sum"))
    )
    numbers["several"] = (numbers["rows"] > 1).astype(float)
    numbers["sign"] = numbers.index.isin(pairs["number"][sign])
    totals = numbers.groupby("organisation")[["several", "sign"]].transform("sum")
    return (totals["sign"] / (totals["several"] + FEW)).gt(SHARED).to_numpy()


def _parted(part: np.ndarray, profiles: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Split the shared numbers into persons: by similar given names, then by birth dates, then by the best match."""
    n = len(part)
    named = (profiles["given"].notna() & ~profiles["initials"]).to_numpy()
    dated = ~named & profiles["birth_year"].notna().to_numpy()
    blank = ~named & ~dated
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    names, births = pairs["alike"].to_numpy(), pairs["born"].to_numpy()
    same_person = named[left] & named[right] & (names == 1) & (births != 0)
    core = connected_components(left[same_person], right[same_person], n)
    both_ways = pd.concat([pairs, pairs.rename(columns={"left": "right", "right": "left"})], ignore_index=True)
    core, is_placed = _to_the_likeliest(core, both_ways, dated, named)
    rest = dated & ~is_placed
    like = (births >= 2) & (names != 0) & (pairs["family"] | pairs["same_day"]).to_numpy()
    same_person = rest[left] & rest[right] & like & ~pairs["sexes"].to_numpy()
    core = np.where(rest, connected_components(left[same_person], right[same_person], n), core)
    core, is_placed = _to_the_likeliest(core, both_ways, blank, ~blank)
    # a row that states nothing is of the first row's person
    number = profiles["number"].to_numpy()
    inside = np.isin(number, pairs["number"].unique())
    first = np.full(number.max() + 1, n)
    np.minimum.at(first, number[inside], core[inside])
    rest = inside & blank & ~is_placed
    core[rest] = first[number[rest]]
    return np.where(inside, core, part)


def _to_the_likeliest(
    core: np.ndarray, pairs: pd.DataFrame, to_place: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Join each profile of `to_place` to its best match in `targets` (the first on a tie); also whether it has one."""
    candidates = pairs[to_place[pairs["left"]] & targets[pairs["right"]] & pairs["born"].ne(0) & pairs["alike"].ne(0)]
    score = (
        4 * candidates["born"]
        + 2 * candidates["alike"].eq(1)
        + candidates["family"]
        + candidates["same_day"]
        - 3 * candidates["sexes"]
    )
    candidates = candidates.assign(score=score).sort_values(["left", "score", "right"], ascending=[True, False, True])
    best = candidates.drop_duplicates("left")
    core = core.copy()
    core[best["left"]] = core[best["right"]]
    is_placed = np.zeros(len(core), dtype=bool)
    is_placed[best["left"]] = True
    return core, is_placed


def _first_of(codes: np.ndarray) -> np.ndarray:
    """The first position of each code."""
    _, first, position = np.unique(codes, return_index=True, return_inverse=True)
    return first[position].astype(np.int64)


# ----------------------------------------------------------------------------------------------------

# Separates the parts of an identity's key: a character that no cell holds after reading.
GAP = "\x1f"
# The dates on which a file was used; other dates are facts that a new file repeats.
_USED = tuple(f"{name}_{end}" for name in ("service_date", "follow_up_date") for end in ("earliest", "latest"))
# The order in which the rows of a file number were typed.
_ORDER = ("fiscal_year", "quarter", "deposit_date", "file", "sheet", "row")
_READ = (
    "record_id", "organisation_id", "organisation_zone", "file_number", "household_number", "given_name",
    "family_name", "birth_date_earliest", "birth_date_latest", "sex", "birth_country", "immigration_category",
    "arrival_date_earliest", "arrival_date_latest", "household_size", "postal_code", "residence_code",
    "residence_region", "residence_zone", "destination_code", "destination_region", "destination_zone", *_USED, *_ORDER,
)  # fmt: skip
# With more members than this, the household number is a placeholder for « none ».
MOST_MEMBERS = 30


@dataclass(frozen=True)
class Identities:
    """
    The persons that each organisation has a file on.

    Attributes
    ----------
    of_record : ndarray of int64, shape (n_records,)
        The identity of each record.
    table : DataFrame
        One row per identity, in order of `key`: key (organisation and smallest file number), organisation, household
        (position of the organisation's household, −1 where it gives no number), numbered (whether it has a file
        number), files (how many were joined), the values typed (given, family, name, birth …) and the first and last
        day of use (first, last).
    lists : Table
        For DuckDB: the same rows, with the columns that hold several values (words, towns, regions, postal codes).
    """

    of_record: np.ndarray
    table: pd.DataFrame
    lists: pa.Table


def identify(records: pd.DataFrame) -> Identities:
    """The identities of the table `records`; the result does not depend on the order of its rows."""
    records = _with_all_columns(records)
    organisation = records["organisation_id"].astype(str)
    typed = _typed(records, organisation)
    of_record, keys, shared = _identities(records, organisation, typed)
    table = _described(records, typed, of_record)
    table["key"] = keys
    table["numbered"] = table["key"].str.startswith("0")
    number = pd.Series(pd.factorize(records["file_number"])[0]).groupby(of_record)
    table["files"] = number.nunique().to_numpy()
    table["household"] = _households(records, organisation, of_record, shared)
    days = records[list(_USED)]
    table["first"] = days.min(axis=1).groupby(of_record).min().to_numpy()
    table["last"] = days.max(axis=1).groupby(of_record).max().to_numpy()
    return Identities(of_record, table, _lists(records, of_record, table))


def _with_all_columns(records: pd.DataFrame) -> pd.DataFrame:
    """The columns `_READ` of the records; a column that the caller's table lacks is missing on every row."""
    kinds = {name: column.type for name, column in RECORDS.columns.items()}
    absent = {
        name: pd.Series(None, index=records.index, dtype="datetime64[ns]" if kinds[name] == "date" else "object")
        for name in _READ
        if name not in records
    }
    return records.assign(**absent)[list(_READ)].reset_index(drop=True)


def _typed(records: pd.DataFrame, organisation: pd.Series) -> pd.DataFrame:
    """Per row, comparable names and birth, and the profile: rows of one number with the same names, birth and sex."""
    simple = {
        text: simplify(text) or None
        for part in ("given_name", "family_name")
        for text in records[part].unique()
        if isinstance(text, str)
    }
    given, family = (records[part].map(simple).astype("object") for part in ("given_name", "family_name"))
    born = _interval(records, "birth_date")
    household = records["household_number"].where(records["household_number"].notna(), records["file_number"])
    swapped = swapped_names(given, family, organisation, household, born.str[:4])
    letters = {text: initials(text) for text in simple.values()}
    swapped |= (given.isna() & family.map(letters).eq(True)).to_numpy()
    given, family = given.where(~swapped, family), family.where(~swapped, given)
    typed = pd.DataFrame({"given": given, "family": family, "birth_date": born})
    typed["initials"] = given.map(letters).eq(True)
    label = [organisation, records["file_number"], given, family, typed["birth_date"], records["sex"]]
    typed["profile"] = pd.DataFrame(dict(enumerate(label))).groupby(list(range(6)), sort=True, dropna=False).ngroup()
    return typed


# ── identities of records ────────────────────────────────────────────────────────────────────────────────────────
def _identities(
    records: pd.DataFrame, organisation: pd.Series, typed: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The identity of each record, the key of each identity, and whether several persons share the record's number."""
    profiles, profile_of = _profiles(records, organisation, typed)
    with connected(None) as connection:
        connection.execute(MACROS)
        connection.register("profiles", _with_words(profiles))
        part = persons_of_numbers(profiles, connection)
    number = profiles["number"].to_numpy()
    shared = (number >= 0) & pd.Series(part).groupby(number).transform("nunique").gt(1).to_numpy()
    born = profiles["birth_date"].fillna("")
    own = "0" + GAP + profiles["organisation_id"] + GAP + profiles["file_number"]
    # a person under a shared number is named after the first row, so that later rows do not change the key
    first_row = (profiles["name"].fillna("") + GAP + born).iloc[part].reset_index(drop=True)
    own = own.where(~shared, own + GAP + first_row).where(number >= 0)
    named = "1" + GAP + profiles["organisation_id"] + GAP + profiles["name"] + GAP + born
    key = own.fillna(named).iloc[profile_of].reset_index(drop=True)
    of_record, keys = _joined(key.fillna("2" + GAP + records["record_id"]), _same_within(profiles).iloc[profile_of])
    return of_record, keys, shared[profile_of]


def _profiles(records: pd.DataFrame, organisation: pd.Series, typed: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """One row per profile, in order of the first row of each, and the profile of each record."""
    order = [pd.factorize(records[name], sort=True)[0] for name in _ORDER]
    order = np.lexsort([typed["profile"], *order[::-1]])
    first = order[~typed["profile"].iloc[order].duplicated().to_numpy()]
    position = np.empty(len(first), dtype=np.int64)
    position[typed["profile"].iloc[first]] = np.arange(len(first))
    profile_of = position[typed["profile"]]
    profiles = _with_births(typed.iloc[first].reset_index(drop=True))
    profiles["profile"] = np.arange(len(profiles))
    profiles["rows"] = np.bincount(profile_of, minlength=len(profiles))
    profiles["organisation_id"] = organisation.to_numpy()[first]
    profiles["organisation"] = pd.factorize(profiles["organisation_id"])[0]
    for name in ("file_number", "sex"):
        profiles[name] = records[name].to_numpy()[first]
    profiles["name"] = name_keys(profiles["given"], profiles["family"])
    numbers = (profiles["organisation_id"] + GAP + profiles["file_number"]).where(profiles["file_number"].notna())
    number = pd.factorize(numbers)[0]
    names = profiles["given"].where(~profiles["initials"]).groupby(number).transform("nunique")
    profiles["number"] = np.where(names > MOST_NAMES, -1, number)
    return profiles, profile_of


def _same_within(profiles: pd.DataFrame) -> pd.Series:
    """A label shared by profiles of one organisation with the same full name, birth date and, where stated, sex."""
    full = profiles["given"].notna() & profiles["family"].notna() & ~profiles["initials"]
    label = (profiles["organisation_id"] + GAP + profiles["name"] + GAP + profiles["birth"]).where(full)
    both = profiles["sex"].groupby(label).transform("nunique") > 1
    # F and M under one name and date are two persons (twins, homonyms); a missing sex is joined to neither
    return label.where(~both, label + GAP + profiles["sex"].fillna("?").astype(str))


def _joined(key: pd.Series, same: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The identity of each record, in order of the smallest key of each identity, and those keys."""
    codes, keys = pd.factorize(key, sort=True)
    component = shared_label_components(key, same)
    smallest = np.full(len(codes), len(keys))
    np.minimum.at(smallest, component, codes)
    kept, of_record = np.unique(smallest[component], return_inverse=True)
    return of_record.astype(np.int64), np.asarray(keys, dtype=object)[kept]


def _households(
    records: pd.DataFrame, organisation: pd.Series, of_record: np.ndarray, shared: np.ndarray
) -> np.ndarray:
    """The organisation's household of each identity (the number typed most often), −1 where none is typed."""
    label = organisation + GAP + records["household_number"]
    # a file number that several persons share is their household's
    label = label.where(~shared, organisation + GAP + GAP + records["file_number"])
    codes, _ = pd.factorize(label, sort=True)
    household = most_frequent(of_record, codes)
    members = np.bincount(household[household >= 0], minlength=household.max(initial=0) + 1)
    return np.where(members[household] <= MOST_MEMBERS, household, -1)


def most_frequent(group: np.ndarray, codes: np.ndarray, rank: np.ndarray | None = None) -> np.ndarray:
    """
    The code that each group holds most often (the smallest of those as frequent), −1 where all are −1.

    With a `rank`, of the codes of the highest rank in the group.

    Examples
    --------
    >>> most_frequent(np.array([0, 0, 0, 1]), np.array([5, 7, 7, -1]))
    array([ 7, -1])
    >>> most_frequent(np.array([0, 0, 0]), np.array([5, 7, 7]), rank=np.array([2, 1, 1]))
    array([5])
    """
    n = int(group.max(initial=-1)) + 1
    modes = np.full(n, -1, dtype=np.int64)
    known = codes >= 0
    if rank is not None:
        best = np.full(n, rank.min(initial=0))
        np.maximum.at(best, group[known], rank[known])
        known &= rank == best[group]
    if not known.any():
        return modes
    width = int(codes.max()) + 1
    pairs, counts = np.unique(group[known] * width + codes[known], return_counts=True)
    groups, code = pairs // width, pairs % width
    order = np.lexsort((code, -counts, groups))
    first = np.concatenate([[True], groups[order][1:] != groups[order][:-1]])
    modes[groups[order][first]] = code[order][first]
    return modes


# ── values of each identity ──────────────────────────────────────────────────────────────────────────────────
def _described(records: pd.DataFrame, typed: pd.DataFrame, of_record: np.ndarray) -> pd.DataFrame:
    """The values compared: per identity and column the most frequent of the fullest."""
    given, family = typed["given"], typed["family"]
    # given and family name are taken from one row: combined from two rows they could name a third person
    full_name = (given.fillna("") + GAP + family.fillna("")).where(given.notna() | family.notna())
    parts = given.notna().astype(int) + family.notna()
    born = typed["birth_date"]
    is_exact = (born.str[:8].eq(born.str[8:]) & born.str[4:8].ne("0101")).fillna(value=False)
    columns = {
        "whole_name": (full_name, 2 * parts - typed["initials"]),
        "birth_date": (born, is_exact),
        "arrival_date": (_interval(records, "arrival_date"), None),
        "sex": (records["sex"], None),
        "country": (records["birth_country"], None),
        "category": (records["immigration_category"], None),
        "size": (records["household_size"], None),
        "zone": (records["organisation_zone"], None),
        "organisation": (records["organisation_id"].astype(str), None),
        "number": (records["file_number"], None),
    }
    modes = {}
    for name, (column, rank) in columns.items():
        codes, values = pd.factorize(column, sort=True)
        code = most_frequent(of_record, codes, None if rank is None else rank.to_numpy().astype(int))
        picked = np.asarray(values, dtype=object)[np.maximum(code, 0)] if len(values) else np.full(len(code), None)
        modes[name] = np.where(code >= 0, picked, None)  # type: ignore[arg-type]
    table = pd.DataFrame(modes)
    named = table.pop("whole_name").str.split(GAP, n=1, expand=True).reindex(columns=[0, 1])
    named = named.astype("object").where(named.notna() & named.ne(""), None)
    table["given"], table["family"], table["name"] = named[0], named[1], name_keys(named[0], named[1])
    table["initials"] = table["given"].map(initials)
    table = _with_births(table).drop(columns="birth_date")
    arrival = table.pop("arrival_date")
    table["arrival"] = arrival.str[:8].where(arrival.str[:8] == arrival.str[8:])
    table["arrival_earliest"] = pd.to_datetime(arrival.str[:8], format="%Y%m%d")
    table["arrival_latest"] = pd.to_datetime(arrival.str[8:], format="%Y%m%d")
    table["size"] = table["size"].astype("float64")
    return table


def _interval(records: pd.DataFrame, name: str) -> pd.Series:
    earliest, latest = records[f"{name}_earliest"], records[f"{name}_latest"]
    unique = pd.DataFrame({"a": earliest, "b": latest})
    codes = unique.groupby(["a", "b"], sort=True).ngroup()
    text = unique.assign(code=codes).drop_duplicates("code").dropna()
    label = text["a"].dt.strftime("%Y%m%d") + text["b"].dt.strftime("%Y%m%d")
    return codes.map(dict(zip(text["code"], label, strict=True))).astype("string")


def _with_births(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of the birth date: the day where it is known, the same with day and month exchanged, the year."""
    birth = table["birth_date"].astype("string")
    day = birth.str[:8].where(birth.str[:8] == birth.str[8:])
    year = birth.str[:4].where(birth.str[:4] == birth.str[8:12])
    # « 1 January » is a placeholder: as vague as the year alone
    vague = (day.isna() | day.str.endswith("0101")) & year.notna()
    day = day.where(~vague)
    dom, month = day.str[6:], day.str[4:6]
    swapped = (day.str[:4] + dom + month).where((dom <= "12") & (dom != month))
    return table.assign(birth_year=year, birth_vague=vague, birth=day, birth_swapped=swapped)


# ── lists of values per identity ────────────────────────────────────────────────────────────────────────────
def _lists(records: pd.DataFrame, of_record: np.ndarray, table: pd.DataFrame) -> pa.Table:
    n = len(table)
    towns, regions = [], []
    for column_name in ("residence", "destination"):
        inside = records[f"{column_name}_zone"].eq(REGION)
        towns.append(records[f"{column_name}_code"].where(inside))
        regions.append(records[f"{column_name}_region"].where(inside))
    lists = _with_words(table.drop(columns=["first", "last", "key", "files"]))
    columns = {
        "identity": pa.array(np.arange(n, dtype=np.int64)),
        "household_sounds": _of_households(lists["family_sounds"], table["household"].to_numpy()),
        "years": _gathered(of_record, [records["fiscal_year"]], n),
        "quarters": _gathered(of_record, [records["fiscal_year"] + " " + records["quarter"].astype("string")], n),
        "towns": _gathered(of_record, towns, n),
        "regions": _gathered(of_record, regions, n),
        "postal_codes": _gathered(of_record, [records["postal_code"].str.replace(" ", "").str.upper()], n),
    }
    for name, column in columns.items():
        lists = lists.append_column(name, column)
    return lists


def _with_words(table: pd.DataFrame) -> pa.Table:
    """The table with the words of names and their sounds as further columns."""
    words_table = pa.Table.from_pandas(table, preserve_index=False)
    # a column without any value has the type null: it is made text
    fields = [pa.field(f.name, pa.string() if pa.types.is_null(f.type) else f.type) for f in words_table.schema]
    words_table = words_table.cast(pa.schema(fields))
    for part in ("given", "family", "name"):
        words, sounds = _words(table[part])
        words_table = words_table.append_column(f"{part}_words", words).append_column(f"{part}_sounds", sounds)
    return words_table


def _words(names: pd.Series) -> tuple[pa.Array, pa.Array]:
    """The words of each name, and their sounds, as lists (null where there is no name)."""
    codes, unique = pd.factorize(names)
    split = [sorted(set(text.split())) for text in unique]
    heard = {word: sound(word) or word for words in split for word in words}
    take = pa.array(codes, mask=codes < 0)
    words = pa.array(split, type=pa.list_(pa.string()))
    sounds = pa.array([sorted({heard[w] for w in ws}) for ws in split], type=pa.list_(pa.string()))
    return words.take(take), sounds.take(take)


def _of_households(sounds: pa.ChunkedArray, household: np.ndarray) -> pa.Array:
    """The sounds of all family names of each identity's household (null where it has none)."""
    known = pd.DataFrame({"household": household, "sounds": sounds.to_pandas()})
    known = known[known["household"] >= 0].explode("sounds")
    lists = _gathered(known["household"].to_numpy(), [known["sounds"]], household.max(initial=-1) + 1)
    return lists.take(pa.array(household, mask=household < 0))


def _gathered(of_record: np.ndarray, columns: list[pd.Series], n: int) -> pa.Array:
    """The distinct values of the columns per identity, as sorted lists (empty where there is none)."""
    codes, values = pd.factorize(pd.concat(columns, ignore_index=True).astype("object"), sort=True)
    identity_of = np.tile(of_record, len(columns))
    known = codes >= 0
    pairs = np.unique(identity_of[known] * max(len(values), 1) + codes[known])
    offsets = np.searchsorted(pairs // max(len(values), 1), np.arange(n + 1))
    picked = pa.array(np.asarray(values, dtype=object), type=pa.string()).take(pa.array(pairs % max(len(values), 1)))
    return pa.ListArray.from_arrays(pa.array(offsets, type=pa.int32()), picked)
