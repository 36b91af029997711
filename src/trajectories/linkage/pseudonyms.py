"""Keyed pseudonyms: HMAC-SHA256 with a secret that never enters the repository.

A hash without a key can be undone by trying all names and birth dates; with a secret key it cannot. The key is made on
first use and kept in the user's configuration folder (0600), or comes from the environment. The synthetic sample has a
fixed public key, so that its ids are the same everywhere: nobody in it is real.

A key that was rotated (key_rotation.py) carries the ids of earlier identities: its file is the key, then one line per
identity and kind of id, `id under this key · id that is kept`. They are in one file, replaced atomically, so that
neither is ever without the other.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..exceptions import KeyFileError
from ..folders import replaced

SAMPLE_KEY = b"trajectories: public key of the synthetic sample"
ENVIRONMENT = "TRAJECTORIES_KEY"
# 64 bits: at a million persons the chance that any two share an id is 3e-8.
DIGITS = 16
SHORTEST_KEY = 16
# Digits of a key's name (in the file name of its copy): enough to distinguish the few keys of a study.
NAME_DIGITS = 12


def _nothing_kept() -> np.ndarray:
    return np.empty((0, 2), dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class Key:
    """
    The study's secret, and the ids that a rotation kept.

    Attributes
    ----------
    secret : bytes
        Key of the hash of identities.
    kept : array of uint64, shape (n, 2)
        The id of an identity under this secret, and its earlier id; in order of the first.
    covers : frozenset of str
        Marks of the folders of tables whose ids the rotation kept.
    """

    secret: bytes
    kept: np.ndarray = field(default_factory=_nothing_kept)
    covers: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of the key: a hash, from which the key cannot be recovered."""
        return hmac.new(self.secret, b"trajectories: name of the key", hashlib.sha256).hexdigest()[:NAME_DIGITS]

    def to_text(self) -> str:
        """The content of the key's file."""
        lines = [self.secret.decode()]
        if len(self.kept) or self.covers:
            # with the number of lines, so that a truncated copy is noticed
            lines += [f"ids {len(self.kept)}", " ".join(("tables", *sorted(self.covers)))]
            lines += [f"{new:0{DIGITS}x} {old:0{DIGITS}x}" for new, old in self.kept.tolist()]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_text(cls, text: str, source: str) -> Key:
        """
        The key that a file, or the environment, holds.

        Raises
        ------
        KeyFileError
            It is too short, or the kept ids after it are incomplete.

        Examples
        --------
        >>> Key.from_text("a key that is long enough", "a file").secret
        b'a key that is long enough'
        """
        secret, _, rest = text.strip().partition("\n")
        secret = secret.strip()
        if len(secret) < SHORTEST_KEY:
            raise KeyFileError(
                f"The study's key in {source} is shorter than {SHORTEST_KEY} characters: give the whole key."
            )
        if not rest.strip():
            return cls(secret.encode())
        try:
            count, tables, *pairs = rest.split("\n", 2)
            # fromhex skips the spaces between ids and lines
            numbers = np.frombuffer(bytes.fromhex("".join(pairs)), dtype=">u8").astype(np.uint64).reshape(-1, 2)
            complete = count == f"ids {len(numbers)}" and tables.split()[0] == "tables"
        except (ValueError, IndexError):
            complete = False
        if not complete:
            raise KeyFileError(
                f"The study's key in {source} is not whole: the ids that a rotation kept follow the key, and some are "
                "cut off or changed. Restore it from a backup (`trajectories key backup` makes them)."
            )
        return cls(secret.encode(), numbers, frozenset(tables.split()[1:]))


def key_path() -> Path:
    """The file of the study's secret key."""
    return Path("~/.config/trajectories/key").expanduser()


def known_key() -> Key | None:
    """
    The study's secret key, `TRAJECTORIES_KEY`, else the key file; None where there is neither.

    Raises
    ------
    KeyFileError
        The key is too short or not whole, or its file cannot be read.
    """
    from_environment = os.environ.get(ENVIRONMENT)
    if from_environment is not None:
        return Key.from_text(from_environment, f"the environment variable {ENVIRONMENT}")
    path = key_path()
    try:
        return Key.from_text(path.read_text(encoding="utf-8"), str(path)) if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from None


def secret_key() -> Key:
    """
    The study's secret key: `TRAJECTORIES_KEY`, else the key file, made on first use.

    Raises
    ------
    KeyFileError
        The key is too short or not whole, or its file cannot be read or made.

    Examples
    --------
    >>> pseudonymise(["a file"], secret_key(), "P")[0][:1]
    'P'
    """
    known = known_key()
    if known is not None:
        return known
    path, created = key_path(), new_key()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret(path, created.to_text())
    except OSError as error:
        raise _unusable(path, error) from None
    return created


def new_key() -> Key:
    """A new random key."""
    return Key(secrets.token_hex(32).encode())


