"""The figures of a page: the retention curve, the exits by destination, the origins, the weights of the linkage.

Each takes protected tables only (`inputs.py`; the weights are a model's, not anybody's), writes its own alternative
text from the same numbers, and is read without a legend: labels stand on what they name. Fills differ in lightness, so
that a page printed in grey, or seen by someone who does not tell colours apart, says the same.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..tables import EXITS
from .drawing import BAND, BOUND, CURVE, FONT_SIZE, INK, MUTED, RIBBON, RULE, WIDE, Drawing, draw
from .inputs import frame_of
from .readings import factor_text, level_text, times_text
from .words import Words

# The destinations that the model tells apart; an unknown one is no cause of its own (observation-model.md).
DESTINATIONS = EXITS[:3]
_LINE = 20.0  # height of a line of text in a figure
_SHOWN_ORIGINS = 8
# Heights in the figure of weights: a level, a trait's name, the names of the two marks, the axis.
_LEVEL, _TRAIT, _MARKS, _AXIS = 21, 32, 48, 30


def retention_curve(curve, retention, *, region: str, words: Words) -> Drawing | None:
    """
    The retention curve with its limits, the bounds as a ribbon, and the rounded numbers at risk under it.

    Parameters
    ----------
    curve, retention : Protected
        Tables `curves` and `retention` of one group.
    region : str
        Region code, `province`, or the name of a group.

    Returns
    -------
    Drawing or None
        None where nothing of the curve may be published.
    """
    points = frame_of(curve).dropna(subset=["survival"])
    if len(points) < 2:
        return None
    rates = frame_of(retention)
    main = rates[(rates["method"] == "main") & rates["estimate"].notna()]
    bounds = points[["month", "lost_left", "lost_stayed"]].dropna()
    last = int(points["month"].max())
    end = max(12, last)
    ticks = [0, *(h for h in sorted(rates["horizon"].unique()) if 12 <= h <= end)]
    at_risk = points.set_index("month")["n_risk"].astype("Float64")
    at_risk[0] = rates["n_start"].astype("Float64").max()

    def paint(figure, width: int) -> None:
        wide = width == WIDE
        height = figure.get_figheight() * 72
        left, right, under = (52, 150, 92) if wide else (46, 26, 92)
        axes = figure.add_axes((left / width, under / height, 1 - (left + right) / width, 1 - (under + 24) / height))
        if len(bounds) > 1:
            axes.fill_between(bounds["month"], bounds["lost_left"], bounds["lost_stayed"], color=RIBBON, linewidth=0)
        limits = points.dropna(subset=["lower", "upper"])
        axes.fill_between(limits["month"], limits["lower"], limits["upper"], color=BAND, linewidth=0)
        if len(bounds) > 1:
            for name in ("lost_left", "lost_stayed"):
                axes.plot(bounds["month"], bounds[name], color=BOUND, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.plot(points["month"], points["survival"], color=CURVE, linewidth=2.6)
        labelled = main[main["horizon"].isin(ticks)]
        for horizon, rate in zip(labelled["horizon"], labelled["estimate"], strict=True):
            axes.plot(horizon, rate, "o", color=CURVE, markersize=7, markeredgecolor="white", clip_on=False)
            axes.annotate(
                words.percent(rate), (horizon, rate), (0, 9), textcoords="offset points",
                ha="right" if horizon == end else "center", weight="bold", color=INK,
                bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
            )  # fmt: skip
        axes.set_xlim(0, end)
        axes.set_ylim(0, 1.0)
        axes.set_xticks(ticks, [words.number(tick) for tick in ticks])
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], [words.percent(rate) for rate in (0, 0.25, 0.5, 0.75, 1)])
        axes.tick_params(length=0, pad=6)
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(words.say("figure.curve.axis"), labelpad=6)
        if wide:
            _label_ends(axes, points, bounds, words)
        # numbers at risk, under the months they belong to
        line = 18 / height
        figure.text(left / width, 1.9 * line, words.say("figure.curve.at_risk"), ha="left", color=MUTED)
        for tick in ticks:
            x = (left + (width - left - right) * tick / end) / width
            told = at_risk.get(tick, default=None)
            figure.text(x, 0.6 * line, words.number(told), ha="center", color=INK)

    svg, narrow = draw("courbe", paint, lambda width: 430 if width == WIDE else 350)
    return Drawing(
        "courbe", svg, narrow, _curve_alt(main, region, last, words),
        words.say("figure.curve.caption" if len(bounds) > 1 else "figure.curve.caption_plain"),
    )  # fmt: skip


def _label_ends(axes, points: pd.DataFrame, bounds: pd.DataFrame, words: Words) -> None:
    """Names beside the right end of what they name, pushed apart where they would touch."""
    final = points.iloc[-1]
    wanted = [(float(final["survival"]), words.say("figure.curve.estimate"), CURVE, "bold")]
    if pd.notna(final["upper"]):
        wanted.append((float(final["upper"]), words.say("figure.curve.limits"), "#35678f", "normal"))
    if len(bounds) > 1:
        wanted.append((float(bounds["lost_stayed"].iloc[-1]), words.say("figure.curve.bound_high"), MUTED, "normal"))
        wanted.append((float(bounds["lost_left"].iloc[-1]), words.say("figure.curve.bound_low"), MUTED, "normal"))
    wanted.sort(key=lambda item: item[0])
    step = _LINE / (axes.get_window_extent().height)
    places = np.array([item[0] for item in wanted])
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + step)
    places -= np.mean(places - [item[0] for item in wanted])
    for place, (_, text, colour, weight) in zip(places, wanted, strict=True):
        axes.annotate(
            text, (final["month"], place), (12, 0), textcoords="offset points", va="center", color=colour,
            weight=weight, annotation_clip=False,
        )  # fmt: skip


def _curve_alt(main: pd.DataFrame, region: str, last: int, words: Words) -> str:
    told = main[main["horizon"] <= last].set_index("horizon")["estimate"]
    # the two numbers a reader looks for: at one year, and at the last horizon
    chosen = [h for h in dict.fromkeys([12, *told.index[-1:]]) if h in told.index] or list(told.index[:1])
    numbers = [words.say("figure.rate_at", rate=words.percent(told[h]), months=words.months(h)) for h in chosen]
    place = words.in_region(region)
    if not numbers:
        return words.say("figure.curve.alt_none", place=place, months=words.months(last))
    return words.say("figure.curve.alt", place=place, numbers=words.listing(numbers), months=words.months(last))


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
        top = 10.0 + line * _LINE
        axes.plot([at, at], [top + 9, place - 7], color=BOUND, linewidth=1.0, zorder=1)
        right = at > sum(axes.get_xlim()) / 2
        axes.annotate(
            words.say(key), (at, top), (4 if right else 0, 0), textcoords="offset points", va="center",
            ha="right" if right else "center", color=colour, weight=weight, annotation_clip=False,
        )  # fmt: skip
