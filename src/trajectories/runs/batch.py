"""Every region's page: each by papermill in a process of its own, those already made left alone, the index last.

A region that fails is named and leaves no page; the others go on. Under `out`:

- `shareable/`: the pages, `index.html`, `annexe.html`, `methode.html` (method_page.py) and `donnees/` (the published
  tables as files), never half-written, and searched at the end for what may not leave (leaks.py); in English the same
  below `shareable/en/`. All but the pages of each language that is there are made again, whatever language is asked
  for, since all come from the same tables, and the indexes link each other;
- `sensitive/` (open to its owner alone): `notebooks/` executed, `logs/` of failures, `manifest.json`, and `withheld/`,
  what the search took out of `shareable/`.
"""

from __future__ import annotations

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
from ..report.addresses import ANNEX, INDEX, METHOD, page_name, shared_folder
from ..report.exports import FOLDER as DATA
from ..report.inputs import open_all
from ..report.leaks import Allowlist, Secrets, allowlist, find_leaks, sentence
from ..report.run import (
    SHAPING_FILES,
    AllProtected,
    Run,
    all_protected,
    data_hashes,
    keep_protected,
    libraries,
    origin_of_all_pages,
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
# Whether the shared files beside the pages are made, and all of them searched for leaks, again.
#
# Files of data, method pages and indexes come from the same tables as the pages. Making and searching them takes
# seconds, which a run without changes need not spend. `sensitive/around.json` holds, of the last run in which the
# search found nothing, the hashes of its inputs and of every shared file. A file counts as searched only where its own
# hash and those of all inputs of the search (tables of the build, deposits, code) are unchanged.

STAMP = "around.json"
# The tables of a build that the search reads.
SEARCHED_FOR = ("records", "quarantine", "issues")
# Persons as displayed → the class that a summary names.
CLASSES = ((50, "under 50"), (200, "50 to 199"), (1000, "200 to 999"))
LARGEST, NOT_TOLD = "1,000 or more", "not told"


def origin_of_shared_files(study: Study, tables: Path, notebooks: Path) -> dict[str, Any]:
    """Hashes of everything that the files beside the pages, and the search for leaks, depend on."""
    raw, derived = study.paths.raw, study.paths.derived
    crosswalks = raw.absolute().parent / CROSSWALKS
    return {
        **data_hashes(tables),
        "all_tables": {path.name: file_hash(path) for path in sorted(tables.glob("*.parquet"))},
        "build": {name: file_hash(derived / f"{name}.parquet") for name in SEARCHED_FOR},
        "deposits": hashes_below(raw),
        "crosswalks": hashes_below(crosswalks),
        "notebooks": {path.name: file_hash(path) for path in sorted(notebooks.glob("*_report.ipynb"))},
        "study": settings_of(study),
        "source": whole_source(),
        "libraries": libraries(SHAPING_FILES),
    }


class EarlierRun:
    """What `around.json` holds of an earlier run, if that run had the same inputs (`origin`); nothing otherwise."""

    def __init__(self, out: Path, origin: Mapping[str, Any], *, ignore: bool = False):
        self.out, self.folder, self.origin = out, out / "shareable", origin
        self.stamp = Stamp(out / "sensitive" / STAMP, self.folder)
        self.kept = {} if ignore else self.stamp.read_if_of(origin)

    @property
    def persons(self) -> dict[str, str]:
        """Group → the class of its persons."""
        return self.kept.get("persons", {})

    def is_whole(self, pages: Mapping[str, Any], languages: Iterable[str]) -> bool:
        """Whether pages and shared files are unchanged, so that nothing is left to do."""
        return self.kept.get("state") == _state(pages, languages) and self.kept["files"] == hashes_below(self.folder)

    def exports(self, language: str) -> list[str] | None:
        """The names of a language's files of data, if the files are unchanged; else None."""
        folder = shared_folder(self.out, language) / DATA
        below = f"{folder.relative_to(self.folder).as_posix()}/"
        names = self.kept.get("exports", {}).get(language)
        earlier_files = {name: digest for name, digest in self.kept.get("files", {}).items() if name.startswith(below)}
        same = earlier_files == {f"{below}{name}": digest for name, digest in hashes_below(folder).items()}
        return list(names) if names and same else None

    def has(self, language: str, name: str) -> bool:
        """Whether a shared file of a language is as that run left it."""
        path = shared_folder(self.out, language) / name
        digest = self.kept.get("files", {}).get(path.relative_to(self.folder).as_posix())
        return digest is not None and digest == file_hash(path)

    def searched_files(self) -> set[str]:
        """Files unchanged since a search with the same inputs."""
        now, then = hashes_below(self.folder), self.kept.get("files", {})
        return {name for name in self.kept.get("searched", ()) if name in now and now[name] == then.get(name)}

    def note(
        self,
        before: Mapping[str, str | None],
        pages: Mapping[str, Any],
        languages: Iterable[str],
        exports: Mapping[str, list[str]],
        persons: Mapping[str, str],
    ) -> None:
        """Write down a run in which the search found nothing; `before`: name → hash as the search began."""
        now = hashes_below(self.folder)
        searched = sorted(name for name, digest in before.items() if now.get(name) == digest)
        state = _state(pages, languages)
        content = {"state": state, "searched": searched, "exports": dict(exports), "persons": dict(persons)}
        self.stamp.write(self.origin, **content)


def _state(pages: Mapping[str, Any], languages: Iterable[str]) -> dict[str, Any]:
    """What the indexes depend on beside the tables: the pages, with the fingerprint of their inputs, and languages."""
    fingerprints = {name: page.get("fingerprint") for name, page in pages.items()}
    return {"pages": fingerprints, "languages": list(languages)}


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
    classes = {}
    for row in stays.itertuples():
        displayed = bool(row.shown) and pd.notna(row.persons_rounded)
        sizes = (name for limit, name in CLASSES if displayed and row.persons_rounded < limit)
        classes[row.group] = next(sizes, LARGEST) if displayed else NOT_TOLD
    return classes


# ----------------------------------------------------------------------------------------------------
# Where the leak scan finds something, the page and all exports of its region are moved to `sensitive/withheld/`.
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
    out: Path, secrets: Secrets, allowed: Allowlist, stems: Mapping[str, str], *, searched: Collection[str] = ()
) -> dict[str, str]:
    """
    Search `shareable/` for leaks, and move the files of each region concerned to `sensitive/withheld/`.

    Parameters
    ----------
    out : path
        The reports folder.
    secrets : Secrets
    allowed : Allowlist
    stems : mapping
        Region → what the names of its files begin with.
    searched : collection of str
        Files already searched: not opened, but moved with the other files of their region.

    Returns
    -------
    dict
        Region, or name of a file that is no region's → what was found, as a sentence without values.
    """
    shareable, sensitive = out / "shareable", private_folder(out / "sensitive")
    log = private_folder(sensitive / "logs") / LOG
    log.unlink(missing_ok=True)
    findings = find_leaks(shareable, secrets, allowed, searched=searched)
    if findings.empty:
        return {}
    with replaced(log) as scratch:
        harmless(findings).to_csv(scratch, index=False)
    files = [path.relative_to(shareable).as_posix() for path in sorted(shareable.rglob("*")) if path.is_file()]
    owner = {file: _owner(file, stems) for file in files}
    messages = {}
    for region, rows in findings.groupby(findings["file"].map(owner), sort=False):
        withheld = [file for file in files if owner[file] == region]
        for file in withheld:
            destination = private_folder(sensitive / FOLDER) / file
            private_folder(destination.parent)
            (shareable / file).replace(destination)
        messages[region] = (
            f"{sentence(rows)}: moved to sensitive/{FOLDER} with all that is shared of it "
            f"(what was found: sensitive/logs/{LOG})"
        )
    return messages


