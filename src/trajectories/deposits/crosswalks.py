"""Crosswalks: from a partner's headers and words to canonical columns and codes.

A crosswalk is a TOML file; another reporting form costs one such file, never a change of code. The library ships
those of `deposits/crosswalks/`; a study's own stand in the folder `crosswalks` beside the folder of its deposits
(`data/crosswalks/*.toml` for `data/raw`). Each is checked whole when it is loaded, and every fault of every file is
told at once with its line (`crosswalk_text`). Which one a file is read with is decided file by file (`choosing`).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from .. import tables
from ..exceptions import TrajectoriesError
from ..places.spelling import fold

# The columns that a header may name; the order is that of the contract (deposit-schema.md, « Rows »).
DATES = (
    "birth_date", "arrival_date", "service_date", "departure_date", "establishment_date", "job_date", "housing_date",
    "follow_up_date", "exit_date",
)  # fmt: skip
EVENT_DATES = DATES[2:]
PLACES = ("residence", "destination", "exit_destination")
COLUMNS = (
    "organisation_id", "organisation", "fiscal_year", "quarter", "deposit_date", "file_number", "household_number",
    "given_name", "family_name", "birth_date", "sex", "birth_country", "immigration_category", "arrival_date", "french",
    "education", "household_size", "residence", "residence_code_typed", "postal_code", "programme", "stream", "service",
    "service_date", "departure_date", "establishment_date", "destination", "establishment_reason", "needs", "job_found",
    "job_date", "housing_found", "housing_date", "follow_up_date", "follow_up_status", "exit_date", "exit_destination",
    "exit_reason", "remarks",
)  # fmt: skip
# Lists of values and the codes they may lead to; None: any code (programmes and volets differ from form to form).
LISTS: dict[str, tuple[str, ...] | None] = {
    "sex": tables.SEXES, "immigration_category": tables.CATEGORIES, "french": tables.FRENCH_LEVELS,
    "education": tables.EDUCATION_LEVELS, "yes_no": ("yes", "no"), "follow_up_status": tables.FOLLOW_UP_STATUSES,
    "service": tables.SERVICES, "needs": tables.NEEDS, "establishment_reason": tables.ESTABLISHMENT_REASONS,
    "exit_reason": tables.EXIT_REASONS, "programme": None, "stream": None,
}  # fmt: skip
# The list of values that a column draws from, where it has not the column's own name.
LIST_OF = {"job_found": "yes_no", "housing_found": "yes_no"}

_NOT_A_WORD = re.compile(r"[^a-z0-9✓]+")


class CrosswalkError(TrajectoriesError, ValueError):
    """Crosswalks hold faults: all of them at once, one sentence each, with its line."""

    def __init__(self, source: str, faults: list[str]):
        self.source = source
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"crosswalk {source}: {len(faults)} fault(s) to correct:\n{lines}")


@dataclass(frozen=True)
class Streams:
    """What the volets of one programme mean from one exercice to another: {"V1": code …}."""

    programme: str
    first: str
    last: str | None
    meanings: MappingProxyType

    def covers(self, programme: str | None, fiscal_year: str | None) -> bool:
        """Whether they may be those of the row; what the row does not say excludes nothing."""
        if programme is not None and word_key(programme) != word_key(self.programme):
            return False
        return fiscal_year is None or (self.first <= fiscal_year and (self.last is None or fiscal_year <= self.last))


@dataclass(frozen=True)
class Crosswalk:
    """
    Headers → columns, and per list of values, words → codes (both by their keys).

    Attributes
    ----------
    name, title, programmes, first, last
        What it is called and where it holds: its programmes, its first and last exercice (None: no limit).
    headers : mapping of `header_key` to column
    values : mapping of list to mapping of `word_key` to code
    labels : mapping of list to mapping of code to the word that a person is shown, the first of its list; also of
        « columns », to mapping of column to header
    streams : tuple of Streams
    """

    name: str
    headers: MappingProxyType
    values: MappingProxyType
    labels: MappingProxyType
    streams: tuple[Streams, ...] = ()
    title: str = ""
    programmes: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None

    def column(self, header: str) -> str | None:
        """The canonical column that a typed header names, or None."""
        return self.headers.get(header_key(header))

    def holds(self, programme: str | None, fiscal_year: str | None) -> bool:
        """Whether it is valid for the programme and the exercice; what is not known excludes nothing."""
        if programme is not None and self.programmes and programme not in self.programmes:
            return False
        if fiscal_year is None:
            return True
        return (self.first or "") <= fiscal_year and (self.last is None or fiscal_year <= self.last)


@dataclass(frozen=True)
class Crosswalks:
    """The crosswalks of a run, the study's own before the library's."""

    all: tuple[Crosswalk, ...]

    def __getitem__(self, name: str) -> Crosswalk:
        return next(crosswalk for crosswalk in self.all if crosswalk.name == name)

    def column(self, header: str) -> str | None:
        """The canonical column that a typed header names in the first crosswalk that knows it, or None."""
        key = header_key(header)
        return next((c.headers[key] for c in self.all if key in c.headers), None)

    def meaning(self, programme: str | None, fiscal_year: str | None, volet: str) -> str | None:
        """
        What a volet means, keyed by programme and exercice: the numbers changed meaning between them.

        None where the combination is unknown, or where what the row does not say leaves two meanings.

        Examples
        --------
        >>> shipped = load_crosswalks()
        >>> shipped.meaning("PASI", "2021-2022", "V3"), shipped.meaning("Réussir l'intégration", "2018-2019", "V3")
        ('refugee_reception', 'asylum_claimants')
        >>> shipped.meaning(None, "2019-2020", "V3") is None
        True
        """
        tables_of = [s for crosswalk in self.all for s in crosswalk.streams if s.covers(programme, fiscal_year)]
        found = {s.meanings.get(volet) for s in tables_of}
        return found.pop() if len(found) == 1 else None


def word_key(text: str) -> str:
    """
    A typed word without case, accents or punctuation.

    Examples
    --------
    >>> word_key("  Réfugié(e)  "), word_key("NON-JOINT")
    ('refugie e', 'non joint')
    """
    return _NOT_A_WORD.sub(" ", fold(text)).strip()


@functools.lru_cache(maxsize=50_000)
def header_key(text: str) -> str:
    """
    A typed header without case, accents, punctuation or spaces (« N° », « No » and « # » are one).

    Examples
    --------
    >>> header_key("Date d'établissement") == header_key("DATE_D ETABLISSEMENT")
    True
    """
    return word_key(text.replace("№", "no ").replace("N°", "no ").replace("n°", "no ").replace("#", "no ")).replace(
        " ", ""
    )


def shipped_crosswalks() -> tuple[str, ...]:
    """The names of the crosswalks that the library ships, the latest programme first."""
    folder = resources.files(__package__).joinpath("crosswalks")
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


@functools.cache
def load_crosswalk(name: str = "pasi-2019") -> Crosswalk:
    """
    Load and check a crosswalk that the library ships.

    Raises
    ------
    CrosswalkError
        It does not exist, is no TOML, or holds faults: all of them in one error.

    Examples
    --------
    >>> load_crosswalk().column("N° de dossier")
    'file_number'
    """
    file = resources.files(__package__).joinpath("crosswalks").joinpath(f"{name}.toml")
    if not file.is_file():
        raise CrosswalkError(name, ["there is no crosswalk of that name in deposits/crosswalks/."])
    return parse_crosswalk(file.read_text(encoding="utf-8"), f"{name}.toml")


def load_crosswalks(folder: str | Path | None = None) -> Crosswalks:
    """
    The crosswalks of a run: those of a folder, then those that the library ships.

    Parameters
    ----------
    folder : path, optional
        Its `*.toml` are read; one with the name of a shipped crosswalk takes its place. A folder that does not exist
        holds none.

    Raises
    ------
    CrosswalkError
        Every fault of every file at once, with its line.

    Examples
    --------
    >>> [crosswalk.name for crosswalk in load_crosswalks().all]
    ['pasi-2019', 'reussir-integration-2017']
    """
    own: list[Crosswalk] = []
    faults: list[str] = []
    for path in sorted(Path(folder).glob("*.toml")) if folder is not None else ():
        try:
            crosswalk = parse_crosswalk(path.read_text(encoding="utf-8-sig"), path.name)
        except CrosswalkError as error:
            faults += [f"{path.name}, {fault}" for fault in error.faults]
        except (OSError, UnicodeDecodeError):
            faults.append(f"{path.name}: the file cannot be read as UTF-8 text.")
        else:
            if crosswalk.name in {other.name for other in own}:
                faults.append(f"{path.name}: another file of the folder has the name {crosswalk.name!r} too.")
            own.append(crosswalk)
    if faults:
        raise CrosswalkError(f"folder {folder}", faults)
    taken = {crosswalk.name for crosswalk in own}
    return Crosswalks((*own, *(load_crosswalk(name) for name in shipped_crosswalks() if name not in taken)))


def parse_crosswalk(text: str, source: str) -> Crosswalk:
    """Check the text of a crosswalk and build it; every fault at once in one CrosswalkError."""
    from .crosswalk_text import read_crosswalk

    return read_crosswalk(text, source)
