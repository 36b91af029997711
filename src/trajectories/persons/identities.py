"""Records → identities: what each organisation says of each person it has a file on.

What is linked is not rows but identities, one for an organisation, a file number and a person behind it
(file_numbers.py): a person with forty rows in one file is compared once, by the fullest name and date that were typed,
and of those the most frequent. A file that was closed and opened again under another number, and rows without a file
number, are joined to their identity first, where the same organisation typed the same full name and birth date.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from ..tables import RECORDS, REGION
from .comparisons import MACROS
from .components import shared_label_components
from .engine import connected
from .file_numbers import MOST_NAMES, persons_of_numbers
from .names import initials, name_keys, simplify, sound, turned

# Between the parts of an identity: a character that no cell holds after reading.
GAP = "\x1f"
# The dates on which a file was used; the others are facts, which a new file repeats.
_USED = tuple(f"{name}_{end}" for name in ("service_date", "follow_up_date") for end in ("earliest", "latest"))
# In this order were the rows of a file number typed.
_ORDER = ("fiscal_year", "quarter", "deposit_date", "file", "sheet", "row")
_READ = (
    "record_id", "organisation_id", "organisation_zone", "file_number", "household_number", "given_name",
    "family_name", "birth_date_earliest", "birth_date_latest", "sex", "birth_country", "immigration_category",
    "arrival_date_earliest", "arrival_date_latest", "household_size", "postal_code", "residence_code",
    "residence_region", "residence_zone", "destination_code", "destination_region", "destination_zone", *_USED, *_ORDER,
)  # fmt: skip
# More members than a household has: the number is a word for « none ».
MOST_MEMBERS = 30


@dataclass(frozen=True)
class Identities:
    """
    Who each organisation has a file on.

    Attributes
    ----------
    of_record : ndarray of int64, shape (n_records,)
        The identity of each record.
    table : DataFrame
        One row an identity, in order of `key`: key (organisation and smallest file number), organisation, household
        (position of the organisation's household, −1 where it gives no number), numbered (whether it has a file
        number), files (how many were joined), what was typed (given, family, name, birth …) and the days between
        which it was used (first, last).
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
    """What is read here, each column of its type; one that a caller's table lacks is missing on every row."""
    kinds = {name: column.type for name, column in RECORDS.columns.items()}
    absent = {
        name: pd.Series(None, index=records.index, dtype="datetime64[ns]" if kinds[name] == "date" else "object")
        for name in _READ
        if name not in records
    }
    return records.assign(**absent)[list(_READ)].reset_index(drop=True)


def _typed(records: pd.DataFrame, organisation: pd.Series) -> pd.DataFrame:
    """Names and birth of each row in comparable form, and the profile (whatever one number says alike) it is of."""
    simple = {
        text: simplify(text) or None
        for part in ("given_name", "family_name")
        for text in records[part].unique()
        if isinstance(text, str)
    }
    given, family = (records[part].map(simple).astype("object") for part in ("given_name", "family_name"))
    born = _interval(records, "birth_date")
    household = records["household_number"].where(records["household_number"].notna(), records["file_number"])
    turn = turned(given, family, organisation, household, born.str[:4])
    letters = {text: initials(text) for text in simple.values()}
    turn |= (given.isna() & family.map(letters).eq(True)).to_numpy()
    given, family = given.where(~turn, family), family.where(~turn, given)
    found = pd.DataFrame({"given": given, "family": family, "birth_date": born})
    found["initials"] = given.map(letters).eq(True)
    label = [organisation, records["file_number"], given, family, found["birth_date"], records["sex"]]
    found["profile"] = pd.DataFrame(dict(enumerate(label))).groupby(list(range(6)), sort=True, dropna=False).ngroup()
    return found


