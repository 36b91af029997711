"""The facts of the run that a page prints: `run.json`, which the analysis writes beside its tables."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..exceptions import StaleTableError


@dataclass(frozen=True)
class Run:
    """The facts of the run that a page prints: `run.json`, checked."""

    perimeter: str
    scope: str
    pathway: str | None
    cutoff: dt.date
    follow_up_months: tuple[int, ...]
    horizons: tuple[int, ...]
    grace_days: int
    support: int
    replicates: int
    version: str
    synthetic: bool
    groups: Mapping[str, tuple[str, ...]]
    targets: Mapping[tuple[str, str], int]
    drawn_stays: int | None  # that comparisons and regressions rest on, where not on all of them (subsample.py)

    @property
    def settings(self) -> tuple[str | None, ...]:
        """What numbers are of: those of other settings are of other persons (disclosure/ledger.py)."""
        return self.perimeter, self.scope, self.pathway

    @classmethod
    def read(cls, folder: Path) -> Run:
        """
        Read `run.json`.

        Raises
        ------
        StaleTableError
            The file is missing or damaged, or lacks a fact.
        """
        path = Path(folder) / "run.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            known = {field.name: content[field.name] for field in dataclasses.fields(cls)}
        except FileNotFoundError:
            raise StaleTableError(f"{path} does not exist: run the analysis first (`trajectories report`).") from None
        except KeyError as error:
            raise StaleTableError(f"{path} lacks {error}: run the analysis again.") from None
        except (ValueError, TypeError):
            raise StaleTableError(f"{path} cannot be read: run the analysis again.") from None
        return cls(
            **{
                **known,
                "pathway": None if known["pathway"] in (None, "all") else known["pathway"],
                "cutoff": dt.date.fromisoformat(known["cutoff"]),
                "follow_up_months": tuple(known["follow_up_months"]),
                "horizons": tuple(known["horizons"]),
                "groups": {name: tuple(regions) for name, regions in known["groups"].items()},
                "targets": {(at, year): n for at, years in known["targets"].items() for year, n in years.items()},
            }
        )
