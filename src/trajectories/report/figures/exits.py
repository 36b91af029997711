"""The figures of exits by destination: bars at each horizon, and the areas that share out everyone from month to month.

From the tables `exits` and `retention`, protected. In the areas, who is still there and who left for each destination
make up the whole (S + ΣF = 1): the rounded shares are stacked from the share still there upwards, and the last of them
ends at 100 %. A horizon at which one destination is hidden is not drawn apart: what is hidden is one area, « autres ».
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...tables import EXITS
from ..drawing import BOUND, CURVE, FONT_SIZE, FOUR, INK, SMALL, WIDE, Drawing, apart, broken, draw
from ..inputs import frame_of
from ..readings import HEARSAY
from ..words import Words

# The destinations that the model tells apart; an unknown one is no cause of its own (observation-model.md).
DESTINATIONS = EXITS[:3]
# Those hidden at the only horizon there is, together.
OTHERS, OTHERS_FILL = "others", "#dfe3e8"


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
            for y_bar, value in zip(places, values, strict=True):
                axes.annotate(
                    words.percent(value), (np.nan_to_num(value), y_bar), (5, 0), textcoords="offset points",
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
    largest = rates.loc[at].dropna().sort_values(ascending=False).head(2)
    numbers = [
        words.say("figure.share_to", rate=words.percent(rate), destination=words.label("exit_to", cause))
        for cause, rate in largest.items()
    ]
    alt = words.say(
        "figure.exits.alt", place=words.in_region(region), months=words.months(at), numbers=words.listing(numbers)
    )
    return Drawing("departs", svg, narrow, alt, words.say("figure.exits.caption"))


def shares_by_destination(exits, retention, *, region: str, words: Words, destinations=DESTINATIONS) -> Drawing | None:
    """
    Everyone shared out by month: still there, or gone to each destination (cumulative incidence), in areas.

    Parameters
    ----------
    exits, retention : Protected
        Tables of those names, of one group.
    region : str
    words : Words
    destinations : sequence of str
        Codes of tables.EXITS, from the area next to « still there » upwards.

    Returns
    -------
    Drawing or None
        None where no horizon has both a rate and a destination that may be shown.
    """
    main = _main(frame_of(retention))
    shares = _shared_out(frame_of(exits), main, list(destinations))
    if shares is None:
        return None
    confirmed = int(main.index[~main["known"].eq(HEARSAY)].max()) if (~main["known"].eq(HEARSAY)).any() else 0
    names = {
        "there": words.say("figure.shares.there"), OTHERS: words.say("figure.shares.others"),
        **{cause: words.label("exit", cause) for cause in destinations},
    }  # fmt: skip
    fills = dict(zip(shares.columns, _fills(list(shares.columns)), strict=True))
    heard = confirmed < shares.index[-1]

    def paint(figure, width: int) -> None:
        wide, height = width == WIDE, figure.get_figheight() * 72
        left, right, under, top = (52, 196, 52, 14) if wide else (46, 118, 52, 14)
        tall = height - under - top
        axes = figure.add_axes((left / width, under / height, (width - left - right) / width, tall / height))
        stacked = axes.stackplot(
            shares.index, shares.to_numpy().T, colors=list(fills.values()), edgecolor="white", linewidth=1.2
        )
        for area in stacked:
            area.set_clip_on(True)
        last = shares.iloc[-1]
        middles = (last.cumsum() - last / 2).to_numpy()
        size = FONT_SIZE if wide else SMALL
        room = right - 22
        texts = [broken(names[name], room, size) for name in shares.columns]
        gap = (max(text.count("\n") for text in texts) + 2.3) * (size + 2) / tall
        # the uppermost name, under its share, has to end within the drawing
        highest = 1 + (top - (texts[-1].count("\n") + 2) * (size + 2) / 2) / tall
        places = apart(middles, gap, highest)
        for y, middle, name, text in zip(places, middles, shares.columns, texts, strict=True):
            axes.plot([1.0, 1.0 + 10 / (width - left - right)], [middle, y], color=BOUND, linewidth=0.8,
                      transform=axes.transAxes, clip_on=False)  # fmt: skip
            axes.annotate(
                f"{words.percent(last[name])}\n{text}", (1, y), (14, 0), xycoords="axes fraction",
                textcoords="offset points", va="center", color=INK, fontsize=size, annotation_clip=False,
                weight="bold" if name == "there" else "normal", linespacing=1.15,
            )  # fmt: skip
        if heard:
            axes.axvline(confirmed, color="white", linewidth=2.6)
            axes.axvline(confirmed, color=INK, linewidth=1.2, linestyle=(0, (1.5, 1.5)))
        axes.set_xlim(0, shares.index[-1])
        axes.set_ylim(0, 1)
        axes.set_xticks(shares.index, [words.number(month) for month in shares.index])
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], [words.percent(rate) for rate in (0, 0.25, 0.5, 0.75, 1)])
        axes.tick_params(length=0, pad=6)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(words.say("figure.curve.axis"), labelpad=6)

    svg, narrow = draw("parts", paint, lambda width: 380 if width == WIDE else 340)
    at = 12 if 12 in shares.index[1:] else shares.index[-1]
    gone = shares.loc[at].drop("there")
    alt = words.say(
        "figure.shares.alt", place=words.in_region(region), months=words.months(shares.index[-1]),
        at=words.months(at), there=words.percent(shares.loc[at, "there"]), most=words.percent(gone.max()),
        destination=words.label("exit_to", gone.idxmax()),
    )  # fmt: skip
    caption = [words.say("figure.shares.caption")]
    if heard:
        caption.append(words.say("figure.shares.caption_hearsay", months=words.months(confirmed)))
    return Drawing("parts", svg, narrow, alt, " ".join(caption))


def _main(rates: pd.DataFrame) -> pd.DataFrame:
    """The main rates that are told, by horizon."""
    return rates[rates["method"].eq("main") & rates["estimate"].notna()].set_index("horizon")


def _shared_out(exits: pd.DataFrame, main: pd.DataFrame, destinations: list[str]) -> pd.DataFrame | None:
    """A row a month (0, then the horizons told), a column a share; they sum to 1. None where nothing can be drawn."""
    published = exits[exits["estimate"].notna() & exits["cause"].isin(destinations)]
    by_cause = published.pivot(index="horizon", columns="cause", values="estimate").reindex(columns=destinations)
    by_cause = by_cause[by_cause.index.isin(main.index)]
    if by_cause.empty:
        return None
    complete = by_cause.notna().all(axis=1)
    # where no horizon tells every destination: the longest one, and what is hidden there in one area
    by_cause = by_cause[complete] if complete.any() else by_cause.tail(1).dropna(axis=1)
    gone = 1 - main["estimate"].reindex(by_cause.index)
    if not complete.any():
        by_cause = by_cause.assign(**{OTHERS: (gone - by_cause.sum(axis=1)).clip(lower=0)})
    # shares rounded one by one need not sum to the rounded whole
    by_cause = by_cause.mul(gone / by_cause.sum(axis=1).where(lambda total: total > 0, 1), axis=0)
    shares = pd.concat([(1 - gone).rename("there"), by_cause], axis=1)
    start = pd.DataFrame([[1.0] + [0.0] * (shares.shape[1] - 1)], columns=shares.columns, index=[0])
    return pd.concat([start, shares]).sort_index()


def _fills(columns: list[str]) -> list[str]:
    return [OTHERS_FILL if name == OTHERS else FOUR[position] for position, name in enumerate(columns)]
