"""One page an organisation on what its deposits lack, to send back to it; and an index of them for the ministry.

They stand in `sensitive/organismes/`, open to its owner alone: numbers are exact. They are in French whatever language
the reports are in, as all that is written to partners. No name, birth date, file number or remark is on them: a row is
named by its file, sheet and number.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from .. import tables
from ..exceptions import NotebookError, StaleTableError
from ..folders import private_folder, replaced
from ..provenance import settings_of
from ..quality import Quality, organisation_quality
from ..quality.given import READ
from ..quality.received import fiscal_quarter
from ..slug import slug
from ..stamps import Stamp, file_hash
from ..study import Study
from ..version import __version__
from .html import css_text, listing, style
from .lights import MEND, WATCH, light
from .markup import element, join
from .organisation_parts import Organisation, quarter, sections, summary
from .origins import SHAPING_FILES, libraries, whole_source
from .tables import definition_list, html_table
from .words import Words, words

FOLDER = "organismes"
# Beside the folder: of what its pages were made.
STAMP = "organismes.json"
INDEX = "index"
LANGUAGE = "fr"
# What stays of a code in a file name: systems refuse names of more than 255 bytes.
_LONGEST = 80


@dataclass(frozen=True)
class _Facts:
    """What the foot and the head of every page say."""

    version: str
    cutoff: pd.Timestamp
    synthetic: bool


def write_organisation_pages(study: Study, *, force: bool = False) -> list[str]:
    """
    Write the pages of all organisations and their index; those of organisations that are no longer there go.

    Where nothing that they come from has changed, and every page is as it was, they are left, unless `force` is asked.

    Returns
    -------
    list of str
        What went wrong, as sentences: a page that could not be made, or a build that is not there.
    """
    derived = study.paths.derived
    folder = private_folder(private_folder(study.paths.reports / "sensitive") / FOLDER)
    stamp, origin = stamp_of(folder), made_from(study)
    if not force and stamp.is_current(origin, alone=True):
        return []
    try:
        found = organisation_quality(derived, study)
    except StaleTableError as error:
        return [f"The pages of the organisations were not made: {error}"]
    synthetic = tables.read_metadata(tables.RECORDS, derived).get("synthetic") == "yes"
    pages, faults = organisation_pages(found, synthetic=synthetic)
    for name, text in pages.items():
        with replaced(folder / name) as scratch:
            scratch.write_text(text, encoding="utf-8")
    for path in folder.glob("*.html"):
        if path.name not in pages:
            path.unlink()
    if not faults:
        stamp.write(origin)
    return faults


def stamp_of(folder: Path) -> Stamp:
    """Of the pages of organisations in a folder."""
    return Stamp(folder.parent / STAMP, folder)


def made_from(study: Study) -> dict[str, object]:
    """Hashes of everything that the pages come from."""
    build = {name: file_hash(study.paths.derived / f"{name}.parquet") for name in READ}
    return {
        "build": build, "study": settings_of(study), "source": whole_source(), "libraries": libraries(SHAPING_FILES),
    }  # fmt: skip


def organisation_pages(found: Quality, *, synthetic: bool = False) -> tuple[dict[str, str], list[str]]:
    """
    File name → page, the index among them; and what went wrong, as sentences.

    A page that would hold what no page may is not made: the index lists its organisation without a link.
    """
    said = words(LANGUAGE)
    facts = _Facts(__version__, found.cutoff, synthetic)
    names = file_names(found.organisations["organisation_id"])
    pages, faults = {}, []
    for one in _each(found):
        try:
            pages[names[one.code]] = _page(one, said, facts)
        except NotebookError as error:
            faults.append(str(error))
    try:
        index = _index(found, {code: name for code, name in names.items() if name in pages}, said, facts)
    except NotebookError as error:
        return pages, [*faults, str(error)]
    return {**pages, f"{INDEX}.html": index}, faults


def file_names(codes: Iterable[str]) -> dict[str, str]:
    """
    A file name for each code, made of letters, digits and hyphens; no two alike, none that of the index.

    Where two codes would have one name, both carry a trace of the code itself, whatever their order.

    Examples
    --------
    >>> file_names(["OBR01", "A/1", "A-1"])
    {'OBR01': 'obr01.html', 'A/1': 'a-1-a5b3d27a.html', 'A-1': 'a-1-bc4e7be9.html'}
    """
    plain = {code: slug(code) for code in codes}
    counts = Counter(plain.values())
    found = {}
    for code, name in plain.items():
        digest = hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()
        if counts[name] > 1 or name == INDEX or len(name) > _LONGEST:
            name = f"{name[:_LONGEST]}-{digest[:8]}"
        # the name of another with such a trace, by chance or on purpose
        found[code] = f"{name}.html" if f"{name}.html" not in found.values() else f"{digest}.html"
    return found


def _each(found: Quality) -> Iterable[Organisation]:
    """Each organisation with its rows of every table."""
    rows = {name: _by_code(getattr(found, name)) for name in ("measures", "places", "quarters", "typed", "levels")}
    unread = _by_code(found.files.rename(columns={"owner": "organisation_id"}))
    for facts in found.organisations.itertuples(index=False):
        code = facts.organisation_id
        own = {name: of_codes.get(code, ()) for name, of_codes in rows.items()}
        yield Organisation(
            code, facts, **own, files=unread.get(code, ()), follow_up_months=found.follow_up_months,
            incomplete=bool(found.absent),
        )  # fmt: skip


def _by_code(frame: pd.DataFrame) -> dict[str, list]:
    """The rows of each organisation, as named tuples: looking a table through again for each would take longer."""
    found: dict[str, list] = {}
    for row in frame.itertuples(index=False):
        found.setdefault(row.organisation_id, []).append(row)
    return found


def _page(one: Organisation, said: Words, facts: _Facts) -> str:
    say = said.say
    period = [
        (say("organisation.period"), say("organisation.from_to", first=quarter(*fiscal_quarter(one.facts.first)),
                                         last=quarter(*fiscal_quarter(one.facts.last))))
    ] if pd.notna(one.facts.first) else []  # fmt: skip
    told = [
        (say("facts.cutoff"), said.date(facts.cutoff)), *period,
        (say("organisation.files"), said.number(one.facts.n_files)),
        (say("organisation.rows"), said.number(one.facts.n_read)),
        (say("organisation.dossiers"), said.number(one.facts.n_dossiers)),
    ]  # fmt: skip
    warning = join(element("strong", say("organisation.confidential")), " ", say("organisation.exact"))
    body = join(
        element(
            "header", element("p", say("organisation.series"), class_="series"), element("h1", one.title),
            element("p", say("organisation.code", code=one.code), class_="kind") if one.title != one.code else None,
            element("p", warning, class_="warning"), definition_list(told), class_="opening",
        ),
        summary(one, said), *sections(one, said),
    )  # fmt: skip
    title = say("organisation.page_title", name=one.title)
    return listing(_shell(title, said, facts), body, f"the page of the organisation {one.code!r}")


def _index(found: Quality, pages: dict[str, str], said: Words, facts: _Facts) -> str:
    """Organisations, those with the most to mend first: what is to be mended or watched, and how many rows."""
    say = said.say
    rows = []
    lit = _by_code(found.levels)
    for one in found.organisations.itertuples(index=False):
        code = one.organisation_id
        name = element("a", one.name or code, href=pages[code]) if code in pages else one.name or code
        rows.append([join(name, " ", element("span", code, class_="limits") if one.name else None),
                     _lights(lit[code], said), said.number(one.n_read)])  # fmt: skip
    unknown = found.files[found.files["owner"].isna()]
    header = [say("organisation.organisation"), say("organisation.state"), say("organisation.rows")]
    body = join(
        element(
            "header", element("p", say("organisation.series"), class_="series"),
            element("h1", say("organisation.index_title")),
            element("p", element("strong", say("organisation.index_confidential")), class_="warning"), class_="opening",
        ),
        element(
            "div", element("p", say("organisation.index_what"), class_="lead"),
            html_table(say("organisation.index_caption"), header, rows, numeric=False), class_="listing",
        ),
        element("section", element("h2", say("organisation.nobodys_title")), element("p", say("organisation.nobodys")),
                element("ul", *(element("li", file) for file in unknown["file"])))
        if len(unknown) else None,
    )  # fmt: skip
    return listing(_shell(say("organisation.index_title"), said, facts), body, "the index of the organisations")


def _lights(lit: list, said: Words) -> Markup:
    """The subjects that are not good, by their level; one line where all are."""
    lines = []
    for level in (MEND, WATCH):
        subjects = [said.say(f"subject.{row.subject}") for row in lit if row.level == level]
        if subjects:
            told = Markup(said.say("organisation.light_of")).format(  # noqa: S704 - the catalogue is ours
                light=light(level, said), subjects=said.listing(subjects)
            )
            lines.append(element("div", told))
    return join(*lines) if lines else light("good", said)


def _shell(title: str, said: Words, facts: _Facts) -> dict:
    """Everything that the template prints around a page; no way back to the index, which is not the organisation's."""
    synthetic = (said.say("page.synthetic"), said.say("page.synthetic_why")) if facts.synthetic else None
    foot = said.say("organisation.foot", version=facts.version, cutoff=said.date(facts.cutoff))
    return {
        "lang": said.tag, "title": title, "is_index": True, "synthetic": synthetic, "skip": said.say("page.skip"),
        "foot": foot, "css": style(),
        "running": css_text(said.say("page.running", region=title, cutoff=said.date(facts.cutoff))),
    }  # fmt: skip
