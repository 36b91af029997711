"""Dossiers too thin to be recognised elsewhere, and statements that were set aside for what another source says."""

from __future__ import annotations

import pandas as pd

from ..tables import METROPOLE, REGION
from .given import ADDRESS, Given
from .tidy import KEYS, MEASURES, counted, where

NO_BIRTH, NO_NAME, THIN, UNDECIDED, CONFLICT, OLD_ADDRESS = (
    "no_full_birth_date", "no_full_name", "thin_dossier", "undecided_pair", "conflict", "old_address",
)  # fmt: skip
# More likely one person than two, and still not linked.
LIKELY = 0.5


def identities(given: Given) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Dossiers without a full birth date, without a given and a family name, or without either (« thin »)."""
    records = given.records
    born = records["birth_date_earliest"].notna()
    born &= records["birth_date_earliest"].eq(records["birth_date_latest"])
    named = records["given_name"].notna() & records["family_name"].notna()
    has = pd.DataFrame({"dossier": records["dossier"], "born": born, "named": named}).groupby("dossier").any()
    first = records.drop_duplicates("dossier")[["dossier", "organisation_id", *ADDRESS]]
    lacks = {
        NO_BIRTH: ~first["dossier"].map(has["born"]).astype(bool),
        NO_NAME: ~first["dossier"].map(has["named"]).astype(bool),
    }
    measures = [counted(flag, first["organisation_id"], name) for name, flag in lacks.items()]
    measures.append(counted(lacks[NO_BIRTH] | lacks[NO_NAME], first["organisation_id"], THIN))
    return measures, [where(first[flag], name) for name, flag in lacks.items()]


def undecided(given: Given) -> list[pd.DataFrame]:
    """Dossiers that are likely of a person known elsewhere, without enough to say so (of the organisation's own)."""
    links = given.more.get("links")
    if links is None or "persons" not in given.more:
        return []
    doubt = links[(links["same"] >= LIKELY) & ~links["decision"].eq("linked")]
    linked = links[links["decision"].eq("linked")]
    known = set(linked["left_id"]).union(linked["right_id"])
    ids = set(doubt["left_id"]).union(doubt["right_id"]) - known
    first = given.records.drop_duplicates("dossier")
    return [counted(first["identity_id"].isin(ids), first["organisation_id"], UNDECIDED)]


def old_addresses(given: Given) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Rows that print an address of before the person settled, of the organisation's rows with an address since."""
    seen = given.more.get("observations")
    if seen is None:
        return [], []
    here = seen["zone"].eq(REGION) & seen["aside"].isna()
    since = seen[here].groupby("person_id")["latest"].min()
    seen = seen[seen["kind"].isin(["service", "follow_up"]) & (seen["latest"] > seen["person_id"].map(since))]
    columns = ["record_id", *ADDRESS, "organisation_id", "residence_zone"]
    rows = seen[["record_id", "zone", "aside"]].merge(given.records[columns], on="record_id")
    rows = rows[rows["residence_zone"].isin([METROPOLE, REGION])].drop_duplicates("record_id")
    old = rows["aside"].notna() | (rows["zone"].eq(REGION) & rows["residence_zone"].eq(METROPOLE))
    return [counted(old, rows["organisation_id"], OLD_ADDRESS)], [where(rows[old], OLD_ADDRESS)]


def conflicts(given: Given) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Statements of the organisation that a rule set aside, by rule (of its rows); where, as far as they are found."""
    found = given.more.get("conflicts")
    if found is None or found.empty:
        return [], []
    # « EER01 service 66023 2022-12-30/2022-12-30 »: only the organisation's code may hold spaces (evidence.describe)
    said = found["said"].str.rsplit(" ", n=3, expand=True)
    found = found.assign(organisation_id=said[0], kind=said[1], key=found["rule"], column=None, measure=CONFLICT)
    accepted = given.records.groupby("organisation_id").size()
    found = found[found["organisation_id"].isin(accepted.index)]
    rows = found.groupby(KEYS, dropna=False).size().rename("n").reset_index()
    rows["of"] = rows["organisation_id"].map(accepted).astype("int64")
    seen = given.more.get("observations")
    if seen is None:
        return [rows[MEASURES]], []
    by = ["person_id", "organisation_id", "kind", "latest"]
    seen = seen[seen["person_id"].isin(found["person_id"].unique())]
    at = found.rename(columns={"date": "latest"}).merge(seen[[*by, "record_id"]], on=by)
    rows_of = given.records.loc[given.records["record_id"].isin(at["record_id"]), ["record_id", *ADDRESS]]
    at = at.merge(rows_of, on="record_id").drop_duplicates(["key", "record_id"])
    return [rows[MEASURES]], [where(at, CONFLICT)]
