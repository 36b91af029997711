"""From an executed notebook to one self-contained page, and the index of all pages.

nbconvert writes the page with our own template (`templates/`, on its `basic`), and only the `Fragment`s of this room go
on it: no code, prompts or printed text. A page is one file: no script, no address that a browser would call, a content
security policy that forbids both; `lang`, headings in order, a skip link, a print style sheet. A notebook that failed
is never converted.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path

from markupsafe import Markup

from ..exceptions import NotebookError
from ..study import REGION_CODES
from .inputs import Report, frame_of
from .markup import MARK, element, html_table, join
from .readings import HEADLINE_HORIZON, by_hearsay, limits_text, marked, notes, rate_text, series, state_of
from .run import Run
from .sections.atlas import atlas
from .words import Words, words

TEMPLATES = Path(__file__).parent / "templates"
# Pages of no region.
_TITLES = {"index": "index.page_title", "method_page": "method_page.page_title", "annex": "annex.page_title"}
# Pages with numbers that are not of the run, and their own warning on a synthetic run.
_INVENTED = {"method_page": "method_page.synthetic_why"}
# What no page may hold: code to run, addresses to call, traces of the machine that made it.
FORBIDDEN = {
    "a script": re.compile(
        r"<\s*(script|iframe|object|embed|link|base|form)\b|\bjavascript:|\son\w+\s*=\s*[\"']", re.I
    ),
    "an address that would be called": re.compile(
        r"\b(https?|ftp|file|wss?):/|url\(\s*['\"]?(?!#|data:)|@import", re.I
    ),
    "a traceback": re.compile(r"Traceback \(most recent|\bFile &quot;|\bFile \"|\wError: |\x1b\[|ansi-red"),
    "a path of the machine": re.compile(
        r"(?<![\w<.])/(home|root|tmp|usr|var|work|Users|opt|mnt|srv|etc|Volumes|private|media|data|scratch|nfs|run)/"
        r"|\b[A-Z]:\\\\?\w|\\\\[\w.-]+\\\w"
    ),
}


def page(notebook, *, region: str, language: str, run: Run) -> str:
    """
    The page of an executed report notebook.

    Parameters
    ----------
    notebook : NotebookNode
        Executed; its outputs that are fragments of this room, in order, are the page.
    region, language : str
    run : Run

    Raises
    ------
    NotebookError
        The notebook holds an error, shows nothing, shows another region, or an image without alternative text; or
        the page would hold something that no page may (`FORBIDDEN`).
    """
    kept = _fragments_only(notebook)
    shell = _shell(region, words(language), run)
    html, _ = _exporter().from_notebook_node(kept, resources={"page": shell})
    if _missing_text().found:
        raise NotebookError(f"the page of {region} has an image without alternative text: {_missing_text().take()}")
    shown = [unescape(name) for name in re.findall(r'data-region="([^"]*)"', html)]
    if shown != [region]:
        raise NotebookError(
            f"the page of {region} says it is of {' and '.join(shown) or 'no region'}: nothing is kept."
        )
    html = _without_blank_lines(html)
    for fault in faults(html):
        raise NotebookError(f"the page of {region} holds {fault}: nothing is kept.")
    return html


def index(
    reports: Sequence[Report],
    pages: dict[str, str],
    *,
    language: str,
    run: Run,
    files: Sequence[str] = (),
    others: Mapping[str, str] | None = None,
    method: str | None = None,
    annex: str | None = None,
) -> str:
    """
    The page that links all the others, each with its headline rate (or why it has none).

    Parameters
    ----------
    reports : sequence of Report
        In the order in which they are listed.
    pages : dict
        Group → file name, for the groups that have a page.
    language : str
    run : Run
    files : sequence of str, optional
        Links to the workbook, the indicators and the dictionary (exports.py); without, no section on them.
    others : mapping of str to str, optional
        Language → link to its index.
    method : str, optional
        Link to the method page; without, no section on it.
    annex : str, optional
        Link to the annex, likewise.
    """
    w = words(language)
    rows = []
    for report in reports:
        name = w.region(report.region)
        link = element("a", name, href=pages[report.region]) if report.region in pages else name
        rate, limits = _headline_cells(report, w)
        code = report.region if report.region in REGION_CODES else w.number(None)
        rows.append([link, code, rate, limits])
    header = [
        w.say("column.region"),
        w.say("column.code"),
        w.say("column.retention_at", months=w.months(HEADLINE_HORIZON)),
        w.say("column.limits"),
    ]
    heard = any(_headline_hearsay(report) for report in reports)
    body = join(
        element(
            "header",
            element("p", series(w), class_="series"),
            element("h1", w.say("index.title")),
            *(_in_language(lang, href) for lang, href in (others or {}).items()),
            class_="opening",
        ),
        element(
            "div",
            element("p", w.say("index.what", months=w.months(HEADLINE_HORIZON)), class_="lead"),
            element("p", w.say("headline.method"), class_="note"),
            atlas(reports, pages, w),
            element("p", w.say("index.map_note"), class_="note"),
            html_table(w.say("index.caption"), header, rows, note=notes(w, "ranges.note", hearsay=heard)),
            class_="listing",
        ),
        _data(files, w),
        _method(method, annex, w),
    )
    return without_notebook("index", body, w, run)


def without_notebook(name: str, body: Markup, w: Words, run: Run) -> str:
    """A page of the reports that no notebook makes, around its body: `index`, `annex` or `method_page`."""
    return listing(_shell(name, w, run), body, f"the page {name}")


def listing(shell: Mapping[str, object], body: Markup, name: str) -> str:
    """
    A page that is made without a notebook: its body inside the shell that all pages share.

    Raises
    ------
    NotebookError
        The page, called `name`, would hold something that no page may (`FORBIDDEN`).
    """
    html = _without_blank_lines(_templates().get_template("listing.html.j2").render(page=shell, body=body))
    for fault in faults(html):
        raise NotebookError(f"{name} holds {fault}: nothing is kept.")
    return html


def style() -> str:
    """The style sheet of every page."""
    return (TEMPLATES / "page.css").read_text(encoding="utf-8")


def _in_language(language: str, href: str) -> Markup:
    """The link to the index in another language, with that language's own name."""
    w = words(language)
    link = element("a", w.say("language.name"), href=href, lang=w.tag, hreflang=w.tag)
    return element("p", link, class_="kind")


