"""One page for each organisation on the quality of its deposits, to send back to it; and an index for the ministry.

They are in `sensitive/organismes/`, open to its owner alone: numbers are exact. They are in French whatever language
the reports are in, as all that is written to partners. No name, birth date, file number or remark is on them: a row is
identified by its file, sheet and number.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from .. import tables
from ..analysis.quality import (
    HARMLESS,
    LATE,
    LATE_TOLD_MONTHS,
    LISTED,
    MISSING,
    READ,
    UNSETTLED,
    Quality,
    fiscal_quarter,
    organisation_quality,
)
from ..deposits.check import shown
from ..deposits.crosswalks import load_crosswalk
from ..deposits.rules import EFFECTS, message_in_french, reasons
from ..exceptions import NotebookError, StaleTableError
from ..folders import private_folder, replaced, slug
from ..provenance import settings_of
from ..stamps import Stamp, file_hash
from ..study import Study
from ..version import __version__
from .html import css_text, listing, style
from .markup import definition_list, element, html_table, join
from .readings import GOOD, MEND, UNMEASURED, WATCH, light
from .run import SHAPING_FILES, libraries, whole_source
from .words import Words, french, words

# ----------------------------------------------------------------------------------------------------
# The page of one organisation: a summary by lights, then the findings.
#
# The heading of a finding is a sentence with its number; under it are its effect on the portrait, the remedy, and the
# rows concerned. Faults of rows and cells, and their remedies, are in the words of `check` (deposits/reasons.toml).

# Measures that are findings wherever they are not zero, by section, the most costly first.
FOLLOWING = ("contact_not_made", "not_reached", "establishment_told_late", "departure_told_late", "not_met")
WHO = ("no_full_birth_date", "no_full_name", "undecided_pair", "old_address")
# One call of five that reaches nobody is usual: a finding only from there on.
OFTEN_UNREACHED = 0.20
# How many places as typed are listed for one reason.
_TYPED = 12


@dataclass(frozen=True)
class Organisation:
    """One organisation: its code, its row of `Quality.organisations`, and its rows of the other tables."""

    code: str
    facts: Any
    measures: Sequence[Any]
    places: Sequence[Any]
    quarters: Sequence[Any]
    typed: Sequence[Any]
    levels: Sequence[Any]
    files: Sequence[Any]
    follow_up_months: tuple[int, ...]
    incomplete: bool

    @property
    def title(self) -> str:
        """Its name, else its code."""
        return shown(self.facts.name or self.code)

    def of(self, measure: str) -> list[Any]:
        """The rows of a measure that are not zero, the most frequent first."""
        rows = [row for row in self.measures if row.measure == measure and row.n > 0]
        return sorted(rows, key=lambda row: -row.n)


def summary(organisation: Organisation, words: Words) -> Markup:
    """The lights, one a subject, under a sentence on the worst of them."""
    say = words.say
    rows = [[say(f"subject.{row.subject}"), light(row.level, words), _seen(row, words)] for row in organisation.levels]
    header = [say("organisation.subject"), say("organisation.state"), say("organisation.seen")]
    worst = next((level for level in (MEND, WATCH) if any(row.level == level for row in organisation.levels)), GOOD)
    lead = worst if next(_findings(organisation, words), None) else "nothing"
    return element(
        "section",
        element("h2", say("organisation.summary"), id="t-bref"),
        element("p", say(f"organisation_lead.{lead}"), class_="lead"),
        html_table(say("organisation.summary_caption"), header, rows, numeric=False),
        element("p", say("organisation.absent"), class_="note") if organisation.incomplete else None,
        aria_labelledby="t-bref",
    )


def _seen(row: Any, words: Words) -> str:
    if row.level == UNMEASURED:
        return words.say("organisation.unmeasured")
    if row.n == 0:
        return words.say("organisation.nothing")
    return words.say_many(
        f"organisation_seen.{row.subject}", int(row.n), of=words.number(row.of), share=_share(row.share, words)
    )


def sections(organisation: Organisation, words: Words) -> list[Markup]:
    """The sections in order; without findings only those on files received and on columns."""
    parts: dict[str, list[Markup]] = {}
    for name, finding in _findings(organisation, words):
        parts.setdefault(name, []).append(finding)
    parts.setdefault("received", []).append(_received(organisation, words))
    parts.setdefault("columns", []).append(_columns(organisation, words))
    order = ("following", "received", "rows", "places", "cells", "who", "columns")
    return [
        element(
            "section",
            element("h2", words.say(f"organisation_section.{name}"), id=f"t-{name}"),
            *parts[name],
            aria_labelledby=f"t-{name}",
        )
        for name in order
        if name in parts
    ]


def _findings(organisation: Organisation, words: Words) -> Iterator[tuple[str, Markup]]:  # noqa: C901  # a loop a kind of finding
    """Section and finding, one after the other."""
    for measure in FOLLOWING:
        for row in organisation.of(measure):
            if measure != "not_reached" or row.share >= OFTEN_UNREACHED:
                yield "following", _finding(organisation, measure, row, words)
    for state in (MISSING, LATE):
        quarters = [row for row in organisation.quarters if row.state == state]
        if quarters:
            yield "received", _quarters(state, quarters, words)
    for file in organisation.files:
        yield "received", _unreadable(file, words)
    for section, measure in (("rows", "set_aside"), ("places", "place"), ("cells", "cell")):
        for key, rows in _by_key(organisation.of(measure)):
            if key not in HARMLESS:
                yield section, _reason(organisation, measure, key, rows, words)
    for measure in WHO:
        for row in organisation.of(measure):
            yield "who", _finding(organisation, measure, row, words)
    if organisation.of("conflict"):
        yield "who", _conflicts(organisation, words)


def _by_key(rows: Iterable[Any]) -> list[tuple[str, list[Any]]]:
    """The rows of each reason, the most frequent first; last, slips in places, which were understood."""
    by_key: dict[str, list[Any]] = {}
    for row in rows:
        by_key.setdefault(row.key, []).append(row)
    return sorted(by_key.items(), key=lambda of_key: (of_key[0] == "place_slip", -sum(row.n for row in of_key[1])))


def _finding_html(sentence: str, *facts: tuple[str, object] | None) -> Markup:
    return join(element("h3", sentence), definition_list([fact for fact in facts if fact and fact[1]]))


def _finding(organisation: Organisation, measure: str, row: Any, words: Words) -> Markup:
    say = words.say
    sentence = words.say_many(
        f"organisation_finding.{measure}",
        int(row.n),
        of=words.number(row.of),
        share=_share(row.share, words),
        late=words.months(LATE_TOLD_MONTHS),
    )
    months = words.listing([words.number(month) for month in organisation.follow_up_months])
    beside = None
    if pd.notna(row.median):
        beside = (say("organisation.others"), say("organisation.median", share=_share(row.median, words)))
    return _finding_html(
        sentence,
        (say("organisation.changes"), say(f"organisation_changes.{measure}")),
        beside,
        (say("organisation.do"), say(f"organisation_do.{measure}", months=months)),
        (
            say("organisation.where" if measure != "contact_not_made" else "organisation.settled_at"),
            _addresses(organisation, measure, None, words),
        ),
    )


def quarter(fiscal_year: str, number: int) -> str:
    """
    A quarter as partners write it.

    Examples
    --------
    >>> quarter("2021-2022", 3)
    'T3 2021-2022'
    """
    return f"T{number} {fiscal_year}"


def _quarters(state: str, rows: Sequence[Any], words: Words) -> Markup:
    say = words.say
    listed = [
        say("organisation.quarters_of", year=year, quarters=words.listing([f"T{one.quarter}" for one in quarters]))
        for year, quarters in itertools.groupby(rows, key=attrgetter("fiscal_year"))
    ]
    return _finding_html(
        words.say_many(f"organisation_quarters.{state}", len(rows)),
        (say("organisation.changes"), say(f"organisation_changes.quarter_{state}")),
        (say("organisation.do"), say(f"organisation_do.quarter_{state}")),
        (say("organisation.which"), element("ul", *(element("li", line) for line in listed))),
    )


def _unreadable(file: Any, words: Words) -> Markup:
    say = words.say
    wrong, do = message_in_french(file.message or "")
    return _finding_html(
        say("organisation.unreadable", file=shown(file.file)),
        (say("organisation.problem"), _typeset(wrong)),
        (say("organisation.changes"), say("organisation_changes.unreadable")),
        (say("organisation.do"), _typeset(do)),
    )


def _reason(organisation: Organisation, measure: str, key: str, rows: Sequence[Any], words: Words) -> Markup:
    """A reason for which rows or cells were set aside, over all columns, in the words of `check`."""
    say = words.say
    reason = reasons().get(key) or reasons()["to_verify"]
    n, of = sum(row.n for row in rows), max(row.of for row in rows)
    changes = _sentence(EFFECTS[reason.effect][0])
    if measure == "set_aside" or key in UNSETTLED:
        changes = say("organisation_changes.set_aside" if measure == "set_aside" else "organisation_changes.place")
    message = "organisation.rows_of" if measure == "set_aside" else "organisation.cells_of"
    count = words.say_many(message, n, share=_share(n / of if of else None, words))
    columns = [
        say("organisation.column_n", column=_header(row.column), n=words.number(row.n)) for row in rows if row.column
    ]
    return _finding_html(
        say("organisation.reason", reason=_typeset(reason.french).rstrip("."), count=count),
        (say("organisation.changes"), changes),
        (say("organisation.do"), _typeset(reason.remedy)),
        (say("organisation.column"), words.listing(columns)),
        (say("organisation.typed"), _typed(organisation, key, words)),
        (say("organisation.where"), _addresses(organisation, measure, key, words)),
    )


def _conflicts(organisation: Organisation, words: Words) -> Markup:
    say, rows = words.say, organisation.of("conflict")
    n, of = sum(row.n for row in rows), max(row.of for row in rows)
    rules = [
        say("organisation.column_n", column=words.label("conflicts", row.key).rstrip("."), n=words.number(row.n))
        for row in rows
    ]
    return _finding_html(
        words.say_many("organisation_finding.conflict", n, of=words.number(of), share=_share(n / of, words)),
        (say("organisation.changes"), say("organisation_changes.conflict")),
        (say("organisation.why"), element("ul", *(element("li", line) for line in rules))),
        (say("organisation.do"), say("organisation_do.conflict")),
        (say("organisation.where"), _addresses(organisation, "conflict", None, words)),
    )


def _received(organisation: Organisation, words: Words) -> Markup:
    """The rows of all files by what became of them; rows of other organisations in them, and own rows in others'."""
    say, facts, aside = words.say, organisation.facts, organisation.of("set_aside")
    names = ("accepted", "quarantined", "superseded", "duplicate")
    rows = [
        [say(f"organisation_rows.{name}"), words.number(n), _share(n / facts.n_read if facts.n_read else None, words)]
        for name, n in ((name, getattr(facts, f"n_{name}")) for name in names)
    ]
    rows.append([say("organisation_rows.read"), words.number(facts.n_read), words.percent(1.0 if rows else None)])
    header = [say("organisation.fate"), say("organisation.rows"), say("organisation.share")]
    harmless = sum(row.n for row in aside if row.key in HARMLESS)
    notes = [
        words.say_many("organisation.harmless", harmless) if harmless else None,
        words.say_many("organisation.of_others", facts.n_of_others) if facts.n_of_others else None,
        words.say_many("organisation.elsewhere", facts.n_elsewhere) if facts.n_elsewhere else None,
    ]
    caption = say("organisation.rows_caption", files=words.say_many("organisation.n_files", facts.n_files))
    return html_table(caption, header, rows, note=" ".join(filter(None, notes)) or None)


