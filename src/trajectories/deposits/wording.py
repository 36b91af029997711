"""The columns of words, each row's read with the crosswalk of its file: codes, lists, levels, volets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from . import values
from .crosswalks import LIST_OF, Crosswalk, Crosswalks
from .gathering import Gathered

_CODED = (
    "sex", "immigration_category", "education", "service", "establishment_reason", "exit_reason",
)  # fmt: skip
READERS: dict[str, Callable[..., values.Result]] = {
    **dict.fromkeys(_CODED, values.coded), "job_found": values.yes_no, "housing_found": values.yes_no,
    "follow_up_status": values.statuses, "needs": values.coded_list, "french": values.french_levels,
    "programme": values.named,
}  # fmt: skip


def crosswalk_of_rows(gathered: Gathered, crosswalks: Crosswalks) -> np.ndarray:
    """Per row, the position in `crosswalks.all` of the one its file is read with."""
    position = {crosswalk.name: at for at, crosswalk in enumerate(crosswalks.all)}
    of_file = np.array([position.get(note.crosswalk, -1) for note in gathered.files], dtype=np.int8)
    return of_file[gathered.file]


def read_words(
    gathered: Gathered, crosswalks: Crosswalks, fiscal_year: np.ndarray, rows: np.ndarray, list_issue: Callable
) -> dict[str, np.ndarray]:
    """
    The columns of words at the rows.

    Parameters
    ----------
    gathered : Gathered
        The crosswalk of a file is named by its note.
    crosswalks : Crosswalks
    fiscal_year : ndarray of text or None, per row of `gathered`
    rows : ndarray of int
        Positions of the accepted rows.
    list_issue : callable (reason, column, mask or positions of rows)
    """
    used = crosswalk_of_rows(gathered, crosswalks)
    columns = {column: np.full(len(rows), None, dtype=object) for column in (*READERS, "stream")}
    for at in np.unique(used[used >= 0]):
        crosswalk, everywhere = crosswalks.all[at], bool((used == at).all())
        live = slice(None) if everywhere else used[rows] == at
        for column, read in READERS.items():
            codes = gathered.codes[column]
            found, unreadable = read(gathered.texts[column], crosswalk.values.get(LIST_OF.get(column, column), {}))
            columns[column][live] = found[codes[rows[live]]]
            if unreadable.any():
                list_issue("unknown_value", column, unreadable[codes] & (everywhere | (used == at)))
        columns["stream"][live], unknown = _streams(
            gathered, crosswalks, crosswalk, columns["programme"][live], fiscal_year[rows[live]], rows[live]
        )
        list_issue("unknown_stream", "stream", rows[live][unknown])
    return columns


def _streams(
    gathered: Gathered, crosswalks: Crosswalks, crosswalk: Crosswalk, programme: np.ndarray, fiscal_year: np.ndarray,
    rows: np.ndarray,
) -> values.Result:  # fmt: skip
    """What the volets of the rows mean, looked up once for each (programme, exercice, volet)."""
    volets = values.streams(gathered.texts["stream"])[0]
    codes = gathered.codes["stream"][rows]
    years, year_names = pd.factorize(fiscal_year)
    programmes, programme_names = pd.factorize(programme)
    mixed = (codes.astype(np.int64) * (len(year_names) + 1) + years + 1) * (len(programme_names) + 1) + programmes + 1
    position, distinct = pd.factorize(mixed)
    first = np.empty(len(distinct), dtype=np.int64)
    first[position[::-1]] = np.arange(len(position) - 1, -1, -1)
    found, unreadable = values.stream_meanings(
        programme[first], fiscal_year[first], volets[codes[first]], crosswalks, crosswalk
    )
    return found[position], unreadable[position]


def closest_known(gathered: Gathered, crosswalks: Crosswalks, column: str, rows: np.ndarray) -> np.ndarray:
    """The known values most like what is typed in a column at the rows; None where none is close."""
    used = crosswalk_of_rows(gathered, crosswalks)[rows]
    of_rows = [crosswalks.all[at] if at >= 0 else None for at in used.tolist()]
    return values.closest_words([column] * len(rows), gathered.typed(column, rows).tolist(), of_rows)
