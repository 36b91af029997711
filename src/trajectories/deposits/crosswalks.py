"""Crosswalks: from a partner's headers and words to canonical columns and codes.

A crosswalk is a TOML file; another reporting form costs one such file, never a change of code. The library ships
those of `deposits/crosswalks/`; a study's own are in the folder `crosswalks` beside the folder of its deposits
(`data/crosswalks/*.toml` for `data/raw`). Each is checked when it is loaded, and the faults of all files are reported
at once with their lines. The crosswalk is chosen per file (`layout.choose_crosswalk`).

| key | meaning |
|---|---|
| name, title | what it is called |
| extends | a shipped crosswalk whose headers, words and volets also hold, unless this one overrides them |
| programmes, from, to | where it holds: programmes, first and last exercice |
| [columns] | canonical column = list of headers |
| [values.LIST] | code = list of words; the first is the one that people are shown |
| [[streams]] | programme, from, to, and what each volet means: V1 = "full_participation" |

The TOML parser keeps no line numbers, so the line of a fault is looked up in the text.
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from .. import tables
from ..exceptions import TrajectoriesError
from ..places.spelling import fold

# The columns that a header may name; the order is that of the contract (deposit-schema.md, « Rows »).
DATES = (
    "birth_date",
    "arrival_date",
    "service_date",
    "departure_date",
    "establishment_date",
    "job_date",
    "housing_date",
    "follow_up_date",
    "exit_date",
)
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
    "sex": tables.SEXES,
    "immigration_category": tables.CATEGORIES,
    "french": tables.FRENCH_LEVELS,
    "education": tables.EDUCATION_LEVELS,
    "yes_no": ("yes", "no"),
    "follow_up_status": tables.FOLLOW_UP_STATUSES,
    "service": tables.SERVICES,
    "needs": tables.NEEDS,
    "establishment_reason": tables.ESTABLISHMENT_REASONS,
    "exit_reason": tables.EXIT_REASONS,
    "programme": None,
    "stream": None,
}
# The list of values that a column draws from, where it has not the column's own name.
LIST_OF = {"job_found": "yes_no", "housing_found": "yes_no"}

_NOT_A_WORD = re.compile(r"[^a-z0-9✓]+")
_KEYS = ("name", "title", "extends", "programmes", "from", "to", "columns", "values", "streams")
_EXERCICE = re.compile(r"^(\d{4})-(\d{4})$")
_VOLET = re.compile(r"^V[1-9]$")
_PART = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_SECTION = re.compile(rf"^\s*(\[\[?)\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]\]?")
_KEY = re.compile(rf"^\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")


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
        """Whether they may be those of the row; a programme or year that is missing (None) excludes nothing."""
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
    labels : mapping of list to mapping of code to its label, the first word of its list; under "columns", mapping of
        column to header
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

        None where the combination is unknown, or where a missing programme or year leaves two meanings.

        Examples
        --------
        >>> shipped = load_crosswalks()
        >>> shipped.meaning("PASI", "2021-2022", "V3"), shipped.meaning("Réussir l'intégration", "2018-2019", "V3")
        ('refugee_reception', 'asylum_claimants')
        >>> shipped.meaning(None, "2019-2020", "V3") is None
        True
        """
        tables_of_volets = [s for crosswalk in self.all for s in crosswalk.streams if s.covers(programme, fiscal_year)]
        meanings = {s.meanings.get(volet) for s in tables_of_volets}
        return meanings.pop() if len(meanings) == 1 else None


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
            if crosswalk.name in {loaded.name for loaded in own}:
                faults.append(f"{path.name}: another file of the folder has the name {crosswalk.name!r} too.")
            own.append(crosswalk)
    if faults:
        raise CrosswalkError(f"folder {folder}", faults)
    taken = {crosswalk.name for crosswalk in own}
    return Crosswalks((*own, *(load_crosswalk(name) for name in shipped_crosswalks() if name not in taken)))


