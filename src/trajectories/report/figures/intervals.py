"""Values with their limits, one under the other on one scale, grouped under heads: what a forest plot is made of.

The middle of the scale is « no difference ». A square is full where the limits leave it out, and limits that go on
beyond the scale end in an arrow. A value that may not be shown keeps its line, and says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..drawing import BOUND, CURVE, INK, MUTED, RULE, WIDE, draw
from .lettering import SMALL, broken

HEAD, REFERENCE, LEVEL = "head", "reference", "level"
_HEAD, _ROW, _ROW_NARROW, _MORE, _TOP, _AXIS = 30, 25, 46, 9, 30, 34
_LABELS = 230  # left of the scale on a wide page


@dataclass(frozen=True)
class Line:
    """
    What stands on a line.

    `kind`: a head, what the levels under it are held against, or a level. `name`, and at the right end `numbers`, in
    words. `interval`: lower, value, upper on the scale (None: not shown). `beside`: a second value, drawn as a ring.
    """

    kind: str
    name: str
    numbers: str = ""
    interval: tuple[float, float, float] | None = None
    beside: float | None = None


def draw_intervals(
    name: str, lines: Sequence[Line], *, reach: float, ticks: Mapping[float, str], ways: tuple[str, str],
    numbers: int = 150,
) -> tuple[str, str]:  # fmt: skip
    """
    The wide and the narrow drawing.

    Parameters
    ----------
    name : str
        Prefix of every id in the drawing.
    lines : sequence of Line
    reach : float
        The scale goes from −reach to reach.
    ticks : mapping of float to str
        Where the scale is marked, and what is written there.
    ways : pair of str
        What lies left of the middle, and right of it.
    numbers : int
        Pixels kept for them at the right end of a wide page.
    """

    def heights(width: int) -> list[float]:
        level = _ROW if width == WIDE else _ROW_NARROW
        steps = {HEAD: _HEAD, REFERENCE: _ROW}
        # a name on two lines does not touch those of its neighbours
        more = [_MORE if width == WIDE and "\n" in _name(line) else 0 for line in lines]
        return [steps.get(line.kind, level) + add for line, add in zip(lines, more, strict=True)]

    def paint(figure, width: int) -> None:
        wide, total = width == WIDE, figure.get_figheight() * 72
        tall = sum(heights(width))
        left, right = (_LABELS, numbers) if wide else (10, 10)
        axes = figure.add_axes((left / width, _AXIS / total, (width - left - right) / width, tall / total))
        axes.set_xlim(-reach, reach)
        axes.set_ylim(tall, 0)
        axes.axvline(0, color=INK, linewidth=1.0)
        for tick in ticks:
            if tick:
                axes.axvline(tick, color=RULE, linewidth=0.6)
        y = 0.0
        # on a telephone labels lie over the lines of the scale
        behind = None if wide else {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        edge = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "annotation_clip": False,
                "va": "center", "bbox": behind}  # fmt: skip
        for line, step in zip(lines, heights(width), strict=True):
            middle = y + step / 2
            if line.kind == HEAD:
                axes.annotate(line.name, (0, y + step - 11), (-left + 2, 0), weight="bold", color=INK, **edge)
            else:
                said = {"fontsize": None if wide else SMALL, **edge}
                at = middle if wide or line.kind == REFERENCE else y + 13
                text = _name(line) if wide else line.name
                axes.annotate(text, (0, at), (-left + (14 if wide else 10), 0), linespacing=1.0,
                              color=MUTED if line.kind == REFERENCE else INK, **said)  # fmt: skip
                _interval(axes, line, middle if wide else y + 32, reach)
                axes.annotate(line.numbers, (1, at), (right - 2, 0), ha="right",
                              color=INK if line.interval else MUTED, **said)  # fmt: skip
            y += step
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.set_yticks([])
        axes.tick_params(length=0, pad=6)
        axes.spines["left"].set_visible(False)
        for way, text in zip((-1, 1), ways, strict=True):
            axes.annotate(
                text, (0.5, 1), (10 * way, 14), xycoords="axes fraction", textcoords="offset points", va="center",
                ha="right" if way < 0 else "left", color=MUTED, fontsize=SMALL, annotation_clip=False,
            )  # fmt: skip

    return draw(name, paint, lambda width: math.ceil(_TOP + sum(heights(width)) + _AXIS))


def _name(line: Line) -> str:
    """The name as a wide page has it, on as many lines as it needs."""
    return line.name if line.kind == HEAD else broken(line.name, _LABELS - 26)


def _interval(axes, line: Line, y: float, reach: float) -> None:
    if line.interval is None:
        return
    low, at, high = line.interval
    axes.plot([max(low, -reach), min(high, reach)], [y, y], color=BOUND, linewidth=2.2, solid_capstyle="butt")
    for end, mark in ((low, "<"), (high, ">")):
        if abs(end) > reach:
            axes.plot(math.copysign(reach, end), y, mark, color=BOUND, markersize=6, clip_on=False)
    if line.beside is not None and abs(line.beside) <= reach:
        axes.plot(line.beside, y, "o", color="white", markeredgecolor=BOUND, markeredgewidth=1.4, markersize=8)
    if abs(at) <= reach:
        sure = low > 0 or high < 0
        axes.plot(at, y, "s", color=CURVE if sure else "white", markeredgecolor=CURVE, markeredgewidth=1.6,
                  markersize=7, zorder=3)  # fmt: skip
