"""The commands about deposits themselves: what partners type, and the form they type it in.

They need no build, and speak French to the organisation that made the deposit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..exceptions import TrajectoriesError
from ..study import Study

partners = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})

CrosswalksOption = Annotated[Path | None, typer.Option("--crosswalks", help="Folder of your own crosswalks.")]
StudyOption = Annotated[Path, typer.Option("--study", help="The settings of the run.")]


@contextmanager
def writing(path: Path, sentence: str = "{path} cannot be written ({why}): choose another place.") -> Iterator[None]:
    """A file that cannot be written is a sentence."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise TrajectoriesError(sentence.format(path=path, why=error.strerror)) from None


@partners.command()
def check(
    files: Annotated[
        # what cannot be read is told by the check itself, in French
        list[Path], typer.Argument(help="The deposits to check.", metavar="FILE…", show_default=False, readable=False)
    ],
    html: Annotated[Path | None, typer.Option("--html", help="Write the report as a page too.")] = None,
    annotate: Annotated[
        Path | None, typer.Option("--annotate", help="Write the workbook with its cells marked.")
    ] = None,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show what is typed (personal data).")] = False,
    crosswalks: CrosswalksOption = None,
) -> None:
    """What is wrong in a deposit, for the organisation that made it (in French); 0 clean, 1 problems, 2 unreadable."""
    from ..deposits.check import annotate as mark
    from ..deposits.check import as_page, as_text, check_file
    from ..deposits.template import french
    from ..folders import replaced

    if annotate is not None and len(files) > 1:
        raise TrajectoriesError(french("annotate")["one_file"])
    checked = [check_file(file, study=Study(), crosswalks=crosswalks) for file in files]
    reports, not_written = [report for report, _ in checked], french("check")["not_written"]
    typer.echo(as_text(reports, show_values=show_values), nl=False)
    if html is not None:
        with writing(html, not_written), replaced(html) as scratch:
            scratch.write_text(as_page(reports, show_values=show_values), encoding="utf-8")
    if annotate is not None:
        with writing(annotate, not_written):
            mark(files[0], annotate, *checked[0])
    raise typer.Exit(max(report.status for report in reports))


@partners.command()
def template(
    out: Annotated[Path | None, typer.Argument(help="The .xlsx to write.", show_default=False)] = None,
    organisation: Annotated[str | None, typer.Option("--organisation", help="The organisation's code.")] = None,
) -> None:
    """The workbook for partners to fill in: columns, drop-down lists, dictionary, examples."""
    from ..deposits.template import default_name, write_template

    out = out or Path(default_name(organisation))
    with writing(out):
        typer.echo(str(write_template(out, organisation)))


@partners.command()
def crosswalk(
    file: Annotated[Path, typer.Argument(help="A deposit with another form's headers.", show_default=False)],
    crosswalks: CrosswalksOption = None,
) -> None:
    """Print a draft crosswalk for the headers of a file: the closest column of each, with its score."""
    from ..deposits.drafting import draft_crosswalk

    typer.echo(draft_crosswalk(file, crosswalks=crosswalks), nl=False)


@partners.command()
def places(
    text: Annotated[str, typer.Argument(help="What was typed for a municipality.")],
    code: Annotated[str | None, typer.Option(help="The municipal code typed with it.")] = None,
    postal_code: Annotated[str | None, typer.Option(help="The postal code typed with it.")] = None,
    study: StudyOption = Path("study.toml"),
    lang: Annotated[str, typer.Option("--lang", help="fr or en.")] = "fr",
) -> None:
    """Say what a typed place is taken for, and why."""
    from ..places import explain_place

    if lang not in ("fr", "en"):
        raise TrajectoriesError(f"--lang {lang!r}: the explanation exists in fr and en.")
    perimeter = Study.read(study).perimeter if study.exists() else Study().perimeter
    explanation = explain_place(text, code=code, postal_code=postal_code, perimeter=perimeter)
    typer.echo(explanation.french if lang == "fr" else explanation.english)
