"""« Ailleurs »: published rates that a reader will hold against those of this report, and why they are not the same.

Only figures that were read in a source enter, those marked [read] in docs/domain.md (§3.1, §3.2); a test finds every
number of the box in the row that it comes from. None is of this project's definition (established in a municipality
outside the perimeter, followed by PASI, from establishment on), so each says whom it is of, when its clock starts, and
what makes the difference.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from markupsafe import Markup

from ..inputs import Report
from ..markup import Fragment, element, join, section
from ..words import Words


@dataclass(frozen=True)
class Source:
    """
    Who published a figure.

    Attributes
    ----------
    name : str
        A code of the catalogue's family `cited` where the name has two languages, else the name itself.
    day : date or None
        Of the publication, where it was read.
    by_month : bool
        Whether the month alone is known.
    language : str
        Of a name that has one: a BCP 47 tag.
    """

    name: str
    day: dt.date | None = None
    by_month: bool = False
    language: str = "fr-CA"


@dataclass(frozen=True)
class Figure:
    """
    A published figure, or several that are read together.

    Attributes
    ----------
    code : str
        Its words in the catalogue: `elsewhere.<code>.title`, `.figure`, `.what`, `.why`.
    percents : tuple of str
        As their source writes them, decimals and all; `.figure` has them as {first}, {second}, {third}.
    sources : tuple of Source
    """

    code: str
    percents: tuple[str, ...]
    sources: tuple[Source, ...]


_LA_PRESSE = Source("La Presse", dt.date(2024, 2, 14))
_PLAN = Source("Plan d’action ministériel sur la régionalisation de l’immigration")
FIGURES = (
    Figure("quebec", ("85.1", "81.0", "93.4"), (_LA_PRESSE, Source("statcan_daily", dt.date(2024, 12, 19)))),
    Figure(
        "abitibi", ("50", "41"),
        (Source("Observatoire de l’Abitibi-Témiscamingue", dt.date(2024, 5, 1), by_month=True),),
    ),
    Figure("cities", ("85.5", "57.7"), (Source("CBC", language="en-CA"),)),
    Figure(
        "atlantic", ("94", "67.6"),
        (Source("ircc_evaluation"), Source("CIC News", dt.date(2022, 12, 1), by_month=True, language="en-CA")),
    ),
    Figure("indochina", ("50",), (_PLAN,)),
    Figure("metropole", ("85.5", "84.5"), (_PLAN, Source("Le Journal de Montréal", dt.date(2023, 9, 11)))),
)  # fmt: skip
_NAMES = ("first", "second", "third")


def seen_elsewhere(report: Report) -> Fragment:
    """The box."""
    say, words = report.words.say, report.words
    entries = [_entry(figure, words) for figure in FIGURES]
    # the banner of synthetic pages says of all numbers that they are invented
    real = element("p", say("elsewhere.real")) if report.run.synthetic else None
    return section(
        "ailleurs", say("elsewhere.title"), element("p", say("elsewhere.what"), class_="lead"), real,
        element("dl", *entries), class_="elsewhere",
    )  # fmt: skip


def _entry(figure: Figure, words: Words) -> Markup:
    rates = {
        name: words.percent(float(percent) / 100, len(percent.partition(".")[2]))
        for name, percent in zip(_NAMES, figure.percents, strict=False)
    }
    return element(
        "div",
        element("dt", words.say(f"elsewhere.{figure.code}.title")),
        element("dd", words.say(f"elsewhere.{figure.code}.figure", **rates), class_="rate"),
        element("dd", words.say(f"elsewhere.{figure.code}.what"), " ", words.say(f"elsewhere.{figure.code}.why")),
        *(
            element("dd", words.say("elsewhere.source"), " ", _cited(source, words), class_="note")
            for source in figure.sources
        ),
    )


def _cited(source: Source, words: Words) -> Markup:
    """Name and date; a name that has one language says which where the page has another."""
    translated = words.has(f"cited.{source.name}")
    language = None if translated or source.language == words.tag else source.language
    name = element("cite", words.label("cited", source.name), lang=language)
    if source.day is None:
        return name
    return join(name, ", ", words.month(source.day) if source.by_month else words.date(source.day))
