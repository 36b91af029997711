"""One light a subject: how far an organisation's deposits are from what the portrait needs.

A light is held against fixed thresholds, never against the others: everyone may be good.
"""

from __future__ import annotations

import pandas as pd

GOOD, WATCH, MEND, UNMEASURED = LEVELS = ("good", "watch", "mend", "unmeasured")
FOLLOW_UP, DEPOSITS, PLACES, DATES, IDENTITY = SUBJECTS = ("follow_up", "deposits", "places", "dates", "identity")
# Subject → the measure that decides it, and the shares from which on it is to be watched and to be mended. In the
# order of what they cost the portrait.
THRESHOLDS = {
    # one call of ten missed is what holidays and turnover explain; with three of ten, departures become known by
    # hearsay alone, and the estimate rests on how that works
    FOLLOW_UP: ("contact_not_made", 0.10, 0.30),
    # one quarter late or missing in five years is an accident; from one in six on, whole cohorts are entered late, and
    # who left in between was never there
    DEPOSITS: ("quarter", 0.05, 0.16),
    # without a municipality there is neither zone nor region: the row says that somebody lives somewhere. Two in a
    # hundred are homonyms and typing slips; one in ten moves a region's counts more than their rounding does
    PLACES: ("no_municipality", 0.02, 0.10),
    # dates are typed, not chosen from a list: one in a hundred slips; one in twenty says that a column is misread
    DATES: ("doubtful_date", 0.01, 0.05),
    # who is not recognised elsewhere counts as a newcomer there and as gone here: two in a hundred is what a study of
    # moves of a tenth of its persons can bear
    IDENTITY: ("thin_dossier", 0.02, 0.10),
}  # fmt: skip


def level_of(share: float | None, watch: float, mend: float) -> str:
    """
    The level of what goes wrong: the higher, the worse; nothing measured is no level.

    Parameters
    ----------
    share : float or None
    watch, mend : float
        From where on it is to be watched, and to be mended.

    Examples
    --------
    >>> [level_of(share, watch=0.02, mend=0.1) for share in (0.0, 0.02, 0.3, None)]
    ['good', 'watch', 'mend', 'unmeasured']
    """
    if pd.isna(share):
        return UNMEASURED
    return MEND if share >= mend else WATCH if share >= watch else GOOD


def levels(measures: pd.DataFrame, organisations: pd.Series) -> pd.DataFrame:
    """
    The level of each subject.

    Parameters
    ----------
    measures : DataFrame
        organisation_id, measure, n, of, share.
    organisations : Series
        Codes: all of them have every subject, `unmeasured` where there is nothing to measure.

    Returns
    -------
    DataFrame
        organisation_id, subject, level, n, of, share; in order of organisations and of `SUBJECTS`.

    Examples
    --------
    >>> one = pd.DataFrame({"organisation_id": ["A"], "measure": "doubtful_date", "n": [3], "of": [100], "share": 0.03})
    >>> levels(one, pd.Series(["A"])).query("subject == 'dates'")["level"].item()
    'watch'
    """
    found = []
    for subject, (measure, watch, mend) in THRESHOLDS.items():
        rows = measures[measures["measure"].eq(measure)].set_index("organisation_id")
        rows = rows[["n", "of", "share"]].reindex(organisations.to_numpy()).rename_axis("organisation_id").reset_index()
        level = [level_of(share, watch, mend) for share in rows["share"]]
        found.append(rows.assign(subject=subject, level=level, at=list(THRESHOLDS).index(subject)))
    joined = pd.concat(found, ignore_index=True).sort_values(["organisation_id", "at"], ignore_index=True)
    return joined[["organisation_id", "subject", "level", "n", "of", "share"]]