def allowlist_of_run(tables: Path, run: Run) -> Allowlist:
    """The words of the library and of the study's groups, and the days in the tables of the run."""
    return allowlist(run.groups, {run.cutoff, *_days_of(tables)})


def _days_of(tables: Path) -> Iterable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in sorted(tables.glob("*.parquet")):
        schema = pq.read_schema(path)
        days = [name for name, kind in zip(schema.names, schema.types, strict=True) if pa.types.is_temporal(kind)]
        for _, column in pq.read_table(path, columns=days).to_pandas().items() if days else ():
            yield from (day.date() for day in pd.to_datetime(column.dropna().unique()))


def _owner(file: str, stems: Mapping[str, str]) -> str:
    """The region of a file (`region-05.html`, `region-05_durees.csv`, `region-05/…`); of no region, its own name."""
    first, *rest = file.split("/")
    if first in LOCALES and rest:
        first = rest[0]  # a page in another language is of the same region
    fits = [
        (len(stem), region)
        for region, stem in stems.items()
        if first == stem or first.startswith(tuple(f"{stem}{sign}" for sign in "._-"))
    ]
    return max(fits)[1] if fits else file


# ----------------------------------------------------------------------------------------------------

NOTEBOOKS = ("province_report.ipynb", "region_report.ipynb")
# A worker that dies (killed for memory, say) breaks the whole pool: the jobs left are tried once more, a pool each.
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


