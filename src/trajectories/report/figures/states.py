"""States month by month: the paths and states of each type of trajectory, and where those who settled are."""

from __future__ import annotations

import math

import pandas as pd
from markupsafe import Markup

from ..drawing import (
    BOUND,
    EDGE,
    FONT_SIZE,
    FOUR,
    INK,
    MUTED,
    SMALL,
    WIDE,
    Drawing,
    apart,
    broken,
    draw,
    ink_on,
    text_width,
)
from ..inputs import frame_of
from ..markup import html_table, under_figure
from ..readings import type_name
from ..words import Words

# ----------------------------------------------------------------------------------------------------
# The figures of the typology: the paths that persons of each type share (index plot), and their states by month.
#
# Types stand in the order of their numbers. A state has one fill in both figures, from dark (still in the region where
# one settled) to nearly white (outside Québec), and its name on it, or beside it.

# The states of a person, from the bottom of the areas upwards (typology).
STATES = ("region", "metropole", "other_region", "outside_quebec")
# « anywhere »: in any region, where a study counts staying in any of them.
FILLS = {"anywhere": FOUR[0], **dict(zip(STATES, FOUR, strict=True))}
_UNKNOWN = "#ffffff"
_BAR, _NAME, _AXIS, _KEY, _SIDE = 28, 54, 46, 26, 8
_PLOT, _HEAD, _FOOT = 150, 48, 48


