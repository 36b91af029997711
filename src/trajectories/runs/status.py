"""What of a run is fresh, stale, failed or missing, and why: the build, the analysis, each page of each language.

Each product of a run has the hashes of its inputs stored beside it; they are compared with those of the inputs as they
are now. What is made from something stale is stale too. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exceptions import StaleTableError, UnusableInputError
from ..groups import reported_groups
from ..provenance import analysed_from, built_from, same_study, stamp_of_analysis, stamp_of_build
from ..report.addresses import INDEX, page_name, shared_folder
from ..report.organisations import FOLDER as ORGANISATIONS
from ..report.organisations import origin_of_pages as origin_of_organisation_pages
from ..report.organisations import stamp_of as stamp_of_organisations
from ..report.run import origin_of_all_pages, origin_of_page
from ..report.words import FIRST, LOCALES
from ..stamps import Stamp, file_hash, fingerprint
from ..study import Study
from ..tables import PROVINCE
from .batch import NOTEBOOKS, EarlierRun, notebook_folder, origin_of_shared_files
from .manifest import parameters_of, read_failures, read_manifest

FRESH, STALE, FAILED, MISSING = "fresh", "stale", "failed", "missing"
# Part of an origin → its name in a sentence; parts of `_VALUES` are named with their old and new values.
_PARTS = {
    "deposits": "deposits", "crosswalks": "crosswalks", "exclusions": "exclusions by request",
    "review": "clerical review", "key": "key", "build": "tables of the build", "tables": "tables",
    "ledger": "ledger of publications", "notebook": "notebook", "source": "code", "locale": "catalogues",
    "model": "linkage model",
}  # fmt: skip
_VALUES = {"study": "setting", "notes": "build", "parameters": "parameter", "libraries": "library"}
_NAMED = 3
_LONGEST = 40


@dataclass(frozen=True)
class Thing:
    """
    One thing that a run makes.

    Attributes
    ----------
    thing : str
        `build`, `analysis`, `page`, `around` (indexes, files of data, method pages, the search for leaks) or
        `organisations`.
    language, region : str or None
        Of a page.
    status : str
        `fresh`, `stale`, `failed` or `missing`.
    why : tuple of str
        What has changed, or went wrong.
    """

    thing: str
    language: str | None
    region: str | None
    status: str
    why: tuple[str, ...] = ()


def status_of(study: Study, notebooks: Path | None = None) -> list[Thing]:
    """
    Everything that a run of this study makes, as it is now.

    Languages are those with a page or a failed page; French where there is none.
    """
    build = _build(study)
    analysis = _analysis(study, build)
    things = [build, analysis, *_pages(study, notebook_folder(notebooks), analysis)]
    pages = things[2:]
    if any(page.status == FRESH for page in pages):
        things += _beside(study, notebook_folder(notebooks), build)
    return things


def _build(study: Study) -> Thing:
    derived = study.paths.derived
    if not (derived / "cohort.parquet").is_file():
        return Thing("build", None, None, MISSING, (f"{derived} holds no build",))
    try:
        now = built_from(study)
    except UnusableInputError as error:
        return Thing("build", None, None, STALE, (str(error),))
    return _stamped("build", stamp_of_build(derived), now)


def _analysis(study: Study, build: Thing) -> Thing:
    folder = study.paths.reports / "sensitive" / "tables"
    if not (folder / "run.json").is_file():
        return Thing("analysis", None, None, MISSING, (f"{folder} holds no analysis",))
    try:
        now = analysed_from(study, same_study(study))
    except StaleTableError as error:
        return Thing("analysis", None, None, STALE, (str(error),))
    return _after(build, _stamped("analysis", stamp_of_analysis(folder), now))


def _stamped(name: str, stamp: Stamp, now: Mapping[str, Any]) -> Thing:
    stored = stamp.read()
    if not stored:
        return Thing(name, None, None, STALE, ("nothing says what it was made from",))
    why = changes(stored["origin"], now)
    changed_files = [file for file, one in stored["files"].items() if file_hash(stamp.folder / file) != one]
    if changed_files:
        why.append(f"files missing or not as they were written: {_shortened(changed_files)}")
    return Thing(name, None, None, STALE if why else FRESH, tuple(why))


def _after(source: Thing, thing: Thing) -> Thing:
    """A fresh thing becomes stale where its source is not fresh."""
    if source.status == FRESH or thing.status not in (FRESH, STALE):
        return thing
    return Thing(
        thing.thing, thing.language, thing.region, STALE, (*thing.why, f"the {source.thing} is {source.status}")
    )


def _pages(study: Study, notebooks: Path, analysis: Thing) -> Iterator[Thing]:
    out = study.paths.reports
    tables, shareable = out / "sensitive" / "tables", out / "shareable"
    manifest = out / "sensitive" / "manifest.json"
    pages, failed = read_manifest(manifest), read_failures(manifest)
    common_origin = origin_of_all_pages(tables)
    for language in LOCALES:
        names = {}
        for region in reported_groups(study):
            path = shared_folder(out, language) / page_name(region)
            names[region] = path.relative_to(shareable).as_posix()
        if language != FIRST and not {*names.values()} & {*pages, *failed}:
            continue
        for region, name in names.items():
            notebook = notebooks / NOTEBOOKS[region != PROVINCE]
            now = origin_of_page(tables, notebook, parameters_of(region, study, language), common_origin)
            state, why = _page(pages.get(name), failed.get(name), shareable / name, now)
            yield _after(analysis, Thing("page", language, region, state, tuple(why)))


def _page(page: Mapping | None, failed: Mapping | None, path: Path, now: Mapping[str, Any]) -> tuple[str, list[str]]:
    if failed is not None:
        why = changes(failed.get("made_from") or {}, now)
        return FAILED, [str(failed.get("message")), *(f"since then, {one}" for one in why)]
    if page is None:
        unknown = ["a page is there that no run has noted"] if path.is_file() else ["never made"]
        return (STALE if path.is_file() else MISSING), unknown
    then = page.get("made_from")
    why = changes(then if isinstance(then, dict) else {}, now)
    if not path.is_file():
        return MISSING, ["the page is no longer there", *why]
    if page.get("sha256") != file_hash(path):
        why.append("the page is not as it was made")
    if not why and page.get("fingerprint") != fingerprint(now):
        why.append("the manifest contradicts itself")
    return (STALE if why else FRESH), why


def _beside(study: Study, notebooks: Path, build: Thing) -> Iterator[Thing]:
    """The shared files beside the pages, and the pages of organisations; nothing where there is no build."""
    if build.status == MISSING:
        return
    out = study.paths.reports.resolve()
    tables = out / "sensitive" / "tables"
    earlier = EarlierRun(out, origin_of_shared_files(study, tables, notebooks))
    languages = [one for one in LOCALES if (shared_folder(out, one) / INDEX).exists()]
    pages = read_manifest(out / "sensitive" / "manifest.json")
    current = earlier.is_whole(pages, languages)
    why = (
        ()
        if current
        else (
            "something that they come from has changed, or a shared file"
            if earlier.stamp.path.is_file()
            else f"no run has noted them (sensitive/{earlier.stamp.path.name})",
        )
    )
    yield Thing("around", None, None, FRESH if current else STALE, why)
    folder = out / "sensitive" / ORGANISATIONS
    if folder.is_dir():
        current = stamp_of_organisations(folder).is_current(origin_of_organisation_pages(study), alone=True)
        why = () if current else ("something that they come from has changed, or a page",)
        yield Thing("organisations", None, None, FRESH if current else STALE, why)


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """
    What differs between two origins, a phrase a part.

    Examples
    --------
    >>> then = {"tables": {"exits": "a1", "odds": "b2"}, "source": "c3", "libraries": {"pandas": "2.3.1"}}
    >>> now = {"tables": {"exits": "a9", "odds": "b2"}, "source": "c3", "libraries": {"pandas": "2.3.3"}}
    >>> changes(then, now)
    ['tables changed: exits', 'library pandas 2.3.1 → 2.3.3']
    """
    phrases = []
    for part in [*now, *(part for part in then if part not in now)]:
        before, after = then.get(part), now.get(part)
        if before == after:
            continue
        if part in _VALUES:
            phrases += [
                f"{_VALUES[part]} {name} {_from_to(old, new)}" for name, old, new in _pairs(before, after) if old != new
            ]
        elif isinstance(before, Mapping) and isinstance(after, Mapping):
            names = [name.removesuffix(".parquet") for name, old, new in _pairs(before, after) if old != new]
            phrases.append(f"{_PARTS.get(part, part)} changed" + (f": {_shortened(names)}" if names else ""))
        else:
            phrases.append(f"{_PARTS.get(part, part)} changed")
    return phrases


def _pairs(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    before, after = (one if isinstance(one, Mapping) else {} for one in (before, after))
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            yield from ((f"{name}.{key}", a, b) for key, a, b in _pairs(old, new))
        else:
            yield name, old, new


def _shortened(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _from_to(old: Any, new: Any) -> str:
    """« old → new »; « changed » where one of them is long."""
    texts = ["none" if value is None else str(value) for value in (old, new)]
    return " → ".join(texts) if max(map(len, texts)) <= _LONGEST else "changed"
