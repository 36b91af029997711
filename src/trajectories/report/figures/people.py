"""Ten persons, as many of them filled as a rate says: « environ 8 personnes sur 10 ».

In steps of half a person: a rate of whole percents is nearest to one of them, and a half is still seen. All ten are
filled only for a rate of 1, and none only for a rate of 0.
"""

from __future__ import annotations

import math

from markupsafe import Markup

from ..markup import element
from ..words import Words

TEN = 10
_STEP, _HEIGHT = 26, 42
# A head and shoulders, 24 wide: whole, and its left half.
_WHOLE = "M12 3a5 5 0 1 1 0 10a5 5 0 1 1 0-10zM4 39v-16a8 8 0 0 1 16 0v16z"
_HALF = "M12 3a5 5 0 0 0 0 10zM4 39v-16a8 8 0 0 1 8-8v24z"


def of_ten(rate: float) -> float:
    """
    How many of ten persons, to the nearest half.

    Examples
    --------
    >>> [of_ten(rate) for rate in (0.0, 0.01, 0.83, 0.85, 0.98, 1.0)]
    [0.0, 0.5, 8.5, 8.5, 9.5, 10.0]
    """
    halves = math.floor(2 * TEN * rate + 0.5) / 2
    return float(min(max(halves, 0.0 if rate == 0 else 0.5), TEN if rate == 1 else TEN - 0.5))


def of_ten_text(rate: float, words: Words) -> str:
    """
    The same as words.

    Examples
    --------
    >>> from trajectories.report.words import words
    >>> [of_ten_text(rate, words("fr")) for rate in (0.79, 0.84, 0.04, 1.0)]
    ['environ 8 personnes sur 10', 'entre 8 et 9 personnes sur 10', 'moins de 1 personne sur 10', '10 personnes sur 10']
    """
    persons = of_ten(rate)
    if rate in (0, 1):
        return words.say("of_ten.all" if rate == 1 else "of_ten.none")
    if persons == 0.5:
        return words.say("of_ten.under_one")
    if persons % 1:
        return words.say("of_ten.between", low=words.number(math.floor(persons)), high=words.number(math.ceil(persons)))
    return words.say("of_ten.about", n=words.number(persons))


def people(rate: float, staying: str, words: Words) -> Markup:
    """
    The ten persons as a drawing, its alternative text saying the same.

    Parameters
    ----------
    rate : float
        As it is displayed, 0–1.
    staying : str
        What the filled ones do: « demeurent encore en Estrie ».
    words : Words
    """
    persons = of_ten(rate)
    shapes = []
    for position in range(TEN):
        body = [element("path", d=_WHOLE, class_="empty")]
        if persons >= position + 1:
            body = [element("path", d=_WHOLE, class_="full")]
        elif persons > position:
            body.append(element("path", d=_HALF, class_="full"))
        shapes.append(element("g", *body, transform=f"translate({position * _STEP} 0)"))
    size = f"0 0 {TEN * _STEP} {_HEIGHT}"
    alt = words.say("of_ten.alt", n=of_ten_text(rate, words), staying=staying)
    return element("svg", *shapes, viewBox=size, class_="people", role="img", aria_label=alt)
