"""What changed between two runs, and why: `trajectories compare RUN1 RUN2`.

A run is a folder of reports. Beside its tables it holds what was asked (`run.json`) and what the tables were made from,
part by part, as hashes (`analysis.json`, provenance.py): deposits, tables, settings, linkage model, code, libraries.
Differences there explain why estimates moved; the tables show which did, by how much, and whether by more than their
standard error.

Only hashes, names of files and settings, and numbers of groups are read: no row of a person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..exceptions import UnusableInputError

STAMP, RUN, ACCOUNTING = "analysis.json", "run.json", "accounting.csv"
# The columns that identify a row of a table of estimates: these numbers, and all texts except `_NOT_KEYS`.
NUMBERED = ("horizon", "month", "threshold", "value", "k")
_NOT_KEYS = ("note", "known", "reporting", "label")
# A table with such a column is of persons, and is not read.
_PERSONS = ("person_id", "household_id", "record_id", "left_id", "right_id")
# Settings: constant within a run, and where they differ between the runs no rows would match.
_CHOSEN = ("perimeter", "scope", "pathway")
ORIGIN_COLUMNS = ("part", "name", "change", "before", "after")
MOVED_COLUMNS = (
    "table", "rows", "group", "horizon", "change", "before", "after", "difference", "se", "beyond_se",
)  # fmt: skip
_COUNTS = ("n_read", "n_accepted", "n_quarantined", "n_superseded", "n_duplicate")
_PARTS = {
    "deposits": "deposits",
    "tables": "tables of the build",
    "study": "settings",
    "notes": "notes of the build",
    "model": "linkage model",
    "source": "code",
    "libraries": "libraries",
}
_SHORT = 12


@dataclass(frozen=True)
class Changes:
    """
    What changed between two runs.

    `origin`: part (deposits, files, settings, code …), name, change (added, removed, changed), before, after.
    `moved`: the estimates that differ, largest difference first: table, rows (the keys of the row as text), group,
    horizon, change (moved, appeared, disappeared), before, after, difference, se (the larger of both runs), beyond_se.
    `compared`: table, n_compared (0 where its rows have no unique keys), n_moved, n_beyond, largest.
    """

    origin: pd.DataFrame
    moved: pd.DataFrame
    compared: pd.DataFrame


@dataclass(frozen=True)
class _Run:
    folder: Path
    stamp: dict[str, Any]
    asked: dict[str, Any]


def changes(before: str | Path, after: str | Path) -> Changes:
    """
    What differs between two runs: what they were made from, and their estimates.

    Parameters
    ----------
    before, after : path
        Folders of reports, each with `sensitive/tables`.

    Returns
    -------
    Changes

    Raises
    ------
    UnusableInputError
        A folder is not that of a run, or its analysis cannot be read; or the two were written by versions of the
        library whose tables have nothing in common. The message names all faults.
    """
    runs, faults = [], []
    for folder in (before, after):
        try:
            runs.append(_read_run(Path(folder)))
        except UnusableInputError as error:
            faults.append(str(error))
    if faults:
        raise UnusableInputError(" ".join(faults))
    run1, run2 = runs
    origin = pd.concat([_origin(run1, run2), _files(run1, run2)], ignore_index=True)
    moved, compared = _estimates(run1, run2)
    return Changes(origin, moved, compared)


def sentences(differences: Changes, most: int = 10) -> list[str]:
    """
    What changed, as sentences to print: first the why, then the estimates, the largest difference first.

    Parameters
    ----------
    differences : Changes
    most : int
        How many differences of a kind are named; the others are counted.

    Returns
    -------
    list of str
    """
    lines = []
    for part, rows in differences.origin.groupby("part", sort=False):
        named = [_difference(row) for row in rows.head(most).itertuples()]
        more = f" and {len(rows) - most} more" if len(rows) > most else ""
        lines.append(f"{str(part).capitalize()}: {'; '.join(named)}{more}.")
    if differences.origin.empty:
        lines.append("Both runs were made from the same inputs, settings, code and libraries.")
    n_moved, n_compared = len(differences.moved), int(differences.compared["n_compared"].sum())
    if not n_moved:
        return [*lines, f"None of {n_compared:,} estimates differs."]
    beyond = int(differences.moved["beyond_se"].sum())
    lines.append(f"{n_moved:,} of {n_compared:,} estimates differ, {beyond:,} of them by more than a standard error.")
    lines += [_movement(row) for row in differences.moved.head(most).itertuples()]
    if n_moved > most:
        lines.append(f"{n_moved - most:,} more differ by less.")
    if differences.origin.empty:
        lines.append("Nothing that they were made from explains this: one of the folders was changed by hand.")
    return lines


def _difference(row: Any) -> str:
    if row.change == "changed" and row.before is not None:
        return f"{row.name} {row.before} → {row.after}"
    return f"{row.name} {row.change}"


def _movement(row: Any) -> str:
    where = f"{row.table}, {row.rows}"
    if row.change != "moved":
        value = row.after if row.change == "appeared" else row.before
        return f"{where}: {row.change} ({value:.4g})."
    se = "" if np.isnan(row.se) else f", {abs(row.difference) / row.se:.1f} standard errors" if row.se > 0 else ""
    return f"{where}: {row.before:.4g} → {row.after:.4g} ({row.difference:+.4g}{se})."


# ── a run ─────────────────────────────────────────────────────────────────────────────────────────────────
def _read_run(reports: Path) -> _Run:
    folder = reports / "sensitive" / "tables"
    read = {}
    for name in (STAMP, RUN):
        path = folder / name
        try:
            read[name] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UnusableInputError(
                f"{reports} is not the folder of a run: {path} does not exist. Name a folder of reports, such as "
                "reports or reports/sample, after `trajectories run`."
            ) from None
        except (OSError, ValueError):
            raise UnusableInputError(f"{path} cannot be read: make the run again with `trajectories run`.") from None
        if not isinstance(read[name], dict):
            raise UnusableInputError(f"{path} does not hold what a run writes: make the run again.")
    if not isinstance(read[STAMP].get("origin"), dict):
        raise UnusableInputError(
            f"{folder / STAMP} was written by an older version of the library, which did not keep what a run was made "
            "from: make the run again with `trajectories run --force`."
        )
    return _Run(folder, read[STAMP], read[RUN])


# ── why ───────────────────────────────────────────────────────────────────────────────────────────────────
def _origin(run1: _Run, run2: _Run) -> pd.DataFrame:
    """What differs in the parts of the origin, and in the library's version."""
    rows = []
    origin1, origin2 = run1.stamp["origin"], run2.stamp["origin"]
    for part in dict.fromkeys([*(p for p in _PARTS if p in origin1 or p in origin2), *sorted({*origin1, *origin2})]):
        before, after = (_flat(part, origin.get(part)) for origin in (origin1, origin2))
        rows += _differing(_PARTS.get(part, part), before, after)
    version = {"trajectories": run1.asked.get("version")}, {"trajectories": run2.asked.get("version")}
    rows += _differing("libraries", *version)
    return pd.DataFrame(rows, columns=list(ORIGIN_COLUMNS))


