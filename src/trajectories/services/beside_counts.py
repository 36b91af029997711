"""What the tables of services may say of how many households, beside the protected counts of nearly the same people.

The households that a share is of are among all those settled in the group, whose number stands in the table `stays`,
rounded on another grid. « 53 to 57 » there and « 50 to 59 » here leave at most 7 who were not followed: of a number
from 1 to threshold − 1 some would be ruled out. So where what lies between the two may be that small and is not open to
all of it, the number told here is taken a class wider, towards the side that is closed, and the shares with it. That is
done from what is displayed alone, so that it tells nothing either (portrait/beside_counts.py does the same).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..disclosure import Protected
from ..disclosure.household_classes import class_width
from ..disclosure.rules import rounding_interval

PERSONS, HOUSEHOLDS = "persons", "households"


def services_beside_counts(table: Protected, counts: Protected) -> Protected:
    """
    The same table, its numbers of households (of persons, for the follow-up) as wide as the counts of the group ask.

    Parameters
    ----------
    table : Protected
        Of the kinds "service shares", "service funnel" or "follow-up".
    counts : Protected
        What `protected_counts` returned, with the table `stays`.

    Returns
    -------
    Protected
    """
    frame, rules = table.frame.copy(), table.rules
    width = class_width(rules)
    unit = PERSONS if table.kind == "follow-up" else HOUSEHOLDS
    least = rules.threshold if unit == PERSONS else rules.households
    whole = counts.frame[counts.frame["table"].eq("stays") & counts.frame["key"].eq("total")]
    settled = frame["group"].map(whole.set_index("group")[f"{unit}_rounded"]).astype("Float64")
    known = (settled.notna() & frame["shown"]).to_numpy(dtype=bool)
    low, high = rounding_interval(settled.fillna(0), rules.round, least)
    funnel = table.kind == "service funnel"
    first = frame["at_least_rounded" if funnel else "n_start_rounded"].fillna(0).to_numpy(dtype=np.int64)
    fewest, most = low - (first + width - 1), high - first
    small = known & (fewest < width) & (most > 0)
    down, up = small & (most < width - 1), small & (fewest > 1)
    lower, upper = np.where(down, np.maximum(first - width, 0), first), np.where(up, first + width, first) + width - 1
    if funnel:
        return _with(table, frame, {"at_least_rounded": lower, "at_most_rounded": upper}, down | up)
    at_least = np.floor(100 * frame["at_least"].to_numpy(dtype=float) * (first + width - 1) / upper + 1e-9) / 100
    at_most = np.ceil(100 * frame["at_most"].to_numpy(dtype=float) * first / np.maximum(lower, 1) - 1e-9) / 100
    wider = {"at_least": at_least, "at_most": np.minimum(at_most, 1.0), "n_start_rounded": lower}
    return _with(table, frame, wider, down | up)


def _with(table: Protected, frame: pd.DataFrame, columns: dict[str, np.ndarray], at: np.ndarray) -> Protected:
    """The table with other numbers in some of its rows."""
    for name, values in columns.items():
        frame.loc[at, name] = pd.array(values[at], dtype=frame[name].dtype)
    return Protected(table.kind, frame, table.rules)
