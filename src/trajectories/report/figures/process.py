"""The figures of services: households step by step from the metropole to a region, and by when a first service came.

Both are bars that end somewhere between two numbers: full up to the lower one, light up to the higher one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..drawing import BAND, CURVE, INK, WIDE, Drawing, draw
from ..inputs import frame_of
from ..words import Words
from .lettering import text_width

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
    said = [spread(words, *map(words.number, ends)) for ends in zip(low, high, strict=True)]
    svg, narrow = _bars("etapes", names, low, high, said, high.max())
    ends = [words.say("figure.process.step", step=names[at], n=said[at]) for at in (0, len(names) - 1)]
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
    said = [spread(words, *map(words.percent, ends)) for ends in zip(low, high, strict=True)]
    svg, narrow = _bars("premier-service", names, low, high, said, 1.0)
    ends = [words.say("figure.process.step", step=names[at], n=said[at]) for at in (0, len(names) - 1)]
    alt = words.say("figure.served.alt", place=words.in_region(region), numbers=words.listing(ends))
    return Drawing("premier-service", svg, narrow, alt, words.say("figure.served.caption"))


def _bars(
    name: str, names: Sequence[str], low: np.ndarray, high: np.ndarray, said: Sequence[str], end: float
) -> tuple[str, str]:
    """Bars one under the other, each with its name and its numbers."""
    right = 14 + max(text_width(text) for text in said)

    def paint(figure, width: int) -> None:
        wide = width == WIDE
        left = 16 + max(text_width(text) for text in names) if wide else 8
        axes = figure.add_axes((left / width, 0.02, (width - left - right) / width, 0.96))
        places, down = np.arange(len(names)), 0 if wide else 0.22
        size = 0.6 if wide else 0.34
        axes.barh(places + down, high, height=size, color=BAND)
        axes.barh(places + down, low, height=size, color=CURVE)
        for place, value, text, label in zip(places, high, said, names, strict=True):
            axes.annotate(text, (value, place + down), (6, 0), textcoords="offset points", va="center", color=INK,
                          annotation_clip=False)  # fmt: skip
            if not wide:
                axes.text(0, place - 0.2, label, va="center", color=INK)
        axes.set_xlim(0, end)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xticks([])
        axes.set_yticks(places if wide else [], names if wide else [])
        axes.tick_params(length=0, pad=8, labelcolor=INK)
        axes.spines["bottom"].set_visible(False)

    return draw(name, paint, lambda width: (_ROW if width == WIDE else _ROW_NARROW) * len(names) + 10)
