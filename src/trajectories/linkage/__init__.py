"""Record linkage: records of many organisations → persons and households.

Every household that settles in the regions is seen by at least two organisations that share no identifier. Identities
(one for an organisation, a file number and a person behind it) are linked, on DuckDB, under three hypotheses: the same
person, relatives, strangers (the steps in order: linking.py). The results hold no name, birth date or file number,
except the clerical review (review.py), which goes into `sensitive/`.
"""

from __future__ import annotations

import pandas as pd

from .exclusions import cells_without, excluded_records, idle_lines, links_without, read_exclusions
from .linking import Links, Resolved, decide, drawn_thresholds, link, resolve, waiting
from .model import Model, match_weights
from .pseudonyms import SAMPLE_KEY, Key, secret_key

__all__ = [
    "DRAWS", "LOOSE", "MATCH_THRESHOLD", "SAMPLE_KEY", "STRICT", "Key", "Links", "Model", "Resolved", "cells_without",
    "decide", "drawn_thresholds", "excluded_records", "idle_lines", "link", "link_persons", "links_without",
    "match_weights", "read_exclusions", "resolve", "secret_key", "waiting",
]  # fmt: skip

# Chosen on simulated deposits: above it hardly a wrong pair is left, and few right ones are lost.
MATCH_THRESHOLD = 0.95
# The two other thresholds of the sensitivity analysis in the quality section.
LOOSE, STRICT = 0.5, 0.999
# Number of draws of the persons from the probabilities of the pairs.
DRAWS = 5


def link_persons(
    records: pd.DataFrame,
    *,
    key: Key | bytes | None = None,
    threshold: float = MATCH_THRESHOLD,
    model: Model | None = None,
) -> pd.DataFrame:
    """
    Link the records of one person, and the persons of one household.

    Parameters
    ----------
    records : DataFrame
        One row per record: record_id, organisation_id and, where known, file_number, household_number, names, birth
        and arrival dates, sex, birth_country, immigration_category, household_size, places and dates of use.
    key : Key or bytes, optional
        Secret of the pseudonyms; by default the study's own (made on first use).
    threshold : float, optional
        Probability from which two identities are one person.
    model : Model, optional
        Starting values of the weights; by default the frozen model of this version of the library.

    Returns
    -------
    DataFrame
        One row per record, in the order of `records`: record_id, person_id, household_id, match_probability (of the
        strongest link between the record's identity and others of its person; 1 where the person is known to one
        organisation only), identity_id (see `identities.py`).

    Notes
    -----
    The result does not depend on the order of the records. Within an organisation a household is given by the household
    number; households of two organisations are joined by linked persons and by members who are surely relatives.
    Someone without any of these is a household alone.

    References
    ----------
    Fellegi & Sunter (1969), JASA 64:1183–1210. Linacre et al. (2022), IJPDS 7(3).

    Examples
    --------
    >>> records = pd.DataFrame({
    ...     "record_id": ["1", "2"], "organisation_id": ["A", "B"], "file_number": ["7", "R-9"],
    ...     "household_number": [None, "4"], "sex": ["F", None], "birth_country": ["FRA", "FRA"],
    ...     "given_name": ["Zoé", "ZOE"], "family_name": ["Roy", "Roy"],
    ...     "birth_date_earliest": pd.to_datetime(["1990-05-01"] * 2),
    ...     "birth_date_latest": pd.to_datetime(["1990-05-01"] * 2)})
    >>> link_persons(records, key=SAMPLE_KEY)["person_id"].nunique()
    1
    """
    return resolve(link(records, model=model), threshold, secret_key() if key is None else key).persons
