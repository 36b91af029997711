"""Whether the tables of a build are those that would be built now (`build.json`, beside them)."""

from __future__ import annotations

import hashlib
import hmac
import importlib.metadata
import os
from typing import Any

from .deposits.deposits import CROSSWALKS
from .deposits.rules import CANNOT_OPEN
from .fingerprint import file_hash, hashes_below
from .persons.pseudonyms import ENVIRONMENT, SAMPLE_KEY, key_path, secret_key
from .persons.review import FILE as REVIEW
from .pipeline import Built, review_folder
from .provenance import BUILT as STAMP
from .provenance import LIBRARIES, is_made, linkage_model, read_stamp, rooms, settings_of, stamp
from .study import Study
from .synthetic import is_synthetic

# Beside what computes estimates, what reads deposits and links.
MORE_LIBRARIES = ("duckdb", "openpyxl", "python-calamine")


def built_from(study: Study) -> dict[str, Any]:
    """All that the tables of a build depend on: deposits, key, decisions, exclusions, settings, model, code."""
    raw = study.paths.raw
    return {
        "deposits": hashes_below(raw),
        "crosswalks": hashes_below(raw.absolute().parent / CROSSWALKS),
        "exclusions": file_hash(study.exclusions),
        "review": file_hash(review_folder(study) / REVIEW),
        "key": _trace_of_key(study),
        "study": settings_of(study),
        "model": linkage_model(study).to_json(),
        "source": rooms(),
        "libraries": {name: importlib.metadata.version(name) for name in (*LIBRARIES, *MORE_LIBRARIES)},
    }


def is_built(study: Study) -> bool:
    """Whether a build would give the tables that are there, each as it was written."""
    return is_made(study.paths.derived, built_from(study), STAMP)


def note_built(study: Study, origin: dict[str, Any], built: Built) -> None:
    """
    Remember what the tables were built from: `origin`, as it was before the build began.

    The clerical review is read and written by the build: it is as it is now. So is the key, which a first build makes.
    A deposit that could not be opened when it was read, though it could when its hash was taken, is to be tried again.
    """
    refused = built.deposits.files["message"].str.startswith(CANNOT_OPEN.partition("{")[0], na=False)
    closed = dict.fromkeys(built.deposits.files.loc[refused, "file"])
    now = {
        "deposits": {**origin["deposits"], **closed},
        "review": file_hash(review_folder(study) / REVIEW),
        "key": _trace_of_key(study),
    }
    written = sorted(path.name for path in study.paths.derived.glob("*.parquet"))
    told = {
        "n_excluded": built.n_excluded,
        "idle_lines": list(built.idle_lines),
        "n_waiting": built.n_waiting,
        "weights": built.weights,
    }
    stamp(study.paths.derived, {**origin, **now}, written, STAMP, **told)


def asked_of_build(study: Study) -> tuple[int, list[int], int, str]:
    """
    What became of what people asked of the build.

    The accepted rows that it left out by request, the lines of the requests that name nobody, the reviewed pairs of
    files that are not there today, and by which weights who is who was decided.
    """
    noted = read_stamp(study.paths.derived, STAMP) or {}
    return noted.get("n_excluded", 0), noted.get("idle_lines", []), noted.get("n_waiting", 0), noted.get("weights", "")


def _trace_of_key(study: Study) -> str | None:
    """What two runs with one key share, and nobody can go back from; None where there is no key yet."""
    if is_synthetic(study.paths.raw):
        secret = SAMPLE_KEY
    elif os.environ.get(ENVIRONMENT) is None and not key_path().exists():
        return None  # not made here
    else:
        secret = secret_key().secret
    return hmac.new(secret, b"trajectories build", hashlib.sha256).hexdigest()
