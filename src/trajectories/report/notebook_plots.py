"""The figures that a researcher draws in a notebook: of a curve, of rates at horizons, of ratios, of states, of counts.

The columns of a table decide which figure is drawn, for a table of an estimator, of a run or of one's own alike.
Colours and words are those of the reports; of a `Protected` table only shown rows are drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..disclosure import Protected
from ..retention import BOUNDS
from .drawing import BAND, BOUND, CURVE, INK, MUTED, RIBBON
from .figures.states import FILLS
from .notebook_tables import move_counts, row_counts
from .readings import level_name, type_name
from .words import Words, words

# Colour and dashes of the line of each group.
LINES = (
    (CURVE, "-"),
    ("#b3541e", (0, (5, 2))),
    ("#4674a3", (0, (1, 1.2))),
    (BOUND, "-."),
    (INK, (0, (8, 3))),
    ("#8c6d1f", "-"),
)
_HEARSAY = (0, (2.6, 1.5))
# Columns of a curve: its values, its time axis, and those that distinguish its lines.
_MEASURES = ("survival", "survival_after", "incidence", "probability", "mean")
_BY = ("time", "month", "right")
_LINE_COLUMNS = ("group", "from_state", "to_state", "state", "cause", "method")
_RATIOS = ("hazard_ratio", "time_ratio", "odds_ratio", "intensity")
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 1, 1.2, 1.5, 2, 3, 5, 10, 20, 50)
_STATES = ("region", "anywhere", "metropole", "other_region", "outside_quebec", "unknown")


def draw_result(result: Any, ax: Any = None, w: Words | None = None) -> Any:
    """See `display.plot`; `w`: the words of another language than French."""
    w, name = w or words("fr"), type(result).__name__
    if not isinstance(result, pd.DataFrame | Protected) and name not in _RESULTS:
        raise ValueError(f"no figure is drawn of a {name}: give a table (DataFrame) or a result that has `.plot()`.")
    if isinstance(result, pd.DataFrame) and result.empty:
        raise ValueError("no figure is drawn of a table without rows: see what it was chosen by.")
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(8, 4), layout="constrained")
    if isinstance(result, pd.DataFrame):
        _table(result, ax, w)
    elif isinstance(result, Protected):
        _protected(result, ax, w)
    else:
        _RESULTS[name](result, ax, w)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _table(table: pd.DataFrame, ax: Any, w: Words) -> None:
    names = set(map(str, table.columns))
    if {"month", "state", "share"} <= names:
        return _states(table, ax, w)
    if names & set(_MEASURES) and names & set(_BY):
        return _curves(table, ax, w)
    if {"horizon", "estimate"} <= names:
        return _rates(table, ax, w)
    ratio = next((name for name in _RATIOS if name in names), None)
    if ratio and {"lower", "upper"} <= names:
        return _ratios(table, ratio, ax, w)
    raise ValueError(
        f"no figure is drawn of a table with the columns {', '.join(sorted(names))}: curves have time or month and one "
        f"of {', '.join(_MEASURES)}; rates horizon and estimate; ratios lower, upper and one of {', '.join(_RATIOS)}."
    )


# ── curves ────────────────────────────────────────────────────────────────────────────────────────────────────
def _curves(table: pd.DataFrame, ax: Any, w: Words, *, stepwise: bool = True) -> None:
    measure = next(name for name in _MEASURES if name in table)
    by = next(name for name in _BY if name in table)
    if measure == "incidence" and table.get("cause", pd.Series(dtype=int)).eq(0).any():
        table, measure = table[table["cause"].eq(0)].drop(columns="cause"), "survival"
        table = table.rename(columns={"incidence": "survival"})
    table = table[np.isfinite(table[by].astype(float))]
    if "known" in table and not table["known"].eq("insufficient").all():
        table = table[table["known"].ne("insufficient")]
    start = {"survival": 1.0, "survival_after": 1.0, "probability": np.nan}.get(measure, 0.0)
    parts = _parts(table, w)
    for (label, part), (colour, dashes) in zip(parts, LINES, strict=False):
        x, y, low, high = (_from_zero(part, name, by, start) for name in (by, measure, "lower", "upper"))
        if x is None or y is None:
            continue
        style = {"step": "post"} if stepwise else {}
        if low is not None and high is not None and part["upper"].notna().any():
            fill = BAND if len(parts) == 1 else colour
            name_of_limits = w.say("notebook.limits") if len(parts) == 1 else None
            alpha = 1 if len(parts) == 1 else 0.15
            ax.fill_between(x, low, high, color=fill, alpha=alpha, linewidth=0, label=name_of_limits, **style)
        where = {"drawstyle": "steps-post"} if stepwise else {}
        firm = len(x) - int(part["known"].eq("hearsay").sum()) if "known" in part else len(x)
        label = label or w.say("figure.curve.estimate")
        ax.plot(x[:firm], y[:firm], color=colour, linestyle=dashes, linewidth=2, label=label, **where)
        if firm < len(x):  # it comes last: beyond the last contacts
            name_of_hearsay = w.say("figure.curve.hearsay") if len(parts) == 1 else None
            dashes = _HEARSAY if len(parts) == 1 else dashes
            last = slice(max(firm - 1, 0), None)
            ax.plot(x[last], y[last], color=colour, linestyle=dashes, linewidth=1.2, label=name_of_hearsay, **where)
    ax.set(xlabel=w.say("notebook.months"), ylabel=w.label("notebook.told", measure), xlim=(0, None))
    if measure == "mean":
        ax.set_ylim(0, None)
    else:
        _percents(ax, w, table.get("upper", table[measure]) if measure == "incidence" else None)
    ax.legend(frameon=False)
    if len(parts) == 1:
        _at_risk(parts[0][1], by, ax, w)


def _from_zero(part: pd.DataFrame, name: str, by: str, start: float) -> np.ndarray | None:
    """The values of a column, with the curve's start at 0 before them where the table begins later."""
    if name not in part:
        return None
    values = part[name].to_numpy(dtype=float, na_value=np.nan)
    if np.isnan(start) or part[by].iloc[0] == 0:
        return values
    return np.concatenate([[0.0 if name == by else start], values])


