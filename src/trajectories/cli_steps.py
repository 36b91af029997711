"""The steps that several commands share: build, report, and what is asked of them.

Exit status: 0 all done; 1 some failed (named); 2 usage or unusable input; 130 interrupted.
"""

from __future__ import annotations

from pathlib import Path

import typer

from .cli_progress import bar, fail, stage
from .exceptions import TrajectoriesError
from .study import METROPOLITAN_REGIONS, REGION_CODES, Study

ALL_DONE, SOME_FAILED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


def check_key(derived: Path) -> None:
    """Refuse, before any work, tables whose ids are of another key than the study's."""
    from .persons.key_mark import check_key as check

    check(derived)


def build_step(study: Study, each_file: bool = False, new_key: bool = False) -> int:
    """Build, and say what became of the rows; the exit status."""
    from . import pipeline

    with stage("build") as say:
        built = pipeline.build(study, progress=say, new_key=new_key)
    _accounting(built, each_file)
    for file in built.unreadable.itertuples():
        fail(f"{file.file}: {file.message}")
    return SOME_FAILED if len(built.unreadable) else ALL_DONE


def _accounting(built, each_file: bool) -> None:
    """Rows read = accepted + quarantined + superseded + duplicates, in total and, if asked, file by file."""
    files = built.deposits.files
    for file in files.itertuples() if each_file else ():
        typer.echo(
            f"{file.file} ({file.status}): {file.n_read} read = {file.n_accepted} accepted + {file.n_quarantined} "
            f"quarantined + {file.n_superseded} superseded + {file.n_duplicate} duplicate"
        )
    sums = {
        name: int(files[f"n_{name}"].sum()) for name in ("read", "accepted", "quarantined", "superseded", "duplicate")
    }
    parts = " + ".join(f"{sums[name]:,} {name}" for name in ("accepted", "quarantined", "superseded", "duplicate"))
    typer.echo(f"{len(files):,} files, {sums['read']:,} rows read = {parts}.")
    if built.n_excluded:
        typer.echo(f"Of the accepted rows, {built.n_excluded:,} are left out by request.")
    stays = built.cohort.cohort
    typer.echo(f"{built.persons['person_id'].nunique():,} persons, {len(stays):,} stays en région.")


def report_step(study: Study, groups: list[str], language: str, jobs: int, force: bool, pdf: bool) -> int:
    """Analyse, make the pages and those of organisations, name what failed; the exit status."""
    from .analysis import analyse
    from .groups import reported_groups
    from .report.addresses import shared_folder
    from .report.batch import run_reports
    from .report.organisations import write_organisation_pages

    with stage("analyse") as say:
        tables = analyse(study, progress=say, force=force)
    with bar(len(groups)) as advance:
        outcomes = run_reports(
            study, regions=groups, tables=tables, out=study.paths.reports, language=language, jobs=jobs, force=force,
            on_event=advance, pdf=pdf,
        )  # fmt: skip
    faults = write_organisation_pages(study) if set(reported_groups(study)) <= set(groups) else []
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    notes = {f"Note: {outcome.message}" for outcome in outcomes if outcome.status != "failed" and outcome.message}
    named = [f"Region {outcome.region} failed: {outcome.message}" for outcome in failed]
    for sentence in (*named, *sorted(notes), *faults):
        fail(sentence)
    typer.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} report(s) ready.")
    typer.echo(str((shared_folder(study.paths.reports, language) / "index.html").resolve()))
    return SOME_FAILED if failed or faults else ALL_DONE


def groups_asked(study: Study, regions: list[str] | None, every: bool) -> list[str]:
    """The pages asked for, all faults at once."""
    from .groups import reported_groups
    from .tables import PROVINCE

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


def refuse_early(language: str, pdf: bool) -> None:
    """Refuse, before any work, what could not be done at its end."""
    if language not in ("fr", "en"):
        raise TrajectoriesError(f"--lang {language!r}: reports exist in fr and in en.")
    if pdf:
        from .report.pdf import find_chromium

        find_chromium()
