"""The pages made, and from what: which are fresh, which failed, and why (`sensitive/manifest.json`).

A page is made again when its tables, its notebook, the library's source or catalogues, its parameters, or a library
that shapes it have changed (report/run.py). The manifest names pages as they stand in `shareable/`; it holds no other
path, no time and no name of a machine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..folders import replaced
from ..report.addresses import page_name
from ..report.run import origin_of_page
from ..stamps import file_hash, fingerprint, opened, sealed
from ..study import Study
from .worker import Job

VERSION = 2


class Manifest:
    """The pages made, and from what, by page; written after each, so that a run that is killed loses none."""

    def __init__(self, path: Path, shareable: Path):
        shareable.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.shareable = shareable
        self.pages = read_manifest(path)
        self.failed = read_failures(path)
        # origins as the run begins: a table that changes meanwhile makes the page stale, not fresh
        self.seen: dict[str, dict[str, Any]] = {}

    def is_fresh(self, job: Job, shared: Mapping[str, Any] | None = None) -> bool:
        """Whether the page is unchanged since it was made, and its inputs too."""
        origin = origin_of(job, shared)
        self.seen.setdefault(self._name(job), origin)
        page = self.pages.get(self._name(job))
        return bool(
            page and page.get("fingerprint") == fingerprint(origin) and page.get("sha256") == file_hash(job.page)
        )

    def forget(self, region: str, why: str) -> None:
        """The pages of a region were withheld."""
        gone = [name for name in self.pages if name.rpartition("/")[2] == page_name(region)]
        self.failed |= {name: {"message": why, "made_from": self.pages.pop(name)["made_from"]} for name in gone}
        write_manifest(self.path, self.pages, self.failed)

    def note(self, job: Job, fault: str | None) -> None:
        """A page was made, or could not be: why."""
        name, origin = self._name(job), self.seen[self._name(job)]
        if fault:
            self.pages.pop(name, None)
            self.failed[name] = {"message": fault, "made_from": origin}
        else:
            self.failed.pop(name, None)
            self.pages[name] = {
                "sha256": file_hash(job.page),
                "fingerprint": fingerprint(origin),
                "made_from": origin,
            }
        write_manifest(self.path, self.pages, self.failed)

    def _name(self, job: Job) -> str:
        return job.page.relative_to(self.shareable).as_posix()


def parameters_of(region: str, study: Study, language: str) -> dict[str, Any]:
    """The parameters of a report notebook, without the folder of its tables."""
    rules = dataclasses.asdict(study.disclosure)
    return {"region": region, "language": language, "rules": rules, "support": study.support}


def origin_of(job: Job, shared: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Hashes of the inputs of a page as they are now (report/run.py)."""
    parameters = {name: value for name, value in job.parameters.items() if name != "tables"}
    return origin_of_page(Path(job.parameters["tables"]), job.notebook, parameters, shared)


def read_manifest(path: Path) -> dict[str, Any]:
    """The pages of earlier runs; none where the manifest is missing, damaged, or of another version."""
    return _part(path, "pages")


def read_failures(path: Path) -> dict[str, Any]:
    """The pages that could not be made, or were withheld: why (`message`), and `made_from`."""
    return _part(path, "failed")


def _part(path: Path, name: str) -> dict[str, Any]:
    try:
        content = opened(path.read_bytes())
    except FileNotFoundError:
        return {}
    return content.get(name, {}) if content and content.get("version") == VERSION else {}


def write_manifest(path: Path, pages: Mapping[str, Any], failed: Mapping[str, Any] | None = None) -> None:
    """Write the manifest, in one move."""
    content = {"version": VERSION, "pages": dict(pages), "failed": dict(failed or {})}
    with replaced(path) as scratch:
        scratch.write_text(sealed(content), encoding="utf-8")
