"""What was published last of the same settings, so that a page can say what has changed since.

Only numbers that were published are read, from the ledger (disclosure/ledger.py), and beside them a page sets numbers
that the ledger's rules have let through: what changed by a number of persons too small to be told has kept its number.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..disclosure import Protected
from ..disclosure.ledger import CELLS, FOLDER, read_ledger
from ..study import Disclosure

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
