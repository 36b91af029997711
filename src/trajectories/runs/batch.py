"""Every region's page: each by papermill in a process of its own, those already made left alone, the index last.

A region that fails is named and leaves no page; the others go on. Under `out`:

- `shareable/`: the pages, `index.html`, `methode.html` (method_page.py) and `donnees/` (the published tables as files),
  whole files only, searched at the end for what may not leave (leaks.py); in English the same below `shareable/en/`, so
  that neither language overwrites the other. Whatever language is asked for, the index, the method page and the files
  of each language that is there are made again, since all tell the same tables, and the two indexes link each other;
- `sensitive/` (open to its owner alone): `notebooks/` executed, `logs/` of failures, `manifest.json`, and `withheld/`,
  what the search took out of `shareable/`.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ..deposits.deposits import CROSSWALKS
from ..disclosure import Protected
from ..exceptions import NotebookError
from ..folders import harmless, private_folder, replaced, scratch_name
from ..provenance import settings_of
from ..report.addresses import INDEX, METHOD, page_name, shared_folder
from ..report.exports import FOLDER as DATA
from ..report.inputs import open_reports
from ..report.leaks import Ordinary, Secrets, find_leaks, ordinary, sentence
from ..report.run import (
    SHAPING_FILES,
    AllProtected,
    Run,
    all_protected,
    common,
    data_of,
    keep_protected,
    libraries,
    whole_source,
)
from ..report.words import FIRST, LOCALES, words
from ..stamps import PACKAGE, Stamp, file_hash, hashes_below
from ..study import REGION_CODES, Study
from ..tables import PROVINCE
from .interrupts import held_back
from .manifest import Manifest, parameters_of
from .notebooks import check_notebook
from .worker import Job, begin, make_page, settle

# ----------------------------------------------------------------------------------------------------
# What stands around the pages, and what the search has cleared: whether any of it is to be done again.
#
# Files for spreadsheets, method pages and indexes come from the same tables as the pages, and every shared file is
# searched for what may not leave: seconds, each time, where nothing has changed. `sensitive/around.json` remembers, of
# the last run in which the search found nothing, what all of it came from and the hash of every shared file. A file is
# taken for searched only where it is that very file and where all that the search knows of (tables of the build, the
# deposits themselves, code) is the same; one doubt, and it is searched again.

STAMP = "around.json"
# Of a build, what the search reads.
SEARCHED_FOR = ("records", "quarantine", "issues")
# Persons as displayed → the class that a summary names.
CLASSES = ((50, "under 50"), (200, "50 to 199"), (1000, "200 to 999"))
LARGEST, NOT_TOLD = "1,000 or more", "not told"


def made_around_from(study: Study, tables: Path, notebooks: Path) -> dict[str, Any]:
    """Hashes of everything that the files around the pages come from, and that the search knows of."""
    raw, derived = study.paths.raw, study.paths.derived
    crosswalks = raw.absolute().parent / CROSSWALKS
    return {
        **data_of(tables),
        "all_tables": {path.name: file_hash(path) for path in sorted(tables.glob("*.parquet"))},
        "build": {name: file_hash(derived / f"{name}.parquet") for name in SEARCHED_FOR},
        "deposits": hashes_below(raw), "crosswalks": hashes_below(crosswalks),
        "notebooks": {path.name: file_hash(path) for path in sorted(notebooks.glob("*_report.ipynb"))},
        "study": settings_of(study), "source": whole_source(),
        "libraries": libraries(SHAPING_FILES),
    }  # fmt: skip


class Around:
    """What an earlier run left in a reports folder, if it was made from the same; nothing otherwise."""

    def __init__(self, out: Path, origin: Mapping[str, Any], *, ignore: bool = False):
        self.out, self.folder, self.origin = out, out / "shareable", origin
        self.stamp = Stamp(out / "sensitive" / STAMP, self.folder)
        self.kept = {} if ignore else self.stamp.read_if_of(origin)

    @property
    def persons(self) -> dict[str, str]:
        """Group → the class of its persons."""
        return self.kept.get("persons", {})

    def is_whole(self, pages: Mapping[str, Any], languages: Iterable[str]) -> bool:
        """Whether nothing is left to do: the same pages, the same files."""
        return self.kept.get("state") == _state(pages, languages) and self.kept["files"] == hashes_below(self.folder)

    def exports(self, language: str) -> list[str] | None:
        """The names of a language's files of data, where they are those that would be made; None where not."""
        here = shared_folder(self.out, language) / DATA
        below = f"{here.relative_to(self.folder).as_posix()}/"
        names = self.kept.get("exports", {}).get(language)
        known = {name: one for name, one in self.kept.get("files", {}).items() if name.startswith(below)}
        same = known == {f"{below}{name}": one for name, one in hashes_below(here).items()}
        return list(names) if names and same else None

    def clean(self) -> set[str]:
        """Files that were searched, byte for byte, for all that would be searched for now."""
        now, then = hashes_below(self.folder), self.kept.get("files", {})
        return {name for name in self.kept.get("searched", ()) if name in now and now[name] == then.get(name)}

    def note(
        self, before: Mapping[str, str | None], pages: Mapping[str, Any], languages: Iterable[str],
        exports: Mapping[str, list[str]], persons: Mapping[str, str],
    ) -> None:  # fmt: skip
        """Remember a run in which the search found nothing; `before`: the files as they were when it began."""
        now = hashes_below(self.folder)
        searched = sorted(name for name, one in before.items() if now.get(name) == one)
        state = _state(pages, languages)
        noted = {"state": state, "searched": searched, "exports": dict(exports), "persons": dict(persons)}
        self.stamp.write(self.origin, **noted)


