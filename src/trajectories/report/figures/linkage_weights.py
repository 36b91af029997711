"""The figure of weights: what each level of agreement between two files says of whether they are one person's.

From the table of the linkage, whose numbers are a model's and not anybody's: it needs no protection.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..drawing import BOUND, CURVE, INK, LINE, RULE, WIDE, Drawing, draw
from ..readings import factor_text, level_text, times_text
from ..words import Words

# Heights: a level, a trait's name, the names of the two marks, the axis.
_LEVEL, _TRAIT, _MARKS, _AXIS = 21, 32, 48, 30


def match_weights(weights: pd.DataFrame, *, words: Words) -> Drawing:
    """
    What each level of agreement between two files weighs, for one person and for two members of a household.

    Parameters
    ----------
    weights : DataFrame
        trait, level, weight and relative_weight (log2, against strangers), as `Report.weights`.
    words : Words

    Returns
    -------
    Drawing
    """
    traits = list(dict.fromkeys(weights["trait"]))
    measured = weights[["weight", "relative_weight"]].to_numpy(dtype=float)
    low, high = min(measured.min(), -1.0) - 1.0, max(measured.max(), 1.0) + 1.0
    tens = [power for power in range(-9, 10) if low <= power * np.log2(10) <= high]
    scale = [power * np.log2(10) for power in tens if power % 3 == 0]

    def columns(width: int) -> list[list[str]]:
        if width != WIDE:
            return [traits]
        # as even as the traits allow
        tall = np.cumsum([_tall(weights, [trait]) for trait in traits])
        cut = int(np.argmin(np.abs(tall - tall[-1] / 2))) + 1
        return [traits[:cut], traits[cut:]]

    def height(width: int) -> int:
        return max(_tall(weights, column) for column in columns(width)) + _MARKS + 2 * _AXIS

    def paint(figure, width: int) -> None:
        total = figure.get_figheight() * 72
        columns_drawn = columns(width)
        column_width, label = width / len(columns_drawn), 160 if width == WIDE else 152
        for position, column in enumerate(columns_drawn):
            size = _tall(weights, column) + _MARKS
            left = position * column_width + label
            right = 8 if width != WIDE or position else 26
            axes = figure.add_axes(
                (left / width, (total - _AXIS - size) / total, (column_width - label - right) / width, size / total)
            )
            axes.set_xlim(low, high)
            axes.set_ylim(size, 0)
            axes.set_yticks([])
            axes.set_xticks(scale, [factor_text(at, words) for at in scale])
            axes.tick_params(length=0, pad=6, labeltop=True)
            for power in tens:
                axes.axvline(power * np.log2(10), color=RULE if power else BOUND, linewidth=1.0 if power == 0 else 0.6)
            for side in ("left", "bottom"):
                axes.spines[side].set_visible(False)
            _paint_weights(axes, weights, column, words, named=position == 0)

    svg, narrow = draw("poids", paint, height)
    strongest = weights.sort_values("weight", ascending=False, kind="stable").head(3)
    numbers = [
        words.say(
            "figure.weights.level", level=level_text(row, words), times=times_text(row["weight"], words),
            relative=times_text(row["relative_weight"], words),
        )
        for _, row in strongest.iterrows()
    ]  # fmt: skip
    weakest = weights.loc[weights["weight"].idxmin()]
    alt = words.say(
        "figure.weights.alt", numbers="; ".join(numbers), level=level_text(weakest, words),
        times=times_text(weakest["weight"], words),
    )  # fmt: skip
    return Drawing("poids", svg, narrow, alt, words.say("figure.weights.caption"))


def _tall(weights: pd.DataFrame, traits: list[str]) -> int:
    return int(weights["trait"].isin(traits).sum()) * _LEVEL + len(traits) * _TRAIT


def _paint_weights(axes, weights: pd.DataFrame, traits: list[str], words: Words, *, named: bool) -> None:
    """One column of traits: their levels, and the two marks of each."""
    y = float(_MARKS)
    before = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center", "color": INK}
    for trait in traits:
        axes.annotate(words.label("trait", trait), (0, y + 0.6 * _TRAIT), (-150, 0), weight="bold", **before)
        y += _TRAIT
        for _, row in weights[weights["trait"].eq(trait)].iterrows():
            middle = y + _LEVEL / 2
            name = words.label("level", f"{trait}.{row['level']}")
            axes.annotate(name, (0, middle), (-150, 0), **before)
            both = [row["weight"], row["relative_weight"]]
            axes.plot(both, [middle, middle], color=BOUND, linewidth=1.6, zorder=2)
            axes.plot(both[1], middle, "o", color="white", markeredgecolor=INK, markersize=11, zorder=3, clip_on=False)
            axes.plot(both[0], middle, "o", color=CURVE, markersize=6.5, zorder=4, clip_on=False)
            if named:
                _name_marks(axes, row, middle, words)
                named = False
            y += _LEVEL


def _name_marks(axes, row: pd.Series, middle: float, words: Words) -> None:
    """What the two marks are, written over the first pair of them."""
    names = (
        (row["weight"], "figure.weights.person", CURVE, "bold"),
        (row["relative_weight"], "figure.weights.household", INK, "normal"),
    )
    for line, (at, key, colour, weight) in enumerate(names):
        top = 10.0 + line * LINE
        axes.plot([at, at], [top + 9, middle - 7], color=BOUND, linewidth=1.0, zorder=1)
        right = at > sum(axes.get_xlim()) / 2
        axes.annotate(
            words.say(key), (at, top), (4 if right else 0, 0), textcoords="offset points", va="center",
            ha="right" if right else "center", color=colour, weight=weight, annotation_clip=False,
        )  # fmt: skip
