"""One fit of the observation model: the estimate from several starts, bootstrap replicates, draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.observation.ascent import Fit, fit, on_bounds
from trajectories.survival.observation.ascertainment import Ascertained
from trajectories.survival.observation.information import QuadraticApproximation, newton
from trajectories.survival.observation.observation_em import ObservationEM, Weights, weigh
from trajectories.survival.observation.observation_parameters import N_STATES, Parameters, Reporting, joined

REPLICATE_TOLERANCE = 1e-4  # of a replicate that is fitted anew
STARTS = 3  # perturbed ones, beside the plain one
AT_ONCE = 100  # replicates side by side
# What is lent is never certain: a 0 or a 1 learnt from some would make what was told of others impossible.
LENT = (1e-4, 0.95)
RARE = 1e-6  # a false report


class ObservedFit:
    """Data, engine and fit of one call; what the methods of the curve go back to."""

    def __init__(self, known: Ascertained, em: ObservationEM, mass: Floats, household: Integers,
                 reporting: Reporting | None, tolerance: float):  # fmt: skip
        self.known, self.cells, self.em, self.mass, self.household = known, em.cells, em, mass, household
        self.reporting, self.tolerance = reporting, tolerance
        self.fit: Fit
        self.spread: Floats  # between starts, by month
        self.replicates: Parameters | None = None

    @property
    def parameters(self) -> Parameters:
        return self.fit.parameters

    @property
    def found(self) -> Reporting:
        """How departures become known: the estimate, then each replicate."""
        both = self.parameters if self.replicates is None else joined([self.parameters, self.replicates])
        leaves = both.hazards.sum(axis=1) > 0
        hearing = np.clip(both.hearing, *LENT)
        least = np.where(np.arange(len(both.failure)) < N_STATES, LENT[0], RARE)[:, None]
        failure = np.clip(both.failure, least, LENT[1])
        return Reporting(failure, np.where(leaves[:, None], hearing, np.nan), self.cells.further)

    def interior(self) -> Parameters:
        """The estimate moved a little off its bounds, which EM does not leave."""
        plain = self.em.start(self.weights)
        return self._borrowed(plain.like(0.9 * self.parameters.flat() + 0.1 * plain.flat()))

    def _borrowed(self, p: Parameters, which: Integers | int = 0) -> Parameters:
        return p if self.reporting is None else self.reporting.column(which, p)

    def estimate(self, seed: int, starts: int) -> None:
        """Fits from the plain start and from perturbed ones; the likeliest is kept, and their spread."""
        w = weigh(self.cells, self.known, self.mass[:, None])
        plain = self.em.start(w)
        rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        begin = joined([plain, *(self.em.perturbed(plain, rng) for _ in range(starts))])
        many = Weights(*(np.repeat(values, starts + 1, axis=-1) for values in vars(w).values()))
        begin = self.em.restrict(self._borrowed(begin), many)
        found = fit(self.em, many, begin, tolerance=self.tolerance)
        best = int(np.argmax(found.log_likelihood))
        if found.log_likelihood[best] - found.log_likelihood[0] < 1e-6:
            best = 0
        curves = self.em.curves(found.parameters)
        self.spread = np.abs(curves - curves[..., best : best + 1]).max(axis=(0, 2))
        keep = np.array([best])
        parameters, path = found.parameters.columns(keep), [x[keep] for x in found.path]
        if self.em.many_at_once:
            parameters = on_bounds(self.em, newton(self.em, parameters, w), w)
            path.append(self.em.expect(parameters, w).log_likelihood)
        self.fit = Fit(parameters, path[-1], path, found.iterations, found.converged)
        self.weights = w

    def lent(self, p: Parameters, replicates: int) -> Parameters:
        """p in each replicate, with what is borrowed as the lender's own replicates have it."""
        every = np.arange(replicates)
        return self._borrowed(p.columns(0 * every), 1 + every)

    def resample(self, replicates: int, seed: int, refit: bool) -> None:
        """The fit with whole households drawn again: near the estimate (`QuadraticApproximation`), or wholly anew."""
        if not replicates:
            return
        _, owner = np.unique(self.household, return_inverse=True)
        n = int(owner.max()) + 1
        lent = self.lent(self.interior() if refit else self.parameters, replicates)
        near = None if refit else QuadraticApproximation(self.em, self.parameters, self.weights)
        found = []
        for begin in range(0, replicates, AT_ONCE):
            start = lent.columns(slice(begin, begin + AT_ONCE))
            drawn = np.random.default_rng([seed, begin]).multinomial(n, np.full(n, 1 / n), size=start.wide).T
            w = weigh(self.cells, self.known, drawn[owner] * self.mass[:, None])
            if near is None:
                found.append(fit(self.em, w, self.em.restrict(start, w), tolerance=REPLICATE_TOLERANCE).parameters)
            else:
                found.append(near.refitted(w, start, drawn_from=n))
        self.replicates = joined(found)

    # ── draws ─────────────────────────────────────────────────────────────────────────────────────────────
    def draw(self, m: int, rng: np.random.Generator) -> NDArray[np.int64]:
        found = np.zeros((m, self.known.n, 2), dtype=np.int64)
        found[..., 0] = np.maximum(self.known.last, 0)
        for k, p in enumerate(self._in_turn(m)):
            month, cause = self.em.draw(p, self.cells.pattern, rng)
            used = self.cells.pattern >= 0
            found[k, used, 0], found[k, used, 1] = month[used], np.append(self.known.names, 0)[cause[used]]
        return found

    def _in_turn(self, m: int) -> Iterator[Parameters]:
        for k in range(m):
            many = self.replicates
            yield self.parameters if many is None else many.columns(np.array([k % many.wide]))
