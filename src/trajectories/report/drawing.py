"""How a figure becomes part of a page: one set of lines and greys, drawn twice (wide and narrow), as plain SVG.

matplotlib draws without pyplot and without touching its global settings; text stays text, in the page's own font.
The SVG is then cut down to what a page needs: no metadata, no date, no namespace address, no style rule that would
reach the rest of the page, and ids that carry the figure's name, since a page holds several. Same numbers in, same
bytes out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from .markup import attributes_of, element, join
from .tables import numbers_id

# Inks of the page (4.5:1 or more on white), and fills that differ in lightness, not only in hue.
INK, MUTED, RULE = "#1f2a37", "#52606d", "#cbd2d9"
CURVE, BAND, RIBBON, BOUND = "#123f6d", "#b5cbe0", "#e9ecef", "#6b7785"
FONT_SIZE = 13.0
LINE = 20.0  # height of a line of text in a figure

# Drawing sizes in CSS pixels; the page shows the one that fits (page.css), so that text is never scaled.
WIDE, NARROW = 720, 330

_SETTINGS = {
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
        The same numbers as a table (`tables.under_figure`), where the page has none beside it (`html_table(of=name)`).
    protected : bool
        False for a researcher's figure of a table that is not: in a notebook it carries the red band.
    """

    name: str
    svg: str
    narrow: str
    alt: str
    caption: str
    numbers: Markup | None = None
    protected: bool = True

    def _repr_html_(self) -> str:
        from .banded import banded

        told = attributes_of(role="img", aria_label=self.alt)
        figure = element("figure", Markup(self.svg.replace("<svg", f"<svg{told}", 1)), element("p", self.caption))  # noqa: S704
        return str(figure if self.protected else banded(figure))

    def html(self) -> Markup:
        """`<figure>` with the drawing in both widths (the page shows one), what it says to whoever does not see it, and
        its caption; under it the numbers, where it has some of its own."""
        told = {"role": "img", "aria_label": self.alt, "aria_details": numbers_id(self.name)}
        drawings = [
            Markup(svg.replace("<svg", f"<svg{attributes_of(class_=shown, **told)}", 1))  # noqa: S704
            for svg, shown in ((self.svg, "wide"), (self.narrow, "narrow"))
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
    # only what is referred to keeps an id
    wanted = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in wanted else "", svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r'xlink:href="#', f'href="#{prefix}-', svg)
    # text in the page's font: matplotlib's own family is only what it measured with
    svg = re.sub(r"font: ((?:\d+ )?)([\d.]+px) [^;\"]*", r"font-weight: \1; font-size: \2", svg)
    svg = svg.replace("font-weight: ; ", "")
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    return re.sub(r"\n\s*", "\n", svg)