def parse_crosswalk(text: str, source: str) -> Crosswalk:
    """
    Check the text of a crosswalk and build it.

    Raises
    ------
    CrosswalkError
        Every fault at once, each with its line.

    Examples
    --------
    >>> parse_crosswalk('name = "x"\\n[columns]\\nresidence = "Ville"', "x.toml")
    Traceback (most recent call last):
    trajectories.deposits.crosswalks.CrosswalkError: crosswalk x.toml: 1 fault(s) to correct:
      - line 3: columns.residence: must be a list of texts.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CrosswalkError(source, [f"this is not TOML: {error}."]) from None
    faults = _Faults(text)
    name, programmes, first, last = _head(content, faults)
    parent = _parent(content, faults)
    headers, headings = _inverted(
        _section(content, "columns", faults), ("columns",), header_key, faults, COLUMNS, "this is no canonical column."
    )
    values, labels = {}, {"columns": headings}
    for key, codes in _section(content, "values", faults).items():
        if key not in LISTS:
            faults.add(("values", key), f"this is no list of values (known: {', '.join(LISTS)}).")
        elif not isinstance(codes, dict):
            faults.add(("values", key), "must be a section of codes, each with its list of words.")
        else:
            values[key], labels[key] = _inverted(
                codes, ("values", key), word_key, faults, LISTS[key], "this is no code of the list."
            )
    streams = _streams(content, faults)
    if parent is not None:
        headers = {**parent.headers, **headers}
        values, labels = (
            {
                key: {**inherited.get(key, {}), **own.get(key, {})}
                for key in (*inherited, *(k for k in own if k not in inherited))
            }
            for own, inherited in ((values, parent.values), (labels, parent.labels))
        )
        streams += parent.streams
    if not headers and not faults.entries:
        faults.add(("columns",), "no header is given, so nothing could be read.")
    if faults.entries:
        raise CrosswalkError(source, faults.sentences())
    return Crosswalk(
        name=name,
        headers=MappingProxyType(headers),
        values=_frozen(values),
        labels=_frozen(labels),
        streams=streams,
        title=content.get("title", ""),
        programmes=programmes,
        first=first,
        last=last,
    )


class _Faults:
    """The faults of one crosswalk, each with the line of its key (or of a word below it)."""

    def __init__(self, text: str):
        self.entries: list[tuple[int, str]] = []
        self._lines = text.splitlines()
        self._at = _lines_of_keys(self._lines)

    def add(self, path: tuple, sentence: str, word: str | None = None) -> None:
        prefix = path
        while prefix and prefix not in self._at:
            prefix = prefix[:-1]
        line = self._at.get(prefix, 1)
        if word is not None:
            later_lines = [line_of_key for line_of_key in self._at.values() if line_of_key > line]
            for number in range(line, min(later_lines, default=len(self._lines) + 1)):
                if f'"{word}"' in self._lines[number - 1] or f"'{word}'" in self._lines[number - 1]:
                    line = number
                    break
        name = ".".join(str(part) for part in path if not isinstance(part, int))
        self.entries.append((line, f"line {line}: {name}: {sentence}"))

    def sentences(self) -> list[str]:
        return [sentence for _, sentence in sorted(self.entries, key=lambda fault: fault[0])]


def _lines_of_keys(lines: list[str]) -> dict[tuple, int]:
    """{("columns", "residence"): 12 …}; the n-th [[streams]] is ("streams", n)."""
    lines_by_key: dict[tuple, int] = {}
    section: tuple = ()
    for number, line in enumerate(lines, start=1):
        if match := _SECTION.match(line):
            section = tuple(part.strip("\"'") for part in re.findall(_PART, match[2]))
            if match[1] == "[[":
                lines_by_key.setdefault(section, number)
                section = (*section, sum(1 for key in lines_by_key if key[:-1] == section and isinstance(key[-1], int)))
            lines_by_key.setdefault(section, number)
        elif match := _KEY.match(line):
            lines_by_key.setdefault((*section, *(part.strip("\"'") for part in re.findall(_PART, match[1]))), number)
    return lines_by_key


def _frozen(lists: dict) -> MappingProxyType:
    return MappingProxyType({key: MappingProxyType(codes) for key, codes in lists.items()})


def _head(content: dict, faults: _Faults) -> tuple[str, tuple[str, ...], str | None, str | None]:
    """Name, programmes, first and last exercice."""
    name = content.get("name", "")
    if not isinstance(name, str) or not name.strip():
        faults.add(("name",), 'a text is needed, such as name = "pasi-2019".')
    for key in content:
        if key not in _KEYS:
            faults.add((key,), "this key is unknown.")
    if not isinstance(content.get("title", ""), str):
        faults.add(("title",), "must be a text.")
    programmes = content.get("programmes", [])
    if not isinstance(programmes, list) or any(not isinstance(programme, str) for programme in programmes):
        faults.add(("programmes",), 'must be a list of texts, such as ["PASI"].')
        programmes = []
    _period(content, (), faults)
    return name, tuple(programmes), content.get("from"), content.get("to")


def _period(content: dict, where: tuple, faults: _Faults) -> None:
    for key in ("from", "to"):
        if key in content and not _exercice(content[key]):
            faults.add((*where, key), f'{content[key]!r} must be an exercice such as "2019-2020".')
    if _exercice(content.get("from")) and _exercice(content.get("to")) and content["to"] < content["from"]:
        faults.add((*where, "to"), f"{content['to']} is before `from`, {content['from']}.")


def _exercice(value) -> bool:
    match = _EXERCICE.match(value) if isinstance(value, str) else None
    return bool(match) and int(match[2]) == int(match[1]) + 1


def _parent(content: dict, faults: _Faults) -> Crosswalk | None:
    if "extends" not in content:
        return None
    try:
        return load_crosswalk(str(content["extends"]))
    except CrosswalkError:
        faults.add(("extends",), f"{content['extends']!r} is no crosswalk that the library ships.")
        return None


def _section(content: dict, key: str, faults: _Faults) -> dict:
    section = content.get(key, {})
    if not isinstance(section, dict):
        faults.add((key,), f"must be a section [{key}].")
        return {}
    return section


def _streams(content: dict, faults: _Faults) -> tuple[Streams, ...]:
    """The tables of volets; each needs a programme, a first exercice, and codes."""
    streams = content.get("streams", [])
    if not isinstance(streams, list) or any(not isinstance(table, dict) for table in streams):
        faults.add(("streams",), "must be sections [[streams]].")
        return ()
    streams_read = []
    for number, table in enumerate(streams):
        where = ("streams", number)
        if not isinstance(table.get("programme"), str):
            faults.add((*where, "programme"), 'a text is needed, such as programme = "PASI".')
        if "from" not in table:
            faults.add((*where, "from"), 'an exercice is needed, such as "2019-2020".')
        _period(table, where, faults)
        meanings = {}
        for key, code in table.items():
            if key in ("programme", "from", "to"):
                continue
            if not _VOLET.match(key):
                faults.add((*where, key), "a volet is V1 to V9.")
            elif not isinstance(code, str) or not code.isidentifier():
                faults.add((*where, key), 'must be a code of letters and "_", such as "full_participation".')
            meanings[key] = code
        streams_read.append(
            Streams(str(table.get("programme")), str(table.get("from")), table.get("to"), MappingProxyType(meanings))
        )
    return tuple(streams_read)


def _inverted(lists: dict, where: tuple, key_of, faults: _Faults, allowed, refusal: str) -> tuple[dict, dict]:
    """{code: [words]} as {key of word: code} and {code: first word}; the code's own name is a word too."""
    inverted: dict[str, str] = {}
    first: dict[str, str] = {}
    for code, words in lists.items():
        if allowed is not None and code not in allowed:
            faults.add((*where, code), refusal)
        if not isinstance(words, list) or any(not isinstance(word, str) for word in words):
            faults.add((*where, code), "must be a list of texts.")
            continue
        first[code] = words[0] if words else code
        for word in (*words, code):
            key = key_of(word)
            if not key:
                faults.add((*where, code), f"{word!r} has no letter or digit.", word)
            elif word == code and key in inverted:
                continue  # a code's name may be another's word (« other »); what is written wins
            elif inverted.setdefault(key, code) != code:
                faults.add((*where, code), f"{word!r} already leads to {inverted[key]}.", word)
    return inverted, first


# ----------------------------------------------------------------------------------------------------
# Sheets of explanation without data: those of the template, and the one that `check --annotate` adds.
#
# Their first cell says so. A workbook with such a sheet is read without an issue.

NOT_DATA = "Cette feuille n'est pas lue"


def is_not_data(rows: list[list[str]]) -> bool:
    """
    Whether the first cell of the sheet says that it is not to be read.

    Examples
    --------
    >>> is_not_data([["Cette feuille n'est pas lue : elle explique les colonnes."]]), is_not_data([["no_dossier"]])
    (True, False)
    """
    return bool(rows and rows[0]) and word_key(rows[0][0]).startswith(word_key(NOT_DATA))
