"""One file → its tables as distinct texts and codes; many files in parallel processes.

A process returns little data (codes of a byte or two per cell, each text once), in the order of the files: the result,
including the order of the distinct texts, does not depend on the number of processes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import importlib.metadata
import json
import os
import platform
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ..exceptions import place_of
from ..folders import private_folder, replaced
from ..stamps import deposit_hash, fingerprint, source_hash
from .crosswalks import COLUMNS, DATES, Crosswalk, Crosswalks, is_not_data
from .layout import PLAIN, ROWS_LOOKED_AT, ColumnOf, Layout, choose_crosswalk, find_header, lay_out, letter_of
from .reading import (
    DEEPEST_HEADER,
    Coded,
    Sheet,
    UnreadableDepositError,
    Vocabulary,
    content_of,
    find_deposits,
    is_blank,
    may_be_mojibake,
    read_content,
    repaired,
)

# The last column of codes: all cells under headers that the crosswalk does not know, taken together.
REST = "_rest"
# Message for a file that the library fails on: the place in the library, and nothing of the file.
FAULT = "a fault of the library, not of the file, stopped its reading ({}): report these words, and keep the file."
# Columns of numbers, from which the file's decimal sign is seen.
_NUMBERS = frozenset(("household_size", "residence_code_typed", "french", "quarter", *DATES))
_DECIMAL = re.compile(r"\s*-?\d+([.,])\d+\s*")
# A formula that keeps a text as it is, leading zeros included: ="007".
_TEXT_BY_FORMULA = re.compile(r'^="([^"]*)"$')
_SERIAL = re.compile(r"\d{3,5}(?:\.\d+)?")
# A process takes about a second to start, worth it beyond this much text; a byte of a workbook takes longer to read.
_BYTES_WORTH_A_PROCESS = 60_000_000
_BYTES_OF_A_WORKBOOK = 20


@dataclass
class FileNote:
    """How one file was read, or why it was not (`message`); `fault`: the place in the library that failed on it."""

    file: str
    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    quoting: str | None = None
    crosswalk: str | None = None
    n_sheets: int = 0
    message: str | None = None
    fault: str | None = None

    @classmethod
    def of_fault(cls, file: str, error: Exception) -> FileNote:
        """The note of a file on which the library itself failed (deposit-schema.md, « What is never lost »)."""
        if isinstance(error, MemoryError):
            return cls(file, message="the file needs more memory than there is: divide it into several.")
        location = place_of(error)
        return cls(file, message=FAULT.format(location), fault=location)


@dataclass(frozen=True)
class FileTable:
    """One sheet with a header: row numbers, kinds of rows (layout), and the codes and texts of each column typed."""

    name: str
    numbers: np.ndarray
    kinds: np.ndarray
    columns: dict[str, Coded]


@dataclass
class FileRead:
    """
    One file read: its note, its tables, and issues as (file, sheet, row, reason, column, value).

    `digest` is the SHA-256 of the bytes that were read; `recalled`: taken from the `Memory`, not read now.
    """

    note: FileNote
    tables: list[FileTable] = field(default_factory=list)
    issues: list[tuple] = field(default_factory=list)
    digest: str | None = None
    recalled: bool = False


def _remembered(crosswalk: Crosswalks | Crosswalk) -> ColumnOf:
    """A function of a typed header that gives its canonical column, each header looked up once."""
    return functools.lru_cache(maxsize=100_000)(lambda header: crosswalk.column(repaired(header)))


class FileReader:
    """Reads one file after another with the same crosswalks; headers met before are not looked up again."""

    def __init__(self, crosswalks: Crosswalks, max_rows: int):
        self.crosswalks, self.max_rows = crosswalks, max_rows
        self._any = _remembered(crosswalks)
        self._columns_of = {crosswalk.name: _remembered(crosswalk) for crosswalk in crosswalks.all}

    def __call__(self, deposit: tuple[str, Path]) -> FileRead:
        """Read (path below the folder, path). Never raises: the note of a file that cannot be read has a message."""
        file, path = deposit
        read = FileRead(FileNote(file))
        try:
            content = content_of(path)
            read.digest = hashlib.sha256(content).hexdigest()
            source = read_content(
                content, path.suffix.lower(), file, lambda rows: find_header(rows, self._any), self.max_rows
            )
            read.issues = [(file, sheet, 0, code, None, None) for code, sheet in source.notes]
            sheets = [sheet for sheet in source.sheets if not is_not_data(sheet.grid.head(1))]
            looked_at = ((sheet.name, sheet.grid.head(DEEPEST_HEADER + ROWS_LOOKED_AT)) for sheet in sheets)
            read.note.crosswalk = choose_crosswalk(self.crosswalks, file, looked_at).name
            for sheet in sheets:
                _add(sheet, self._columns_of[read.note.crosswalk], read)
        except UnreadableDepositError as error:
            return FileRead(FileNote(file, message=str(error)))
        except Exception as error:
            return FileRead(FileNote.of_fault(file, error))
        note = read.note
        note.encoding, note.separator, note.quoting = source.encoding, source.separator, source.quoting
        note.decimal, note.n_sheets = _decimal(read.tables), len(read.tables)
        if not read.tables:
            note.message = (
                "no sheet has a recognisable header: use the column names of the template, or write a crosswalk."
            )
        return read


def _add(sheet: Sheet, column_of: ColumnOf, read: FileRead) -> None:
    """Add the table of a sheet; skipped columns and sheets go to the issues."""
    file = read.note.file
    layout = lay_out(sheet.grid, column_of)
    if layout is None:
        if len(sheet.grid.numbers) and not sheet.hidden:
            read.issues.append((file, sheet.name, 0, "no_header", None, None))
        return
    if sheet.hidden:
        read.issues.append((file, sheet.name, 0, "hidden_sheet", None, None))
    for position, (header, column) in enumerate(zip(layout.headers, layout.names, strict=True)):
        if header and column is None:
            reason = "repeated_column" if column_of(header) else "unknown_column"
            read.issues.append((file, sheet.name, layout.header_row, reason, header, None))
        elif not header and (~layout.cells[position].where(is_blank) & (layout.kinds == PLAIN)).any():
            read.issues.append((file, sheet.name, layout.header_row, "unnamed_column", letter_of(position), None))
    columns = {
        name: _settled(cells, sheet.serial_shift if name in DATES else 0)
        for name, cells in zip(layout.names, layout.cells, strict=False)
        if name in COLUMNS
    }
    if (rest := _rest(layout)) is not None:
        columns[REST] = rest
    read.tables.append(FileTable(sheet.name, layout.numbers, layout.kinds, columns))


def _settled(cells: Coded, serial_shift: int) -> Coded:
    """The texts repaired (`="007"`, mojibake, serials from 1904), the codes in the smallest integer type."""
    texts = cells.texts
    if any(text.startswith('="') for text in texts):
        texts = [_TEXT_BY_FORMULA.sub(r"\1", text) for text in texts]
    if any(map(may_be_mojibake, texts)):
        texts = [repaired(text) for text in texts]
    if serial_shift:
        texts = [_shifted(text, serial_shift) for text in texts]
    return Coded(_small(cells.codes, len(texts)), texts)


def _small(codes: np.ndarray, n: int) -> np.ndarray:
    return codes.astype(np.min_scalar_type(max(n - 1, 0)))


def _shifted(text: str, days: int) -> str:
    """A bare serial of a workbook that counts from 1904, as one that counts from 1900; a year stays a year."""
    if not _SERIAL.fullmatch(text) or 1900 <= float(text) <= 2100:
        return text
    return str(int(float(text)) + days)


def _rest(layout: Layout) -> Coded | None:
    """The cells under headers that name no column, one tuple per row; None where all are blank."""
    named = len(layout.names)
    others = [cells for i, cells in enumerate(layout.cells) if i >= named or layout.names[i] is None]
    others = [cells for cells in others if any(cells.texts)]
    if not others:
        return None
    vocabulary = Vocabulary("")
    typed = zip(*[map(cells.texts.__getitem__, cells.codes) for cells in others], strict=True)
    codes = np.fromiter((vocabulary[row] if any(row) else 0 for row in typed), np.int32, len(layout.numbers))
    return Coded(_small(codes, len(vocabulary)), list(vocabulary))


def _decimal(tables: list[FileTable]) -> str | None:
    """The decimal sign of the file's numbers (comma or point), or None where none is typed."""
    signs = {",": 0, ".": 0}
    for table in tables:
        for name in _NUMBERS & table.columns.keys():
            for match in filter(None, map(_DECIMAL.fullmatch, table.columns[name].texts)):
                signs[match[1]] += 1
    if not any(signs.values()):
        return None
    return "comma" if signs[","] >= signs["."] else "point"


