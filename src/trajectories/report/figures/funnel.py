"""The funnel: each region's rate against how many persons it is worth, between the limits that chance alone would give.

Instead of a league table (Spiegelhalter 2005, « Funnel plots for comparing institutional performance »): a small
region lies far from the others more often, and there the limits are wide. Only regions outside the outer limits are
named; the points inside are alike as far as anyone can tell. The rates are those of the table `retention`; the limits
come with the numbers (disclosure/control_limits.py).
"""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from ...tables import PROVINCE
from ..drawing import BOUND, CURVE, FONT_SIZE, INK, MUTED, WIDE, Drawing, draw
from ..inputs import frame_of
from ..readings import HEADLINE_HORIZON
from ..tables import html_table, under_figure
from ..words import Words
from .lettering import SMALL, apart

_INNER, _OUTER = "#dbe4ee", "#eef2f6"


def funnel(limits, retention, *, words: Words, horizon: int = HEADLINE_HORIZON) -> Drawing | None:
    """
    The rate of every region against its size, with 95 % and 99.8 % control limits round the provincial rate.

    Parameters
    ----------
    limits, retention : Protected
        Control limits, and the table `retention`, of all groups.
    words : Words
    horizon : int
        Months.

    Returns
    -------
    Drawing or None
        None where fewer than two regions may be shown, or the provincial rate may not.
    """
    points, centre = _points(frame_of(limits), frame_of(retention), horizon)
    if len(points) < 2 or centre is None:
        return None
    low = min(points[["estimate", "lower_998"]].min().min(), centre)
    high = max(points[["estimate", "upper_998"]].max().max(), centre)
    floor, ceiling = max(0.0, round(low - 0.06, 1)), min(1.0, round(high + 0.06, 1))
    smallest, largest = float(points["n"].min()), float(points["n"].max())

    def paint(figure, width: int) -> None:
        wide, total = width == WIDE, figure.get_figheight() * 72
        left, right, under, top = (52, 132, 52, 14) if wide else (46, 12, 52, 14)
        axes = figure.add_axes(
            (left / width, under / total, (width - left - right) / width, (total - under - top) / total)
        )
        drawn = points.sort_values("n")
        axes.fill_between(drawn["n"], drawn["lower_998"], drawn["upper_998"], color=_OUTER, linewidth=0)
        axes.fill_between(drawn["n"], drawn["lower_95"], drawn["upper_95"], color=_INNER, linewidth=0)
        for name, style in (("95", "-"), ("998", (0, (4, 2)))):
            for end in ("lower", "upper"):
                axes.plot(drawn["n"], drawn[f"{end}_{name}"], color=BOUND, linewidth=1.0, linestyle=style)
        axes.axhline(centre, color=INK, linewidth=1.2)
        inside = points[~points["outside"]]
        outside = points[points["outside"]]
        axes.plot(inside["n"], inside["estimate"], "o", color="white", markeredgecolor=CURVE, markersize=7, zorder=3,
                  clip_on=False)  # fmt: skip
        axes.plot(outside["n"], outside["estimate"], "D", color=CURVE, markersize=7, zorder=4, clip_on=False)
        axes.set_xlim(smallest - 0.06 * (largest - smallest + 1), largest + 0.012 * (largest - smallest + 1))
        axes.set_ylim(floor, ceiling)
        _name(axes, outside, words, middle=(smallest + largest) / 2)
        if wide:
            _label_limits(axes, drawn.iloc[-1], centre, words)
        ticks = [tick / 100 for tick in range(0, 101, 10) if floor <= tick / 100 <= ceiling]
        axes.set_yticks(ticks, [words.percent(tick) for tick in ticks])
        numbers = [tick for tick in axes.get_xticks() if smallest * 0.8 <= tick <= largest * 1.05]
        numbers = numbers if wide or len(numbers) < 6 else numbers[::2]
        axes.set_xticks(numbers, [words.number(tick) for tick in numbers])
        axes.tick_params(length=0, pad=6)
        axes.grid(axis="y")
        axes.set_xlabel(words.say("figure.funnel.axis"), labelpad=6)

    svg, narrow = draw("entonnoir", paint, lambda width: 400 if width == WIDE else 330)
    return Drawing("entonnoir", svg, narrow, _alt(points, centre, horizon, words),
                   words.say("figure.funnel.caption", months=words.months(horizon)),
                   _numbers(points, horizon, words))  # fmt: skip


