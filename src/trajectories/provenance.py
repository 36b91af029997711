"""What the tables of a run were made from: what is compared before they are used again, or made again."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import tables
from .exceptions import StaleTableError
from .fingerprint import PACKAGE, file_hash, fingerprint, hashes_below, opened, sealed, source_hash
from .folders import replaced
from .persons import Model
from .study import Study
from .subsample import MOST

# What an analysis wrote, and from what: the reason to make it again, and what `trajectories compare` reads.
STAMP = "analysis.json"
# The same of a build.
BUILT = "build.json"
# What computes.
LIBRARIES = ("numpy", "pandas", "pyarrow", "rapidfuzz", "scipy", "statsmodels")
# Settings that say where things are, not what they are.
_WHERE = ("paths", "exclusions", "linkage_model")


def linkage_model(study: Study) -> Model:
    """The study's linkage model, or the one that is shipped."""
    return Model.shipped() if study.linkage_model is None else Model.read(study.linkage_model)


def choices(study: Study) -> dict[str, str]:
    """What the tables of a build were made for: written in each, and compared before they are analysed."""
    return {
        "perimeter": study.perimeter, "scope": study.scope, "match_threshold": f"{study.match_threshold:g}",
        "linkage_model": linkage_model(study).version,
    }  # fmt: skip


def settings_of(study: Study) -> dict[str, str]:
    """The settings of a study, less those that say where things are: what stands there is compared itself."""
    return {name: repr(value) for name, value in vars(study).items() if name not in _WHERE}


def analysed_from(study: Study, notes: dict[str, str]) -> dict[str, Any]:
    """All that the estimates depend on: tables, settings, the library's source, the libraries that compute."""
    names = [*(t.name for t in (tables.RECORDS, tables.PERSONS, tables.LINKS, tables.ALTERNATIVES, tables.CONFLICTS,
                                tables.COHORT, tables.CONTACTS, tables.FILES, tables.ISSUES, tables.SPELLS,
                                tables.MOVES, tables.OBSERVATIONS)), "accounting"]  # fmt: skip
    return {
        "tables": {name: file_hash(study.paths.derived / f"{name}.parquet") for name in names},
        "study": settings_of(study),
        "notes": notes,
        "model": linkage_model(study).to_json(),
        "deposits": hashes_below(study.paths.raw),
        "source": rooms(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def rooms() -> dict[str, str]:
    """The hash of each room of the library; those that only show and command change no table."""
    names = (path.name for path in PACKAGE.iterdir())
    kept = (name for name in names if name not in ("report", "__pycache__") and not name.startswith("cli"))
    return {name: source_hash([name]) for name in sorted(kept)}


def is_made(folder: Path, origin: dict[str, Any], name: str = STAMP) -> bool:
    """Whether the folder holds, whole, what an analysis of the same origin wrote."""
    made = read_stamp(folder, name)
    return (
        made is not None
        and made["from"] == fingerprint(origin)
        and all(file_hash(folder / n) == h for n, h in made["files"].items())
    )


def read_stamp(folder: Path, name: str = STAMP) -> dict[str, Any] | None:
    """What `stamp` wrote; None where there is none, or one that is damaged."""
    try:
        made = opened((folder / name).read_bytes())
    except FileNotFoundError:
        return None
    return made if made and {"from", "files", "origin"} <= set(made) else None


def stamp(folder: Path, origin: dict[str, Any], written: Iterable[str], name: str = STAMP, **more: Any) -> None:
    """Write what the files of a folder were made from, their hashes, and what else is to be known of them."""
    hashes = {name: file_hash(folder / name) for name in written}
    content = {**more, "from": fingerprint(origin), "files": hashes, "origin": origin}
    with replaced(folder / name) as scratch:
        scratch.write_text(sealed(content), encoding="utf-8")


def unfinished(derived: Path) -> None:
    """A build begins to write its tables: until it is stamped, or `finished`, they are of no one build."""
    with replaced(derived / BUILT) as scratch:
        scratch.write_text(sealed({"unfinished": True}), encoding="utf-8")


def finished(derived: Path) -> None:
    """Every table is written; nothing says yet from what."""
    (derived / BUILT).unlink(missing_ok=True)


def refuse_mixture(derived: Path, hashes: Mapping[str, str | None] | None = None) -> None:
    """
    Refuse tables that are not those of one build: one that was stopped half-way, or whose files changed since.

    `hashes`: of tables by name, where they are known.

    Raises
    ------
    StaleTableError
    """
    try:
        said = opened((derived / BUILT).read_bytes())
    except FileNotFoundError:
        return  # built by a script: nothing was noted
    if said is None or said.get("unfinished"):
        why = "the build was not finished" if said else f"{BUILT} is damaged"
        raise StaleTableError(f"{derived}: {why}: run `trajectories build` first.")
    then = {name.removesuffix(".parquet"): one for name, one in said["files"].items()}
    other = [name for name, one in (hashes or {}).items() if one != then.get(name)]
    if other:
        raise StaleTableError(
            f"{derived}: {', '.join(other)} not as the build wrote it: run `trajectories build` again."
        )


def same_study(study: Study) -> dict[str, str]:
    """
    What is written beside the tables of the build.

    Raises
    ------
    StaleTableError
        There is no build, it was stopped half-way, or made for another perimeter, scope, threshold, model or cut-off.
    """
    refuse_mixture(study.paths.derived)
    notes = tables.read_metadata(tables.COHORT, study.paths.derived)
    if not notes:
        raise StaleTableError(f"{study.paths.derived} holds no build: run `trajectories build` first.")
    asked = choices(study)
    if study.cutoff is not None:
        asked["cutoff"] = study.cutoff.isoformat()
    changed = [f"{key} {notes.get(key)} (asked: {value})" for key, value in asked.items() if notes.get(key) != value]
    if changed:
        raise StaleTableError(f"The tables were built for {', '.join(changed)}: rebuild with `trajectories build`.")
    return notes


def _by_region(targets: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Targets as study.toml gives them: region → fiscal year → households."""
    found: dict[str, dict[str, int]] = {}
    for (region, year), households in targets.items():
        found.setdefault(region, {})[year] = households
    return found


def description(study: Study, notes: dict[str, str], *, stays: int = 0) -> dict[str, Any]:
    """The facts of the run that a page prints (`run.json`); `stays`: rows of the cohort."""
    from . import __version__

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
