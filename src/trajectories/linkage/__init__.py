"""Who is who: records of many organisations → persons and households.

Every household that settles en région is seen by at least two organisations that share no identifier. What is linked
are identities (one for an organisation, a file number and a person behind it), on DuckDB, under three hypotheses: the
same person, relatives, strangers (linking.py says it in order). No name, birth date or file number exists in what this
room returns; the clerical review (review.py) is the one exception, and goes into `sensitive/`.
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

# Set from recovery on simulated deposits: above it hardly a wrong pair is left, and few right ones are lost.
MATCH_THRESHOLD = 0.95
# Between these two lies what the choice of the threshold can change: the sensitivity of the quality section.
LOOSE, STRICT = 0.5, 0.999
# How often who is who is drawn from the pairs' probabilities, beside.
DRAWS = 5


def link_persons(
    records: pd.DataFrame,
    *,
    key: Key | bytes | None = None,
    threshold: float = MATCH_THRESHOLD,
    model: Model | None = None,
) -> pd.DataFrame:
    """
    Say which records are of one person, and which persons are of one household.

    Parameters
    ----------
    records : DataFrame
        The table `records`.
    key : Key or bytes, optional
        Secret of the pseudonyms; by default the study's own (made on first use).
    threshold : float, optional
        Probability from which two identities are one person.
    model : Model, optional
        Where learning begins; by default the frozen one of this version of the library.

    Returns
    -------
    DataFrame
        The table `persons`, one row a record in the order of `records`: record_id, person_id, household_id,
        match_probability (of the strongest link of the record's identity to the rest of its person; 1 where the
        person is known to one organisation only), identity_id (see `identities.py`).

    Notes
    -----
    The result does not depend on the order of the records. A household is joined through the household numbers
    inside each organisation, and carried across by the persons that are linked and by members who are surely
    relatives; someone without any of these is a household alone.

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
