"""The red band of what is not protected, on HTML and in pictures: text, in a colour that is seen from afar."""

from __future__ import annotations

import base64
import io
from typing import Any

from markupsafe import Markup

from .markup import element, join
from .words import words

RED, WHITE = "#b00020", "#ffffff"  # contrast 7.3 : 1


def band_text() -> str:
    """« données non protégées, ne pas diffuser »"""
    return words("fr").say("notebook.band")


def banded(html: str) -> Markup:
    """
    HTML below the band.

    Examples
    --------
    >>> str(banded("<table></table>"))
    '<p lang="fr" style="...">données non protégées, ne pas diffuser</p><table></table>'
    """
    style = f"background-color: {RED}; color: {WHITE}; font-weight: bold; padding: 6px 12px; margin: 0 0 6px 0"
    return join(element("p", band_text(), lang="fr", style=style), Markup(html))  # noqa: S704 - html is markup


def picture(figure: Any, band: bool = True) -> tuple[str, str | None]:
    """
    A matplotlib figure with the band across its top, drawn into it: what is copied out of a notebook has it, too.

    Returns
    -------
    (str, str or None)
        Text, and an HTML image whose alternative text says the same; None for a figure on which nothing is drawn.
    """
    plain = f"{band_text()}\n{figure!r}" if band else repr(figure)
    if not (figure.axes or figure.lines or figure.texts):
        return plain, None
    if not band:
        return plain, _image(figure, _titles(figure))
    # clear of a title, that may stand above the figure's own edge
    above = (max(figure.get_tightbbox().y1, figure.get_figheight()) + 8 / 72) / figure.get_figheight()
    drawn = figure.text(
        0.5, above, f" {band_text()} ", ha="center", va="bottom", color=WHITE, weight="bold",
        bbox={"facecolor": RED, "edgecolor": "none", "boxstyle": "square,pad=0.5"},
    )  # fmt: skip
    try:
        return plain, _image(figure, [band_text(), *_titles(figure)])
    finally:
        drawn.remove()


def _titles(figure: Any) -> list[str]:
    titles = [axes.get_title(loc) for axes in figure.axes for loc in ("left", "center", "right")]
    titles = [figure.get_suptitle(), *titles]
    axes = [text for one in figure.axes[:1] for text in (one.get_ylabel(), one.get_xlabel())]
    return [*filter(None, titles)] or [*filter(None, axes)]


def _image(figure: Any, told: list[str]) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    alt = ". ".join(told)
    source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    return str(element("img", alt=alt, src=source))
