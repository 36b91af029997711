"""The answers of a comparison as a tidy table: estimates, limits, tests, and what a reader must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..study import Study
from ..tables import PROVINCE
from .covariates import Partition
from .refit import restricted_means

Floats = NDArray[np.float64]
COLUMNS = (
    "by", "measure", "group", "reference", "horizon", "estimate", "se", "lower", "upper", "p_value", "n_start",
    "n_at_risk", "method", "adjusted_for", "effective_n", "largest_weight", "overlap", "disagree", "shown", "note",
)  # fmt: skip
UNADJUSTED, WEIGHTED, G_COMPUTATION = METHODS = ("unadjusted", "weighted", "g_computation")
RATE, MEAN = "retention", "restricted_mean"
DIFFERENCE = {RATE: "difference", MEAN: "restricted_mean_difference"}
# Two standardised answers that differ by less say the same to whoever reads them: a point, a week.
SAME = {RATE: 0.01, MEAN: 0.25}
APART = 2.0  # standard errors of their difference
FAR_WEIGHT, POOR_OVERLAP, POOR_SHARE = 10.0, 0.9, 0.5
CONF_LEVEL = 0.95


@dataclass(frozen=True)
class Answers:
    """What one comparison found: S by month and replicate, of each group (last: the province) and method."""

    partition: Partition
    survival: dict[str, Floats]  # method → groups + 1 × months × (1 + replicates)
    known: list[pd.DataFrame]  # of each group, then the province: n_risk, known by month
    n_start: list[int]
    borrowed: list[bool]
    overlap: pd.DataFrame
    converged: bool


def answer_rows(answers: Answers, horizons: Sequence[int], study: Study) -> pd.DataFrame:
    """The rows of one comparison."""
    part = answers.partition
    groups = [*part.labels, PROVINCE]
    reference = groups.index(part.reference)
    members = range(len(groups) if part.reference == PROVINCE else len(part.labels))
    values = {
        RATE: answers.survival,
        MEAN: {method: _restricted(curves) for method, curves in answers.survival.items()},
    }
    months, rows = np.asarray(horizons), []
    for measure, by_method in values.items():
        for k in members:
            shown = _supported(answers, k, months)
            rows += _estimates(answers, groups, measure, by_method, k, months, shown, study)
            if k != reference:
                both = shown & _supported(answers, reference, months)
                rows += _differences(answers, groups, measure, by_method, (k, reference), months, both, study)
    table = pd.DataFrame(rows)
    found = table.assign(by=part.by, adjusted_for=", ".join(part.adjusted_for))
    found.loc[found["method"].eq(UNADJUSTED), "adjusted_for"] = ""
    return found[list(COLUMNS)]


def too_small_rows(part: Partition, study: Study) -> pd.DataFrame:
    """A row for each group that is not compared, which says why."""
    rows = [
        {
            "by": part.by, "measure": RATE, "group": group, "reference": None, "horizon": None, "estimate": np.nan,
            "se": np.nan, "lower": np.nan, "upper": np.nan, "p_value": np.nan, "n_start": n, "n_at_risk": 0,
            "method": UNADJUSTED, "adjusted_for": "", "effective_n": np.nan, "largest_weight": np.nan,
            "overlap": np.nan, "disagree": False, "shown": True,
            "note": f"Not compared: fewer than {study.support} stays."
            if n < study.support
            else f"Not compared: no other group has {study.support} stays.",
        }
        for group, n in part.too_small.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"horizon": "Int64"})


def _restricted(curves: Floats) -> Floats:
    return np.stack([restricted_means(curve) for curve in curves])


def _supported(answers: Answers, k: int, months: NDArray) -> NDArray[np.bool_]:
    return answers.known[k]["known"].loc[list(months)].ne("insufficient").to_numpy()


def _weighted_enough(answers: Answers, k: int, study: Study) -> bool:
    """Whether the weighted stays of a group are worth enough; the province is nobody's weighting."""
    return k >= len(answers.overlap) or answers.overlap["effective_n"].iloc[k] >= study.support


def _spread(values: Floats) -> Floats:
    """Standard errors over the replicates that have a value (months × (1 + replicates))."""
    drawn = values[:, 1:][:, np.isfinite(values[:, 1:]).all(axis=0)]
    return drawn.std(axis=1, ddof=1) if drawn.shape[1] > 1 else np.full(len(values), np.nan)


def _apart(measure: str, weighted: Floats, modelled: Floats) -> NDArray[np.bool_]:
    gap = weighted - modelled
    far = np.abs(gap[:, 0]) > SAME[measure]
    se = _spread(gap)
    return far & (np.abs(gap[:, 0]) > np.where(np.isnan(se), 0.0, APART * se))


