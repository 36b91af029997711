"""Crosswalks: from a partner's headers and words to canonical columns and codes.

A crosswalk is a TOML file in `crosswalks/`; another reporting form costs one such file, never a change of code.
It is checked whole when it is loaded, and every fault is told at once.
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
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
# Lists of values and the codes they may lead to; None: any code (programmes are names, not a closed list).
LISTS: dict[str, tuple[str, ...] | None] = {
    "sex": tables.SEXES, "immigration_category": tables.CATEGORIES, "french": tables.FRENCH_LEVELS,
    "education": tables.EDUCATION_LEVELS, "yes_no": ("yes", "no"), "follow_up_status": tables.FOLLOW_UP_STATUSES,
    "service": tables.SERVICES, "needs": tables.NEEDS, "establishment_reason": tables.ESTABLISHMENT_REASONS,
    "exit_reason": tables.EXIT_REASONS, "programme": None,
}  # fmt: skip

_KEYS = ("name", "title", "programmes", "from", "to", "columns", "values", "streams")
_EXERCICE = re.compile(r"^(\d{4})-(\d{4})$")
_NOT_A_WORD = re.compile(r"[^a-z0-9✓]+")


class CrosswalkError(TrajectoriesError, ValueError):
    """A crosswalk holds faults: all of them at once, one sentence each."""

    def __init__(self, source: str, faults: list[str]):
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"crosswalk {source}: {len(faults)} fault(s) to correct:\n{lines}")


@dataclass(frozen=True)
class Crosswalk:
    """Headers → columns, and per list of values, words → codes (both by `word_key`)."""

    name: str
    headers: MappingProxyType
    values: MappingProxyType
    streams: tuple[MappingProxyType, ...] = ()

    def column(self, header: str) -> str | None:
        """The canonical column that a typed header names, or None."""
        return self.headers.get(header_key(header))


def word_key(text: str) -> str:
    """
    A typed word without case, accents or punctuation.

    Examples
    --------
    >>> word_key("  Réfugié(e)  "), word_key("NON-JOINT")
    ('refugie e', 'non joint')
    """
    return _NOT_A_WORD.sub(" ", fold(text)).strip()


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


def parse_crosswalk(text: str, source: str) -> Crosswalk:
    """Check the text of a crosswalk and build it; every fault at once in one CrosswalkError."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CrosswalkError(source, [f"this is not TOML: {error}."]) from None
    faults: list[str] = []
    name = content.get("name")
    if not isinstance(name, str) or not name.strip():
        faults.append('name: a text is needed, such as name = "pasi-2019".')
    faults += [f"{key}: this key is unknown." for key in content if key not in _KEYS]
    faults += [
        f'{key}: {content[key]!r} must be an exercice such as "2019-2020".'
        for key in ("from", "to")
        if key in content and not _exercice(content[key])
    ]
    columns = _section(content, "columns", faults)
    faults += [f"columns.{column}: this is no canonical column." for column in columns if column not in COLUMNS]
    headers = _inverted(columns, "columns", header_key, faults)
    if not headers and not faults:
        faults.append("columns: no header is given, so nothing could be read.")
    values = {}
    for key, codes in _section(content, "values", faults).items():
        if key not in LISTS:
            faults.append(f"values.{key}: this is no list of values (known: {', '.join(LISTS)}).")
        elif not isinstance(codes, dict):
            faults.append(f"values.{key}: must be a section of codes, each with its list of words.")
        else:
            allowed = LISTS[key]
            faults += [f"values.{key}.{code}: this is no code of the list."
                       for code in codes if allowed is not None and code not in allowed]  # fmt: skip
            values[key] = MappingProxyType(_inverted(codes, f"values.{key}", word_key, faults))
    streams = content.get("streams", [])
    if not isinstance(streams, list) or any(not isinstance(s, dict) or not _exercice(s.get("from")) for s in streams):
        faults.append('streams: each needs a `from` that is an exercice such as "2019-2020".')
        streams = []
    if faults:
        raise CrosswalkError(source, faults)
    return Crosswalk(name, MappingProxyType(headers), MappingProxyType(values), tuple(map(MappingProxyType, streams)))


def _exercice(value) -> bool:
    found = _EXERCICE.match(value) if isinstance(value, str) else None
    return bool(found) and int(found[2]) == int(found[1]) + 1


def _section(content: dict, key: str, faults: list[str]) -> dict:
    section = content.get(key, {})
    if not isinstance(section, dict):
        faults.append(f"{key}: must be a section [{key}].")
        return {}
    return section


def _inverted(lists: dict, where: str, key_of, faults: list[str]) -> dict[str, str]:
    """{code: [words]} turned into {key of word: code}; the code's own name is one of its words."""
    inverted: dict[str, str] = {}
    for code, words in lists.items():
        if not isinstance(words, list) or any(not isinstance(word, str) for word in words):
            faults.append(f"{where}.{code}: must be a list of texts.")
            continue
        for word in (*words, code):
            key = key_of(word)
            if not key:
                faults.append(f"{where}.{code}: {word!r} has no letter or digit.")
            elif word == code and key in inverted:
                continue  # a code's name may be another's word (« other »); what is written wins
            elif inverted.setdefault(key, code) != code:
                faults.append(f"{where}.{code}: {word!r} already leads to {inverted[key]}.")
    return inverted
