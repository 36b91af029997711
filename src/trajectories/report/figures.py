"""The figures of a page beside the curve (curve.py): exits by destination, origins, weights of the linkage.

Each takes protected tables only (`inputs.py`; the weights are a model's, not anybody's), writes its own alternative
text from the same numbers, and is read without a legend: labels stand on what they name. Fills differ in lightness, so
that a page printed in grey, or seen by someone who does not tell colours apart, says the same.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..tables import EXITS
from .drawing import BOUND, CURVE, FONT_SIZE, INK, LINE, RULE, WIDE, Drawing, draw
from .inputs import frame_of
from .readings import factor_text, level_text, times_text
from .words import Words

# The destinations that the model tells apart; an unknown one is no cause of its own (observation-model.md).
DESTINATIONS = EXITS[:3]
_SHOWN_ORIGINS = 8
# Heights in the figure of weights: a level, a trait's name, the names of the two marks, the axis.
_LEVEL, _TRAIT, _MARKS, _AXIS = 21, 32, 48, 30


def exits_by_destination(exits, *, region: str, words: Words, destinations=DESTINATIONS) -> Drawing | None:
    """
    Share of persons who had left at each horizon, one panel a destination, on one scale.

    Parameters
    ----------
    exits : Protected
        Table `exits` of one group.
    region : str
    words : Words
    destinations : sequence of str
        Codes of tables.EXITS, in the order of the panels.

    Returns
    -------
    Drawing or None
        None where nothing may be published.
    """
    shares = frame_of(exits).dropna(subset=["estimate"])
    if shares.empty:
        return None
    horizons = sorted(shares["horizon"].unique())
    # horizons of which nothing may be shown stand in the table, in words
    rates = shares.pivot(index="horizon", columns="cause", values="estimate").reindex(columns=list(destinations))
    top = float(np.nanmax(rates.to_numpy()))
    row, head = 30, 34

    def height(width: int) -> int:
        panel = head + row * len(horizons)
        return panel + 12 if width == WIDE else (panel + 14) * len(destinations)

    def paint(figure, width: int) -> None:
        wide = width == WIDE
        total = figure.get_figheight() * 72
        panel = row * len(horizons)
        labels, gap = 74, 26
        span = (width - labels - gap * (len(destinations) - 1)) / len(destinations) if wide else width - labels - 8
        for position, cause in enumerate(destinations):
            x = labels + position * (span + gap) if wide else labels
            y = total - head - panel if wide else total - (position + 1) * (head + panel + 14) + 14
            axes = figure.add_axes((x / width, y / total, span / width, panel / total))
            values = rates[cause].reindex(horizons).to_numpy(float)
            places = np.arange(len(horizons))
            axes.barh(places, np.nan_to_num(values), height=0.6, color=CURVE)
            for place, value in zip(places, values, strict=True):
                axes.annotate(
                    words.percent(value), (np.nan_to_num(value), place), (5, 0), textcoords="offset points",
                    va="center", color=INK,
                )  # fmt: skip
            axes.set_xlim(0, max(top, 0.01) * 1.42)
            axes.set_ylim(len(horizons) - 0.5, -0.5)
            axes.set_xticks([])
            show = not wide or position == 0
            axes.set_yticks(places, [words.months(h) for h in horizons] if show else [""] * len(horizons))
            axes.tick_params(length=0, pad=8)
            axes.spines["bottom"].set_visible(False)
            axes.set_title(words.label("exit", cause), loc="left", fontsize=FONT_SIZE, weight="bold", pad=8)

    svg, narrow = draw("departs", paint, height)
    at = 12 if 12 in rates.index else rates.index[0]
    told = rates.loc[at].dropna().sort_values(ascending=False).head(2)
    numbers = [
        words.say("figure.share_to", rate=words.percent(rate), destination=words.label("exit_to", cause))
        for cause, rate in told.items()
    ]
    alt = words.say(
        "figure.exits.alt", place=words.in_region(region), months=words.months(at), numbers=words.listing(numbers)
    )
    return Drawing("departs", svg, narrow, alt, words.say("figure.exits.caption"))


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
    names = [words.label("origin", key) if words.has(f"origin.{key}") else words.region(key) for key in rows["key"]]
    values = rows["persons"].to_numpy(float)
    row = 32

    def paint(figure, width: int) -> None:
        wide = width == WIDE
        left = 236 if wide else 8
        axes = figure.add_axes((left / width, 0.02, (width - left - 60) / width, 0.96))
        places = np.arange(len(values))
        axes.barh(places + (0 if wide else 0.22), values, height=0.6 if wide else 0.3, color=CURVE)
        for place, value, name in zip(places, values, names, strict=True):
            axes.annotate(
                words.number(value), (value, place + (0 if wide else 0.22)), (6, 0), textcoords="offset points",
                va="center", color=INK, annotation_clip=False,
            )  # fmt: skip
            if not wide:
                axes.text(0, place - 0.18, name, va="center", color=INK)
        axes.set_xlim(0, values.max())
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.set_xticks([])
        axes.set_yticks(places if wide else [], names if wide else [])
        axes.tick_params(length=0, pad=8, labelcolor=INK)
        axes.spines["bottom"].set_visible(False)

    svg, narrow = draw("origines", paint, lambda width: int((row if width == WIDE else 46) * len(values) + 12))
    told = [
        words.say("figure.count_from", count=words.number(value), origin=name)
        for value, name in zip(values[:2], names[:2], strict=True)
    ]
    alt = words.say("figure.origins.alt", place=words.in_region(region), numbers=words.listing(told))
    return Drawing("origines", svg, narrow, alt, words.say("figure.origins.caption"))


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
        made = columns(width)
        each, label = width / len(made), 160 if width == WIDE else 152
        for place, column in enumerate(made):
            size = _tall(weights, column) + _MARKS
            left = place * each + label
            right = 8 if width != WIDE or place else 26
            axes = figure.add_axes(
                (left / width, (total - _AXIS - size) / total, (each - label - right) / width, size / total)
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
            _paint_weights(axes, weights, column, words, named=place == 0)

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
            place = y + _LEVEL / 2
            name = words.label("level", f"{trait}.{row['level']}")
            axes.annotate(name, (0, place), (-150, 0), **before)
            both = [row["weight"], row["relative_weight"]]
            axes.plot(both, [place, place], color=BOUND, linewidth=1.6, zorder=2)
            axes.plot(both[1], place, "o", color="white", markeredgecolor=INK, markersize=11, zorder=3, clip_on=False)
            axes.plot(both[0], place, "o", color=CURVE, markersize=6.5, zorder=4, clip_on=False)
            if named:
                _name_marks(axes, row, place, words)
                named = False
            y += _LEVEL


def _name_marks(axes, row: pd.Series, place: float, words: Words) -> None:
    """What the two marks are, written over the first pair of them."""
    names = (
        (row["weight"], "figure.weights.person", CURVE, "bold"),
        (row["relative_weight"], "figure.weights.household", INK, "normal"),
    )
    for line, (at, key, colour, weight) in enumerate(names):
        top = 10.0 + line * LINE
        axes.plot([at, at], [top + 9, place - 7], color=BOUND, linewidth=1.0, zorder=1)
        right = at > sum(axes.get_xlim()) / 2
        axes.annotate(
            words.say(key), (at, top), (4 if right else 0, 0), textcoords="offset points", va="center",
            ha="right" if right else "center", color=colour, weight=weight, annotation_clip=False,
        )  # fmt: skip
