"""The settings of one run: a frozen value, read from study.toml and checked whole.

Every key of the file, its default and its meaning stand in `study.toml` at the root of the repository, which
is the documentation. Faults are collected and told all at once, each with the key it concerns.
"""

from __future__ import annotations

import copyreg
import datetime as dt
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .exceptions import StudyError
from .slug import slug

# The years that a date can be of, in a deposit and in a study.
FIRST_YEAR, LAST_YEAR = 1900, 2100
MOST_MONTHS = 600
PERIMETERS = ("RMR-2021", "RMR-2016", "CMM")
SCOPES = ("region", "any_region")
PATHWAYS = ("secondary", "primary", "onward", "return_stay")
REGION_CODES = tuple(f"{code:02d}" for code in range(1, 18))
# Names the study file for the notebooks that `trajectories lab` opens.
STUDY_VARIABLE = "TRAJECTORIES_STUDY"
# Wholly inside every metropolitan perimeter: nobody settles « en région » there (domain facts).
METROPOLITAN_REGIONS = ("06", "13")
# The smallest that the publication rules allow, whatever a study asks (disclosure/rules.py has the reasons).
SMALLEST_RULES = {
    "threshold": (5, "smaller counts would be of persons who can be recognised"),
    "households": (2, "one household alone would stand there"),
    "round": (5, "most counts would stay as they are"),
    "rate_denominator": (20, "one person would be worth more than five points"),
}


@dataclass(frozen=True)
class Paths:
    """Where deposits are read, tables kept and reports written."""

    raw: Path = Path("data/raw")
    derived: Path = Path("data/derived")
    reports: Path = Path("reports")


@dataclass(frozen=True)
class Disclosure:
    """The publication rules of the study (persons, households, rounding base, smallest denominator)."""

    threshold: int = 10
    households: int = 5
    round: int = 5
    rate_denominator: int = 30

    def faults(self) -> list[str]:
        """
        What of these would switch a rule off, a sentence each.

        Examples
        --------
        >>> Disclosure(threshold=4, round=4).faults()[0]
        'threshold is 4: it must be 5 or more (smaller counts would be of persons who can be recognised).'
        """
        found = [
            f"{name} is {getattr(self, name)}: it must be {least} or more ({why})."
            for name, (least, why) in SMALLEST_RULES.items()
            if not getattr(self, name) >= least
        ]
        if not found and self.threshold % self.round:
            found = [
                f"round is {self.round} and does not divide threshold ({self.threshold}): a count that may be shown "
                "would be rounded to one that may not."
            ]
        return found


