"""Who is who, against the truth: pairs of files across organisations, and persons who are whole and pure.

A file is one person's at one organisation, under one number of their own or of their household. Two files can be known
to be one person's by full names and a year of birth, or by a full date of birth with an initial or a surname
(`_by_names`): recall asks for no more, and a person of whom nobody could know that two files are one is two *units*.
What is joined and truly one person is right, known or not.

Pairs are counted from the sizes of groups (Christen, Data Matching, 2012, § 7).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from trajectories.tables import METROPOLE, PERSONS, REGION, conform

ROW = ["file", "sheet", "row"]


def known_rows(truth, records: pd.DataFrame) -> pd.DataFrame:
    """The records whose row the truth knows to be somebody's, with what it says of them."""
    rows = truth.rows[truth.rows["true_person"].notna()]
    return records[["record_id", *ROW]].merge(rows, on=ROW)


def linked_rows(persons: pd.DataFrame, truth, records: pd.DataFrame) -> pd.DataFrame:
    """`known_rows` with the person_id and household_id that a linkage gave, and the unit (see above)."""
    rows = known_rows(truth, records).merge(persons[["record_id", "person_id", "household_id"]], on="record_id")
    files = rows[["identity", "true_person"]].drop_duplicates("identity", ignore_index=True)
    found = files["identity"].map(most_common(rows, "identity", "person_id"))
    together = files["true_person"].astype(str) + " " + found
    files["unit"] = _components(files["identity"].map(knowable(truth)), together)
    return rows.merge(files[["identity", "unit"]], on="identity")


def true_persons(truth, records: pd.DataFrame) -> pd.DataFrame:
    """The table `persons` that a perfect linkage would give; a record that no row made is a person alone."""
    known = known_rows(truth, records).set_index("record_id")
    found = pd.DataFrame({"record_id": records["record_id"], "match_probability": 1.0})
    for name, column, prefix in (("person_id", "true_person", "P"), ("household_id", "true_household", "H")):
        number = prefix + known[column].astype("int64").astype(str).str.zfill(8)
        found[name] = found["record_id"].map(number).fillna(prefix + "?" + found["record_id"])
    return conform(found, PERSONS)


def knowable(truth) -> pd.Series:
    """For each line of `truth.identities` a number: those that can be known to be one person's have the same."""
    files = truth.identities[["true_person", "given_form", "family_form", "birth_form"]].reset_index(names="file")
    pairs = files.merge(files, on="true_person", suffixes=("", "_other"))
    pairs = pairs[(pairs["file"] < pairs["file_other"]) & _by_names(pairs)]
    nodes = coo_array(
        (np.ones(len(pairs), dtype=bool), (pairs["file"].to_numpy(), pairs["file_other"].to_numpy())),
        shape=(len(files), len(files)),
    )
    return pd.Series(connected_components(nodes, directed=False)[1], index=files.index)


def _by_names(pairs: pd.DataFrame) -> pd.Series:
    def same(column, *forms):
        return pairs[column].isin(forms) & pairs[f"{column}_other"].eq(pairs[column])

    surname, given = same("family_form", "own", "spouse"), same("given_form", "full", "nickname")
    initial = given | (
        pairs["given_form"].isin(["full", "initial"]) & pairs["given_form_other"].isin(["full", "initial"])
    )
    year = pairs["birth_form"].ne("none") & pairs["birth_form_other"].ne("none")
    return (given & surname & year) | (same("birth_form", "day", "swapped") & (initial | surname))


def link_scores(persons: pd.DataFrame, truth, records: pd.DataFrame) -> dict[str, float]:
    """
    How well a linkage found who is who: shares in 0–1, and how many there are of each.

    ``cross_org_precision``, ``_recall``, ``_f1``: pairs of files of different organisations given to one person,
    against those that are, and can be known to be. ``return_recall``: the recall of the pairs without which a return
    cannot be seen: a file en région that tells of something before a return, and one of the metropole that tells of a
    service after it. ``household_…``: the same pairs, of one household. ``whole_and_pure``: units that have one
    person_id, for all their records and nobody else's. ``members_merged``: pairs of members who share a person_id.
    """
    rows = linked_rows(persons, truth, records)
    files = rows.drop_duplicates("identity")[
        ["identity", "organisation_id", "true_person", "true_household", "unit"]
    ].reset_index(drop=True)  # fmt: skip
    for column in ("person_id", "household_id"):
        files[column] = files["identity"].map(most_common(rows, "identity", column))
    files["known"] = files["identity"].map(knowable(truth))
    pure = whole_and_pure(rows)
    returns = _return_pairs(truth, rows, files)
    members, merged = _members(rows)
    return {
        **_agreement(files, "cross_org", "known", "true_person", "person_id"),
        "n_return_pairs": float(len(returns)),
        "return_recall": float(returns["linked"].mean()),
        **_agreement(files, "household", "true_household", "true_household", "household_id"),
        "n_persons": float(len(pure)),
        "whole_and_pure": float(pure.mean()),
        "members_merged": merged / members if members else float("nan"),
    }


