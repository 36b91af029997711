"""The table `persons` of a build against the simulator's truth: who is who, who lives with whom.

The unit is the identity: one organisation and one file number (a record without a file number is an identity alone).
A file that is re-opened under a new number is another identity of the same organisation. What is to be found, and may
be wrong, is a pair of identities of different organisations: inside one organisation the file number says who is who,
apart from re-opened files. An identity whose records were given to several persons counts where most of them are.

Pairs are counted from the sizes of groups (n (n − 1) / 2), never listed, so a linkage that throws everyone together
is scored as fast as a good one. Precision, recall and F1 are those of pairs (Christen, Data Matching, 2012, § 7).
`scoring_moves` and `scoring_stays` score what follows: moves; stays, exits, retention.
"""

from __future__ import annotations

import pandas as pd

from ..tables import METROPOLE, PERSONS, REGION, conform
from .simulation import Truth

_ROW = ["file", "sheet", "row"]


def known_rows(truth: Truth, records: pd.DataFrame) -> pd.DataFrame:
    """
    The records whose row the truth knows, with what it says of them.

    Parameters
    ----------
    truth : Truth
        Of the simulation whose deposits were read.
    records : DataFrame
        The table `records`; file, sheet and row are needed, and organisation_id and file_number.

    Returns
    -------
    DataFrame
        record_id, file_number and the columns of `truth.rows`, one row a record in the order of `records`. Rows of
        nobody (totals) and records that no row made are left out.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from trajectories import read_deposits
    >>> from trajectories.simulate import Settings, simulate
    >>> with TemporaryDirectory() as folder:
    ...     truth = simulate(folder, Settings(households=5, organisations=2, defects="none"))
    ...     records = read_deposits(f"{folder}/raw").records
    >>> len(known_rows(truth, records)) == len(records)
    True
    """
    rows = truth.rows[truth.rows["true_person"].notna()]
    return records[["record_id", "file_number", *_ROW]].merge(rows, on=_ROW)


def linked_rows(persons: pd.DataFrame, truth: Truth, records: pd.DataFrame) -> pd.DataFrame:
    """
    `known_rows` with the person_id and household_id that a linkage gave.

    Parameters
    ----------
    persons : DataFrame
        The table `persons`.
    truth, records
        As for `known_rows`.

    Returns
    -------
    DataFrame
        One row a record.
    """
    return known_rows(truth, records).merge(persons[["record_id", "person_id", "household_id"]], on="record_id")


def true_persons(truth: Truth, records: pd.DataFrame) -> pd.DataFrame:
    """
    The table `persons` that a perfect linkage would give: what is wrong after it is no fault of the linkage.

    Parameters
    ----------
    truth, records
        As for `known_rows`.

    Returns
    -------
    DataFrame
        The table `persons`, one row a record: the ids are the truth's numbers. A record that no row made is a
        person and a household alone.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from trajectories import read_deposits
    >>> from trajectories.simulate import Settings, simulate
    >>> with TemporaryDirectory() as folder:
    ...     truth = simulate(folder, Settings(households=5, organisations=2, defects="none"))
    ...     records = read_deposits(f"{folder}/raw").records
    >>> link_scores(true_persons(truth, records), truth, records)["whole_and_pure"]
    1.0
    """
    known = known_rows(truth, records).set_index("record_id")
    found = pd.DataFrame({"record_id": records["record_id"], "match_probability": 1.0})
    for name, column, prefix in (("person_id", "true_person", "P"), ("household_id", "true_household", "H")):
        number = prefix + known[column].astype("int64").astype(str).str.zfill(8)
        found[name] = found["record_id"].map(number).fillna(prefix + "?" + found["record_id"])
    return conform(found, PERSONS)


def link_scores(persons: pd.DataFrame, truth: Truth, records: pd.DataFrame) -> dict[str, float]:
    """
    How well a linkage found who is who.

    Parameters
    ----------
    persons : DataFrame
        The table `persons`: record_id, person_id and household_id are needed.
    truth, records
        As for `known_rows`.

    Returns
    -------
    dict of str to float
        Shares in 0–1 (NaN where there is nothing to score), and how many there are of each (`n_…`):

        ``n_pairs``, ``pair_precision``, ``pair_recall``, ``pair_f1``
            Pairs of identities of different organisations that are truly of one person, against those given to one.
        ``n_return_pairs``, ``return_recall``
            The recall of those true pairs without which a return cannot be seen: the first identity belongs to an
            organisation en région and has a record of something dated before a day on which the person truly moved
            from a region to the metropole; the second belongs to an organisation of the metropole and has a
            record of a service dated on that day or later.
        ``n_household_pairs``, ``household_precision``, ``household_recall``, ``household_f1``
            Pairs of identities of different organisations, of one person or two, that are truly of one household.
        ``n_persons``, ``whole_and_pure``
            Share of the true persons with records who have one person_id, for all their records and for nobody
            else's.
        ``n_member_pairs``, ``members_merged``
            Share of the pairs of true persons of one household, both with records, who share a person_id.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from trajectories import link_persons, read_deposits
    >>> from trajectories.persons import SAMPLE_KEY
    >>> from trajectories.simulate import Settings, simulate
    >>> with TemporaryDirectory() as folder:
    ...     truth = simulate(folder, Settings(households=5, organisations=2, defects="none"))
    ...     records = read_deposits(f"{folder}/raw").records
    >>> link_scores(link_persons(records, key=SAMPLE_KEY), truth, records)["pair_f1"]
    1.0
    """
    rows = linked_rows(persons, truth, records)
    number = rows["organisation_id"].astype(str) + "\x1f" + rows["file_number"].astype(str)
    rows["identity"] = number.where(rows["file_number"].notna(), rows["record_id"])
    files = _identities(rows)
    n_pairs, same_person = _agreement(files, "pair", "true_person", "person_id")
    n_household_pairs, same_household = _agreement(files, "household", "true_household", "household_id")
    returns = _return_pairs(truth, rows, files)
    people = whole_and_pure(rows)
    members, merged = _members(rows)
    return {
        "n_pairs": float(n_pairs),
        **same_person,
        "n_return_pairs": float(len(returns)),
        "return_recall": float(returns["linked"].mean()),
        "n_household_pairs": float(n_household_pairs),
        **same_household,
        "n_persons": float(len(people)),
        "whole_and_pure": float(people.mean()),
        "n_member_pairs": float(members),
        "members_merged": _share(merged, members),
    }


