"""Fills that differ in lightness, and the ink that is read on each (4.5:1 or more).

One blue, from dark to nearly white: printed in grey, or seen without colours, the order stays. Areas that touch are
parted by a white line.
"""

from __future__ import annotations

from ..drawing import INK

DARKEST, LIGHTEST = (18, 63, 109), (236, 241, 246)
# Up to four things side by side: far enough apart in lightness (26, 48, 74, 93 of 100).
FOUR = ("#123f6d", "#4674a3", "#9dbbd8", "#ecf1f6")
EDGE = "#6b7785"  # round what is nearly white
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


def contrast(one: str, other: str) -> float:
    """
    The contrast of two colours (WCAG 2.1), 1 to 21.

    Examples
    --------
    >>> round(contrast("#ffffff", "#000000"))
    21
    """
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