def _state(pages: Mapping[str, Any], languages: Iterable[str]) -> dict[str, Any]:
    """What the indexes depend on beside the tables: which pages there are, and from what."""
    known = {name: page.get("fingerprint") for name, page in pages.items()}
    return {"pages": known, "languages": list(languages)}


def size_classes(counts: Protected) -> dict[str, str]:
    """
    Group → the class of the persons who settled there, from the number that is displayed.

    Examples
    --------
    >>> stays = {"group": ["05", "10"], "table": "stays", "key": "total", "persons": [493, 4], "households": [219, 3]}
    >>> from trajectories.disclosure import protect
    >>> size_classes(protect(pd.DataFrame(stays)))
    {'05': '200 to 999', '10': 'not told'}
    """
    stays = counts.frame[counts.frame["table"].eq("stays") & counts.frame["key"].eq("total")]
    found = {}
    for row in stays.itertuples():
        told = bool(row.shown) and pd.notna(row.persons_rounded)
        sizes = (name for limit, name in CLASSES if told and row.persons_rounded < limit)
        found[row.group] = next(sizes, LARGEST) if told else NOT_TOLD
    return found


# ----------------------------------------------------------------------------------------------------
# What the leak scan finds does not stay: a page, and every export of its region, go to `sensitive/withheld/`.
#
# What was found is written in `sensitive/logs/leaks.csv`, values and all; sentences for a console name the kind and
# the file only.

FOLDER = "withheld"
LOG = "leaks.csv"
NOT_SEARCHED = (
    "no build is at hand: names, dates and numbers of persons were not looked for in what is shared (traces of the "
    "machine, ids, postal codes and data attributes were)."
)


