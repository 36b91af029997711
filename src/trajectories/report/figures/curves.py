"""Curves: retention with its limits and bounds, and the delay between arrival and establishment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..drawing import BAND, BOUND, CURVE, INK, LINE, MUTED, RIBBON, WIDE, Drawing, draw
from ..inputs import frame_of
from ..readings import HEARSAY
from ..words import Words

# ----------------------------------------------------------------------------------------------------
# The figure of the retention curve: the estimate, its limits, its bounds, and what carries it.
#
# As the other figures: protected tables only, an alternative text from the same numbers, labels on what they name. A
# line in dashes is one thing only: what hearsay alone carries. Nothing is drawn where nothing carries the curve.

_WIDTH = 2.6
_DASHES = (0, (2.6, 1.5))  # in line widths
_BAND_NAME = "#35678f"  # the band's own hue, dark enough to be read
# Heights: above the axes, below them, and a line of key where there is something in dashes.
_TOP, _UNDER, _KEY = 24, 92, 26


def retention_curve(curve, retention, *, region: str, words: Words) -> Drawing | None:
    """
    The retention curve with its limits, the bounds as a ribbon, and the rounded numbers at risk under it.

    Parameters
    ----------
    curve, retention : Protected
        Tables `curves` and `retention` of one group.
    region : str
        Region code, `province`, or the name of a group.
    words : Words

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
    heard = points["known"].eq(HEARSAY)
    top = _TOP + (_KEY if heard.any() else 0)

    def paint(figure, width: int) -> None:
        wide = width == WIDE
        height = figure.get_figheight() * 72
        left, right = (52, 150) if wide else (46, 26)
        box = (left / width, _UNDER / height, 1 - (left + right) / width, 1 - (_UNDER + top) / height)
        axes = figure.add_axes(box)
        if len(bounds) > 1:
            axes.fill_between(bounds["month"], bounds["lost_left"], bounds["lost_stayed"], color=RIBBON, linewidth=0)
        limits = points.dropna(subset=["lower", "upper"])
        axes.fill_between(limits["month"], limits["lower"], limits["upper"], color=BAND, linewidth=0)
        if len(bounds) > 1:
            for name in ("lost_left", "lost_stayed"):
                axes.plot(bounds["month"], bounds[name], color=BOUND, linewidth=1.0)
        _paint_estimate(axes, points, heard)
        _mark_horizons(axes, main[main["horizon"].isin(ticks)], end, words)
        axes.set_xlim(0, end)
        axes.set_ylim(0, 1.0)
        axes.set_xticks(ticks, [words.number(tick) for tick in ticks])
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], [words.percent(rate) for rate in (0, 0.25, 0.5, 0.75, 1)])
        axes.tick_params(length=0, pad=6)
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(words.say("figure.curve.axis"), labelpad=6)
        if heard.any():
            _paint_key(figure, left, width, height, words)
        if wide:
            _label_ends(axes, points, bounds, words)
        # numbers at risk, under the months they belong to
        line = 18 / height
        figure.text(left / width, 1.9 * line, words.say("figure.curve.at_risk"), ha="left", color=MUTED)
        for tick in ticks:
            x = (left + (width - left - right) * tick / end) / width
            n = at_risk.get(tick, default=None)
            figure.text(x, 0.6 * line, words.number(n), ha="center", color=INK)

    svg, narrow = draw("courbe", paint, lambda width: (406 if width == WIDE else 326) + top)
    caption = [words.say("figure.curve.caption" if len(bounds) > 1 else "figure.curve.caption_plain")]
    alt = [_curve_alt(main, region, last, words)]
    if heard.any():
        caption.append(words.say("figure.curve.caption_hearsay"))
        alt.append(words.say("figure.curve.alt_hearsay", months=words.months(_last_confirmed(points, heard))))
    return Drawing("courbe", svg, narrow, " ".join(alt), " ".join(caption))


def _last_confirmed(points: pd.DataFrame, heard: pd.Series) -> int:
    """The last month shown that confirmed presences carry: the dashes begin there."""
    return int(points.loc[~heard, "month"].max()) if (~heard).any() else 0