def _parts(table: pd.DataFrame, w: Words) -> list[tuple[str, pd.DataFrame]]:
    """The lines of a table, each with its label; one line, without label, where no column distinguishes any."""
    columns = [name for name in _LINE_COLUMNS if name in table and table[name].nunique(dropna=False) > 1]
    if not columns:
        return [("", table)]
    parts = [
        (_label(dict(zip(columns, keys, strict=True)), w), part)
        for keys, part in table.groupby(columns, sort=False, observed=True)
    ]
    if len(parts) > len(LINES):
        raise ValueError(
            f"{len(parts)} lines ({', '.join(columns)}) are too many to be told apart: choose the rows of up to "
            f"{len(LINES)} of them first, such as table.query(\"{columns[0]} in ['…', '…']\")."
        )
    return parts


def _label(keys: dict[str, object], w: Words) -> str:
    if set(keys) == {"from_state", "to_state"}:
        return f"{w.label('state', keys['from_state'])} → {w.label('state', keys['to_state'])}"
    return ", ".join(_value(name, key, w) for name, key in keys.items())


def _value(name: str, key: object, w: Words) -> str:
    match name:
        case "group":
            return _group(str(key), w)
        case "state" | "from_state" | "to_state":
            return w.label("state", key)
        case "method":
            return w.label("method", key)
    return w.label("exit", key) if isinstance(key, str) else w.say("notebook.cause", n=key)


