"""Figures of a page: each is drawn twice (wide and narrow), as plain SVG.

matplotlib draws without pyplot and without touching its global settings; text stays text, in the page's own font.
From the SVG everything is removed that a page does not need: metadata, date, namespace addresses, and style rules that
would apply to the rest of the page. Ids begin with the figure's name, since a page holds several. The same numbers give
the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from .markup import attributes_of, element, join, numbers_id

# Inks of the page (4.5:1 or more on white), and fills that differ in lightness, not only in hue.
INK, MUTED, RULE = "#1f2a37", "#52606d", "#cbd2d9"
CURVE, BAND, RIBBON, BOUND = "#123f6d", "#b5cbe0", "#e9ecef", "#6b7785"
FONT_SIZE = 13.0
LINE = 20.0  # height of a line of text in a figure

# Drawing sizes in CSS pixels; the page shows the one that fits (page.css), so that text is never scaled.
WIDE, NARROW = 720, 330

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "trajectories",
    "font.size": FONT_SIZE,
    "font.family": ["DejaVu Sans"],
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "grid.color": "#e4e7eb",
    "grid.linewidth": 1.0,
    "hatch.linewidth": 0.6,
    "path.simplify": False,
}


@dataclass(frozen=True)
class Drawing:
    """
    A finished figure.

    Attributes
    ----------
    name : str
        Its id on the page.
    svg, narrow : str
        The drawing for a page of ordinary width, and for a telephone.
    alt : str
        What it shows and its main numbers, in words.
    caption : str
    numbers : Markup or None
        The same numbers as a table (`markup.under_figure`), where the page does not put them under it itself.
    protected : bool
        False for a researcher's figure of an unprotected table: in a notebook it has the red band.
    """

    name: str
    svg: str
    narrow: str
    alt: str
    caption: str
    numbers: Markup | None = None
    protected: bool = True

    def _repr_html_(self) -> str:
        from .notebook_tables import banded

        label = attributes_of(role="img", aria_label=self.alt)
        figure = element("figure", Markup(self.svg.replace("<svg", f"<svg{label}", 1)), element("p", self.caption))  # noqa: S704
        return str(figure if self.protected else banded(figure))

    def html(self) -> Markup:
        """`<figure>` with the drawing in both widths (the page shows one), its text alternative and its caption; under
        it the numbers, where the page has no table of them."""
        label = {"role": "img", "aria_label": self.alt, "aria_details": numbers_id(self.name)}
        drawings = [
            Markup(svg.replace("<svg", f"<svg{attributes_of(class_=width, **label)}", 1))  # noqa: S704
            for svg, width in ((self.svg, "wide"), (self.narrow, "narrow"))
        ]
        return join(element("figure", *drawings, element("figcaption", self.caption), id=self.name), self.numbers)


def draw(name: str, paint: Callable, height: Callable[[int], int]) -> tuple[str, str]:
    """
    The wide and the narrow SVG of a figure.

    Parameters
    ----------
    name : str
        Prefix of every id in the drawing.
    paint : callable
        `paint(figure, width)` draws on a matplotlib figure whose unit is the CSS pixel (72 dots an inch).
    height : callable
        `height(width)` in pixels.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    drawings = []
    with matplotlib.rc_context(_SETTINGS):
        for width in (WIDE, NARROW):
            figure = Figure(figsize=(width / 72, height(width) / 72), dpi=72)
            FigureCanvasSVG(figure)
            paint(figure, width)
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
            drawings.append(_clean(buffer.getvalue(), f"{name}-{'w' if width == WIDE else 'n'}"))
    return drawings[0], drawings[1]


def _clean(svg: str, prefix: str) -> str:
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style[^>]*>.*?</style>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<defs>\s*</defs>\s*", "", svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    head = (
        f'<svg viewBox="0 0 {size[1]} {size[2]}" width="{size[1]}" height="{size[2]}" '
        'stroke-linejoin="round" stroke-linecap="butt">'
    )
    svg = head + svg[svg.index(">") + 1 :]
    # only elements that are referred to keep their id
    wanted = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in wanted else "", svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r'xlink:href="#', f'href="#{prefix}-', svg)
    # text in the page's font: matplotlib's family was needed for measuring only
    svg = re.sub(r"font: ((?:\d+ )?)([\d.]+px) [^;\"]*", r"font-weight: \1; font-size: \2", svg)
    svg = svg.replace("font-weight: ; ", "")
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    return re.sub(r"\n\s*", "\n", svg)


# ----------------------------------------------------------------------------------------------------
# Text in a figure: labels that do not overlap, line breaks in names, and the width of a text.
#
# Widths are estimates: the page draws the text in its own font, which is narrower than the one measured with.

# Width of an average letter of the widest of the page's fonts, as a share of the font's size (plain, bold).
_LETTER, _BOLD = 0.59, 0.66
SMALL = FONT_SIZE - 1.5


def text_width(text: str, size: float = FONT_SIZE, *, bold: bool = False) -> float:
    """The approximate width of a line of text, in pixels."""
    return len(text) * size * (_BOLD if bold else _LETTER)


def apart(places, gap: float, most: float = np.inf) -> np.ndarray:
    """
    Places as near to those wanted as a gap between any two allows, in the order given; none above `most`.

    Labels that would touch are spread evenly about their common middle (pooling of adjacent blocks: Ayer et al.
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
    ranks, positions = np.arange(len(wanted)), np.empty(len(wanted))
    free = np.repeat([mean for mean, _ in blocks], [int(n) for _, n in blocks]) + ranks * gap
    # positions that would exceed `most` are a gap apart, from `most` down
    positions[order] = np.minimum(free, most - ranks[::-1] * gap)
    return positions


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


# ----------------------------------------------------------------------------------------------------
# Fills that differ in lightness, and the ink that is read on each (4.5:1 or more).
#
# One blue, from dark to nearly white: printed in grey, or seen without colours, the order stays. Areas that touch are
# parted by a white line.

DARKEST, LIGHTEST = (18, 63, 109), (236, 241, 246)
# For up to four areas side by side: distinct in lightness (26, 48, 74, 93 of 100).
FOUR = ("#123f6d", "#4674a3", "#9dbbd8", "#ecf1f6")
EDGE = "#6b7785"  # around nearly white areas
HATCH = "////"
HATCH_INK = "#aab4bf"
_WHITE, _BLACK = "#ffffff", "#000000"
READABLE = 4.5


def shade(part: float) -> str:
    """
    The fill for a part of the scale, 0 (lightest) to 1 (darkest).

    Examples
    --------
    >>> shade(0.0), shade(1.0)
    ('#ecf1f6', '#123f6d')
    """
    part = min(max(part, 0.0), 1.0)
    mixed = (round(light + part * (dark - light)) for light, dark in zip(LIGHTEST, DARKEST, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def ink_on(fill: str) -> str:
    """
    The ink that can be read on a fill: the page's own, else white, else black (one of them has 4.5:1 on any fill).

    Examples
    --------
    >>> ink_on("#123f6d"), ink_on("#ecf1f6"), ink_on("#6784a2")
    ('#ffffff', '#1f2a37', '#000000')
    """
    return next((ink for ink in (INK, _WHITE) if contrast(ink, fill) >= READABLE), _BLACK)


def contrast(first: str, second: str) -> float:
    """
    The contrast of two colours (WCAG 2.1), 1 to 21.

    Examples
    --------
    >>> round(contrast("#ffffff", "#000000"))
    21
    """
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
