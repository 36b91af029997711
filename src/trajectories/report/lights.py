"""A traffic light that is not colour alone: a shape, a word and a colour, each enough without the other two."""

from __future__ import annotations

from markupsafe import Markup

from .markup import element
from .words import Words

GOOD, WATCH, MEND, UNMEASURED = LEVELS = ("good", "watch", "mend", "unmeasured")
# Filled shapes that differ in outline, so that they are told apart in grey and at the size of a letter.
_SHAPES = {
    GOOD: "\N{BLACK CIRCLE}", WATCH: "\N{BLACK UP-POINTING TRIANGLE}", MEND: "\N{BLACK SQUARE}",
    UNMEASURED: "\N{WHITE CIRCLE}",
}  # fmt: skip


def light(level: str, words: Words) -> Markup:
    """
    The mark of a level: a shape, which a screen reader skips, and the word, which it reads.

    Parameters
    ----------
    level : str
        One of `LEVELS`.
    words : Words

    Examples
    --------
    >>> from trajectories.report.words import words
    >>> light("watch", words("en"))
    Markup('<span class="light watch"><span aria-hidden="true">▲</span> To watch</span>')
    """
    shape = element("span", _SHAPES[level], aria_hidden="true")
    return element("span", shape, " ", words.say(f"light.{level}"), class_=f"light {level}")


def level_of(value: float | None, watch: float, mend: float) -> str:
    """
    The level of a measure of what goes wrong: the higher, the worse; nothing measured is no level.

    Parameters
    ----------
    value : float or None
    watch, mend : float
        From where on it is to be watched, and to be mended.

    Examples
    --------
    >>> [level_of(share, watch=0.02, mend=0.1) for share in (0.0, 0.02, 0.3, None)]
    ['good', 'watch', 'mend', 'unmeasured']
    """
    if value is None or value != value:
        return UNMEASURED
    return MEND if value >= mend else WATCH if value >= watch else GOOD
