"""The words that a page may say: those of the catalogues, of places, of dates, and of the markup itself.

The leak scan (leaks.py) is silent on a name that is one of them: « Laval » is a town, « an » a year, « Côté » is not
far from « côté ». All comparison is on plain text: no accents, no case, no punctuation, one line a piece of text.
"""

from __future__ import annotations

import ast
import csv
import datetime as dt
import functools
import itertools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..stamps import PACKAGE
from .elsewhere import FIGURES
from .words import LOCALES, method_text, read_catalogue

# Marks above and below letters, and signs of no width, which a reader does not see.
_UNSEEN = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0e31\u0e34-\u0e3a\u1ab0-\u1aff"
    "\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u00ad\u200b-\u200f\u2060\ufeff]+"
)
# Letters that Unicode does not take apart (persons/names.py has the same).
_LETTERS = (("ø", "o"), ("đ", "d"), ("ł", "l"), ("œ", "oe"), ("æ", "ae"), ("ı", "i"))
_NOT_WORDS = re.compile(r"[^\w\n]+|_+")
# Between the pieces of a Markdown text: paragraphs, items of a list, tags, what Jinja sets in.
_APART = re.compile(r"\n\s*\n|\n- |[<>]|\{\{.*?\}\}|\{%.*?%\}")
# What matplotlib and a browser call things in attributes, beside what our own code and templates say.
_MARKUP = """
    matrix translate rotate scale skewx skewy miter butt round square evenodd nonzero none inherit start middle end
    userspaceonuse objectboundingbox italic normal bold center left right top bottom utf preserve xml svg text html
    width device initial viewport referrer policy content security default src unsafe inline img font data
    anchor dasharray dashoffset opacity rgb hatch href label xlink baseline variant stretch weight size
    xmin ymin xmid ymid xmax ymax meet slice nowrap visible hidden
"""


@dataclass(frozen=True)
class Ordinary:
    """
    What a page may say.

    Attributes
    ----------
    words : frozenset of str
        Plain words.
    pairs : frozenset of str
        Two plain words that follow one another in a message or a place's name.
    first, last : frozenset of str
        Words that begin and end a message, or a part of one between two values: where parts meet.
    machine : frozenset of str
        `words`, and those of markup: ids, classes, styles.
    dates : frozenset of date
        Days that the run itself prints (its cut-off, the days of its tables).
    """

    words: frozenset[str]
    pairs: frozenset[str]
    first: frozenset[str]
    last: frozenset[str]
    machine: frozenset[str]
    dates: frozenset[dt.date]


def plain(text: str) -> str:
    """
    The text without accents, case and punctuation; lines stay lines.

    Examples
    --------
    >>> plain("Nguyễn-Thị\\nCÔTÉ, l’Œuvre")
    'nguyen thi\\ncote l oeuvre'
    """
    if not text.isascii():
        # twice: a full-width letter shows its case only once it is taken apart
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        text = _UNSEEN.sub("", text)
        for letter, by in _LETTERS:
            text = text.replace(letter, by)
    return _NOT_WORDS.sub(" ", text.casefold())


def ordinary(names: Iterable[str] = (), dates: Iterable[dt.date] = ()) -> Ordinary:
    """
    The words of this library and of places, and `names` (of the study's groups) beside them.

    Examples
    --------
    >>> said = ordinary(["Est lointain"])
    >>> {"lointain", "laval", "retention", "mars"} <= said.words, "est lointain" in said.pairs, "zhang" in said.words
    (True, True, False)
    """
    *known, machine = _of_library()
    found = [there | more for there, more in zip(known, _taken_apart(names), strict=True)]
    return Ordinary(*found, machine | found[0], frozenset(dates))


def on_method_page(said: Ordinary) -> Ordinary:
    """`said`, and what the text of the method page says: « Cox », « Fine » and « Gray » are authors on that page."""
    words, pairs, first, last = _of_method_page()
    return Ordinary(
        said.words | words, said.pairs | pairs, said.first | first, said.last | last, said.machine | words, said.dates
    )


@functools.cache
def _of_method_page() -> tuple[frozenset[str], ...]:
    paragraphs = (piece for language in LOCALES for piece in _APART.split(method_text(language)))
    return _taken_apart(" ".join(paragraph.split()) for paragraph in paragraphs)


@functools.cache
def _of_library() -> tuple[frozenset[str], ...]:
    words, *joints = _taken_apart([*_messages(), *_places(), *_calendar()])
    machine, *_ = _taken_apart([*_code(), _MARKUP])
    return words, *joints, machine


def _taken_apart(texts: Iterable[str]) -> tuple[frozenset[str], ...]:
    """Words, pairs of words, first words, last words of the lines of texts."""
    lines = [line.split() for line in plain("\n".join(texts)).split("\n") if line.strip()]
    return (
        frozenset(word for line in lines for word in line),
        frozenset(" ".join(two) for line in lines for two in itertools.pairwise(line)),
        frozenset(line[0] for line in lines),
        frozenset(line[-1] for line in lines),
    )


def _messages() -> Iterable[str]:
    for language in LOCALES:
        for message in read_catalogue(language):
            if message.id:
                told = [message.string] if isinstance(message.string, str) else message.string
                # what is set in a message is not next to its words
                yield from (re.sub(r"\{[^}]*\}", "\n", text) for text in told if text)
    yield from (source.name for figure in FIGURES for source in figure.sources)


def _places() -> Iterable[str]:
    for path in sorted((PACKAGE / "places" / "reference").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield from (value for value in row.values() if value)


def _calendar() -> Iterable[str]:
    from babel.dates import get_day_names, get_month_names

    for locale in LOCALES.values():
        for names in (get_month_names, get_day_names):
            for width in ("wide", "abbreviated"):
                yield from names(width, locale=locale).values()
    yield "1er"


def _code() -> Iterable[str]:
    """What this room's code and templates write into attributes and styles."""
    room = Path(__file__).parent
    for path in sorted((room / "template").iterdir()):
        yield path.read_text(encoding="utf-8")
    for path in sorted(room.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield from (
            node.value for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200  # no docstring
        )  # fmt: skip
