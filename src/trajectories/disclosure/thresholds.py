"""Retention at several thresholds of the linkage: how far the estimate moves, in classes of `threshold` persons.

The cohorts of two thresholds differ by a handful of persons: those whose files are joined by the one and not by the
other. Two exact rates side by side would be a difference over that handful; who works at an organisation and knows of
a doubtful file could read there what became of one person. So no rate of another threshold is told. What is told is
the study's own rate, where the table of rates tells it too (same rules, same function), and a range around it whose
half-width is 1, 2, 3 … times `threshold` persons: the smallest that holds the rates of all thresholds.

1. *Nothing under `threshold` persons.* « At most one class » is all that is said whether nobody or `threshold` persons
   are concerned: a hidden difference is open to all of 0 … `threshold`. Beyond, the differences told are of more.
2. *From what is displayed alone.* The range is computed from the rate and the number at the start as displayed, and
   from the number of classes. Rates of the province less those of the regions therefore say nothing new.
3. *Ground.* Each threshold's rate rests on enough persons and households, at the start and at the horizon (rates.py,
   rule 1).
4. *Resolution.* Where one class is more than `WIDEST_CLASS` of the persons, the range would say nothing: it is hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import Disclosure
from .rates import ground, protect_rates, up
from .rules import NO_EXITS, RATE_DECIMALS, rounding_interval

# The setting that the published rates are of (sensitivity.py).
OWN = "study"
# In points of a rate; a class of ten persons is that of a hundred persons or more.
WIDEST_CLASS = 0.10
COLUMNS = ("group", "horizon", "estimate", "at_least", "at_most", "persons_at_most", "shown", "reason")


def protect_thresholds(
    frame: pd.DataFrame, rules: Disclosure, at_risk: int, groups: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """One row a group and horizon: the study's rate, the range around it, and the persons it may stand for."""
    raw = frame.drop(columns=["persons"], errors="ignore").rename(columns={"households": "n_households"})
    keys = ["group", "horizon"]
    if raw.duplicated([*keys, "setting"]).any():
        raise DisclosureError("A rate by threshold is given twice (same group, horizon and setting).")
    own = raw[raw["setting"].eq(OWN)].sort_values(keys, ignore_index=True)
    others = raw[~raw["setting"].eq(OWN)].reset_index(drop=True)
    told = protect_rates(own.assign(lower=own["estimate"], upper=own["estimate"]), rules, at_risk, groups)
    out = told.sort_values(keys, ignore_index=True)[[*keys, "estimate", "n_start_rounded", "reason"]]
    moved, weak = _moved(own, others), _any_weak(own, others, rules, at_risk)
    start = out["n_start_rounded"].astype("Int64")
    fewest = rounding_interval(start.fillna(0), rules.round, rules.threshold)[0]
    one_class = np.divide(rules.threshold, fewest, out=np.full(len(out), np.inf), where=fewest > 0)
    classes = np.maximum(np.ceil((moved - NO_EXITS) / rules.threshold), 1)
    for reason, fails in (
        ("denominator", weak),
        ("no_alternative", np.isnan(moved)),
        ("resolution", up(one_class) > WIDEST_CLASS),
    ):
        out.loc[fails & out["reason"].isna(), "reason"] = reason
    shown = out["reason"].isna()
    reach = up(one_class * classes)
    out["estimate"] = out["estimate"].where(shown)
    out["at_least"] = np.round(np.maximum(out["estimate"] - reach, 0.0), RATE_DECIMALS)
    out["at_most"] = np.round(np.minimum(out["estimate"] + reach, 1.0), RATE_DECIMALS)
    out["persons_at_most"] = pd.array(classes * rules.threshold, dtype="Float64")
    out["persons_at_most"] = out["persons_at_most"].where(shown).astype("Int64")
    out["shown"] = shown
    out["reason"] = out["reason"].astype("object").where(~shown, None)
    return out[list(COLUMNS)]


def _any_weak(own: pd.DataFrame, others: pd.DataFrame, rules: Disclosure, at_risk: int) -> np.ndarray:
    """Where some other threshold's rate rests on too few."""
    weak = pd.MultiIndex.from_frame(others.loc[ground(others, rules, at_risk).notna(), ["group", "horizon"]])
    return pd.MultiIndex.from_frame(own[["group", "horizon"]]).isin(weak)


def _moved(own: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """By how many persons the farthest rate differs from the study's (missing where no other is known)."""
    keys = ["group", "horizon"]
    beside = own[[*keys, "estimate", "n_start"]].merge(others, on=keys, suffixes=("", "_other"))
    persons = beside[["n_start", "n_start_other"]].max(axis=1).astype(float)
    beside["moved"] = (beside["estimate_other"] - beside["estimate"]).abs() * persons
    farthest = beside.groupby(keys)["moved"].max()
    return farthest.reindex(pd.MultiIndex.from_frame(own[keys])).to_numpy(dtype=float)