def _data(files: Sequence[str], w: Words) -> Markup | None:
    """The section with links to the files of data."""
    if not files:
        return None
    names = ("workbook", "indicators", "dictionary")
    links = {
        name: element("a", w.say(f"index.data_{name}"), href=file) for name, file in zip(names, files, strict=True)
    }
    sentence = Markup(w.say("index.data")).format(**links)  # noqa: S704 - the catalogue is ours, links are escaped
    return element("section", element("h2", w.say("index.data_title")), element("p", sentence))


def _method(page: str | None, annex: str | None, w: Words) -> Markup | None:
    """The section with the links to the method page and to the annex."""
    sentences = []
    for name, href in {"method": page, "annex": annex}.items():
        link = element("a", w.say(f"index.{name}_link"), href=href)
        said = Markup(w.say(f"index.{name}")).format(**{name: link})  # noqa: S704 - the catalogue is ours
        sentences += [element("p", said)] if href else []
    return element("section", element("h2", w.say("index.method_title")), *sentences) if sentences else None


def faults(html: str) -> list[str]:
    """
    What a page holds that no page may, as words; empty for a clean one.

    Examples
    --------
    >>> faults("<p>Estrie</p>"), faults("<script>1</script>")
    ([], ['a script'])
    """
    return [name for name, pattern in FORBIDDEN.items() if pattern.search(html)]


