"""The steps that several commands share: build, report, and what is asked of them.

Exit status: 0 all done; 1 some failed (named); 2 nothing was done; 3 the library failed on a deposit (named); 130
interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import TrajectoriesError
from ..folders import alone
from ..study import METROPOLITAN_REGIONS, REGION_CODES, Study
from .progress import Events, Shown, fail

if TYPE_CHECKING:
    from concurrent.futures import Executor

ALL_DONE, SOME_FAILED, UNUSABLE, OUR_FAULT, INTERRUPTED = 0, 1, 2, 3, 130


def check_key(derived: Path) -> None:
    """Refuse, before any work, tables whose ids are of another key than the study's."""
    from ..linkage.pseudonyms import check_key as check

    check(derived)


def or_the_sample(asked: Study, say: Callable[[str], None] = fail, **folders: Path | None) -> Study:
    """
    The study with the folders of the command line; without any, and without a deposit, the study of the sample.

    `say` announces the sample: on standard error by default, since machines read the standard output of some commands.
    """
    from ..deposits.synthetic import or_sample

    if any(folders.values()):
        return asked.with_folders(**folders)
    settings = or_sample(asked)
    if settings is not asked:
        say(f"No deposit in {asked.paths.raw}: the synthetic sample is used.")
    return settings


@contextmanager
def executor_at(scheduler: str | None, study: Study) -> Iterator[Executor | None]:
    """The executor of the scheduler; None where none is named."""
    if scheduler is None:
        yield None
        return
    try:
        from ..runs.cluster import executor_at as at
    except ImportError as error:
        raise TrajectoriesError(
            f"--scheduler needs packages that are not there ({error.name}): install the extra: pip install "
            "trajectories[cluster] (docs/cluster.md)."
        ) from None
    with at(scheduler, study) as executor:
        yield executor


def build_step(
    study: Study,
    each_file: bool = False,
    force: bool = False,
    show: Shown | Events | None = None,
    *,
    new_key: bool = False,
    executor: Executor | None = None,
) -> int:
    """Build where something has changed, and say what became of the rows; the exit status."""
    from .. import pipeline, tables
    from ..linkage.review import FILE as REVIEW
    from ..linkage.review import review_folder
    from ..provenance import built_from, note_built, stamp_of_build

    show, stamp = show or Shown(), stamp_of_build(study.paths.derived)
    with show.stage("build") as say:
        origin, n_anew = built_from(study), None
        if not force and stamp.is_current(origin):
            say("tables (unchanged)")
        else:
            built = pipeline.build(study, progress=say, new_key=new_key, force=force, executor=executor)
            note_built(study, origin, built)
            n_anew = built.n_anew
    derived = study.paths.derived
    files, persons, stays = (tables.load(one, derived) for one in (tables.FILES, tables.PERSONS, tables.COHORT))
    stored = stamp.read()
    _accounting(files, each_file, stored.get("n_excluded", 0), show, n_anew)
    for line in stored.get("idle_lines", []):
        show.echo(
            f"{study.exclusions}, line {line}: no accepted row has this organisation and file number, and nobody is "
            "left out for it. Look at how the organisation writes them."
        )
    if n_waiting := stored.get("n_waiting"):
        show.echo(
            f"{review_folder(study) / REVIEW}: {n_waiting} decided pair(s) of which a file has no accepted "
            "row today. They are kept, without effect, until its rows are sent again."
        )
    if weights := stored.get("weights"):
        show.echo(weights)
    show.echo(f"{persons['person_id'].nunique():,} persons, {len(stays):,} stays en région.")
    unreadable = files[files["status"].eq("unreadable")]
    for file in unreadable.itertuples():
        show.fail(f"{file.file}: {file.message}")
    if unreadable["fault"].notna().any():
        return OUR_FAULT
    return SOME_FAILED if len(unreadable) else ALL_DONE


