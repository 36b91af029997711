"""Since the first contact in the metropole: who settles en région, and how soon.

Everybody first met by an organisation of the metropole is at risk of settling, against leaving Québec or dying: a
cumulative incidence (Aalen & Johansen 1978). A person enters with the first service that an organisation of the
metropole gave there, never with an old address told together with the establishment: that would select those who
settled.

Organisations tell of an establishment whenever it comes, but of somebody who does not settle only as long as they come:
to censor at the last evidence would follow those who settle for longer than the others, and overstate (design.md,
rule 4). So `to_cutoff` follows everybody to the cut-off, less the time in which 95 % of the establishments are noted;
`last_evidence` stands beside as a companion. What is told is the incidence of establishments that an organisation heard
of: one that nobody told of lowers it; a departure from Québec that nobody heard of leaves it as it is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..months import ceil_month, floor_month, months_between
from ..survival import cumulative_incidence
from ..tables import METROPOLE, OUTSIDE_QUEBEC, PROVINCE, REGION
from .since_arrival import deposits_begin
from .steps import NUMBERS, nothing, on_months

# The share of establishments that are noted within the time left out before the cut-off.
NOTED = 0.95
_SETTLED, _ELSEWHERE, _GONE = 1, 2, 3


def since_contact(
    cohort: pd.DataFrame, spells: pd.DataFrame, observations: pd.DataFrame, records: pd.DataFrame, cutoff: pd.Timestamp
) -> pd.DataFrame:
    """
    Those first met by an organisation of the metropole, and what followed.

    Returns
    -------
    DataFrame
        One row a person: person_id, household_id, region (where they settled first; missing: nowhere known), cause
        (0 nothing known, 1 settled, 3 left Québec or died), month (of what happened; missing where nothing did),
        to_cutoff, last_evidence (whole months until which each method follows the person), left_out (missing; or why
        the row is not used: `settled_before`, `met_too_late`).

    Examples
    --------
    >>> from trajectories.services.example import example_tables
    >>> (cohort, records, _), day = example_tables(), pd.to_datetime(["2022-02-10", "2022-06-02"])
    >>> spells = pd.DataFrame({"person_id": "a", "household_id": "A", "spell": [1, 2], "zone": ["metropole", "region"],
    ...     "region": ["06", "05"], "start_latest": day, "end_earliest": day, "last_confirmed": day, "outcome": "lost"})
    >>> seen = pd.DataFrame({"person_id": "a", "record_id": ["1"], "kind": "service", "zone": "metropole",
    ...                      "latest": day[:1]})
    >>> met = since_contact(cohort, spells, seen, records, pd.Timestamp("2023-03-31"))
    >>> met[["person_id", "region", "cause", "month", "to_cutoff"]].values.tolist()
    [['a', '05', 1, 4.0, 13.0]]
    """
    zone = records[["record_id", "organisation_zone"]].set_index("record_id")["organisation_zone"]
    met = observations[observations["kind"].eq("service") & observations["zone"].eq(METROPOLE)]
    met = met[met["record_id"].map(zone).eq(METROPOLE) & (met["latest"] >= deposits_begin(records))]
    first = met.groupby("person_id")["latest"].min().rename("met").reset_index()
    ordered = spells.sort_values(["person_id", "spell"], kind="stable").merge(first, on="person_id")
    ordered["begins"] = ordered["start_latest"].fillna(ordered["end_earliest"])
    inside, by_then = ordered["zone"].eq(REGION), ordered["begins"] <= ordered["met"]
    later = ordered[~by_then]
    settles = later[later["zone"].eq(REGION)].drop_duplicates("person_id").set_index("person_id")
    leaves = later[later["zone"].eq(OUTSIDE_QUEBEC)].groupby("person_id")["begins"].min()
    dies = ordered[ordered["outcome"].eq("deceased")].groupby("person_id")["end_earliest"].max()

    table = ordered.drop_duplicates("person_id").set_index("person_id")[["household_id", "met"]]
    settled = settles["begins"].reindex(table.index)
    gone = pd.concat([leaves, dies]).groupby(level=0).min().reindex(table.index)
    gone_first = gone.notna() & ~(settled <= gone)
    day = settled.where(~gone_first, gone)
    cause = np.select([gone_first, settled.notna()], [_GONE, _SETTLED], 0)
    month = np.maximum(ceil_month(months_between(table["met"], day)), 1)
    until = ordered[ordered["zone"].eq(METROPOLE)].groupby("person_id")["last_confirmed"].max().reindex(table.index)
    evidence = np.maximum(floor_month(np.nan_to_num(months_between(table["met"], until))), 0)
    to_cutoff = floor_month(months_between(table["met"], np.datetime64(cutoff, "ns"))) - _noting_lag(cohort)
    already = table.index.isin(ordered.loc[inside & by_then, "person_id"])
    why = np.select([already, to_cutoff < 0], ["settled_before", "met_too_late"], None)
    found = table[["household_id"]].assign(
        region=settles["region"].reindex(table.index).where(~gone_first, None), cause=cause, month=month,
        # an event is followed until it happens
        to_cutoff=to_cutoff, last_evidence=np.where(cause > 0, month, evidence), left_out=why.astype(object),
    )  # fmt: skip
    return found.reset_index()


def _noting_lag(cohort: pd.DataFrame) -> float:
    """Months within which 95 % of the establishments were noted (`entry`: from the establishment to that day)."""
    entry = cohort["entry"].dropna().to_numpy(dtype=float)
    return float(ceil_month(np.quantile(entry, NOTED))) if len(entry) else 0.0


def _followed(met: pd.DataFrame, here: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Time in whole months and cause of each person (1 settled in the group, 2 elsewhere en région, 3 gone)."""
    end, month = met[method].to_numpy(dtype=float), met["month"].to_numpy(dtype=float)
    cause = met["cause"].to_numpy()
    happened = (cause > 0) & (np.nan_to_num(month, nan=np.inf) <= end)
    known = np.select([cause == _GONE, here], [_GONE, _SETTLED], _ELSEWHERE)
    return np.where(happened, month, end), np.where(happened, known, 0)


