"""The forest plot of a model: a hazard ratio with its limits on every line, grouped by covariate.

The scale is one of ratios: half and twice lie as far from 1. Left of 1, one stays longer than the reference; right of
it, one leaves sooner. The reference of each covariate is said on its own line. A ratio that may not be shown keeps its
line, and says « masqué ». An association is no cause, and the caption says so.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ..drawing import BOUND, CURVE, INK, MUTED, RULE, WIDE, Drawing, draw
from ..inputs import frame_of
from ..readings import level_name
from ..words import Words
from .lettering import SMALL, broken

_HEAD, _ROW, _ROW_NARROW, _TOP, _AXIS = 30, 25, 46, 30, 34


def forest(
    coefficients, *, words: Words, model: str = "cox", references: dict[str, str] | None = None
) -> Drawing | None:
    """
    The hazard ratios of one model.

    Parameters
    ----------
    coefficients : Protected
        Table of that name.
    words : Words
    model : str
        Which of its models.
    references : dict, optional
        Covariate → its reference level; the column `reference` of the table where not given.

    Returns
    -------
    Drawing or None
        None where no ratio of the model may be shown.
    """
    rows = frame_of(coefficients)
    rows = rows[rows["model"].eq(model) & rows["term"].notna()]
    # a covariate that the model is stratified by, or that is left out whole, has no ratio to draw
    rows = rows[rows["level"].notna() | rows["hazard_ratio"].notna()].reset_index(drop=True)
    if rows["hazard_ratio"].isna().all():
        return None
    lines = _lines(rows, references or {}, words)
    told = rows.dropna(subset=["hazard_ratio"])
    ends = told[["hazard_ratio", "lower", "upper"]].to_numpy(dtype=float)
    reach = float(np.clip(np.nanmax(np.abs(np.log(ends[ends > 0]))) * 1.08, math.log(2), math.log(16)))
    ticks = [tick for tick in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8) if abs(math.log(tick)) <= reach]

    def heights(width: int) -> list[float]:
        level = _ROW if width == WIDE else _ROW_NARROW
        return [_HEAD if kind == "head" else _ROW if kind == "reference" else level for kind, *_ in lines]

    def paint(figure, width: int) -> None:
        wide, total = width == WIDE, figure.get_figheight() * 72
        tall = sum(heights(width))
        left, right = (230, 150) if wide else (10, 10)
        axes = figure.add_axes((left / width, _AXIS / total, (width - left - right) / width, tall / total))
        axes.set_xlim(-reach, reach)
        axes.set_ylim(tall, 0)
        axes.axvline(0, color=INK, linewidth=1.0)
        for tick in ticks:
            if tick != 1:
                axes.axvline(math.log(tick), color=RULE, linewidth=0.6)
        y = 0.0
        edge = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "annotation_clip": False}
        for (kind, name, row), step in zip(lines, heights(width), strict=True):
            middle = y + step / 2
            if kind == "head":
                axes.annotate(name, (0, y + step - 11), (-left + 2, 0), va="center", weight="bold", color=INK,
                              bbox=_behind(wide=wide), **edge)  # fmt: skip
            else:
                at = middle if wide or kind == "reference" else y + 13
                text = name if not wide else broken(name, left - 26)
                axes.annotate(text, (0, at), (-left + (14 if wide else 10), 0), va="center", linespacing=1.0,
                              color=MUTED if kind == "reference" else INK, fontsize=None if wide else SMALL,
                              bbox=_behind(wide=wide), **edge)  # fmt: skip
                if kind == "level":
                    _ratio(axes, row, middle if wide else y + 32, reach)
                axes.annotate(_numbers(kind, row, words), (1, at), (right - 2, 0), va="center", ha="right",
                              color=INK if kind == "level" and pd.notna(row["hazard_ratio"]) else MUTED,
                              fontsize=None if wide else SMALL, bbox=_behind(wide=wide), **edge)  # fmt: skip
            y += step
        axes.set_xticks([math.log(tick) for tick in ticks], [_ratio_text(tick, words) for tick in ticks])
        axes.set_yticks([])
        axes.tick_params(length=0, pad=6)
        axes.spines["left"].set_visible(False)
        for way, key in ((-1, "figure.forest.stays"), (1, "figure.forest.leaves")):
            text = words.say(key)
            axes.annotate(
                text, (0.5, 1), (10 * way, 14), xycoords="axes fraction", textcoords="offset points", va="center",
                ha="right" if way < 0 else "left", color=MUTED, fontsize=SMALL, annotation_clip=False,
            )  # fmt: skip

    svg, narrow = draw("rapports", paint, lambda width: math.ceil(_TOP + sum(heights(width)) + _AXIS))
    return Drawing("rapports", svg, narrow, _alt(rows, told, words), words.say("figure.forest.caption"))


def _behind(*, wide: bool) -> dict | None:
    """On a telephone labels lie over the lines of the scale."""
    return None if wide else {"facecolor": "white", "edgecolor": "none", "pad": 1.5}


def _lines(rows: pd.DataFrame, references: dict[str, str], words: Words) -> list[tuple[str, str, pd.Series | None]]:
    """What stands on each line: a covariate, its reference, a level; a number (age) is one line under its own name."""
    lines: list[tuple[str, str, pd.Series | None]] = []
    for term in dict.fromkeys(rows["term"]):
        mine = rows[rows["term"].eq(term)]
        lines.append(("head", words.label("covariate", term), None))
        given = mine["reference"].dropna() if "reference" in mine else pd.Series(dtype=object)
        reference = references.get(term) or (given.iloc[0] if len(given) else None)
        if reference is not None:
            lines.append(("reference", level_name(term, reference, words), None))
        for _, row in mine.iterrows():
            lines.append(("level", _line_name(row, words), row))
    return lines


def _line_name(row: pd.Series, words: Words) -> str:
    """The level, and the months since establishment that the ratio is of, where the hazards are not proportional."""
    name = words.say("figure.forest.unit")
    if pd.notna(row["level"]):
        name = level_name(row["term"], row["level"], words)
    first, last = row.get("from_month", 0.0), row.get("to_month", math.inf)
    if pd.notna(last) and math.isfinite(last):
        return words.say("figure.forest.until", name=name, months=words.months(last))
    if pd.notna(first) and first > 0:
        return words.say("figure.forest.after", name=name, months=words.months(first))
    return name


def _ratio(axes, row: pd.Series, y: float, reach: float) -> None:
    if pd.isna(row["hazard_ratio"]):
        return
    low, at, high = (math.log(max(float(row[name]), 1e-6)) for name in ("lower", "hazard_ratio", "upper"))
    axes.plot([max(low, -reach), min(high, reach)], [y, y], color=BOUND, linewidth=2.2, solid_capstyle="butt")
    for end, mark in ((low, "<"), (high, ">")):
        if abs(end) > reach:  # the limits go on beyond the scale
            axes.plot(math.copysign(reach, end), y, mark, color=BOUND, markersize=6, clip_on=False)
    if abs(at) <= reach:
        # full where the limits leave out 1
        sure = low > 0 or high < 0
        axes.plot(at, y, "s", color=CURVE if sure else "white", markeredgecolor=CURVE, markeredgewidth=1.6,
                  markersize=7, zorder=3)  # fmt: skip


def _numbers(kind: str, row: pd.Series | None, words: Words) -> str:
    if kind == "reference":
        return words.say("figure.forest.reference")
    if pd.isna(row["hazard_ratio"]):
        return words.say("figure.forest.few" if row["reason"] == "insufficient" else "hidden")
    ratio, lower, upper = (words.number(row[name], 2) for name in ("hazard_ratio", "lower", "upper"))
    return words.say("figure.forest.ratio", ratio=ratio, lower=lower, upper=upper)


def _ratio_text(tick: float, words: Words) -> str:
    return words.number(tick, 0 if tick >= 1 else 3 if tick < 0.2 else 2 if tick < 0.5 else 1)


def _alt(rows: pd.DataFrame, told: pd.DataFrame, words: Words) -> str:
    farthest = told.loc[np.log(told["hazard_ratio"].astype(float)).abs().sort_values(ascending=False).index].head(2)
    numbers = []
    for _, row in farthest.iterrows():
        term = words.label("covariate", row["term"])
        name = term if pd.isna(row["level"]) else words.say(
            "level.of_trait", trait=term, level=level_name(row["term"], row["level"], words)
        )  # fmt: skip
        numbers.append(f"{name}, {_numbers('level', row, words)}")
    return words.say(
        "figure.forest.alt", model=words.label("model", rows["model"].iloc[0]),
        ratios=words.say_many("figure.forest.ratios", len(told)), numbers="; ".join(numbers),
    )  # fmt: skip