def _group(key: str, w: Words) -> str:
    """The name of a region or of a level of a covariate; a group of a column of one's own as it is."""
    term, equals, level = key.partition("=")
    if not (equals and w.has(f"covariate.{term}")):
        return w.region(key)
    return w.say("notebook.fact", name=w.label("covariate", term), value=level_name(term, level, w))


def _at_risk(part: pd.DataFrame, by: str, ax: Any, w: Words) -> None:
    """Numbers at risk, under the months of the axis."""
    name = next((name for name in ("n_risk", "n_risk_rounded") if name in part), None)
    if name is None:
        return
    ticks = [tick for tick in ax.get_xticks() if 0 <= tick <= float(part[by].max())]
    when, many = part[by].to_numpy(dtype=float), part[name].to_numpy(dtype=float, na_value=np.nan)
    numbers = [w.number(many[np.searchsorted(when, tick)]) for tick in ticks]
    ax.set_xticks(ticks, [f"{w.number(tick)}\n{n}" for tick, n in zip(ticks, numbers, strict=True)])
    ax.set_xlabel(f"{ax.get_xlabel()}\n{w.say('notebook.at_risk')}")


def _percents(ax: Any, w: Words, gone: pd.Series | None = None) -> None:
    """A scale from 0 to 1 in quarters; for shares `gone`, up to the largest of them."""
    highest = 1.0 if gone is None else float(gone.astype(float).max())
    top = next((top for top in (0.2, 0.4, 0.6) if highest <= top), 1.0)
    rates = np.linspace(0, top, 5)
    ax.set_ylim(0, top)
    ax.set_yticks(rates, [w.percent(rate) for rate in rates])
    ax.grid(axis="y", color="#e4e7eb")
    ax.set_axisbelow(True)


# ── rates at horizons ─────────────────────────────────────────────────────────────────────────────────────────
def _rates(table: pd.DataFrame, ax: Any, w: Words) -> None:
    """Points with their limits by horizon; of several methods the main one."""
    if "method" in table and "main" in set(table["method"]):
        _bounds(table, ax, w)
        table = table[table["method"].eq("main")]
    table = table[table["estimate"].notna()]
    parts = _parts(table, w)
    spread = 0.7 * (np.arange(len(parts)) - (len(parts) - 1) / 2)
    for (label, part), (colour, dashes), aside in zip(parts, LINES, spread, strict=False):
        x, y = part["horizon"].to_numpy(dtype=float) + aside, part["estimate"].to_numpy(dtype=float)
        if {"range_lower", "range_upper"} <= set(part) and len(parts) == 1:
            rest = {"color": BOUND, "linewidth": 12, "alpha": 0.35, "label": w.say("notebook.range")}
            ax.vlines(x, part["range_lower"].astype(float), part["range_upper"].astype(float), **rest)
        ax.vlines(x, part["lower"].astype(float), part["upper"].astype(float), color=colour, linewidth=1.5)
        name = label or w.say("notebook.estimate")
        ax.plot(x, y, color=colour, linestyle=dashes, linewidth=1, marker="o", label=name)
    ticks = sorted(table["horizon"].unique())
    ax.set_xticks(ticks, [w.number(tick) for tick in ticks])
    ylabel = "notebook.left" if "cause" in table else "notebook.retained"
    ax.set(xlabel=w.say("notebook.since"), ylabel=w.say(ylabel), xlim=(0, None))
    _percents(ax, w, table["upper"] if "cause" in table else None)
    ax.legend(frameon=False, loc="upper left" if "cause" in table else "lower left")


def _bounds(table: pd.DataFrame, ax: Any, w: Words) -> None:
    """The area between the bounds (everyone lost has left, or has stayed), where a single group is drawn."""
    both = table[table["method"].isin(BOUNDS)]
    if both.empty or both.duplicated(["method", "horizon"]).any():
        return
    low, high = (both[both["method"].eq(bound)].set_index("horizon")["estimate"].astype(float) for bound in BOUNDS)
    ax.fill_between(low.index, low, high.reindex(low.index), color=RIBBON, linewidth=0, label=w.say("notebook.bounds"))


