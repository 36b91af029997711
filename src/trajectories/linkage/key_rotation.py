"""Backup of the study's key, and its rotation: a new key under which everyone in the deposits keeps their id.

An id is a keyed hash of an identity's text. At a rotation the identities of the deposits are hashed with the old key
and with the new one, and the pairs of hashes follow the new key in its file (pseudonyms.py). With the new key an
identity that is in the deposits today gives its old id, whatever clusters later deposits make; one that comes later
gives an id of the new key. The texts themselves are not kept: an identity that is in no deposit at a rotation gets a
new id.

Limit of a rotation: whoever has the old key can still re-identify, by hashing names and file numbers, ids made before
the rotation for as long as they are kept, but not those made after it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..deposits import Deposits, read_deposits
from ..deposits.synthetic import has_deposits, is_synthetic
from ..exceptions import KeyFileError, UnusableInputError
from ..folders import replaced
from ..study import Study
from .identities import identify
from .linking import hashed_texts
from .pseudonyms import ENVIRONMENT, Key, check_key, key_path, known_key, new_key, pseudonymise, recorded, write_secret


@dataclass(frozen=True)
class Rotation:
    """A rotation: how many identities keep their ids, the unreadable deposits, the old key (None: deleted)."""

    n_identities: int
    unreadable: tuple[str, ...]
    old_key: Path | None


def backup(to: Path, shared: Iterable[Path]) -> Path:
    """
    Copy the key to a new file, or into a folder.

    Parameters
    ----------
    to : path
    shared : iterable of path
        The folders of deposits, tables and pages, which are handed on: a key may not be copied below them.

    Returns
    -------
    Path
        The copy (0600), with the ids that a rotation kept.

    Raises
    ------
    KeyFileError
        There is no key, another file is there, or the place is one that is shared, emptied or committed.
    """
    key = known_key()
    if key is None:
        raise KeyFileError(
            f"There is no key to copy: neither {ENVIRONMENT} nor {key_path()}. The first build of real deposits makes "
            "one; if this study had one, it is lost: restore it."
        )
    to = Path(to).expanduser()
    to = to / f"trajectories-key-{key.name}" if to.is_dir() else to
    _refuse_place(to, shared)
    if to.resolve() == key_path().resolve():
        raise KeyFileError(f"{to} is the key itself: choose a place on another disk, which outlives this one.")
    text = key.to_text()
    if to.exists():
        if not _same_file(to, text):
            raise KeyFileError(f"{to} is there already and is not this key: choose another name; nothing was written.")
        to.chmod(0o600)
        return to
    to.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(to, text)
    return to


def _same_file(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _refuse_place(to: Path, shared: Iterable[Path]) -> None:
    """Refuse a path below a folder of data or reports, which is handed on, or in a git repository."""
    target = to.resolve()
    inside = [folder for folder in target.parents if (folder / ".git").exists()]
    if inside:
        raise KeyFileError(f"{to} is in the git repository {inside[0]}: a key must never be committed. Choose another.")
    for folder in shared:
        if folder.resolve() in target.parents:
            raise KeyFileError(
                f"{to} is below {folder}: who is given the tables or the pages would be given the key. "
                "Choose a place apart from the data."
            )


def rotate(studies: Sequence[Study], *, forget_old: bool = False) -> Rotation:
    """
    Replace the study's key by a new one; everyone in the deposits keeps their id.

    The file is replaced atomically: an interrupted rotation leaves the old key as it was.

    Parameters
    ----------
    studies : sequence of Study
        Every study whose ids are made with this key.
    forget_old : bool
        Leave no copy of the old key. For a key that has leaked: with each copy of it, ids can be traced back to
        persons. Without a copy, earlier tables and backups can no longer be rebuilt.

    Raises
    ------
    KeyFileError
        The key is not in a file of ours, is lost, or is not the one that a study's tables were made with.
    UnusableInputError
        A study has no deposits, or synthetic ones, or (where the old key is to be forgotten) some cannot be read.
    """
    old = _in_its_file()
    for study in studies:
        _refuse_nothing_to_keep(study)
        check_key(study.paths.derived)
    deposited = [read_deposits(study.paths.raw, study=study) for study in studies]
    files = pd.concat([deposits.files for deposits in deposited])
    unreadable = tuple(files.loc[files["status"].eq("unreadable"), "file"])
    _refuse_unread(studies, deposited, unreadable if forget_old else ())
    new, n_identities = rotated(old, [deposits.records for deposits in deposited], _covered(studies))
    copy = key_path().with_name(f"key-{old.name}")
    if not forget_old:
        _write_whole(copy, old.to_text())
    _write_whole(key_path(), new.to_text())
    if forget_old:
        # the copy of an interrupted rotation
        copy.unlink(missing_ok=True)
    # scratch files of a rotation that was killed: each holds a key
    for scratch in key_path().parent.glob(".key*.tmp"):
        scratch.unlink()
    return Rotation(n_identities, unreadable, None if forget_old else copy)


def rotated(old: Key, deposited: Sequence[pd.DataFrame], covers: Iterable[str] = ()) -> tuple[Key, int]:
    """A new key under which every identity of the records keeps the id of the old one; and how many there are."""
    identities = pd.unique(pd.concat([identify(records).table["key"] for records in deposited]))
    texts = np.concatenate(hashed_texts(pd.Series(identities)))
    new = new_key()
    pairs = np.column_stack([_numbers(pseudonymise(texts, key, "")) for key in (new, old)])
    kept = pairs[np.argsort(pairs[:, 0])]
    return Key(new.secret, kept, frozenset(covers)), len(identities)


def _numbers(ids: list[str]) -> np.ndarray:
    return np.array([int(digits, 16) for digits in ids], dtype=np.uint64)


def _in_its_file() -> Key:
    if ENVIRONMENT in os.environ:
        raise KeyFileError(
            f"The key comes from the environment variable {ENVIRONMENT}, which a rotation cannot change, nor is there "
            f"room in it for the ids to keep. Write the key into {key_path()} (a file of mode 0600), unset "
            f"{ENVIRONMENT} wherever it is set, and rotate again."
        )
    old = known_key()
    if old is None:
        raise KeyFileError(f"There is no key to rotate: {key_path()} is not there. Restore it, or build first.")
    return old


def _refuse_nothing_to_keep(study: Study) -> None:
    if is_synthetic(study.paths.raw):
        raise UnusableInputError(f"{study.paths.raw} is synthetic: its ids are of a public key, which is not rotated.")
    if not has_deposits(study.paths.raw):
        raise UnusableInputError(
            f"{study.paths.raw} holds no deposit: without them nobody's id can be kept. Name the study with --study."
        )


def _refuse_unread(studies: Sequence[Study], deposited: Sequence[Deposits], unreadable: Sequence[str]) -> None:
    """Refuse a study without a usable row, and unreadable deposits: persons in these alone would lose their id."""
    for study, deposits in zip(studies, deposited, strict=True):
        if deposits.records.empty:
            raise UnusableInputError(f"No deposit in {study.paths.raw} holds a usable row: nobody's id could be kept.")
    if unreadable:
        raise UnusableInputError(
            f"{', '.join(unreadable)} cannot be read, and whoever is in no other deposit would lose their id for good: "
            "mend these files or move them away, or rotate without --forget-old."
        )


def _covered(studies: Iterable[Study]) -> list[str]:
    """The marks of the studies' tables, whose ids the rotation keeps; the next build writes the new mark."""
    marks = [recorded(study.paths.derived) for study in studies]
    return [mark[1] for mark in marks if mark is not None]


def _write_whole(path: Path, text: str) -> None:
    with replaced(path) as scratch:
        write_secret(scratch, text)
