"""What the explorer shows: the bounds of a region as a picture, its numbers as a table, and what they are in words.

Of tables that nothing has protected: for a researcher's screen, below the red band. The picture is written as SVG by
hand, in a millisecond; a figure of matplotlib takes sixty. A panel a group, on the same axes: ribbons on top of one
another could not be told apart. Straight lines join the months at which the bounds are told, as in the reports.
"""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from ..groups import reported_groups
from ..quick_bounds import DRAWS, SPLITS
from ..study import PERIMETERS, SCOPES, Study
from .banded import banded
from .drawing import BAND, BOUND, CURVE, FONT_SIZE, INK, MUTED, RIBBON, RULE, WIDE
from .figures.lettering import broken
from .markup import element
from .readings import level_name
from .words import Words

# What gives the estimate of the reports.
_MAIN = "trajectories.retention()"
# Of a panel, in pixels: what is left of, right of, above and below its axes.
_LEFT, _RIGHT, _TOP, _BELOW = 46, 26, 30, 64
_LINE = 16  # each further line of a group's name
_HEIGHT, _GAP = 150, 12
_ALONE = 250  # height of the axes of a panel that stands alone


def split_name(by: str, words: Words) -> str:
    """What a cohort is split by, in words."""
    return words.say("key.pathway") if by == "pathway" else words.label("covariate", by)


def controls(study: Study, words: Words) -> dict[str, tuple[str, list[tuple[str, object]]]]:
    """What can be chosen, by name: what the control is called, and its choices (in words, and as a value)."""
    say = words.say
    return {
        "region": (say("column.region"), [(words.region(name), name) for name in reported_groups(study)]),
        "by": (say("explorer.by"), [(say("explorer.undivided"), ""), *((split_name(by, words), by) for by in SPLITS)]),
        "horizon": (say("column.horizon"), [(words.months(horizon), horizon) for horizon in study.horizons]),
        "perimeter": (say("facts.perimeter"), [(words.label("perimeter", name), name) for name in PERIMETERS]),
        "scope": (say("facts.scope"), [(words.label("scope", name), name) for name in SCOPES]),
    }


def waiting(words: Words) -> Markup:
    """What stands there while a cohort is drawn."""
    return element("p", words.say("explorer.waiting"), role="status")


def refused(error: Exception) -> Markup:
    """Why there is nothing to see."""
    return element("p", str(error), role="alert")


def explored(
    bounds: pd.DataFrame, *, region: str, by: str | None, horizon: int, study: Study, synthetic: bool, words: Words
) -> Markup:
    """
    Everything that stands below the controls.

    Parameters
    ----------
    bounds : DataFrame
        As `quick_bounds` returns it.
    region : str
        `province`, a region code, or the name of a group of the study's.
    by : str or None
        What the region is split by.
    horizon : int
        The month whose numbers are told.
    study : Study
        Its perimeter, scope and support are said.
    synthetic : bool
        Whether nobody in the data exists.
    words : Words
    """
    say, place = words.say, words.in_region(region)
    about = say(
        "explorer.about",
        perimeter=words.label("perimeter", study.perimeter), scope=words.label("scope", study.scope),
    )  # fmt: skip
    head = [element("h3", say("explorer.title", place=place), style="margin: 0"), element("p", about, style=_NOTE)]
    if synthetic:
        head.append(element("p", element("strong", say("page.synthetic"))))
    if bounds.empty:
        return _framed(*head, element("p", say("explorer.nobody", place=place), role="status"))
    groups = {_name(level, by, words): rows for level, rows in bounds.groupby("level", sort=False, dropna=False)}
    drawn = {name: rows for name, rows in groups.items() if len(rows) > 1}
    told = element("p", " ".join(_sentences(groups, drawn, horizon, study, words)), role="status")
    picture = panels(drawn, horizon, _alt(drawn, place, horizon, words), words) if drawn else None
    what = [say("explorer.what"), say("explorer.key", draws=words.number(DRAWS)), say("explorer.main", function=_MAIN)]
    notes = element("p", " ".join(what), style=_NOTE)
    return _framed(*head, told, picture, _table(groups, by, horizon, words), notes if drawn else None)


_NOTE = f"margin: 4px 0; color: {MUTED}; font-size: 12px; line-height: 1.4; max-width: {WIDE}px"


def _framed(*parts: object) -> Markup:
    """Below the band, on white: JupyterLab may be dark."""
    style = f"background: #fff; color: {INK}; padding: 10px 12px; line-height: 1.4; max-width: {WIDE + 24}px"
    return banded(element("section", *parts, style=style))


