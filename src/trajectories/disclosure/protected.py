"""What may be shown of a table: its kind is known by its columns and measures, and each kind has its rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..course.moving import MEASURE as MOVES
from ..course.occupying import MEASURE as OCCUPATION
from ..course.settled import MEASURE as SETTLED
from ..course.time_there import LOST, RESTRICTED
from ..exceptions import DisclosureError
from ..notebook_objects import as_html, plot
from ..results import harmless
from ..study import Disclosure
from ..tables import BY_PERIOD
from .coefficients import E_VALUES, protect_coefficients
from .contrasts import protect_contrasts
from .control_limits import LIMITS, protect_control_limits
from .counts import protect_counts
from .curves import protect_curve_counts, protect_estimated_curve
from .drawn import DRAWN, protect_drawn
from .leads import protect_leads
from .months import protect_months
from .moved import protect_scale, protect_settings
from .moves import protect_moves
from .occupation import protect_occupation
from .periods import protect_periods
from .rates import COUNTS, EXACT, RANGE, protect_rates
from .rules import SMALLEST_AT_RISK, checked
from .service_follow_up import FOLLOW_UP, protect_follow_up
from .service_funnel import FUNNEL, protect_service_funnel
from .service_shares import ITEMS, NEVER, protect_service_shares
from .settled import protect_settled
from .shares import protect_shares
from .states import protect_paths, protect_states, protect_types
from .stock import protect_stock
from .thresholds import protect_thresholds

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
_KINDS = {
    "curve of counts": {"group", "month", "n_entry", "n_censor"},
    "estimated curve": {"group", "month", "survival", "lower", "upper", "n_risk", "n_exits"},
    "counts": {"group", "table", "key", "persons", "households"},
    "rates": {"group", "estimate", "lower", "upper", "n_start", "n_at_risk"},
    "drawn rates": {"group", "horizon", "estimate", "lower", "upper", "n_start", "n_at_risk", *DRAWN},
    "shares": {"group", "check", "value"},
    "rates by threshold": {"group", "setting", "threshold", "horizon", "estimate", "n_start", "n_at_risk"},
    "rates along a scale": {"group", "assumption", "value", "horizon", "estimate", "n_start"},
    "rates by setting": {"setting", "value", "horizon", "estimate", "n_start"},
    "contrasts": {"group", "reference", "measure", "horizon", "estimate", "lower", "upper", "n_start", "n_at_risk"},
    "control limits": {"group", "estimate", "effective_n", "n_start", "outside", *LIMITS},
    "coefficients": {"model", "term", "level", "hazard_ratio", "lower", "upper", "p_value", "n_stays", "n_events"},
    "types": {"type", "n_persons", "n_households", "share"},
    "states": {"type", "month", "state", "share", "n"},
    "paths": {"type", "sequence", "begin", "end", "state", "n_persons"},
    "stock": {"group", "month", "persons_lower", "persons_upper", "households_lower"},
    "leads": {"group", "rank", "rule", "subject", "estimate", "lower", "upper", "expected", "n_start", "n_at_risk"},
}
# What has the columns of a rate and is none, or not one that rates.py protects: known by its measure, before them.
_MEASURES = {
    RESTRICTED: "months", LOST: "months", MOVES: "moves", OCCUPATION: "occupation", SETTLED: "settled share",
    **dict.fromkeys((*ITEMS, NEVER), "service shares"), FUNNEL: "service funnel",
    **dict.fromkeys(FOLLOW_UP, "follow-up"), BY_PERIOD: "rates by period",
}  # fmt: skip
RATE_MEASURES = ("retention",)
# The kinds of what comes out.
_PROTECTED = (
    "counts", "rates", "drawn rates", "curve", "scale", "settings", "contrasts", "control limits", "coefficients",
    "types", "states", "paths", "stock", "months", "moves", "occupation", "settled share", "service shares",
    "service funnel", "follow-up", "leads", "rates by period",
)  # fmt: skip


@dataclass(frozen=True)
class Protected:
    """
    A table that may be shown.

    Attributes
    ----------
    kind : str
        "counts", "rates", "drawn rates", "curve", "scale", "settings", "contrasts", "control limits", "coefficients",
        "types", "states", "paths", "stock", "months", "moves", "occupation", "settled share", "service shares",
        "service funnel", "follow-up", "leads" or "rates by period".
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
        if self.kind not in _PROTECTED:
            raise DisclosureError(f"{self.kind!r} is no kind of protected table.")
        raw = sorted(
            name for name in map(str, self.frame.columns)
            if name in _RAW or (name.startswith("n_") and not name.endswith("_rounded"))
        )  # fmt: skip
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
    what = _kind(table)
    table = table.reset_index(drop=True)
    at_risk = max(support, SMALLEST_AT_RISK)
    match what:
        case "counts":
            return Protected("counts", protect_counts(table, rules), rules)
        case "rates":
            return Protected("rates", protect_rates(table, rules, at_risk, groups), rules)
        case "drawn rates":
            return Protected("drawn rates", protect_drawn(table, rules, at_risk, groups), rules)
        case "shares":
            return Protected("rates", protect_shares(table, rules), rules)
        case "rates by threshold":
            return Protected("rates", protect_thresholds(table, rules, at_risk, groups), rules)
        case "curve of counts":
            return Protected("curve", protect_curve_counts(table, rules, at_risk), rules)
        case "estimated curve":
            return Protected("curve", protect_estimated_curve(table, rules, at_risk), rules)
        case "rates along a scale":
            return Protected("scale", protect_scale(table, rules, at_risk), rules)
        case "rates by setting":
            return Protected("settings", protect_settings(table, rules, at_risk), rules)
        case "contrasts":
            return Protected("contrasts", protect_contrasts(table, rules, at_risk), rules)
        case "months":
            return Protected(what, protect_months(table, rules, at_risk, groups), rules)
        case "moves":
            return Protected(what, protect_moves(table, rules, at_risk, groups), rules)
        case "occupation":
            return Protected(what, protect_occupation(table, rules, at_risk), rules)
        case "rates by period":
            return Protected(what, protect_periods(table, rules, at_risk, groups), rules)
        case kind:
            plain = {
                "control limits": protect_control_limits, "coefficients": protect_coefficients, "types": protect_types,
                "states": protect_states, "paths": protect_paths, "stock": protect_stock,
                "settled share": protect_settled, "service shares": protect_service_shares,
                "service funnel": protect_service_funnel, "follow-up": protect_follow_up,
                "leads": protect_leads,
            }  # fmt: skip
            return Protected(kind, plain[kind](table, rules), rules)