def _columns(organisation: Organisation, words: Words) -> Markup:
    """The share filled in of the important columns, beside the median of the other organisations."""
    say = words.say
    blank = [row for row in organisation.measures if row.measure == "blank"]
    if not blank:
        return element("p", say("organisation.no_columns"))
    compared = any(pd.notna(row.median) for row in blank)
    rows = []
    for row in blank:
        full = _share(1 - row.share, words)
        cell = words.say_many("organisation.filled", int(row.n), share=full) if row.n else full
        rows.append([element("code", _header(row.key)), cell, *([_full_share(row.median, words)] if compared else [])])
    header = [say("organisation.column"), say("organisation.full"), *([say("organisation.others")] if compared else [])]
    note = say("organisation.columns_note") if compared else None
    return join(
        element("p", say("organisation.columns_what")),
        html_table(say("organisation.columns_caption"), header, rows, note=note),
    )


def _full_share(median: float, words: Words) -> str:
    return words.number(None) if pd.isna(median) else _share(1 - median, words)


def _typed(organisation: Organisation, key: str, words: Words) -> str | None:
    """Places as they were typed, the most frequent first."""
    rows = [row for row in organisation.typed if row.key == key]
    if not rows:
        return None
    listed = [words.say("organisation.typed_n", value=shown(row.value), n=words.number(row.n)) for row in rows[:_TYPED]]
    if len(rows) > _TYPED:
        listed.append(words.say_many("organisation.more_values", len(rows) - _TYPED))
    return words.listing(listed)


