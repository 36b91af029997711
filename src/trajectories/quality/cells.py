"""Rows set aside and cells that could not be read, by reason; places as they were typed.

What is typed is shown of places and of headers that are not read only, and only where it cannot say who somebody is: no
digit (an address, a file number), few words, and no word that is a name in these deposits unless the whole cell is the
name of a place.
"""

from __future__ import annotations

import pandas as pd

from ..deposits.crosswalks import DATES
from ..deposits.rules import FILE, reasons
from ..places.lexicon import lexicon
from ..places.spelling import key_of
from .given import ADDRESS, Given
from .tidy import KEYS, MEASURES, counted, where

# Rows that were never about anybody: nothing is lost with them.
HARMLESS = ("total_row", "header_row")
UNSETTLED = ("place_not_found", "place_ambiguous", "place_area_only")
PLACE_REASONS = (*UNSETTLED, "place_slip")
# Reasons about a date that is not of the family « order ».
_DATES = ("unreadable_date", "date_order", "birth_in_future")
_MOST_WORDS = 5
SET_ASIDE, CELL, PLACE, TYPED = "set_aside", "cell", "place", ["organisation_id", "key", "value", "n"]


def set_aside(given: Given) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Rows in quarantine by reason: measures (of the rows read of the organisation) and places."""
    found = given.more.get("quarantine")
    if found is None or found.empty:
        return [], []
    found = found.assign(organisation_id=given.of_rows(found), key=found["reason"], measure=SET_ASIDE, column=None)
    read = given.files.groupby("owner")["n_read"].sum()
    rows = found.groupby(KEYS, dropna=False).size().rename("n").reset_index()
    rows["of"] = rows["organisation_id"].map(read).fillna(0).astype("int64")
    return [rows[MEASURES]], [where(found[~found["key"].isin(HARMLESS)], SET_ASIDE)]


def cells(given: Given) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Cells by reason and column: measures (of the accepted rows of the organisation) and places."""
    found = given.more.get("issues")
    if found is None or found.empty:
        return [], []
    found = found.assign(organisation_id=given.of_rows(found), key=found["reason"])
    of_files = found["reason"].isin([code for code, reason in reasons().items() if reason.kind == FILE])
    # a row that is no record any more is of somebody who asked to be left out
    found = found[of_files | given.of_records(found).notna()]
    names = _name_words(given.records)
    # what is not read is named by its header as it was typed
    typed = found.loc[of_files, "column"].dropna().unique()
    hidden = [header for header in typed if not may_be_shown(header, names)]
    found["column"] = found["column"].where(~(of_files & found["column"].isin(hidden)), None)
    found["measure"] = found["key"].isin(PLACE_REASONS).map({True: PLACE, False: CELL})
    accepted = given.records.groupby("organisation_id").size()
    rows = found.groupby(KEYS, dropna=False).size().rename("n").reset_index()
    rows["of"] = rows["organisation_id"].map(accepted).fillna(0).astype("int64")
    places = [where(part, measure) for measure, part in found.groupby("measure")]
    return [rows[MEASURES]], places


def unsettled_places(given: Given) -> list[pd.DataFrame]:
    """Rows whose residence, or whose destination where they name one, is no municipality (of the rows accepted)."""
    records = given.records
    blank = records["residence_code"].isna() & ~records["residence_zone"].eq("outside_quebec")
    blank &= records["residence_match"].notna()
    for column in ("destination", "exit_destination"):
        typed = records[column].notna() & ~records[f"{column}_zone"].eq("outside_quebec")
        blank |= typed & records[f"{column}_code"].isna()
    return [counted(blank, records["organisation_id"], "no_municipality")]


def doubtful_dates(given: Given) -> list[pd.DataFrame]:
    """Rows with a date that cannot be read or that contradicts another, and rows set aside without one."""
    issues, quarantine = given.more.get("issues"), given.more.get("quarantine")
    if issues is None:
        return []
    of_dates = {code for code, reason in reasons().items() if reason.kind == "order"} - {"impossible_value"}
    of_dates -= {"establishment_in_metropole"}
    failed = issues["reason"].eq("formula_error") & issues["column"].isin(DATES)
    rows = issues.loc[issues["reason"].isin(of_dates.union(_DATES)) | failed, ADDRESS].drop_duplicates()
    if quarantine is not None:
        rows = pd.concat([rows, quarantine.loc[quarantine["reason"].eq("no_date_no_place"), ADDRESS]])
    n = rows.groupby(given.of_rows(rows)).size() if len(rows) else pd.Series(dtype="int64")
    found = given.records.groupby("organisation_id").size().rename("of").reset_index()
    found["n"] = found["organisation_id"].map(n).fillna(0).astype("int64")
    return [found.assign(measure="doubtful_date", key=None, column=None)[MEASURES]]


def typed_places(given: Given) -> pd.DataFrame:
    """organisation_id, key (the reason), value (what was typed), n; the most frequent first, some values left out."""
    issues = given.more.get("issues")
    if issues is None or issues.empty:
        return pd.DataFrame(columns=TYPED)
    found = issues[issues["reason"].isin(PLACE_REASONS) & issues["value"].notna()]
    found = found.assign(organisation_id=given.of_records(found), key=found["reason"])
    names = _name_words(given.records)
    said = {value: may_be_shown(value, names) for value in found["value"].unique()}
    found = found[found["value"].map(said).astype(bool)]
    rows = found.groupby(["organisation_id", "key", "value"]).size().rename("n").reset_index()
    return rows.sort_values(["organisation_id", "key", "n", "value"], ascending=[True, True, False, True])[TYPED]


def may_be_shown(value: str, names: frozenset[str]) -> bool:
    """
    Whether what is typed for a place says of a place only.

    Examples
    --------
    >>> [may_be_shown(text, frozenset({"tremblay"})) for text in ("Montérégie", "chez Tremblay", "12 rue A")]
    [True, False, False]
    """
    key = key_of(value)
    words = key.split()
    if not words or len(words) > _MOST_WORDS or any(sign.isdigit() for sign in value):
        return False
    known = lexicon()
    places = (known.official, known.aliases, known.bare, known.prefixes, known.areas)
    return any(key in keys for keys in places) or names.isdisjoint(words)


def _name_words(records: pd.DataFrame) -> frozenset[str]:
    typed = pd.concat([records["given_name"], records["family_name"]]).dropna().unique()
    return frozenset(word for name in typed for word in key_of(str(name)).split())
