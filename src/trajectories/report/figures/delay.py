"""The figure of the delay: of those who settled from the metropole, the share settled by each month since arrival.

Its steps are those of counts rounded by classes (disclosure/curves.py), so it is drawn as steps. Nothing is drawn where
too few are left to settle.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..drawing import CURVE, INK, WIDE, Drawing, draw
from ..inputs import frame_of
from ..words import Words

# A curve that ends sooner says nothing that the table of classes does not.
SHORTEST = 6


def delay_curve(curve, *, region: str, words: Words, months: Sequence[int] = (6, 12, 24, 60)) -> Drawing | None:
    """
    The share settled by month since the arrival in Québec, in steps, with its value at some months.

    Parameters
    ----------
    curve : Protected
        The curve of counts `delay_curves`, of one group.
    region : str
    words : Words
    months : sequence of int
        Where the value is written.

    Returns
    -------
    Drawing or None
        None where nothing may be shown up to the sixth month.
    """
    share = frame_of(curve).sort_values("month").set_index("month")["incidence_settled"].dropna()
    if share.empty or share.index.max() < SHORTEST:
        return None
    last = int(share.index.max())
    marked = [month for month in months if month in share.index]
    end = max(12, last + 1)
    ticks = [0, *(month for month in range(6 if end < 30 else 12, end + 1, 6 if end < 30 else 12))]

    def paint(figure, width: int) -> None:
        wide, height = width == WIDE, figure.get_figheight() * 72
        left, right, under, top = (52, 30, 52, 24) if wide else (46, 18, 52, 24)
        box = (left / width, under / height, 1 - (left + right) / width, 1 - (under + top) / height)
        axes = figure.add_axes(box)
        axes.step([*share.index, last + 1], [*share, share[last]], where="post", color=CURVE, linewidth=2.6)
        for month in marked:
            axes.plot(month, share[month], "o", color=CURVE, markersize=7, markeredgecolor="white", clip_on=False)
            axes.annotate(
                words.percent(share[month]), (month, share[month]), (-5, 9), textcoords="offset points", ha="right",
                weight="bold", color=INK, bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
            )  # fmt: skip
        axes.set_xlim(0, end)
        axes.set_ylim(0, 1)
        axes.set_xticks(ticks, [words.number(tick) for tick in ticks])
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], [words.percent(rate) for rate in (0, 0.25, 0.5, 0.75, 1)])
        axes.tick_params(length=0, pad=6)
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(words.say("figure.delay.axis"), labelpad=6)

    svg, narrow = draw("delai", paint, lambda width: 320 if width == WIDE else 290)
    # at a year and at the last month marked, or at the end
    chosen = dict.fromkeys([12, marked[-1]] if 12 in marked else [marked[0] if marked else last, last])
    numbers = [words.say("figure.rate_at", rate=words.percent(share[m]), months=words.months(m)) for m in chosen]
    alt = words.say(
        "figure.delay.alt", place=words.in_region(region), months=words.months(last), numbers=words.listing(numbers)
    )
    return Drawing("delai", svg, narrow, alt, words.say("figure.delay.caption"))
