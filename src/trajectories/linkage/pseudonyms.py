"""Keyed pseudonyms: HMAC-SHA256 with a secret that never enters the repository.

A bare hash of a name and a birth date can be undone by trying all names; with a secret key it cannot. The key is
made on first use and kept in the user's configuration folder (0600), or comes from the environment. The synthetic
sample has a fixed public key, so that its ids are the same everywhere: they protect nobody, since nobody is real.

A key that was rotated (key_rotation.py) carries the ids of those who were there before: its file is the key, then one
line an identity and kind of id, `id under this key · id that is kept`. One file, so that neither is ever without the
other: it is moved into place whole, copied whole, lost whole.
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
# Digits of what a key is called by (the name of its copy): enough to tell the few keys of a study apart.
NAME_DIGITS = 12


def _nothing_kept() -> np.ndarray:
    return np.empty((0, 2), dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class Key:
    """
    The study's secret, and what a rotation kept.

    Attributes
    ----------
    secret : bytes
        What identities are hashed with.
    kept : array of uint64, shape (n, 2)
        The id of an identity under this secret, and the id it had before; in order of the first.
    covers : frozenset of str
        Marks of the folders of tables whose ids the rotation kept.
    """

    secret: bytes
    kept: np.ndarray = field(default_factory=_nothing_kept)
    covers: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What the key is called: a hash of it, from which it cannot be told."""
        return hmac.new(self.secret, b"trajectories: name of the key", hashlib.sha256).hexdigest()[:NAME_DIGITS]

    def to_text(self) -> str:
        """The content of the key's file."""
        lines = [self.secret.decode()]
        if len(self.kept) or self.covers:
            # how many lines there are: a copy that was cut short is noticed
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
            It is too short, or what follows it is not whole.

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
            # fromhex passes over the blanks between ids and lines
            numbers = np.frombuffer(bytes.fromhex("".join(pairs)), dtype=">u8").astype(np.uint64).reshape(-1, 2)
            whole = count == f"ids {len(numbers)}" and tables.split()[0] == "tables"
        except (ValueError, IndexError):
            whole = False
        if not whole:
            raise KeyFileError(
                f"The study's key in {source} is not whole: the ids that a rotation kept follow the key, and some are "
                "cut off or changed. Restore it from a backup (`trajectories key backup` makes them)."
            )
        return cls(secret.encode(), numbers, frozenset(tables.split()[1:]))


def key_path() -> Path:
    """Where the study's secret key is kept."""
    return Path("~/.config/trajectories/key").expanduser()


def known_key() -> Key | None:
    """
    The study's secret key, `TRAJECTORIES_KEY`, else the key file; None where there is neither.

    Raises
    ------
    KeyFileError
        The key is too short or not whole, or its file cannot be read.
    """
    given = os.environ.get(ENVIRONMENT)
    if given is not None:
        return Key.from_text(given, f"the environment variable {ENVIRONMENT}")
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
    found = known_key()
    if found is not None:
        return found
    path, made = key_path(), new_key()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret(path, made.to_text())
    except OSError as error:
        raise _unusable(path, error) from None
    return made


def new_key() -> Key:
    """A key that nobody has seen."""
    return Key(secrets.token_hex(32).encode())


def write_secret(path: Path, text: str) -> None:
    """Write a file that was not there, closed to others from its first byte."""
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
    """Those ids that a rotation replaced, as they were."""
    new = np.array([int(digits, 16) for digits in ids], dtype=np.uint64)
    place = np.minimum(np.searchsorted(kept[:, 0], new), len(kept) - 1)
    found = np.where(kept[place, 0] == new, kept[place, 1], new)
    return [f"{number:0{DIGITS}x}" for number in found.tolist()]


# ----------------------------------------------------------------------------------------------------
# Which key the ids of a folder of tables were made with: told from the key, which cannot be told from it.
#
# A build of real deposits leaves `key.json` beside its tables: a salt of its own, and the hash of the key (and of the
# ids that a rotation kept) under it. Before any work a command holds the key of today against it: with another key all
# ids would change, quietly, in tables that other tables, reviewed decisions and notes refer to. Tables handed to
# someone who is not to have the key go without the file: nothing is then compared.

MARK = "key.json"


def mark_of(key: Key, salt: str) -> str:
    """
    The hash of a key, and of what it keeps, under a salt.

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
        noted = json.loads(path.read_text(encoding="utf-8"))
        return str(noted["salt"]), str(noted["mark"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise KeyFileError(
            f"{path} cannot be read: it says which key the ids beside it were made with. If you know that the key is "
            "the one they were made with, delete the file; the next build writes it again."
        ) from None


def fits(key: Key, noted: tuple[str, str]) -> bool:
    """Whether ids marked so are those that the key gives: it made them, or a rotation kept them."""
    return mark_of(key, noted[0]) == noted[1] or noted[1] in key.covers


def check_key(derived: Path) -> None:
    """
    Refuse, before any work, tables whose ids are of another key than the study's.

    Raises
    ------
    KeyFileError
        The key is lost, or another one, or the ids that a rotation kept are gone from it.
    """
    noted = recorded(derived)
    if noted is None:
        return
    key = known_key()
    if key is not None and fits(key, noted):
        return
    given = ENVIRONMENT in os.environ
    if key is None:
        fault = f"The study's key is lost: {key_path()} is not there, and the tables in {derived} were made with one."
    else:
        where = f"in the environment variable {ENVIRONMENT}" if given else f"in {key_path()}"
        fault = f"The key {where} is not the one that the ids of the tables in {derived} were made with."
    raise KeyFileError(
        f"{fault} Restore its backup (one made since it was last rotated): copy it to {key_path()}"
        f"{f', and unset {ENVIRONMENT}' if given else ''}. "
        "If there is none, `trajectories build --new-key` makes the tables again with the key of today: all ids of "
        "persons and households change, and decisions reviewed or notes taken under the old ones no longer fit "
        "(what was published does: it holds no id)."
    )


def note_key(derived: Path, key: Key | None) -> None:
    """Write which key the ids of the tables were made with; None (the public key of the sample): nothing is noted."""
    path = Path(derived) / MARK
    if key is None:
        path.unlink(missing_ok=True)
        return
    try:
        noted = recorded(derived)
    except KeyFileError:
        noted = None
    if noted is not None and mark_of(key, noted[0]) == noted[1]:
        return
    salt = secrets.token_hex(16)
    with replaced(path) as scratch:
        scratch.write_text(json.dumps({"salt": salt, "mark": mark_of(key, salt)}) + "\n", encoding="utf-8")