def _addresses(organisation: Organisation, measure: str, key: str | None, words: Words) -> Markup | None:
    """The files, sheets and rows that are listed, and how many more there are."""
    say = words.say
    listed = [row for row in organisation.places if row.measure == measure and key in (None, row.key)]
    n = sum({(row.key, row.column): row.n_rows for row in listed}.values())
    rows = sorted({(row.file, row.sheet, row.row): row for row in listed}.values(), key=attrgetter("sheet", "row"))
    rows = sorted(rows, key=attrgetter("file"), reverse=True)[:LISTED]
    lines = []
    for (file, sheet), group in itertools.groupby(rows, key=attrgetter("file", "sheet")):
        numbers = [str(row.row) for row in group]
        at = words.say_many("organisation.at_rows", len(numbers), rows=words.listing(numbers))
        name = say("organisation.sheet", file=shown(file), sheet=shown(sheet)) if sheet else shown(file)
        lines.append(element("li", say("organisation.address", file=name, rows=at)))
    if n > len(rows):
        lines.append(element("li", words.say_many("organisation.more_rows", n - len(rows))))
    return element("ul", *lines) if lines else None


def _header(column: str) -> str:
    """The header of the contract for a column: date_naissance; else as it was typed."""
    return load_crosswalk().labels["columns"].get(column) or shown(column)


