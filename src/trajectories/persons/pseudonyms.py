"""Keyed pseudonyms: HMAC-SHA256 with a secret that never enters the repository.

A bare hash of a name and a birth date can be undone by trying all names; with a secret key it cannot. The key is
made on first use and kept in the user's configuration folder (0600), or comes from the environment. The synthetic
sample has a fixed public key, so that its ids are the same everywhere: they protect nobody, since nobody is real.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from ..exceptions import KeyFileError

SAMPLE_KEY = b"trajectories: public key of the synthetic sample"
ENVIRONMENT = "TRAJECTORIES_KEY"
# 64 bits: at a million persons the chance that any two share an id is 3e-8.
DIGITS = 16
SHORTEST_KEY = 16


def key_path() -> Path:
    """Where the study's secret key is kept."""
    return Path("~/.config/trajectories/key").expanduser()


def secret_key() -> bytes:
    """
    The study's secret key: `TRAJECTORIES_KEY`, else the key file, made on first use.

    Raises
    ------
    KeyFileError
        The key is too short, or its file cannot be read or made.
    """
    given = os.environ.get(ENVIRONMENT)
    if given is not None:
        return _long_enough(given.strip(), f"the environment variable {ENVIRONMENT}")
    path = key_path()
    try:
        if path.exists():
            return _long_enough(path.read_text(encoding="ascii").strip(), str(path))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = secrets.token_hex(32)
        # exclusive, and closed to others from its first byte
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(key + "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(
            f"The study's key {path} cannot be read or made ({type(error).__name__}): "
            f"restore it from its backup, or give the key in {ENVIRONMENT}."
        ) from None
    return key.encode()


def _long_enough(key: str, source: str) -> bytes:
    if len(key) < SHORTEST_KEY:
        raise KeyFileError(
            f"The study's key in {source} is shorter than {SHORTEST_KEY} characters: give the whole key."
        )
    return key.encode()


def pseudonymise(identities: Iterable[str], key: bytes, prefix: str) -> list[str]:
    """
    Ids for identities: the prefix and 16 hexadecimal digits.

    Examples
    --------
    >>> pseudonymise(["EER01/12"], SAMPLE_KEY, "P") == pseudonymise(["EER01/12"], SAMPLE_KEY, "P")
    True
    """
    return [prefix + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:DIGITS] for text in identities]
