"""The commands. Each is a few lines: read the study, call the pipeline, say what happened, return the exit status.

Exit status: 0 all done; 1 some failed (named); 2 nothing was done; 3 the library failed on a deposit (named); 130
interrupted. A folder given on the command line wins over study.toml. Errors are sentences; a traceback is a defect.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..exceptions import TrajectoriesError, sentence_of
from ..runs.interrupts import remembered
from ..study import PATHWAYS, PERIMETERS, SCOPES, Study
from ..version import __version__
from .keys import keys
from .lab import lab_commands
from .partners import partners, writing
from .progress import Events, Shown, fail, ready_streams, stage
from .publish import finished
from .status import progress
from .steps import (
    INTERRUPTED,
    UNUSABLE,
    build_step,
    check_key,
    executor_at,
    groups_asked,
    held,
    or_the_sample,
    refuse_early,
    report_step,
)

# Reports made side by side by default: one a core of the smallest machine that is supported.
JOBS = 2

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Montréal-to-region trajectories from PASI reporting records: deposits in, one report per region out.",
    epilog="Exit status: 0 all done; 1 some failed, each named; 2 unusable input, nothing was done; 3 the library "
    "failed on a deposit, named, and all else was done: report it; 130 interrupted.",
)

app.add_typer(partners)
app.add_typer(finished)
app.add_typer(progress)
app.add_typer(lab_commands)
app.add_typer(keys, name="key")

StudyOption = Annotated[Path, typer.Option("--study", help="The settings of the run.")]
RawOption = Annotated[Path | None, typer.Option("--raw", help="Folder of the deposits (else the study's).")]
DerivedOption = Annotated[Path | None, typer.Option("--derived", help="Folder of the tables (else the study's).")]
ReportsOption = Annotated[Path | None, typer.Option("--reports", help="Folder of the reports (else the study's).")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
RegionOption = Annotated[list[str] | None, typer.Option("--region", help="Two-digit region code; may be repeated.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every region and the province (the default).")]
LanguageOption = Annotated[str, typer.Option("--lang", help="Language of the reports: fr, or en.")]
JobsOption = Annotated[int, typer.Option("--jobs", min=1, help="Reports made side by side.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Make again what has not changed.")]
SchedulerOption = Annotated[
    str | None, typer.Option("--scheduler", help="Work on a cluster: local, or its address, tls://… (docs/cluster.md).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Say what happens as one JSON object a line.")]


def main() -> None:
    """Run the command line; every foreseen error is one sentence on standard error."""
    ready_streams()
    if sys.getfilesystemencoding() != "utf-8":
        fail("Python has no letters but ASCII here: set PYTHONUTF8=1, or LC_ALL to a UTF-8 locale, and run again.")
        sys.exit(UNUSABLE)
    try:
        with remembered():
            app()
    except Exception as error:
        if sys.flags.dev_mode:  # python -X dev -m trajectories: for whoever mends the library
            raise
        fail(sentence_of(error))
        sys.exit(UNUSABLE)
    except SystemExit as end:
        # typer has turned Ctrl-C into this status already
        if end.code == INTERRUPTED:
            fail("Interrupted: what was finished is kept; run the same command to go on.")
        raise


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"trajectories {__version__}")
        raise typer.Exit


@app.command()
def simulate(  # noqa: PLR0913  # the options of a command
    out: Annotated[Path, typer.Option("--out", help="Folder for raw/ and truth/; must not hold real deposits.")],
    households: Annotated[int, typer.Option(min=1, help="How many households are invented.")] = 1500,
    organisations: Annotated[int, typer.Option(min=2, help="How many organisations report on them.")] = 30,
    defects: Annotated[str, typer.Option(help="How dirty the deposits are: none, light or heavy.")] = "light",
    seed: Annotated[int, typer.Option(min=0, help="Another number invents others.")] = 1,
    contacts: Annotated[bool, typer.Option(help="Scheduled contacts exist.")] = True,
    contacts_succeed: Annotated[bool, typer.Option(help="Every scheduled contact is made and succeeds.")] = False,
    hearsay: Annotated[bool, typer.Option(help="Departures become known by hearsay too.")] = True,
    habits: Annotated[str, typer.Option(help="Of the organisations: none, drawn, or names (docs/habits.md).")] = "none",
    dry_run: DryRunOption = False,
) -> None:
    """Invent deposits with a known truth."""
    from ..deposits.synthetic import SYNTHETIC_MARK, has_deposits, mark_synthetic
    from ..simulate import Settings, refuse_unknown_habits
    from ..simulate import simulate as make

    settings = Settings(
        households=households,
        organisations=organisations,
        defects=defects,
        seed=seed,
        contacts=contacts,
        contacts_succeed=contacts_succeed,
        hearsay=hearsay,
        habits=habits,
    )
    refuse_unknown_habits(settings)
    if has_deposits(out / "raw") and not (out / SYNTHETIC_MARK).exists():
        raise TrajectoriesError(f"{out / 'raw'} holds deposits that are not synthetic: choose another folder.")
    if dry_run:
        typer.echo(f"Would invent {households} households and {organisations} organisations in {out}.")
        return
    make(out, settings)
    mark_synthetic(out)
    typer.echo(f"Deposits: {out / 'raw'}. Truth: {out / 'truth'}.")


@app.command()
def build(
    study: StudyOption = Path("study.toml"),
    raw: RawOption = None,
    derived: DerivedOption = None,
    files: Annotated[bool, typer.Option("--files", help="Say what became of the rows of every file.")] = False,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="The key of the tables is lost: use today's; all ids change.")
    ] = False,
    force: ForceOption = False,
    scheduler: SchedulerOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Deposits to tables."""
    settings = Study.read(study).with_folders(raw=raw, derived=derived)
    if dry_run:
        typer.echo(f"Would read {settings.paths.raw} and write tables to {settings.paths.derived}.")
        return
    with held(settings, building=True), executor_at(scheduler, settings) as executor:
        raise typer.Exit(
            build_step(settings, each_file=files, force=force or new_key, new_key=new_key, executor=executor)
        )


