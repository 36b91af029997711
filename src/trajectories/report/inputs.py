"""The inputs of a page: the protected tables of one region, the facts of the run, and words.

`open_report` takes the protected tables of an analysis (run.py), and keeps the rows of one region. From there on only
`Protected` tables are passed; this room computes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from ..disclosure import Protected
from ..disclosure.ledger import CELLS, FOLDER, read_ledger
from ..disclosure.tables import rules_of
from ..exceptions import DisclosureError
from ..study import REGION_CODES, Disclosure, Study
from ..tables import PROVINCE
from .run import MORE, AllProtected, Run, all_protected, read_table
from .words import Words, words

# ----------------------------------------------------------------------------------------------------
# The last publication with the same settings, so that a page can say what has changed since.
#
# Published numbers are read from the ledger (disclosure/ledger.py); a page compares them with numbers that passed the
# ledger's rules, under which a number that changed by too few persons keeps its published value.

# The kind of each table of the ledger.
_KINDS = {"counts": "counts", "retention": "rates", "exits": "rates", "curves": "curve"}


@dataclass(frozen=True)
class Earlier:
    """The last publication of the same perimeter, scope and pathway: its day, and its tables by name."""

    day: dt.date
    tables: Mapping[str, Protected]

    def of(self, group: str) -> Earlier:
        """Its rows of one group."""
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
    publications = [one for one in read_ledger(reports / FOLDER) if one.settings == settings]
    if not publications:
        return None
    last = publications[-1]
    tables = {
        name: Protected(_KINDS[name], frame, rules_of(_KINDS[name], rules))
        for name, frame in last.tables.items()
        if name in CELLS
    }
    return Earlier(dt.date.fromisoformat(last.day), tables)


# ----------------------------------------------------------------------------------------------------

# Weights are shown to the nearest half (log2), so that a model learnt from deposits reveals no more of them.
WEIGHT_STEPS = 2


@dataclass(frozen=True)
class Report:
    """One group's protected tables, the weights of the linkage, the facts of the run, the last publication, words."""

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
    region: str | int,
    *,
    language: str = "fr",
    rules: Mapping[str, int] | None = None,
    support: int = 20,
) -> Report:
    """
    Load and protect the tables of one region, or of the province (`province`).

    Parameters
    ----------
    tables : path
        The folder that the analysis wrote.
    region : str or int
        Two-digit code as text ("05"), or `province`. A number is read as the code that it was: `papermill -p region 08`
        makes 8 of it.
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
    ValueError
        The region is a number that no region has.

    Examples
    --------
    >>> from trajectories import Study, analyse
    >>> report = open_report(analyse(Study.read("study.toml")), "05", language="en")
    >>> report.retention.frame.query("method == 'main'")["shown"].tolist()  # few have settled there
    [False, True, True, True, False, False]
    """
    (report,) = open_reports(tables, [_code(region)], language=language, rules=rules, support=support)
    return report


def _code(region: str | int) -> str:
    """
    A region as text: of a number, the code of two digits.

    Examples
    --------
    >>> _code(8), _code("08"), _code("province")
    ('08', '08', 'province')
    """
    if isinstance(region, str):
        return region
    code = f"{region:02d}" if type(region) is int else str(region)
    if code not in REGION_CODES:
        raise ValueError(f"no region has the number {region}: give its code of two digits, such as 05, or province.")
    return code


def open_reports(
    tables: str | Path,
    regions: Iterable[str],
    *,
    language: str = "fr",
    rules: Mapping[str, int] | None = None,
    support: int = 20,
    protected: AllProtected | None = None,
) -> list[Report]:
    """
    The reports of several regions, from tables loaded and protected once; otherwise as `open_report`.

    `protected`: the result of `all_protected` for these tables and rules, where it was computed before.
    """
    regions = list(regions)
    if not all(isinstance(region, str) for region in regions):
        raise TypeError(f"a region is text, such as '05': got {regions!r}.")
    folder = Path(tables)
    w, run, disclosure = words(language), Run.read(folder), Disclosure(**(rules or {}))
    kept, more, apart = protected or all_protected(folder, rules=disclosure, support=support)
    weights = _weights(read_table(folder, "weights"))
    absent = tuple(name for name, file in MORE.items() if not (folder / f"{file}.parquet").exists())
    earlier = last_published(folder.parent, run.settings, disclosure)
    return [
        Report(
            region=region,
            words=w,
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
            earlier=earlier and earlier.of(region),
            absent=absent,
        )
        for region in regions
    ]


def open_all(tables: Path, study: Study, *, language: str, protected: AllProtected | None = None) -> list[Report]:
    """The reports of all that the tables are of: the whole, then the regions, then the groups of the study."""
    known = set(read_table(tables, "retention")["group"])
    groups = [PROVINCE, *(group for group in (*REGION_CODES, *study.groups) if group in known)]
    rules = asdict(study.disclosure)
    return open_reports(tables, groups, language=language, rules=rules, support=study.support, protected=protected)


def frame_of(table: Protected) -> pd.DataFrame:
    """
    The frame of a protected table; anything else is refused.

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
    rounded = (frame[measured] * WEIGHT_STEPS).round() / WEIGHT_STEPS
    return frame[["trait", "level"]].join(rounded)
