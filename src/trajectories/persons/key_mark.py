"""Which key the ids of a folder of tables were made with: told from the key, which cannot be told from it.

A build of real deposits leaves `key.json` beside its tables: a salt of its own, and the hash of the key (and of the ids
that a rotation kept) under it. Before any work a command holds the key of today against it: with another key all ids
would change, quietly, in tables that other tables, reviewed decisions and notes refer to. Tables handed to someone who
is not to have the key go without the file: nothing is then compared.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path

from ..exceptions import KeyFileError
from ..folders import replaced
from .pseudonyms import ENVIRONMENT, Key, key_path, known_key

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
