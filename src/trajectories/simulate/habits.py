"""Each organisation's habits: format, encoding, separator, headers, dates, columns, and how it words things.

Options are dealt out in turn, not drawn, so that a level has each of its options even with few organisations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chance import TYPING, between, generator
from .organisations import Network
from .settings import Settings
from .slips import drop_accents
from .wording import COLUMNS, HEADER_SYNONYMS, LABELS, OPTIONAL

_ENCODINGS = (
    ("utf-8",),
    ("utf-8-sig", "cp1252", "utf-8", "mac_roman", "cp1252"),
    ("utf-8-sig", "cp1252", "utf-8", "mac_roman", "mojibake", "utf-16", "nfd", "cp1252"),
)
_SEPARATORS = ((",",), (";", ",", ";", "\t"), (";", ",", "\t", ";", "|"))
_HEADERS = (
    ("canonical",),
    ("label", "canonical", "upper", "plain"),
    ("label", "upper", "canonical", "plain", "spaced"),
)
_CSV_DATES = (("iso",), ("iso", "dmy", "words", "dmy"), ("iso", "dmy", "words", "dmy", "mdy", "dmy_short"))
_XLSX_DATES = (
    ("iso",),
    ("excel", "iso", "serial", "dmy", "words"),
    ("excel", "dmy", "serial", "serial_1904", "mdy", "words", "iso"),
)
_PLACES = (
    ("official",),
    ("official", "official", "upper", "plain", "saint"),
    ("official", "upper", "plain", "saint", "official"),
)


@dataclass(frozen=True)
class Habit:
    """How one organisation fills in and saves its deposits."""

    format: str  # csv or xlsx
    annual: bool
    encoding: str
    separator: str
    header: str
    dates: str
    places: str
    wording: int  # which variant of each word
    french_words: bool
    upper_names: bool
    columns: tuple[str, ...]
    title: bool
    total: bool
    first_row_only: bool  # the organisation's name only on the first row
    drops_zeros: bool
    numbering: int
    synonyms: bool


def habits(settings: Settings, network: Network) -> list[Habit]:
    """The habits of all organisations, in their order."""
    level = settings.level
    rng = generator(settings.seed, TYPING)
    order = rng.permutation(len(network.all)).tolist()
    annual = set(order[: max(1, len(order) // 8)]) if len(order) >= 4 else set()
    made: dict[int, Habit] = {}
    csv_rank = xlsx_rank = 0
    for rank, index in enumerate(order):
        is_csv = (index not in annual and rank % 2 == 1) or (index not in annual and len(order) < 4 and rank % 2 == 0)
        n = csv_rank if is_csv else xlsx_rank
        csv_rank, xlsx_rank = csv_rank + is_csv, xlsx_rank + (not is_csv)
        dates = _CSV_DATES[level] if is_csv else _XLSX_DATES[level]
        made[index] = Habit(
            format="csv" if is_csv else "xlsx",
            annual=index in annual,
            encoding=_ENCODINGS[level][n % len(_ENCODINGS[level])],
            separator=_SEPARATORS[level][n % len(_SEPARATORS[level])],
            header=_HEADERS[level][rank % len(_HEADERS[level])],
            dates=dates[n % len(dates)],
            places=_PLACES[level][rank % len(_PLACES[level])],
            wording=rank % 3 if level else 0,
            french_words=bool(level) and rank % 3 == 1,
            upper_names=bool(level) and rank % 5 == 2,
            columns=_columns(rng, level, index in annual, rank),
            title=bool(level) and rank % 4 == 1,
            total=bool(level) and rank % 5 == 1,
            first_row_only=bool(level) and rank % 6 == 3,
            drops_zeros=bool(level) and rank % 3 != 2,
            numbering=index % 3,
            synonyms=bool(level) and rank % 4 == 0,
        )
    return [made[i] for i in range(len(network.all))]


def _columns(rng: np.random.Generator, level: int, annual: bool, rank: int) -> tuple[str, ...]:
    u = rng.random(len(OPTIONAL))
    dropped = {c for c, v in zip(OPTIONAL, u.tolist(), strict=True) if level and v < 0.25}
    if {"code_organisme", "nom_organisme"} <= dropped:
        dropped.discard("code_organisme")
    if level and not annual and rank % 4 == 2:
        dropped |= {"exercice", "trimestre"}  # the file name says it
    kept = [c for c in COLUMNS if c not in dropped]
    if level and rank % 3 == 2:
        # Who first, then what, then the organisation: the order is each organisation's own.
        start = between(rng, 1, 4)
        kept = kept[start:] + kept[:start]
    return tuple(kept)


def header(column: str, habit: Habit) -> str:
    """A column's name as the organisation writes it."""
    if habit.header == "canonical":
        return column
    label = HEADER_SYNONYMS.get(column, LABELS[column]) if habit.synonyms else LABELS[column]
    if habit.header == "upper":
        return drop_accents(label).upper()
    if habit.header == "plain":
        return drop_accents(LABELS[column])
    if habit.header == "spaced":
        return f" {label.replace(chr(39), chr(0x2019))}\u00a0"
    return label
