"""The figure « comment les départs sont connus »: who is heard of by when, and beside it which contacts fail.

A researcher's figure, from a table that is not protected (hearing.py): no report shows it.
"""

from __future__ import annotations

import pandas as pd

from ...hearing import WITHIN
from ...reported import CAUSES
from ...tables import PROVINCE
from ..drawing import BOUND, CURVE, FONT_SIZE, INK, MUTED, WIDE, Drawing, draw
from ..hearing_reading import reading, value
from ..words import Words, words

_MARKS = {CAUSES[0]: ("o", CURVE, "-"), CAUSES[1]: ("s", "#5b87b5", "-"), CAUSES[2]: ("D", BOUND, (0, (4, 2)))}
# Presence, and whether the contact before failed: the bars, from the top.
_STATES = {"there": ("there", False), "there_again": ("there", True), "gone": ("gone", False),
           "gone_again": ("gone", True)}  # fmt: skip
_LINE = 19  # pixels between two labels that would stand on one another


def departures_known(table: pd.DataFrame, group: str = PROVINCE, language: str = "fr") -> Drawing | None:
    """
    The share of departures heard of by month since the exit, by destination, and the failure of contacts beside it.

    Parameters
    ----------
    table : DataFrame
        As `how_departures_become_known` returns it.
    group : str
        Which group of it.
    language : str

    Returns
    -------
    Drawing or None
        `.svg` for a notebook; None where neither can be shown.
    """
    rows = table[table["group"].eq(group)]
    if rows[rows["measure"].isin(["heard", "contact_failure"])]["estimate"].isna().all():
        return None
    w = words(language)
    left, right = 330, 300

    def height(width: int) -> int:
        return left if width == WIDE else left + right

    def paint(figure, width: int) -> None:
        total = figure.get_figheight() * 72
        if width == WIDE:
            boxes = (46, 44, 236, left - 84), (458, 44, 216, left - 84)
        else:
            boxes = (46, right + 44, 150, left - 84), (12, 10, 256, right - 60)
        heard, fails = (
            figure.add_axes((x / width, y / total, wide / width, tall / total)) for x, y, wide, tall in boxes
        )
        _paint_heard(heard, rows, w)
        _paint_failure(fails, rows, w)

    svg, narrow = draw("ecoute", paint, height)
    said = " ".join(reading(rows.assign(group=PROVINCE), language)[:-1])
    return Drawing("ecoute", svg, narrow, said, w.say("hearing.warning"), protected=False)


def _paint_heard(axes, rows: pd.DataFrame, w: Words) -> None:
    ends, few = [], []
    for place, cause in enumerate(CAUSES):
        mark, colour, style = _MARKS[cause]
        points = [(m, row) for m in WITHIN if (row := value(rows, "heard", cause, month=m)) is not None]
        if not points:
            few.append(w.label("exit", cause))
            continue
        months, shares = [m for m, _ in points], [row["estimate"] for _, row in points]
        for month, row in points:
            if not pd.isna(row["lower"]):
                # limits of one month stand side by side
                at = month + 0.3 * (place - 1)
                axes.plot([at] * 2, [row["lower"], row["upper"]], color=colour, linewidth=1.4, alpha=0.6)
        axes.plot([0, *months], [0, *shares], color=colour, linestyle=style, linewidth=2)
        axes.plot(months, shares, mark, color=colour, markersize=6, clip_on=False, zorder=4)
        ends.append((shares[-1], months[-1], w.label("exit", cause), colour))
    axes.set_xlim(0, WITHIN[-1] + 0.5)
    axes.set_ylim(0, 1)
    pixel = 1 / (axes.get_position().height * axes.figure.get_figheight() * 72)
    # labels stand beside the ends of the lines, pushed apart where they would cover one another
    low = -1.0
    for share, month, label, colour in sorted(ends):
        at = max(share, low + _LINE * pixel)
        low = at
        axes.annotate(
            label, (month, share), (WITHIN[-1] + 1.5, at), textcoords="data", va="center", color=colour, weight="bold",
            annotation_clip=False, fontsize=FONT_SIZE - 1,
        )  # fmt: skip
    if few:
        text = "\n".join(w.say("hearing.few_of", name=label) for label in few)
        axes.text(0.8, 0.97, text, color=MUTED, fontsize=FONT_SIZE - 1, va="top")
    axes.set_xticks([0, *WITHIN[1:]])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], [w.percent(x) for x in (0, 0.25, 0.5, 0.75, 1)])
    axes.grid(axis="y")
    axes.tick_params(length=0, pad=6)
    axes.set_xlabel(w.say("hearing.axis"))
    axes.set_title(w.say("hearing.title_heard"), loc="left", fontsize=FONT_SIZE, weight="bold", pad=12)


def _paint_failure(axes, rows: pd.DataFrame, w: Words) -> None:
    for place, (state, (presence, previous)) in enumerate(_STATES.items()):
        row = value(rows, "contact_failure", presence, previous_failed=previous)
        axes.text(0, place - 0.36, w.label("hearing_state", state), va="center", color=INK, fontsize=FONT_SIZE - 1)
        if row is None:
            axes.text(0, place + 0.06, w.say("hearing.few"), va="center", color=MUTED, fontsize=FONT_SIZE - 1)
            continue
        axes.barh(place + 0.06, row["estimate"], height=0.4, color=CURVE if presence == "gone" else BOUND)
        end = row["estimate"]
        if not pd.isna(row["lower"]):
            axes.plot([row["lower"], row["upper"]], [place + 0.34] * 2, color=INK, linewidth=1.4)
            end = max(end, row["upper"])
        axes.annotate(
            w.percent(row["estimate"]), (end, place + 0.06), (6, 0), textcoords="offset points", va="center", color=INK,
            annotation_clip=False,
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(len(_STATES) - 0.45, -0.6)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_title(w.say("hearing.title_failed"), loc="left", fontsize=FONT_SIZE, weight="bold", pad=12)