def withhold_leaks(
    out: Path, secrets: Secrets, said: Ordinary, stems: Mapping[str, str], *, searched: Collection[str] = ()
) -> dict[str, str]:
    """
    Search `shareable/`, and move what may not be there.

    Parameters
    ----------
    out : path
        The reports folder.
    secrets : Secrets
    said : Ordinary
    stems : mapping
        Region → what the names of its files begin with.
    searched : collection of str
        Files that an earlier run searched as they are now: not opened, and moved with what else is of their region.

    Returns
    -------
    dict
        Region, or name of a file that is no region's → what was found, as a sentence without values.
    """
    shareable, sensitive = out / "shareable", private_folder(out / "sensitive")
    log = private_folder(sensitive / "logs") / LOG
    log.unlink(missing_ok=True)
    findings = find_leaks(shareable, secrets, said, searched=searched)
    if findings.empty:
        return {}
    with replaced(log) as scratch:
        harmless(findings).to_csv(scratch, index=False)
    files = [path.relative_to(shareable).as_posix() for path in sorted(shareable.rglob("*")) if path.is_file()]
    owner = {file: _owner(file, stems) for file in files}
    told = {}
    for whose, rows in findings.groupby(findings["file"].map(owner), sort=False):
        moved = [file for file in files if owner[file] == whose]
        for file in moved:
            place = private_folder(sensitive / FOLDER) / file
            private_folder(place.parent)
            (shareable / file).replace(place)
        told[whose] = (
            f"{sentence(rows)}: moved to sensitive/{FOLDER} with all that is shared of it "
            f"(what was found: sensitive/logs/{LOG})"
        )
    return told


def what_may_be_said(tables: Path, run: Run) -> Ordinary:
    """The words of the library and of the study's groups, and the days that the run prints: those of its tables."""
    return ordinary(run.groups, {run.cutoff, *_days_of(tables)})


def _days_of(tables: Path) -> Iterable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in sorted(tables.glob("*.parquet")):
        schema = pq.read_schema(path)
        days = [name for name, kind in zip(schema.names, schema.types, strict=True) if pa.types.is_temporal(kind)]
        for _, column in pq.read_table(path, columns=days).to_pandas().items() if days else ():
            yield from (day.date() for day in pd.to_datetime(column.dropna().unique()))


def _owner(file: str, stems: Mapping[str, str]) -> str:
    """The region whose file it is (`region-05.html`, `region-05_durees.csv`, `region-05/…`), or the file itself."""
    first, *rest = file.split("/")
    if first in LOCALES and rest:
        first = rest[0]  # a page in another language is of the same region
    fits = [
        (len(stem), region) for region, stem in stems.items()
        if first == stem or first.startswith(tuple(f"{stem}{sign}" for sign in "._-"))
    ]  # fmt: skip
    return max(fits)[1] if fits else file


# ----------------------------------------------------------------------------------------------------

NOTEBOOKS = ("province_report.ipynb", "region_report.ipynb")
# A process that dies (killed for memory, say) takes its neighbours' futures with it: they are tried once more, alone.
ATTEMPTS = 2


@dataclass(frozen=True)
class Outcome:
    """
    What became of one region.

    Attributes
    ----------
    region : str
    status : str
        `done`, `skipped` (nothing had changed) or `failed`.
    seconds : float
    message : str or None
        What went wrong, or what to know.
    page : Path or None
        Where the page is; None where there is none.
    persons : str or None
        About how many persons settled there: the class of a number as it is displayed, never an exact one.
    """

    region: str
    status: str
    seconds: float
    message: str | None
    page: Path | None
    persons: str | None = None


