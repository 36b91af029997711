"""The ledger: what was published before, and what this run may say beside it.

Two publications of one cell tell their difference: « 15 » last quarter and « 20 » now say that one to nine persons
came, though neither number is small. So each number is compared with what was published of the same cell before, as a
reader would, from what is displayed alone:

1. *A difference shows* where the reader knows, whatever rounding hid, that it is not 0 and is under `threshold`
   persons. Of a count, persons; of a rate, those who left, those who stayed and those at the start; of a destination,
   those who went there.
2. *A number whose difference shows keeps what was published last*, and says so (`published`: its day). It moves on
   once the change is large enough. Totals are sums of what is displayed, as ever.
3. *Of other settings* (perimeter, scope, pathway) nothing can be kept: the number is hidden (reason `published`), and
   with it all counts of that group and table. Ring municipalities would else be what two perimeters differ by.
4. *A curve* has no number at the months whose difference shows.

A change that rounding hides is not told by this: « 20 » twice says that few came or none. Rates told as ranges and the
stock (steps of `threshold`) are wide enough by themselves. Other tables hold no numbers of persons: models' only.

Only `trajectories publish` writes here (`<reports>/sensitive/ledger/<when>/`, one folder a publication); every later
run reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..exceptions import UnusableInputError
from ..folders import private_folder, replaced
from ..study import Disclosure
from ..tables import PROVINCE
from .counts import TOTAL
from .rules import RATE_DECIMALS, rounding_interval

FOLDER, NOTE = "ledger", "publication.json"
# Which protected tables are kept, and what a row of each is of.
CELLS = {
    "counts": ("group", "table", "key"),
    "retention": ("group", "method", "horizon"),
    "exits": ("group", "cause", "horizon"),
    "curves": ("group", "month"),
}
RATES = ("retention", "exits")
# What is computed from the rate of the same group and horizon.
FOLLOWING = (
    "sensitivity",
    "odds",
    "panel",
    "drawn",
    "restricted_time",
    "occupation",
    "settled",
    "comparison",
    "funnel",
    "moves_per_person",
    "periods",
)
SETTINGS = ("perimeter", "scope", "pathway")
WHEN, PUBLISHED = "published", "published"


@dataclass(frozen=True)
class Publication:
    """One publication: its day and settings, and the protected tables as they were shown."""

    name: str
    day: str
    settings: tuple[str | None, ...]
    tables: Mapping[str, pd.DataFrame]


def read_ledger(folder: Path) -> list[Publication]:
    """
    All publications, earliest first; none where the folder does not exist.

    Raises
    ------
    UnusableInputError
        A publication that cannot be read: what was published is then not known, and nothing may be published beside it.
    """
    if not folder.is_dir():
        return []
    publications = []
    for path in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        try:
            note = json.loads((path / NOTE).read_text(encoding="utf-8"))
            tables = {name: pd.read_parquet(path / f"{name}.parquet") for name in note["tables"]}
            publications.append(
                Publication(path.name, note["day"], tuple(note["settings"][s] for s in SETTINGS), tables)
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnusableInputError(
                f"{path}: this publication of the ledger cannot be read ({type(error).__name__}). Restore it from a "
                "copy: without it a later run could tell by how few persons its numbers differ from those published."
            ) from None
    return publications


def write_publication(folder: Path, publication: Publication) -> Path:
    """Add one publication, whole or not at all; its folder is closed to others."""
    private_folder(folder)
    path = folder / publication.name
    with replaced(path) as scratch:
        private_folder(scratch)
        for name, frame in publication.tables.items():
            frame.to_parquet(scratch / f"{name}.parquet", index=False)
        note = {
            "day": publication.day,
            "settings": dict(zip(SETTINGS, publication.settings, strict=True)),
            "tables": sorted(publication.tables),
        }
        (scratch / NOTE).write_text(json.dumps(note, indent=1, sort_keys=True), encoding="utf-8")
    return path


def beside_published(
    tables: Mapping[str, pd.DataFrame],
    ledger: Sequence[Publication],
    settings: tuple[str | None, ...],
    rules: Mapping[str, Disclosure],
) -> dict[str, pd.DataFrame]:
    """
    Protected tables as they may be shown beside what was published.

    Parameters
    ----------
    tables : mapping of name to DataFrame
        Frames of `Protected` tables, by the names of `CELLS`.
    ledger : sequence of Publication
    settings : tuple
        perimeter, scope, pathway of this run.
    rules : mapping of name to Disclosure
        Those that each table was protected by.

    Returns
    -------
    dict of DataFrame
        The rows in their order, with a column `published`: the day of the publication whose numbers a row keeps. Rates
        of a group and horizon stay together, so that S + ΣF = 1: where one keeps what was published, all do.

    Examples
    --------
    >>> rules = {"counts": Disclosure()}
    >>> def counts(n):
    ...     return pd.DataFrame({"group": "05", "table": "sex", "key": ["F", "M"], "persons_rounded": [n, 60],
    ...                          "households_rounded": [20, 30], "shown": True, "sum_of_displayed": False})
    >>> before = Publication("1", "2026-03-01", ("RMR-2021", "region", None), {"counts": counts(20)})
    >>> shown = beside_published({"counts": counts(25)}, [before], before.settings, rules)["counts"]
    >>> shown[["key", "persons_rounded", "published"]].values.tolist()
    [['F', 20, '2026-03-01'], ['M', 60, None]]
    """
    out = {name: _with_day(frame) for name, frame in tables.items()}
    marked = {name: _marked(name, frame, ledger, settings, rules[name]) for name, frame in out.items()}
    rates = [name for name in RATES if name in out]
    for which in (0, 1):
        pairs = {
            pair
            for name in rates
            for pair in out[name].loc[marked[name][which], ["group", "horizon"]].itertuples(index=False, name=None)
        }
        for name in rates:
            row_pairs = pd.MultiIndex.from_frame(out[name][["group", "horizon"]])
            marked[name][which][:] |= row_pairs.isin(list(pairs)) if pairs else False
    for name, frame in out.items():
        keeps, hides = marked[name]
        if name == "curves":
            out[name] = frame[~(keeps | hides)].reset_index(drop=True)
            continue
        filled_rows = np.zeros(len(frame), dtype=bool)
        for publication in ledger:  # the last that showed the row stands
            if publication.settings == settings and name in publication.tables:
                filled_rows |= _keep(name, frame, publication, keeps & ~hides)
        hides = hides | (keeps & ~filled_rows)
        if name == "counts":
            hides = _whole_tables(frame, hides)
        _hide(frame, hides)
        out[name] = _sums(frame) if name == "counts" else frame
    return out


def _with_day(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.reset_index(drop=True).assign(**{WHEN: pd.Series([None] * len(frame), dtype="object")})


def _marked(
    name: str, frame: pd.DataFrame, ledger: Sequence[Publication], settings: tuple[str | None, ...], rules: Disclosure
) -> tuple[np.ndarray, np.ndarray]:
    """The rows whose difference with a publication of the same settings shows, and with one of others."""
    same_settings, other_settings = (np.zeros(len(frame), dtype=bool) for _ in range(2))
    for publication in ledger if len(frame) else ():
        before = _before(name, frame, publication)
        if before is not None:
            shows = _difference_shows(_people(name, frame, rules), _people(name, before, rules), rules.threshold)
            chosen = same_settings if publication.settings == settings else other_settings
            chosen |= shows
    return same_settings, other_settings


def _before(name: str, frame: pd.DataFrame, publication: Publication) -> pd.DataFrame | None:
    """The published row of each row; missing where there is none."""
    keys = list(CELLS[name])
    if name not in publication.tables or not set(keys) <= set(publication.tables[name]):
        return None
    before = publication.tables[name].set_index(keys)
    return before[~before.index.duplicated()].reindex(pd.MultiIndex.from_frame(frame[keys])).reset_index()


def without_kept(name: str, frame: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """
    What follows from a rate, hidden where that rate keeps what was published: the new one could be read from it.

    Parameters
    ----------
    name : str
        Of `FOLLOWING`; any other table is returned as it is.
    frame : DataFrame
        The frame of a `Protected`.
    rates : DataFrame
        `retention` as `beside_published` gave it.
    """
    if name not in FOLLOWING or WHEN not in rates:
        return frame
    month = "month" if "horizon" not in frame else "horizon"
    if month not in frame:
        return frame
    kept_rates = rates[rates[WHEN].notna() | (rates["reason"].eq(PUBLISHED) if "reason" in rates else False)]
    group = frame["group"] if "group" in frame else pd.Series(PROVINCE, index=frame.index)
    row_pairs = pd.MultiIndex.from_arrays([group, frame[month].astype(float)])
    kept_pairs = list(kept_rates[["group", "horizon"]].astype({"horizon": float}).itertuples(index=False, name=None))
    out = frame.copy()
    _hide(out, row_pairs.isin(kept_pairs) if kept_pairs else np.zeros(len(out), dtype=bool))
    return out


# ── what a reader knows of the persons behind a row ───────────────────────────────────────────────────────
def _people(name: str, frame: pd.DataFrame, rules: Disclosure) -> list[tuple[np.ndarray, np.ndarray]]:
    """The fewest and the most persons that each displayed number may stand for; missing where it is not shown."""
    shown = frame["shown"].fillna(False).to_numpy(dtype=bool)
    if name == "counts":
        return [_count(frame["persons_rounded"], shown, rules)]
    if name == "curves":
        start = _count(frame["n_risk_rounded"], shown, rules)
        ends = pd.DataFrame({"group": frame["group"], "low": start[0], "high": start[1]})
        start = tuple(ends.groupby("group")[end].transform("max").to_numpy() for end in ("low", "high"))
        return [_part(start, 1 - frame["survival"].astype(float).to_numpy())]
    exact = frame["estimate"].astype(float).where(shown).to_numpy()
    at_start = _count(frame["n_start_rounded"], shown, rules) if "n_start_rounded" in frame else None
    if at_start is None:
        return []
    return [at_start, _part(at_start, exact), _part(at_start, 1 - exact)]


def _count(values: pd.Series, shown: np.ndarray, rules: Disclosure) -> tuple[np.ndarray, np.ndarray]:
    number = values.astype("float64").where(shown)
    low, high = rounding_interval(number.fillna(0).to_numpy(), rules.round, rules.threshold)
    return np.where(number.isna(), np.nan, low), np.where(number.isna(), np.nan, high)


def _part(start: tuple[np.ndarray, np.ndarray], share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Persons: a share in whole percents of a rounded number."""
    half = 0.5 * 10.0**-RATE_DECIMALS
    return start[0] * np.clip(share - half, 0, 1), start[1] * np.clip(share + half, 0, 1)


