"""Every kind of page in both languages, as files, without a kernel: for the tests that read pages whole.

From made-up tables that hold every figure. The sections, and their order, are read from the notebooks of the reports.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import nbformat

import figure_tables
from organisation_build import build_of_organisations
from page_reading import notebook
from trajectories.analysis.quality import organisation_quality
from trajectories.report import html
from trajectories.report.addresses import ANNEX, METHOD, page_name, shared_folder
from trajectories.report.annex import annex
from trajectories.report.inputs import Report, open_reports
from trajectories.report.method_page import method_page
from trajectories.report.organisations import INDEX, organisation_pages
from trajectories.report.run import all_protected
from trajectories.report.words import LOCALES
from trajectories.study import Study
from trajectories.tables import PROVINCE

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
GROUP = "Est"
# Of every kind: estimated; too small; nobody; all of it in the metropole; a group of regions; the whole.
KINDS = ("05", "09", "10", "06", GROUP, PROVINCE)
NAMES = (*(page_name(region) for region in KINDS), "index.html", METHOD, ANNEX)
# Those of organisations are in French whatever the others are in, and stand elsewhere: the index and one of them.
ORGANISATIONS = ("organismes/index.html", "organismes/organisme.html")
# As they stand below `shareable/`.
FILES = (*NAMES, *(f"en/{name}" for name in NAMES), *ORGANISATIONS)


def shown_by(name: str, report: Report) -> Iterator[object]:
    """What the cells of a report notebook show of a report: its imports and its expressions, run here."""
    known: dict[str, object] = {"report": report}
    for cell in nbformat.read(NOTEBOOKS / name, as_version=4).cells:
        for step in ast.parse(cell.source).body if cell.cell_type == "code" else ():
            if isinstance(step, ast.ImportFrom):
                exec(compile(ast.Module([step], []), name, "exec"), known)
            elif isinstance(step, ast.Expr):
                yield eval(compile(ast.Expression(step.value), name, "eval"), known)


def write_pages(out: Path) -> dict[str, Path]:
    """Write them below `out`/shareable: name there → file, for each of FILES."""
    facts = {"groups": {GROUP: ["03", "05"]}, "targets": {"05": {"2024-2025": 300}}}
    persons = {**figure_tables.PERSONS, GROUP: sum(figure_tables.PERSONS[region] for region in ("03", "05"))}
    tables = figure_tables.write_everything(out / "tables", persons, **facts)
    study = Study()
    found = all_protected(tables, rules=study.disclosure, support=study.support)
    for language in LOCALES:
        folder = shared_folder(out, language)
        folder.mkdir(parents=True, exist_ok=True)
        reports = open_reports(tables, KINDS, language=language, protected=found)
        for report in reports:
            shown = shown_by("province_report.ipynb" if report.region == PROVINCE else "region_report.ipynb", report)
            text = html.page(notebook(*shown), region=report.region, language=language, run=report.run)
            (folder / page_name(report.region)).write_text(text, encoding="utf-8")
        names = {report.region: page_name(report.region) for report in reports}
        text = html.index(
            reports, names, language=language, run=reports[0].run, files=["donnees/a.xlsx", "donnees/b.csv", "c.csv"],
            others={"en": "en/index.html"} if language == "fr" else {"fr": "../index.html"}, method=METHOD, annex=ANNEX,
        )  # fmt: skip
        (folder / "index.html").write_text(text, encoding="utf-8")
        text = method_page(reports[0].run, study.disclosure, language)
        (folder / METHOD).write_text(text, encoding="utf-8")
        text = annex(sorted(reports, key=lambda report: report.region != PROVINCE), run=reports[0].run)
        (folder / ANNEX).write_text(text, encoding="utf-8")
    _write_organisations(out)
    return {name: out / "shareable" / name for name in FILES}


def _write_organisations(out: Path) -> None:
    study = build_of_organisations(out / "organisations")
    made, _ = organisation_pages(organisation_quality(study.paths.derived, study), synthetic=True)
    (out / "shareable" / "organismes").mkdir()
    index = f"{INDEX}.html"
    # the index first, and the page that says most
    longest = max((name for name in made if name != index), key=lambda name: len(made[name]))
    for name, which in zip(ORGANISATIONS, (index, longest), strict=True):
        (out / "shareable" / name).write_text(made[which], encoding="utf-8")
