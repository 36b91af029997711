"""`trajectories publish`: a finished run goes where it is read, and into the ledger.

All of `shareable/` is copied. The ledger is written first: after an interruption, a publication noted but not copied
only hides too much, whereas one copied but not noted would let a later run publish what reveals a hidden cell.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..disclosure import Protected
from ..disclosure.ledger import CELLS, FOLDER, Publication, read_ledger, write_publication
from ..exceptions import UnusableInputError
from ..folders import replaced
from ..report.addresses import ANNEX, INDEX, METHOD, shared_folder
from ..report.annex import annex
from ..report.exports import FOLDER as DATA
from ..report.exports import exported
from ..report.inputs import open_all
from ..report.method_page import method_page
from ..report.run import Run, data_hashes, shown_tables
from ..report.words import LOCALES, words
from ..stamps import file_hash
from ..study import Study
from .manifest import read_manifest

# Lists the files of a publication, so that the next one removes those that it no longer has, and nothing else.
LISTING = "publication.json"


def publish(study: Study, to: Path | str, *, day: dt.date | None = None) -> list[Path]:
    """
    Copy the pages of a run, and note in the ledger what they say.

    Parameters
    ----------
    study : Study
        Of the run; its reports folder holds `shareable/` and `sensitive/`.
    to : path
        Where it goes: made where it is missing. What an earlier publication put there and this one has not is removed.
    day : date, optional
        Of the publication; today.

    Returns
    -------
    list of Path
        The files there.

    Raises
    ------
    UnusableInputError
        Nothing is there to publish; a page or a file of data is not the one that the last run made, or its tables, or
        what was published before, have changed since; a PDF is there; `to` lies within the reports folder.
    """
    to = Path(to).resolve()
    files, frames = to_publish(study, to)
    out = Path(study.paths.reports).resolve()
    ledger = out / "sensitive" / FOLDER
    on = (day or dt.date.today()).isoformat()
    name = f"{on}-{1 + sum(p.name.startswith(on) for p in read_ledger(ledger)):02d}"
    settings = Run.read(out / "sensitive" / "tables").settings
    write_publication(ledger, Publication(name, on, settings, frames))
    return _copied(files, out / "shareable", to)


def to_publish(study: Study, to: Path | str) -> tuple[list[Path], dict[str, pd.DataFrame]]:
    """The files of a run that may be published, and the numbers that they show; raises as `publish`, writes nothing."""
    out, to = Path(study.paths.reports).resolve(), Path(to).resolve()
    shareable, tables = out / "shareable", out / "sensitive" / "tables"
    if to == out or out in to.parents or to in out.parents:
        raise UnusableInputError(f"{to} holds, or lies within, the folder of reports {out}: publish somewhere else.")
    files = sorted(path for path in shareable.rglob("*") if path.is_file())
    if not files:
        raise UnusableInputError(f"{shareable} holds no page: run `trajectories report` first.")
    _refuse_pdfs(files, shareable)
    _refuse_stale(shareable, tables, out / "sensitive" / "manifest.json")
    shown = shown_tables(tables, rules=study.disclosure, support=study.support)
    for language in LOCALES:
        _refuse_other_data(out, language, shown, Run.read(tables))
        _refuse_other_texts(out, language, tables, study)
    return files, {name: shown[name].frame.drop(columns="published", errors="ignore") for name in CELLS}


def _refuse_pdfs(files: list[Path], shareable: Path) -> None:
    """No run makes a PDF, and the search for leaks cannot read one."""
    pdfs = [path.relative_to(shareable).as_posix() for path in files if path.suffix.lower() == ".pdf"]
    if pdfs:
        raise UnusableInputError(
            f"{', '.join(pdfs)}: a PDF cannot be searched for what may not leave. Take it out of {shareable}, and "
            "publish then; whoever reads a page prints it from a browser."
        )


def _refuse_stale(shareable: Path, tables: Path, manifest: Path) -> None:
    """Refuse pages changed since they were made, or made from other tables or another ledger."""
    pages = read_manifest(manifest)
    of_no_region = {INDEX, METHOD, ANNEX}  # see _refuse_other_texts
    now: dict[str, object] = {}
    stale = []
    for path in sorted(shareable.rglob("*.html")):
        name = path.relative_to(shareable).as_posix()
        if path.name in of_no_region and path.parent in {shared_folder(shareable.parent, one) for one in LOCALES}:
            continue
        page = pages.get(name)
        if page is None or page["sha256"] != file_hash(path):
            stale.append(name)
            continue
        now = now or data_hashes(tables)
        if any(page["made_from"].get(part) != content for part, content in now.items()):
            stale.append(name)
    if stale:
        raise UnusableInputError(
            f"{', '.join(stale)}: not made from the tables and the ledger as they are now. Run `trajectories "
            "report` (with --lang en for what is below en/), look at the pages, and publish then."
        )


def _refuse_other_data(out: Path, language: str, shown: Mapping[str, Protected], run: Run) -> None:
    """Refuse files of data that differ from those that the tables give now."""
    folder = shared_folder(out, language) / DATA
    on_disk = {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}
    expected = exported(shown, words(language), run) if on_disk else {}
    differing = sorted(name for name in {*on_disk, *expected} if on_disk.get(name) != expected.get(name))
    if differing:
        name = folder.relative_to(out / "shareable").as_posix()
        raise UnusableInputError(
            f"{name}/: {', '.join(differing)} not as the tables give them now. Run `trajectories report`, and "
            "publish then; keep nothing of yours there."
        )


def _refuse_other_texts(out: Path, language: str, tables: Path, study: Study) -> None:
    """Refuse an annex or a method page that differs from this run's, or that is missing though pages link to it."""
    folder, run = shared_folder(out, language), Run.read(tables)
    linked = " ".join(path.read_text(encoding="utf-8") for path in folder.glob("*.html"))
    makers = {
        METHOD: lambda: method_page(run, study.disclosure, language),
        ANNEX: lambda: annex(open_all(tables, study, language=language), run=run),
    }
    for name, make in makers.items():
        page = folder / name
        # missing (withheld, say)
        current = page.read_text(encoding="utf-8") == make() if page.is_file() else f'href="{name}' not in linked
        if not current:
            raise UnusableInputError(
                f"{page.relative_to(out / 'shareable').as_posix()}: missing, or not as the run gives it now. Run "
                "`trajectories report`, and publish then."
            )


def _copied(files: list[Path], shareable: Path, to: Path) -> list[Path]:
    to.mkdir(parents=True, exist_ok=True)
    listing = to / LISTING
    try:
        before = [str(name) for name in json.loads(listing.read_text(encoding="utf-8"))["files"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        before = []
    names = [path.relative_to(shareable).as_posix() for path in files]
    with replaced(listing) as scratch:
        # first, old and new files together: after an interruption the next publication knows what is there
        scratch.write_text(json.dumps({"files": sorted({*names, *before})}, indent=1), encoding="utf-8")
    for path, name in zip(files, names, strict=True):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        with replaced(to / name) as scratch:
            shutil.copyfile(path, scratch)
    for name in set(before) - set(names):
        gone = (to / name).resolve()
        if to in gone.parents:
            gone.unlink(missing_ok=True)
    with replaced(listing) as scratch:
        scratch.write_text(json.dumps({"files": names}, indent=1), encoding="utf-8")
    return [to / name for name in names]
