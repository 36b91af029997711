"""The regions at a glance: small multiples of their curves, and a map of tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from ...study import REGION_CODES
from ...tables import PROVINCE
from ..drawing import CURVE, EDGE, HATCH, HATCH_INK, INK, MUTED, SMALL, WIDE, Drawing, broken, draw, ink_on, shade
from ..inputs import frame_of
from ..markup import html_table, under_figure
from ..readings import HEADLINE_HORIZON, HEARSAY, by_hearsay, marked, notes, rate_text
from ..words import Words

# ----------------------------------------------------------------------------------------------------
# Small multiples: the retention curve of every region on one scale, the whole behind each in grey.
#
# The first panel is the whole, which says what the grey line is. A region of which no curve may be shown has its panel
# too, with what is told instead: a range, « suivi insuffisant » or « masqué ». Regions stand in the order of their
# codes, not of their rates: it is no league table (estimates.py).

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
    provincial = points[points["group"].eq(PROVINCE)]
    panels = [*([PROVINCE] if len(provincial) else []), *(group for group in chosen if group != PROVINCE)]
    shown = points[points["group"].isin(panels)]
    if shown.empty:
        return None
    end = int(shown["month"].max())

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
        for position, group in enumerate(panels):
            x = left + (position % columns) * (span + _GAP)
            y = total - (position // columns) * (_TITLE + _PLOT + _FOOT) - _TITLE - _PLOT
            axes = figure.add_axes((x / width, y / total, span / width, _PLOT / total))
            name = broken(words.region(group), span + _GAP - 4, SMALL, bold=True)
            axes.annotate(name, (0, 1), (0, 8), xycoords="axes fraction", textcoords="offset points", va="bottom",
                          weight="bold", fontsize=SMALL, color=INK, linespacing=1.1)  # fmt: skip
            _frame(axes, end, words, first=position % columns == 0)
            if group != PROVINCE and len(provincial):
                axes.plot(provincial["month"], provincial["survival"], color=_GREY, linewidth=1.4)
            of_group = points[points["group"].eq(group)]
            if len(of_group):
                _curve(axes, of_group, end, words, above=group != PROVINCE and _above(of_group, provincial))
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


def _above(curve: pd.DataFrame, provincial: pd.DataFrame) -> bool:
    """Whether a curve ends above that of the whole."""
    before = provincial[provincial["month"] <= curve["month"].iloc[-1]]
    return bool(len(before)) and curve["survival"].iloc[-1] > before["survival"].iloc[-1]


def _curve(axes, points: pd.DataFrame, end: int, words: Words, *, above: bool) -> None:
    heard = points["known"].eq(HEARSAY) if "known" in points else pd.Series(data=False, index=points.index)
    firm = points[~heard]
    axes.plot(firm["month"], firm["survival"], color=CURVE, linewidth=2.4)
    if heard.any():
        rest = points[points["month"] >= (firm["month"].max() if len(firm) else 0)]
        axes.plot(rest["month"], rest["survival"], color=CURVE, linewidth=2.4, linestyle=(0, (2.6, 1.5)))
    last = points.iloc[-1]
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
    sentences = [words.say("figure.regions.alt", n=words.number(len([g for g in panels if g != PROVINCE])))]
    at = at[at["horizon"].eq(HEADLINE_HORIZON)]
    if len(at):
        low, high = at.loc[at["estimate"].idxmin()], at.loc[at["estimate"].idxmax()]
        sentences.append(words.say(
            "figure.regions.alt_range", months=words.months(HEADLINE_HORIZON), low=words.percent(low["estimate"]),
            low_name=words.region(low["group"]), high=words.percent(high["estimate"]),
            high_name=words.region(high["group"]),
        ) if len(at) > 1 else words.say(
            "figure.regions.alt_one", months=words.months(HEADLINE_HORIZON), rate=words.percent(low["estimate"]),
            name=words.region(low["group"]),
        ))  # fmt: skip
    return " ".join(sentences)


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


# ----------------------------------------------------------------------------------------------------
# The map of tiles: one square a region, laid out roughly as the map of Québec, the north at the top.
#
# Squares of one size, because the territory of a region says nothing of how many settle there (Nord-du-Québec would
# cover the page). The value stands in the tile as a number, and as lightness. A tile that may not be filled is
# hatched; Montréal and Laval are wholly metropolitan, and say so. The index of all pages has the same map as links
# (report/sections/atlas.py).

# Column and row of each region, from the north-west.
PLACES = {
    "10": (2, 0), "09": (5, 0),
    "08": (0, 1), "02": (4, 1), "11": (6, 1),
    "07": (0, 2), "15": (1, 2), "14": (2, 2), "04": (3, 2), "03": (4, 2), "01": (5, 2),
    "13": (1, 3), "06": (2, 3), "17": (3, 3), "12": (4, 3),
    "16": (2, 4), "05": (3, 4),
}  # fmt: skip
_COLUMNS, _ROWS = 7, 5
_LINE = 19


def tile_map(rates, *, words: Words, horizon: int = HEADLINE_HORIZON) -> Drawing | None:
    """
    The retention rate of every region at one horizon, on the map.

    Parameters
    ----------
    rates : Protected
        Table `retention` of all groups (the method `main` is shown).
    words : Words
    horizon : int
        Months.

    Returns
    -------
    Drawing or None
        None where no rate may be shown.
    """
    rows = _values(rates, horizon)
    if rows["estimate"].isna().all():
        return None
    values = rows["estimate"].dropna().to_dict()
    low, high = min(values.values()), max(values.values())

    def height(width: int) -> int:
        map_ = round(width / _COLUMNS * _ROWS)
        return map_ + (4 if width == WIDE else 14 + _LINE * len(PLACES))

    def paint(figure, width: int) -> None:
        wide, total = width == WIDE, figure.get_figheight() * 72
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, width)
        axes.set_ylim(total, 0)
        axes.set_axis_off()
        side = width / _COLUMNS
        for code in REGION_CODES:
            column, row = PLACES[code]
            row_of = rows.loc[code] if code in rows.index else None
            part = part_of_scale(values.get(code), low, high)
            _tile(axes, code, (column * side, row * side, side), row_of, words, wide=wide, part=part)
        if not wide:
            for line, code in enumerate(REGION_CODES):
                y = side * _ROWS + 14 + (line + 0.5) * _LINE
                axes.text(4, y, code, va="center", color=MUTED, fontsize=SMALL)
                axes.text(30, y, words.region(code), va="center", color=INK, fontsize=SMALL)
                row = rows.loc[code] if code in rows.index else None
                beside = "" if code in values else _tile_text(code, row, words)
                axes.text(width - 3, y, beside, va="center", ha="right", color=MUTED, fontsize=SMALL - 1)

    svg, narrow = draw("carte", paint, height)
    least, most = min(values, key=values.get), max(values, key=values.get)
    alt = words.say(
        "figure.tiles.alt", months=words.months(horizon), shown=words.say_many("figure.tiles.shown", len(values)),
        low=words.percent(values[least]), low_name=words.region(least), high=words.percent(values[most]),
        high_name=words.region(most),
    )  # fmt: skip
    return Drawing("carte", svg, narrow, alt, words.say("figure.tiles.caption", months=words.months(horizon)))


def _values(rates, horizon: int) -> pd.DataFrame:
    """The main rates of the regions at the horizon, by code."""
    rows = frame_of(rates)
    rows = rows[rows["method"].eq("main") & rows["horizon"].eq(horizon) & rows["group"].isin(PLACES)]
    return rows[~rows["group"].isin(METROPOLITAN)].set_index("group")


def part_of_scale(value: float | None, low: float, high: float) -> float | None:
    """Where a value stands on the scale of fills: all of it from the lowest to the highest, if a tenth lies between."""
    if value is None:
        return None
    return 0.15 + 0.85 * (value - low) / max(high - low, 0.1)


def _tile_text(code: str, row, words: Words) -> str:
    """What a tile without a rate says: that it is metropolitan, a range, or why there is nothing."""
    if code in METROPOLITAN:
        return words.say("figure.tiles.metropolitan")
    return words.say("insufficient") if row is None else rate_text(row, words)


def _tile(axes, code: str, box: tuple, row, words: Words, *, wide: bool, part: float | None) -> None:
    from matplotlib.patches import Rectangle

    x, y, side = box
    gap = 3 if wide else 1.5
    metropolitan = code in METROPOLITAN
    coloured = not metropolitan and part is not None
    fill = shade(part) if part is not None and coloured else "#ffffff"
    hatched = not coloured and not metropolitan
    axes.add_patch(Rectangle(
        (x + gap, y + gap), side - 2 * gap, side - 2 * gap, facecolor=fill, linewidth=1.0,
        edgecolor=HATCH_INK if hatched else EDGE, hatch=HATCH if hatched else None,
    ))  # fmt: skip
    ink = ink_on(fill)
    under = {"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.5} if hatched else None
    text = words.percent(row["estimate"]) if part is not None else _tile_text(code, row, words)
    middle = x + side / 2
    if wide:
        name = broken(words.region(code), side - 12, 10.5)
        axes.text(middle, y + 9, name, ha="center", va="top", color=ink, fontsize=10.5, linespacing=1.1, bbox=under)
        large = part is not None and not metropolitan
        axes.text(
            middle, y + side - 13, text if large else broken(text, side - 14, 10.5), ha="center", va="bottom",
            color=ink if coloured else MUTED, fontsize=19 if large else 10.5, weight="bold" if large else "normal",
            bbox=under, linespacing=1.1,
        )  # fmt: skip
    else:
        axes.text(middle, y + 6, code, ha="center", va="top", color=ink, fontsize=SMALL, bbox=under)
        short = text if part is not None else words.number(None) if not metropolitan else ""
        axes.text(middle, y + side - 7, short, ha="center", va="bottom", color=ink, fontsize=SMALL, weight="bold")
