"""Rules for facts in an impossible order, and the table of all reasons for which a row, cell or file is listed.

The texts of the reasons, in French and English, and their effect on the row are in `reasons.toml`; docs/rules.md is
made from it (`rules_page`). A rule of order is broken only when that is certain whatever the true days are: one
interval lies entirely before the other. Two of them, `birth_in_future` and `impossible_value`, are checked when the
cell is read (`records`); the others are checked on the accepted rows.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from ..tables import FOLLOW_UP_SERVICE, METROPOLE, NOT_REACHED, PRESENT, REGION

# Message of `check` for a file that `read_deposits` would not take for a deposit.
NO_DEPOSIT = "the file is of no known kind: ask for an .xlsx or .csv file."
CANNOT_OPEN = "the file cannot be opened ({}): check its permissions."
ORDER, CELL, ROW, FILE = KINDS = ("order", "cell", "row", "file")
# The effect on the row: in French and in English.
EFFECTS = {
    "kept": ("la ligne est acceptée telle quelle", "the row is accepted as it is"),
    "unused": ("la ligne est acceptée, ce fait n'est pas utilisé", "the row is accepted, the fact is not used"),
    "missing": ("la cellule compte comme vide, la ligne est acceptée", "the cell counts as blank, the row is accepted"),
    "corrected": ("c'est lu, corrigé", "it is read, set right"),
    "quarantined": ("la ligne est mise de côté", "the row is quarantined"),
    "skipped": ("rien n'en est lu", "nothing of it is read"),
    "noted": ("c'est noté", "it is noted"),
}


class Reason(NamedTuple):
    """A stable code, its kind, column (None: any), effect, text in French and English, and what to do (French)."""

    code: str
    kind: str
    column: str | None
    effect: str
    french: str
    english: str
    remedy: str


class Rule(NamedTuple):
    """A reason that depends on the facts of an accepted row: its code, its column, and which rows break it."""

    code: str
    column: str
    broken: Callable[[pd.DataFrame], pd.Series]


def _before(first: str, second: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda facts: facts[f"{first}_latest"] < facts[f"{second}_earliest"]


def _after_deposit(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda facts: facts[f"{column}_earliest"] > facts["known_until"]


def _departs(facts: pd.DataFrame) -> pd.Series:
    return facts["exit_date_earliest"].notna() | facts["exit_destination_stated"] | facts["exit_reason"].notna()


def _contacted(facts: pd.DataFrame) -> pd.Series:
    return facts["follow_up_status"].notna() | facts["follow_up_date_earliest"].notna()


RULES = (
    Rule("service_before_arrival", "service_date", _before("service_date", "arrival_date")),
    Rule("arrival_before_birth", "arrival_date", _before("arrival_date", "birth_date")),
    Rule("departure_before_arrival", "departure_date", _before("departure_date", "arrival_date")),
    Rule("establishment_before_departure", "establishment_date", _before("establishment_date", "departure_date")),
    Rule("establishment_before_arrival", "establishment_date", _before("establishment_date", "arrival_date")),
    Rule("follow_up_before_establishment", "follow_up_date", _before("follow_up_date", "establishment_date")),
    Rule("exit_before_establishment", "exit_date", _before("exit_date", "establishment_date")),
    Rule("exit_before_arrival", "exit_date", _before("exit_date", "arrival_date")),
    Rule("service_after_deposit", "service_date", _after_deposit("service_date")),
    Rule("follow_up_after_deposit", "follow_up_date", _after_deposit("follow_up_date")),
    Rule("exit_after_deposit", "exit_date", _after_deposit("exit_date")),
    Rule(
        "establishment_in_metropole",
        "destination",
        lambda facts: facts["establishment_date_earliest"].notna() & (facts["destination_zone"] == METROPOLE),
    ),
    # Facts of a row that are not used (stays/observations.py): incomplete, or overridden by another fact.
    Rule(
        "establishment_without_place",
        "establishment_date",
        lambda facts: (
            facts["establishment_date_earliest"].notna()
            & ~facts["destination_stated"]
            & (facts["residence_zone"] != REGION)
        ),
    ),
    Rule(
        "destination_without_date",
        "destination",
        lambda facts: (
            facts["destination_stated"]
            & ~facts["establishment_date_typed"]
            & ~((facts["follow_up_status"] == PRESENT) & ~facts["residence_stated"])
        ),
    ),
    Rule(
        "service_without_date",
        "service",
        lambda facts: (
            facts["service"].notna()
            & ~facts["service_date_typed"]
            & ~((facts["service"] == FOLLOW_UP_SERVICE) & _contacted(facts))
        ),
    ),
    Rule(
        "follow_up_without_status",
        "follow_up_date",
        lambda facts: (
            facts["follow_up_date_earliest"].notna()
            & ~facts["follow_up_status_typed"]
            & (facts["service"] != FOLLOW_UP_SERVICE)
            & ~_departs(facts)
        ),
    ),
    Rule(
        "exit_beside_presence",
        "exit_date",
        lambda facts: facts["follow_up_status"].isin([PRESENT, NOT_REACHED]) & _departs(facts),
    ),
)


@functools.cache
def _table() -> dict:
    return tomllib.loads(resources.files(__package__).joinpath("reasons.toml").read_text(encoding="utf-8"))


@functools.cache
def reasons() -> MappingProxyType:
    """
    Every reason by its code, in the order of the table.

    Examples
    --------
    >>> reasons()["birth_in_future"].effect
    'missing'
    """
    table = _table()
    return MappingProxyType(
        {
            code: Reason(code, kind, entry.get("column"), entry["effect"], entry["fr"], entry["en"], entry["do"])
            for kind in KINDS
            for code, entry in table[kind].items()
        }
    )


def message_in_french(message: str) -> tuple[str, str]:
    """
    The message of `files.message` in French, and what to do; the last of the table for a message that is not in it.

    Examples
    --------
    >>> message_in_french("this is a picture, not a table: ask for an .xlsx or .csv file.")[0]
    "Ce fichier n'est pas un tableau."
    """
    entry = next((entry for entry in _table()["message"] if matches(entry["en"], message)), _table()["message"][-1])
    return entry["fr"], entry["do"]


def matches(sentence: str, message: str) -> bool:
    """Whether a message is the sentence of the table, where {} stands for any text."""
    return re.fullmatch(".+".join(map(re.escape, sentence.split("{}"))), message, re.DOTALL) is not None


_TITLES = {
    ORDER: "Facts in an impossible order, impossible facts, and facts that are not used",
    CELL: "Cells that cannot be read, or contradict another",
    ROW: "Rows that are set aside",
    FILE: "Columns, sheets and files",
}


# First line of the generated part of docs/rules.md.
TABLES_BEGIN = "# Rules of the deposits"


def rules_page() -> str:
    """The second part of docs/rules.md, from the table."""
    lines = [
        TABLES_BEGIN,
        "",
        "Made from `src/trajectories/deposits/reasons.toml` by `rules_page` of `deposits/rules.py`: change it there.",
        "The codes are those of the columns `reason` of `issues` and `quarantine`.",
        "A rule of order counts as broken only when it is whatever the true days are: the whole interval of one date",
        "lies before that of the other.",
    ]
    for kind in KINDS:
        lines += [
            "",
            f"## {_TITLES[kind]}",
            "",
            "| code | column | in French | what it means | what happens |",
            "|---|---|---|---|---|",
        ]
        for reason in reasons().values():
            if reason.kind == kind:
                column = f"`{reason.column}`" if reason.column else ""
                happens = EFFECTS[reason.effect][1]
                lines.append(f"| `{reason.code}` | {column} | {reason.french} | {reason.english} | {happens} |")
    lines += ["", "## Files that cannot be read", "", "| message | in French |", "|---|---|"]
    lines += [f"| {entry['en'].replace('{}', '…')} | {entry['fr']} |" for entry in _table()["message"]]
    return "\n".join(lines) + "\n"