def _estimates(answers, groups, measure, by_method, k, months, shown, study) -> list[dict]:
    from ..survival.intervals.interval import bootstrap_limits

    chosen = {method: curves[k][months] for method, curves in by_method.items()}
    disagree = _apart(measure, chosen[WEIGHTED], chosen[G_COMPUTATION]) & shown & _weighted_enough(answers, k, study)
    rows = []
    for method, values in chosen.items():
        drawn = values[:, 1:][:, np.isfinite(values[:, 1:]).all(axis=0)]
        if measure == RATE:
            se, lower, upper = bootstrap_limits(values[:, 0], drawn, CONF_LEVEL, is_survival=True)
        else:
            se = _spread(values)
            half = NormalDist().inv_cdf(0.5 + CONF_LEVEL / 2) * se
            lower, upper = np.maximum(values[:, 0] - half, 0.0), np.minimum(values[:, 0] + half, months)
        given = shown & (method != WEIGHTED or _weighted_enough(answers, k, study))
        rows += _rows(
            answers, groups, measure, method, k, months, given, disagree,
            {"estimate": values[:, 0], "se": se, "lower": lower, "upper": upper}, {"reference": None}, study,
        )  # fmt: skip
    return rows


def _differences(answers, groups, measure, by_method, pair, months, shown, study) -> list[dict]:
    from scipy.special import stdtr, stdtrit  # costs a quarter of a second: not at `import trajectories`

    k, reference = pair
    chosen = {method: (curves[k] - curves[reference])[months] for method, curves in by_method.items()}
    enough = all(_weighted_enough(answers, place, study) for place in pair)
    disagree = _apart(measure, chosen[WEIGHTED], chosen[G_COMPUTATION]) & shown & enough
    rows = []
    for method, values in chosen.items():
        estimate, se = values[:, 0], _spread(values)
        # the error is itself known from so many replicates only: with 40 of them 1.96 would reject in 6 %
        freedom = np.maximum(np.isfinite(values[:, 1:]).all(axis=0).sum() - 1, 1)
        half = stdtrit(freedom, 0.5 + CONF_LEVEL / 2) * se
        size = np.divide(np.abs(estimate), se, out=np.full(len(se), np.nan), where=se > 0)
        p_value = 2 * stdtr(freedom, -size)
        rows += _rows(
            answers, groups, DIFFERENCE[measure], method, k, months, shown & (method != WEIGHTED or enough), disagree,
            {"estimate": estimate, "se": se, "lower": estimate - half, "upper": estimate + half, "p_value": p_value},
            {"reference": groups[reference], "against": reference}, study,
        )  # fmt: skip
    return rows


def _rows(answers, groups, measure, method, k, months, given, disagree, numbers, told, study) -> list[dict]:
    """One group, measure and method at every horizon."""
    against = told.get("against")
    both = [place for place in (k, against) if place is not None]
    at_risk = np.min([answers.known[place]["n_risk"].loc[list(months)].to_numpy() for place in both], axis=0)
    # the province is the standard: it has no weights
    of_group = answers.overlap.iloc[k] if k < len(answers.overlap) and method == WEIGHTED else None
    rows = []
    for j, month in enumerate(months):
        here = {name: float(values[j]) if given[j] else np.nan for name, values in numbers.items()}
        rows.append({
            "measure": measure, "group": groups[k], "reference": told["reference"], "horizon": int(month),
            "p_value": np.nan, **here, "n_start": answers.n_start[k], "n_at_risk": int(at_risk[j]), "method": method,
            "effective_n": float(answers.n_start[k]) if of_group is None else float(of_group["effective_n"]),
            "largest_weight": 1.0 if of_group is None else float(of_group["largest_weight"]),
            "overlap": np.nan if of_group is None else float(of_group["overlap"]),
            "disagree": bool(disagree[j]) and method != UNADJUSTED,
            "shown": method != G_COMPUTATION or bool(disagree[j]),
            "note": _note(answers, both, method, bool(given[j]), bool(disagree[j]), study),
        })  # fmt: skip
    return rows


def _note(answers: Answers, both: list[int], method: str, given: bool, disagree: bool, study: Study) -> str | None:
    notes = []
    weak = [k for k in both if not _weighted_enough(answers, k, study)]
    if not given:
        if method == WEIGHTED and weak:
            notes.append(f"The weighted stays are worth fewer than {study.support}: no estimate.")
        else:
            notes.append("Follow-up is too short, or too few stays are followed, for this horizon.")
    if any(answers.borrowed[k] for k in both):
        notes.append("How departures become known is borrowed from the province.")
    if method == WEIGHTED:
        rows = answers.overlap.iloc[[k for k in both if k < len(answers.overlap)]]
        if (rows["effective_n"] < POOR_SHARE * rows["n"]).any():
            notes.append("Weighting leaves less than half of the stays' worth: the groups are of different persons.")
        if (rows["overlap"] < POOR_OVERLAP).any() or (rows["covered"] < POOR_OVERLAP).any():
            notes.append("Some persons have no counterpart in the other groups: the answer extrapolates to them.")
        if (rows["largest_weight"] > FAR_WEIGHT).any():
            notes.append(f"One stay weighs over {FAR_WEIGHT:g} times the mean.")
    if method == G_COMPUTATION and not answers.converged:
        notes.append("The model of leaving did not come to rest.")
    if disagree and method != UNADJUSTED:
        notes.append("Weights and model of leaving disagree: both are shown.")
    return " ".join(notes) or None
