"""The figure of the stock: how many of the persons known are there at the end of each month, from certain to possible.

A ribbon, and no line in it: nobody knows where between its edges the number lies. Both edges are ends of classes of
persons (disclosure/stock.py).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..drawing import BAND, CURVE, FONT_SIZE, INK, WIDE, Drawing, draw
from ..inputs import frame_of
from ..words import Words
from .lettering import SMALL, apart, text_width

# The room that the name of a month needs under the axis, in pixels.
_MONTH_WIDTH = 84


def stock_ribbon(stock, *, region: str, words: Words) -> Drawing | None:
    """
    Persons there at the end of each month, at least and at most.

    Parameters
    ----------
    stock : Protected
        Table `stock` of one group.
    region : str
    words : Words

    Returns
    -------
    Drawing or None
        None where at no month anybody is told to be there, or there are fewer than two months.
    """
    rows = frame_of(stock).sort_values("month", ignore_index=True)
    if len(rows) < 2 or not rows["at_least"].gt(0).any():
        return None
    least, most = (rows[name].to_numpy(dtype=float) for name in ("at_least", "at_most"))
    days = pd.to_datetime(rows["month"])
    names = [
        words.say("figure.stock.most", n=words.number(most[-1])),
        words.say("figure.stock.least", n=words.number(least[-1])),
    ]

    def paint(figure, width: int) -> None:
        wide, height = width == WIDE, figure.get_figheight() * 72
        left, under, top = 52, 36, 14
        size = FONT_SIZE if wide else SMALL
        right = 16 + max(text_width(name, size) for name in names)
        box = (left / width, under / height, 1 - (left + right) / width, 1 - (under + top) / height)
        axes = figure.add_axes(box)
        places = np.arange(len(rows))
        axes.fill_between(places, least, most, color=BAND, linewidth=0, step="mid")
        for edge in (least, most):
            axes.step(places, edge, where="mid", color=CURVE, linewidth=1.4)
        axes.set_xlim(0, len(rows) - 1)
        axes.set_ylim(0, 1.08 * most.max())
        ends = np.array([most[-1], least[-1]])
        line = 1.4 * size * 1.08 * most.max() / (height - under - top)
        for name, place in zip(names, apart(ends, line), strict=True):
            axes.annotate(
                name, (1, place), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
                color=INK, fontsize=size, annotation_clip=False,
            )  # fmt: skip
        ticks = _ticks(days, max(2, int((width - left - right) / _MONTH_WIDTH)))
        axes.set_xticks(ticks, [words.month(days[tick]) for tick in ticks])
        steps = [tick for tick in axes.get_yticks() if tick <= 1.08 * most.max() and tick == int(tick)]
        axes.set_yticks(steps, [words.number(tick) for tick in steps])
        axes.tick_params(length=0, pad=6)
        axes.tick_params(axis="x", pad=10)
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)

    svg, narrow = draw("presents", paint, lambda width: 320 if width == WIDE else 290)
    top = int(least.argmax())
    alt = words.say(
        "figure.stock.alt", place=words.in_region(region), first=words.month(days.iloc[0]),
        last=words.month(days.iloc[-1]), least=words.number(least[-1]), most=words.number(most[-1]),
        highest=words.number(least[top]), when=words.month(days[top]),
    )  # fmt: skip
    return Drawing("presents", svg, narrow, alt, words.say("figure.stock.caption"))


def _ticks(days: pd.Series, named: int) -> list[int]:
    """The months to name: the end of every fiscal year, of every second one …; of every quarter of a short series."""
    march = days.dt.month.eq(3) if len(days) > 24 else days.dt.month.mod(3).eq(0)
    at = np.flatnonzero(march)
    every = max(1, -(-len(at) // named))
    return [int(tick) for tick in at[::-1][::every][::-1]]
