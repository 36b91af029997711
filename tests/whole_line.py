"""Deposits to pages inside the test's process: what `trajectories run` makes, without a kernel a page."""

from __future__ import annotations

import re

from every_page import shown_by
from page_reading import notebook
from trajectories import analyse, pipeline
from trajectories.pipeline import Built
from trajectories.report import html
from trajectories.report.addresses import ANNEX, METHOD, page_name
from trajectories.report.annex import annex
from trajectories.report.inputs import open_all, open_reports
from trajectories.report.method_page import method_page
from trajectories.report.organisations import write_organisation_pages
from trajectories.report.run import all_protected
from trajectories.study import Study
from trajectories.tables import PROVINCE

# What a number that is not there looks like in Python, and nobody may read.
_NOT_SAID = re.compile(r"\b(?:nan|NaN|NaT|None|inf|Traceback)\b|<NA>|\{[a-z_]+\}")
_TAGS = re.compile(r"<(?:style|script|svg)\b.*?</(?:style|script|svg)>|<[^>]*>", re.DOTALL)


def whole_line(study: Study, groups: tuple[str, ...], language: str = "fr") -> tuple[Built, dict[str, str]]:
    """The build, and name → page: of the groups, the index, the method's, and those of the organisations."""
    built = pipeline.build(study)
    built.deposits.accounting()
    tables = analyse(study)
    found = all_protected(tables, rules=study.disclosure, support=study.support)
    reports = open_reports(tables, groups, language=language, protected=found)
    pages = {}
    for report in reports:
        shown = shown_by("province_report.ipynb" if report.region == PROVINCE else "region_report.ipynb", report)
        text = html.page(notebook(*shown), region=report.region, language=language, run=report.run)
        pages[page_name(report.region)] = text
    names = {report.region: page_name(report.region) for report in reports}
    pages["index.html"] = html.index(
        reports, names, language=language, run=reports[0].run, files=[], others={}, method=METHOD, annex=ANNEX
    )
    pages[ANNEX] = annex(open_all(tables, study, language=language, protected=found), run=reports[0].run)
    pages[METHOD] = method_page(reports[0].run, study.disclosure, language)
    assert write_organisation_pages(study, force=True) == []
    for path in (study.paths.reports / "sensitive" / "organismes").glob("*.html"):
        pages[f"organismes/{path.name}"] = path.read_text(encoding="utf-8")
    return built, pages


def not_said(pages: dict[str, str]) -> dict[str, list[str]]:
    """What stands on a page in the place of words, with what is around it."""
    found = {}
    for name, page in pages.items():
        text = " ".join(_TAGS.sub(" ", page).split())
        said = [text[max(0, at.start() - 40) : at.end() + 40] for at in _NOT_SAID.finditer(text)]
        if said:
            found[name] = said
    return found
