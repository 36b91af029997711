"""What of a run is fresh, stale, failed or missing, and why: the build, the analysis, each page of each language.

What a thing was made from is kept beside it, part by part, as hashes; here it is held beside what it would be made from
now. What comes from something stale is stale too: made again, it may come out otherwise. Nothing is written.
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
from ..report.organisations import made_from as organisations_from
from ..report.organisations import stamp_of as stamp_of_organisations
from ..report.run import common, made_from
from ..report.words import FIRST, LOCALES
from ..stamps import Stamp, file_hash, fingerprint
from ..study import Study
from ..tables import PROVINCE
from .batch import NOTEBOOKS, Around, made_around_from, notebook_folder
from .manifest import parameters_of, read_failures, read_manifest

FRESH, STALE, FAILED, MISSING = "fresh", "stale", "failed", "missing"
# Part of an origin → what a sentence calls it; those of `_VALUES` are told with what they were and are.
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

    Languages are those of which there is, or should have been, a page; French where there is none.
    """
    build = _build(study)
    analysis = _analysis(study, build)
    found = [build, analysis, *_pages(study, notebook_folder(notebooks), analysis)]
    pages = found[2:]
    if any(page.status == FRESH for page in pages):
        found += _beside(study, notebook_folder(notebooks), build)
    return found


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
    noted = stamp.read()
    if not noted:
        return Thing(name, None, None, STALE, ("nothing says what it was made from",))
    why = changes(noted["origin"], now)
    other = [file for file, one in noted["files"].items() if file_hash(stamp.folder / file) != one]
    if other:
        why.append(f"files missing or not as they were written: {_some(other)}")
    return Thing(name, None, None, STALE if why else FRESH, tuple(why))


def _after(source: Thing, thing: Thing) -> Thing:
    """A thing made from another that is not fresh is not either."""
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
    shared = common(tables)
    for language in LOCALES:
        names = {}
        for region in reported_groups(study):
            place = shared_folder(out, language) / page_name(region)
            names[region] = place.relative_to(shareable).as_posix()
        if language != FIRST and not {*names.values()} & {*pages, *failed}:
            continue
        for region, name in names.items():
            notebook = notebooks / NOTEBOOKS[region != PROVINCE]
            now = made_from(tables, notebook, parameters_of(region, study, language), shared)
            state, why = _page(pages.get(name), failed.get(name), shareable / name, now)
            yield _after(analysis, Thing("page", language, region, state, tuple(why)))


def _page(known: Mapping | None, failed: Mapping | None, path: Path, now: Mapping[str, Any]) -> tuple[str, list[str]]:
    if failed is not None:
        why = changes(failed.get("made_from") or {}, now)
        return FAILED, [str(failed.get("message")), *(f"since then, {one}" for one in why)]
    if known is None:
        unknown = ["a page is there that no run has noted"] if path.is_file() else ["never made"]
        return (STALE if path.is_file() else MISSING), unknown
    then = known.get("made_from")
    why = changes(then if isinstance(then, dict) else {}, now)
    if not path.is_file():
        return MISSING, ["the page is no longer there", *why]
    if known.get("sha256") != file_hash(path):
        why.append("the page is not as it was made")
    if not why and known.get("fingerprint") != fingerprint(now):
        why.append("the manifest contradicts itself")
    return (STALE if why else FRESH), why


def _beside(study: Study, notebooks: Path, build: Thing) -> Iterator[Thing]:
    """What stands beside the pages; where no build is at hand, none of it is ever taken for done."""
    if build.status == MISSING:
        return
    out = study.paths.reports.resolve()
    tables = out / "sensitive" / "tables"
    around = Around(out, made_around_from(study, tables, notebooks))
    there = [one for one in LOCALES if (shared_folder(out, one) / INDEX).exists()]
    pages = read_manifest(out / "sensitive" / "manifest.json")
    same = around.is_whole(pages, there)
    why = () if same else (
        "something that they come from has changed, or a shared file" if around.stamp.path.is_file()
        else f"no run has noted them (sensitive/{around.stamp.path.name})",
    )  # fmt: skip
    yield Thing("around", None, None, FRESH if same else STALE, why)
    folder = out / "sensitive" / ORGANISATIONS
    if folder.is_dir():
        same = stamp_of_organisations(folder).is_current(organisations_from(study), alone=True)
        why = () if same else ("something that they come from has changed, or a page",)
        yield Thing("organisations", None, None, FRESH if same else STALE, why)


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
    found = []
    for part in [*now, *(part for part in then if part not in now)]:
        before, after = then.get(part), now.get(part)
        if before == after:
            continue
        if part in _VALUES:
            found += [
                f"{_VALUES[part]} {name} {_told(old, new)}" for name, old, new in _pairs(before, after) if old != new
            ]
        elif isinstance(before, Mapping) and isinstance(after, Mapping):
            names = [name.removesuffix(".parquet") for name, old, new in _pairs(before, after) if old != new]
            found.append(f"{_PARTS.get(part, part)} changed" + (f": {_some(names)}" if names else ""))
        else:
            found.append(f"{_PARTS.get(part, part)} changed")
    return found


def _pairs(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    before, after = (one if isinstance(one, Mapping) else {} for one in (before, after))
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            yield from ((f"{name}.{key}", a, b) for key, a, b in _pairs(old, new))
        else:
            yield name, old, new


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _told(old: Any, new: Any) -> str:
    """From what to what; of what is long, that it changed."""
    texts = ["none" if value is None else str(value) for value in (old, new)]
    return " → ".join(texts) if max(map(len, texts)) <= _LONGEST else "changed"