def _headline_cells(report: Report, w: Words) -> tuple[object, str]:
    state = state_of(report)
    if state in ("nobody", "too_small"):
        return w.say(f"index.{state}"), w.number(None)
    rates = frame_of(report.retention)
    row = rates[(rates["method"] == "main") & (rates["horizon"] == HEADLINE_HORIZON)]
    if row.empty:
        return w.say("insufficient"), w.number(None)
    rate = marked(rate_text(row.iloc[0], w), by_hearsay(row).iloc[0], w)
    return rate, limits_text(row.iloc[0], w)


def _headline_hearsay(report: Report) -> bool:
    rates = frame_of(report.retention)
    headline = rates[(rates["method"] == "main") & (rates["horizon"] == HEADLINE_HORIZON)]
    return state_of(report) == "estimated" and bool(by_hearsay(headline).any())


def _shell(region: str, w: Words, run: Run) -> dict:
    """Everything that the template prints around the sections."""
    own = region not in _TITLES
    name = w.region(region) if own else w.say(_TITLES[region])
    return {
        "lang": w.tag,
        "title": w.say("page.title", region=name) if own else name,
        "is_index": region == "index",
        "synthetic": (w.say("page.synthetic"), w.say(_INVENTED.get(region, "page.synthetic_why")))
        if run.synthetic
        else None,
        "skip": w.say("page.skip"),
        "back": w.say("page.index"),
        "foot": w.say("page.foot", version=run.version, cutoff=w.date(run.cutoff)),
        "running": css_text(w.say("page.running", region=name, cutoff=w.date(run.cutoff))),
        "css": style(),
    }


def css_text(text: str) -> Markup:
    """A text as a style sheet holds it, and as a page may hold the style sheet."""
    safe = re.sub(r'["\\<>&\n\r]', lambda sign: f"\\{ord(sign[0]):x} ", text)
    return Markup(f'"{safe}"')  # noqa: S704 - no sign is left that ends a text, a rule or a style sheet


def _fragments_only(notebook):
    """A copy that holds our fragments only, as outputs; refused if any cell failed or nothing is left."""
    import nbformat

    kept = nbformat.from_dict({**notebook, "cells": [], "metadata": {}})
    for position, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        outputs = []
        for output in cell.outputs:
            if output.output_type == "error":
                raise NotebookError(f"cell {position + 1} failed ({output.ename}): a failed notebook is not converted.")
            mark = output.get("metadata", {}).get("text/html", {}).get(MARK)
            if mark is not None and mark != "empty":
                outputs.append(nbformat.v4.new_output("display_data", data={"text/html": output.data["text/html"]}))
        if outputs:
            kept.cells.append(nbformat.v4.new_code_cell("", outputs=outputs, id=f"cell-{position}"))
    if not kept.cells:
        raise NotebookError("the notebook shows no section: there is nothing to convert.")
    return kept


class _MissingText(logging.Handler):
    """Collects nbconvert's warnings « Alternative text is missing », which are errors here."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "Alternative text is missing" in record.getMessage():
            self.found.append(record.getMessage())

    def take(self) -> str:
        messages, self.found = " ".join(self.found), []
        return messages


@functools.cache
def _missing_text() -> _MissingText:
    return _MissingText()


@functools.cache
def _templates():
    """Our templates alone, without nbconvert, which takes seconds to import."""
    import jinja2

    return jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)


@functools.cache
def _exporter():
    from nbconvert.exporters import HTMLExporter

    log = logging.getLogger("trajectories.nbconvert")
    log.propagate = False
    log.addHandler(_missing_text())
    exporter = HTMLExporter(
        template_name="templates", extra_template_basedirs=[str(TEMPLATES.parent)], exclude_input=True, log=log
    )
    exporter.environment.autoescape = True
    return exporter


def _without_blank_lines(html: str) -> str:
    """No blank lines, no trailing spaces: the same page whatever the template's own lines."""
    return "\n".join(line.rstrip() for line in html.splitlines() if line.strip()) + "\n"