def run_reports(
    study: Study,
    *,
    regions: Iterable[str],
    tables: Path,
    out: Path,
    language: str = "fr",
    jobs: int = 2,
    force: bool = False,
    on_event: Callable[[Outcome], object] | None = None,
    notebooks: Path | None = None,
    on_stage: Callable[[str], object] | None = None,
) -> list[Outcome]:
    """
    Make the pages of the regions and the index.

    Where nothing has changed since a run that ended well, and every file is as it was, nothing is made, nor searched
    for leaks, again.

    Parameters
    ----------
    study : Study
        Its publication rules and support are used.
    regions : iterable of str
        Two-digit codes as text, `province`, names of study.groups.
    tables : path
        The folder that the analysis wrote.
    out : path
        The reports folder.
    language : str
    jobs : int
        Processes at a time.
    force : bool
        Make pages again that nothing asks for.
    on_event : callable, optional
        Called with each `Outcome` as it comes.
    notebooks : path, optional
        The folder of region_report.ipynb and province_report.ipynb.
    on_stage : callable, optional
        Called with the name of each stage as it begins: `pages`, `files`, `index`, `search`.

    Returns
    -------
    list of Outcome
        In the order of `regions`; nothing is raised for a region that fails. After them, whatever else in `shareable/`
        was found to hold what may not leave (a page of an earlier run, the index), failed. Where no build is at hand
        the message of each says that names were not looked for.

    Raises
    ------
    NotebookError
        A region or language is unknown, or a notebook cannot take its parameters.
    StaleTableError
        A table of the analysis is missing, or was written by another version.

    Examples
    --------
    >>> from trajectories import analyse
    >>> study = Study.read("study.toml")
    >>> made = run_reports(study, regions=["14"], tables=analyse(study), out=study.paths.reports)
    >>> [(one.region, one.status) for one in made]
    [('14', 'done')]
    """
    regions = list(dict.fromkeys(regions))
    _refuse_unknown(regions, study)
    words(language)
    tables, out = Path(tables).resolve(), Path(out).resolve()
    Run.read(tables)
    folder = notebook_folder(notebooks)
    sensitive = private_folder(out / "sensitive")
    shared_folder(out, language).mkdir(parents=True, exist_ok=True)
    jobs_of = {region: _job(region, study, tables, out, language, folder) for region in regions}
    manifest = Manifest(sensitive / "manifest.json", out / "shareable")
    shared = common(tables)
    fresh = {region: job for region, job in jobs_of.items() if manifest.is_fresh(job, shared) and not force}
    around = Around(out, made_around_from(study, tables, folder), ignore=force)
    tell, begin = on_event or (lambda outcome: None), on_stage or (lambda stage: None)
    found: dict[str, Outcome] = {}
    begin("pages")
    for region, job in fresh.items():
        found[region] = Outcome(region, "skipped", 0.0, None, job.page)
        tell(found[region])
    to_make = [job for region, job in jobs_of.items() if region not in fresh]
    # whatever is damaged is made again, though nothing may need it today
    keep_protected(tables, rules=study.disclosure, support=study.support)
    for job, seconds, fault in _run(to_make, max(1, jobs)):
        manifest.note(job, fault)
        status, page = ("failed", None) if fault else ("done", job.page)
        found[job.region] = Outcome(job.region, status, seconds, fault, page)
        tell(found[job.region])
    there = [one for one in LOCALES if one == language or (shared_folder(out, one) / INDEX).exists()]
    if len(fresh) == len(jobs_of) and around.is_whole(manifest.pages, there):
        return [replace(found[region], persons=around.persons.get(region)) for region in regions]
    begin("files")
    protected = all_protected(tables, rules=study.disclosure, support=study.support)
    files = {one: around.exports(one) or _write_exports(protected, tables, out, one) for one in there}
    for one in there:
        _write_method_page(study, tables, out, one)

    def write_indexes(leaks: Iterable[str] = ()) -> None:
        # what was withheld is not there to lead to, nor made again
        indexes = {one: (shared_folder(out, one) / INDEX).relative_to(out / "shareable").as_posix() for one in files}
        left = [one for one in files if indexes[one] not in leaks]
        for one in left:
            told = [name for name in files[one] if (shared_folder(out, one) / name).is_file()]
            _write_index(study, tables, out, one, folder, manifest, protected, told, left)

    begin("index")
    write_indexes()
    begin("search")
    secrets = Secrets.of_build(study)
    before = hashes_below(out / "shareable")
    searched = around.clean() if secrets.at_hand else set()
    leaks = _search(secrets, study, tables, out, manifest, write_indexes, searched)
    for region, fault in leaks.items():
        seconds = found[region].seconds if region in found else 0.0
        found[region] = Outcome(region, "failed", seconds, fault, None)
    sizes = size_classes(protected[0]["counts"])
    if secrets.at_hand and not leaks:
        around.note(before, manifest.pages, there, files, sizes)
    elif leaks:
        around.stamp.remove()
    found = {region: replace(outcome, persons=sizes.get(region)) for region, outcome in found.items()}
    outcomes = [found[region] for region in dict.fromkeys((*regions, *leaks))]
    if secrets.at_hand:
        return outcomes
    return [replace(outcome, message=outcome.message or NOT_SEARCHED) for outcome in outcomes]