def run_reports(  # noqa: PLR0913  # options by keyword, with defaults
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
        Make again what is up to date, too.
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
    >>> made = run_reports(study, regions=["12"], tables=analyse(study), out=study.paths.reports)
    >>> [(one.region, one.status) for one in made]
    [('12', 'done')]
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
    shared = origin_of_all_pages(tables)
    fresh = {region: job for region, job in jobs_of.items() if manifest.is_fresh(job, shared) and not force}
    earlier = EarlierRun(out, origin_of_shared_files(study, tables, folder), ignore=force)
    tell, begin = on_event or (lambda outcome: None), on_stage or (lambda stage: None)
    by_region: dict[str, Outcome] = {}
    begin("pages")
    for region, job in fresh.items():
        by_region[region] = Outcome(region, "skipped", 0.0, None, job.page)
        tell(by_region[region])
    to_make = [job for region, job in jobs_of.items() if region not in fresh]
    # damaged protected tables are written again, even where no page needs them today
    keep_protected(tables, rules=study.disclosure, support=study.support)
    for job, seconds, fault in _run(to_make, max(1, jobs)):
        manifest.note(job, fault)
        status, page = ("failed", None) if fault else ("done", job.page)
        by_region[job.region] = Outcome(job.region, status, seconds, fault, page)
        tell(by_region[job.region])
    languages = [lang for lang in LOCALES if lang == language or (shared_folder(out, lang) / INDEX).exists()]
    if len(fresh) == len(jobs_of) and earlier.is_whole(manifest.pages, languages):
        return [replace(by_region[region], persons=earlier.persons.get(region)) for region in regions]
    begin("files")
    protected = all_protected(tables, rules=study.disclosure, support=study.support)
    files = {lang: earlier.exports(lang) or _write_exports(protected, tables, out, lang) for lang in languages}
    for lang in languages:
        _write_method_page(study, tables, out, lang)
        if not earlier.has(lang, ANNEX):
            _write_annex(study, tables, out, lang, protected)

    def write_indexes(leaks: Iterable[str] = ()) -> None:
        # an index links to no file that was withheld, and is not made again where it was withheld itself
        indexes = {lang: (shared_folder(out, lang) / INDEX).relative_to(out / "shareable").as_posix() for lang in files}
        left = [lang for lang in files if indexes[lang] not in leaks]
        for lang in left:
            present = [name for name in files[lang] if (shared_folder(out, lang) / name).is_file()]
            _write_index(study, tables, out, lang, folder, manifest, protected, present, left)

    begin("index")
    write_indexes()
    begin("search")
    secrets = Secrets.of_build(study)
    before = hashes_below(out / "shareable")
    searched = earlier.searched_files() if secrets.at_hand else set()
    leaks = _search(secrets, study, tables, out, manifest, write_indexes, searched)
    for region, fault in leaks.items():
        seconds = by_region[region].seconds if region in by_region else 0.0
        by_region[region] = Outcome(region, "failed", seconds, fault, None)
    sizes = size_classes(protected[0]["counts"])
    if secrets.at_hand and not leaks:
        earlier.note(before, manifest.pages, languages, files, sizes)
    elif leaks:
        earlier.stamp.remove()
    by_region = {region: replace(outcome, persons=sizes.get(region)) for region, outcome in by_region.items()}
    outcomes = [by_region[region] for region in dict.fromkeys((*regions, *leaks))]
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


def notebook_folder(named: Path | None) -> Path:
    """The folder of the report notebooks: the one named, that of the installed package, or that of the repository."""
    folders = [Path(named)] if named else [PACKAGE / "report" / "notebooks", PACKAGE.parents[1] / "notebooks"]
    for folder in folders:
        if any((folder / name).is_file() for name in NOTEBOOKS):
            return folder.resolve()
    where = " nor ".join(map(str, folders))
    raise NotebookError(f"No report notebook in {where}: " + ("name their folder." if named else "install again."))


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
        # the second time each job has a pool of its own, so that a worker that dies takes no other job with it
        for batch in [jobs] if attempt == 0 else [[job] for job in jobs]:
            earlier_processes = set(multiprocessing.active_children())
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
                    # workers write nothing shared: ending them loses nothing
                    for process in set(multiprocessing.active_children()) - earlier_processes:
                        process.terminate()
                    pool.shutdown(cancel_futures=True)
                    raise
        jobs = broken
    for job in jobs:
        yield job, 0.0, settle(job, "the process that made this page died twice (memory?); nothing of it is kept.")


def _submitted(pool: ProcessPoolExecutor, function: Callable, arguments: Iterable[tuple]) -> list[Future]:
    """Submits and starts processes; Ctrl-C waits meanwhile, else each of them would end with a traceback."""
    with held_back():
        return [pool.submit(function, *values) for values in arguments]


def _distinct(jobs: list[Job]) -> list[tuple[Path, Mapping[str, Any]]]:
    """Each notebook once, with the parameters of one of its jobs."""
    return list({job.notebook: (job.notebook, job.parameters) for job in jobs}.values())


def _write_exports(protected: AllProtected, tables: Path, out: Path, language: str) -> list[str]:
    """Write the published tables as files (the same tables give the same bytes); their names relative to the index."""
    from ..report.exports import FOLDER, write_exports

    kept, more, _ = protected
    folder, within = shared_folder(out, language) / FOLDER, out / "sensitive"
    names = write_exports({**kept, **more}, words(language), Run.read(tables), folder, within)
    return [f"{FOLDER}/{name}" for name in names]


def _write_method_page(study: Study, tables: Path, out: Path, language: str) -> None:
    from ..report.method_page import method_page

    _put(method_page(Run.read(tables), study.disclosure, language), shared_folder(out, language) / METHOD, out)


def _write_annex(study: Study, tables: Path, out: Path, language: str, protected: AllProtected) -> None:
    from ..report.annex import annex

    text = annex(open_all(tables, study, language=language, protected=protected), run=Run.read(tables))
    _put(text, shared_folder(out, language) / ANNEX, out)


def _put(text: str, page: Path, out: Path) -> None:
    """Write a page of `shareable/` in one move, by way of the folder that is not shared."""
    with replaced(page, out / "sensitive") as scratch:
        scratch.write_text(text, encoding="utf-8")


def _search(
    secrets: Secrets,
    study: Study,
    tables: Path,
    out: Path,
    manifest: Manifest,
    write_indexes: Callable[[Iterable[str]], None],
    searched: set[str],
) -> dict[str, str]:
    """Withhold leaks; region, or name of a file of none → what was found. The indexes are then made without it."""
    groups = (*REGION_CODES, PROVINCE, *study.groups)
    stems = {group: Path(page_name(group)).stem for group in groups}
    leaks = withhold_leaks(out, secrets, allowlist_of_run(tables, Run.read(tables)), stems, searched=searched)
    for region, why in leaks.items():
        manifest.forget(region, why)
    if leaks:
        write_indexes(leaks)
    return leaks


def _write_index(  # noqa: PLR0913  # options by keyword, with defaults
    study: Study,
    tables: Path,
    out: Path,
    language: str,
    notebooks: Path,
    manifest: Manifest,
    protected: AllProtected,
    files: list[str],
    languages: Iterable[str],
) -> None:
    """The index: links to fresh pages (the province first), the main files of data and the other languages."""
    from ..report.html import index

    run = Run.read(tables)
    reports = open_all(tables, study, language=language, protected=protected)
    jobs = {one.region: _job(one.region, study, tables, out, language, notebooks) for one in reports}
    shared = origin_of_all_pages(tables)
    pages = {group: job.page.name for group, job in jobs.items() if manifest.is_fresh(job, shared)}
    here = shared_folder(out, language)
    to = {one: Path(os.path.relpath(shared_folder(out, one) / INDEX, here)).as_posix() for one in languages}
    others = {one: href for one, href in to.items() if one != language}
    method, annex = (name if (here / name).is_file() else None for name in (METHOD, ANNEX))
    text = index(reports, pages, language=language, run=run, files=files[:3], others=others, method=method, annex=annex)
    _put(text, here / INDEX, out)