def states_by_type(states, types, *, words: Words) -> Drawing | None:
    """
    The share of the persons of each type in each state, month by month, as areas.

    Parameters
    ----------
    states, types : Protected
        Tables of those names.
    words : Words

    Returns
    -------
    Drawing or None
        None where no type has two months that may be shown.
    """
    shares = frame_of(states)
    shares = shares[shares.groupby("type")["month"].transform("nunique") > 1]
    named = frame_of(types)
    panels = [kind for kind in named["type"] if kind in set(shares["type"])]
    if not panels:
        return None
    tables = {kind: by_month(shares[shares["type"].eq(kind)]) for kind in panels}
    end = max(table.index[-1] for table in tables.values())

    def head(width: int) -> int:
        column_width = width / grid(width)[0]
        return _HEAD + 16 * max(
            broken(_title(named, kind, words)[0], column_width - 14, bold=True).count("\n") for kind in panels
        )

    def grid(width: int) -> tuple[int, int]:
        columns = 2 if width == WIDE and len(panels) > 1 else 1
        return columns, math.ceil(len(panels) / columns)

    def paint(figure, width: int) -> None:
        columns, _ = grid(width)
        total, column_width = figure.get_figheight() * 72, width / columns
        left, right = 46, 126
        for position, kind in enumerate(panels):
            x = (position % columns) * column_width + left
            y = total - (position // columns) * (head(width) + _PLOT + _FOOT) - head(width) - _PLOT
            axes = figure.add_axes((x / width, y / total, (column_width - left - right) / width, _PLOT / total))
            title, under = _title(named, kind, words)
            lines = broken(title, column_width - 14, FONT_SIZE, bold=True)
            axes.annotate(under, (0, 1), (4 - left, 6), xycoords="axes fraction", textcoords="offset points",
                          va="bottom", color=MUTED, fontsize=SMALL)  # fmt: skip
            axes.annotate(lines, (0, 1), (4 - left, 23), xycoords="axes fraction", textcoords="offset points",
                          va="bottom", color=INK, weight="bold", linespacing=1.1)  # fmt: skip
            axes.set_xlim(0, max(end, 1))
            axes.set_ylim(0, 1)
            areas(axes, tables[kind], max(end, 1), words)
            axes.set_xticks(*month_ticks(end, words))
            axes.set_yticks([0, 0.5, 1], [words.percent(rate) for rate in (0, 0.5, 1)])
            axes.tick_params(length=0, pad=5, labelsize=SMALL)
            if position // columns == (len(panels) - 1) // columns:
                axes.set_xlabel(words.say("figure.curve.axis"), fontsize=SMALL)

    svg, narrow = draw("etats", paint, lambda width: grid(width)[1] * (head(width) + _PLOT + _FOOT) + 2)
    largest = []
    for kind in panels[:2]:
        last = tables[kind].iloc[-1]
        largest.append(words.say(
            "figure.states.most", name=_title(named, kind, words)[0], months=words.months(tables[kind].index[-1]),
            rate=words.percent(last.max()), state=words.label("state_in", last.idxmax()),
        ))  # fmt: skip
    alt = words.say("figure.states.alt", n=words.say_many("types", len(panels)), numbers="; ".join(largest))
    numbers = _shares({_title(named, kind, words)[0]: tables[kind] for kind in panels}, words)
    return Drawing("etats", svg, narrow, alt, words.say("figure.states.caption"), numbers)


def paths_by_type(paths, types, *, words: Words) -> Drawing | None:  # noqa: C901  # closures over one drawing
    """
    Index plot: the paths that enough persons of each type share, as bars of their states, to the half-year.

    Parameters
    ----------
    paths, types : Protected
        Tables of those names.
    words : Words

    Returns
    -------
    Drawing or None
        None where no path may be shown.
    """
    stages, named = frame_of(paths), frame_of(types)
    kinds = [kind for kind in named["type"] if kind in set(stages["type"])]
    if not kinds:
        return None
    bars = {kind: _bars(stages[stages["type"].eq(kind)]) for kind in kinds}
    end = float(stages["end"].max())

    def fits(name: str, months: float, width: int) -> bool:
        return text_width(name, SMALL) + 8 <= months * (width - 2 * _SIDE) / end

    def unwritten(width: int) -> list[str]:
        """The states whose name fits on none of their stages: these need a key."""
        stages_drawn = pd.concat([bar for kind in kinds for bar in bars[kind]])
        written = {
            row["state"] for _, row in stages_drawn.iterrows()
            if fits(words.label("state", row["state"]), row["end"] - row["start"], width)
        }  # fmt: skip
        return [state for state in _in_order(stages_drawn["state"]) if state not in written]

    def title(kind: str, width: int) -> str:
        return broken(_title(named, kind, words)[0], width - 2 * _SIDE, bold=True)

    def name_of(kind: str, width: int) -> int:
        return _NAME + 16 * title(kind, width).count("\n")

    def tall(width: int) -> int:
        return sum(name_of(kind, width) + _BAR * len(bars[kind]) for kind in kinds)

    def paint(figure, width: int) -> None:
        total, body = figure.get_figheight() * 72, tall(width)
        box = (_SIDE / width, _AXIS / total, (width - 2 * _SIDE) / width, body / total)
        axes = figure.add_axes(box)
        axes.set_xlim(0, end)
        axes.set_ylim(body, 0)
        y = 0.0
        for kind in kinds:
            y += name_of(kind, width)
            axes.text(0, y - 29, title(kind, width), va="bottom", weight="bold", color=INK, linespacing=1.1)
            axes.text(0, y - 8, _title(named, kind, words)[1], va="bottom", color=MUTED, fontsize=SMALL)
            for bar in bars[kind]:
                for _, row in bar.iterrows():
                    _stage(axes, row, y + _BAR / 2, words, fits)
                y += _BAR
        ticks, labels = month_ticks(end, words)
        axes.set_xticks(ticks, labels)
        axes.get_xticklabels()[0].set_ha("left")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.tick_params(length=0, pad=5)
        axes.set_xlabel(words.say("figure.curve.axis"), labelpad=4)
        for line, state in enumerate(unwritten(width)):
            _key(figure, width, total, total - (line + 0.5) * _KEY, state, words)

    def height(width: int) -> int:
        return tall(width) + _AXIS + _KEY * len(unwritten(width))

    svg, narrow = draw("parcours", paint, height)
    longest = [
        words.say("figure.paths.path", name=_title(named, kind, words)[0], stages=_stages_text(bars[kind][0], words))
        for kind in kinds[:2]
    ]
    alt = words.say("figure.paths.alt", n=words.say_many("types", len(kinds)), numbers="; ".join(longest))
    numbers = _paths({_title(named, kind, words)[0]: bars[kind] for kind in kinds}, words)
    return Drawing("parcours", svg, narrow, alt, words.say("figure.paths.caption"), numbers)


def _bars(stages: pd.DataFrame) -> list[pd.DataFrame]:
    """The stages of each path of a type, the most frequent path first."""
    return [bar.sort_values("stage") for _, bar in stages.groupby("rank", sort=True)]


def _stage(axes, row: pd.Series, middle: float, words: Words, fits) -> None:
    fill, name, months = (
        FILLS.get(row["state"], _UNKNOWN),
        words.label("state", row["state"]),
        row["end"] - row["start"],
    )
    pale = fill in (FOUR[-1], _UNKNOWN)
    axes.barh(middle, months, left=row["start"], height=_BAR - 4, color=fill, edgecolor=EDGE if pale else "white",
              linewidth=0.8 if pale else 1.0)  # fmt: skip
    width = round(axes.get_window_extent().width) + 2 * _SIDE
    if fits(name, months, width):
        axes.text(row["start"] + months / 2, middle, name, ha="center", va="center", color=ink_on(fill), fontsize=SMALL)


def _in_order(states) -> list[str]:
    order = [*FILLS, *sorted(set(states) - set(FILLS))]
    return [state for state in order if state in set(states)]


def by_month(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a month, a column a state that somebody was in; rounded shares are made to sum to 1."""
    table = rows.pivot(index="month", columns="state", values="share").fillna(0.0).sort_index()
    table = table[[state for state in _in_order(table.columns) if (table[state] > 0).any()]]
    return table.div(table.sum(axis=1), axis=0)


def _title(types: pd.DataFrame, kind: str, words: Words) -> tuple[str, str]:
    """The type's name, and how many it holds."""
    row = types[types["type"].eq(kind)].iloc[0]
    name = type_name(str(row["name"]) if "name" in row else kind, words)
    if pd.isna(row["persons"]):
        return name, words.say("figure.types.hidden")
    if pd.isna(row["share"]):
        return name, words.say("figure.types.persons", persons=words.number(row["persons"]))
    persons, share = words.number(row["persons"]), words.percent(row["share"])
    return name, words.say("figure.types.share", persons=persons, share=share)


def areas(axes, table: pd.DataFrame, end: float, words: Words, tall: float = _PLOT) -> None:
    """The areas of a table (`by_month`) on axes so tall, each state named at its end, or on its area."""
    fills = [FILLS.get(state, _UNKNOWN) for state in table.columns]
    axes.stackplot(table.index, table.to_numpy().T, colors=fills, edgecolor="white", linewidth=0.8)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.plot([0, table.index[-1], table.index[-1], 0, 0], [0, 0, 1, 1, 0], color=EDGE, linewidth=0.8, clip_on=False)
    last = table.iloc[-1]
    # a state that the last month has not is named where it is widest, if it is tall enough there
    beside = [state for state in table.columns if last[state] > 0]
    middles = (last.cumsum() - last / 2)[beside]
    texts = [broken(words.label("state", state), 112, SMALL) for state in beside]
    gap = 1.06 * (SMALL + 3) * max(text.count("\n") + 1 for text in texts) / tall
    month, eight = table.index[-1], 8 * end / (axes.get_window_extent().width)
    for text, y, middle in zip(texts, apart(middles, gap, 1.0), middles, strict=True):
        axes.plot([month, month + eight], [middle, y], color=BOUND, linewidth=0.8, clip_on=False)
        axes.annotate(
            text, (month, y), (11, 0), textcoords="offset points", va="center", color=INK, fontsize=SMALL,
            annotation_clip=False, linespacing=1.05,
        )  # fmt: skip
    for state in table.columns.difference(beside):
        _inside(axes, table, state, words, tall)


def _inside(axes, table: pd.DataFrame, state: str, words: Words, height: float) -> None:
    """The name of a state on its own area, as early as it fits; nothing where it fits nowhere."""
    name, at = words.label("state", state), table.columns.get_loc(state)
    end, pixels = axes.get_xlim()[1], axes.get_window_extent().width
    wide, tall = (text_width(name, SMALL) + 6) * end / pixels, (SMALL + 4) / height
    low, high = table.iloc[:, :at].sum(axis=1), table.iloc[:, : at + 1].sum(axis=1)
    for month in table.index[table.index + wide <= table.index[-1]]:
        under = (table.index >= month) & (table.index <= month + wide)
        bottom, top = low[under].max(), high[under].min()
        if top - bottom >= tall:
            axes.text(month + wide / 2, (bottom + top) / 2, name, ha="center", va="center", fontsize=SMALL,
                      color=ink_on(FILLS.get(state, _UNKNOWN)))  # fmt: skip
            return


def _key(figure, width: int, total: float, y: float, state: str, words: Words) -> None:
    from matplotlib.patches import Rectangle

    figure.add_artist(Rectangle(
        (8 / width, (y - 7) / total), 22 / width, 14 / total, facecolor=FILLS.get(state, _UNKNOWN), edgecolor=EDGE,
        linewidth=0.8, transform=figure.transFigure,
    ))  # fmt: skip
    figure.text(38 / width, y / total, words.label("state", state), va="center", color=INK, fontsize=SMALL)


def month_ticks(end: float, words: Words) -> tuple[list[float], list[str]]:
    """Where the axis of months has its marks, and what they say."""
    step = 12 if end <= 48 else 24
    ticks = [*range(0, int(end) + 1, step)]
    return ticks, [words.number(tick) for tick in ticks]


def _stages_text(bar: pd.DataFrame, words: Words) -> str:
    return ", ".join(
        words.say("figure.paths.stage", state=words.label("state_in", row["state"]),
                  months=words.months(round(row["end"] - row["start"])))
        for _, row in bar.iterrows()
    )  # fmt: skip


def _shares(tables: dict[str, pd.DataFrame], words: Words) -> Markup:
    """The share of each type in each state, once a year and at the last month that is drawn."""
    states = _in_order([state for table in tables.values() for state in table.columns])
    rows = []
    for name, table in tables.items():
        for month in (m for m in table.index if m % 12 == 0 or m == table.index[-1]):
            shares = table.loc[month].reindex(states, fill_value=0.0)
            first = words.say("figure.states.row", name=name, months=words.months(month))
            rows.append([first, *(words.percent(share) for share in shares)])
    header = [words.say("column.type"), *(words.label("state", state) for state in states)]
    table = html_table(words.say("figure.states.numbers"), header, rows)
    return under_figure("etats", words.say("figure.numbers"), table)


def _paths(bars: dict[str, list[pd.DataFrame]], words: Words) -> Markup:
    """The paths of each type, the most frequent first."""
    rows = [[name, _stages_text(bar, words)] for name, paths in bars.items() for bar in paths]
    header = [words.say("column.type"), words.say("column.path")]
    table = html_table(words.say("figure.paths.numbers"), header, rows, numeric=False)
    return under_figure("parcours", words.say("figure.numbers"), table)
