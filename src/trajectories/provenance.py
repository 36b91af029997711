"""The origin of the tables of a run, compared before they are used or made again."""

from __future__ import annotations

import hashlib
import hmac
import importlib.metadata
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import tables
from .deposits.deposits import CROSSWALKS
from .deposits.rules import CANNOT_OPEN
from .deposits.synthetic import is_synthetic
from .exceptions import StaleTableError
from .linkage import Model
from .linkage.pseudonyms import ENVIRONMENT, SAMPLE_KEY, key_path, secret_key
from .linkage.review import FILE as REVIEW
from .linkage.review import review_folder
from .stamps import PACKAGE, Stamp, file_hash, hashes_below, opened, source_hash
from .stays.subsample import MOST
from .study import Study

if TYPE_CHECKING:
    from .pipeline import Built

# Libraries of the analysis.
LIBRARIES = ("numpy", "pandas", "pyarrow", "rapidfuzz", "scipy", "statsmodels")
# Libraries of the build: also those that read deposits and link.
LIBRARIES_OF_BUILD = (*LIBRARIES, "duckdb", "openpyxl", "python-calamine")
# Settings that are locations: the content there is compared, not the path.
_WHERE = ("paths", "exclusions", "linkage_model")


def linkage_model(study: Study) -> Model:
    """The study's linkage model, or the one that is shipped."""
    return Model.shipped() if study.linkage_model is None else Model.read(study.linkage_model)


def choices(study: Study) -> dict[str, str]:
    """The choices of a build: written into each table, and compared before the tables are analysed."""
    return {
        "perimeter": study.perimeter,
        "scope": study.scope,
        "match_threshold": f"{study.match_threshold:g}",
        "linkage_model": linkage_model(study).version,
    }


def settings_of(study: Study) -> dict[str, str]:
    """The settings of a study without those that are locations."""
    return {name: repr(value) for name, value in vars(study).items() if name not in _WHERE}


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """The installed version of each library."""
    return {name: importlib.metadata.version(name) for name in libraries}


def built_from(study: Study) -> dict[str, Any]:
    """All that the tables of a build depend on: deposits, key, decisions, exclusions, settings, model, code."""
    raw = study.paths.raw
    return {
        "deposits": hashes_below(raw),
        "crosswalks": hashes_below(raw.absolute().parent / CROSSWALKS),
        "exclusions": file_hash(study.exclusions),
        "review": file_hash(review_folder(study) / REVIEW),
        "key": _trace_of_key(study),
        "study": settings_of(study),
        "model": linkage_model(study).to_json(),
        "source": rooms(),
        "libraries": versions(LIBRARIES_OF_BUILD),
    }


def note_built(study: Study, origin: dict[str, Any], built: Built) -> None:
    """
    Stamp the tables with what they were built from: `origin`, as it was before the build began.

    The hashes of the clerical review and of the key are taken now, as a build writes the one and may make the other. A
    deposit whose hash was taken but that could not be opened when it was read has no hash, so that it is tried again.
    """
    refused = built.files["message"].str.startswith(CANNOT_OPEN.partition("{")[0], na=False)
    unopened = dict.fromkeys(built.files.loc[refused, "file"])
    current = {
        "deposits": {**origin["deposits"], **unopened},
        "review": file_hash(review_folder(study) / REVIEW),
        "key": _trace_of_key(study),
    }
    written = sorted(path.name for path in study.paths.derived.glob("*.parquet"))
    stamp_of_build(study.paths.derived).write(
        {**origin, **current},
        written,
        n_excluded=built.n_excluded,
        idle_lines=list(built.idle_lines),
        n_waiting=built.n_waiting,
        weights=built.weights,
    )


# The tables of a build that an analysis reads (analysis/analyse.py can read no other).
READ = (
    "records",
    "persons",
    "links",
    "alternatives",
    "conflicts",
    "cohort",
    "contacts",
    "files",
    "issues",
    "spells",
    "moves",
    "observations",
)


def analysed_from(study: Study, notes: dict[str, str]) -> dict[str, Any]:
    """All that the estimates depend on: tables, settings, the library's source, the libraries that compute."""
    return {
        "tables": {name: file_hash(study.paths.derived / f"{name}.parquet") for name in (*READ, "accounting")},
        "study": settings_of(study),
        "notes": notes,
        "model": linkage_model(study).to_json(),
        "deposits": hashes_below(study.paths.raw),
        "source": rooms(),
        "libraries": versions(LIBRARIES),
    }


