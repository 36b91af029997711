"""The share of departures that nobody ever heard of: a model's share, told in steps of five points.

With the rate and the number at the start, which are told elsewhere, this share gives nearly the number of departures
that are known. So it rests on as many known departures as a rate rests on persons (`rate_denominator`), and its steps
are wider than those of a rate. Nothing else of the table of checks leaves.
"""

from __future__ import annotations

import pandas as pd

from ..study import Disclosure
from .rules import SHARE_STEPS, SMALLEST_DENOMINATOR

NEVER_HEARD = "share_never_heard"
# Counts of departures that became known, by cause and period.
_KNOWN = ("exits_found_by_contact", "exits_heard")


def protect_shares(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """One row a group: measure, estimate (0–1, in steps of five points), shown."""
    values = frame.assign(value=frame["value"].astype(float))
    share = values[values["check"].eq(NEVER_HEARD)].groupby("group")["value"].first()
    known = values[values["check"].isin(_KNOWN)].groupby("group")["value"].sum().reindex(share.index)
    shown = share.notna() & (known >= max(rules.rate_denominator, rules.threshold, SMALLEST_DENOMINATOR))
    told = ((share * SHARE_STEPS).round() / SHARE_STEPS).where(shown)
    return pd.DataFrame(
        {"group": share.index, "measure": NEVER_HEARD, "estimate": told.to_numpy(), "shown": shown.to_numpy(dtype=bool)}
    )
