"""Which crosswalk a file is read with: the one that holds for its rows and knows most of its headers.

A crosswalk holds for a row when it is valid for the row's programme and exercice, as far as these are typed or named by
the file. Where two do equally well, the study's own comes before the library's, and the later programme first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .crosswalks import Crosswalk, Crosswalks, word_key
from .layout import find_header
from .values import fiscal_years

# Rows of a sheet that are worth giving: a form does not change within a sheet.
ROWS_LOOKED_AT = 100


def choose_crosswalk(crosswalks: Crosswalks, file: str, sheets: Iterable[tuple[str, list[list[str]]]]) -> Crosswalk:
    """
    The crosswalk of one file.

    Parameters
    ----------
    crosswalks : Crosswalks
    file : str
        Its path: the exercice that its name says holds where none is typed.
    sheets : iterable of (name, rows of text cells)

    Examples
    --------
    >>> from .crosswalks import load_crosswalks
    >>> rows = [["no_dossier", "volet", "exercice", "programme"], ["7", "V1", "2018-2019", "Réussir l'intégration"]]
    >>> choose_crosswalk(load_crosswalks(), "a.csv", [("", rows)]).name
    'reussir-integration-2017'
    """
    if len(crosswalks.all) == 1:
        return crosswalks.all[0]
    sheets = [(name, rows) for name, rows in sheets if rows]
    known = {c.name: sum(find_header(rows, c.column)[1] for _, rows in sheets) for c in crosswalks.all}
    kinds: Counter = Counter()
    for name, rows in sheets:
        kinds += _kinds_of_rows(crosswalks, rows, _year_named(name) or _year_named(file))
    total = sum(kinds.values())

    def rank(crosswalk: Crosswalk) -> tuple:
        fits = sum(n for kind, n in kinds.items() if crosswalk.holds(*kind)) / total if total else 1.0
        return known[crosswalk.name] > 0, fits >= 0.5, known[crosswalk.name], fits

    # the first of the best: `all` stands in the order of preference
    return max(crosswalks.all, key=rank)


def _kinds_of_rows(crosswalks: Crosswalks, rows: list[list[str]], year: str | None) -> Counter:
    """How many rows there are of each (programme, exercice)."""
    at, width = find_header(rows, crosswalks.column)
    if not width:
        return Counter()
    columns = [crosswalks.column(cell) for cell in rows[at]]
    place = {column: columns.index(column) for column in ("programme", "fiscal_year") if column in columns}
    words = {key: code for c in reversed(crosswalks.all) for key, code in c.values.get("programme", {}).items()}
    kinds: Counter = Counter()
    below = [row for row in rows[at + 1 : at + 1 + ROWS_LOOKED_AT] if any(row)]
    typed = Counter((_cell(row, place.get("programme")), _cell(row, place.get("fiscal_year"))) for row in below)
    for (programme, exercice), n in typed.items():
        kinds[words.get(word_key(programme)), fiscal_years([exercice])[0][0] or year] += n
    return kinds


def _cell(row: list[str], at: int | None) -> str:
    return row[at] if at is not None and at < len(row) else ""


def _year_named(text: str) -> str | None:
    return fiscal_years([text.rpartition("/")[2]])[0][0]