def _flat(part: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {str(name): content for name, content in value.items()}
    return {} if value is None else {_PARTS.get(part, part): value}


def _differing(part: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name in dict.fromkeys([*first, *second]):
        before, after = first.get(name), second.get(name)
        if before == after:
            continue
        how = "added" if name not in first else "removed" if name not in second else "changed"
        rows.append({"part": part, "name": name, "change": how, "before": _printed(before), "after": _printed(after)})
    return rows


def _printed(value: Any) -> str | None:
    """A value to print: a hash by its beginning; None for what is long."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    if len(text) == 64 and not set(text) - set("0123456789abcdef"):
        return text[:_SHORT]
    return text if len(text) <= 60 else None


def _files(run1: _Run, run2: _Run) -> pd.DataFrame:
    """What differs in the row counts of the deposits (read, accepted, quarantined …), where both runs wrote them."""
    accounts = []
    for run in (run1, run2):
        path = run.folder / ACCOUNTING
        if not path.exists():
            return pd.DataFrame(columns=list(ORIGIN_COLUMNS))
        accounts.append(pd.read_csv(path, dtype={"file": str}).set_index("file"))
    rows_by_file = [
        {
            name: ", ".join(f"{row[count]:,.0f} {count[2:]}" for count in _COUNTS if row.get(count))
            for name, row in table.iterrows()
        }
        for table in accounts
    ]
    return pd.DataFrame(_differing("rows of the deposits", *rows_by_file), columns=list(ORIGIN_COLUMNS))


# ── what ──────────────────────────────────────────────────────────────────────────────────────────────────
def _estimates(run1: _Run, run2: _Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    paths = [{path.stem: path for path in sorted(run.folder.glob("*.parquet"))} for run in (run1, run2)]
    differing, compared = [], []
    for name in paths[0]:
        if name not in paths[1]:
            continue
        before, after = (_estimates_of(tables[name]) for tables in paths)
        if before is None or after is None:
            continue
        both = _side_by_side(before, after)
        if both is None:
            compared.append({"table": name, "n_compared": 0, "n_moved": 0, "n_beyond": 0, "largest": np.nan})
            continue
        differs = both[both["change"].ne("same")].assign(table=name)
        differing.append(differs)
        compared.append(
            {
                "table": name,
                "n_compared": len(both),
                "n_moved": len(differs),
                "n_beyond": int(differs["beyond_se"].sum()),
                "largest": differs["difference"].abs().max(),
            }
        )
    if not compared:
        raise UnusableInputError(
            f"{run1.folder} and {run2.folder} hold no table of estimates that both have: they were written by versions "
            "of the library that do not compare. Make both runs again with `trajectories run --force`."
        )
    table = pd.concat(differing, ignore_index=True) if differing else pd.DataFrame(columns=list(MOVED_COLUMNS))
    # what appeared or disappeared has no difference, and comes last
    order = table["difference"].abs().sort_values(ascending=False, kind="stable", na_position="last").index
    columns = ["table", "n_compared", "n_moved", "n_beyond", "largest"]
    return table.loc[order, list(MOVED_COLUMNS)].reset_index(drop=True), pd.DataFrame(compared, columns=columns)


def _estimates_of(path: Path) -> pd.DataFrame | None:
    """The estimates of a table, with the columns that identify a row; None where it holds none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        if "estimate" not in schema.names or set(_PERSONS) & set(schema.names):
            return None
        texts = [
            field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        keys = [name for name in schema.names if (name in texts and name not in _NOT_KEYS) or name in NUMBERED]
        numbers = ["estimate", *(["se"] if "se" in schema.names else [])]
        table = pq.read_table(path, columns=[*keys, *numbers]).to_pandas()
    except (pa.ArrowInvalid, OSError):
        raise UnusableInputError(
            f"{path} cannot be read: make the run again with `trajectories run --force`."
        ) from None
    return table


def _side_by_side(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame | None:
    """Both runs' estimates row by row: what moved, appeared or disappeared; None where rows are not identified."""
    keys = [name for name in first if name in second and name not in (*_CHOSEN, "estimate", "se")]
    texts = [frame.assign(**{name: frame[name].map(_key) for name in keys}) for frame in (first, second)]
    texts = [frame if "se" in frame else frame.assign(se=np.nan) for frame in texts]
    if any(frame.duplicated(keys).any() for frame in texts):
        return None
    both = texts[0][[*keys, "estimate", "se"]].merge(
        texts[1][[*keys, "estimate", "se"]], on=keys, how="outer", suffixes=("_before", "_after")
    )
    before, after = both["estimate_before"].astype(float), both["estimate_after"].astype(float)
    difference = after - before
    se = both[["se_before", "se_after"]].astype(float).max(axis=1)
    change = np.select(
        [before.isna() & after.isna(), before.isna(), after.isna(), difference.abs() > 1e-12],
        ["same", "appeared", "disappeared", "moved"],
        "same",
    )
    rest = [name for name in keys if name not in ("measure",)]
    rows = [
        ", ".join(f"{n} {v}" if n in ("horizon", "month") else v for n, v in zip(rest, values, strict=True) if v)
        for values in both[rest].itertuples(index=False)
    ]
    blank = pd.Series("", index=both.index)
    return pd.DataFrame(
        {
            "rows": rows,
            "group": both.get("group", blank),
            "horizon": both.get("horizon", blank),
            "change": change,
            "before": before,
            "after": after,
            "difference": difference,
            "se": se,
            "beyond_se": (difference.abs() > se).to_numpy(),
        }
    )


def _key(value: Any) -> str:
    """A key as text: 12 and 12.0 are one, a missing one is empty."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return f"{value:g}" if isinstance(value, (int, float, np.number)) else str(value)
