"""Every kind of protected table and its rule (`KINDS`), the door `protect`, and counts with the groups of the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..display import as_html, plot
from ..exceptions import DisclosureError
from ..folders import harmless
from ..retention.course.cure_fraction import MEASURE as SETTLED
from ..retention.course.moves import MEASURE as MOVES
from ..retention.course.post_exit_states import MEASURE as OCCUPATION
from ..retention.course.restricted_mean import LOST, RESTRICTED
from ..study import REGION_CODES, Disclosure
from ..tables import BY_PERIOD, PROVINCE
from .contrasts import E_VALUES, LIMITS, protect_coefficients, protect_contrasts, protect_control_limits, protect_leads
from .counts import protect_counts, protect_shares, protect_stock
from .curves import (
    protect_curve_counts,
    protect_estimated_curve,
    protect_occupation,
    protect_paths,
    protect_states,
    protect_types,
)
from .rates import (
    COUNTS,
    DRAWN,
    EXACT,
    RANGE,
    protect_drawn,
    protect_months,
    protect_moves,
    protect_periods,
    protect_rates,
    protect_scale,
    protect_settings,
    protect_settled,
    protect_thresholds,
)
from .rules import SMALLEST_AT_RISK, checked, rounded
from .services import FOLLOW_UP, FUNNEL, ITEMS, NEVER, protect_follow_up, protect_service_funnel, protect_service_shares

# ----------------------------------------------------------------------------------------------------
# What may be shown of a table: its kind is known by its columns and measures, and each kind has its rule.

# What only a raw table has: a `Protected` made by hand around one is refused.
_RAW = {
    "persons", "households", "n_households", "n_entry", "n_censor", "n_risk", "n_exits", "se", "note", "n", "share",
    "share_heard", "hazard_ratio", "p_value", "effective_n", *E_VALUES, "persons_lower", "persons_upper",
    "households_lower", "households_upper", *COUNTS,
}  # fmt: skip
# What a row that is not shown may not hold.
_NUMBERS = (
    "persons_rounded", "households_rounded", "share_rounded", "hazard_ratio_rounded", "p_rounded", "expected_rounded",
    *(f"{name}_rounded" for name in E_VALUES), *EXACT, *RANGE, *LIMITS, *DRAWN,
)  # fmt: skip


class Kind(NamedTuple):
    """
    A kind of raw table: its rule, how it is known, what the rule takes beside the table and the study's rules.

    `columns`: those that no table of the kind lacks. `measures`: where the column `measure` says what it is, before
    any column does. `gives`: the kind of what comes out, where it is not of the same name. `base`: what its numbers of
    persons and households are rounded to, where it is not the study's `disclosure.round` (rules by classes, those of
    services.py, round none).
    """

    rule: Callable[..., pd.DataFrame]
    columns: set[str]
    measures: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    gives: str | None = None
    base: int | None = None


_OF_RATES = {"group", "estimate", "n_start"}
_RATES, _CONTRASTS = _OF_RATES | {"lower", "upper", "n_at_risk"}, {"reference", "measure", "horizon"}
_BOTH = ("at_risk", "groups")
KINDS = {
    "curve of counts": Kind(
        protect_curve_counts, {"group", "month", "n_entry", "n_censor"}, takes=("at_risk",), gives="curve"
    ),
    "estimated curve": Kind(
        protect_estimated_curve, {"group", "month", "survival", "lower", "upper", "n_risk", "n_exits"},
        takes=("at_risk",), gives="curve",
    ),
    "counts": Kind(protect_counts, {"group", "table", "key", "persons", "households"}),
    "rates": Kind(protect_rates, _RATES, takes=_BOTH),
    "drawn rates": Kind(protect_drawn, _RATES | {"horizon", *DRAWN}, takes=_BOTH),
    "shares": Kind(protect_shares, {"group", "check", "value"}, gives="rates"),
    "rates by threshold": Kind(
        protect_thresholds, _OF_RATES | {"setting", "threshold", "horizon", "n_at_risk"}, takes=_BOTH, gives="rates"
    ),
    "rates along a scale": Kind(
        protect_scale, _OF_RATES | {"assumption", "value", "horizon"}, takes=("at_risk",), gives="scale"
    ),
    "rates by setting": Kind(
        protect_settings, {"setting", "value", "horizon", "estimate", "n_start"}, takes=("at_risk",), gives="settings"
    ),
    "contrasts": Kind(protect_contrasts, _RATES | _CONTRASTS, takes=("at_risk",)),
    "control limits": Kind(protect_control_limits, _OF_RATES | {"effective_n", "outside", *LIMITS}),
    "coefficients": Kind(
        protect_coefficients,
        {"model", "term", "level", "hazard_ratio", "lower", "upper", "p_value", "n_stays", "n_events"},
    ),
    "types": Kind(protect_types, {"type", "n_persons", "n_households", "share"}),
    "states": Kind(protect_states, {"type", "month", "state", "share", "n"}),
    "paths": Kind(protect_paths, {"type", "sequence", "begin", "end", "state", "n_persons"}),
    "stock": Kind(protect_stock, {"group", "month", "persons_lower", "persons_upper", "households_lower"}),
    "leads": Kind(protect_leads, _RATES | {"rank", "rule", "subject", "expected"}),
    # these have the columns of a rate and are none, or not one that rates.py protects
    "months": Kind(protect_months, _RATES, (RESTRICTED, LOST), _BOTH),
    "moves": Kind(protect_moves, _RATES, (MOVES,), _BOTH),
    "occupation": Kind(protect_occupation, _RATES, (OCCUPATION,), ("at_risk",)),
    "settled share": Kind(protect_settled, _RATES, (SETTLED,)),
    "service shares": Kind(protect_service_shares, _RATES, (*ITEMS, NEVER)),
    "service funnel": Kind(protect_service_funnel, _RATES, (FUNNEL,)),
    "follow-up": Kind(protect_follow_up, _RATES, tuple(FOLLOW_UP)),
    "rates by period": Kind(protect_periods, _RATES, (BY_PERIOD,), _BOTH),
}  # fmt: skip
_KIND_OF_MEASURE = {measure: name for name, kind in KINDS.items() for measure in kind.measures}
RATE_MEASURES = ("retention",)


@dataclass(frozen=True)
class Protected:
    """
    A table that may be shown.

    Attributes
    ----------
    kind : str
        A name of `KINDS`, or what that kind gives.
    frame : DataFrame
        Only what may be shown: a hidden number is missing and its row's `shown` is False.
        counts: group, table, key, persons_rounded, households_rounded, shown, sum_of_displayed (a total).
        rates: the context columns given (perimeter … horizon, known, reporting), estimate, lower, upper (0–1, whole
        percents), range_lower, range_upper (under moved assumptions, where given), at_least, at_most (a range where
        the exact rate would tell a small count), n_start_rounded, n_at_risk_rounded, n_confirmed_rounded, shown,
        reason.
        rates, of checks: group, measure, estimate (of departures nobody heard of; steps of five points), shown.
        rates, by threshold: group, horizon, estimate (at the study's threshold), at_least, at_most, persons_at_most
        (what the range stands for), shown, reason.
        curve: group, month, survival, lower, upper, n_risk_rounded, shown, and incidence_<cause>,
        n_exit_<cause>_rounded (from counts) or lost_left, lost_stayed, horizon, known (estimated).
        the others: see the function of their module (group `province` where the table has none).
    rules : Disclosure
        The rules it was made with.
    """

    kind: str
    frame: pd.DataFrame
    rules: Disclosure

    def __post_init__(self) -> None:
        if self.kind not in {kind.gives or name for name, kind in KINDS.items()}:
            raise DisclosureError(f"{self.kind!r} is no kind of protected table.")
        raw = sorted(
            name
            for name in map(str, self.frame.columns)
            if name in _RAW or (name.startswith("n_") and not name.endswith("_rounded"))
        )
        if raw or "shown" not in self.frame:
            raise DisclosureError(f"This table is not protected ({', '.join(raw) or 'no column shown'}): use protect.")
        exact = [name for name in _NUMBERS if name in self.frame]
        if self.frame.loc[~self.frame["shown"].astype(bool), exact].notna().to_numpy().any():
            raise DisclosureError("A number stands on a row that is not shown: use protect.")

    def of(self, group: str) -> Protected:
        """The rows of one group, for its page."""
        return Protected(self.kind, self.frame[self.frame["group"] == group].reset_index(drop=True), self.rules)

    _repr_html_ = as_html
    plot = plot

    def to_frame(self) -> pd.DataFrame:
        """The table that may be shown, a copy. What is made of it is not protected any more."""
        return self.frame.copy()

    def to_csv(self, path: str | Path) -> None:
        """Write it as CSV that a spreadsheet reads (UTF-8 with a mark, no cell taken for a formula)."""
        harmless(self.frame).to_csv(path, index=False, encoding="utf-8-sig")


def protect(
    table: pd.DataFrame,
    *,
    rules: Disclosure | None = None,
    support: int = 20,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Protected:
    """
    What may be shown of a table; its kind is known by its columns.

    Parameters
    ----------
    table : DataFrame
        Counts (group, table, key, persons, households), rates (group, estimate, lower, upper, n_start, n_at_risk and
        any of perimeter, scope, pathway, measure, method, cause, horizon, known, reporting, range_lower, range_upper,
        n_confirmed, n_households), a curve of monthly counts (group, month, n_entry, n_censor, n_exit_<cause> …) or
        an estimated one (group, month, survival, lower, upper, n_risk, n_exits and any of n_start, horizon, known,
        lost_left, lost_stayed), rates by threshold of the linkage (group, setting, threshold, horizon, estimate,
        n_start, n_at_risk), the checks of a fit (group, check, value), any of the kinds named in the error below, or
        (known by their `measure`) a table of services or of the course of stays, months and occupation with a column
        `rate`: the main retention rate of the same group and month. Not changed.
        All groups that add up to one another have to be in it.
    rules : Disclosure, optional
        The study's; the defaults where not given.
    support : int
        Persons needed at risk for a rate or a month of a curve; never under 20.
    groups : mapping, optional
        The regions of each group of regions that has rates in the table (`study.groups`). Counts of such groups are
        refused: `portrait.protected_counts` makes them from what is displayed of their regions.

    Returns
    -------
    Protected

    Raises
    ------
    DisclosureError
        The table is of no kind known here, breaks what its protection rests on, or the rules switch one off.

    Examples
    --------
    >>> moves = pd.DataFrame({
    ...     "group": "05", "table": "origins", "key": ["Laval", "Longueuil", "Montréal", "total"],
    ...     "persons": [4, 21, 63, 88], "households": [2, 9, 30, 41],
    ... })
    >>> protect(moves).frame[["key", "persons_rounded", "shown"]]
             key  persons_rounded  shown
    0      Laval             <NA>  False
    1  Longueuil             <NA>  False
    2   Montréal               65   True
    3      total             <NA>  False
    """
    rules = checked(Disclosure() if rules is None else rules)
    if not isinstance(table, pd.DataFrame):
        raise DisclosureError(f"Only a raw table (DataFrame) can be protected, not a {type(table).__name__}.")
    kind_name = _kind(table)
    table = table.reset_index(drop=True)
    at_risk = max(support, SMALLEST_AT_RISK)
    kind, arguments = KINDS[kind_name], {"at_risk": at_risk, "groups": groups}
    rules = rules_of(kind.gives or kind_name, rules)
    protected = kind.rule(table, rules, *(arguments[name] for name in kind.takes))
    return Protected(kind.gives or kind_name, protected, rules)


def rules_of(kind_name: str, rules: Disclosure) -> Disclosure:
    """The rules by which the protected tables of a kind were made: the study's, with the kind's own `base` if any."""
    own = {kind.gives or name: kind.base for name, kind in KINDS.items() if kind.base is not None}
    return checked(replace(rules, round=own[kind_name])) if kind_name in own else rules


def bases(rules: Disclosure) -> list[int]:
    """What numbers of persons and households are rounded to, in growing order: the study's base, and kinds' own."""
    return sorted({rules.round} | {kind.base for kind in KINDS.values() if kind.base is not None})


def _kind(table: pd.DataFrame) -> str:
    """The kind of a raw table: by what it measures where that has a rule of its own, else by its columns."""
    names = set(map(str, table.columns))
    if KINDS["leads"].columns <= names:
        return "leads"  # figures of many measures, each told by the rule of leads
    measures = set(table["measure"]) if "measure" in names else set()
    own = {_KIND_OF_MEASURE.get(measure) for measure in measures}
    only = next(iter(own)) if len(own) == 1 else None
    if only is not None:
        return only
    named = ", ".join(sorted(map(str, measures)))
    if own - {None}:
        raise DisclosureError(f"Several measures in one table ({named}): each is protected by a rule of its own.")
    by_columns = {name: kind.columns for name, kind in KINDS.items() if not kind.measures}
    fits = [name for name, columns in by_columns.items() if columns <= names]
    # a kind whose columns another's include is not meant
    kinds = [name for name in fits if not any(by_columns[name] < by_columns[wider] for wider in fits)]
    if len(kinds) != 1:
        known = "; ".join(f"{name}: {', '.join(sorted(columns))}" for name, columns in by_columns.items())
        raise DisclosureError(
            f"A table with the columns {', '.join(sorted(names))} is of {len(kinds) or 'no'} known kind(s), "
            "so no rule protects it. Counts of your own need a row for each key, and the columns group, table, key, "
            f"persons and households (an example: help(trajectories.protect)). All kinds: {known}."
        )
    if kinds == ["rates"] and not measures <= set(RATE_MEASURES):
        raise DisclosureError(
            f"This table has the columns of rates but measures {named}: rates of {', '.join(RATE_MEASURES)} only are "
            "protected as rates, so no rule protects it."
        )
    return kinds[0]


# ----------------------------------------------------------------------------------------------------
# Protected counts of the province and the regions, and of the groups of regions that the study names.
#
# The regions and the province are protected together (disclosure), as parts and their sum. Persons settled in two
# regions are in both and once in the province, which is then less than the sum: protection, which supposes that it is
# the sum, may find no answer and hide the whole table. So the province is protected as if it were the sum, and told as
# it is where its own number is large enough. Nothing more is told by that: who takes the sum for exact supposes less
# of a hidden region than there is, and who knows that it is not can suppose any number of persons in two regions.
#
# Where that hides a whole table, the regions are protected without the province, of which nothing is told then.
#
# A group of the study overlaps with its regions and may overlap with other groups: what protection would have to hold
# then is more than a network can say. So a group's cell is nothing but the sum of its regions' cells as displayed,
# told only where all of them are: it says nothing that is not said already, whatever the groups. Somebody settled in
# two regions of a group is counted in both.

_GROUPED_NUMBERS = ("persons_rounded", "households_rounded")
TOTAL = "total"


def protected_counts(
    counts: pd.DataFrame,
    *,
    rules: Disclosure | None = None,
    support: int = 20,
    groups: Mapping[str, tuple[str, ...]] | None = None,
) -> Protected:
    """
    What may be shown of counts, those of the study's groups included.

    Parameters
    ----------
    counts : DataFrame
        group, table, key, persons, households. Rows of other groups than the province and the regions are not
        read: they are sums of what is displayed.
    rules, support
        As in `protect`.
    groups : mapping, optional
        Name → region codes (`study.groups`).

    Returns
    -------
    Protected
        As `protect` returns, with the rows of the groups; `sum_of_displayed` is True there.

    Examples
    --------
    >>> counts = pd.DataFrame({"group": ["01", "11", "01", "11"], "table": "sex", "key": ["F", "F", "M", "M"],
    ...                        "persons": [31, 42, 35, 22], "households": [20, 30, 20, 15]})
    >>> est = protected_counts(counts, groups={"Est": ("01", "11")}).of("Est")
    >>> est.frame[["key", "persons_rounded", "shown"]].values.tolist()
    [['F', 70, True], ['M', 55, True]]
    """
    raw = counts[counts["group"].isin([PROVINCE, *REGION_CODES])].reset_index(drop=True)
    protected = protect(_adding_up(raw), rules=rules, support=support)
    frame = _without_the_province(protected.frame, raw, protected.rules, support)
    frame = _as_it_is(frame, raw, protected.rules)
    frames = [frame, *(_sum(frame, name, regions) for name, regions in (groups or {}).items())]
    return Protected("counts", pd.concat(frames, ignore_index=True), protected.rules)


def _adding_up(raw: pd.DataFrame) -> pd.DataFrame:
    """The counts with no cell of the province under the sum of its regions' (rows of data, without households, too)."""
    numbers = raw[["persons", "households"]].astype("Float64")
    parts = numbers[~raw["group"].eq(PROVINCE)].groupby([raw["table"], raw["key"]]).sum(min_count=1)
    sums = parts.reindex(pd.MultiIndex.from_frame(raw[["table", "key"]])).set_axis(raw.index)
    raised = numbers.where(~(sums > numbers).fillna(False), sums)
    return raw.assign(**numbers.where(~raw["group"].eq(PROVINCE), raised))


def _without_the_province(frame: pd.DataFrame, raw: pd.DataFrame, rules: Disclosure, support: int) -> pd.DataFrame:
    """
    The protected frame, where a whole table was hidden with its regions alone, and nothing of the province.

    Where most keys are of one region, the province says nearly what that region says: no choice of cells protects both.
    """
    closed = ~frame.groupby("table")["shown"].any()
    to_protect = raw[raw["table"].map(closed).astype(bool) & ~raw["group"].eq(PROVINCE)]
    if to_protect.empty:
        return frame
    regions = protect(to_protect.reset_index(drop=True), rules=rules, support=support).frame
    unchanged = frame[frame["group"].eq(PROVINCE) | ~frame["table"].isin(regions["table"])]
    order = ["group", "table", "key"]
    all_rows = pd.concat([unchanged, regions], ignore_index=True).assign(_last=lambda f: f["key"].eq(TOTAL))
    return all_rows.sort_values([*order[:2], "_last", "key"], ignore_index=True)[list(frame.columns)]


def _as_it_is(frame: pd.DataFrame, raw: pd.DataFrame, rules: Disclosure) -> pd.DataFrame:
    """The protected frame with the province's own numbers, where they may be shown."""
    own = raw.set_index(["group", "table", "key"])[["persons", "households"]].astype("Float64")
    own = own.reindex(pd.MultiIndex.from_frame(frame[["group", "table", "key"]])).set_axis(frame.index)
    at = frame["group"].eq(PROVINCE) & frame["shown"] & ~frame["sum_of_displayed"]
    few = own["persons"].gt(0) & (own["persons"].lt(rules.threshold) | own["households"].lt(rules.households))
    shown = frame["shown"] & ~(at & few.fillna(False).astype(bool))
    for name, number in zip(own.columns, _GROUPED_NUMBERS, strict=True):
        own_rounded = pd.Series(rounded(own[name].fillna(0), rules.round), index=frame.index).astype("Int64")
        frame = frame.assign(**{number: frame[number].where(~(at & frame[number].notna()), own_rounded).where(shown)})
    return frame.assign(shown=shown)


def _sum(displayed: pd.DataFrame, name: str, regions: tuple[str, ...]) -> pd.DataFrame:
    parts = displayed[displayed["group"].isin(regions)]
    # a region without a row for a key has nobody there, unless its other cells of the table are hidden
    wide = parts.set_index(["table", "key", "group"])
    cells = parts[["table", "key"]].drop_duplicates()
    grid = cells.merge(parts[["table", "group"]].drop_duplicates(), on="table")
    at = pd.MultiIndex.from_frame(grid[["table", "key", "group"]])
    there = at.isin(wide.index)
    closed = ~parts.groupby(["table", "group"])["shown"].any()
    closed = pd.MultiIndex.from_frame(grid[["table", "group"]]).map(closed.to_dict()).to_numpy(dtype=bool)
    shown = wide["shown"].reindex(at).to_numpy(dtype=object)
    grid["shown"] = [bool(s) if here else not shut for s, here, shut in zip(shown, there, closed, strict=True)]
    for number in _GROUPED_NUMBERS:
        grid[number] = wide[number].reindex(at).astype("Float64").to_numpy(dtype=float, na_value=float("nan"))
        grid.loc[~there, number] = 0.0
    people = grid.groupby("table")["households_rounded"].transform(lambda values: values.notna().any())
    by = grid.groupby(["table", "key"], sort=True)
    sums = by.agg(shown=("shown", "all"), **{number: (number, "sum") for number in _GROUPED_NUMBERS}).reset_index()
    of_people = sums["table"].map(dict(zip(grid["table"], people, strict=True))).astype(bool)
    for number in _GROUPED_NUMBERS:
        hidden = ~sums["shown"] | (~of_people if number == "households_rounded" else False)
        sums[number] = sums[number].round().astype("Int64").mask(hidden)
    sums = sums.assign(group=name, sum_of_displayed=True, _last=sums["key"].eq(TOTAL))
    return sums.sort_values(["table", "_last", "key"])[list(displayed.columns)]