def incidence(met: pd.DataFrame, here: np.ndarray, method: str, last: int, support: int) -> pd.DataFrame:
    """
    The incidence of settling in a group on the months 0 … last: month, estimate, se, lower, upper, n_risk.

    Parameters
    ----------
    met : DataFrame
        Rows of `since_contact` that are used.
    here : ndarray of bool
        Whose region is of the group.
    method : {"to_cutoff", "last_evidence"}
    last : int
        Month.
    support : int
        Persons needed at risk for a month to have an estimate.
    """
    months = np.arange(last + 1)
    time, cause = _followed(met, here, method)
    at_risk = np.array([(time >= m).sum() for m in months])
    if (cause == _SETTLED).any():
        curve = cumulative_incidence(time, cause, cluster=met["household_id"])
        table = on_months(curve[curve["cause"].eq(_SETTLED)], months, "incidence")
    else:
        table = nothing(months).fillna(0.0)
    table.loc[at_risk < support, list(NUMBERS)] = np.nan
    return table.assign(n_risk=at_risk)


def contact_curve(met: pd.DataFrame, *, horizon: int = 60) -> pd.DataFrame:
    """
    What happened after the first contact, month by month, as the curve of counts that `protect` takes.

    Province only: everybody met is at risk of settling in any region, so the regions' curves do not add up to it.

    Parameters
    ----------
    met : DataFrame
        What `since_contact` returned.
    horizon : int
        Who is followed longer is censored there.

    Returns
    -------
    DataFrame
        group (`province`), month, n_entry, n_censor, n_exit_settled, n_exit_gone (persons; method `to_cutoff`).

    Examples
    --------
    >>> met = pd.DataFrame({"cause": [1, 0, 3], "month": [4.0, np.nan, 9.0], "to_cutoff": [20.0, 12.0, 30.0],
    ...                     "left_out": None})
    >>> contact_curve(met).iloc[[0, 4, 9, 12]].drop(columns="group")
        month  n_entry  n_censor  n_exit_settled  n_exit_gone
    0       0        3         0               0            0
    4       4        0         0               1            0
    9       9        0         0               0            1
    12     12        0         1               0            0
    """
    met = met[met["left_out"].isna()]
    time, cause = _followed(met, np.ones(len(met), dtype=bool), "to_cutoff")
    cause = np.where(time > horizon, 0, cause)
    at = np.minimum(time, horizon).astype(int)
    size = horizon + 1
    return pd.DataFrame({
        "group": PROVINCE, "month": np.arange(size),
        "n_entry": np.bincount(np.zeros(len(at), dtype=int), minlength=size),
        "n_censor": np.bincount(at[cause == 0], minlength=size),
        "n_exit_settled": np.bincount(at[cause == _SETTLED], minlength=size),
        "n_exit_gone": np.bincount(at[cause == _GONE], minlength=size),
    })  # fmt: skip