# ── who has a file ────────────────────────────────────────────────────────────────────────────────────────
def _identities(
    records: pd.DataFrame, organisation: pd.Series, typed: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The identity of each record, the key of each identity, and whether each record's number is several persons'."""
    profiles, of = _profiles(records, organisation, typed)
    with connected(None) as connection:
        connection.execute(MACROS)
        connection.register("profiles", _with_words(profiles))
        part = persons_of_numbers(profiles, connection)
    number = profiles["number"].to_numpy()
    shared = (number >= 0) & pd.Series(part).groupby(number).transform("nunique").gt(1).to_numpy()
    born = profiles["birth_date"].fillna("")
    own = "0" + GAP + profiles["organisation_id"] + GAP + profiles["file_number"]
    # a person's part of a number is named after its first row: later rows do not rename it
    who = (profiles["name"].fillna("") + GAP + born).iloc[part].reset_index(drop=True)
    own = own.where(~shared, own + GAP + who).where(number >= 0)
    named = "1" + GAP + profiles["organisation_id"] + GAP + profiles["name"] + GAP + born
    key = own.fillna(named).iloc[of].reset_index(drop=True)
    of_record, keys = _joined(key.fillna("2" + GAP + records["record_id"]), _same_within(profiles).iloc[of])
    return of_record, keys, shared[of]


def _profiles(records: pd.DataFrame, organisation: pd.Series, typed: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """One row a profile, in order of the first row of each, and the profile of each record."""
    order = [pd.factorize(records[name], sort=True)[0] for name in _ORDER]
    order = np.lexsort([typed["profile"], *order[::-1]])
    first = order[~typed["profile"].iloc[order].duplicated().to_numpy()]
    place = np.empty(len(first), dtype=np.int64)
    place[typed["profile"].iloc[first]] = np.arange(len(first))
    of = place[typed["profile"]]
    found = _with_births(typed.iloc[first].reset_index(drop=True))
    found["profile"] = np.arange(len(found))
    found["rows"] = np.bincount(of, minlength=len(found))
    found["organisation_id"] = organisation.to_numpy()[first]
    found["organisation"] = pd.factorize(found["organisation_id"])[0]
    for name in ("file_number", "sex"):
        found[name] = records[name].to_numpy()[first]
    found["name"] = name_keys(found["given"], found["family"])
    numbers = (found["organisation_id"] + GAP + found["file_number"]).where(found["file_number"].notna())
    number = pd.factorize(numbers)[0]
    names = found["given"].where(~found["initials"]).groupby(number).transform("nunique")
    found["number"] = np.where(names > MOST_NAMES, -1, number)
    return found, of


def _same_within(profiles: pd.DataFrame) -> pd.Series:
    """A label shared by what one organisation typed alike: full name and birth date and, where both are typed, sex."""
    full = profiles["given"].notna() & profiles["family"].notna() & ~profiles["initials"]
    label = (profiles["organisation_id"] + GAP + profiles["name"] + GAP + profiles["birth"]).where(full)
    both = profiles["sex"].groupby(label).transform("nunique") > 1
    # F and M under one name and date are two persons (twins, homonyms); the unstated sex stays apart from both
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
    found = most_frequent(of_record, codes)
    members = np.bincount(found[found >= 0], minlength=found.max(initial=0) + 1)
    return np.where(members[found] <= MOST_MEMBERS, found, -1)


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
    found = np.full(n, -1, dtype=np.int64)
    known = codes >= 0
    if rank is not None:
        best = np.full(n, rank.min(initial=0))
        np.maximum.at(best, group[known], rank[known])
        known &= rank == best[group]
    if not known.any():
        return found
    width = int(codes.max()) + 1
    pairs, counts = np.unique(group[known] * width + codes[known], return_counts=True)
    of, code = pairs // width, pairs % width
    order = np.lexsort((code, -counts, of))
    first = np.concatenate([[True], of[order][1:] != of[order][:-1]])
    found[of[order][first]] = code[order][first]
    return found


# ── what is said of them ──────────────────────────────────────────────────────────────────────────────────
def _described(records: pd.DataFrame, typed: pd.DataFrame, of_record: np.ndarray) -> pd.DataFrame:
    """What comparisons and blocks are made of: one value of each column, the fullest and of those the most frequent."""
    given, family = typed["given"], typed["family"]
    # a name is taken whole: the first name of one row and the last name of another would make a third person
    whole = (given.fillna("") + GAP + family.fillna("")).where(given.notna() | family.notna())
    parts = given.notna().astype(int) + family.notna()
    born = typed["birth_date"]
    told = (born.str[:8].eq(born.str[8:]) & born.str[4:8].ne("0101")).fillna(value=False)
    columns = {
        "whole_name": (whole, 2 * parts - typed["initials"]), "birth_date": (born, told),
        "arrival_date": (_interval(records, "arrival_date"), None), "sex": (records["sex"], None),
        "country": (records["birth_country"], None), "category": (records["immigration_category"], None),
        "size": (records["household_size"], None), "zone": (records["organisation_zone"], None),
        "organisation": (records["organisation_id"].astype(str), None), "number": (records["file_number"], None),
    }  # fmt: skip
    found = {}
    for name, (column, rank) in columns.items():
        codes, values = pd.factorize(column, sort=True)
        code = most_frequent(of_record, codes, None if rank is None else rank.to_numpy().astype(int))
        picked = np.asarray(values, dtype=object)[np.maximum(code, 0)] if len(values) else np.full(len(code), None)
        found[name] = np.where(code >= 0, picked, None)
    table = pd.DataFrame(found)
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
    """The birth date with its precision: its day where that is told, day and month exchanged, the year."""
    birth = table["birth_date"].astype("string")
    day = birth.str[:8].where(birth.str[:8] == birth.str[8:])
    year = birth.str[:4].where(birth.str[:4] == birth.str[8:12])
    # « 1 January » is what is typed for want of better: as vague as the year alone
    vague = (day.isna() | day.str.endswith("0101")) & year.notna()
    day = day.where(~vague)
    dom, month = day.str[6:], day.str[4:6]
    swapped = (day.str[:4] + dom + month).where((dom <= "12") & (dom != month))
    return table.assign(birth_year=year, birth_vague=vague, birth=day, birth_swapped=swapped)


# ── several values an identity ────────────────────────────────────────────────────────────────────────────
def _lists(records: pd.DataFrame, of_record: np.ndarray, table: pd.DataFrame) -> pa.Table:
    n = len(table)
    towns, regions = [], []
    for place in ("residence", "destination"):
        inside = records[f"{place}_zone"].eq(REGION)
        towns.append(records[f"{place}_code"].where(inside))
        regions.append(records[f"{place}_region"].where(inside))
    found = _with_words(table.drop(columns=["first", "last", "key", "files"]))
    columns = {
        "identity": pa.array(np.arange(n, dtype=np.int64)),
        "household_sounds": _of_households(found["family_sounds"], table["household"].to_numpy()),
        "years": _gathered(of_record, [records["fiscal_year"]], n),
        "quarters": _gathered(of_record, [records["fiscal_year"] + " " + records["quarter"].astype("string")], n),
        "towns": _gathered(of_record, towns, n), "regions": _gathered(of_record, regions, n),
        "postal_codes": _gathered(of_record, [records["postal_code"].str.replace(" ", "").str.upper()], n),
    }  # fmt: skip
    for name, column in columns.items():
        found = found.append_column(name, column)
    return found


def _with_words(table: pd.DataFrame) -> pa.Table:
    """The words of names, and their sounds, beside the table."""
    found = pa.Table.from_pandas(table, preserve_index=False)
    # a column that is never filled is of no type: it is text that nobody wrote
    filled = [pa.field(f.name, pa.string() if pa.types.is_null(f.type) else f.type) for f in found.schema]
    found = found.cast(pa.schema(filled))
    for part in ("given", "family", "name"):
        words, sounds = _words(table[part])
        found = found.append_column(f"{part}_words", words).append_column(f"{part}_sounds", sounds)
    return found


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
    """The distinct values of some columns by identity, as sorted lists (empty where there is none)."""
    codes, values = pd.factorize(pd.concat(columns, ignore_index=True).astype("object"), sort=True)
    of = np.tile(of_record, len(columns))
    known = codes >= 0
    pairs = np.unique(of[known] * max(len(values), 1) + codes[known])
    offsets = np.searchsorted(pairs // max(len(values), 1), np.arange(n + 1))
    picked = pa.array(np.asarray(values, dtype=object), type=pa.string()).take(pa.array(pairs % max(len(values), 1)))
    return pa.ListArray.from_arrays(pa.array(offsets, type=pa.int32()), picked)