# ── ratios, and other estimates one under another ─────────────────────────────────────────────────────────────
def _ratios(table: pd.DataFrame, ratio: str, ax: Any, w: Words) -> None:
    table = table[table[ratio].gt(0)]
    labels = [name for name in ("model", "term", "level", "from_state", "to_state") if name in table]
    labels = [name for name in labels if name != "model" or table[name].nunique() > 1]
    names = [
        " ".join(str(row[name]) for name in labels if pd.notna(row[name]) and row[name] != "")
        for _, row in table.iterrows()
    ]
    _beside(names, table[[ratio, "lower", "upper"]].to_numpy(dtype=float), ax)
    ax.set(xscale="log", xlabel=w.label("notebook.ratio", ratio))
    low, high = ax.get_xlim()
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    if len(ticks) < 3:
        ticks = [tick for tick in np.round(np.arange(0.5, 2, 0.05), 2) if low <= tick <= high]
    ax.set_xticks(ticks, [w.number(tick, len(f"{tick:g}".partition(".")[2])) for tick in ticks])
    ax.minorticks_off()
    if ratio != "intensity":
        ax.axvline(1, color=BOUND, linewidth=1)


def _beside(names: list[str], numbers: np.ndarray, ax: Any) -> None:
    """One line for each estimate and its limits, the first on top."""
    y = np.arange(len(names))
    ax.hlines(y, numbers[:, 1], numbers[:, 2], color=CURVE, linewidth=2)
    ax.plot(numbers[:, 0], y, "o", color=CURVE)
    ax.set_yticks(y, names)
    ax.set_ylim(len(names) - 0.5, -0.5)


def _states(table: pd.DataFrame, ax: Any, w: Words) -> None:
    """The share in each state by month, as areas that add up to one."""
    kinds = table["type"].nunique() if "type" in table else 1
    if kinds > 1:
        raise ValueError(f'the states of {kinds} types: choose one first, such as table.query("type == 1").')
    wide = table.pivot_table(index="month", columns="state", values="share", observed=True).fillna(0)
    order = [state for state in _STATES if state in wide] + [state for state in wide if state not in _STATES]
    fills = [FILLS.get(state, "#ffffff") for state in order]
    labels = [w.label("state", state) for state in order]
    ax.stackplot(wide.index, wide[order].to_numpy().T, colors=fills, labels=labels, edgecolor=BOUND, linewidth=0.5)
    ax.set(xlabel=w.say("notebook.since"), ylabel=w.say("notebook.persons"), xlim=(0, wide.index.max()))
    _percents(ax, w)
    ax.legend(frameon=False, bbox_to_anchor=(1, 0.5), loc="center left")


def _counts(names: list[str], numbers: np.ndarray, label: str, ax: Any, w: Words) -> None:
    y = np.arange(len(names))
    ax.barh(y, numbers, color=CURVE, height=0.65)
    for at, number in zip(y, numbers, strict=True):
        ax.annotate(w.number(number), (number, at), (4, 0), textcoords="offset points", va="center", color=MUTED)
    ax.set_yticks(y, names)
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(lambda value, _: w.number(value))
    ax.set_xlabel(label)
    ax.margins(x=0.12)


# ── results ───────────────────────────────────────────────────────────────────────────────────────────────────
def _protected(protected: Protected, ax: Any, w: Words) -> None:
    """The shown rows of a curve, or of rates."""
    frame = protected.frame[protected.frame["shown"].astype(bool)]
    if protected.kind == "curve":
        _curves(frame.rename(columns={"horizon": "is_horizon"}), ax, w, stepwise=False)
    elif protected.kind == "rates" and "horizon" in frame:
        _rates(frame, ax, w)
    else:
        raise ValueError(
            f"no figure is drawn of a protected table of {protected.kind}: of a curve and of rates only. The pages of "
            "a report have the others."
        )