def whole_and_pure(rows: pd.DataFrame) -> pd.Series:
    """
    For each true person, whether their records are one person's, and nobody else's.

    Parameters
    ----------
    rows : DataFrame
        true_person and person_id of each record.

    Returns
    -------
    Series of bool
        By true_person.

    Examples
    --------
    >>> whole_and_pure(pd.DataFrame({"true_person": [1, 1, 2, 3], "person_id": ["a", "a", "b", "b"]})).tolist()
    [True, False, False]
    """
    links = rows[["true_person", "person_id"]].drop_duplicates()
    alone = ~links["true_person"].duplicated(keep=False) & ~links["person_id"].duplicated(keep=False)
    return alone.groupby(links["true_person"]).all()


def most_common(frame: pd.DataFrame, by: str, column: str) -> pd.Series:
    """
    The most common value of a column in each group; the smallest of several.

    Examples
    --------
    >>> frame = pd.DataFrame({"person_id": ["a", "a", "a", "b"], "true_person": [2, 1, 2, 3]})
    >>> most_common(frame, "person_id", "true_person").tolist()
    [2, 3]
    """
    counts = frame.groupby([by, column]).size().rename("n").reset_index()
    counts = counts.sort_values([by, "n", column], ascending=[True, False, True])
    return counts.drop_duplicates(by).set_index(by)[column]


def _return_pairs(truth: Truth, rows: pd.DataFrame, files: pd.DataFrame) -> pd.DataFrame:
    """The pairs of identities that reveal a return (see `link_scores`): region, metropole, and whether linked."""
    lived = truth.residences.sort_values(["true_person", "start"])
    origin = lived.groupby("true_person")["zone"].shift()
    moved = lived.loc[origin.eq(REGION) & lived["zone"].eq(METROPOLE), ["true_person", "start"]]
    events = rows.merge(truth.organisations[["organisation_id", "zone"]], on="organisation_id")
    events = events[["true_person", "identity", "zone", "event_date", "kind"]].merge(moved, on="true_person")
    before = events["event_date"] < events["start"]
    earlier = events[events["zone"].eq(REGION) & before]
    later = events[
        events["zone"].eq(METROPOLE) & events["kind"].eq("service") & (events["event_date"] >= events["start"])
    ]
    keys = ["true_person", "start", "identity"]
    pairs = earlier[keys].drop_duplicates().merge(
        later[keys].drop_duplicates(), on=["true_person", "start"], suffixes=("_region", "_metropole")
    )  # fmt: skip
    pairs = pairs[["identity_region", "identity_metropole"]].drop_duplicates(ignore_index=True)
    person = files.set_index("identity")["person_id"]
    linked = pairs["identity_region"].map(person).eq(pairs["identity_metropole"].map(person))
    return pairs.assign(linked=linked)


def _identities(rows: pd.DataFrame) -> pd.DataFrame:
    """One row an identity: whose it truly is, whose it was said to be."""
    files = rows.drop_duplicates("identity")[["identity", "organisation_id"]].reset_index(drop=True)
    for column in ("true_person", "true_household", "person_id", "household_id"):
        files[column] = files["identity"].map(most_common(rows, "identity", column))
    return files


def _pairs(files: pd.DataFrame, keys: list[str]) -> int:
    """How many pairs of rows agree in all the keys."""
    sizes = files.groupby(keys).size().to_numpy(dtype="int64")
    return int((sizes * (sizes - 1) // 2).sum())


def _agreement(files: pd.DataFrame, name: str, true: str, found: str) -> tuple[int, dict[str, float]]:
    """Pairs of different organisations: how many are true, and how well those found agree with them."""
    n_true, n_found, n_both = (
        _pairs(files, keys) - _pairs(files, [*keys, "organisation_id"]) for keys in ([true], [found], [true, found])
    )
    return n_true, {
        f"{name}_precision": _share(n_both, n_found),
        f"{name}_recall": _share(n_both, n_true),
        f"{name}_f1": _share(2 * n_both, n_found + n_true),
    }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _members(rows: pd.DataFrame) -> tuple[int, int]:
    """Pairs of true members of one household with records, and those of them that share a person_id."""
    people = rows[["true_household", "true_person"]].drop_duplicates()
    links = rows[["true_household", "person_id", "true_person"]].drop_duplicates()
    both = links.merge(links, on=["true_household", "person_id"], suffixes=("", "_other"))
    both = both[both["true_person"] < both["true_person_other"]]
    merged = len(both[["true_person", "true_person_other"]].drop_duplicates())
    return _pairs(people, ["true_household"]), merged
