"""How departures become known, as a fit found it: failures of contacts, and the share heard of, as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trajectories.survival.checks import Floats
from trajectories.survival.observation.observation_em import Expected
from trajectories.survival.observation.observation_parameters import STATES, Parameters, delay_class
from trajectories.survival.observation.observed_fit import ObservedFit


def spread(drawn: Floats | None, conf_level: float, n: int) -> Floats:
    """se, lower, upper from replicates (values × replicates)."""
    if drawn is None or drawn.shape[1] < 2:
        return np.full((3, n), np.nan)
    tail = (1 - conf_level) / 2
    return np.vstack([drawn.std(axis=1, ddof=1), np.quantile(drawn, [tail, 1 - tail], axis=1)])


def contact_failure(
    p: Parameters, drawn: Parameters | None, failed: Floats, succeeded: Floats, conf_level: float
) -> pd.DataFrame:
    """`ObservedCurve.contact_failure`: by presence and the outcome before, with limits of the bootstrap."""
    of_contacts = None if drawn is None else drawn.failure[: len(STATES)]
    se, lower, upper = spread(of_contacts, conf_level, len(STATES))
    tried = failed + succeeded
    return pd.DataFrame({
        "presence": ["gone" if gone else "there" for gone, _ in STATES],
        "previous_failed": [bool(previous) for _, previous in STATES],
        "probability": np.where(tried > 0, p.failure[: len(STATES), 0], np.nan),
        "se": se, "lower": lower, "upper": upper, "n_failed": failed, "n_attempts": tried,
    })  # fmt: skip


def hearing_shares(model: ObservedFit, expected: Expected, conf_level: float) -> pd.DataFrame:
    """`ObservedCurve.hearing`: the share of the departures of each cause heard of by so many months after."""
    p, drawn, names = model.parameters, model.replicates, model.known.names
    months = np.arange(25)
    of = delay_class(months)
    # a delay that no exit was exposed to is not learnt: its hazard is what the fit started from
    exposed = (expected.heard + expected.unheard)[..., 0]
    ever = np.zeros((len(names), len(months)), dtype=bool)
    ever[:, : exposed.shape[1]] = np.cumsum(exposed[:, ::-1], axis=1)[:, ::-1][:, : len(months)] > 0
    first = np.searchsorted(of, np.arange(of.max() + 1))
    learnt = ever[:, first[of]]
    if model.em.assumed.hearing is not None:
        learnt |= model.em.assumed.hearing[:, None]

    def share(hearing: Floats) -> Floats:
        return 1 - np.cumprod(1 - hearing[of], axis=0)

    tables = []
    for c, name in enumerate(names):
        many = None if drawn is None else share(drawn.hearing[c])
        se, lower, upper = spread(many, conf_level, len(months))
        tables.append(pd.DataFrame({
            "cause": int(name), "month": months, "share": np.where(learnt[c], share(p.hearing[c])[:, 0], np.nan),
            "se": np.where(learnt[c], se, np.nan), "lower": np.where(learnt[c], lower, np.nan),
            "upper": np.where(learnt[c], upper, np.nan),
        }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)