@app.command()
def report(  # noqa: PLR0913  # the options of a command
    study: StudyOption = Path("study.toml"),
    region: RegionOption = None,
    every: AllOption = False,
    lang: LanguageOption = "fr",
    jobs: JobsOption = JOBS,
    derived: DerivedOption = None,
    reports: ReportsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
    scheduler: SchedulerOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Tables to reports: one page a region, one for the province, and an index."""
    show = Events() if json else Shown()
    with show.command():
        settings = or_the_sample(Study.read(study), show.echo, derived=derived, reports=reports)
        groups = groups_asked(settings, region, every)
        refuse_early(lang)
        if dry_run:
            pages = settings.paths.reports / "shareable"
            show.echo(f"Would write {len(groups)} report(s) to {pages}: {', '.join(groups)}.")
            return
        check_key(settings.paths.derived)
        with held(settings, reporting=True), executor_at(scheduler, settings) as executor:
            raise typer.Exit(report_step(settings, groups, lang, jobs, force, show, executor))


@app.command()
def run(  # noqa: PLR0913  # the options of a command
    study: StudyOption = Path("study.toml"),
    raw: RawOption = None,
    derived: DerivedOption = None,
    reports: ReportsOption = None,
    region: RegionOption = None,
    lang: LanguageOption = "fr",
    jobs: JobsOption = JOBS,
    force: ForceOption = False,
    json: JsonOption = False,
    scheduler: SchedulerOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Build and report; without any deposit, on the synthetic sample (which is made first)."""
    from ..deposits.synthetic import has_deposits, sample_study
    from ..pipeline import make_sample

    show = Events() if json else Shown()
    with show.command():
        settings = Study.read(study).with_folders(raw=raw, derived=derived, reports=reports)
        groups = groups_asked(settings, region, not region)
        refuse_early(lang)
        on_sample = raw is None and not has_deposits(settings.paths.raw)
        if on_sample:
            show.echo(f"No deposit in {settings.paths.raw}: the synthetic sample is used.")
            settings = sample_study(settings)
        if derived is not None or reports is not None:
            settings = settings.with_folders(derived=derived, reports=reports)
        if dry_run:
            where = settings.paths.reports
            show.echo(f"Would read {settings.paths.raw} and write {len(groups)} report(s) to {where}.")
            return
        with held(settings, building=True), executor_at(scheduler, settings) as executor:
            if on_sample:
                with show.stage("sample"):
                    make_sample(Study.read(study))
            built = build_step(settings, force=force, show=show, executor=executor)
            reported = report_step(settings, groups, lang, jobs, force, show, executor)
        raise typer.Exit(max(built, reported))


@app.command()
def cohort(
    study: StudyOption = Path("study.toml"),
    perimeter: Annotated[str | None, typer.Option("--perimeter", help=f"One of {', '.join(PERIMETERS)}.")] = None,
    scope: Annotated[str | None, typer.Option("--scope", help=f"One of {', '.join(SCOPES)}.")] = None,
    pathway: Annotated[str | None, typer.Option("--pathway", help=f"One of {', '.join(PATHWAYS)}; all if not.")] = None,
    derived: DerivedOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the tables it writes.")] = None,
    dry_run: DryRunOption = False,
) -> None:
    """Draw the cohort for another perimeter, scope or pathway, from the tables of a build."""
    from .. import pipeline

    settings = or_the_sample(Study.read(study), derived=derived)
    settings = settings.with_cohort(perimeter=perimeter, scope=scope, pathway=pathway)
    asked = f"{settings.perimeter}_{settings.scope}" + (f"_{settings.pathway}" if settings.pathway else "")
    out = out or settings.paths.derived / "cohorts" / asked
    if dry_run:
        typer.echo(f"Would read {settings.paths.derived} and write spells, moves, cohort and contacts to {out}.")
        return
    check_key(settings.paths.derived)
    with held(settings), stage("cohort") as say:
        tables = pipeline.draw_cohort(settings, out, progress=say)
    left_out = int(tables.cohort["excluded"].notna().sum())
    typer.echo(
        f"Perimeter {settings.perimeter}, scope {settings.scope}, pathway {settings.pathway or 'all'}: "
        f"{len(tables.cohort):,} stays of {tables.cohort['person_id'].nunique():,} persons, {left_out:,} left out of "
        "retention (column excluded)."
    )
    typer.echo(str(out.resolve()))


@app.command()
def person(
    person_id: Annotated[str, typer.Argument(help="An id of the table persons (P…).", metavar="ID")],
    study: StudyOption = Path("study.toml"),
    derived: DerivedOption = None,
    reports: ReportsOption = None,
) -> None:
    """Write one person's story (observations, spells, what was decided and why) into sensitive/, for audit."""
    from .. import pipeline
    from .audit import person_story

    settings = or_the_sample(Study.read(study), derived=derived, reports=reports)
    check_key(settings.paths.derived)
    story = person_story(person_id, pipeline.load_tables(settings.paths.derived))
    typer.echo(str(pipeline.write_sensitive(settings, "persons", f"{person_id}.txt", story)))


@app.command()
def train(
    study: StudyOption = Path("study.toml"),
    derived: DerivedOption = None,
    out: Annotated[Path, typer.Option("--out", help="The model to write.")] = Path("data/linkage_model.json"),
    version: Annotated[str, typer.Option("--version-name", help="Its name, written in the model.")] = "trained",
    dry_run: DryRunOption = False,
) -> None:
    """Learn a linkage model from the records of a build, and say what changed; the shipped one stays the default."""
    from .. import tables
    from ..folders import replaced
    from ..linkage import Model
    from ..linkage.linking import train as learn
    from ..linkage.model import changes

    settings = or_the_sample(Study.read(study), derived=derived)
    if dry_run:
        typer.echo(f"Would read {settings.paths.derived} and write {out}.")
        return
    model = learn(tables.load(tables.RECORDS, settings.paths.derived), version=version)
    with writing(out), replaced(out) as scratch:
        scratch.write_text(model.to_json(), encoding="utf-8")
    for row in changes(Model.shipped(), model).query("moved").itertuples():
        typer.echo(
            f"{row.trait} / {row.level}: same person {row.m_before:.4g} → {row.m_after:.4g}, relatives "
            f"{row.relative_before:.4g} → {row.relative_after:.4g}, strangers {row.u_before:.4g} → {row.u_after:.4g}"
        )
    typer.echo(f'{out.resolve()}: to use it, set linkage_model = "{out}" in study.toml and build again.')
