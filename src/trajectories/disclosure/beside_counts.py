"""What other tables may say beside the protected counts of nearly the same people.

Each is protected on its own, and a reader has both. Somebody whose delay is in the curve is in the table `delay` too;
somebody who is there on a day had settled by that day. So « at least 41 » here and « 35 » (33 to 37) there say that a
hidden cell between them holds 4 or more. What is told here is therefore cut to what the counts on the page say
already. The cut is made from protected numbers alone, so that it tells nothing either.

1. *Delays.* With delays up to a month are no more persons than in the classes that begin before it, with longer ones no
   more than in those that end after it. In these classes the reader knows the least that rounding allows (0 of a hidden
   one), or that all persons leave to them where all other classes are displayed. The curve stops before the first
   month that says more.
2. *Stock, from below.* Certainly there are no more persons than settled in the fiscal years begun: « at least » goes
   down to that.
3. *Stock, from above.* Possibly there are all who settled in the years ended, less those who left since, and at the end
   all of whom no departure is known: « at most » goes up to the most that the counts leave open. Where that last number
   is hidden, the stock would stand in for it: of a region nothing is told then, and the province goes up to the sum of
   its regions', in which a hidden one may be the whole region.
4. *Services.* The households that a share is of are among all those settled in the group, whose number stands in the
   table `stays`, rounded on another grid. « 53 to 57 » there and « 50 to 59 » here leave at most 7 who were not
   followed: of a number from 1 to threshold − 1 some would be ruled out. So where what lies between the two may be that
   small and is not open to all of it, the number told here is taken a class wider, towards the side that is closed, and
   the shares with it.

What is not looked at: that a person with two stays may be in the curve by the second one and in the table by the first.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..analysis.portrait.demographics import DELAY_BOUNDS, DELAY_CLASSES
from ..analysis.portrait.settlement import TYPE
from ..study import REGION_CODES
from ..tables import PROVINCE
from .rules import rounding_interval
from .services import class_width
from .tables import Protected

NONE_KNOWN = "none_known"


def delays_beside_counts(curve: Protected, counts: Protected) -> Protected:
    """
    The curve of delays as far as it says no more than the classes of the same group.

    Parameters
    ----------
    curve : Protected
        The curve of counts of `establishment_curve`.
    counts : Protected
        What `protected_counts` returned, with the table `delay`.

    Returns
    -------
    Protected
        Fewer months, or none of a group.

    Examples
    --------
    >>> from trajectories.study import Study
    >>> from trajectories import protect
    >>> from trajectories.analysis.portrait import establishment_curve
    >>> settled = pd.DataFrame({"person_id": range(43), "region": "05", "delay": [2] * 37 + [14] * 6, "left_out": None})
    >>> curve = protect(establishment_curve(settled, groups=["05"], study=Study()))
    >>> counts = protect(pd.DataFrame({"group": "05", "table": ["delay", "delay", "stays"],
    ...     "key": ["under_3_months", "12_to_23_months", "total"], "persons": [37, 6, 43], "households": [20, 3, 23]}))
    >>> len(curve.frame), len(delays_beside_counts(curve, counts).frame)  # month 2 would tell of the hidden six
    (3, 2)
    """
    curves = [curve.frame.iloc[:0]]
    for group, part in curve.frame.groupby("group", sort=False):
        classes = _supposed(counts, group, "delay")
        settled = _supposed(counts, group, "stays")["least"].sum()
        curves.append(part[_within(part, classes, int(settled), curve.rules.threshold)])
    return Protected(curve.kind, pd.concat(curves, ignore_index=True), curve.rules)


def _within(part: pd.DataFrame, classes: pd.DataFrame, n_settled: int, threshold: int) -> np.ndarray:
    """The months before the first at which the classes of the curve say more than the counts."""
    begins = classes.index.map(dict(zip(DELAY_CLASSES, (0, *DELAY_BOUNDS), strict=True))).to_numpy(dtype=float)
    ends = classes.index.map(dict(zip(DELAY_CLASSES, (*DELAY_BOUNDS, np.inf), strict=True))).to_numpy(dtype=float)
    month = part["month"].to_numpy()[:, None]
    half = threshold // 2
    settled = part["n_exit_settled_rounded"].to_numpy(dtype=float)
    entered = part["n_risk_rounded"].max()  # the middle of its class: nobody leaves before month 1
    if classes.empty or pd.isna(entered):
        return np.zeros(len(part), dtype=bool)
    early = np.where(settled > 0, settled - half + 1, 0)
    late = int(entered) - half + 1 - np.where(settled > 0, settled + half, 0)
    # a delay that is not known (missing ends) is on neither side
    fits = (early <= _least(classes, begins < month, n_settled)) & (late <= _least(classes, ends > month, n_settled))
    return np.logical_and.accumulate(fits)


def _least(classes: pd.DataFrame, inside: np.ndarray, n_settled: int) -> np.ndarray:
    """The fewest persons that the reader can suppose in the classes inside, a row a month."""
    displayed = (classes["least"].to_numpy() * inside).sum(axis=1)
    remainder = n_settled - (classes["most"].to_numpy() * ~inside).sum(axis=1)
    open_ = (inside | classes["shown"].to_numpy()).all(axis=1)
    return np.where(open_, np.maximum(displayed, remainder), displayed)


def stock_beside_counts(stock: Protected, counts: Protected) -> Protected:
    """
    The stock, widened until it says no more than the counts of the same group.

    Parameters
    ----------
    stock : Protected
        What `protect` made of `stock`.
    counts : Protected
        What `protected_counts` returned, with the tables `fiscal_year` and `exit`.

    Returns
    -------
    Protected
        The province, and the regions whose number without a known departure is told.

    Examples
    --------
    >>> from trajectories import protect
    >>> monthly = pd.DataFrame({"group": "05", "month": pd.to_datetime(["2022-03-31"]), "persons_lower": [41],
    ...                         "persons_upper": [41], "households_lower": [20], "households_upper": [20]})
    >>> stock = protect(monthly)
    >>> counts = protect(pd.DataFrame({"group": "05", "table": ["fiscal_year"] * 3 + ["exit"],
    ...     "key": ["2020-2021", "2021-2022", "2022-2023", "none_known"], "persons": [37, 4, 7, 48],
    ...     "households": [18, 2, 4, 24]}))
    >>> ends = ["at_least_rounded", "at_most_rounded"]
    >>> stock.frame[ends].values.tolist(), stock_beside_counts(stock, counts).frame[ends].values.tolist()
    ([[40, 50]], [[30, 60]])
    """
    widened = [stock.frame.iloc[:0]]
    for group, part in stock.frame.groupby("group", sort=False):
        exits, settled = (_supposed(counts, group, table) for table in ("exit", "fiscal_year"))
        staying = _staying(counts, group)
        if staying is not None:
            widened.append(_widened(part, settled, exits, staying, stock.rules.threshold))
    return Protected(stock.kind, pd.concat(widened, ignore_index=True), stock.rules)


def _staying(counts: Protected, group: str) -> int | None:
    """The most persons without a known departure that have to stay open; None where they may not be told at all."""
    exits = _supposed(counts, group, "exit")
    if exits["shown"].get(NONE_KNOWN, default=False):
        return int(exits.loc[NONE_KNOWN, "most"])
    if group != PROVINCE:
        return None
    frame = counts.frame
    regions = [code for code in REGION_CODES if frame["group"].eq(code).any()]
    parts = [(_staying(counts, code), _supposed(counts, code, "stays")["most"].max()) for code in regions]
    return int(sum(part if part is not None else np.nan_to_num(settled) for part, settled in parts))


def _widened(
    part: pd.DataFrame, settled: pd.DataFrame, exits: pd.DataFrame, staying: int, threshold: int
) -> pd.DataFrame:
    """A group's stock with its ends moved outwards, by whole classes, to what the counts leave open."""
    years = settled.index.str.extract(r"^(\d{4})-\d{4}$", expand=False).astype("Float64")
    year = years.to_numpy(dtype=float, na_value=np.nan)
    month = part["month"].to_numpy()[:, None]
    begun = ~(_first_of_april(year) > month)  # a year not known may be any
    ended = _first_of_april(year + 1) <= month + np.timedelta64(1, "D")
    least = (settled["least"].to_numpy() * begun).sum(axis=1)
    # « at least 40 » stands for the class 41 to 50
    at_least = np.minimum(
        part["at_least_rounded"].to_numpy(dtype=int), np.maximum(least - 1, 0) // threshold * threshold
    )
    n_left = exits.drop(index=NONE_KNOWN, errors="ignore")["most_told"].sum()
    most = (settled["most"].to_numpy() * ended).sum(axis=1) - n_left
    most = np.maximum(most, np.where(part["month"].eq(part["month"].max()), staying, 0))
    at_most = np.maximum(part["at_most_rounded"].to_numpy(dtype=int), -(-most // threshold) * threshold)
    return part.assign(at_least_rounded=pd.array(at_least, "Int64"), at_most_rounded=pd.array(at_most, "Int64"))


def _first_of_april(year: np.ndarray) -> np.ndarray:
    months = np.where(np.isnan(year), 0, (np.nan_to_num(year) - 1970) * 12 + 3).astype("datetime64[M]")
    return np.where(np.isnan(year), np.datetime64("NaT"), months.astype("datetime64[ns]"))


def _supposed(counts: Protected, group: str, table: str) -> pd.DataFrame:
    """
    Of each key of a table: the fewest and the most persons that the reader can suppose, and whether it is shown.

    Of a hidden one nothing is known to be there (`least` 0); it has to stay open up to threshold − 1 (`most`).
    """
    frame, rules = counts.frame, counts.rules
    rows = frame[frame["group"].eq(group) & frame["table"].eq(table)].set_index("key")
    shown = rows["persons_rounded"].notna()
    low, high = rounding_interval(rows["persons_rounded"].fillna(0), rules.round, rules.threshold)
    most = np.where(shown, high, rules.threshold - 1)
    return pd.DataFrame({"least": low, "most": most, "most_told": high, "shown": shown}, index=rows.index)


def types_beside_counts(types: Protected, counts: Protected) -> Protected:
    """
    The table of types without the numbers that the counts of the same types hide.

    Protected alone, the types of the province may all be shown; together with the regions' counts one of them may be
    hidden, and the table of types would reveal it.

    Examples
    --------
    >>> from trajectories import protect
    >>> named = pd.DataFrame({"type": [1, 2, 3], "name": ["stays", "circular", "onward"]})
    >>> types = protect(named.assign(n_persons=[140, 60, 17], n_households=[70, 30, 8], share=[0.65, 0.27, 0.08]))
    >>> counts = protect(pd.DataFrame({
    ...     "group": ["province"] * 3 + ["03"] * 3 + ["05"] * 3, "table": "type", "key": [*named["name"]] * 3,
    ...     "persons": [140, 60, 17, 80, 30, 13, 60, 30, 4], "households": [70, 30, 8, 40, 15, 6, 30, 15, 2]}))
    >>> types.frame["shown"].tolist(), types_beside_counts(types, counts).frame["shown"].tolist()
    ([True, True, True], [True, False, False])
    """
    type_shown = counts.of(PROVINCE).frame
    type_shown = type_shown[type_shown["table"].eq(TYPE)].set_index("key")["shown"]
    if type_shown.empty:
        return types
    frame = types.frame.copy()
    hidden = ~frame["name"].map(type_shown).fillna(False).astype(bool)
    frame.loc[hidden, ["persons_rounded", "households_rounded"]] = pd.NA
    frame.loc[hidden, "shown"] = False
    if hidden.any():
        # all shares together tell the hidden one
        frame["share_rounded"] = float("nan")
    for shape in ("silhouette", "jaccard"):
        if shape in frame:
            frame[shape] = frame[shape].where(~hidden)
    return Protected(types.kind, frame, types.rules)


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
    unit = "persons" if table.kind == "follow-up" else "households"
    least = rules.threshold if unit == "persons" else rules.households
    totals = counts.frame[counts.frame["table"].eq("stays") & counts.frame["key"].eq("total")]
    settled = frame["group"].map(totals.set_index("group")[f"{unit}_rounded"]).astype("Float64")
    known = (settled.notna() & frame["shown"]).to_numpy(dtype=bool)
    low, high = rounding_interval(settled.fillna(0), counts.rules.round, least)
    funnel = table.kind == "service funnel"
    first = frame["at_least_rounded" if funnel else "n_start_rounded"].fillna(0).to_numpy(dtype=np.int64)
    fewest, most = low - (first + width - 1), high - first
    small = known & (fewest < width) & (most > 0)
    down, up = small & (most < width - 1), small & (fewest > 1)
    lower, upper = np.where(down, np.maximum(first - width, 0), first), np.where(up, first + width, first) + width - 1
    if funnel:
        return _with_columns(table, frame, {"at_least_rounded": lower, "at_most_rounded": upper}, down | up)
    at_least = np.floor(100 * frame["at_least"].to_numpy(dtype=float) * (first + width - 1) / upper + 1e-9) / 100
    at_most = np.ceil(100 * frame["at_most"].to_numpy(dtype=float) * first / np.maximum(lower, 1) - 1e-9) / 100
    wider = {"at_least": at_least, "at_most": np.minimum(at_most, 1.0), "n_start_rounded": lower}
    return _with_columns(table, frame, wider, down | up)


def _with_columns(table: Protected, frame: pd.DataFrame, columns: dict[str, np.ndarray], at: np.ndarray) -> Protected:
    """The table with other numbers in some of its rows."""
    for name, values in columns.items():
        frame.loc[at, name] = pd.array(values[at], dtype=frame[name].dtype)
    return Protected(table.kind, frame, table.rules)