def _points(limits: pd.DataFrame, rates: pd.DataFrame, horizon: int) -> tuple[pd.DataFrame, float | None]:
    """The regions whose rate and limits may both be shown, and the provincial rate."""
    main = rates[rates["method"].eq("main") & rates["horizon"].eq(horizon)].set_index("group")["estimate"].dropna()
    here = limits[limits["shown"] & (limits["horizon"].eq(horizon) if "horizon" in limits else True)]
    here = here[here["group"].ne(PROVINCE) & here["group"].isin(main.index)]
    points = here.assign(estimate=here["group"].map(main), n=here["effective_n"].astype(float))
    return points.reset_index(drop=True), float(main[PROVINCE]) if PROVINCE in main.index else None


def _name(axes, outside: pd.DataFrame, words: Words, *, middle: float) -> None:
    if outside.empty:
        return
    pixel = (axes.get_ylim()[1] - axes.get_ylim()[0]) / axes.get_window_extent().height
    for on_right, rows in outside.groupby(outside["n"] > middle):
        for place, (_, row) in zip(apart(rows["estimate"], 17 * pixel), rows.iterrows(), strict=True):
            axes.annotate(
                words.region(row["group"]), (row["n"], place), (-9 if on_right else 9, 0), textcoords="offset points",
                ha="right" if on_right else "left", va="center", color=INK, fontsize=SMALL, weight="bold", zorder=5,
                bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}, annotation_clip=False,
            )  # fmt: skip


def _label_limits(axes, last: pd.Series, centre: float, words: Words) -> None:
    """The names of the line and of the limits, at their right end."""
    wanted = [
        (centre, words.say("figure.funnel.centre", rate=words.percent(centre)), INK),
        (last["upper_95"], words.say("figure.funnel.inner"), MUTED),
        (last["upper_998"], words.say("figure.funnel.outer"), MUTED),
    ]
    pixel = (axes.get_ylim()[1] - axes.get_ylim()[0]) / axes.get_window_extent().height
    for place, (_, text, colour) in zip(apart([at for at, *_ in wanted], 18 * pixel), wanted, strict=True):
        axes.annotate(text, (axes.get_xlim()[1], place), (6, 0), textcoords="offset points", va="center", color=colour,
                      fontsize=FONT_SIZE - 1, annotation_clip=False)  # fmt: skip


def _alt(points: pd.DataFrame, centre: float, horizon: int, words: Words) -> str:
    outside = points[points["outside"]].sort_values("estimate")
    said = words.say(
        "figure.funnel.alt", n=words.number(len(points)), months=words.months(horizon), rate=words.percent(centre),
    )  # fmt: skip
    named = [
        words.say("figure.funnel.point", name=words.region(row["group"]), rate=words.percent(row["estimate"]))
        for _, row in outside.iterrows()
    ]
    if not named:
        return " ".join((said, words.say("figure.funnel.none_outside")))
    return " ".join((said, words.say("figure.funnel.outside", names=words.listing(named))))


def _numbers(points: pd.DataFrame, horizon: int, words: Words) -> Markup:
    """A row a region that is drawn: its rate, how many persons it is worth, and both limits."""

    def between(row: pd.Series, name: str) -> str:
        lower, upper = (words.percent(row[f"{end}_{name}"]) for end in ("lower", "upper"))
        return words.say("from_to", lower=lower, upper=upper)

    months = words.months(horizon)
    header = [
        words.say("column.region"), words.say("column.retention_at", months=months), words.say("figure.funnel.axis"),
        words.say("figure.funnel.inner"), words.say("figure.funnel.outer"),
    ]  # fmt: skip
    rows = [
        [words.region(row["group"]), words.percent(row["estimate"]), words.number(row["n"]), between(row, "95"),
         between(row, "998")]
        for _, row in points.sort_values("group").iterrows()
    ]  # fmt: skip
    table = html_table(words.say("figure.funnel.numbers", months=months), header, rows)
    return under_figure("entonnoir", words.say("figure.numbers"), table)