def _accounting(files, each_file: bool, excluded: int, show: Shown | Events, n_anew: int | None) -> None:
    """Rows read = accepted + quarantined + superseded + duplicates, in total and, if asked, file by file."""
    for file in files.itertuples() if each_file else ():
        show.echo(
            f"{file.file} ({file.status}): {file.n_read} read = {file.n_accepted} accepted + {file.n_quarantined} "
            f"quarantined + {file.n_superseded} superseded + {file.n_duplicate} duplicate"
        )
    sums = {
        name: int(files[f"n_{name}"].sum()) for name in ("read", "accepted", "quarantined", "superseded", "duplicate")
    }
    parts = " + ".join(f"{sums[name]:,} {name}" for name in ("accepted", "quarantined", "superseded", "duplicate"))
    anew = "" if n_anew is None else f" ({n_anew:,} read anew)"
    show.echo(f"{len(files):,} files{anew}, {sums['read']:,} rows read = {parts}.")
    if excluded:
        show.echo(f"Of the accepted rows, {excluded:,} are left out by request.")


def report_step(
    study: Study,
    groups: list[str],
    language: str,
    jobs: int,
    force: bool,
    show: Shown | Events | None = None,
    executor: Executor | None = None,
) -> int:
    """Analyse, make the pages and those of organisations, name what failed; the exit status."""
    from ..analysis.analyse import analyse
    from ..groups import reported_groups
    from ..report.addresses import shared_folder
    from ..report.organisations import write_organisation_pages
    from ..runs.batch import run_reports

    show = show or Shown()
    with show.stage("analyse") as say:
        tables = analyse(study, progress=say, force=force, executor=executor)
    with show.reports(len(groups)) as (advance, begin):
        outcomes = run_reports(
            study,
            regions=groups,
            tables=tables,
            out=study.paths.reports,
            language=language,
            jobs=jobs,
            force=force,
            on_event=advance,
            on_stage=begin,
        )
        every = set(reported_groups(study)) <= set(groups)
        faults = write_organisation_pages(study, force=force) if every else []
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    notes = {f"Note: {outcome.message}" for outcome in outcomes if outcome.status != "failed" and outcome.message}
    for outcome in failed:
        show.fail(f"Region {outcome.region} failed: {outcome.message}", outcome.region)
    for sentence in (*sorted(notes), *faults):
        show.fail(sentence)
    show.summary(outcomes)
    show.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} report(s) ready.")
    show.echo(str((shared_folder(study.paths.reports, language) / "index.html").resolve()))
    return SOME_FAILED if failed or faults else ALL_DONE


@contextmanager
def held(study: Study, *, building: bool = False, reporting: bool = False) -> Iterator[None]:
    """Locks the folders that a command writes, and those that it reads against changes."""
    derived, sensitive = study.paths.derived, study.paths.reports / "sensitive"
    written = [*([derived] if building else []), *([sensitive] if building or reporting else [])]
    with alone(*written, reading=[] if building else [derived]):
        yield


def groups_asked(study: Study, regions: list[str] | None, every: bool) -> list[str]:
    """The pages asked for, all faults at once."""
    from ..groups import reported_groups
    from ..tables import PROVINCE

    if every or not regions:
        return list(reported_groups(study))
    faults = []
    for code in regions:
        if code in METROPOLITAN_REGIONS:
            faults.append(f"{code} is wholly in the metropole: nobody settles « en région » there.")
        elif code not in (*REGION_CODES, PROVINCE, *study.groups):
            named = f", {', '.join(study.groups)}" if study.groups else ""
            faults.append(f"{code!r} is no region: give a two-digit code from 01 to 17, or {PROVINCE}{named}.")
    if faults:
        raise TrajectoriesError(" ".join(f"--region {fault}" for fault in faults))
    return list(dict.fromkeys(regions))


def refuse_early(language: str) -> None:
    """Refuse, before any work, what could not be done at its end."""
    if language not in ("fr", "en"):
        raise TrajectoriesError(f"--lang {language!r}: reports exist in fr and in en.")
    from ..runs.batch import notebook_folder

    notebook_folder(None)
