"""Scheduled contacts due, held and answered, in classes of `threshold` persons; by type of organisation, never by name.

Each person is to be called, so contacts count persons; both numbers of a share are told by their classes, as in
service_shares.py (1, 2, 3), whose functions this uses. Besides:

1. *Households.* Ten persons may be two households: where as many persons stand on one side of a share, they are of
   `households` households at least.
2. *Types of organisation* are told of the province only, and there only where none of them, small or left out for
   having too few organisations, is bounded by what all together are.
3. *Too few organisations*, or one that has over 85 % of the contacts (services/gaps.py). What a single region or type
   leaves out so would be found by subtraction, and would be the coverage of an organisation that everybody knows: all
   together are not told where it is the only one left out.
"""

from __future__ import annotations

import pandas as pd

from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .household_classes import class_width, hide_wholes, is_open
from .service_shares import ground, with_sides, written

COVERAGE, REACHED = FOLLOW_UP = ("follow_up_coverage", "follow_up_reached")
ALL = "all"
FEW_ORGANISATIONS = "too_few_organisations"
_KEYS = ["measure", "organisation_type", "horizon"]
_SIDES = (("k", "households"), ("rest", "households_without"))


def protect_follow_up(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a group, measure, type and month: at_least, at_most (0–1), n_start_rounded (persons), shown, reason."""
    of_region = frame["group"].isin(REGION_CODES) & frame["organisation_type"].eq(ALL)
    raw = frame[frame["group"].eq(PROVINCE) | of_region].reset_index(drop=True)
    if raw.duplicated(["group", *_KEYS]).any():
        raise DisclosureError(f"A share of contacts is given twice (same group, {', '.join(_KEYS)}).")
    raw = with_sides(raw)
    reason = ground(raw, raw["n"], rules)
    for side, households in _SIDES:
        few = (raw[side] >= rules.threshold) & (raw[households].astype(float) < rules.households)
        reason[few & reason.isna()] = "households"
    whole = raw["organisation_type"].eq(ALL)
    named = raw[whole & raw["note"].eq(FEW_ORGANISATIONS) & raw["n"].gt(0)]
    one_out = named.groupby(["measure", "horizon"])["group"].nunique()
    alone = pd.MultiIndex.from_frame(raw[["measure", "horizon"]]).isin(one_out[one_out.eq(1)].index)
    reason[alone & raw["group"].eq(PROVINCE) & reason.isna()] = "organisations"
    reason = hide_wholes(raw, reason, rules, _KEYS, ("n", "k", "rest"), "n")
    reason = _hide_types(raw, reason, rules)
    return written(raw, reason, rules, _KEYS)


def _hide_types(raw: pd.DataFrame, reason: pd.Series, rules: Disclosure) -> pd.Series:
    """Rules 2 and 3: the types of a month, all of them or none."""
    reason, width = reason.copy(), class_width(rules)
    for _, rows in raw[raw["group"].eq(PROVINCE)].groupby(["measure", "horizon"], sort=True):
        types = rows[rows["organisation_type"].ne(ALL)]
        told = reason[types.index].isna().to_numpy()
        kept = False
        for at in rows.index[rows["organisation_type"].eq(ALL) & reason[rows.index].isna()]:
            named = types["note"].eq(FEW_ORGANISATIONS).to_numpy() & types["n"].gt(0).to_numpy()
            kept = named.sum() != 1 and is_open(
                raw.loc[at, ["n", "k"]].astype(float), types, told, ("n", "k", "rest"), "n", width
            )
        if not kept:
            reason[types.index[told]] = "difference"
    return reason
