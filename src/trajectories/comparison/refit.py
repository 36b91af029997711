"""The main estimator fitted again under other weights of the stays, many weightings at once.

`observed_incidence` resamples households with weights that stay the same. In the bootstrap of a whole procedure each
replicate has weights of its own, estimated on what was drawn: here the cells of a fit, which do not depend on weights,
are kept, and its EM is run on any table of weights (stays × weightings) from its estimate.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..survival import ObservedCurve

Floats = NDArray[np.float64]
AT_ONCE = 24  # weightings side by side: their arrays stay in the processor's cache
WORKERS = 2
# Stopping at 3e-4 moves the standard error of S(12) and S(24) by under half a percent of itself, on the sample.
TOLERANCE, POINT_TOLERANCE = 3e-4, 1e-5
MOST_STEPS = 3000


def household_draws(household: NDArray, replicates: int, seed: int) -> Floats:
    """
    How often each stay is drawn in each replicate, whole households at a time.

    Parameters
    ----------
    household : array of shape (n,)
        Labels.
    replicates, seed : int

    Returns
    -------
    array of shape (n, 1 + replicates)
        Column 0 is the sample itself.

    Examples
    --------
    >>> draws = household_draws(np.array(["a", "a", "b"]), 3, seed=1)
    >>> draws.shape, bool((draws[0] == draws[1]).all()), draws[:, 0].tolist()
    ((3, 4), True, [1.0, 1.0, 1.0])
    """
    names, owner = np.unique(np.asarray(household, dtype=object).astype(str), return_inverse=True)
    n = len(names)
    drawn = np.random.default_rng(np.random.SeedSequence(seed)).multinomial(n, np.full(n, 1 / n), size=replicates)
    return np.concatenate([np.ones((1, n)), drawn], axis=0).T[owner]


def refit(curve: ObservedCurve, weights: Floats, *, keep: bool = False) -> Floats:
    """
    S by month of a fit under other weights.

    Parameters
    ----------
    curve : ObservedCurve
        The fit; what it borrowed, weighting k borrows the replicate k of (0: the estimate).
    weights : array of shape (n, weightings)
        Column 0 is the estimate, fitted to a finer tolerance (the fit itself, where the weights are its own).
    keep : bool
        Keep the parameters of columns 1, 2, … as the fit's replicates: for smaller groups to borrow, and as where the
        next call, with other weights of the same draws, starts from.

    Returns
    -------
    array of shape (months, weightings)
        From month 0; missing in a weighting in which nobody has a weight.
    """
    from ..survival.intervals.squarem import fit
    from ..survival.observation.observation_em import weigh
    from ..survival.observation.observation_parameters import Parameters, joined

    model = curve.model
    middle = model.interior()

    def begin(which: int) -> Parameters:
        return middle if model.reporting is None else model.reporting.column(which, middle)

    def one(columns: range) -> Parameters:
        if not columns.start and (weights[:, 0] == model.mass).all():
            return model.parameters  # it is the fit itself
        w = weigh(model.cells, model.known, weights[:, columns.start : columns.stop])
        start = joined([begin(k) for k in columns])
        if columns.start and model.replicates is not None:
            near = model.replicates.columns(np.arange(columns.start - 1, columns.stop - 1))
            # a little off its bounds, which EM does not leave; what is borrowed is the same in both
            start = start.like(0.9 * near.flat() + 0.1 * start.flat())
        start = model.em.restrict(start, w)
        tolerance = TOLERANCE if columns.start else POINT_TOLERANCE
        return fit(model.em, w, start, tolerance=tolerance, max_steps=MOST_STEPS).parameters

    wide = weights.shape[1]
    jobs = [range(0, 1), *(range(k, min(k + AT_ONCE, wide)) for k in range(1, wide, AT_ONCE))]
    with ThreadPoolExecutor(WORKERS) as executor:
        found = list(executor.map(one, jobs))
    if keep and wide > 1:
        model.replicates = joined(found[1:])
    survival = 1 - np.concatenate([model.em.curves(p) for p in found], axis=-1).sum(axis=0)
    return np.where(weights.sum(axis=0) > 0, np.clip(survival, 0.0, 1.0), np.nan)


def on_months(survival: Floats, last: int) -> Floats:
    """The rows of months 0 … `last`, flat after the last row."""
    return survival[np.minimum(np.arange(last + 1), len(survival) - 1)]


def restricted_means(survival: Floats) -> Floats:
    """
    Mean months until each month: the area under S, exits spread evenly over their month.

    Examples
    --------
    >>> restricted_means(np.array([[1.0], [0.5], [0.5]])).ravel().tolist()
    [0.0, 0.75, 1.25]
    """
    middle = (survival[1:] + survival[:-1]) / 2
    return np.concatenate([np.zeros_like(survival[:1]), np.cumsum(middle, axis=0)])