def whole_and_pure(rows: pd.DataFrame) -> pd.Series:
    """For each unit, whether its records are one person's, and nobody else's (see `linked_rows`)."""
    links = rows[["unit", "person_id"]].drop_duplicates()
    alone = ~links["unit"].duplicated(keep=False) & ~links["person_id"].duplicated(keep=False)
    return alone.groupby(links["unit"]).all()


def most_common(frame: pd.DataFrame, by: str, column: str) -> pd.Series:
    """The most common value of a column in each group; the smallest of several."""
    counts = frame.groupby([by, column]).size().rename("n").reset_index()
    counts = counts.sort_values([by, "n", column], ascending=[True, False, True])
    return counts.drop_duplicates(by).set_index(by)[column]


def _components(*labels: pd.Series) -> np.ndarray:
    """A number for each row: rows that share a label, directly or by others, have the same."""
    rows, columns, width = [], [], len(labels[0])
    for label in labels:
        codes = pd.factorize(label)[0]
        rows.append(np.arange(len(codes)))
        columns.append(codes + width)
        width += codes.max(initial=-1) + 1
    row, column = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(row), dtype=bool), (row, column)), shape=(width, width))
    return connected_components(graph, directed=False)[1][: len(labels[0])]


def _pairs(files: pd.DataFrame, keys: list[str]) -> int:
    """How many pairs of rows agree in all the keys."""
    sizes = files.groupby(keys).size().to_numpy(dtype="int64")
    return int((sizes * (sizes - 1) // 2).sum())


def _agreement(files: pd.DataFrame, name: str, known: str, true: str, found: str) -> dict[str, float]:
    """Pairs of different organisations: how many can be known, and how well those found agree with the true ones."""
    n_known, n_told, n_found, n_right = (
        _pairs(files, keys) - _pairs(files, [*keys, "organisation_id"])
        for keys in ([known], [known, found], [found], [true, found])
    )
    precision = n_right / n_found if n_found else 1.0
    recall = n_told / n_known if n_known else 1.0
    return {
        f"n_{name}": float(n_known), f"{name}_precision": precision, f"{name}_recall": recall,
        f"{name}_f1": 2 * precision * recall / max(precision + recall, 1e-12),
    }  # fmt: skip


def _return_pairs(truth, rows: pd.DataFrame, files: pd.DataFrame) -> pd.DataFrame:
    """The pairs of files that reveal a return (see `link_scores`), and whether they were linked."""
    lived = truth.residences.sort_values(["true_person", "start"])
    origin = lived.groupby("true_person")["zone"].shift()
    moved = lived.loc[origin.eq(REGION) & lived["zone"].eq(METROPOLE), ["true_person", "start"]]
    zones = truth.organisations.set_index("organisation_id")["zone"]
    events = rows[["true_person", "identity", "event_date", "kind"]].assign(zone=rows["organisation_id"].map(zones))
    events = events.merge(moved, on="true_person")
    before = events["event_date"] < events["start"]
    after = events["kind"].eq("service") & (events["event_date"] >= events["start"])
    keys = ["true_person", "start", "identity"]
    earlier = events.loc[events["zone"].eq(REGION) & before, keys].drop_duplicates()
    later = events.loc[events["zone"].eq(METROPOLE) & after, keys].drop_duplicates()
    pairs = earlier.merge(later, on=["true_person", "start"], suffixes=("_region", "_metropole"))
    pairs = pairs[["identity_region", "identity_metropole"]].drop_duplicates(ignore_index=True)
    known = files.set_index("identity")["known"]
    pairs = pairs[pairs["identity_region"].map(known).eq(pairs["identity_metropole"].map(known))]
    person = files.set_index("identity")["person_id"]
    return pairs.assign(linked=pairs["identity_region"].map(person).eq(pairs["identity_metropole"].map(person)))


def _members(rows: pd.DataFrame) -> tuple[int, int]:
    """Pairs of true members of one household with records, and those of them that share a person_id."""
    people = rows[["true_household", "true_person"]].drop_duplicates()
    links = rows[["true_household", "person_id", "true_person"]].drop_duplicates()
    both = links.merge(links, on=["true_household", "person_id"], suffixes=("", "_other"))
    both = both[both["true_person"] < both["true_person_other"]]
    return _pairs(people, ["true_household"]), len(both[["true_person", "true_person_other"]].drop_duplicates())
