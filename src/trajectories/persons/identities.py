"""Records → identities: what each organisation says of each person it has a file on.

What is linked is not rows but identities, one for an organisation and a file number: a person with forty rows in one
file is compared once, by what was typed most often. A file that was closed and opened again under another number,
and rows without a file number, are joined to their identity first, where the same organisation typed the same name
and the same full birth date.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from ..tables import RECORDS, REGION
from .components import shared_label_components
from .names import name_keys, simplify, sound

# Between the parts of an identity: a character that no cell holds after reading.
GAP = "\x1f"
# The dates on which a file was used; the others are facts, which a new file repeats.
_USED = tuple(f"{name}_{end}" for name in ("service_date", "follow_up_date") for end in ("earliest", "latest"))
_READ = (
    "record_id", "organisation_id", "organisation_zone", "file_number", "household_number", "given_name",
    "family_name", "birth_date_earliest", "birth_date_latest", "sex", "birth_country", "immigration_category",
    "arrival_date_earliest", "arrival_date_latest", "household_size", "postal_code", "residence_code",
    "residence_region", "residence_zone", "destination_code", "destination_region", "destination_zone", *_USED,
)  # fmt: skip


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
        (position of the organisation's household, −1 where it gives no number), what was typed most often (given,
        family, name, birth …), the days between which it was used (first, last) and whether several file numbers
        were joined (reopened).
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
    names = name_keys(records["given_name"], records["family_name"])
    birth = records["birth_date_earliest"]
    full = birth.notna() & (birth == records["birth_date_latest"])
    key = _keys(records, organisation, names, birth.where(full))
    same = _same_within(organisation, names, birth.where(full), records["sex"])
    of_record, keys = _joined(key, same)
    table = _typed_most_often(records, of_record)
    table["key"] = keys
    table["reopened"] = pd.Series(pd.factorize(records["file_number"])[0]).groupby(of_record).nunique().to_numpy() > 1
    table["household"] = _households(records, organisation, of_record)
    days = records[list(_USED)]
    table["first"] = days.min(axis=1).groupby(of_record).min().to_numpy()
    table["last"] = days.max(axis=1).groupby(of_record).max().to_numpy()
    table = _described(table)
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


def _keys(records: pd.DataFrame, organisation: pd.Series, names: pd.Series, birth: pd.Series) -> pd.Series:
    """Organisation and file number, else the name and birth date, else the record alone."""
    filed = "0" + GAP + organisation + GAP + records["file_number"]
    named = "1" + GAP + organisation + GAP + names + GAP + birth.dt.strftime("%Y-%m-%d").fillna("")
    return filed.fillna(named).fillna("2" + GAP + records["record_id"])


def _same_within(organisation: pd.Series, names: pd.Series, birth: pd.Series, sex: pd.Series) -> pd.Series:
    """A label shared by what one organisation typed alike: name, full birth date and, where both are typed, sex."""
    label = organisation + GAP + names + GAP + birth.dt.strftime("%Y-%m-%d")
    both = sex.groupby(label).transform("nunique") > 1
    # F and M under one name and date are two persons (twins, homonyms); the unstated sex stays apart from both
    return label.where(~both, label + GAP + sex.fillna("?").astype(str))


def _joined(key: pd.Series, same: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The identity of each record, in order of the smallest key of each identity, and those keys."""
    codes, keys = pd.factorize(key, sort=True)
    component = shared_label_components(key, same)
    smallest = np.full(len(codes), len(keys))
    np.minimum.at(smallest, component, codes)
    kept, of_record = np.unique(smallest[component], return_inverse=True)
    return of_record.astype(np.int64), np.asarray(keys, dtype=object)[kept]


def _households(records: pd.DataFrame, organisation: pd.Series, of_record: np.ndarray) -> np.ndarray:
    """The organisation's household of each identity (the number typed most often), −1 where none is typed."""
    label = (organisation + GAP + records["household_number"]).where(records["household_number"].notna())
    codes, _ = pd.factorize(label, sort=True)
    return most_frequent(of_record, codes)


