"""The rates of those who settled lately and before: both are told, or neither.

They are two parts of the group's own rate, which stands on the same page.

1. *Ground* as in rates.py (1), and in each part nobody or `threshold` persons left, and stayed (2). No range is told:
   the page says less, not something else. Nor is a part told where the group's own rate is not, or only as a range:
   the two would narrow it. That rate, as it is displayed, is given beside (`rate`).
2. *Both or neither.* The group's own rate less the part that is told would tell the other.
3. *Sums* as in rates.py (5), part by part: the province's are told where, less those told of the regions, they leave
   the others open; so are those of groups of regions.
4. *No numbers of persons.* Those who settled by fiscal year are counted in a table of their own, small years hidden:
   the sum of three of them would tell a hidden one.
5. *Which way it went* (`change`) is told with both rates only.

Beside earlier publications they follow the group's own rate (ledger.py): where that one keeps what was published, they
are hidden. Without numbers of persons their own differences from one publication to the next are no counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import Disclosure
from .months import RATE
from .rates import EXACT, down, exact_steps, ground, hide_differences, sums_of, up
from .rules import RATE_DECIMALS


def protect_periods(
    frame: pd.DataFrame, rules: Disclosure, at_risk: int, groups: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """A row a group and part: part, since, horizon, estimate, lower, upper, known, change, shown, reason."""
    if RATE not in frame:
        raise DisclosureError(
            "Rates by period are told where the group's own rate is: give that one, as it is displayed, beside them, "
            f"as a column {RATE}."
        )
    raw = frame.sort_values(["group", "part"], ignore_index=True)
    out = raw[["group", "part", "since", "horizon", "known", "change"]].copy()
    out["reason"] = ground(raw, rules, at_risk)
    for row in out.index[out["reason"].isna()]:
        rate, persons = (np.array([raw.loc[row, name]], dtype=float) for name in ("estimate", "n_start"))
        if not exact_steps(rate, persons, rules.threshold).all():
            out.loc[row, "reason"] = "few_exits"
    out["reason"] = out["reason"].where(out["reason"].notna() | raw[RATE].notna(), "difference")
    _both_or_neither(out)
    for whole, parts in sums_of(groups or {}):
        for _, rows in raw.groupby("part"):
            mine, told = rows.reset_index(), out.loc[rows.index].reset_index(drop=True)
            hide_differences(mine, told, rules, whole, parts)
            out.loc[rows.index, "reason"] = told["reason"].to_numpy()
        _both_or_neither(out)
    out["shown"] = out["reason"].isna()
    out["reason"] = out["reason"].astype("object").where(out["reason"].notna(), None)
    turns = zip(EXACT, (lambda rate: rate.round(RATE_DECIMALS), down, up), strict=True)
    for name, turn in turns:
        out[name] = turn(raw[name].astype(float)).where(out["shown"])
    for name in ("change", "known"):
        out[name] = out[name].astype("object").where(out["shown"], None)
    return out[["group", "part", "since", "horizon", *EXACT, "known", "change", "shown", "reason"]]


def _both_or_neither(out: pd.DataFrame) -> None:
    other = out.groupby("group")["reason"].transform("first")
    out["reason"] = out["reason"].astype("object").where(out["reason"].notna(), other)
