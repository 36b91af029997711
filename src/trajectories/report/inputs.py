"""What a page is made of: the protected tables of one region, the facts of the run, and words.

`open_report` takes the tables of an analysis as they may be shown (run.py), and keeps of each what concerns one
region. From there on only `Protected` tables travel; this room computes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..disclosure import Protected
from ..disclosure.ledger import CELLS, FOLDER, read_ledger
from ..exceptions import DisclosureError
from ..study import Disclosure
from ..tables import PROVINCE
from .run import MORE, AllProtected, Run, all_protected, read_table
from .words import Words, words

# ----------------------------------------------------------------------------------------------------
# What was published last of the same settings, so that a page can say what has changed since.
#
# Only numbers that were published are read, from the ledger (disclosure/ledger.py), and beside them a page sets
# numbers that the ledger's rules have let through: what changed by a number of persons too small to be told has kept
# its number.

# The kind of each table of the ledger.
_KINDS = {"counts": "counts", "retention": "rates", "exits": "rates", "curves": "curve"}


@dataclass(frozen=True)
class Earlier:
    """The last publication of the same perimeter, scope and pathway: its day, and its tables by name."""

    day: dt.date
    tables: Mapping[str, Protected]

    def of(self, group: str) -> Earlier:
        """What it said of one group."""
        return Earlier(self.day, {name: table.of(group) for name, table in self.tables.items()})


def last_published(reports: Path, settings: tuple[str | None, ...], rules: Disclosure) -> Earlier | None:
    """
    The last publication with the same settings; None where there is none.

    Parameters
    ----------
    reports : path
        The sensitive folder, which holds the ledger.
    settings : tuple
        perimeter, scope, pathway.
    rules : Disclosure
        Of this run.
    """
    same = [one for one in read_ledger(reports / FOLDER) if one.settings == settings]
    if not same:
        return None
    last = same[-1]
    told = {name: Protected(_KINDS[name], frame, rules) for name, frame in last.tables.items() if name in CELLS}
    return Earlier(dt.date.fromisoformat(last.day), told)


# ----------------------------------------------------------------------------------------------------

# Weights are told to the nearest half (log2): a model learnt from deposits says no more of them than that.
WEIGHT_STEPS = 2


@dataclass(frozen=True)
class Report:
    """One group's protected tables, the weights of the linkage, the facts of the run, what was said before, words."""

    region: str
    words: Words
    run: Run
    rules: Disclosure
    retention: Protected
    exits: Protected
    curve: Protected
    counts: Protected
    whole_counts: Protected
    everywhere: Protected
    sensitivity: Protected
    checks: Protected
    services_apart: bool
    weights: pd.DataFrame
    more: Mapping[str, Protected]
    earlier: Earlier | None
    absent: tuple[str, ...]


def open_report(
    tables: str | Path,
    region: str,
    *,
    language: str = "fr",
    rules: Mapping[str, int] | None = None,
    support: int = 20,
) -> Report:
    """
    Load and protect the tables of one region, or of the whole (`province`).

    Parameters
    ----------
    tables : path
        The folder that the analysis wrote.
    region : str
        Two-digit code as text ("05"), or `province`.
    language : str
    rules : mapping, optional
        Keys of `[disclosure]` in study.toml; the defaults of the study where absent.
    support : int
        Persons at risk below which nothing of a curve is shown.

    Raises
    ------
    StaleTableError
        A table is missing, or was written by another version.
    NotebookError
        No catalogue exists for the language.

    Examples
    --------
    >>> from trajectories import Study, analyse
    >>> report = open_report(analyse(Study.read("study.toml")), "05", language="en")
    >>> report.retention.frame.query("method == 'main'")["shown"].tolist()  # few have settled there
    [False, False, True, False, False, False]
    """
    (report,) = open_reports(tables, [region], language=language, rules=rules, support=support)
    return report


def open_reports(
    tables: str | Path,
    regions: Iterable[str],
    *,
    language: str = "fr",
    rules: Mapping[str, int] | None = None,
    support: int = 20,
    found: AllProtected | None = None,
) -> list[Report]:
    """
    The reports of several regions, from tables loaded and protected once; otherwise as `open_report`.

    `found`: what `all_protected` made of these tables by these rules, where it was needed before.
    """
    regions = list(regions)
    if not all(isinstance(region, str) for region in regions):
        raise TypeError(f"a region is text, such as '05': got {regions!r}.")
    folder = Path(tables)
    said, run, disclosure = words(language), Run.read(folder), Disclosure(**(rules or {}))
    kept, more, apart = found or all_protected(folder, rules=disclosure, support=support)
    weights = _weights(read_table(folder, "weights"))
    absent = tuple(name for name, file in MORE.items() if not (folder / f"{file}.parquet").exists())
    before = last_published(folder.parent, run.settings, disclosure)
    return [
        Report(
            region=region,
            words=said,
            run=run,
            rules=disclosure,
            retention=kept["retention"].of(region),
            exits=kept["exits"].of(region),
            curve=kept["curves"].of(region),
            counts=kept["counts"].of(region),
            whole_counts=kept["counts"].of(PROVINCE),
            everywhere=kept["retention"],
            sensitivity=kept["sensitivity"].of(region),
            checks=kept["checks"].of(region),
            services_apart=region in apart,
            weights=weights,
            more=more,
            earlier=before and before.of(region),
            absent=absent,
        )
        for region in regions
    ]


def frame_of(table: Protected) -> pd.DataFrame:
    """
    The numbers of a protected table, and of nothing else.

    Raises
    ------
    DisclosureError
        The table did not pass through `protect`.
    """
    if not isinstance(table, Protected):
        raise DisclosureError(
            f"a report takes protected tables only, and was given a {type(table).__name__}: "
            "pass it through `trajectories.protect` first."
        )
    return table.frame.rename(columns=lambda name: name.removesuffix("_rounded"))


def _weights(frame: pd.DataFrame) -> pd.DataFrame:
    measured = ["weight", "relative_weight"]
    told = (frame[measured] * WEIGHT_STEPS).round() / WEIGHT_STEPS
    return frame[["trait", "level"]].join(told)
