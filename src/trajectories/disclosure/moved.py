"""What the estimate becomes when something is moved: an assumption along a scale, or a setting of the study.

*Along a scale* (the odds of leaving among failed contacts, the share of departures heard of). Every rate is a model's,
from the same persons: no group of persons is what lies between two of them (rates.py). But the curve is flat where few
are lost from sight, and would tell how few.

1. The study's own rate (at the value 1) is told where a table of rates tells it (same rules, same function); else
   nothing of that curve is.
2. The curve is told, in whole percents, where its ends are at least `threshold` persons apart; else it is hidden.
3. The share of departures heard of is told in steps of five points, where at least `rate_denominator` of those that it
   is a share of were heard of (shares.py).

*Another setting* (perimeter, scope, grace period, threshold of the linkage, schedule …). The persons of two settings
differ by a handful, as with two thresholds of the linkage (thresholds.py): two exact rates would be a difference over
that handful. So what is told is the study's own rate and, for each other setting, by how many whole steps it moves, a
step being at least `threshold` persons and one percent; what is left over is dropped. « No step » is said whether
nobody or nearly `threshold` persons are concerned. Numbers of persons are told for the study's own setting alone. The
bounds (everybody lost left, or stayed) are hidden where under `threshold` persons lie between them, as in rates.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import Disclosure
from ..tables import PROVINCE
from .rates import ground, protect_rates, up
from .rules import NO_EXITS, RATE_DECIMALS, SHARE_STEPS, SMALLEST_DENOMINATOR, rounding_interval
from .thresholds import OWN, WIDEST_CLASS

# The value of a scale at which the assumption is the study's: odds as they are.
UNMOVED = 1.0
LOST = "lost"


def protect_scale(frame: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.DataFrame:
    """A row a group, assumption, value and horizon that may be shown: estimate, unmoved (the study's own value)."""
    keys = ["group", "assumption", "value", "horizon"]
    if frame.duplicated(keys).any():
        raise DisclosureError(f"A rate is given twice (same {', '.join(keys)}).")
    raw = frame.sort_values(keys, ignore_index=True)
    unmoved = np.isclose(raw["value"].astype(float), UNMOVED)
    told = _own_rates(raw[unmoved].drop_duplicates(["group", "horizon"]), rules, at_risk)
    at = pd.MultiIndex.from_frame(raw[["group", "horizon"]])
    ends = raw.groupby(["group", "assumption", "horizon"])["estimate"].transform(
        lambda rates: rates.max() - rates.min()
    )
    apart = ends.astype(float) * raw["n_start"].astype(float) >= rules.threshold - NO_EXITS
    share = raw["share_heard"].astype(float) if "share_heard" in raw else pd.Series(np.nan, index=raw.index)
    heard = share * (1 - raw["estimate"].astype(float)) * raw["n_start"].astype(float)
    enough = heard >= max(rules.rate_denominator, rules.threshold, SMALLEST_DENOMINATOR)
    raw["share_heard_rounded"] = ((share * SHARE_STEPS).round() / SHARE_STEPS).where(enough)
    raw["estimate"] = raw["estimate"].astype(float).round(RATE_DECIMALS)
    raw["unmoved"] = unmoved
    kept = apart & at.isin(told.index) & raw["estimate"].notna()
    columns = [*keys, "estimate", "share_heard_rounded", "unmoved"]
    return raw.loc[kept, columns].reset_index(drop=True).assign(shown=True)


def protect_settings(frame: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.DataFrame:
    """A row a group, setting, value and horizon: estimate (the study's, moved by whole steps), step, shown, reason."""
    raw = frame.reset_index(drop=True)
    if "group" not in raw:
        raw = raw.assign(group=PROVINCE)
    keys = ["group", "setting", "value", "horizon"]
    raw["value"] = raw["value"].astype("object").where(raw["value"].notna(), None)
    if raw.assign(value=raw["value"].astype(str)).duplicated(keys).any():
        raise DisclosureError(f"A rate is given twice (same {', '.join(keys)}).")
    own = raw[raw["setting"].eq(OWN)]
    told = _own_rates(own, rules, at_risk)
    exact = own.set_index(["group", "horizon"])["estimate"].astype(float)
    at = pd.MultiIndex.from_frame(raw[["group", "horizon"]])
    start = told["n_start_rounded"].astype("Int64").reindex(at)
    fewest = rounding_interval(start.fillna(0).to_numpy(), rules.round, rules.threshold)[0]
    step = np.divide(rules.threshold, fewest, out=np.full(len(raw), np.inf), where=fewest > 0)
    step = np.where(np.isfinite(step), np.maximum(up(np.minimum(step, 1.0)), 10.0**-RATE_DECIMALS), np.nan)
    moved = raw["estimate"].astype(float) - exact.reindex(at).to_numpy()
    steps = np.trunc(moved / step + np.sign(moved) * NO_EXITS)
    out = raw[keys].copy()
    own_rate = told["estimate"].reindex(at).to_numpy(dtype=float)
    out["estimate"] = np.clip(np.round(own_rate + steps * step, RATE_DECIMALS), 0.0, 1.0)
    out["step"] = np.round(step, RATE_DECIMALS)
    out["reason"] = _ground_of_settings(raw, rules, at_risk)
    lost = (
        raw[raw["setting"].eq(LOST)]
        .groupby(["group", "horizon"])["estimate"]
        .agg(lambda rates: rates.max() - rates.min())
    )
    near = lost.reindex(at).to_numpy(dtype=float) * raw["n_start"].astype(float) < rules.threshold - NO_EXITS
    out.loc[near & raw["setting"].eq(LOST) & out["reason"].isna(), "reason"] = "bounds"
    out.loc[np.isnan(own_rate) & out["reason"].isna(), "reason"] = "study"
    out.loc[(out["step"] > WIDEST_CLASS) & out["reason"].isna(), "reason"] = "resolution"
    out["shown"] = out["reason"].isna()
    out.loc[~out["shown"], ["estimate", "step"]] = np.nan
    is_own = raw["setting"].eq(OWN).to_numpy()
    out["n_start_rounded"] = start.reset_index(drop=True).where(out["shown"] & is_own)
    out["reason"] = out["reason"].astype("object").where(~out["shown"], None)
    return out


def _own_rates(own: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.DataFrame:
    """The study's rates that a table of rates would tell exactly, by group and horizon."""
    columns = [
        "group",
        "horizon",
        "estimate",
        "n_start",
        "n_at_risk",
        *(c for c in ("known", "n_households") if c in own),
    ]
    rates = own.assign(n_at_risk=_at_risk(own))[columns].assign(lower=own["estimate"], upper=own["estimate"])
    told = protect_rates(rates, rules, at_risk)
    return told[told["estimate"].notna()].set_index(["group", "horizon"])[["estimate", "n_start_rounded"]]


def _at_risk(raw: pd.DataFrame) -> pd.Series:
    """Without its column: a rate that is estimated at all was supported (the table of rates sees to it again)."""
    return raw["n_at_risk"] if "n_at_risk" in raw else raw["n_start"]


def _ground_of_settings(raw: pd.DataFrame, rules: Disclosure, at_risk: int) -> pd.Series:
    return ground(raw.assign(n_at_risk=_at_risk(raw)), rules, at_risk)
