"""Where letters go in a figure: labels pushed apart, names broken where they may be, and how wide a text is.

Widths are an estimate: the page draws the text in its own font, which is narrower than the one measured with.
"""

from __future__ import annotations

import re

import numpy as np

from ..drawing import FONT_SIZE

# Of the font's size, an average letter of the widest of the page's fonts (and a bold one).
_LETTER, _BOLD = 0.59, 0.66
SMALL = FONT_SIZE - 1.5


def text_width(text: str, size: float = FONT_SIZE, *, bold: bool = False) -> float:
    """About how wide a line of text is, in pixels."""
    return len(text) * size * (_BOLD if bold else _LETTER)


def apart(places, gap: float, most: float = np.inf) -> np.ndarray:
    """
    Places as near to those wanted as a gap between any two allows, in the order given; none above `most`.

    Groups of labels that would touch stand evenly about their common middle (pooling of adjacent blocks: Ayer et al.
    1955).

    Examples
    --------
    >>> apart([0.0, 0.5, 5.0], 1.0)
    array([-0.25,  0.75,  5.  ])
    >>> apart([0.0, 4.5, 5.0], 1.0, most=5.0)
    array([0., 4., 5.])
    """
    wanted = np.asarray(places, dtype=float)
    order = np.argsort(wanted, kind="stable")
    blocks: list[list[float]] = []  # mean of (wanted − rank·gap), number
    for rank, at in enumerate(wanted[order]):
        blocks.append([at - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, number = blocks.pop()
            before, many = blocks[-1]
            blocks[-1] = [(before * many + mean * number) / (many + number), many + number]
    ranks, found = np.arange(len(wanted)), np.empty(len(wanted))
    free = np.repeat([mean for mean, _ in blocks], [n for _, n in blocks]) + ranks * gap
    # under the ceiling those that would be pushed through it stand a gap apart from the top
    found[order] = np.minimum(free, most - ranks[::-1] * gap)
    return found


def broken(text: str, width: float, size: float = FONT_SIZE, *, bold: bool = False) -> str:
    """
    A name on as many lines as it needs: broken at spaces, after hyphens and dashes, and nowhere else.

    Examples
    --------
    >>> broken("Gaspésie–Îles-de-la-Madeleine", 120, 11).split(chr(10))
    ['Gaspésie–Îles-de-', 'la-Madeleine']
    """
    pieces = re.findall(r"[^ \-–]+(?:[\-–]+| |$)|[ \-–]", text)
    lines = [""]
    for piece in pieces:
        if lines[-1] and text_width((lines[-1] + piece).rstrip(" "), size, bold=bold) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.strip(" ") for line in lines)
