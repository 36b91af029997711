"""Files as they were read by a build before, so that the next one reads only those that are new or have changed.

One small file a deposit, found by a hash of all that reading it depends on: its bytes, its path, the crosswalks, the
most rows of a sheet, this room's code, the libraries that read. Nothing is ever out of date: what changed has another
name. The content is numbers and texts (JSON and plain arrays), nothing that could run; one that is cut off, altered or
put in another's place fails its seal, and the deposit is read again. What belongs to no deposit that is there goes.

What is never stored after reading (deposit-schema.md) is not stored here either: of remarks, and of columns that no
crosswalk knows, only keyed hashes are kept, which tell equal texts from unequal ones and nothing more (a remark that
slid into another column is a text of that column). Hashes and seals are keyed with the study's secret, so that nobody
without it can try texts on them, or make such a file.

A file that could not be read is not remembered: why may lie with the machine, not with the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import importlib.metadata
import json
import platform
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..folders import private_folder, replaced
from ..stamps import deposit_hash, fingerprint, source_hash
from .files import REST, FileNote, FileRead, FileReader, FileTable
from .grid import Coded

ReadFiles = Callable[[list[tuple[str, Path]], FileReader], Iterator[FileRead]]
# Columns whose texts are never stored.
UNSTORED = ("remarks", REST)
# What reading a file runs: a test holds it against the imports.
SOURCE = ("deposits", "places", "tables.py", "exceptions.py", "stamps.py", "version.py", "slug.py", "study.py")
LIBRARIES = ("numpy", "pandas", "pyarrow", "python-calamine")
_SEAL = 32
_HASH = 16


@dataclass(frozen=True)
class Memory:
    """
    Where files are remembered as they were read.

    Attributes
    ----------
    folder : Path
        Holds nothing else; made, and closed to everyone but its owner, when files are read.
    secret : bytes
        The study's; with another one nothing is recognised.

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
        """Everything."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    def keyed(self, *parts: bytes, size: int = _HASH) -> bytes:
        """A hash of the parts that only the secret gives."""
        key = hmac.digest(self.secret, b"trajectories: files as read", "sha256")
        whole = hashlib.blake2b(key=key, digest_size=size)
        for part in parts:
            whole.update(len(part).to_bytes(8, "little") + part)
        return whole.digest()


def read_or_recall(
    found: list[tuple[str, Path]], reader: FileReader, read_files: ReadFiles, memory: Memory
) -> Iterator[FileRead]:
    """
    The files in their order, each read only where it is not remembered; afterwards all of them are, and no other.

    `read_files` reads those that are not, in their order. The result is the same whatever is remembered. Texts that are
    never stored come as keyed hashes, of all files.
    """
    folder, origin = private_folder(memory.folder), _origin(reader)
    places = [folder / _name(memory, origin, file, deposit_hash(path)) for file, path in found]
    new = [not place.is_file() for place in places]
    read_now = read_files([one for one, is_new in zip(found, new, strict=True) if is_new], reader)
    kept = set()
    for one, place, is_new in zip(found, places, new, strict=True):
        read = None if is_new else _recall(place, memory)
        if read is None:
            read = _without_texts(next(read_now) if is_new else reader(one), memory)
            # by what was read, which may have changed since it was looked for
            place = folder / _name(memory, origin, one[0], read.digest)
            if read.note.message is None:
                _remember(read, place, memory)
        if read.note.message is None:
            kept.add(place)
        yield read
    for path in folder.iterdir():
        if path not in kept and not path.is_dir():
            path.unlink(missing_ok=True)


def _origin(reader: FileReader) -> str:
    """All that reading depends on beside the file."""
    return fingerprint({
        "crosswalks": repr(reader.crosswalks), "max_rows": reader.max_rows, "source": source_hash(SOURCE),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "python": platform.python_version(),
    })  # fmt: skip


def _name(memory: Memory, origin: str, file: str, digest: str | None) -> str:
    return memory.keyed(*(_bytes(part) for part in (origin, file, digest or ""))).hex()


def _bytes(text: str) -> bytes:
    """A file's name may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "surrogatepass")


def _without_texts(read: FileRead, memory: Memory) -> FileRead:
    """The texts that are never stored, as keyed hashes; a blank cell stays blank."""
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
def _remember(read: FileRead, place: Path, memory: Memory) -> None:
    content = zlib.compress(_written(read), 1)
    # what cannot be kept costs the next build the time to read it, not this one its tables
    with contextlib.suppress(OSError), replaced(place) as scratch:
        scratch.write_bytes(memory.keyed(place.name.encode(), content, size=_SEAL) + content)


def _recall(place: Path, memory: Memory) -> FileRead | None:
    """The file as it was read; None where what was kept is not what was written there."""
    try:
        kept = place.read_bytes()
    except OSError:
        return None
    seal, content = kept[:_SEAL], kept[_SEAL:]
    if not hmac.compare_digest(seal, memory.keyed(place.name.encode(), content, size=_SEAL)):
        return None
    return _as_read(zlib.decompress(content))


def _written(read: FileRead) -> bytes:
    """The length of a head of JSON, the head, and the arrays that it names one after the other."""
    arrays: list[np.ndarray] = []

    def put(array: np.ndarray) -> tuple[str, int]:
        arrays.append(array)
        return array.dtype.str, len(array)

    tables = [
        (table.name, put(table.numbers), put(table.kinds),
         [(column, put(codes), list(texts)) for column, (codes, texts) in table.columns.items()])
        for table in read.tables
    ]  # fmt: skip
    head = _bytes(json.dumps((vars(read.note), read.issues, tables), ensure_ascii=False))
    return b"".join((len(head).to_bytes(8, "little"), head, *(array.tobytes() for array in arrays)))


def _as_read(content: bytes) -> FileRead:
    start = 8 + int.from_bytes(content[:8], "little")
    note, issues, tables = json.loads(content[8:start].decode("utf-8", "surrogatepass"))

    def take(kind: str, length: int) -> np.ndarray:
        nonlocal start
        array = np.frombuffer(content, kind, length, start)
        start += array.nbytes
        return array.copy()  # a view would hold all of the content for as long as it is held

    # in the order in which they were written
    return FileRead(
        FileNote(**note),
        [FileTable(name, take(*numbers), take(*kinds), {c: Coded(take(*codes), texts) for c, codes, texts in columns})
         for name, numbers, kinds, columns in tables],
        [tuple(issue) for issue in issues], recalled=True,
    )  # fmt: skip