def _refuse_unknown(regions: list[str], study: Study) -> None:
    unknown = [region for region in regions if region not in (PROVINCE, *REGION_CODES, *study.groups)]
    if unknown:
        raise NotebookError(
            f"unknown region(s) {', '.join(map(repr, unknown))}: a region is a two-digit code between quotes, "
            f"from '01' to '17', '{PROVINCE}' for the whole, or a group of study.toml."
        )
    by_page = Counter(page_name(region) for region in regions)
    twice = [region for region in regions if by_page[page_name(region)] > 1]
    if twice:
        raise NotebookError(
            f"the groups {' and '.join(twice)} of study.toml would have the same page, {page_name(twice[0])}: "
            "name one of them otherwise."
        )


def notebook_folder(given: Path | None) -> Path:
    """The folder of the report notebooks: given, installed with the package, or of the repository."""
    places = [Path(given)] if given else [PACKAGE / "report" / "notebooks", PACKAGE.parents[1] / "notebooks"]
    for place in places:
        if any((place / name).is_file() for name in NOTEBOOKS):
            return place.resolve()
    where = " nor ".join(map(str, places))
    raise NotebookError(f"No report notebook in {where}: " + ("name their folder." if given else "install again."))


def _job(region: str, study: Study, tables: Path, out: Path, language: str, notebooks: Path) -> Job:
    name = page_name(region)
    # a slug has no point: no page of another language has this name
    kept = Path(name).stem + ("" if language == FIRST else f".{language}")
    return Job(
        region=region,
        notebook=notebooks / NOTEBOOKS[region != PROVINCE],
        parameters={"region": region, "tables": str(tables), **parameters_of(region, study, language)},
        executed=private_folder(out / "sensitive" / "notebooks") / f"{kept}.ipynb",
        made=out / "sensitive" / "notebooks" / scratch_name(f"{kept}.html"),
        page=shared_folder(out, language) / name,
        log=private_folder(out / "sensitive" / "logs") / f"{kept}.txt",
    )


def _run(jobs: list[Job], workers: int) -> Iterator[tuple[Job, float, str | None]]:
    """Each job's seconds and fault, as they end."""
    context = multiprocessing.get_context("spawn")
    for attempt in range(ATTEMPTS):
        if not jobs:
            return
        broken: list[Job] = []
        # the second time each has a pool of its own: who dies again dies alone
        for batch in [jobs] if attempt == 0 else [[job] for job in jobs]:
            others = set(multiprocessing.active_children())
            with ProcessPoolExecutor(min(workers, len(batch)), mp_context=context, initializer=begin) as pool:
                try:
                    # here, not in this process: reading a notebook needs Jupyter, which takes seconds to import
                    checks = _submitted(pool, check_notebook, _distinct(batch) if attempt == 0 else [])
                    for check in checks:
                        check.result()
                    futures = dict(zip(_submitted(pool, make_page, [(job,) for job in batch]), batch, strict=True))
                    for future in as_completed(futures):
                        job = futures.pop(future)
                        try:
                            seconds, fault = future.result()
                        except BrokenProcessPool:
                            broken.append(job)
                            continue
                        yield job, seconds, settle(job, fault)
                except BrokenProcessPool:
                    broken += batch  # before any page
                except BaseException:
                    # they write nothing that is shared, so that nothing is lost
                    for process in set(multiprocessing.active_children()) - others:
                        process.terminate()
                    pool.shutdown(cancel_futures=True)
                    raise
        jobs = broken
    for job in jobs:
        yield job, 0.0, settle(job, "the process that made this page died twice (memory?); nothing of it is kept.")