def rooms() -> dict[str, str]:
    """The hash of each room of the library, without the report and the command line, which change no table."""
    names = (path.name for path in PACKAGE.iterdir())
    rooms_of_tables = (name for name in names if name not in ("cli", "runs", "report", "__pycache__"))
    return {name: source_hash([name]) for name in sorted(rooms_of_tables)}


def stamp_of_build(derived: Path) -> Stamp:
    """The stamp of the tables of a build."""
    return Stamp(derived / "build.json", derived)


def stamp_of_analysis(folder: Path) -> Stamp:
    """The stamp of the tables of an analysis, which `trajectories compare` reads too."""
    return Stamp(folder / "analysis.json", folder)


def mark_unfinished(derived: Path) -> None:
    """Mark the tables as unfinished, before a build writes the first, until it is stamped or `mark_finished`."""
    stamp_of_build(derived).note({"unfinished": True})


def mark_finished(derived: Path) -> None:
    """Remove the mark of an unfinished build, once every table is written; the stamp comes later."""
    stamp_of_build(derived).remove()


def refuse_mixture(derived: Path, hashes: Mapping[str, str | None] | None = None) -> None:
    """
    Refuse tables that are not of one finished build: it was interrupted, or files changed since.

    `hashes`: those of tables by name, where they are known.

    Raises
    ------
    StaleTableError
    """
    path = stamp_of_build(derived).path
    if not path.exists():
        return  # built by a script: nothing was noted
    content = opened(path.read_bytes())
    if content is None or content.get("unfinished"):
        reason = "the build was not finished" if content else f"{path.name} is damaged"
        raise StaleTableError(f"{derived}: {reason}: run `trajectories build` first.")
    built = {name.removesuffix(".parquet"): file_digest for name, file_digest in content["files"].items()}
    changed = [name for name, file_digest in (hashes or {}).items() if file_digest != built.get(name)]
    if changed:
        raise StaleTableError(
            f"{derived}: {', '.join(changed)} not as the build wrote it: run `trajectories build` again."
        )


def same_study(study: Study) -> dict[str, str]:
    """
    The notes written into the tables of the build, checked against the study.

    Raises
    ------
    StaleTableError
        There is no build, it was interrupted, or made for another perimeter, scope, threshold, model or cut-off.
    """
    refuse_mixture(study.paths.derived)
    notes = tables.read_metadata(tables.COHORT, study.paths.derived)
    if not notes:
        raise StaleTableError(f"{study.paths.derived} holds no build: run `trajectories build` first.")
    requested = choices(study)
    if study.cutoff is not None:
        requested["cutoff"] = study.cutoff.isoformat()
    changed = [
        f"{key} {notes.get(key)} (asked: {value})" for key, value in requested.items() if notes.get(key) != value
    ]
    if changed:
        raise StaleTableError(f"The tables were built for {', '.join(changed)}: rebuild with `trajectories build`.")
    return notes


def _by_region(targets: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Targets as in study.toml: region → fiscal year → households."""
    by_region: dict[str, dict[str, int]] = {}
    for (region, year), households in targets.items():
        by_region.setdefault(region, {})[year] = households
    return by_region


def description(study: Study, notes: dict[str, str], *, stays: int = 0) -> dict[str, Any]:
    """The facts of the run that a page prints (`run.json`); `stays`: rows of the cohort."""
    from .version import __version__

    return {
        "version": __version__,
        "perimeter": study.perimeter,
        "scope": study.scope,
        "pathway": study.pathway or "all",
        "cutoff": notes["cutoff"],
        "synthetic": notes["synthetic"] == "yes",
        "horizons": list(study.horizons),
        "follow_up_months": list(study.follow_up_months),
        "grace_days": study.grace_days,
        "support": study.support,
        "replicates": study.replicates,
        "seed": study.seed,
        "groups": {name: list(regions) for name, regions in study.groups.items()},
        "targets": _by_region(study.targets),
        "drawn_stays": MOST if stays > MOST else None,
    }


def _trace_of_key(study: Study) -> str | None:
    """A hash of the key, the same for runs with the same key, not reversible; None where there is no key yet."""
    if is_synthetic(study.paths.raw):
        secret = SAMPLE_KEY
    elif os.environ.get(ENVIRONMENT) is None and not key_path().exists():
        return None  # not made here
    else:
        secret = secret_key().secret
    return hmac.new(secret, b"trajectories build", hashlib.sha256).hexdigest()