def _name(level: object, by: str | None, words: Words) -> str:
    if by is None:
        return words.say("explorer.everybody")
    return words.label("pathway", level) if by == "pathway" and level != "unknown" else level_name(by, level, words)


# ── in words ──────────────────────────────────────────────────────────────────────────────────────────────
def _sentences(groups: dict, drawn: dict, horizon: int, study: Study, words: Words) -> list[str]:
    """The number at the horizon where there is one group, where curves end, and which groups have none."""
    say, support, found = words.say, words.number(study.support), []
    if len(groups) == 1:
        (rows,) = groups.values()
        row = rows[rows["month"].eq(horizon)]
        if len(row):
            found.append(say("explorer.at", months=words.months(horizon), **_percents(row.iloc[0], words)))
    without = [name for name in groups if name not in drawn]
    if without:
        found.append(say("explorer.too_few", groups=words.listing(without), support=support))
    ends = {name: int(rows["month"].max()) for name, rows in drawn.items()}
    cut = [name for name, month in ends.items() if month < max(study.horizons)]
    if drawn and cut == list(drawn) and len(set(ends.values())) == 1:
        found.append(say("explorer.cut", months=words.months(ends[cut[0]]), support=support))
    elif cut:
        each = [say("explorer.cut_of", group=name, months=words.months(ends[name])) for name in cut]
        found.append(say("explorer.cut_each", groups=words.listing(each), support=support))
    return found


def _percents(row: pd.Series, words: Words) -> dict[str, str]:
    names = {"low": "lost_left", "high": "lost_stayed", "lower": "lower", "upper": "upper"}
    return {name: words.percent(row[column]) for name, column in names.items()}


def _alt(drawn: dict, place: str, horizon: int, words: Words) -> str:
    """What the picture shows, to whoever does not see it."""
    told = []
    for name, rows in drawn.items():
        row = rows[rows["month"].eq(horizon)]
        between = words.say("explorer.none")
        if len(row):
            low, high = (words.percent(row[bound].iloc[0]) for bound in ("lost_left", "lost_stayed"))
            between = words.say("between", lower=low, upper=high)
        told.append(words.say("explorer.alt_of", group=name, between=between))
    return words.say("explorer.alt", place=place, months=words.months(horizon), groups="; ".join(told))


def _table(groups: dict, by: str | None, horizon: int, words: Words) -> Markup:
    """The numbers at the horizon, a row a group."""
    say, cell = words.say, "padding: 2px 10px; text-align: right"
    heads = [
        say("column.group") if by is None else split_name(by, words), say("explorer.stays"),
        say("explorer.at_risk", months=words.months(horizon)), say("figure.curve.bound_low"),
        say("figure.curve.bound_high"), say("column.limits"),
    ]  # fmt: skip
    top = [element("th", heads[0], scope="col", style="text-align: left")]
    top += [element("th", head, scope="col", style=cell) for head in heads[1:]]
    body = []
    for name, rows in groups.items():
        at = rows[rows["month"].eq(horizon)]
        told = ["–"] * 4
        if len(at):
            percents = _percents(at.iloc[0], words)
            between = say("between", lower=percents["lower"], upper=percents["upper"])
            told = [words.number(at["n_risk"].iloc[0]), percents["low"], percents["high"], between]
        cells = (
            element("td", text, style=f"{cell}; white-space: nowrap")
            for text in (words.number(rows["n_start"].iloc[0]), *told)
        )
        body.append(
            element("tr", element("th", name, scope="row", style="text-align: left; font-weight: normal"), *cells)
        )
    caption = element("caption", say("explorer.table", months=words.months(horizon)), style="text-align: left")
    return element(
        "table",
        caption,
        element("thead", element("tr", *top)),
        element("tbody", *body),
        style="border-collapse: collapse",
    )