def write_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner can read (mode 0600 from its creation)."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _unusable(path: Path, error: Exception) -> KeyFileError:
    return KeyFileError(
        f"The study's key {path} cannot be read or made ({type(error).__name__}): "
        f"restore it from its backup, or give the key in {ENVIRONMENT}."
    )


def pseudonymise(identities: Iterable[str], key: Key | bytes, prefix: str) -> list[str]:
    """
    Ids for identities: the prefix and 16 hexadecimal digits.

    Examples
    --------
    >>> pseudonymise(["EER01/12"], SAMPLE_KEY, "P") == pseudonymise(["EER01/12"], SAMPLE_KEY, "P")
    True
    """
    key = key if isinstance(key, Key) else Key(key)
    ids = [hmac.new(key.secret, text.encode(), hashlib.sha256).hexdigest()[:DIGITS] for text in identities]
    if len(key.kept):
        ids = _as_before(ids, key.kept)
    return [prefix + digits for digits in ids]


def _as_before(ids: list[str], kept: np.ndarray) -> list[str]:
    """The ids, each that a rotation replaced by its earlier id."""
    new = np.array([int(digits, 16) for digits in ids], dtype=np.uint64)
    position = np.minimum(np.searchsorted(kept[:, 0], new), len(kept) - 1)
    kept_ids = np.where(kept[position, 0] == new, kept[position, 1], new)
    return [f"{number:0{DIGITS}x}" for number in kept_ids.tolist()]


# ----------------------------------------------------------------------------------------------------
# Which key the ids of a folder of tables were made with: a mark from which the key cannot be recovered.
#
# A build of real deposits writes `key.json` beside its tables: a random salt, and the salted hash of the key (and of
# the ids that a rotation kept). Every command first compares the current key with it: with another key all ids would
# change silently, in tables that other tables, reviewed decisions and notes refer to. Tables for someone who must not
# have the key are handed over without the file: nothing is then compared.

MARK = "key.json"


def mark_of(key: Key, salt: str) -> str:
    """
    The salted hash of a key and of the ids it keeps.

    Examples
    --------
    >>> mark_of(Key(b"a key that is long enough"), "00") == mark_of(Key(b"another, long enough"), "00")
    False
    """
    digest = hmac.new(key.secret, f"trajectories: mark {salt}".encode(), hashlib.sha256)
    digest.update(key.kept.astype(">u8").tobytes())
    return digest.hexdigest()


def recorded(derived: Path) -> tuple[str, str] | None:
    """The salt and the mark beside the tables; None where there are none (synthetic, or built by an older version)."""
    path = Path(derived) / MARK
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return str(content["salt"]), str(content["mark"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise KeyFileError(
            f"{path} cannot be read: it says which key the ids beside it were made with. If you know that the key is "
            "the one they were made with, delete the file; the next build writes it again."
        ) from None


def fits(key: Key, recorded_mark: tuple[str, str]) -> bool:
    """Whether the key gives the ids of tables with this mark: it made them, or a rotation kept them."""
    return mark_of(key, recorded_mark[0]) == recorded_mark[1] or recorded_mark[1] in key.covers


def check_key(derived: Path) -> None:
    """
    Refuse tables whose ids were made with another key than the study's.

    Raises
    ------
    KeyFileError
        The key is lost, or another one, or the ids that a rotation kept are gone from it.
    """
    recorded_mark = recorded(derived)
    if recorded_mark is None:
        return
    key = known_key()
    if key is not None and fits(key, recorded_mark):
        return
    from_environment = ENVIRONMENT in os.environ
    if key is None:
        fault = f"The study's key is lost: {key_path()} is not there, and the tables in {derived} were made with one."
    else:
        where = f"in the environment variable {ENVIRONMENT}" if from_environment else f"in {key_path()}"
        fault = f"The key {where} is not the one that the ids of the tables in {derived} were made with."
    raise KeyFileError(
        f"{fault} Restore its backup (one made since it was last rotated): copy it to {key_path()}"
        f"{f', and unset {ENVIRONMENT}' if from_environment else ''}. "
        "If there is none, `trajectories build --new-key` makes the tables again with the key of today: all ids of "
        "persons and households change, and decisions reviewed or notes taken under the old ones no longer fit "
        "(what was published does: it holds no id)."
    )


def note_key(derived: Path, key: Key | None) -> None:
    """Write the mark of the key beside the tables; None (the public key of the sample): no mark."""
    path = Path(derived) / MARK
    if key is None:
        path.unlink(missing_ok=True)
        return
    try:
        recorded_mark = recorded(derived)
    except KeyFileError:
        recorded_mark = None
    if recorded_mark is not None and mark_of(key, recorded_mark[0]) == recorded_mark[1]:
        return
    salt = secrets.token_hex(16)
    with replaced(path) as scratch:
        scratch.write_text(json.dumps({"salt": salt, "mark": mark_of(key, salt)}) + "\n", encoding="utf-8")
