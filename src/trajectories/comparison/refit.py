"""The main estimator fitted again under other weights of the stays, many weightings at once.

`observed_incidence` resamples households with weights that stay the same. In the bootstrap of a whole procedure each
replicate has weights of its own, estimated on what was drawn: here the cells of a fit, which do not depend on weights,
are kept. The first weighting is fitted, and the others are a few steps of Newton from it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..survival import ObservedCurve

Floats = NDArray[np.float64]
TOLERANCE = 1e-6
AT_ONCE = 100  # weightings side by side
STEPS = 6  # of Newton: weights that make groups alike are far from their own


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
        Column 0 is the estimate (the fit itself, where the weights are its own); the others are found from it.
    keep : bool
        Keep the parameters of columns 1, 2, … as the fit's replicates, for smaller groups to borrow.

    Returns
    -------
    array of shape (months, weightings)
        From month 0; missing in a weighting in which nobody has a weight.
    """
    from ..survival.observation.ascent import fit
    from ..survival.observation.information import QuadraticApproximation
    from ..survival.observation.observation_em import weigh
    from ..survival.observation.observation_parameters import joined

    model, em = curve.model, curve.model.em
    p, w = model.parameters, weigh(model.cells, model.known, weights[:, :1])
    if (weights[:, 0] != model.mass).any():  # else it is the fit itself
        p = fit(em, w, em.restrict(model.interior(), w), tolerance=TOLERANCE).parameters
    others = weights.shape[1] - 1
    near, lent = QuadraticApproximation(em, p, w), model.lent(p, others)
    found = [p]
    for begin in range(0, others, AT_ONCE):
        some = slice(begin, begin + AT_ONCE)
        found.append(near.refitted(weigh(model.cells, model.known, weights[:, 1:][:, some]), lent.columns(some), STEPS))
    if keep and others:
        model.replicates = joined(found[1:])
    survival = 1 - np.concatenate([em.curves(one) for one in found], axis=-1).sum(axis=0)
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
