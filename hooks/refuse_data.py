"""Refuses to commit data, keys and notebooks with outputs. pre-commit gives the files; without any: all tracked ones.

Git never forgets: what was pushed once is read by everyone who clones. So it is stopped before the commit, and once
more by `make lint`, for whoever commits without the hook. It knows files by place, name and kind, and reads notebooks
and what could be a key; it does not look for names in text. Standard library only.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
# Folders of personal data: of each, only its page is kept.
PERSONAL = {"data": "data/README.md", "reports": "reports/README.md"}
# Files that may hold rows of persons: tables, databases, pickles, and what they are packed in.
DATA_KINDS = {
    ".csv", ".tsv", ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".json", ".jsonl", ".parquet", ".feather", ".arrow",
    ".orc", ".npy", ".npz", ".pkl", ".pickle", ".joblib", ".h5", ".hdf5", ".db", ".sqlite", ".sqlite3", ".duckdb",
    ".sav", ".dta", ".sas7bdat", ".rds", ".rdata", ".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst",
}  # fmt: skip
# Where such files are published reference, settings of the program, or synthetic.
ALLOWED = (
    "src/trajectories/places/reference/", "src/trajectories/analysis/portrait/world_regions.csv",
    "src/trajectories/linkage/model.json", "src/trajectories/report/templates/conf.json", "tests/golden/data/",
    "tests/functional/deposits/data/",
)  # fmt: skip
# The study's key and its copies (linkage/pseudonyms.py), by name or by what they hold: 64 hexadecimal digits first.
KEY_NAME = re.compile(r"(?i)(?:trajectories-)?key(?:-[0-9a-f]+)?|.*\.(?:key|pem|p12|pfx)|\.env(?:\..+)?")
KEY_LINE = re.compile(rb"\s*[0-9a-f]{64}\s*(?:\n|\Z)")


def faults(name: str, content: bytes) -> Iterator[str]:
    """
    What of a file may not be committed.

    Parameters
    ----------
    name : str
        From the root of the repository, with slashes.
    content : bytes

    Yields
    ------
    str
        A sentence each, without anything of the content.
    """
    path = PurePosixPath(name)
    if path.parts[0] in PERSONAL and name != PERSONAL[path.parts[0]]:
        yield f"is below {path.parts[0]}/, where personal data is."
    elif path.suffix.lower() in DATA_KINDS and not name.startswith(ALLOWED):
        yield "is a file of data. If it is nobody's, name its place in ALLOWED of hooks/refuse_data.py."
    if KEY_NAME.fullmatch(path.name) or KEY_LINE.match(content):
        yield "is, or is named like, a secret key."
    if path.suffix.lower() == ".ipynb":
        yield from _of_notebook(content)


def _of_notebook(content: bytes) -> Iterator[str]:
    try:
        notebook = json.loads(content)
        cells = notebook["cells"]
        if any(cell.get("outputs") or cell.get("execution_count") for cell in cells):
            yield "is a notebook with outputs: clear them (trajectories lab saves it without)."
        if any(cell.get("attachments") for cell in cells):
            yield "is a notebook with a picture pasted into its text: take it out."
        if notebook["metadata"].get("widgets"):
            yield "is a notebook with the state of widgets: take it out of its metadata."
    except (ValueError, KeyError, TypeError, AttributeError):
        yield "is no notebook of format 4: what it holds cannot be told."


def tracked() -> list[str]:
    """Every file of the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [name for name in listed.decode().split("\0") if name]


def refused(names: Iterable[str]) -> list[str]:
    """The sentences of all files; one that was removed says nothing."""
    return [
        f"{name} {fault}"
        for name in names
        if (ROOT / name).is_file()
        for fault in faults(PurePosixPath(name).as_posix(), (ROOT / name).read_bytes())
    ]


if __name__ == "__main__":
    found = refused(sys.argv[1:] or tracked())
    for sentence in found:
        print(sentence, file=sys.stderr)
    sys.exit(1 if found else 0)
