"""The annex, one for all regions: what a statistician needs to fault the estimates, once.

Curves and bounds of every region, comparisons, models, leads, sensitivity, the data, the terms and the settings of the
run. Pages link to it, a region's at the place of the region (`addresses.anchor`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape

from markupsafe import Markup

from . import sections
from .addresses import anchor
from .html import without_notebook
from .inputs import Report
from .markup import element, join
from .readings import series, state_of
from .run import Run
from .sections import elsewhere, leads, linkage, method, whole

_HEADING = re.compile(r'<h2 id="t-([\w-]+)">(.*?)</h2>')


def annex(reports: Sequence[Report], *, run: Run) -> str:
    """
    The page.

    Parameters
    ----------
    reports : sequence of Report
        The whole first, then regions and groups in the order in which they are listed.
        All in one language.
    run : Run

    Raises
    ------
    NotebookError
        The page would hold something that no page may (`html.FORBIDDEN`).
    """
    province = reports[0]
    w = province.words
    shown = [
        whole.regions(province), _each(reports), whole.compared(province), whole.flows(province),
        whole.types(province), whole.associations(province), leads.leads(province), sections.what_if(province),
        sections.data_quality(province), elsewhere.seen_elsewhere(province), sections.definitions(province),
        method.how_to_cite(province),
    ]  # fmt: skip
    content = element("div", *(part.html for part in shown), class_="annex")
    links = (element("a", unescape(title), href=f"#s-{name}") for name, title in _HEADING.findall(content))
    header = element(
        "header", element("p", series(w), class_="series"), element("h1", w.say("annex.title")),
        element("p", w.say("annex.what"), class_="lead"), class_="opening",
    )  # fmt: skip
    contents = element(
        "nav", element("ol", *(element("li", link) for link in links)), class_="contents",
        aria_label=w.say("contents.title"),
    )  # fmt: skip
    return without_notebook("annex", join(header, contents, content), w, run)


def _each(reports: Sequence[Report]) -> sections.Fragment:
    """The estimate of every region at every horizon, what stands beside it, and how far linkage moves it."""
    say = reports[0].words.say
    return sections.section(
        "estimations", say("annex.each.title"), element("p", say("retention.what")), *map(_one, _estimated(reports))
    )


def _estimated(reports: Sequence[Report]) -> Iterator[Report]:
    return (report for report in reports if state_of(report) in ("estimated", "insufficient"))


def _one(report: Report) -> Markup:
    name = report.words.region(report.region)
    parts = (sections.by_horizon(report), sections.bounds(report), sections.readings(report))
    return element("details", element("summary", name), *parts, linkage.threshold(report), id=anchor(report.region))