def _paint_estimate(axes, points: pd.DataFrame, heard: pd.Series) -> None:
    """A line as far as presences carry it, dashes beyond."""
    firm = points[~heard]
    axes.plot(firm["month"], firm["survival"], color=CURVE, linewidth=_WIDTH)
    if heard.any():
        rest = points[points["month"] >= _last_confirmed(points, heard)]
        axes.plot(rest["month"], rest["survival"], color=CURVE, linewidth=_WIDTH, linestyle=_DASHES)


def _mark_horizons(axes, rates: pd.DataFrame, end: int, words: Words) -> None:
    """The published rates on the curve: full points, rings where hearsay carries them."""
    for _, row in rates.iterrows():
        horizon, rate = row["horizon"], row["estimate"]
        ring = row["known"] == HEARSAY
        face, edge = ("white", CURVE) if ring else (CURVE, "white")
        axes.plot(
            horizon, rate, "o", color=face, markersize=7, markeredgecolor=edge, markeredgewidth=1.8 if ring else 1.0,
            clip_on=False,
        )  # fmt: skip
        axes.annotate(
            words.percent(rate), (horizon, rate), (0, 9), textcoords="offset points",
            ha="right" if horizon == end else "center", weight="bold", color=INK,
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
        )  # fmt: skip


def _paint_key(figure, left: float, width: float, height: float, words: Words) -> None:
    """What dashes mean, above the axes."""
    from matplotlib.lines import Line2D

    y = 1 - 12 / height
    dash = Line2D([left / width, (left + 34) / width], [y, y], color=CURVE, linewidth=_WIDTH, linestyle=_DASHES)
    figure.add_artist(dash)
    figure.text((left + 44) / width, y, words.say("figure.curve.hearsay"), va="center", ha="left", color=INK)


def _label_ends(axes, points: pd.DataFrame, bounds: pd.DataFrame, words: Words) -> None:
    """Names beside the right end of what they name, pushed apart where they would touch."""
    final = points.iloc[-1]
    wanted = [(float(final["survival"]), words.say("figure.curve.estimate"), CURVE, "bold")]
    if pd.notna(final["upper"]):
        wanted.append((float(final["upper"]), words.say("figure.curve.limits"), _BAND_NAME, "normal"))
    if len(bounds) > 1:
        ends = bounds.iloc[-1]
        named = (("lost_stayed", "figure.curve.bound_high", 1), ("lost_left", "figure.curve.bound_low", -1))
        for name, key, side in named:
            rate, text = float(ends[name]), words.say(key)
            if ends["month"] == final["month"]:
                wanted.append((rate, text, MUTED, "normal"))
            else:  # they end before the curve does: there are their names
                axes.annotate(
                    text, (ends["month"], rate), (8, 6 * side), textcoords="offset points", color=INK,
                    va="bottom" if side > 0 else "top",
                )  # fmt: skip
    wanted.sort(key=lambda item: item[0])
    step = LINE / (axes.get_window_extent().height)
    places = np.array([item[0] for item in wanted])
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + step)
    places -= np.mean(places - [item[0] for item in wanted])
    for y, (_, text, colour, weight) in zip(places, wanted, strict=True):
        axes.annotate(
            text, (final["month"], y), (12, 0), textcoords="offset points", va="center", color=colour,
            weight=weight, annotation_clip=False,
        )  # fmt: skip


def _curve_alt(main: pd.DataFrame, region: str, last: int, words: Words) -> str:
    rates = main[main["horizon"] <= last].set_index("horizon")["estimate"]
    # the two numbers a reader looks for: at one year, and at the last horizon
    chosen = [h for h in dict.fromkeys([12, *rates.index[-1:]]) if h in rates.index] or list(rates.index[:1])
    numbers = [words.say("figure.rate_at", rate=words.percent(rates[h]), months=words.months(h)) for h in chosen]
    in_region = words.in_region(region)
    if not numbers:
        return words.say("figure.curve.alt_none", place=in_region, months=words.months(last))
    return words.say("figure.curve.alt", place=in_region, numbers=words.listing(numbers), months=words.months(last))
