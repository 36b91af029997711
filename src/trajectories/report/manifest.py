"""The pages made, and from what: which are fresh, which failed, and why (`sensitive/manifest.json`, fingerprint.py)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..study import Study
from . import fingerprint as origins
from .addresses import page_name
from .worker import Job


class Manifest:
    """The pages made, and from what, by page; written after each, so that a run that is killed loses none."""

    def __init__(self, path: Path, shareable: Path):
        shareable.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.shareable = shareable
        self.pages = origins.read_manifest(path)
        self.failed = origins.read_failures(path)
        # taken before the run: a table that changes under it makes the page stale, not fresh
        self.seen: dict[str, dict[str, Any]] = {}

    def is_fresh(self, job: Job, shared: Mapping[str, Any] | None = None) -> bool:
        """Whether a page is there as it was made, from what it would be made from now."""
        origin = origin_of(job, shared)
        self.seen.setdefault(self._name(job), origin)
        known = self.pages.get(self._name(job))
        return bool(
            known
            and known.get("fingerprint") == origins.fingerprint(origin)
            and known.get("sha256") == origins.file_hash(job.page)
        )

    def forget(self, region: str, why: str) -> None:
        """The pages of a region were withheld."""
        gone = [name for name in self.pages if name.rpartition("/")[2] == page_name(region)]
        self.failed |= {name: {"message": why, "made_from": self.pages.pop(name)["made_from"]} for name in gone}
        origins.write_manifest(self.path, self.pages, self.failed)

    def note(self, job: Job, fault: str | None) -> None:
        """A page was made, or could not be: why."""
        name, origin = self._name(job), self.seen[self._name(job)]
        if fault:
            self.pages.pop(name, None)
            self.failed[name] = {"message": fault, "made_from": origin}
        else:
            self.failed.pop(name, None)
            self.pages[name] = {
                "sha256": origins.file_hash(job.page),
                "fingerprint": origins.fingerprint(origin),
                "made_from": origin,
            }
        origins.write_manifest(self.path, self.pages, self.failed)

    def _name(self, job: Job) -> str:
        return job.page.relative_to(self.shareable).as_posix()


def parameters_of(region: str, study: Study, language: str) -> dict[str, Any]:
    """What a report notebook is given, less where its tables are."""
    rules = dataclasses.asdict(study.disclosure)
    return {"region": region, "language": language, "rules": rules, "support": study.support}


def origin_of(job: Job, shared: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a page would be made from now (fingerprint.py)."""
    parameters = {name: value for name, value in job.parameters.items() if name != "tables"}
    return origins.made_from(Path(job.parameters["tables"]), job.notebook, parameters, shared)