def _difference_shows(now: list, before: list, threshold: int) -> np.ndarray:
    """Where the reader knows of some number that it changed, and by under `threshold` persons."""
    shows = np.zeros(len(now[0][0]) if now else 0, dtype=bool)
    for (low, high), (low_before, high_before) in zip(now, before, strict=True):
        least, most = low - high_before, high - low_before
        with np.errstate(invalid="ignore"):
            shows |= ((least > 0) & (most < threshold)) | ((most < 0) & (least > -threshold))
    return shows


# ── what is done about it ─────────────────────────────────────────────────────────────────────────────────
def _keep(name: str, out: pd.DataFrame, publication: Publication, rows: np.ndarray) -> np.ndarray:
    """Puts what was published into rows where it was shown; True for the rows changed."""
    before = _before(name, out, publication)
    if before is None:
        return np.zeros(len(out), dtype=bool)
    replaced_rows = before["shown"].fillna(False).to_numpy(dtype=bool) & rows
    for column in before.columns:
        if column in out and column not in (*CELLS[name], WHEN):
            out.loc[replaced_rows, column] = before[column].to_numpy()[replaced_rows]
    out.loc[replaced_rows, WHEN] = publication.day
    return replaced_rows


def _whole_tables(out: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """All rows of a group and table of which one is hidden: no margin stands beside a hidden cell."""
    return pd.Series(rows).groupby([out["group"], out["table"]]).transform("any").to_numpy(dtype=bool)


def _hide(out: pd.DataFrame, rows: np.ndarray) -> None:
    numbers = out.select_dtypes("number").columns.difference(["horizon", "month"])
    for column in numbers:
        out[column] = out[column].mask(rows)
    out.loc[rows, "shown"] = False
    if "reason" in out:
        out.loc[rows, "reason"] = PUBLISHED


def _sums(out: pd.DataFrame) -> pd.DataFrame:
    """Totals again the sums of what is displayed."""
    total = out["key"].eq(TOTAL) & out["sum_of_displayed"].astype(bool) & out["shown"].astype(bool)
    has_kept_cells = out[WHEN].notna().groupby([out["group"], out["table"]]).transform("any")
    for column in ("persons_rounded", "households_rounded"):
        cells = out[column].where(~out["key"].eq(TOTAL)).astype("Float64")
        sums = cells.groupby([out["group"], out["table"]]).transform("sum")
        out[column] = out[column].mask(total & has_kept_cells & out[column].notna(), sums.astype("Int64"))
    day = out[WHEN].fillna("").groupby([out["group"], out["table"]]).transform("max")
    out.loc[total & has_kept_cells, WHEN] = day[total & has_kept_cells]
    return out
