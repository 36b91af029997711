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
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..exceptions import NotebookError
from ..folders import private_folder, replaced, scratch_name
from ..interrupts import held_back
from ..stamps import hashes_below
from ..study import REGION_CODES, Study
from ..tables import PROVINCE
from . import origins
from .addresses import INDEX, METHOD, page_name, shared_folder
from .around import Around, made_around_from, size_classes
from .inputs import open_reports
from .manifest import Manifest, parameters_of
from .notebooks import check_notebook
from .private import Secrets
from .run import Run
from .shown import AllProtected, all_protected, keep_protected
from .withheld import NOT_SEARCHED, what_may_be_said, withhold_leaks
from .words import FIRST, LOCALES, words
from .worker import Job, begin, make_page, settle

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
    for leaks, again (around.py).

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
    shared = origins.common(tables)
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
    places = [Path(given)] if given else [Path(__file__).parent / "notebooks", Path(__file__).parents[3] / "notebooks"]
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
    from .exports import FOLDER, write_exports

    kept, more, _ = protected
    folder, within = shared_folder(out, language) / FOLDER, out / "sensitive"
    made = write_exports({**kept, **more}, words(language), Run.read(tables), folder, within)
    return [f"{FOLDER}/{name}" for name in made]


def _write_method_page(study: Study, tables: Path, out: Path, language: str) -> None:
    from .method_page import method_page

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
    from .html import index

    run = Run.read(tables)
    there = _groups_of(tables)
    groups = [PROVINCE, *(group for group in (*REGION_CODES, *study.groups) if group in there)]
    jobs = {group: _job(group, study, tables, out, language, notebooks) for group in groups}
    shared = origins.common(tables)
    pages = {group: job.page.name for group, job in jobs.items() if manifest.is_fresh(job, shared)}
    rules = dataclasses.asdict(study.disclosure)
    said = {"language": language, "rules": rules, "support": study.support}
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
