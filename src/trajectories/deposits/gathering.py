"""All deposits of a folder as one set of columns: per canonical column the distinct texts, and a code a row.

A text is kept once however often it is typed, so that all later work is on distinct texts and a row costs a few bytes
a column. Rows keep the number of their sheet; sheets that hold no recognisable header are skipped and listed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from .crosswalks import COLUMNS, Crosswalks
from .files import REST, FileNote, FileReader, read_files
from .grid import Vocabulary
from .reading import find_deposits
from .remembered import Memory, read_or_recall

Progress = Callable[[int, int, str], None]


@dataclass
class Gathered:
    """
    Every row of every readable deposit.

    Attributes
    ----------
    files : list of FileNote, in the order of their paths
    sheet_file, sheet_name : per sheet, the position of its file and its name
    sheet, row, kind : ndarray, per row
        Position of the sheet; row number as a spreadsheet shows it; layout.PLAIN, RAGGED or TOTAL.
    texts, codes : dict by canonical column
        Distinct texts (mojibake repaired), and per row the position in them.
    issues : list of (file, sheet, row, reason, column, value)
    n_anew : int
        How many of the files were read, the others being remembered.
    """

    files: list[FileNote]
    sheet_file: np.ndarray
    sheet_name: list[str]
    sheet: np.ndarray
    row: np.ndarray
    kind: np.ndarray
    texts: dict[str, list[str]]
    codes: dict[str, np.ndarray]
    issues: list[tuple] = field(default_factory=list)
    n_anew: int = 0

    @property
    def file(self) -> np.ndarray:
        """Per row, the position of its file."""
        return self.sheet_file[self.sheet]

    def of_files(self, files: np.ndarray) -> Gathered:
        """The rows of some files (their positions), with the texts that they hold; the others are as if empty."""
        rows = np.isin(self.file, files)
        texts, codes = {}, {}
        for column, all_codes in self.codes.items():
            codes[column] = all_codes[rows]
            if column in self.texts:
                kept, position = np.unique(np.append(0, codes[column]), return_inverse=True)  # 0: nothing is typed
                texts[column], codes[column] = [self.texts[column][at] for at in kept], position[1:].astype(np.int32)
        return replace(self, sheet=self.sheet[rows], row=self.row[rows], kind=self.kind[rows], texts=texts, codes=codes)

    def blank(self, column: str) -> np.ndarray:
        """Per row, whether nothing is typed in the column."""
        return np.array([not text.strip() for text in self.texts[column]], dtype=bool)[self.codes[column]]

    def typed(self, column: str, rows: np.ndarray) -> np.ndarray:
        """The texts of a column at the rows."""
        return as_objects(self.texts[column])[self.codes[column][rows]]


def as_objects(values) -> np.ndarray:
    """A list as an array of objects of one dimension."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def gather(
    folder: Path, crosswalks: Crosswalks, max_rows: int, progress: Progress | None = None,
    processes: int | None = None, memory: Memory | None = None,
) -> Gathered:  # fmt: skip
    """
    Read every deposit below the folder; a file that cannot be read leaves its sentence and nothing else.

    `processes`: how many read at the same time (None: as many as help); the result does not
    depend on it. `memory`: where files are remembered, which are then not read again; the result does not depend on
    what is remembered, but with one the distinct remarks are keyed hashes of them.
    """
    found, reader = find_deposits(folder), FileReader(crosswalks, max_rows)
    read = functools.partial(read_files, processes=processes)
    reads = read(found, reader) if memory is None else read_or_recall(found, reader, read, memory)
    vocabularies = {column: Vocabulary("") for column in (*COLUMNS, REST)}
    parts: dict[str, list[np.ndarray]] = {column: [] for column in vocabularies}
    files, issues, sheets, numbers, kinds, n_anew = [], [], [], [], [], 0
    for done, result in enumerate(reads, start=1):
        n_anew += not result.recalled
        files.append(result.note)
        issues += result.issues
        for table in result.tables:
            sheets.append((done - 1, table.name))
            numbers.append(table.numbers)
            kinds.append(table.kinds)
            for column, vocabulary in vocabularies.items():
                if column not in table.columns:
                    parts[column].append(np.zeros(len(table.numbers), dtype=np.int32))
                    continue
                codes, texts = table.columns[column]
                known = np.fromiter(map(vocabulary.__getitem__, texts), np.int32, len(texts))
                parts[column].append(known[codes])
        if progress is not None:
            progress(done, len(found), result.note.file)

    lengths = [len(part) for part in numbers]
    return Gathered(
        files=files, sheet_file=np.array([position for position, _ in sheets], dtype=np.int64),
        sheet_name=[name for _, name in sheets], sheet=np.repeat(np.arange(len(sheets)), lengths),
        row=_joined(numbers, np.int64), kind=_joined(kinds, np.int8),
        texts={column: list(vocabularies[column]) for column in COLUMNS},
        codes={column: _joined(parts.pop(column), np.int32) for column in vocabularies}, issues=issues,
        n_anew=n_anew,
    )  # fmt: skip


def _joined(parts: list[np.ndarray], dtype) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)
