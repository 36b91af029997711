"""Figures of counts: origins, the stock at the end of each month, the steps of the services."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..drawing import BAND, CURVE, FONT_SIZE, INK, SMALL, WIDE, Drawing, apart, draw, text_width
from ..inputs import frame_of
from ..readings import origin_name
from ..words import Words

# ----------------------------------------------------------------------------------------------------
# The figure of origins: where the persons who settled came from, the largest numbers first.

_SHOWN_ORIGINS = 8


def origins(counts, *, region: str, words: Words) -> Drawing | None:
    """
    Where the persons came from: rounded numbers of stays by region of origin, the largest first.

    Parameters
    ----------
    counts : Protected
        Table `counts` of one group.
    region : str
    words : Words

    Returns
    -------
    Drawing or None
        None where no origin may be shown.
    """
    table = frame_of(counts)
    rows = table[(table["table"] == "origin") & table["persons"].notna() & (table["persons"] > 0)]
    if rows.empty:
        return None
    rows = rows.sort_values(["persons", "key"], ascending=[False, True], kind="stable").head(_SHOWN_ORIGINS)
    names = [origin_name(key, words) for key in rows["key"]]
    values = rows["persons"].to_numpy(float)
    row = 32

    def paint(figure, width: int) -> None:
        wide = width == WIDE
        left = 236 if wide else 8
        axes = figure.add_axes((left / width, 0.02, (width - left - 60) / width, 0.96))
        places = np.arange(len(values))
        axes.barh(places + (0 if wide else 0.22), values, height=0.6 if wide else 0.3, color=CURVE)
        for y, value, name in zip(places, values, names, strict=True):
            axes.annotate(
                words.number(value), (value, y + (0 if wide else 0.22)), (6, 0), textcoords="offset points",
                va="center", color=INK, annotation_clip=False,
            )  # fmt: skip
            if not wide:
                axes.text(0, y - 0.18, name, va="center", color=INK)
        axes.set_xlim(0, values.max())
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.set_xticks([])
        axes.set_yticks(places if wide else [], names if wide else [])
        axes.tick_params(length=0, pad=8, labelcolor=INK)
        axes.spines["bottom"].set_visible(False)

    svg, narrow = draw("origines", paint, lambda width: int((row if width == WIDE else 46) * len(values) + 12))
    numbers = [
        words.say("figure.count_from", count=words.number(value), origin=name)
        for value, name in zip(values[:2], names[:2], strict=True)
    ]
    alt = words.say("figure.origins.alt", place=words.in_region(region), numbers=words.listing(numbers))
    return Drawing("origines", svg, narrow, alt, words.say("figure.origins.caption"))


# ----------------------------------------------------------------------------------------------------
# The figure of the stock: how many of the persons known are there at the end of each month, from certain to possible.
#
# A ribbon, and no line in it: nobody knows where between its edges the number lies. Both edges are ends of classes of
# persons (disclosure/counts.py).

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
        for name, y in zip(names, apart(ends, line), strict=True):
            axes.annotate(
                name, (1, y), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
                color=INK, fontsize=size, annotation_clip=False,
            )  # fmt: skip
        ticks = _ticks(days, max(2, int((width - left - right) / _MONTH_WIDTH)))
        axes.set_xticks(ticks, [words.month(days[tick]) for tick in ticks])
        counts = [tick for tick in axes.get_yticks() if tick <= 1.08 * most.max() and tick == int(tick)]
        axes.set_yticks(counts, [words.number(tick) for tick in counts])
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


# ----------------------------------------------------------------------------------------------------
# The figures of services: households step by step from the metropole to a region, and by when a first service came.
#
# Both are bars that end somewhere between two numbers: full up to the lower one, light up to the higher one.

# In the order of the way; those settled too recently are told in words.
STEPS = ("met_in_metropole", "prepared", "settled", "met_in_region", "there_at_12_months")
FEWEST_BARS = 2
_ROW, _ROW_NARROW = 34, 50


def spread(words: Words, low: object, high: object) -> str:
    """From where to where, in words; one number where both are the same."""
    return str(low) if low == high else words.say("spread", low=low, high=high)


def process_figure(table, *, region: str, words: Words) -> Drawing | None:
    """
    Households at each step from the first contact in the metropole to the twelfth month en région.

    Parameters
    ----------
    table : Protected
        Of kind "service funnel", of one group.
    region : str
    words : Words

    Returns
    -------
    Drawing or None
        None where fewer than two steps may be shown.
    """
    rows = frame_of(table)
    rows = rows[rows["shown"] & rows["step"].isin(STEPS)].set_index("step")
    rows = rows.reindex([step for step in STEPS if step in rows.index])
    if len(rows) < FEWEST_BARS:
        return None
    names = [words.label("step", step) for step in rows.index]
    low, high = (rows[name].to_numpy(dtype=float) for name in ("at_least", "at_most"))
    numbers = [spread(words, *map(words.number, ends)) for ends in zip(low, high, strict=True)]
    svg, narrow = _bars("etapes", names, low, high, numbers, high.max())
    ends = [words.say("figure.process.step", step=names[at], n=numbers[at]) for at in (0, len(names) - 1)]
    alt = words.say("figure.process.alt", place=words.in_region(region), numbers=words.listing(ends))
    return Drawing("etapes", svg, narrow, alt, words.say("figure.process.caption"))


def first_service(table, *, region: str, words: Words) -> Drawing | None:
    """
    The share of the households that an organisation of the region had served by some months.

    Parameters
    ----------
    table : Protected
        Of kind "service shares", measure `delay_to_first`, of one group.
    region : str
    words : Words

    Returns
    -------
    Drawing or None
        None where fewer than two months may be shown.
    """
    rows = frame_of(table)
    rows = rows[rows["shown"]].sort_values("horizon")
    if len(rows) < FEWEST_BARS:
        return None
    names = [words.say("figure.served.by", months=words.months(month)) for month in rows["horizon"]]
    low, high = (rows[name].to_numpy(dtype=float) for name in ("at_least", "at_most"))
    numbers = [spread(words, *map(words.percent, ends)) for ends in zip(low, high, strict=True)]
    svg, narrow = _bars("premier-service", names, low, high, numbers, 1.0)
    ends = [words.say("figure.process.step", step=names[at], n=numbers[at]) for at in (0, len(names) - 1)]
    alt = words.say("figure.served.alt", place=words.in_region(region), numbers=words.listing(ends))
    return Drawing("premier-service", svg, narrow, alt, words.say("figure.served.caption"))


def _bars(
    name: str, names: Sequence[str], low: np.ndarray, high: np.ndarray, numbers: Sequence[str], end: float
) -> tuple[str, str]:
    """Bars one under the other, each with its name and its numbers."""
    right = 14 + max(text_width(text) for text in numbers)

    def paint(figure, width: int) -> None:
        wide = width == WIDE
        left = 16 + max(text_width(text) for text in names) if wide else 8
        axes = figure.add_axes((left / width, 0.02, (width - left - right) / width, 0.96))
        places, down = np.arange(len(names)), 0 if wide else 0.22
        size = 0.6 if wide else 0.34
        axes.barh(places + down, high, height=size, color=BAND)
        axes.barh(places + down, low, height=size, color=CURVE)
        for y, value, text, label in zip(places, high, numbers, names, strict=True):
            axes.annotate(text, (value, y + down), (6, 0), textcoords="offset points", va="center", color=INK,
                          annotation_clip=False)  # fmt: skip
            if not wide:
                axes.text(0, y - 0.2, label, va="center", color=INK)
        axes.set_xlim(0, end)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xticks([])
        axes.set_yticks(places if wide else [], names if wide else [])
        axes.tick_params(length=0, pad=8, labelcolor=INK)
        axes.spines["bottom"].set_visible(False)

    return draw(name, paint, lambda width: (_ROW if width == WIDE else _ROW_NARROW) * len(names) + 10)