@dataclass(frozen=True)
class Study:
    """
    The frozen settings of one run.

    Attributes
    ----------
    cutoff : date or None
        Last day of observation; None: the end of the last quarter deposited.
    perimeter, scope : str
        Which metropolitan territory is meant; retention in the region or anywhere en région.
    pathway : str or None
        Keep the stays of one pathway only; None: all of them.
    paths : Paths
        Where deposits are read, tables kept and reports written.
    grace_days : int
        How long after a reported establishment a repeated old address is no news.
    horizons, follow_up_months : tuple of int
        Months since establishment: where retention is told; when partners are to call.
    match_threshold : float
        Probability from which two files are of one person.
    linkage_model : Path or None
        A model that `trajectories train` made; None: the one that is shipped.
    support : int
        Persons needed at a horizon for it to be estimated.
    replicates, draws, seed : int
        Of the household bootstrap; of what is not known of a stay; of both.
    disclosure : Disclosure
        The publication rules.
    groups : mapping of str to tuple of str
        Names, and the regions that each is made of.
    targets : mapping of (str, str) to int
        Region and fiscal year → households to settle.
    max_rows_per_sheet : int
        A longer sheet is refused.
    exclusions : Path
        The file of persons to leave out by request.

    Examples
    --------
    >>> Study().perimeter
    'RMR-2021'
    >>> Study.from_mapping({"scope": "ville"})
    Traceback (most recent call last):
    trajectories.exceptions.StudyError: study.toml: 1 fault(s) to correct:
      - scope: 'ville' is not one of region, any_region.
    """

    cutoff: dt.date | None = None
    perimeter: str = "RMR-2021"
    scope: str = "region"
    pathway: str | None = None
    paths: Paths = field(default_factory=Paths)
    grace_days: int = 183
    follow_up_months: tuple[int, ...] = (3, 6, 12, 24)
    match_threshold: float = 0.95
    linkage_model: Path | None = None
    horizons: tuple[int, ...] = (3, 6, 12, 24, 36, 60)
    support: int = 20
    replicates: int = 500
    draws: int = 20
    seed: int = 1
    disclosure: Disclosure = field(default_factory=Disclosure)
    groups: MappingProxyType = field(default_factory=lambda: MappingProxyType({}))
    targets: MappingProxyType = field(default_factory=lambda: MappingProxyType({}))
    max_rows_per_sheet: int = 2_000_000
    exclusions: Path = Path("data/exclusions.csv")

    def __post_init__(self) -> None:
        # a study that is made in Python, too, is of a cohort that exists: with another word nobody would be counted
        checker = _Checker({"perimeter": self.perimeter, "scope": self.scope, "pathway": self.pathway or "all"})
        for name, known in (("perimeter", PERIMETERS), ("scope", SCOPES), ("pathway", (*PATHWAYS, "all"))):
            checker.choice(name, known, known[0])
        if checker.faults:
            raise StudyError("Study", checker.faults)

    @classmethod
    def read(cls, path: str | Path = "study.toml") -> Study:
        """
        Read and check a study file.

        Relative folders are taken from the folder of the file, so that a run gives the same result wherever
        it is started from.

        Raises
        ------
        StudyError
            The file is missing, is no TOML, or holds faults: all of them in one error.
        """
        path = Path(path)
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StudyError(str(path), ["the file does not exist: create it, or name another with --study."]) from None
        except UnicodeDecodeError:
            raise StudyError(str(path), ["the file is not UTF-8 text: save it again as UTF-8."]) from None
        except OSError as error:
            raise StudyError(str(path), [f"it cannot be read ({error.strerror}): name another with --study."]) from None
        except tomllib.TOMLDecodeError as error:
            raise StudyError(str(path), [f"this is not TOML: {error}."]) from None
        return cls.from_mapping(content, source=str(path), folder=path.resolve().parent)

    @classmethod
    def from_mapping(cls, content: dict[str, Any], *, source: str = "study.toml", folder: Path | None = None) -> Study:
        """Check a mapping with the keys of study.toml; `folder` is what relative paths are taken from."""
        checker = _Checker(content)
        base = folder or Path()
        defaults = cls()
        paths = checker.section("paths", ("raw", "derived", "reports"))
        rules = checker.section("disclosure", ("threshold", "households", "round", "rate_denominator"))
        values = {
            "cutoff": checker.date("cutoff"),
            "perimeter": checker.choice("perimeter", PERIMETERS, defaults.perimeter),
            "scope": checker.choice("scope", SCOPES, defaults.scope),
            "pathway": checker.choice("pathway", (*PATHWAYS, "all"), "all"),
            "paths": Paths(
                **{
                    key: base / paths.text(key, str(getattr(defaults.paths, key)))
                    for key in ("raw", "derived", "reports")
                }
            ),
            "grace_days": checker.integer("grace_days", defaults.grace_days, 0, 3660),
            "follow_up_months": checker.months("follow_up_months", defaults.follow_up_months),
            "match_threshold": checker.number("match_threshold", defaults.match_threshold, 0.5, 1.0),
            "linkage_model": base / checker.text("linkage_model", "") if "linkage_model" in content else None,
            "horizons": checker.months("horizons", defaults.horizons),
            "support": checker.integer("support", defaults.support, 1, 1_000_000),
            "replicates": checker.integer("replicates", defaults.replicates, 0, 100_000),
            "draws": checker.integer("draws", defaults.draws, 1, 10_000),
            "seed": checker.integer("seed", defaults.seed, 0, 2**63 - 1),
            "disclosure": Disclosure(
                **{name: rules.integer(name, value, -(10**6), 10**6) for name, value in vars(Disclosure()).items()}
            ),
            "groups": checker.groups("groups"),
            "targets": checker.targets("targets"),
            "max_rows_per_sheet": checker.integer("max_rows_per_sheet", defaults.max_rows_per_sheet, 1, 100_000_000),
            "exclusions": base / checker.text("exclusions", str(defaults.exclusions)),
        }
        if values["pathway"] == "all":
            values["pathway"] = None
        rules.faults += [f"disclosure.{fault}" for fault in values["disclosure"].faults()]
        faults = checker.unknown_keys(set(values)) + checker.faults + paths.faults + rules.faults
        if faults:
            raise StudyError(source, faults)
        return cls(**values)

    def with_folders(self, *, raw=None, derived=None, reports=None) -> Study:
        """The same study with other folders: what the command line says wins over the file."""
        given = {"raw": raw, "derived": derived, "reports": reports}
        return replace(self, paths=replace(self.paths, **{k: Path(v) for k, v in given.items() if v is not None}))

    def with_cohort(
        self, *, perimeter: str | None = None, scope: str | None = None, pathway: str | None = None
    ) -> Study:
        """The same study for another perimeter, scope or pathway (« all »: none is left out); all faults at once."""
        asked = {"perimeter": perimeter, "scope": scope, "pathway": pathway}
        checker = _Checker({key: value for key, value in asked.items() if value is not None}, prefix="--")
        found = {
            "perimeter": checker.choice("perimeter", PERIMETERS, self.perimeter),
            "scope": checker.choice("scope", SCOPES, self.scope),
            "pathway": checker.choice("pathway", (*PATHWAYS, "all"), self.pathway or "all"),
        }
        if checker.faults:
            raise StudyError("The command line", checker.faults)
        return replace(self, **{**found, "pathway": None if found["pathway"] == "all" else found["pathway"]})