def most_frequent(group: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """
    The code that each group holds most often (the smallest of those as frequent), −1 where all are −1.

    Examples
    --------
    >>> most_frequent(np.array([0, 0, 0, 1]), np.array([5, 7, 7, -1]))
    array([ 7, -1])
    """
    n = int(group.max(initial=-1)) + 1
    found = np.full(n, -1, dtype=np.int64)
    known = codes >= 0
    if not known.any():
        return found
    width = int(codes.max()) + 1
    pairs, counts = np.unique(group[known] * width + codes[known], return_counts=True)
    of, code = pairs // width, pairs % width
    order = np.lexsort((code, -counts, of))
    first = np.concatenate([[True], of[order][1:] != of[order][:-1]])
    found[of[order][first]] = code[order][first]
    return found


def _typed_most_often(records: pd.DataFrame, of_record: np.ndarray) -> pd.DataFrame:
    found = {}
    # a name is taken whole: the first name of one row and the last name of another would make a third person
    whole = (records["given_name"].fillna("") + GAP + records["family_name"].fillna("")).where(
        records["given_name"].notna() | records["family_name"].notna()
    )
    birth, arrival = _interval(records, "birth_date"), _interval(records, "arrival_date")
    columns = {
        "whole_name": whole, "birth_date": birth, "arrival_date": arrival, "sex": records["sex"],
        "country": records["birth_country"], "category": records["immigration_category"],
        "size": records["household_size"], "zone": records["organisation_zone"],
        "organisation": records["organisation_id"].astype(str),
    }  # fmt: skip
    for name, column in columns.items():
        codes, values = pd.factorize(column, sort=True)
        code = most_frequent(of_record, codes)
        picked = np.asarray(values, dtype=object)[np.maximum(code, 0)] if len(values) else np.full(len(code), None)
        found[name] = np.where(code >= 0, picked, None)
    return pd.DataFrame(found)


def _interval(records: pd.DataFrame, name: str) -> pd.Series:
    earliest, latest = records[f"{name}_earliest"], records[f"{name}_latest"]
    unique = pd.DataFrame({"a": earliest, "b": latest})
    codes = unique.groupby(["a", "b"], sort=True).ngroup()
    text = unique.assign(code=codes).drop_duplicates("code").dropna()
    label = text["a"].dt.strftime("%Y%m%d") + text["b"].dt.strftime("%Y%m%d")
    return codes.map(dict(zip(text["code"], label, strict=True)))


def _described(table: pd.DataFrame) -> pd.DataFrame:
    """What comparisons and blocks are made of: names in comparable form, dates with their precision."""
    given, family = _parts(table.pop("whole_name"))
    table["given"], table["family"] = given, family
    table["name"] = name_keys(given, family)
    birth, arrival = table.pop("birth_date"), table.pop("arrival_date")
    table["birth_year"] = birth.str[:4].where(birth.str[:4] == birth.str[8:12])
    day = birth.str[:8].where(birth.str[:8] == birth.str[8:])
    # « 1 January » is what is typed for want of better: as vague as the year alone
    table["birth_vague"] = (day.isna() | day.str.endswith("0101")) & table["birth_year"].notna()
    table["birth"] = day.where(~table["birth_vague"])
    table["birth_swapped"] = _swapped(table["birth"])
    table["arrival"] = arrival.str[:8].where(arrival.str[:8] == arrival.str[8:])
    table["arrival_earliest"] = pd.to_datetime(arrival.str[:8], format="%Y%m%d")
    table["arrival_latest"] = pd.to_datetime(arrival.str[8:], format="%Y%m%d")
    table["size"] = table["size"].astype("float64")
    return table


def _parts(whole: pd.Series) -> tuple[pd.Series, pd.Series]:
    parts = whole.str.split(GAP, n=1, expand=True).reindex(columns=[0, 1])
    simple = {text: simplify(text) or None for text in pd.unique(parts.to_numpy().ravel()) if isinstance(text, str)}
    return parts[0].map(simple).astype("object"), parts[1].map(simple).astype("object")


def _swapped(birth: pd.Series) -> pd.Series:
    """Day and month exchanged, where that makes another date."""
    day, month = birth.str[6:], birth.str[4:6]
    return (birth.str[:4] + day + month).where((day <= "12") & (day != month))


# ── several values an identity ────────────────────────────────────────────────────────────────────────────
def _lists(records: pd.DataFrame, of_record: np.ndarray, table: pd.DataFrame) -> pa.Table:
    n = len(table)
    columns: dict[str, pa.Array] = {"identity": pa.array(np.arange(n, dtype=np.int64))}
    for part in ("given", "family"):
        columns[f"{part}_words"], columns[f"{part}_sounds"] = _words(table[part])
    towns, regions = [], []
    for place in ("residence", "destination"):
        inside = records[f"{place}_zone"].eq(REGION)
        towns.append(records[f"{place}_code"].where(inside))
        regions.append(records[f"{place}_region"].where(inside))
    columns["towns"] = _gathered(of_record, towns, n)
    columns["regions"] = _gathered(of_record, regions, n)
    columns["postal_codes"] = _gathered(of_record, [records["postal_code"].str.replace(" ", "").str.upper()], n)
    plain = table.drop(columns=["first", "last", "key"])
    return pa.Table.from_pandas(plain, preserve_index=False).from_arrays(
        [*pa.Table.from_pandas(plain, preserve_index=False).columns, *columns.values()],
        names=[*plain.columns, *columns],
    )


def _words(names: pd.Series) -> tuple[pa.Array, pa.Array]:
    """The words of each name, and their sounds, as lists (null where there is no name)."""
    codes, unique = pd.factorize(names)
    split = [sorted(set(text.split())) for text in unique]
    heard = {word: sound(word) or word for words in split for word in words}
    take = pa.array(codes, mask=codes < 0)
    words = pa.array(split, type=pa.list_(pa.string()))
    sounds = pa.array([sorted({heard[w] for w in ws}) for ws in split], type=pa.list_(pa.string()))
    return words.take(take), sounds.take(take)


def _gathered(of_record: np.ndarray, columns: list[pd.Series], n: int) -> pa.Array:
    """The distinct values of some columns by identity, as sorted lists (empty where there is none)."""
    codes, values = pd.factorize(pd.concat(columns, ignore_index=True), sort=True)
    of = np.tile(of_record, len(columns))
    known = codes >= 0
    pairs = np.unique(of[known] * max(len(values), 1) + codes[known])
    offsets = np.searchsorted(pairs // max(len(values), 1), np.arange(n + 1))
    picked = pa.array(np.asarray(values, dtype=object), type=pa.string()).take(pa.array(pairs % max(len(values), 1)))
    return pa.ListArray.from_arrays(pa.array(offsets, type=pa.int32()), picked)
