"""A traffic light that is not colour alone: a shape, a word and a colour, each enough without the other two."""

from __future__ import annotations

from markupsafe import Markup

from ..quality.levels import GOOD, MEND, UNMEASURED, WATCH
from .markup import element
from .words import Words

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
        One of `quality.levels.LEVELS`.
    words : Words

    Examples
    --------
    >>> from trajectories.report.words import words
    >>> light("watch", words("en"))
    Markup('<span class="light watch"><span aria-hidden="true">▲</span> To watch</span>')
    """
    shape = element("span", _SHAPES[level], aria_hidden="true")
    return element("span", shape, " ", words.say(f"light.{level}"), class_=f"light {level}")