# ── many files ────────────────────────────────────────────────────────────────────────────────────────────
def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_files(deposits: list[tuple[str, Path]], reader: FileReader, processes: int | None) -> Iterator[FileRead]:
    """
    The files read, in their order.

    Parameters
    ----------
    deposits : list of (path below the folder, path)
    reader : FileReader
        Reads one of them.
    processes : int, optional
        How many processes read; None: one per usable core where there is enough to read, else the current one alone.
    """
    if processes is None:
        processes = min(usable_cores(), 1 + _cost(deposits) // _BYTES_WORTH_A_PROCESS)
    n_done = 0
    if min(processes, len(deposits)) > 1:
        try:
            for read in _read_apart(deposits, reader, processes):
                yield read
                n_done += 1
        except (BrokenProcessPool, OSError):
            pass  # a process was ended from outside, or could not start: this one reads the rest
    yield from map(reader, deposits[n_done:])


def _cost(deposits: list[tuple[str, Path]]) -> int:
    total = 0
    for _, path in deposits:
        try:
            size = path.stat().st_size
        except OSError:
            continue
        total += size if path.suffix.lower() in (".csv", ".txt", ".tsv") else size * _BYTES_OF_A_WORKBOOK
    return total


def _read_apart(deposits: list[tuple[str, Path]], reader: FileReader, processes: int) -> Iterator[FileRead]:
    import multiprocessing
    from multiprocessing.reduction import ForkingPickler

    # a crosswalk's mappings are read-only, which pickle does not know
    ForkingPickler.register(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    executor = ProcessPoolExecutor(
        processes, context, initializer=_start, initargs=(reader.crosswalks, reader.max_rows)
    )
    try:
        yield from executor.map(_read_here, deposits, chunksize=1)
    finally:
        executor.shutdown(cancel_futures=True)


def _read_only(mapping: dict) -> MappingProxyType:
    return MappingProxyType(mapping)


_reader: FileReader | None = None


def _start(crosswalks: Crosswalks, max_rows: int) -> None:
    global _reader  # one reader a process, so that the crosswalks travel once
    _reader = FileReader(crosswalks, max_rows)


def _read_here(deposit: tuple[str, Path]) -> FileRead:
    return _reader(deposit)  # type: ignore[misc]  # made as the process began


# ----------------------------------------------------------------------------------------------------
# Cache of the files read by earlier builds, so that the next build reads only new and changed ones.
#
# One small cache file per deposit, named by a hash of all that its reading depends on: its bytes, its path, the
# crosswalks, `max_rows_per_sheet`, the code of this room, the versions of the libraries. An entry is thus never out of
# date: a change gives another name. Entries hold numbers and texts (JSON and plain arrays), no code; one that is cut
# off, altered or renamed fails its seal (HMAC), and the deposit is read again. Entries without a deposit are removed.
#
# Texts that are never stored after reading (deposit-schema.md) are not stored here either: of remarks, and of columns
# that no crosswalk knows, only keyed hashes are kept, which only show which texts are equal (a remark that slid into
# another column is a text of that column). Hashes and seals are keyed with the study's secret, so that without it
# nobody can try texts on them or forge an entry.
#
# A file that could not be read is not cached: the cause may be the machine, not the file.

ReadFiles = Callable[[list[tuple[str, Path]], FileReader], Iterator[FileRead]]
# Columns whose texts are never stored.
UNSTORED = ("remarks", REST)
# The code that reading a file runs; a test compares it with the imports.
SOURCE = ("deposits", "places", "tables.py", "exceptions.py", "stamps.py", "version.py", "folders.py", "study.py")
LIBRARIES = ("numpy", "pandas", "pyarrow", "python-calamine")
_SEAL = 32
_HASH = 16


@dataclass(frozen=True)
class Memory:
    """
    Cache of the files that were read.

    Attributes
    ----------
    folder : Path
        Holds nothing else; created when files are read, accessible to its owner only.
    secret : bytes
        The study's; with another one no entry is recognised.

    Examples
    --------
    >>> import tempfile; from .deposits import read_deposits
    >>> folder = Path(tempfile.mkdtemp()); raw = folder / "raw"; raw.mkdir()
    >>> _ = (raw / "EER01_2021-2022_T3.csv").write_text("no_dossier;date_service;ville\\n7;2021-11-02;Rimouski\\n")
    >>> memory = Memory(folder / "read", b"a secret")
    >>> [read_deposits(raw, memory=memory).n_anew for _ in range(2)]
    [1, 0]
    """

    folder: Path
    secret: bytes = field(repr=False)

    def forget(self) -> None:
        """Remove all entries."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    def keyed(self, *parts: bytes, size: int = _HASH) -> bytes:
        """A hash of the parts, keyed with the secret."""
        key = hmac.digest(self.secret, b"trajectories: files as read", "sha256")
        digest = hashlib.blake2b(key=key, digest_size=size)
        for part in parts:
            digest.update(len(part).to_bytes(8, "little") + part)
        return digest.digest()


def read_or_recall(
    deposits: list[tuple[str, Path]], reader: FileReader, read_files: ReadFiles, memory: Memory
) -> Iterator[FileRead]:
    """
    The files in their order, read only where they are not in the cache; the cache then holds these files and no other.

    `read_files` reads those that are not in the cache, in their order. The result does not depend on the cache. Texts
    that are never stored are keyed hashes in every file returned.
    """
    folder, origin = private_folder(memory.folder), _origin(reader)
    stored_paths = [folder / _name(memory, origin, file, deposit_hash(path)) for file, path in deposits]
    new = [not stored_path.is_file() for stored_path in stored_paths]
    read_now = read_files([deposit for deposit, is_new in zip(deposits, new, strict=True) if is_new], reader)
    in_use = set()
    for deposit, stored_path, is_new in zip(deposits, stored_paths, new, strict=True):
        read = None if is_new else _recall(stored_path, memory)
        if read is None:
            read = _without_texts(next(read_now) if is_new else reader(deposit), memory)
            # named by the bytes read, which may have changed since the entry was looked up
            stored_path = folder / _name(memory, origin, deposit[0], read.digest)
            if read.note.message is None:
                _remember(read, stored_path, memory)
        if read.note.message is None:
            in_use.add(stored_path)
        yield read
    for path in folder.iterdir():
        if path not in in_use and not path.is_dir():
            path.unlink(missing_ok=True)


def _origin(reader: FileReader) -> str:
    """Fingerprint of all that reading depends on besides the file."""
    return fingerprint(
        {
            "crosswalks": repr(reader.crosswalks),
            "max_rows": reader.max_rows,
            "source": source_hash(SOURCE),
            "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
            "python": platform.python_version(),
        }
    )


def _name(memory: Memory, origin: str, file: str, digest: str | None) -> str:
    return memory.keyed(*(_bytes(part) for part in (origin, file, digest or ""))).hex()


def _bytes(text: str) -> bytes:
    """A file's name may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "surrogatepass")


def _without_texts(read: FileRead, memory: Memory) -> FileRead:
    """The file with keyed hashes in place of the texts that are never stored; a blank cell stays blank."""
    for table in read.tables:
        for column in UNSTORED:
            if column in table.columns:
                codes, texts = table.columns[column]
                hashed = [text and memory.keyed(*map(_bytes, _cells(text))).hex() for text in texts]
                table.columns[column] = Coded(codes, hashed)
    return read


def _cells(text: str | tuple[str, ...]) -> Iterable[str]:
    return (text,) if isinstance(text, str) else text


# ── one file ──────────────────────────────────────────────────────────────────────────────────────────────
def _remember(read: FileRead, stored_path: Path, memory: Memory) -> None:
    content = zlib.compress(_written(read), 1)
    # an entry that cannot be written costs the next build time, and must not stop this one
    with contextlib.suppress(OSError), replaced(stored_path) as scratch:
        scratch.write_bytes(memory.keyed(stored_path.name.encode(), content, size=_SEAL) + content)


def _recall(stored_path: Path, memory: Memory) -> FileRead | None:
    """The file as it was read; None where the entry is missing or fails its seal."""
    try:
        stored = stored_path.read_bytes()
    except OSError:
        return None
    seal, content = stored[:_SEAL], stored[_SEAL:]
    if not hmac.compare_digest(seal, memory.keyed(stored_path.name.encode(), content, size=_SEAL)):
        return None
    return _as_read(zlib.decompress(content))


def _written(read: FileRead) -> bytes:
    """The length of a JSON head, the head, and the bytes of the arrays in the order in which it lists them."""
    arrays: list[np.ndarray] = []

    def put(array: np.ndarray) -> tuple[str, int]:
        arrays.append(array)
        return array.dtype.str, len(array)

    tables = [
        (
            table.name,
            put(table.numbers),
            put(table.kinds),
            [(column, put(codes), list(texts)) for column, (codes, texts) in table.columns.items()],
        )
        for table in read.tables
    ]
    head = _bytes(json.dumps((vars(read.note), read.issues, tables), ensure_ascii=False))
    return b"".join((len(head).to_bytes(8, "little"), head, *(array.tobytes() for array in arrays)))


def _as_read(content: bytes) -> FileRead:
    start = 8 + int.from_bytes(content[:8], "little")
    note, issues, tables = json.loads(content[8:start].decode("utf-8", "surrogatepass"))

    def take(kind: str, length: int) -> np.ndarray:
        nonlocal start
        array = np.frombuffer(content, kind, length, start)
        start += array.nbytes
        return array.copy()  # a view would keep all of the content in memory

    # in the order in which they were written
    return FileRead(
        FileNote(**note),
        [
            FileTable(
                name, take(*numbers), take(*kinds), {c: Coded(take(*codes), texts) for c, codes, texts in columns}
            )
            for name, numbers, kinds, columns in tables
        ],
        [tuple(issue) for issue in issues],
        recalled=True,
    )


# ----------------------------------------------------------------------------------------------------
# All deposits of a folder as one set of columns: per canonical column the distinct texts, and one code per row.
#
# A text is kept once however often it is typed, so that all later work is on distinct texts and a row costs a few
# bytes per column. Rows keep the number of their sheet; sheets without a recognisable header are skipped and listed.

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
        How many of the files were read; the others were recalled from the cache.
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
        """The rows of the files at these positions, with their texts only; the other files are as if empty."""
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
    folder: Path,
    crosswalks: Crosswalks,
    max_rows: int,
    progress: Progress | None = None,
    processes: int | None = None,
    memory: Memory | None = None,
) -> Gathered:
    """
    Read every deposit below the folder; a file that cannot be read gives only its note, with a message.

    `processes`: how many read in parallel (None: as many as help). `memory`: cache of files, which are then not read
    again. The result depends on neither, except that with a memory the distinct remarks are keyed hashes.
    """
    deposits, reader = find_deposits(folder), FileReader(crosswalks, max_rows)
    read = functools.partial(read_files, processes=processes)
    reads = read(deposits, reader) if memory is None else read_or_recall(deposits, reader, read, memory)
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
                shared_codes = np.fromiter(map(vocabulary.__getitem__, texts), np.int32, len(texts))
                parts[column].append(shared_codes[codes])
        if progress is not None:
            progress(done, len(deposits), result.note.file)

    lengths = [len(part) for part in numbers]
    return Gathered(
        files=files,
        sheet_file=np.array([position for position, _ in sheets], dtype=np.int64),
        sheet_name=[name for _, name in sheets],
        sheet=np.repeat(np.arange(len(sheets)), lengths),
        row=_joined(numbers, np.int64),
        kind=_joined(kinds, np.int8),
        texts={column: list(vocabularies[column]) for column in COLUMNS},
        codes={column: _joined(parts.pop(column), np.int32) for column in vocabularies},
        issues=issues,
        n_anew=n_anew,
    )


def _joined(parts: list[np.ndarray], dtype) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)
