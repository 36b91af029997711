"""What stands around the pages, and what the search has cleared: whether any of it is to be done again.

Files for spreadsheets, method pages and indexes come from the same tables as the pages, and every shared file is
searched for what may not leave: seconds, each time, where nothing has changed. `sensitive/around.json` remembers, of
the last run in which the search found nothing, what all of it came from and the hash of every shared file. A file is
taken for searched only where it is that very file and where all that the search knows of (tables of the build, the
deposits themselves, code) is the same; one doubt, and it is searched again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..deposits.deposits import CROSSWALKS
from ..disclosure import Protected
from ..provenance import settings_of
from ..stamps import Stamp, file_hash, hashes_below
from ..study import Study
from . import origins
from .addresses import shared_folder
from .exports import FOLDER as DATA

STAMP = "around.json"
# Of a build, what the search reads.
SEARCHED_FOR = ("records", "quarantine", "issues")
# Persons as displayed → the class that a summary names.
CLASSES = ((50, "under 50"), (200, "50 to 199"), (1000, "200 to 999"))
LARGEST, NOT_TOLD = "1,000 or more", "not told"


def made_around_from(study: Study, tables: Path, notebooks: Path) -> dict[str, Any]:
    """Hashes of everything that the files around the pages come from, and that the search knows of."""
    raw, derived = study.paths.raw, study.paths.derived
    crosswalks = raw.absolute().parent / CROSSWALKS
    return {
        **origins.data_of(tables),
        "all_tables": {path.name: file_hash(path) for path in sorted(tables.glob("*.parquet"))},
        "build": {name: file_hash(derived / f"{name}.parquet") for name in SEARCHED_FOR},
        "deposits": hashes_below(raw), "crosswalks": hashes_below(crosswalks),
        "notebooks": {path.name: file_hash(path) for path in sorted(notebooks.glob("*_report.ipynb"))},
        "study": settings_of(study), "source": origins.whole_source(),
        "libraries": origins.libraries(origins.SHAPING_FILES),
    }  # fmt: skip


class Around:
    """What an earlier run left in a reports folder, if it was made from the same; nothing otherwise."""

    def __init__(self, out: Path, origin: Mapping[str, Any], *, ignore: bool = False):
        self.out, self.folder, self.origin = out, out / "shareable", origin
        self.stamp = Stamp(out / "sensitive" / STAMP, self.folder)
        self.kept = {} if ignore else self.stamp.read_if_of(origin)

    @property
    def persons(self) -> dict[str, str]:
        """Group → the class of its persons."""
        return self.kept.get("persons", {})

    def is_whole(self, pages: Mapping[str, Any], languages: Iterable[str]) -> bool:
        """Whether nothing is left to do: the same pages, the same files."""
        return self.kept.get("state") == _state(pages, languages) and self.kept["files"] == hashes_below(self.folder)

    def exports(self, language: str) -> list[str] | None:
        """The names of a language's files of data, where they are those that would be made; None where not."""
        here = shared_folder(self.out, language) / DATA
        below = f"{here.relative_to(self.folder).as_posix()}/"
        names = self.kept.get("exports", {}).get(language)
        known = {name: one for name, one in self.kept.get("files", {}).items() if name.startswith(below)}
        same = known == {f"{below}{name}": one for name, one in hashes_below(here).items()}
        return list(names) if names and same else None

    def clean(self) -> set[str]:
        """Files that were searched, byte for byte, for all that would be searched for now."""
        now, then = hashes_below(self.folder), self.kept.get("files", {})
        return {name for name in self.kept.get("searched", ()) if name in now and now[name] == then.get(name)}

    def note(
        self, before: Mapping[str, str | None], pages: Mapping[str, Any], languages: Iterable[str],
        exports: Mapping[str, list[str]], persons: Mapping[str, str],
    ) -> None:  # fmt: skip
        """Remember a run in which the search found nothing; `before`: the files as they were when it began."""
        now = hashes_below(self.folder)
        searched = sorted(name for name, one in before.items() if now.get(name) == one)
        state = _state(pages, languages)
        noted = {"state": state, "searched": searched, "exports": dict(exports), "persons": dict(persons)}
        self.stamp.write(self.origin, **noted)


def _state(pages: Mapping[str, Any], languages: Iterable[str]) -> dict[str, Any]:
    """What the indexes depend on beside the tables: which pages there are, and from what."""
    known = {name: page.get("fingerprint") for name, page in pages.items()}
    return {"pages": known, "languages": list(languages)}


def size_classes(counts: Protected) -> dict[str, str]:
    """
    Group → the class of the persons who settled there, from the number that is displayed.

    Examples
    --------
    >>> stays = {"group": ["05", "10"], "table": "stays", "key": "total", "persons": [493, 4], "households": [219, 3]}
    >>> from trajectories.disclosure import protect
    >>> size_classes(protect(pd.DataFrame(stays)))
    {'05': '200 to 999', '10': 'not told'}
    """
    stays = counts.frame[counts.frame["table"].eq("stays") & counts.frame["key"].eq("total")]
    found = {}
    for row in stays.itertuples():
        told = bool(row.shown) and pd.notna(row.persons_rounded)
        sizes = (name for limit, name in CLASSES if told and row.persons_rounded < limit)
        found[row.group] = next(sizes, LARGEST) if told else NOT_TOLD
    return found
