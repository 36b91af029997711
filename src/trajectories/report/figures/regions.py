"""Small multiples: the retention curve of every region on one scale, the whole behind each in grey.

The first panel is the whole, which says what the grey line is. A region of which no curve may be shown has its panel
too, with what is told instead: a range, « suivi insuffisant » or « masqué ». Regions stand in the order of their codes,
not of their rates: it is no league table (funnel.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from ...study import REGION_CODES
from ...tables import PROVINCE
from ..drawing import CURVE, INK, MUTED, WIDE, Drawing, draw
from ..inputs import frame_of
from ..readings import HEADLINE_HORIZON, HEARSAY, by_hearsay, marked, notes, rate_text
from ..tables import html_table, under_figure
from ..words import Words
from .lettering import SMALL, broken

# Wholly inside the metropolitan region: nobody settles en région there.
METROPOLITAN = ("06", "13")
_GREY = "#9aa5b1"
_PLOT, _TITLE, _FOOT, _GAP = 84, 40, 34, 24


def curves_of_regions(curves, retention, *, words: Words, groups: Sequence[str] | None = None) -> Drawing | None:
    """
    One panel a region: its curve, with its last rate, over that of the whole.

    Parameters
    ----------
    curves, retention : Protected
        Tables of those names, of all groups.
    words : Words
    groups : sequence of str, optional
        Which groups, in the order of the panels; the regions outside the metropolitan one where not given.

    Returns
    -------
    Drawing or None
        None where no curve at all may be shown.
    """
    chosen = [code for code in REGION_CODES if code not in METROPOLITAN] if groups is None else list(groups)
    points = frame_of(curves).dropna(subset=["survival"])
    points = points[points.groupby("group")["month"].transform("size") > 1]
    rates = frame_of(retention)
    main = rates[rates["method"].eq("main")]
    whole = points[points["group"].eq(PROVINCE)]
    panels = [*([PROVINCE] if len(whole) else []), *(group for group in chosen if group != PROVINCE)]
    drawn = points[points["group"].isin(panels)]
    if drawn.empty:
        return None
    end = int(drawn["month"].max())

    def grid(width: int) -> tuple[int, int]:
        columns = min(4 if width == WIDE else 2, len(panels))
        return columns, math.ceil(len(panels) / columns)

    def height(width: int) -> int:
        return grid(width)[1] * (_TITLE + _PLOT + _FOOT) + 4

    def paint(figure, width: int) -> None:
        columns, _ = grid(width)
        total = figure.get_figheight() * 72
        left = 44
        span = (width - left - 12 - _GAP * (columns - 1)) / columns
        for place, group in enumerate(panels):
            x = left + (place % columns) * (span + _GAP)
            y = total - (place // columns) * (_TITLE + _PLOT + _FOOT) - _TITLE - _PLOT
            axes = figure.add_axes((x / width, y / total, span / width, _PLOT / total))
            name = broken(words.region(group), span + _GAP - 4, SMALL, bold=True)
            axes.annotate(name, (0, 1), (0, 8), xycoords="axes fraction", textcoords="offset points", va="bottom",
                          weight="bold", fontsize=SMALL, color=INK, linespacing=1.1)  # fmt: skip
            _frame(axes, end, words, first=place % columns == 0)
            if group != PROVINCE and len(whole):
                axes.plot(whole["month"], whole["survival"], color=_GREY, linewidth=1.4)
            mine = points[points["group"].eq(group)]
            if len(mine):
                _curve(axes, mine, end, words, above=group != PROVINCE and _above(mine, whole))
            else:
                axes.text(
                    end / 2, 0.3, _instead(main[main["group"].eq(group)], words), ha="center", va="center", color=MUTED,
                    fontsize=SMALL,
                )  # fmt: skip

    svg, narrow = draw("regions", paint, height)
    caption, numbers = words.say("figure.regions.caption"), _numbers(main, panels, words)
    return Drawing("regions", svg, narrow, _alt(main, panels, words), caption, numbers)


def _frame(axes, end: int, words: Words, *, first: bool) -> None:
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1)
    ticks = [month for month in (0, 12, 24, 36, 60, 84, 120) if month <= end]
    ticks = ticks if len(ticks) < 4 else [0, 12, *(month for month in ticks[2:] if month in (36, 60, 84, 120))]
    axes.set_xticks(ticks, [words.number(month) for month in ticks], fontsize=SMALL)
    axes.set_yticks([0, 0.5, 1], [words.percent(rate) for rate in (0, 0.5, 1)] if first else [""] * 3, fontsize=SMALL)
    axes.tick_params(length=0, pad=4)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


def _above(mine: pd.DataFrame, whole: pd.DataFrame) -> bool:
    """Whether a curve ends above that of the whole."""
    before = whole[whole["month"] <= mine["month"].iloc[-1]]
    return bool(len(before)) and mine["survival"].iloc[-1] > before["survival"].iloc[-1]


def _curve(axes, mine: pd.DataFrame, end: int, words: Words, *, above: bool) -> None:
    heard = mine["known"].eq(HEARSAY) if "known" in mine else pd.Series(data=False, index=mine.index)
    firm = mine[~heard]
    axes.plot(firm["month"], firm["survival"], color=CURVE, linewidth=2.4)
    if heard.any():
        rest = mine[mine["month"] >= (firm["month"].max() if len(firm) else 0)]
        axes.plot(rest["month"], rest["survival"], color=CURVE, linewidth=2.4, linestyle=(0, (2.6, 1.5)))
    last = mine.iloc[-1]
    axes.plot(last["month"], last["survival"], "o", color=CURVE, markersize=5, clip_on=False)
    # on the side where the other curve is not
    axes.annotate(
        words.percent(last["survival"]), (last["month"], last["survival"]), (0, 6 if above else -7),
        textcoords="offset points", ha="right" if last["month"] > 0.7 * end else "center",
        va="bottom" if above else "top", color=INK, weight="bold", fontsize=SMALL,
    )  # fmt: skip


def _instead(rows: pd.DataFrame, words: Words) -> str:
    """What is told of a region without a curve: its rate or range at the headline horizon, or why there is none."""
    if rows.empty:
        return words.say("insufficient")
    at = rows.loc[(rows["horizon"] - HEADLINE_HORIZON).abs().idxmin()]
    text = rate_text(at, words)
    if pd.isna(at["estimate"]) and pd.isna(at["at_most"]):
        return text
    return text + "\n" + words.say("figure.scale.line", months=words.months(at["horizon"]))


def _alt(main: pd.DataFrame, panels: list[str], words: Words) -> str:
    at = main[main["group"].isin(panels) & main["estimate"].notna() & main["group"].ne(PROVINCE)]
    said = [words.say("figure.regions.alt", n=words.number(len([g for g in panels if g != PROVINCE])))]
    at = at[at["horizon"].eq(HEADLINE_HORIZON)]
    if len(at):
        low, high = at.loc[at["estimate"].idxmin()], at.loc[at["estimate"].idxmax()]
        said.append(words.say(
            "figure.regions.alt_range", months=words.months(HEADLINE_HORIZON), low=words.percent(low["estimate"]),
            low_name=words.region(low["group"]), high=words.percent(high["estimate"]),
            high_name=words.region(high["group"]),
        ) if len(at) > 1 else words.say(
            "figure.regions.alt_one", months=words.months(HEADLINE_HORIZON), rate=words.percent(low["estimate"]),
            name=words.region(low["group"]),
        ))  # fmt: skip
    return " ".join(said)


def _numbers(main: pd.DataFrame, panels: list[str], words: Words) -> Markup:
    """A row a region, a column a horizon."""
    horizons = sorted(main["horizon"].unique())
    at = main.assign(heard=by_hearsay(main)).set_index(["group", "horizon"])

    def cell(group: str, horizon: int) -> object:
        if (group, horizon) not in at.index:
            return words.say("insufficient")
        row = at.loc[(group, horizon)]
        return marked(rate_text(row, words), row["heard"], words)

    header = [words.say("column.region"), *(words.months(horizon) for horizon in horizons)]
    rows = [[words.region(group), *(cell(group, horizon) for horizon in horizons)] for group in panels]
    note = notes(words, hearsay=bool(at["heard"].any())) or None
    table = html_table(words.say("figure.regions.numbers"), header, rows, note=note)
    return under_figure("regions", words.say("figure.numbers"), table)
