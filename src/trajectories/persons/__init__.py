"""Who is who: records of many organisations → persons and households.

Every household that settles en région is seen by at least two organisations that share no identifier. This
version links deterministically: the same name (words in any order, without accents), the same full birth date and
no contrary sex; then the file number inside one organisation. It never guesses, so it misses persons whose name or
birth date is typed in two ways: the probabilistic linkage (splink) replaces it behind this signature.

No name, birth date or file number exists in what this room returns.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..tables import PERSONS, conform
from .components import shared_label_components
from .exclusions import excluded_records, read_exclusions
from .names import name_keys
from .pseudonyms import SAMPLE_KEY, pseudonymise, secret_key

__all__ = ["SAMPLE_KEY", "excluded_records", "link_persons", "read_exclusions", "secret_key"]

# Between the parts of an identity: a character that no cell holds after reading.
_GAP = "\x1f"


def link_persons(records: pd.DataFrame, *, key: bytes | None = None) -> pd.DataFrame:
    """
    Say which records are of one person, and which persons are of one household.

    Parameters
    ----------
    records : DataFrame
        The table `records`.
    key : bytes, optional
        Secret of the pseudonyms; by default the study's own (made on first use).

    Returns
    -------
    DataFrame
        The table `persons`, one row a record in the order of `records`: record_id, person_id, household_id,
        match_probability (1: a deterministic link is not scored).

    Notes
    -----
    A person's id is a keyed hash of the smallest identity of the cluster (organisation and file number, else the
    normalised name and birth date), not of file names or rows: a deposit that is sent again keeps the ids. A
    household is joined through the household numbers inside each organisation and carried across by the persons
    that are linked; someone without a household number is a household alone.

    Examples
    --------
    >>> records = pd.DataFrame({
    ...     "record_id": ["1", "2"], "organisation_id": ["A", "B"], "file_number": ["7", "R-9"],
    ...     "household_number": [None, "4"], "sex": ["F", None],
    ...     "given_name": ["Zoé", "ZOE"], "family_name": ["Roy", "Roy"],
    ...     "birth_date_earliest": pd.to_datetime(["1990-05-01"] * 2),
    ...     "birth_date_latest": pd.to_datetime(["1990-05-01"] * 2)})
    >>> link_persons(records, key=SAMPLE_KEY)["person_id"].nunique()
    1
    """
    if key is None:
        key = secret_key()
    records = records.reset_index(drop=True)
    organisation = records["organisation_id"].astype(str)
    file_identity = (organisation + _GAP + records["file_number"]).where(records["file_number"].notna())
    name_identity = _name_identity(records)
    cluster = shared_label_components(
        _row_identity(file_identity, name_identity, records), file_identity, name_identity
    )
    household_number = (organisation + _GAP + records["household_number"]).where(records["household_number"].notna())
    household = shared_label_components(pd.Series(cluster), household_number)

    # file numbers first: a name can be corrected later, the number stays
    identity = ("0" + _GAP + file_identity).fillna("1" + _GAP + name_identity.fillna(records["record_id"]))
    found = {
        "record_id": records["record_id"],
        "person_id": _ids(identity, cluster, key, "P"),
        "household_id": _ids("household" + _GAP + identity, household, key, "H"),
        "match_probability": 1.0,
    }
    return conform(pd.DataFrame(found), PERSONS)


def _name_identity(records: pd.DataFrame) -> pd.Series:
    """Name and full birth date, and the sex where both sexes were typed for them; None where either is not known."""
    names = name_keys(records["given_name"], records["family_name"])
    known = (records["birth_date_earliest"] == records["birth_date_latest"]) & names.notna()
    identity = (names + _GAP + records["birth_date_earliest"].dt.strftime("%Y-%m-%d")).where(known)
    sexes = records["sex"].groupby(identity).transform("nunique")
    # F and M under one name and date are two persons (twins, homonyms); the unstated sex stays apart from both
    return identity.where(~(sexes > 1), identity + _GAP + records["sex"].fillna("?").astype(str))


def _row_identity(file_identity: pd.Series, name_identity: pd.Series, records: pd.DataFrame) -> pd.Series:
    """Joins the rows of one organisation that have no file number by name alone where no birth date is known."""
    names = name_keys(records["given_name"], records["family_name"])
    alone = file_identity.isna() & name_identity.isna() & names.notna()
    return (records["organisation_id"].astype(str) + _GAP + names).where(alone)


def _ids(identity: pd.Series, cluster: np.ndarray, key: bytes, prefix: str) -> np.ndarray:
    smallest = identity.groupby(cluster).transform("min")
    codes, unique = pd.factorize(smallest)
    return np.asarray(pseudonymise(unique, key, prefix), dtype=object)[codes]
