"""Where persons are after a stay, month by month: what is known of it, and the share in each state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...months import months_between
from ...stays.contacts import until_report
from ...study import Study
from ...survival.checks import NORMAL_975
from ...tables import METROPOLE, OUTSIDE_QUEBEC, REGION
from ..main_fits import MainFit
from ..model_input import CAUSES

# ----------------------------------------------------------------------------------------------------
# The known course after a stay: months spent in each state, and moves between states.

# The region of the stay, then the destinations in the order of the estimator's causes.
STATES = ("this_region", *CAUSES)


def rates_after(stays: pd.DataFrame, spells: pd.DataFrame, replicates: int, study: Study) -> np.ndarray:
    """
    Monthly rates of moving between states after an exit: the estimate, then each resample of households.

    Parameters
    ----------
    stays : DataFrame
        Rows of the table `cohort`: person_id, household_id, region, exit, cutoff and the establishment interval.
    spells : DataFrame
        The table `spells`.
    replicates : int
        Resamples beside the estimate.
    study : Study
        Its seed and scope are used.

    Returns
    -------
    array of shape (1 + replicates, states, states)
        Rates off the diagonal (moves over person-months), minus their sum on it; 0 for a state without exposure.
    """
    rows = episodes_after(stays, spells, study.scope)
    size = len(STATES)
    household, codes = np.unique(stays["household_id"].to_numpy(dtype=object), return_inverse=True)
    owner = pd.Series(codes, index=stays["household_id"]).groupby(level=0).first().reindex(rows["household_id"])
    months, moves = np.zeros((len(household), size)), np.zeros((len(household), size, size))
    at = owner.to_numpy(dtype=np.int64)
    state, goes_to = rows["state"].to_numpy(dtype=np.int64), rows["goes_to"].to_numpy(dtype=np.int64)
    np.add.at(months, (at, state), rows["months"].to_numpy(dtype=float))
    goes = goes_to >= 0
    np.add.at(moves, (at[goes], state[goes], goes_to[goes]), 1.0)
    weights = np.ones((1, len(household)))
    if replicates:
        rng = np.random.default_rng([study.seed, len(household)])
        resamples = rng.multinomial(len(household), np.full(len(household), 1 / len(household)), size=replicates)
        weights = np.vstack([weights, resamples])
    exposure = weights @ months
    counts = (weights @ moves.reshape(len(household), -1)).reshape(-1, size, size)
    rates = np.divide(counts, exposure[..., None], out=np.zeros_like(counts), where=exposure[..., None] > 0)
    rates[:, range(size), range(size)] = -rates.sum(axis=2)
    return rates


def episodes_after(stays: pd.DataFrame, spells: pd.DataFrame, scope: str) -> pd.DataFrame:
    """
    One row for each spell after the end of a stay: household_id, state (position in `STATES`), months, goes_to.

    goes_to is the state of the next spell, −1 where the spell ended in no known place, or is not known to have ended.
    A spell counts from its first day certain to the middle of its end, or, open, to the cut-off: no news is taken as no
    move. (Followed to the last day seen, those who move on would be nearly all who are seen: in the sample, 24 months
    on, .026 too many were back in the region.) A spell in an unknown place is dropped. Where a person has several
    stays, spells after the next stay belong to that one.
    """
    spells = spells.reset_index(drop=True)
    inside, before = spells["zone"].eq(REGION), spells.shift()
    goes_on = inside & spells["person_id"].eq(before["person_id"]) & before["zone"].eq(REGION)
    goes_on &= ~before["outcome"].eq("left")
    if scope == "region":
        goes_on &= spells["region"].eq(before["region"])
    run = (~goes_on).cumsum()
    first = spells.assign(run=run)[inside & ~goes_on].rename(columns={"region": "of_region"})
    about = stays.rename(
        columns={
            "region": "of_region",
            "establishment_earliest": "start_earliest",
            "establishment_latest": "start_latest",
        }
    )
    about = about[about["exit"].isin(CAUSES)]
    keys = ["person_id", "of_region", "start_earliest", "start_latest"]
    exited = about[[*keys, "household_id", "cutoff"]].merge(first[[*keys, "run"]], on=keys)
    end = spells["end_earliest"] + (spells["end_latest"] - spells["end_earliest"]) / 2
    end = end.fillna(spells["end_latest"]).where(spells["outcome"].isin(["moved", "left", "deceased"]))
    following = spells.shift(-1)
    later = spells[["person_id", "zone", "region", "start_latest", "outcome"]].assign(
        run=run, end=end, next_zone=following["zone"], next_region=following["region"]
    )
    pairs = exited.merge(later, on="person_id", suffixes=("", "_later"))
    pairs = pairs[pairs["run_later"] > pairs["run"]]
    # each spell is of the last stay that ended before it
    pairs = pairs[pairs["run"].eq(pairs.groupby(["person_id", "run_later"])["run"].transform("max"))]
    state = _states(pairs["zone"], pairs["region"], pairs["of_region"], scope)
    goes_to = _states(pairs["next_zone"], pairs["next_region"], pairs["of_region"], scope)
    goes_to = np.where(pairs["outcome"].eq("moved") & (goes_to != state), goes_to, -1)
    begun, ended = (months_between(pairs["start_latest"], pairs[name]) for name in ("start_latest_later", "end"))
    months = np.nan_to_num(np.where(np.isnan(ended), pairs["cutoff"].to_numpy(dtype=float), ended) - begun)
    episodes = pd.DataFrame(
        {
            "household_id": pairs["household_id"].to_numpy(),
            "state": state,
            "months": np.maximum(months, 0),
            "goes_to": goes_to,
        }
    )
    return episodes[episodes["state"] >= 0].reset_index(drop=True)


def _states(zone: pd.Series, region: pd.Series, stay_region: pd.Series, scope: str) -> np.ndarray:
    """The position of each residence in `STATES`; −1 where it is not known."""
    back = zone.eq(REGION) & (region.eq(stay_region) | (scope == "any_region"))
    zones = [back, zone.eq(METROPOLE), zone.eq(REGION) & region.notna(), zone.eq(OUTSIDE_QUEBEC)]
    return np.select([flag.to_numpy(dtype=bool) for flag in zones], [0, 1, 2, 3], -1)


# ----------------------------------------------------------------------------------------------------
# Where those who settled are, month by month: this region, another region, the metropole, outside Québec.
#
# Method `main`: of the main fit, those still there, and those gone to each destination carried on from the month of
# their exit by the moves that are known afterwards, P(t) = S(t)·1[here] + Σ_c Σ_u f_c(u) P_c(t − u + ½). Afterwards
# means a Markov model of constant rates (moves over person-months, Aalen & Johansen 1978, pooled over the group's
# stays that ended; returns to the region are in it), everyone followed to the cut-off: moves after an exit that nobody
# heard of are missing. Limits: the main fit's bootstrap replicates, the later moves resampled by household beside
# them.
#
# Method `panel`: `survival.panel_markov` on the states seen at contacts (Kalbfleisch & Lawless 1985), beside it where
# contacts are the only evidence (`panel_may_be_used`). Its rates of leaving do not change with time since the
# establishment, and those gone stay where they went: it is a check of the other, not in its place.

COLUMNS = (
    "measure", "group", "state", "horizon", "estimate", "se", "lower", "upper", "n_start", "n_at_risk", "n_confirmed",
    "known", "method", "note",
)  # fmt: skip
MEASURE = "occupation"
# A contact fails more with those gone: where by more than this, the states seen at contacts are not a fair sample.
FAIR = 0.05
_NOTE = "those still there by the main fit; after an exit, as the moves known since tell"
_PANEL = "states seen at contacts alone, with rates that do not change: a check"


def occupation(fits: Mapping[str, MainFit], spells: pd.DataFrame, *, study: Study) -> pd.DataFrame:
    """
    The share of those who settled that is in each state, by month since the establishment.

    Parameters
    ----------
    fits : mapping of str to MainFit
        As `main_fits` returns them.
    spells : DataFrame
        The table `spells`, for the known moves after an exit.
    study : Study
        Its horizons, support and seed are used.

    Returns
    -------
    DataFrame
        measure (`occupation`), group, state (`this_region`, `metropole`, `other_region`, `outside_quebec`; they add up
        to 1), horizon (every month from 0 to the last horizon), estimate, se, lower, upper (rates in 0–1), n_start,
        n_at_risk, n_confirmed (stays), known, method (`main`; `panel` where it may be used), note (for `main`, why the
        panel model may not). In a month that is `insufficient` there is no estimate.

    Examples
    --------
    >>> from trajectories.retention.course import main_fits
    >>> from trajectories.simulate import told_stays
    >>> from trajectories.tables import SPELLS, stack
    >>> cohort, contacts = told_stays(400, seed=1).tables()
    >>> cohort = cohort.assign(exit=None, establishment_earliest=pd.Timestamp("2020-01-01"),
    ...                        establishment_latest=pd.Timestamp("2020-01-01"))
    >>> study = Study(replicates=0, horizons=(12,))
    >>> fits = main_fits(cohort, contacts, study=study, groups=["province"])
    >>> at = occupation(fits, stack([], SPELLS), study=study).query("horizon == 12")
    >>> at["state"].tolist(), float(at["estimate"].sum().round(6))
    (['this_region', 'metropole', 'other_region', 'outside_quebec'], 1.0)
    """
    all_tables = []
    for group, fit in fits.items():
        may, why = panel_may_be_used(fit, study)
        tables = [_main(fit, spells, study).assign(method="main", note=_NOTE if may else f"{_NOTE}; no panel: {why}")]
        if may:
            tables.append(_panel(fit, study).assign(method="panel", note=_PANEL))
        all_tables += [table.assign(measure=MEASURE, group=group, n_start=len(fit.model_input)) for table in tables]
    return (
        pd.concat(all_tables, ignore_index=True)[list(COLUMNS)] if all_tables else pd.DataFrame(columns=list(COLUMNS))
    )


def panel_may_be_used(fit: MainFit, study: Study) -> tuple[bool, str]:
    """
    Whether the panel model may be used on the states seen at contacts, and if not why.

    They may where contacts are the only evidence (no departure was heard of), enough of them found somebody gone, and
    a contact fails about as often (`FAIR`) with somebody gone as with somebody there.
    """
    kinds = fit.model_input.contacts["kind"]
    if kinds.eq("news").any():
        return False, "departures are also heard of"
    if int(kinds.eq("left").sum()) < study.support:
        return False, "too few departures found by a contact"
    failed = fit.curve.contact_failure.groupby("presence")[["n_failed", "n_attempts"]].sum()
    share = (failed["n_failed"] / failed["n_attempts"].where(failed["n_attempts"] > 0)).fillna(0.0)
    if share.get("gone", 0.0) - share.get("there", 0.0) > FAIR:
        return False, "contacts fail more with those gone"
    return True, ""


def _main(fit: MainFit, spells: pd.DataFrame, study: Study) -> pd.DataFrame:
    from ...survival.intervals.interval import bootstrap_limits

    estimate, replicate_curves = fit.curves()
    last = min(max(study.horizons), estimate.shape[1] - 1)
    many = replicate_curves.shape[2]
    rates = rates_after(fit.stays, spells, many, study)
    values = _carried_on(estimate[:, : last + 1, None], rates[:1])[..., 0]
    replicates = _carried_on(replicate_curves[:, : last + 1], rates[1:]) if many else None
    at = fit.at(range(last + 1))
    tables = []
    for k, state in enumerate(STATES):
        se, lower, upper = bootstrap_limits(values[k], None if replicates is None else replicates[k], 0.95, k == 0)
        numbers = pd.DataFrame({"state": state, "estimate": values[k], "se": se, "lower": lower, "upper": upper})
        tables.append(pd.concat([at, numbers], axis=1))
    return _all_months(pd.concat(tables, ignore_index=True), fit, study)


def _all_months(table: pd.DataFrame, fit: MainFit, study: Study) -> pd.DataFrame:
    """Every month to the last horizon, without estimate where `known` is `insufficient`."""
    months = range(max(study.horizons) + 1)
    rows = pd.MultiIndex.from_product([STATES, months], names=["state", "horizon"])
    numbers = table.set_index(["state", "horizon"])[["estimate", "se", "lower", "upper"]].reindex(rows).reset_index()
    numbers = numbers.merge(fit.at(months), on="horizon")
    numbers.loc[numbers["known"].eq("insufficient"), ["estimate", "se", "lower", "upper"]] = np.nan
    return numbers


def _carried_on(curves: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """
    The share in each state by month.

    Parameters
    ----------
    curves : array of shape (1 + causes, months, B)
        S, then F of each cause, from month 0.
    rates : array of shape (B, states, states)
        Of moving between states after an exit, a month; rows sum to 0.
    """
    from scipy.linalg import expm

    months, many = curves.shape[1:]
    exits = np.diff(curves[1:], axis=1)
    occupied = np.zeros((len(STATES), months, many))
    occupied[0] = curves[0]
    step, reached = expm(rates), expm(rates / 2)
    for since in range(months - 1):
        # whoever left in the month u is in u + since, on average half a month more after the exit
        for c in range(len(CAUSES)):
            occupied[:, 1 + since :] += reached[:, c + 1].T[:, None, :] * exits[c, : months - 1 - since]
        reached = reached @ step
    return np.clip(occupied, 0.0, 1.0)


# ── the panel model ───────────────────────────────────────────────────────────────────────────────────────
def _panel(fit: MainFit, study: Study) -> pd.DataFrame:
    from ...survival import panel_markov

    rows = _states_seen(fit)
    gone = [state for state in STATES[1:] if rows["state"].eq(state).any()]
    model = panel_markov(rows["stay"], rows["month"], rows["state"], [(STATES[0], state) for state in gone])
    rates = model.intensity.loc[STATES[0], gone].to_numpy(dtype=float)
    months = np.arange(max(study.horizons) + 1)

    def shares(logs: np.ndarray) -> np.ndarray:
        rate = np.exp(logs)
        staying = np.exp(-rate.sum() * months)
        return np.vstack([staying, *(part / rate.sum() * (1 - staying) for part in rate)])

    logs = np.log(np.maximum(rates, 1e-300))
    # numerical derivatives of the shares by the log rates (delta method)
    by = 1e-5
    slopes = np.stack(
        [(shares(logs + by * direction) - shares(logs - by * direction)) / (2 * by) for direction in np.eye(len(logs))]
    )
    covariance = model.covariance.reindex([(STATES[0], s) for s in gone], fill_value=0.0)
    covariance = covariance.reindex(columns=covariance.index, fill_value=0.0).to_numpy(dtype=float)
    se = np.sqrt(np.einsum("jst,jk,kst->st", slopes, covariance, slopes))
    values = shares(logs)
    tables = []
    for state in STATES:
        position = [STATES[0], *gone].index(state) if state in (STATES[0], *gone) else None
        mean, spread = (np.zeros(len(months)) if position is None else x[position] for x in (values, se))
        low, high = (np.clip(mean + side * NORMAL_975 * spread, 0, 1) for side in (-1, 1))
        tables.append(
            pd.DataFrame(
                {
                    "state": state,
                    "horizon": months,
                    "estimate": mean,
                    "se": spread,
                    "lower": low,
                    "upper": high,
                }
            )
        )
    return _all_months(pd.concat(tables, ignore_index=True), fit, study)


def _states_seen(fit: MainFit) -> pd.DataFrame:
    """The states seen: here when the stay came under observation, then at each contact that reached somebody."""
    rows = until_report(fit.model_input.contacts, ["stay"])
    rows = rows[rows["kind"].eq("present") | (rows["kind"].eq("left") & rows["cause"].gt(0))]
    rows = rows[rows["month"] > fit.model_input.entry[rows["stay"]]].sort_values(["stay", "month"])
    state = np.array(STATES, dtype=object)[rows["cause"].where(rows["kind"].eq("left"), 0)]
    start = pd.DataFrame({"stay": np.arange(len(fit.model_input)), "month": fit.model_input.entry, "state": STATES[0]})
    states = pd.concat([start, rows[["stay", "month"]].assign(state=state)], ignore_index=True)
    return states.drop_duplicates(["stay", "month"], keep="last")