def _kind(table: pd.DataFrame) -> str:
    """The kind of a raw table: by what it measures where that has a rule of its own, else by its columns."""
    names = set(map(str, table.columns))
    if _KINDS["leads"] <= names:
        return "leads"  # figures of many measures, each told by the rule of leads
    measures = set(table["measure"]) if "measure" in names else set()
    own = {_MEASURES.get(measure) for measure in measures}
    if len(own) == 1 and None not in own:
        return own.pop()
    told = ", ".join(sorted(map(str, measures)))
    if own - {None}:
        raise DisclosureError(f"Several measures in one table ({told}): each is protected by a rule of its own.")
    fits = [kind for kind, needed in _KINDS.items() if needed <= names]
    # a kind whose columns another's include is not meant
    kinds = [kind for kind in fits if not any(_KINDS[kind] < _KINDS[other] for other in fits)]
    if len(kinds) != 1:
        known = "; ".join(f"{kind}: {', '.join(sorted(needed))}" for kind, needed in _KINDS.items())
        raise DisclosureError(
            f"A table with the columns {', '.join(sorted(names))} is of {len(kinds) or 'no'} known kind(s), "
            "so no rule protects it. Counts of your own need a row for each key, and the columns group, table, key, "
            f"persons and households (an example: help(trajectories.protect)). All kinds: {known}."
        )
    if kinds == ["rates"] and not measures <= set(RATE_MEASURES):
        raise DisclosureError(
            f"This table has the columns of rates but measures {told}: rates of {', '.join(RATE_MEASURES)} only are "
            "protected as rates, so no rule protects it."
        )
    return kinds[0]