def _test(test: Any, ax: Any, w: Words) -> None:
    """Observed exits of each group beside those expected if groups are alike."""
    y = np.arange(len(test.table))
    ax.hlines(y, test.table["expected"], test.table["observed"], color=BOUND, linewidth=1)
    ax.plot(test.table["expected"], y, "o", color="white", markeredgecolor=CURVE, label=w.say("notebook.expected"))
    ax.plot(test.table["observed"], y, "o", color=CURVE, label=w.say("notebook.observed"))
    ax.set_yticks(y, [str(group) for group in test.table["group"]])
    ax.set_ylim(len(y) - 0.5, -0.5)
    ax.set_xlabel(w.say("notebook.exits"))
    ax.xaxis.set_major_formatter(lambda value, _: w.number(value, 0 if value == round(value) else 1))
    ax.legend(frameon=False)


def _cure(fit: Any, ax: Any, w: Words) -> None:
    """The curve of all, and the share of those who will not leave."""
    _curves(fit.survival(np.linspace(0, fit.follow_up, 101)), ax, w, stepwise=False)
    ax.axhline(fit.share, color=BOUND, linestyle="--", label=w.say("notebook.share"))
    ax.legend(frameon=False)


def _cohort(result: Any, ax: Any, w: Words) -> None:
    """Stays by the year of their establishment, those that are left out on top."""
    year = result.cohort["establishment_latest"].dt.year
    out = result.cohort["excluded"].notna()
    by = pd.crosstab(year, out).reindex(columns=[False, True], fill_value=0)
    ax.bar(by.index, by[False], color=CURVE, label=w.say("notebook.column.kept"))
    ax.bar(by.index, by[True], bottom=by[False], color=BAND, label=w.say("notebook.column.left_out"))
    ax.set(xlabel=w.say("notebook.year"), ylabel=w.say("notebook.column.stays"))
    ax.set_xticks(by.index)
    ax.legend(frameon=False)


def _residences(residences: Any, ax: Any, w: Words) -> None:
    kinds = move_counts(residences.moves, w)
    _counts(kinds.iloc[:, 0].tolist(), kinds.iloc[:, 1].to_numpy(), w.say("notebook.column.moves"), ax, w)


def _deposits(deposits: Any, ax: Any, w: Words) -> None:
    rows = row_counts(deposits, w)
    _counts(rows.iloc[:, 0].tolist(), rows.iloc[:, 1].to_numpy(), w.say("notebook.column.rows"), ax, w)


def _typology(typology: Any, ax: Any, w: Words) -> None:
    types = typology.types
    names = [f"{row.type} · {type_name(row.name, w)}" for row in types[["type", "name"]].itertuples(index=False)]
    _beside(names, types[["share", "lower", "upper"]].to_numpy(dtype=float), ax)
    ax.set(xlabel=w.say("notebook.persons"), xlim=(0, None))
    ax.xaxis.set_major_formatter(lambda value, _: w.percent(value))


def _models(models: Any, ax: Any, w: Words) -> None:
    """The ratios of the Cox model."""
    cox = models.coefficients.query("model == 'cox' and hazard_ratio.notna()")
    ax.figure.set_figheight(max(3, 0.32 * len(cox)))
    _ratios(cox, "hazard_ratio", ax, w)


_OF_TABLE = ("CoxFit", "DiscreteFit", "FineGrayFit", "IntervalCurve", "ObservedCurve")
_RESULTS: dict[str, Callable[[Any, Any, Words], None]] = {
    **dict.fromkeys(_OF_TABLE, lambda result, ax, w: _table(result.table, ax, w)),
    "Cohort": _cohort, "CureFit": _cure, "Deposits": _deposits, "Models": _models,
    "PanelFit": lambda fit, ax, w: _ratios(fit.rates, "intensity", ax, w),
    "Residences": _residences, "TestResult": _test, "Typology": _typology,
}  # fmt: skip