# ── as a picture ──────────────────────────────────────────────────────────────────────────────────────────
def panels(drawn: dict[str, pd.DataFrame], horizon: int, alt: str, words: Words) -> Markup:
    """A panel a group, as many side by side as fit."""
    across = 1 if len(drawn) == 1 else 2 if len(drawn) <= 4 else 3
    width = (WIDE - _GAP * (across - 1)) / across
    tall = _ALONE if len(drawn) == 1 else _HEIGHT
    end = max(int(rows["month"].max()) for rows in drawn.values())
    end = max(12, end)
    names = {name: broken(name, width - _LEFT - _RIGHT, bold=True).split("\n") for name in drawn}
    top = _TOP + _LINE * (max(map(len, names.values())) - 1)
    step = top + tall + _BELOW
    parts = []
    for k, (name, rows) in enumerate(drawn.items()):
        x, y = (k % across) * (width + _GAP), (k // across) * step
        inside = _panel(names[name], rows, (width, top, tall), end, horizon, words)
        parts.append(element("g", *inside, transform=f"translate({x:.1f},{y})"))
    height = step * -(-len(drawn) // across)
    return element(
        "svg", *parts, role="img", aria_label=alt, viewBox=f"0 0 {WIDE} {height}", width=WIDE, height=height,
        style=f"max-width: 100%; height: auto; font-size: {FONT_SIZE - 1}px; font-family: sans-serif",
    )  # fmt: skip


def _panel(
    name: list[str], rows: pd.DataFrame, size: tuple[float, int, int], end: int, horizon: int, words: Words
) -> list[Markup]:
    """One group; `size` is the panel's width, and the height above its axes and of them."""
    width, top, tall = size
    inner = width - _LEFT - _RIGHT
    months = rows["month"].tolist()

    def x(month: float) -> float:
        return _LEFT + inner * month / end

    def y(rate: float) -> float:
        return top + tall * (1 - rate)

    def line(column: str) -> list[tuple[float, float]]:
        return [(x(month), y(rate)) for month, rate in zip(months, rows[column], strict=True)]

    parts = [_text(_LEFT, 16 + _LINE * k, one, anchor="start", weight="bold") for k, one in enumerate(name)]
    for rate in (0, 0.5, 1):
        parts.append(_rule(_LEFT, y(rate), width - _RIGHT, y(rate), RULE))
        parts.append(_text(_LEFT - 6, y(rate) + 4, words.percent(rate), anchor="end", fill=MUTED))
    parts.append(_area(line("lower"), line("upper"), BAND))
    parts.append(_area(line("lost_left"), line("lost_stayed"), RIBBON))
    parts += [_line(line(bound), BOUND) for bound in ("lost_left", "lost_stayed")]
    ticks = _ticks([m for m in months if m == 0 or m >= 6], horizon, x)
    for month in ticks:
        parts.append(_text(x(month), y(0) + 18, words.number(month), fill=MUTED))
        at_risk = rows["n_risk"].iloc[months.index(month)]
        parts.append(_text(x(month), y(0) + 52, words.number(at_risk)))
    parts.append(_text(_LEFT, y(0) + 36, words.say("explorer.under"), anchor="start", fill=MUTED))
    if horizon in months:
        row = rows.iloc[months.index(horizon)]
        parts.append(_rule(x(horizon), y(0), x(horizon), y(1), CURVE))
        side = {"anchor": "end" if x(horizon) > _LEFT + inner * 0.8 else "start", "weight": "bold"}
        aside = x(horizon) + (-8 if side["anchor"] == "end" else 8)
        for column, below in (("lost_left", 18), ("lost_stayed", -8)):
            at = y(row[column])
            parts.append(element("circle", cx=f"{x(horizon):.1f}", cy=f"{at:.1f}", r=4, fill=CURVE))
            parts.append(_text(aside, at + below, words.percent(row[column]), **side))
    return parts


def _ticks(months: list[int], horizon: int, x) -> list[int]:
    """The months that are named under the axis: the horizon, and of the others those that leave it room."""
    kept = [month for month in months if month == horizon]
    for month in (months[0], *reversed(months)):
        if all(abs(x(month) - x(other)) >= 34 for other in kept):
            kept.append(month)
    return sorted(kept)


def _text(
    x: float, y: float, text: str, *, anchor: str = "middle", fill: str = INK, weight: str | None = None
) -> Markup:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill=fill, font_weight=weight)


def _rule(x: float, y: float, to_x: float, to_y: float, stroke: str) -> Markup:
    return element("line", x1=f"{x:.1f}", y1=f"{y:.1f}", x2=f"{to_x:.1f}", y2=f"{to_y:.1f}", stroke=stroke)


def _line(points: list[tuple[float, float]], stroke: str) -> Markup:
    return element("polyline", points=_points(points), fill="none", stroke=stroke, stroke_width=1.5)


def _area(lower: list[tuple[float, float]], upper: list[tuple[float, float]], fill: str) -> Markup:
    return element("polygon", points=_points([*lower, *reversed(upper)]), fill=fill)


def _points(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
