"""Since the arrival in Québec: how long those who settled from the metropole had been there.

Nobody who has not settled is in this distribution, and a delay is seen only if it ends by the cut-off: recent arrivals
show their short delays alone (right truncation). Those who arrived before deposits began are left out: they would show
their long delays alone. `established` is the plain distribution; `truncation` weighs it back on reversed time (Lagakos,
Barraj & De Gruttola 1988): F(x) = Π_{y>x}(1 − d(y)/n(y)), n(y) the persons with delay ≤ y who could have been seen
at y. That is the law of the delay given that it is no longer than the last supported month, if it is the same for all
who arrived, whenever they did; it says nothing of longer delays, nor of how many never settle.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..groups import members
from ..months import ceil_month, floor_month, months_between
from ..observations import quarter_ends
from ..study import Study
from ..survival import kaplan_meier
from .flows import SECONDARY
from .settled import stays_of
from .steps import complement, nothing, on_months

# An arrival may be dated some days after the establishment; by more than a month, one of the two dates is wrong.
LATEST_ARRIVAL = -1.0


def since_arrival(cohort: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """
    The secondary stays with their delay since the arrival, one row each in order of person and time.

    Returns
    -------
    DataFrame
        person_id, household_id, region, delay (whole months, up), limit (the longest delay that the cut-off let be
        seen, whole months), left_out (missing; or why the row is not used: why the cohort excludes it,
        `arrival_unknown`, `arrival_after_establishment`, `arrived_before_deposits`).

    Examples
    --------
    >>> from trajectories.services.example import example_tables
    >>> cohort, records, _ = example_tables()
    >>> cohort = cohort.assign(years_since_arrival=[0.1, 0.5])  # deposits begin two months before the establishment
    >>> since_arrival(cohort, records)[["person_id", "delay", "limit", "left_out"]].values.tolist()
    [['a', 2.0, 13.0, None], ['b', 6.0, 18.0, 'arrived_before_deposits']]
    """
    stays = stays_of(cohort, None)
    stays = stays[stays["pathway"].eq(SECONDARY)].reset_index(drop=True)
    delay = stays["years_since_arrival"].astype(float) * 12
    since_deposits = months_between(deposits_begin(records), stays["establishment_latest"])
    whole = np.maximum(ceil_month(delay), 0)
    why = np.select(
        [stays["excluded"].notna(), delay.isna(), delay <= LATEST_ARRIVAL, ~(delay <= since_deposits)],
        [stays["excluded"], "arrival_unknown", "arrival_after_establishment", "arrived_before_deposits"],
        None,
    )
    return stays[["person_id", "household_id", "region"]].assign(
        delay=whole, limit=np.fmax(floor_month(delay + stays["cutoff"]), whole), left_out=why.astype(object)
    )


def deposits_begin(records: pd.DataFrame) -> np.datetime64:
    """The first day of the first quarter deposited (of rows that name none, that of the first service)."""
    ends = quarter_ends(records)
    first = ends.min() if ends.notna().any() else records["service_date_latest"].min()
    return first.to_period("Q").start_time.to_datetime64() if pd.notna(first) else np.datetime64("NaT")


def distribution(rows: pd.DataFrame, method: str, last: int, support: int) -> pd.DataFrame:
    """
    The distribution of the delay on the months 0 … last: month, estimate, se, lower, upper, n_risk.

    Parameters
    ----------
    rows : DataFrame
        household_id, delay, limit: a row a person.
    method : {"established", "truncation"}
    last : int
        Month.
    support : int
        Persons needed: in all for the one, at the last month told for the other.
    """
    delay, limit = rows["delay"].to_numpy(dtype=float), rows["limit"].to_numpy(dtype=float)
    household = rows["household_id"].to_numpy()
    months = np.arange(last + 1)
    if method == "established":
        if len(rows) < support:
            return nothing(months).assign(n_risk=len(rows))
        curve = kaplan_meier(delay, np.ones(len(rows)), cluster=household)
        return complement(on_months(curve, months)).assign(n_risk=len(rows))
    at_risk = np.array([((delay <= m) & (limit >= m)).sum() for m in months])
    enough = np.flatnonzero(at_risk >= support)
    if not len(enough):
        return nothing(months).assign(n_risk=at_risk)
    reach = int(enough[-1])
    inside = delay <= reach
    # on reversed time the truncation is a delayed entry, half a month before the last delay that could be seen
    ends, enters = reach - delay[inside] + 1, reach - np.minimum(limit[inside], reach) + 0.5
    curve = kaplan_meier(ends, np.ones(len(ends)), entry=enters, cluster=household[inside])
    reversed_time = on_months(curve, np.arange(reach + 1))
    table = reversed_time.assign(month=reach - reversed_time["month"]).set_index("month").reindex(months)
    return table.reset_index(names="month").assign(n_risk=at_risk)


def establishment_curve(
    settled: pd.DataFrame, *, study: Study | None = None, groups: Iterable[str] | None = None, horizon: int = 60
) -> pd.DataFrame:
    """
    The delays since the arrival of those who settled, as the curve of counts that `protect` takes.

    Parameters
    ----------
    settled : DataFrame
        What `since_arrival` returned.
    study, groups
        As in `groups.members`; `protect` takes the province and the regions.
    horizon : int
        Longer delays are censored there.

    Returns
    -------
    DataFrame
        group, month, n_entry, n_censor, n_exit_settled: method `established`. Delays under a month are of month 1:
        nobody leaves a curve at its start.

    Examples
    --------
    >>> settled = pd.DataFrame({"person_id": ["a", "b"], "region": "05", "delay": [2.0, 70.0], "left_out": None})
    >>> establishment_curve(settled, groups=["05"]).iloc[[0, 2, 60]].drop(columns="group")
        month  n_entry  n_censor  n_exit_settled
    0       0        2         0               0
    2       2        0         0               1
    60     60        0         1               0
    """
    settled = settled[settled["left_out"].isna()].reset_index(drop=True)
    size = horizon + 1
    found = []
    for group, chosen in members(settled, study, groups).items():
        delay = settled[chosen].drop_duplicates("person_id")["delay"].to_numpy(dtype=float)
        at = np.clip(delay, 1, horizon).astype(int)
        frame = pd.DataFrame({
            "group": group, "month": np.arange(size),
            "n_entry": np.bincount(np.zeros(len(at), dtype=int), minlength=size),
            "n_censor": np.bincount(at[delay > horizon], minlength=size),
            "n_exit_settled": np.bincount(at[delay <= horizon], minlength=size),
        })  # fmt: skip
        found.append(frame)
    return pd.concat(found, ignore_index=True)
