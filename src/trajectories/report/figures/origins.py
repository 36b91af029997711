"""The figure of origins: where the persons who settled came from, the largest numbers first."""

from __future__ import annotations

import numpy as np

from ..drawing import CURVE, INK, WIDE, Drawing, draw
from ..inputs import frame_of
from ..readings import origin_name
from ..words import Words

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
