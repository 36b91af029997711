"""The panel Markov model on simulated panels: rates and mean sojourns, with departures seen at visits or dated.

Paths are simulated in continuous time (region, metropole, gone) and read at visits whose gaps are 3, 6 or 12 months,
whatever the state; a person who has gone is seen to have gone at the next visit, or at the date itself.
"""

from __future__ import annotations

import numpy as np
import pytest
from coverage_study import LONG, Study, check, known, run

from trajectories.survival.states.panel import panel_markov

PERSONS, VISITS = 500, 9
Q = np.array([[-0.055, 0.04, 0.015], [0.06, -0.07, 0.01], [0, 0, 0]])  # per month
PAIRS = [(0, 1), (0, 2), (1, 0), (1, 2)]
GONE = 2


def paths(rng):
    """Visit times and states, persons × visits, and the time of going."""
    n = PERSONS
    visits = np.column_stack([np.zeros(n), np.cumsum(rng.choice([3.0, 6.0, 12.0], (n, VISITS - 1)), axis=1)])
    state = rng.integers(0, 2, n)
    seen = np.tile(state[:, None], (1, VISITS))
    time, gone = np.zeros(n), np.full(n, np.inf)
    while (moving := (state != GONE) & (time < visits[:, -1])).any():
        stay = -Q[state, state]
        time = np.where(moving, time + rng.exponential(1 / np.where(moving, stay, 1)), time)
        going = rng.random(n) < Q[state, GONE] / np.where(moving, stay, 1)
        state = np.where(moving, np.where(going, GONE, 1 - state), state)
        gone = np.where(moving & (state == GONE), time, gone)
        later = moving[:, None] & (visits >= time[:, None])
        seen = np.where(later, state[:, None], seen)
    return visits, seen, gone


def panel(rng, dated):
    """Long arrays; a person is not seen again after having gone."""
    visits, seen, gone = paths(rng)
    first = (seen == GONE) & (np.cumsum(seen == GONE, axis=1) == 1)
    if dated:
        visits = np.where(first, gone[:, None], visits)
    kept = (seen != GONE) | first
    person = np.broadcast_to(np.arange(PERSONS)[:, None], seen.shape)
    return person[kept], visits[kept], seen[kept]


def fitted(rng, dated):
    fit = panel_markov(*panel(rng, dated), PAIRS, exact=GONE if dated else None)
    rows = [[t.to_numpy()[a, b] for a, b in PAIRS] for t in (fit.intensity, fit.intensity_se)]
    limits = [[t.to_numpy()[a, b] for a, b in PAIRS] for t in (fit.intensity_lower, fit.intensity_upper)]
    stays = fit.sojourn.to_numpy()
    spread = np.exp(1.959963984540054 * fit.sojourn_se.to_numpy() / stays)
    tables = [*zip([*rows, *limits], (stays, fit.sojourn_se, stays / spread, stays * spread), strict=True)]
    return tuple(np.concatenate(pair) for pair in tables)


NAMES = ("q region → metropole", "q region → gone", "q metropole → region", "q metropole → gone")
TRUTH = (*(float(Q[pair]) for pair in PAIRS), *(float(1 / -Q[i, i]) for i in (0, 1)))
STUDIES = [
    Study(
        "panel_markov",
        f"{PERSONS} persons, {VISITS} visits, departures {how}",
        (*NAMES, "sojourn region", "sojourn metropole"),
        TRUTH,
        lambda rng, dated=dated: fitted(rng, dated),
        quick=not dated,
    )
    for how, dated in (("seen at the next visit", False), ("dated", True))
]


@pytest.mark.parametrize("study", STUDIES, ids=lambda s: s.design)
def test_rates_are_covered(study):
    check(known(study, study.short))


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=lambda s: s.design)
def test_rates_are_covered_in_1000(study):
    check(run(study, LONG))
