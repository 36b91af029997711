"""The map of tiles: one square a region, laid out roughly as the map of Québec, the north at the top.

Squares of one size, because the territory of a region says nothing of how many settle there (Nord-du-Québec would
cover the page). The value stands in the tile as a number, and as lightness. A tile that may not be filled is hatched;
Montréal and Laval are wholly metropolitan, and say so. The index of all pages has the same map as links (atlas.py).
"""

from __future__ import annotations

import pandas as pd

from ...study import REGION_CODES
from ..drawing import INK, MUTED, WIDE, Drawing, draw
from ..inputs import frame_of
from ..readings import HEADLINE_HORIZON, rate_text
from ..words import Words
from .lettering import SMALL, broken
from .regions import METROPOLITAN
from .shades import EDGE, HATCH, HATCH_INK, ink_on, shade

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
                beside = "" if code in values else _instead(code, row, words)
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


def _instead(code: str, row, words: Words) -> str:
    """What a tile without a rate says: that it is metropolitan, a range, or why there is nothing."""
    if code in METROPOLITAN:
        return words.say("figure.tiles.metropolitan")
    return words.say("insufficient") if row is None else rate_text(row, words)


def _tile(axes, code: str, box: tuple, row, words: Words, *, wide: bool, part: float | None) -> None:
    from matplotlib.patches import Rectangle

    x, y, side = box
    gap = 3 if wide else 1.5
    metropolitan = code in METROPOLITAN
    filled = not metropolitan and part is not None
    fill = shade(part) if filled else "#ffffff"
    hatched = not filled and not metropolitan
    axes.add_patch(Rectangle(
        (x + gap, y + gap), side - 2 * gap, side - 2 * gap, facecolor=fill, linewidth=1.0,
        edgecolor=HATCH_INK if hatched else EDGE, hatch=HATCH if hatched else None,
    ))  # fmt: skip
    ink = ink_on(fill)
    under = {"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.5} if hatched else None
    text = words.percent(row["estimate"]) if part is not None else _instead(code, row, words)
    middle = x + side / 2
    if wide:
        name = broken(words.region(code), side - 12, 10.5)
        axes.text(middle, y + 9, name, ha="center", va="top", color=ink, fontsize=10.5, linespacing=1.1, bbox=under)
        large = part is not None and not metropolitan
        axes.text(
            middle, y + side - 13, text if large else broken(text, side - 14, 10.5), ha="center", va="bottom",
            color=ink if filled else MUTED, fontsize=19 if large else 10.5, weight="bold" if large else "normal",
            bbox=under, linespacing=1.1,
        )  # fmt: skip
    else:
        axes.text(middle, y + 6, code, ha="center", va="top", color=ink, fontsize=SMALL, bbox=under)
        short = text if part is not None else words.number(None) if not metropolitan else ""
        axes.text(middle, y + side - 7, short, ha="center", va="bottom", color=ink, fontsize=SMALL, weight="bold")
