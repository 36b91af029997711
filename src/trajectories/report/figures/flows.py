"""The matrix of flows: from where in the metropolitan region (columns) to where en région (rows), persons, rounded.

A cell is shaded by its size, on a scale of square roots: beside Montréal, the others would else all look empty. A
hidden number is a dash on a hatched cell, a number that is really nobody is 0. No sums: a sum of displayed cells is
not that of the row, and one that is would tell what is hidden.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from markupsafe import Markup

from ...tables import UNKNOWN
from ..drawing import (
    FONT_SIZE,
    HATCH,
    HATCH_INK,
    INK,
    MUTED,
    SMALL,
    WIDE,
    Drawing,
    broken,
    draw,
    ink_on,
    shade,
    text_width,
)
from ..inputs import frame_of
from ..markup import html_table, under_figure
from ..readings import origin_name
from ..words import Words

_ROW, _ROW_NARROW, _LEFT, _LEFT_NARROW = 27, 40, 250, 130
FLOW = "flow"
_HEADS = 10.5  # size of the names of columns


def flow_figure(flows, *, words: Words, by: str = "region", table: str = "flow") -> Drawing | None:
    """
    Origins against destinations, as a matrix that prints.

    Parameters
    ----------
    flows : Protected
        Counts that hold the table `flow` (portrait.flows).
    words : Words
    by : {"region", "area"}
        Destinations: the regions (a town apart from the rest of its region), or the near ring, the large towns and the
        rest of all regions together.
    table : {"flow", "origin"}
        Which counts: the moves by municipality of destination, or the stays by region (only by region). A page shows
        one of the two: together they would tell small cells.

    Returns
    -------
    Drawing or None
        None where no cell may be shown.
    """
    from ...analysis.portrait import flow_matrix

    frame_of(flows)  # protected, or refused
    inside = flow_matrix(flows.frame, by=by, measure="persons_rounded", table=table).T
    if not (inside.fillna(0).to_numpy(dtype=float) > 0).any():
        return None
    if table != FLOW:  # origins of which no number is told are many: the page says that they are left out
        inside = inside.loc[:, (inside.fillna(0) > 0).any()]
    rows, columns = list(inside.index), _largest(inside)
    heads = [_origin(key, words, table) for key in columns]
    largest = float(inside.max().max())

    def span_of(width: int) -> float:
        return min((width - (_LEFT if width == WIDE else _LEFT_NARROW)) / len(columns), 110)

    def head(width: int) -> float:
        if width == WIDE:
            return 20 + 13 * max(broken(name, span_of(width) - 2, _HEADS).count("\n") + 1 for name in heads)
        return 14 + max(text_width(name, SMALL) for name in heads)

    def height(width: int) -> int:
        return math.ceil(head(width) + len(rows) * (_ROW if width == WIDE else _ROW_NARROW) + 4)

    def paint(figure, width: int) -> None:
        wide, total = width == WIDE, figure.get_figheight() * 72
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, width)
        axes.set_ylim(total, 0)
        axes.set_axis_off()
        left, tall, size = (_LEFT, _ROW, FONT_SIZE) if wide else (_LEFT_NARROW, _ROW_NARROW, SMALL)
        span = span_of(width)
        for column, name in enumerate(heads):
            x = left + (column + 0.5) * span
            axes.text(
                x, head(width) - 8, broken(name, span - 2, _HEADS) if wide else name, ha="center", va="bottom",
                rotation=0 if wide else 90, fontsize=_HEADS if wide else SMALL, color=MUTED, linespacing=1.15,
            )  # fmt: skip
        for line, destination in enumerate(rows):
            y, name = head(width) + line * tall, destination_name(destination, list(inside.index), words)
            axes.text(
                left - 10, y + tall / 2, broken(name, left - 14, size), ha="right", va="center", fontsize=size,
                color=INK, linespacing=1.05,
            )  # fmt: skip
            for column, key in enumerate(columns):
                box = (left + column * span, y, span, tall)
                _cell(axes, box, inside.loc[destination, key], largest, words, size)

    svg, narrow = draw("flux", paint, height)
    caption = words.say("figure.flows.caption" if table == FLOW else "figure.moves.caption")
    return Drawing("flux", svg, narrow, _alt(inside, words, table), caption, _numbers(inside[columns], heads, words))


def _origin(code: str, words: Words, table: str) -> str:
    """The name of an origin: of the metropolitan part of a region where flows are told, else of the region."""
    if table == FLOW or code == UNKNOWN:
        return words.label("flow_origin", code)
    return origin_name(code, words)


def destination_name(code: str, rows: list[str], words: Words) -> str:
    """The name of a destination: an area, a town (« 05:city_sherbrooke »), a region, or the rest of one with a town."""
    region, _, town = code.partition(":")
    if town and town != UNKNOWN:
        return words.label("area", town)
    if town:
        return words.say("figure.flows.unknown", region=words.region(region))
    if words.has(f"area.{code}"):
        return words.label("area", code)
    beside = any(row.startswith(f"{code}:") for row in rows)
    return words.say("figure.flows.rest", region=words.region(code)) if beside else words.region(code)


def _cell(axes, box: tuple, value, largest: float, words: Words, size: float) -> None:
    from matplotlib.patches import Rectangle

    x, y, span, tall = box
    hidden = pd.isna(value)
    fill = "#ffffff" if hidden or value == 0 else shade(0.06 + 0.94 * math.sqrt(float(value) / largest))
    axes.add_patch(Rectangle(
        (x + 1, y + 1), span - 2, tall - 2, facecolor=fill, edgecolor=HATCH_INK if hidden or value == 0 else fill,
        linewidth=0.6, hatch=HATCH if hidden else None,
    ))  # fmt: skip
    axes.text(
        x + span / 2, y + tall / 2, words.number(None if hidden else value), ha="center", va="center", fontsize=size,
        color=ink_on(fill), bbox={"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.5} if hidden else None,
    )  # fmt: skip


def _largest(inside: pd.DataFrame) -> list[str]:
    """The origins, those from which most came first (as far as it is told), those of which nothing is told last."""
    totals = inside.fillna(0).sum().astype(float)
    order = np.lexsort([totals.index.to_numpy(dtype=str), -totals.to_numpy()])
    return list(totals.index[order])


def _alt(inside: pd.DataFrame, words: Words, table: str) -> str:
    long = inside.stack().astype(float).sort_values(ascending=False, kind="stable")
    numbers = [
        words.say(
            "figure.flows.from_to", origin=_origin(key, words, table), count=words.number(count),
            destination=destination_name(destination, list(inside.index), words),
        )
        for (destination, key), count in long[long > 0].head(2).items()
    ]  # fmt: skip
    key = "figure.flows.alt" if table == FLOW else "figure.moves.alt"
    return words.say(
        key, n_origins=words.number(inside.shape[1]), n_destinations=words.number(inside.shape[0]),
        numbers="; ".join(numbers), hidden=words.say_many("figure.flows.hidden", int(inside.isna().sum().sum())),
    )  # fmt: skip


def _numbers(inside: pd.DataFrame, heads: list[str], words: Words) -> Markup:
    """The matrix as a table; no sums here either."""
    names = list(inside.index)
    rows = [
        [destination_name(key, names, words),
         *(words.say("hidden") if pd.isna(count) else words.number(count) for count in row)]
        for key, row in zip(names, inside.to_numpy(dtype=object), strict=True)
    ]  # fmt: skip
    table = html_table(words.say("figure.flows.numbers"), [words.say("column.region"), *heads], rows)
    return under_figure("flux", words.say("figure.numbers"), table)
