"""Observed against expected: regions or categories that reach fewer households than their mix would predict.

Indirect standardisation: a logit of « not reached » is fitted on the households of all other groups, and its sum over
the households of one group is what their mix would predict there. O/E above 1: more are missed than elsewhere, among
households alike in what is held alike. It describes; it does not say why.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...months import months_between
from ...study import Study
from ...survival.checks import normal_quantile
from ...tables import UNKNOWN
from .service_events import ANY_SERVICE, NUMBERS, TOO_FEW, Served, beside_stays, fewest, finished, service_events
from .transfer import days_to_contact, first_contact, prepared_in_metropole
from .use import settled_long_enough, times_to

OBSERVED_EXPECTED, TRANSFERS_EXPECTED = "observed_expected", "transfers_expected"
HELD_ALIKE = ("immigration_category", "household_size", "household_type", "french", "period")
# Households missed, observed or expected, under which a ratio says nothing; and expected, under which it has no base.
FEWEST_MISSED, FEWEST_EXPECTED = 5.0, 1.0
TOO_FEW_EXPECTED = "too_few_expected"
# Sizes from here on are one class; a level of fewer households is joined with others.
LARGEST_SIZE, SMALLEST_LEVEL = 5, 10
OTHER = "other"
# Precision of a weak normal prior on coefficients (standard deviation 3): where a level was never or always reached
# the coefficient stays finite, and elsewhere it moves by little.
PRIOR_PRECISION = 1 / 9


def observed_expected(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    by: str = "region",
    service: str = ANY_SERVICE,
    months: int = 3,
    study: Study,
    ready: Served | None = None,
) -> pd.DataFrame:
    """
    Households not reached within so many months, against what the mix of the other groups would predict.

    Parameters
    ----------
    cohort, records, persons : DataFrame
        The tables `cohort`, `records` and `persons`.
    by : str
        `region`, or a column of `cohort` (of the household's principal), such as `immigration_category`.
    service : str
        Which service; `any`.
    months : int
        Within how many months of the establishment an organisation of the regions is to have given it: 12 for low
        reach, 3 for a long delay.
    study : Study
        Its pathway, support and disclosure.households are used.
    ready : Served, optional
        As in `reach`.

    Returns
    -------
    DataFrame
        measure (`observed_expected`), group (of `by`: the region's code, or `column=value`), service, horizon (months),
        estimate (O/E; 1: as expected), se (of the ratio), lower, upper (95 %, `ratio_limits`), n_start and n_at_risk
        (households of the group followed for so long), observed, households (both: not reached), expected (a number
        with decimals), expected_share, p_value (of a ratio of 1, two-sided), adjusted_for (names joined by ", "),
        method (`logit_of_the_others`), note (`too_few_households`; `too_few_expected`: under 1 expected, or under 5
        both observed and expected).

        Who left within these months without the service is among those not reached. Those whose establishment is too
        near the cut-off, or of whom a service would not have been told of for so long, are left out.

    Notes
    -----
    Held alike: category, size and type of household, French and period (without `by` itself; by category, the region
    too), an unknown value being a level of its own. Limits join the exact Poisson ones of the observed number with the
    standard error of the expected one (`ratio_limits`). A count of households is less spread than Poisson where most
    are missed: limits are then too wide, never too narrow. A mix that the others hardly have is predicted by the weak
    prior, and its wide error is in the limits.

    Examples
    --------
    >>> [round(x, 3) for x in ratio_limits(10, 8.0)]
    [1.25, 0.599, 2.299]
    """
    ready = ready or service_events(cohort, records, persons, study)
    stays_of_households, services = ready.household_stays, ready.services
    rows = beside_stays(services[services["fault"].isna() & ~services["metropole"]], stays_of_households)
    rows = rows[(rows["latest"] >= rows["begins_earliest"]) & ~(rows["earliest"] > rows["ended_by"])]
    rows = rows if service == ANY_SERVICE else rows[rows["service"].eq(service)]
    stays = stays_of_households.stays
    first = rows.groupby("stay")["latest"].min().reindex(stays.index).astype("datetime64[ns]")
    time, cause = times_to(stays, first)
    reached = (cause == 1) & (time <= months)
    followed = months_between(stays["begins"], stays["until"]) >= months
    death = (stays["died"] & (months_between(stays["begins"], stays["ended"]) <= months)).to_numpy()
    is_observed = followed & ~death & settled_long_enough(stays_of_households, cohort)
    frame = _against_others(stays, is_observed, ~reached, by, study).assign(
        measure=OBSERVED_EXPECTED, service=service, horizon=float(months)
    )
    return _finished(frame, by, study)


def transfers_expected(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    by: str = "region",
    days: int = 90,
    study: Study,
    ready: Served | None = None,
) -> pd.DataFrame:
    """
    Households prepared and told of in the metropole that nobody met within so many days, against the mix of the others.

    Parameters
    ----------
    cohort, records, persons, by, study, ready
        As for `observed_expected`.
    days : int
        Within how many days of the establishment an organisation of the regions is to have met them (transfer.py).

    Returns
    -------
    DataFrame
        As of `observed_expected`: measure `transfers_expected`, service missing, horizon in days. Who left within these
        days without having been met is among those not met.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> transfers_expected(*example_tables(), study=Study())[["group", "measure", "note"]].values.tolist()
    [['05', 'transfers_expected', 'too_few_households']]
    """
    ready = ready or service_events(cohort, records, persons, study)
    stays_of_households, stays = ready.household_stays, ready.household_stays.stays
    sent, reported = prepared_in_metropole(ready, records, persons)
    time, cause = days_to_contact(stays_of_households, first_contact(stays_of_households, records, persons))
    death = (stays["died"] & ((stays["ended"] - stays["begins"]).dt.days <= days)).to_numpy()
    observed = (stays_of_households.cutoff - stays["begins"]).dt.days.to_numpy() >= days
    is_observed = sent & reported & stays["precise"].to_numpy() & observed & ~death
    frame = _against_others(stays, is_observed, ~((cause == 1) & (time <= days)), by, study)
    return _finished(frame.assign(measure=TRANSFERS_EXPECTED, service=None, horizon=float(days)), by, study)


def _against_others(
    stays: pd.DataFrame, is_observed: np.ndarray, missed: np.ndarray, by: str, study: Study
) -> pd.DataFrame:
    """A row a group: households missed, beside what a logit of all other groups predicts for its mix."""
    labels = stays[by].astype("object").where(stays[by].notna(), UNKNOWN).astype(str)
    # of one group a household counts once, by its first stay there
    at = np.flatnonzero(is_observed)
    repeated = pd.DataFrame({"household": stays["household_id"], "by": labels}).iloc[at].duplicated().to_numpy()
    at = at[~repeated]
    table, group = stays.iloc[at].reset_index(drop=True), labels.to_numpy()[at]
    design, missed = levels(table, _alike(by)), missed[at]
    rows, least = [], fewest(study)
    for name in sorted(set(group)):
        in_group = group == name
        n, observed = int(in_group.sum()), int(missed[in_group].sum())
        row = {
            "group": name if by == "region" else f"{by}={name}",
            "n_start": n,
            "n_at_risk": n,
            "households": observed,
            "observed": observed,
            "note": TOO_FEW,
        }
        if n >= least and (~in_group).sum() >= least:
            expected, spread = predicted_sum(design[~in_group], missed[~in_group], design[in_group])
            row |= {"expected": expected, "expected_share": expected / n, "note": TOO_FEW_EXPECTED}
            if expected >= FEWEST_EXPECTED and max(observed, expected) >= FEWEST_MISSED:
                ratio, lower, upper = ratio_limits(observed, expected, spread)
                se = np.sqrt(observed + (ratio * spread) ** 2) / expected
                row |= {"estimate": ratio, "se": se, "lower": lower, "upper": upper, "note": None}
                row["p_value"] = ratio_p_value(ratio, lower, upper)
        rows.append(row)
    columns = [
        "group",
        "n_start",
        "n_at_risk",
        "households",
        "observed",
        "expected",
        "expected_share",
        *NUMBERS,
        "p_value",
        "note",
    ]
    return pd.DataFrame(rows, columns=columns)


def _alike(by: str) -> list[str]:
    return [name for name in (*HELD_ALIKE, "region") if name != by]


def _finished(frame: pd.DataFrame, by: str, study: Study) -> pd.DataFrame:
    frame = frame.assign(method="logit_of_the_others")
    done = finished([frame], ("service",), ("households", "observed"), least=fewest(study))
    done = done.drop(columns=["n_whole", "k_whole"])  # of a share
    beside = frame[["expected", "expected_share", "p_value"]].astype("float64")
    for name in beside:
        done.insert(len(done.columns) - 2, name, beside[name].where(~done["note"].eq(TOO_FEW)))
    done.insert(len(done.columns) - 2, "adjusted_for", ", ".join(_alike(by)))
    return done


def ratio_p_value(ratio: float, lower: float, upper: float, conf_level: float = 0.95) -> float:
    """
    The two-sided p-value that goes with limits of a ratio: under 0.05 where these, at 95 %, do not hold 1.

    Examples
    --------
    >>> round(ratio_p_value(1.25, 0.599, 2.299), 2), round(ratio_p_value(1.5, 1.0, 2.2), 2)
    (0.55, 0.05)
    """
    from scipy.special import ndtr

    z = normal_quantile(conf_level)
    if ratio == 0:
        # Garwood's upper limit turned round: the chance of nothing, were so many expected as the limit says
        return min(1.0, 2 * ((1 - conf_level) / 2) ** (1 / upper))
    width = np.log(ratio / lower) if ratio > 1 else np.log(upper / ratio)
    return float(2 * ndtr(-z * abs(np.log(ratio)) / width)) if width > 0 else 1.0


def ratio_limits(
    observed: int, expected: float, expected_se: float = 0.0, conf_level: float = 0.95
) -> tuple[float, float, float]:
    """
    O/E with limits: the exact ones of a Poisson number (Garwood 1936), widened by what is not known of E.

    The two parts are joined on the log scale as the method of variance estimates recovery does (Zou & Donner 2008).
    Where nothing was observed the upper limit is that of O over the lower one of E.

    Examples
    --------
    >>> [round(x, 3) for x in ratio_limits(10, 8.0, 0.8)]
    [1.25, 0.584, 2.371]
    """
    from scipy.special import gammaincinv  # scipy costs half a second: not at `import trajectories`

    z, tail = normal_quantile(conf_level), (1 - conf_level) / 2
    of_expected = z * expected_se / expected
    high = float(gammaincinv(observed + 1, 1 - tail))
    if observed == 0:
        return 0.0, 0.0, high / expected * float(np.exp(of_expected))
    low, ratio = float(gammaincinv(observed, tail)), observed / expected
    below, above = (np.hypot(np.log(limit / observed), of_expected) for limit in (low, high))
    return ratio, float(ratio * np.exp(-below)), float(ratio * np.exp(above))


def levels(table: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Columns of 0 and 1 for every level but the largest of each variable, rare levels being one; a constant first."""
    columns = [np.ones(len(table))]
    for name in names:
        values = table[name]
        if name == "household_size":
            values = values.astype("Float64").clip(upper=LARGEST_SIZE)
        values = values.astype("object").where(values.notna(), UNKNOWN).astype(str)
        counts = values.value_counts()
        values = values.where(values.map(counts) >= SMALLEST_LEVEL, OTHER)
        counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        columns += [values.eq(level).to_numpy(dtype=float) for level in counts.index[1:]]
    return np.column_stack(columns)


def predicted_sum(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> tuple[float, float]:
    """
    How many of `new` a logit of y on x predicts, and the standard error of that number (delta method).

    All coefficients but the constant have the weak prior.
    """
    y, penalty = y.astype(float), np.full(x.shape[1], PRIOR_PRECISION)
    penalty[0] = 1e-8
    # all alike: the constant alone would be infinite
    share = np.clip(y.mean(), 0.5 / len(y), 1 - 0.5 / len(y))
    if y.min() == y.max():
        return float(share * len(new)), float(len(new) * np.sqrt(share * (1 - share) / len(y)))
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(share / (1 - share))
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ beta))
        information = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(information, x.T @ (y - p) - penalty * beta)
        # Newton's step may be too long while far off: it is shortened, the optimum is the same
        beta += step / max(1.0, float(np.abs(step).max()) / 2)
        if np.abs(step).max() < 1e-10:
            break
    chance = 1 / (1 + np.exp(-new @ beta))
    slope = new.T @ (chance * (1 - chance))
    return float(chance.sum()), float(np.sqrt(slope @ np.linalg.solve(information, slope)))
