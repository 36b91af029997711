"""The stock: how many persons lived in a region in each month, between what is certain and what is possible.

A series of counts by month would tell, by its steps, who came and who left in one month; and the distance between the
certain and the possible, how few are uncertain. So both ends are told as ends of classes of `threshold` persons,
outwards: the certain number as the lower end of its class, the possible one as the upper end of its. Between them lie
always at least `threshold` persons, and a step is told only as the passage of a class.

1. *Ground.* A month is told where the certain number is nobody, or enough persons of enough households; else all that
   is said is « at most » the upper end of the possible number's class.
2. *Regions and province.* Of two numbers told by classes of the same width, the difference is open to all of 1 …
   threshold − 1 whenever it is that small: no small region is found by subtraction.
3. *No other groups.* Groups of regions that a study names may overlap. With A + B, B + C and A + C told, B is half of a
   sum of three of them: the width of its interval is halved too, and some of 1 … threshold − 1 is ruled out. So a
   stock is told of the regions and the province only.

Who is here at a time is among those who settled until then: what the page tells of those, by year and by destination,
is looked at together with the stock in beside_counts.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .rules import class_ends, whole_counts


def protect_stock(frame: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """A row a group and month: at_least_rounded, at_most_rounded (persons), shown."""
    if frame.duplicated(["group", "month"]).any():
        raise DisclosureError("A stock is given twice (same group and month).")
    strange = sorted({str(group) for group in frame["group"]} - {PROVINCE, *REGION_CODES})
    if strange:
        raise DisclosureError(
            f"A stock of the group(s) {', '.join(strange)} cannot be protected: groups may overlap. Give the regions "
            f"and {PROVINCE!r} only."
        )
    raw = frame.sort_values(["group", "month"], ignore_index=True)
    certain, possible = whole_counts(raw, "persons_lower"), whole_counts(raw, "persons_upper")
    households = whole_counts(raw, "households_lower")
    if (certain > possible).any():
        raise DisclosureError("A stock has a certain number above the possible one.")
    enough = (certain >= rules.threshold) & (households >= rules.households)
    least = class_ends(certain, rules.threshold)[0]
    most = class_ends(possible, rules.threshold)[1]
    out = raw[["group", "month"]].copy()
    out["at_least_rounded"] = pd.array(np.where(enough, np.maximum(least - 1, 0), 0), dtype="Int64")  # 31–40: « 30 »
    out["at_most_rounded"] = pd.array(np.maximum(most, rules.threshold), dtype="Int64")
    return out.assign(shown=True)
