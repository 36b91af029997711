"""What of the run's persons no file may hold, from the tables of the build: what the leak scan looks for.

The columns: given_name, family_name, birth_date, file_number, household_number, organisation_id and organisation of
`records`; what partners typed (places as typed in `records`, cells in `quarantine` and `issues`). Remarks stand in no
table (docs/deposit-schema.md), so a page made of tables cannot hold one; they are read again from the deposits, which
takes as long as reading them did, only where a file holds a run of words that no catalogue explains.

Names are kept as plain text (ordinary.py) and only in memory; a `Secrets` prints as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..study import Study
from .ordinary import plain

_TYPED = {
    "records": ("residence", "destination", "exit_destination", "remarks"), "quarantine": ("value",),
    "issues": ("value",),
}  # fmt: skip
_NUMBERS = ("file_number", "household_number")
_FISCAL_YEAR = re.compile(r"(?:19|20)\d\d[-/](?:19|20)?\d\d")


def _nothing_typed() -> Iterable[str]:
    return ()


@dataclass(frozen=True, repr=False)
class Secrets:
    """
    What no file may hold.

    Attributes
    ----------
    given, family : list of str
        Plain text: a distinct spelling each.
    persons : ndarray of int, two columns
        Distinct persons' names: positions in `given` and in `family`, −1 where unknown.
    births : frozenset of int
        Birth dates known to the day, as days since 1970.
    numbers : frozenset of str
        File and household numbers, lower case.
    organisations : frozenset of str
        Codes, lower case.
    organisation_names : frozenset of str
        Plain text.
    typed : callable
        Gives what partners typed freely; called only where a file may hold some of it.
    at_hand : bool
        False: no build was there to read them from.
    """

    given: list[str] = field(default_factory=list)
    family: list[str] = field(default_factory=list)
    persons: np.ndarray = field(default_factory=lambda: np.empty((0, 2), dtype=np.int64))
    births: frozenset[int] = frozenset()
    numbers: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    organisation_names: frozenset[str] = frozenset()
    typed: Callable[[], Iterable[str]] = _nothing_typed
    at_hand: bool = False

    def __repr__(self) -> str:
        return f"Secrets({len(self.persons)} names, {len(self.births)} dates, {len(self.numbers)} numbers)"

    @classmethod
    def of_records(cls, records: pd.DataFrame, typed: Callable[[], Iterable[str]] = _nothing_typed) -> Secrets:
        """
        From a table of records.

        Examples
        --------
        >>> Secrets.of_records(pd.DataFrame({"given_name": ["Ana", "Ana"], "family_name": ["Pérez", "PEREZ"]}))
        Secrets(1 names, 0 dates, 0 numbers)
        """
        given, first = _spellings(records, "given_name")
        family, last = _spellings(records, "family_name")
        pairs = pd.DataFrame({"given": first, "family": last}).drop_duplicates().to_numpy()
        return cls(
            given=given, family=family, persons=pairs[(pairs >= 0).any(axis=1)], births=_days(records),
            numbers=_codes(records, *_NUMBERS), organisations=_codes(records, "organisation_id"),
            organisation_names=frozenset(_spellings(records, "organisation")[0]), typed=typed, at_hand=True,
        )  # fmt: skip

    @classmethod
    def of_build(cls, study: Study) -> Secrets:
        """From the build in `study.paths.derived`; where there is none, nothing is known (`at_hand` is False)."""
        columns = ["given_name", "family_name", *_NUMBERS, "organisation_id", "organisation",
                   "birth_date_earliest", "birth_date_latest"]  # fmt: skip
        records = _read(study.paths.derived, "records", columns)
        if records is None:
            return cls()
        return cls.of_records(records, lambda: [*typed_in_tables(study.paths.derived), *remarks(study)])


def typed_in_tables(derived: Path) -> list[str]:
    """What partners typed freely and a table still holds, each text once."""
    found: set[str] = set()
    for name, columns in _TYPED.items():
        frame = _read(derived, name, columns)
        for column in () if frame is None else frame:
            found.update(frame[column].dropna().unique())
    return sorted(found)


def remarks(study: Study) -> list[str]:
    """The distinct remarks of the deposits, read again; none where the deposits are not at hand."""
    from ..deposits.deposits import CROSSWALKS
    from ..deposits.gathering import gather
    from ..deposits.reading import find_deposits

    raw = study.paths.raw
    if not raw.is_dir() or not find_deposits(raw):
        return []
    from ..deposits.crosswalks import load_crosswalks

    known = load_crosswalks(raw.absolute().parent / CROSSWALKS)
    return gather(raw, known, study.max_rows_per_sheet).texts["remarks"]


def telling(code: str) -> bool:
    """
    Whether a number could not be a count, a year or a name of the page's own: only these are looked for.

    « 129 » is on every page. Letters with digits from four signs on, a zero in front from five digits on, seven digits
    on, or parts with four digits between them; never a fiscal year.

    Examples
    --------
    >>> [telling(code) for code in ("d1195", "2020-m84", "00253", "2020-225", "129", "45120", "t1", "2020-2021")]
    [True, True, True, True, False, False, False, False]
    """
    if len(code) < 4 or _FISCAL_YEAR.fullmatch(code):
        return False
    digits = sum(sign.isdigit() for sign in code)
    if digits == len(code):
        return digits >= 7 or (code[0] == "0" and digits >= 5)
    return digits >= 2 and (digits >= 4 or any(sign.isalpha() for sign in code))


def _spellings(records: pd.DataFrame, column: str) -> tuple[list[str], np.ndarray]:
    """The distinct plain spellings of a column, and per row its position among them (−1: missing)."""
    if column not in records:
        return [], np.full(len(records), -1)
    codes, typed = pd.factorize(records[column])
    # all at once: a million names one by one take many seconds
    lines = plain("\n".join(" ".join(str(name).split()) for name in typed)).split("\n") if len(typed) else []
    of_typed, spelt = pd.factorize(np.array([" ".join(line.split()) or None for line in lines], dtype=object))
    return list(spelt), np.append(of_typed, -1)[codes]


def _days(records: pd.DataFrame) -> frozenset[int]:
    if "birth_date_earliest" not in records:
        return frozenset()
    exact = records.loc[records["birth_date_earliest"].eq(records["birth_date_latest"]), "birth_date_earliest"]
    return frozenset(pd.unique(exact.dropna().to_numpy()).astype("datetime64[D]").astype(int).tolist())


def _codes(records: pd.DataFrame, *columns: str) -> frozenset[str]:
    typed = [code for column in columns if column in records for code in records[column].dropna().unique()]
    lines = "\n".join(" ".join(str(code).split()) for code in typed)
    return frozenset(lines.casefold().replace(" ", "").split("\n")) - {""}


def _read(folder: Path, name: str, columns: Iterable[str]) -> pd.DataFrame | None:
    """Those of the columns that a table of the build has; None where there is no table."""
    import pyarrow.parquet as pq

    path = folder / f"{name}.parquet"
    if not path.is_file():
        return None
    there = set(pq.read_schema(path).names)
    return pq.read_table(path, columns=[column for column in columns if column in there]).to_pandas()