class _Checker:
    """Takes values out of a mapping and notes each fault as a sentence that names the key."""

    def __init__(self, content: dict[str, Any], prefix: str = ""):
        self.content = content
        self.prefix = prefix
        self.faults: list[str] = []

    def fault(self, key: str, sentence: str) -> None:
        self.faults.append(f"{self.prefix}{key}: {sentence}")

    def section(self, key: str, known: tuple[str, ...]) -> _Checker:
        content = self.content.get(key, {})
        if not isinstance(content, dict):
            self.fault(key, f"must be a section [{key}] with the keys {', '.join(known)}.")
            content = {}
        inner = _Checker(content, prefix=f"{key}.")
        inner.faults = inner.unknown_keys(set(known))
        return inner

    def unknown_keys(self, known: set[str]) -> list[str]:
        return [
            f"{self.prefix}{key}: no such setting; the settings are {', '.join(sorted(known))}."
            for key in self.content
            if key not in known
        ]

    def choice(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.content.get(key, default)
        if value not in allowed:
            self.fault(key, f"{value!r} is not one of {', '.join(allowed)}.")
            return default
        return value

    def text(self, key: str, default: str) -> str:
        value = self.content.get(key, default)
        if not isinstance(value, str) or not value.strip():
            self.fault(key, f"{value!r} must be a path between quotes.")
            return default
        return value

    def integer(self, key: str, default: int, lowest: int, highest: int) -> int:
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(key, f"{value!r} must be a whole number.")
            return default
        if not lowest <= value <= highest:
            self.fault(key, f"{value} must lie between {lowest} and {highest}.")
            return default
        return value

    def number(self, key: str, default: float, lowest: float, highest: float) -> float:
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fault(key, f"{value!r} must be a number.")
            return default
        if not lowest <= value <= highest:
            self.fault(key, f"{value} must lie between {lowest} and {highest}.")
            return default
        return float(value)

    def date(self, key: str) -> dt.date | None:
        value = self.content.get(key)
        if value is None:
            return None
        if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
            self.fault(key, f"{value!r} must be a date without quotes, such as 2025-12-31.")
            return None
        if not FIRST_YEAR <= value.year <= LAST_YEAR:
            self.fault(key, f"{value} must lie between {FIRST_YEAR} and {LAST_YEAR}.")
            return None
        return value

    def months(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        value = self.content.get(key, list(default))
        whole = isinstance(value, list) and all(
            isinstance(v, int) and not isinstance(v, bool) and 0 < v <= MOST_MONTHS for v in value
        )
        if not whole or not value or sorted(set(value)) != value:
            self.fault(
                key,
                f"{value!r} must be a list of whole months from 1 to {MOST_MONTHS}, in growing order, such as "
                f"{list(default)}.",
            )
            return default
        return tuple(value)

    def groups(self, key: str) -> MappingProxyType:
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            self.fault(key, 'must be a section of names and region codes, such as "Est" = ["01", "11"].')
            return MappingProxyType({})
        pages = dict.fromkeys((*REGION_CODES, "province"), "there is a page of that name already")
        for name, regions in value.items():
            if slug(name) in pages or not name.strip():
                self.fault(f"{key}.{name}", f"{pages.get(slug(name), 'a group needs a name')}; choose another name.")
            pages[slug(name)] = f"its page would be that of {name!r}"
            if not isinstance(regions, list) or not regions or any(r not in REGION_CODES for r in regions):
                self.fault(f"{key}.{name}", f"{regions!r} must be a list of two-digit region codes between quotes.")
        return MappingProxyType({name: tuple(regions) for name, regions in value.items() if isinstance(regions, list)})

    def targets(self, key: str) -> MappingProxyType:
        value = self.content.get(key, {})
        found = {}
        if not isinstance(value, dict):
            self.fault(key, 'must be sections [targets."05"] with lines such as "2021-2022" = 120.')
            return MappingProxyType({})
        for region, years in value.items():
            if region not in REGION_CODES or not isinstance(years, dict):
                self.fault(f"{key}.{region}", "must be a section named after a two-digit region code.")
                continue
            for year, households in years.items():
                if isinstance(households, bool) or not isinstance(households, int) or households < 0:
                    self.fault(f"{key}.{region}.{year}", f"{households!r} must be a whole number of households.")
                else:
                    found[region, year] = households
        return MappingProxyType(found)


def _read_only(mapping: dict) -> MappingProxyType:
    return MappingProxyType(mapping)


# settings and crosswalks are read-only mappings, which pickle does not know: other processes are given them
copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))