def _submitted(pool: ProcessPoolExecutor, function: Callable, arguments: Iterable[tuple]) -> list[Future]:
    """Processes are started here; a Ctrl-C meanwhile is heard after, or would end each of them with a traceback."""
    with held_back():
        return [pool.submit(function, *one) for one in arguments]


def _distinct(jobs: list[Job]) -> list[tuple[Path, Mapping[str, Any]]]:
    """Each notebook once, with the parameters that it will be given."""
    return list({job.notebook: (job.notebook, job.parameters) for job in jobs}.values())


def _write_exports(protected: AllProtected, tables: Path, out: Path, language: str) -> list[str]:
    """The published tables as files, always: the same tables give the same bytes. Their names, from the index page."""
    from ..report.exports import FOLDER, write_exports

    kept, more, _ = protected
    folder, within = shared_folder(out, language) / FOLDER, out / "sensitive"
    made = write_exports({**kept, **more}, words(language), Run.read(tables), folder, within)
    return [f"{FOLDER}/{name}" for name in made]


def _write_method_page(study: Study, tables: Path, out: Path, language: str) -> None:
    from ..report.method_page import method_page

    _put(method_page(Run.read(tables), study.disclosure, language), shared_folder(out, language) / METHOD, out)


def _put(text: str, page: Path, out: Path) -> None:
    """Write a page of `shareable/` whole: by way of the folder that is not shared."""
    with replaced(page, out / "sensitive") as scratch:
        scratch.write_text(text, encoding="utf-8")


def _search(
    secrets: Secrets, study: Study, tables: Path, out: Path, manifest: Manifest,
    write_indexes: Callable[[Iterable[str]], None], searched: set[str],
) -> dict[str, str]:  # fmt: skip
    """Region, or file of none → what was found in its files, which are then neither shared nor in the index."""
    groups = (*REGION_CODES, PROVINCE, *study.groups)
    stems = {group: Path(page_name(group)).stem for group in groups}
    leaks = withhold_leaks(out, secrets, what_may_be_said(tables, Run.read(tables)), stems, searched=searched)
    for region, why in leaks.items():
        manifest.forget(region, why)
    if leaks:
        write_indexes(leaks)
    return leaks


def _write_index(
    study: Study, tables: Path, out: Path, language: str, notebooks: Path, manifest: Manifest,
    protected: AllProtected, files: list[str], languages: Iterable[str],
) -> None:  # fmt: skip
    """The index, with a link to every page that is fresh, the main files and the other languages; the whole first."""
    from ..report.html import index

    run = Run.read(tables)
    there = _groups_of(tables)
    groups = [PROVINCE, *(group for group in (*REGION_CODES, *study.groups) if group in there)]
    jobs = {group: _job(group, study, tables, out, language, notebooks) for group in groups}
    shared = common(tables)
    pages = {group: job.page.name for group, job in jobs.items() if manifest.is_fresh(job, shared)}
    rules = dataclasses.asdict(study.disclosure)
    said: dict[str, Any] = {"language": language, "rules": rules, "support": study.support}
    reports = open_reports(tables, groups, **said, found=protected)
    here = shared_folder(out, language)
    to = {one: Path(os.path.relpath(shared_folder(out, one) / INDEX, here)).as_posix() for one in languages}
    others = {one: href for one, href in to.items() if one != language}
    method = METHOD if (here / METHOD).is_file() else None
    text = index(reports, pages, language=language, run=run, files=files[:3], others=others, method=method)
    _put(text, here / INDEX, out)


def _groups_of(tables: Path) -> set[str]:
    import pyarrow.parquet as pq

    return set(pq.read_table(tables / "retention.parquet", columns=["group"])["group"].to_pylist())
