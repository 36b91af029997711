"""When: two distributions of a delay, which answer two questions.

`arrival_to_establishment`: of those who settled, how long had they been in Québec.
`first_contact_to_establishment`: of those met in the metropole, how many settle, and how soon.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ...groups import members
from ...months import TOLERANCE, ceil_month, floor_month, months_between
from ...stays.observations import quarter_ends
from ...study import Study
from ...survival import cumulative_incidence, kaplan_meier
from ...tables import METROPOLE, OUTSIDE_QUEBEC, PROVINCE, REGION
from .flows import SECONDARY
from .settlement import stays_of

# ----------------------------------------------------------------------------------------------------
# Curves read at whole months: month, estimate, se, lower, upper.

NUMBERS = ("estimate", "se", "lower", "upper")


def on_months(curve: pd.DataFrame, months: np.ndarray, column: str = "survival") -> pd.DataFrame:
    """A step function at whole months: month, estimate, se, lower, upper."""
    start = 1.0 if column == "survival" else 0.0
    step = np.searchsorted(curve["time"].to_numpy(dtype=float), months + TOLERANCE, side="right")
    first = {column: start, "se": 0.0, "lower": start, "upper": start}
    read = {name: np.append(value, curve[name].to_numpy(dtype=float))[step] for name, value in first.items()}
    table = pd.DataFrame({"month": months, "estimate": read.pop(column), **read})
    # a survival of 0 (everybody settled) has a standard error of 0·∞: here the share is all of those seen
    ended = table["estimate"].eq(0) & (column == "survival")
    table.loc[ended, ["se", "lower", "upper"]] = 0.0
    return table


def complement(table: pd.DataFrame) -> pd.DataFrame:
    """One minus the estimate, its limits turned round."""
    limits = {"estimate": 1 - table["estimate"], "lower": 1 - table["upper"], "upper": 1 - table["lower"]}
    return table.assign(**limits)


def nothing(months: np.ndarray) -> pd.DataFrame:
    """Months without an estimate."""
    return pd.DataFrame({"month": months, **dict.fromkeys(NUMBERS, np.nan)})


# ----------------------------------------------------------------------------------------------------
# Since the arrival in Québec: how long those who settled from the metropole had been there.
#
# Nobody who has not settled is in this distribution, and a delay is seen only if it ends by the cut-off: recent
# arrivals show their short delays alone (right truncation). Those who arrived before deposits began are left out: they
# would show their long delays alone. `established` is the plain distribution; `truncation` weighs it back on reversed
# time (Lagakos, Barraj & De Gruttola 1988): F(x) = Π_{y>x}(1 − d(y)/n(y)), n(y) the persons with delay ≤ y who could
# have been seen at y. That is the law of the delay given that it is no longer than the last supported month, if it is
# the same for all who arrived, whenever they did; it says nothing of longer delays, nor of how many never settle.

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
    >>> from trajectories.analysis.services.example import example_tables
    >>> cohort, records, _ = example_tables()
    >>> cohort = cohort.assign(years_since_arrival=[0.1, 0.5])  # deposits begin two months before the establishment
    >>> since_arrival(cohort, records)[["person_id", "delay", "limit", "left_out"]].values.tolist()
    [['a', 2.0, 13.0, None], ['b', 6.0, 18.0, 'arrived_before_deposits']]
    """
    stays = stays_of(cohort, None)
    stays = stays[stays["pathway"].eq(SECONDARY)].reset_index(drop=True)
    delay = stays["years_since_arrival"].astype(float) * 12
    since_deposits = months_between(deposits_begin(records), stays["establishment_latest"])
    months = np.maximum(ceil_month(delay), 0)
    why = np.select(  # type: ignore[call-overload]
        [stays["excluded"].notna(), delay.isna(), delay <= LATEST_ARRIVAL, ~(delay <= since_deposits)],
        [stays["excluded"], "arrival_unknown", "arrival_after_establishment", "arrived_before_deposits"],
        None,
    )
    return stays[["person_id", "household_id", "region"]].assign(
        delay=months, limit=np.fmax(floor_month(delay + stays["cutoff"]), months), left_out=why.astype(object)
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
    settled: pd.DataFrame, *, study: Study, groups: Iterable[str] | None = None, horizon: int = 60
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
    >>> establishment_curve(settled, groups=["05"], study=Study()).iloc[[0, 2, 60]].drop(columns="group")
        month  n_entry  n_censor  n_exit_settled
    0       0        2         0               0
    2       2        0         0               1
    60     60        0         1               0
    """
    settled = settled[settled["left_out"].isna()].reset_index(drop=True)
    size = horizon + 1
    curves = []
    for group, chosen in members(settled, study, groups).items():
        delay = settled[chosen].drop_duplicates("person_id")["delay"].to_numpy(dtype=float)
        at = np.clip(delay, 1, horizon).astype(int)
        frame = pd.DataFrame(
            {
                "group": group,
                "month": np.arange(size),
                "n_entry": np.bincount(np.zeros(len(at), dtype=int), minlength=size),
                "n_censor": np.bincount(at[delay > horizon], minlength=size),
                "n_exit_settled": np.bincount(at[delay <= horizon], minlength=size),
            }
        )
        curves.append(frame)
    return pd.concat(curves, ignore_index=True)


# ----------------------------------------------------------------------------------------------------
# Since the first contact in the metropole: who settles en région, and how soon.
#
# Everybody first met by an organisation of the metropole is at risk of settling, against leaving Québec or dying: a
# cumulative incidence (Aalen & Johansen 1978). A person enters with the first service that an organisation of the
# metropole gave there, never with an old address told together with the establishment: that would select those who
# settled.
#
# Organisations tell of an establishment whenever it comes, but of somebody who does not settle only as long as they
# come: to censor at the last evidence would follow those who settle for longer than the others, and overstate
# (design.md, rule 4). So `to_cutoff` follows everybody to the cut-off, less the time in which 95 % of the
# establishments are noted; `last_evidence` stands beside as a companion. What is told is the incidence of
# establishments that an organisation heard of: one that nobody told of lowers it; a departure from Québec that nobody
# heard of leaves it as it is.

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
    >>> from trajectories.analysis.services.example import example_tables
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
    why = np.select([already, to_cutoff < 0], ["settled_before", "met_too_late"], None)  # type: ignore[call-overload]
    contact_table = table[["household_id"]].assign(
        region=settles["region"].reindex(table.index).where(~gone_first, None),
        cause=cause,
        month=month,
        # an event is followed until it happens
        to_cutoff=to_cutoff,
        last_evidence=np.where(cause > 0, month, evidence),
        left_out=why.astype(object),
    )
    return contact_table.reset_index()


def _noting_lag(cohort: pd.DataFrame) -> float:
    """Months within which 95 % of the establishments were noted (`entry`: from the establishment to that day)."""
    entry = cohort["entry"].dropna().to_numpy(dtype=float)
    return float(ceil_month(np.quantile(entry, NOTED))) if len(entry) else 0.0


def _followed(met: pd.DataFrame, in_group: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Time in whole months and cause of each person (1 settled in the group, 2 elsewhere en région, 3 gone)."""
    end, month = met[method].to_numpy(dtype=float), met["month"].to_numpy(dtype=float)
    cause = met["cause"].to_numpy()
    happened = (cause > 0) & (np.nan_to_num(month, nan=np.inf) <= end)
    outcome = np.select([cause == _GONE, in_group], [_GONE, _SETTLED], _ELSEWHERE)
    return np.where(happened, month, end), np.where(happened, outcome, 0)


def incidence(met: pd.DataFrame, in_group: np.ndarray, method: str, last: int, support: int) -> pd.DataFrame:
    """
    The incidence of settling in a group on the months 0 … last: month, estimate, se, lower, upper, n_risk.

    Parameters
    ----------
    met : DataFrame
        Rows of `since_contact` that are used.
    in_group : ndarray of bool
        Whose region is of the group.
    method : {"to_cutoff", "last_evidence"}
    last : int
        Month.
    support : int
        Persons needed at risk for a month to have an estimate.
    """
    months = np.arange(last + 1)
    time, cause = _followed(met, in_group, method)
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
    return pd.DataFrame(
        {
            "group": PROVINCE,
            "month": np.arange(size),
            "n_entry": np.bincount(np.zeros(len(at), dtype=int), minlength=size),
            "n_censor": np.bincount(at[cause == 0], minlength=size),
            "n_exit_settled": np.bincount(at[cause == _SETTLED], minlength=size),
            "n_exit_gone": np.bincount(at[cause == _GONE], minlength=size),
        }
    )


# ----------------------------------------------------------------------------------------------------

SINCE_ARRIVAL, SINCE_CONTACT = "arrival_to_establishment", "first_contact_to_establishment"
# The methods of each measure, the main one first, and what is said of each.
METHODS = {
    SINCE_ARRIVAL: {
        "truncation": "among the established within the last month told, weighted back for the cut-off",
        "established": "among the established; recent arrivals show short delays only",
    },
    SINCE_CONTACT: {
        "to_cutoff": "no news is taken as not settled; the last months, where news may be missing, are left out",
        "last_evidence": "censored at the last evidence in the metropole: overstates",
    },
}
COLUMNS = (
    "measure", "method", "group", "month", "estimate", "se", "lower", "upper", "n_start", "n_risk", "n_left_out",
    "note",
)  # fmt: skip


def delays(
    cohort: pd.DataFrame,
    spells: pd.DataFrame,
    observations: pd.DataFrame,
    records: pd.DataFrame,
    *,
    cutoff: pd.Timestamp,
    study: Study,
    groups: Iterable[str] | None = None,
) -> pd.DataFrame:
    """
    The distribution of the delays, month by month.

    Parameters
    ----------
    cohort, spells, observations, records : DataFrame
        The tables `cohort`, `spells`, `observations` and `records`.
    cutoff : Timestamp
        The last day of observation.
    study : Study
        Its horizons (the last one ends the curves), support and groups are used.
    groups : iterable of str, optional
        `province`, region codes, groups of the study.

    Returns
    -------
    DataFrame
        measure, method, group, month (0, 1 …), estimate (share settled by then, 0–1), se, lower, upper (95 %,
        clustered on households), n_start (persons), n_risk, n_left_out (persons of the group, or of all who were
        met, that are not used), note. A month with fewer than `support` at risk has no estimate; of `truncation`,
        none beyond the last month that has as many, and the estimate is 1 there.

    Examples
    --------
    >>> from trajectories import build_spells
    >>> from trajectories.analysis.services.example import example_tables
    >>> cohort, records, persons = example_tables()
    >>> lived, cohort = build_spells(records, persons), cohort.assign(years_since_arrival=[0.05, 0.12])
    >>> table = delays(cohort, lived.spells, lived.observations, records, cutoff=lived.cutoff, groups=["05"],
    ...                study=Study(support=1, horizons=(3,)))
    >>> table.loc[table["method"].eq("established"), "estimate"].tolist()  # by months 0 to 3
    [0.0, 0.5, 1.0, 1.0]
    """
    chosen_groups = None if groups is None else tuple(groups)
    last = max(study.horizons)
    settled, met = since_arrival(cohort, records), since_contact(cohort, spells, observations, records, cutoff)
    included = met[met["left_out"].isna()].reset_index(drop=True)
    tables = []
    for group, chosen in members(settled, study, chosen_groups).items():
        rows = settled[chosen & settled["left_out"].isna().to_numpy()].drop_duplicates("person_id")
        n = {"n_start": len(rows), "n_left_out": settled.loc[chosen, "person_id"].nunique() - len(rows)}
        for method in METHODS[SINCE_ARRIVAL]:
            curve = distribution(rows, method, last, study.support)
            tables.append(curve.assign(measure=SINCE_ARRIVAL, method=method, group=group, **n))
    n = {"n_start": len(included), "n_left_out": len(met) - len(included)}
    for group, in_group in members(included, study, chosen_groups).items():
        for method in METHODS[SINCE_CONTACT]:
            curve = incidence(included, in_group, method, last, study.support)
            tables.append(curve.assign(measure=SINCE_CONTACT, method=method, group=group, **n))
    table = pd.concat(tables, ignore_index=True)
    table["note"] = table["method"].map({name: note for notes in METHODS.values() for name, note in notes.items()})
    return table[list(COLUMNS)]