def _sentence(text: str) -> str:
    return _typeset(f"{text[0].upper()}{text[1:]}.")


def _typeset(text: str) -> str:
    """A text of `check`, which is written for terminals too, as a page prints it."""
    return french(text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"))


def _share(share: float | None, words: Words) -> str:
    """A share with the decimals that it needs: 47 %, 2,2 %, less than 0,1 %."""
    if share is None or pd.isna(share):
        return words.number(None)
    if 0 < share < 0.001:
        return words.say("organisation.below", share=words.percent(0.001, 1))
    if 0.999 < share < 1:
        return words.say("organisation.above", share=words.percent(0.999, 1))
    return words.percent(share, 1 if 0 < share < 0.1 or 0.9 < share < 1 else 0)


# ----------------------------------------------------------------------------------------------------

FOLDER = "organismes"
# Beside the folder: the stamp of its pages.
STAMP = "organismes.json"
INDEX = "index"
LANGUAGE = "fr"
# Letters of a code that a file name keeps: systems refuse names of more than 255 bytes.
_LONGEST = 80


@dataclass(frozen=True)
class _Facts:
    """The facts in the head and the foot of every page."""

    version: str
    cutoff: pd.Timestamp
    synthetic: bool


def write_organisation_pages(study: Study, *, force: bool = False) -> list[str]:
    """
    Write the pages of all organisations and their index, and remove those of organisations that are gone.

    Nothing is written where inputs and pages are unchanged, unless with `force`.

    Returns
    -------
    list of str
        Faults, as sentences: a page that could not be made, or a missing build.
    """
    derived = study.paths.derived
    folder = private_folder(private_folder(study.paths.reports / "sensitive") / FOLDER)
    stamp, origin = stamp_of(folder), origin_of_pages(study)
    if not force and stamp.is_current(origin, alone=True):
        return []
    try:
        quality = organisation_quality(derived, study)
    except StaleTableError as error:
        return [f"The pages of the organisations were not made: {error}"]
    synthetic = tables.read_metadata(tables.RECORDS, derived).get("synthetic") == "yes"
    pages, faults = organisation_pages(quality, synthetic=synthetic)
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
    """The stamp of the pages of organisations in a folder."""
    return Stamp(folder.parent / STAMP, folder)


def origin_of_pages(study: Study) -> dict[str, object]:
    """Hashes of everything that the pages depend on."""
    build = {name: file_hash(study.paths.derived / f"{name}.parquet") for name in READ}
    return {
        "build": build,
        "study": settings_of(study),
        "source": whole_source(),
        "libraries": libraries(SHAPING_FILES),
    }


def organisation_pages(quality: Quality, *, synthetic: bool = False) -> tuple[dict[str, str], list[str]]:
    """
    File name → page, with the index; and the faults, as sentences.

    A page that would hold what no page may (`html.FORBIDDEN`) is not made: the index has no link to it.
    """
    w = words(LANGUAGE)
    facts = _Facts(__version__, quality.cutoff, synthetic)
    names = file_names(quality.organisations["organisation_id"])
    pages, faults = {}, []
    for organisation in _organisations(quality):
        try:
            pages[names[organisation.code]] = _page(organisation, w, facts)
        except NotebookError as error:
            faults.append(str(error))
    try:
        index = _index(quality, {code: name for code, name in names.items() if name in pages}, w, facts)
    except NotebookError as error:
        return pages, [*faults, str(error)]
    return {**pages, f"{INDEX}.html": index}, faults


def file_names(codes: Iterable[str]) -> dict[str, str]:
    """
    A file name for each code, made of letters, digits and hyphens; no two alike, none that of the index.

    Where two codes would have one name, both names end with a hash of the code.

    Examples
    --------
    >>> file_names(["OBR01", "A/1", "A-1"])
    {'OBR01': 'obr01.html', 'A/1': 'a-1-a5b3d27a.html', 'A-1': 'a-1-bc4e7be9.html'}
    """
    plain = {code: slug(code) for code in codes}
    counts = Counter(plain.values())
    file_by_code: dict[str, str] = {}
    for code, name in plain.items():
        digest = hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()
        if counts[name] > 1 or name == INDEX or len(name) > _LONGEST:
            name = f"{name[:_LONGEST]}-{digest[:8]}"
        # another code may have this name with its hash, by chance or on purpose
        file_by_code[code] = f"{name}.html" if f"{name}.html" not in file_by_code.values() else f"{digest}.html"
    return file_by_code


def _organisations(quality: Quality) -> Iterable[Organisation]:
    """Each organisation with its rows of every table."""
    rows = {name: _by_code(getattr(quality, name)) for name in ("measures", "places", "quarters", "typed", "levels")}
    unread = _by_code(quality.files.rename(columns={"owner": "organisation_id"}))
    for facts in quality.organisations.itertuples(index=False):
        code = facts.organisation_id
        own = {name: of_codes.get(code, ()) for name, of_codes in rows.items()}
        yield Organisation(
            code,
            facts,
            **own,
            files=unread.get(code, ()),
            follow_up_months=quality.follow_up_months,
            incomplete=bool(quality.absent),
        )


def _by_code(frame: pd.DataFrame) -> dict[str, list]:
    """The rows of each organisation, as named tuples, in one pass over the table."""
    by_code: dict[str, list] = {}
    for row in frame.itertuples(index=False):
        by_code.setdefault(row.organisation_id, []).append(row)
    return by_code


def _page(organisation: Organisation, w: Words, facts: _Facts) -> str:
    say = w.say
    period = (
        [
            (
                say("organisation.period"),
                say(
                    "organisation.from_to",
                    first=quarter(*fiscal_quarter(organisation.facts.first)),
                    last=quarter(*fiscal_quarter(organisation.facts.last)),
                ),
            )
        ]
        if pd.notna(organisation.facts.first)
        else []
    )
    facts_of_page = [
        (say("facts.cutoff"), w.date(facts.cutoff)),
        *period,
        (say("organisation.files"), w.number(organisation.facts.n_files)),
        (say("organisation.rows"), w.number(organisation.facts.n_read)),
        (say("organisation.dossiers"), w.number(organisation.facts.n_dossiers)),
    ]
    warning = join(element("strong", say("organisation.confidential")), " ", say("organisation.exact"))
    body = join(
        element(
            "header",
            element("p", say("organisation.series"), class_="series"),
            element("h1", organisation.title),
            element("p", say("organisation.code", code=organisation.code), class_="kind")
            if organisation.title != organisation.code
            else None,
            element("p", warning, class_="warning"),
            definition_list(facts_of_page),
            class_="opening",
        ),
        summary(organisation, w),
        *sections(organisation, w),
    )
    title = say("organisation.page_title", name=organisation.title)
    return listing(_shell(title, w, facts), body, f"the page of the organisation {organisation.code!r}")


def _index(quality: Quality, pages: dict[str, str], w: Words, facts: _Facts) -> str:
    """Organisations, those with the most to mend first: subjects to mend or to watch, and numbers of rows."""
    say = w.say
    rows = []
    levels = _by_code(quality.levels)
    for row in quality.organisations.itertuples(index=False):
        code = row.organisation_id
        name = element("a", row.name or code, href=pages[code]) if code in pages else row.name or code
        rows.append(
            [
                join(name, " ", element("span", code, class_="limits") if row.name else None),
                _lights(levels[code], w),
                w.number(row.n_read),
            ]
        )
    unknown = quality.files[quality.files["owner"].isna()]
    header = [say("organisation.organisation"), say("organisation.state"), say("organisation.rows")]
    body = join(
        element(
            "header",
            element("p", say("organisation.series"), class_="series"),
            element("h1", say("organisation.index_title")),
            element("p", element("strong", say("organisation.index_confidential")), class_="warning"),
            class_="opening",
        ),
        element(
            "div",
            element("p", say("organisation.index_what"), class_="lead"),
            html_table(say("organisation.index_caption"), header, rows, numeric=False),
            class_="listing",
        ),
        element(
            "section",
            element("h2", say("organisation.nobodys_title")),
            element("p", say("organisation.nobodys")),
            element("ul", *(element("li", file) for file in unknown["file"])),
        )
        if len(unknown)
        else None,
    )
    return listing(_shell(say("organisation.index_title"), w, facts), body, "the index of the organisations")


def _lights(levels: list, w: Words) -> Markup:
    """The subjects that are not good, by level; one line where all are good."""
    lines = []
    for level in (MEND, WATCH):
        subjects = [w.say(f"subject.{row.subject}") for row in levels if row.level == level]
        if subjects:
            line = Markup(w.say("organisation.light_of")).format(  # noqa: S704 - the catalogue is ours
                light=light(level, w), subjects=w.listing(subjects)
            )
            lines.append(element("div", line))
    return join(*lines) if lines else light("good", w)


def _shell(title: str, w: Words, facts: _Facts) -> dict:
    """What the template prints around a page; without a link to the index, which is not for organisations."""
    synthetic = (w.say("page.synthetic"), w.say("page.synthetic_why")) if facts.synthetic else None
    foot = w.say("organisation.foot", version=facts.version, cutoff=w.date(facts.cutoff))
    return {
        "lang": w.tag,
        "title": title,
        "is_index": True,
        "synthetic": synthetic,
        "skip": w.say("page.skip"),
        "foot": foot,
        "css": style(),
        "running": css_text(w.say("page.running", region=title, cutoff=w.date(facts.cutoff))),
    }
