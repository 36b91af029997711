"""The settings of one run: a frozen value, read from study.toml and checked whole.

Every key of the file, its default and its meaning stand in `study.toml` at the root of the repository, which
is the documentation. All faults are told in one error, a sentence each that names the key, for a file and for
`Study(...)` in Python. The checks are our own: with pydantic, `import trajectories` takes half as long again as pandas.
"""

from __future__ import annotations

import copyreg
import datetime as dt
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .exceptions import StudyError
from .folders import slug

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
# What a setting may be: one of these words, or a whole number from the first to the second.
_WORDS = {"perimeter": PERIMETERS, "scope": SCOPES, "pathway": (*PATHWAYS, "all")}
_LIMITS = {
    "grace_days": (0, 3660),
    "support": (1, 1_000_000),
    "replicates": (0, 100_000),
    "draws": (1, 10_000),
    "seed": (0, 2**63 - 1),
    "max_rows_per_sheet": (1, 100_000_000),
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
        The settings that would switch a rule off, a sentence each.

        Examples
        --------
        >>> Disclosure(threshold=4, round=4).faults()[0]
        'threshold is 4: it must be 5 or more (smaller counts would be of persons who can be recognised).'
        """
        faults = [
            f"{name} is {getattr(self, name)}: it must be {least} or more ({why})."
            for name, (least, why) in SMALLEST_RULES.items()
            if not getattr(self, name) >= least
        ]
        if not faults and self.threshold % self.round:
            faults = [
                f"round is {self.round} and does not divide threshold ({self.threshold}): a count that may be shown "
                "would be rounded to one that may not."
            ]
        return faults


@dataclass(frozen=True)
class Leads:
    """From which share unanswered on a gap is a lead by itself (analysis/services/leads.py)."""

    line: float = 0.5


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
    leads : Leads
        The line past which a gap is a lead by itself.
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
      - scope is 'ville': it must be one of region, any_region.
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
    leads: Leads = field(default_factory=Leads)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    targets: Mapping[tuple[str, str], int] = field(default_factory=dict, hash=False)
    max_rows_per_sheet: int = 2_000_000
    exclusions: Path = Path("data/exclusions.csv")

    def __post_init__(self) -> None:
        for name, value in _checked(vars(self), "Study").items():
            object.__setattr__(self, name, value)

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
        study, base = cls(**_checked(content, source)), folder or Path()
        return replace(
            study,
            paths=Paths(*(base / path for path in astuple(study.paths))),
            linkage_model=study.linkage_model and base / study.linkage_model,
            exclusions=base / study.exclusions,
        )

    def with_folders(
        self, *, raw: str | Path | None = None, derived: str | Path | None = None, reports: str | Path | None = None
    ) -> Study:
        """The same study with other folders: what the command line says wins over the file."""
        folders = {"raw": raw, "derived": derived, "reports": reports}
        return replace(self, paths=replace(self.paths, **{k: Path(v) for k, v in folders.items() if v is not None}))

    def with_cohort(
        self, *, perimeter: str | None = None, scope: str | None = None, pathway: str | None = None
    ) -> Study:
        """The same study for another perimeter, scope or pathway (« all »: none is left out); all faults at once."""
        settings = {"perimeter": perimeter, "scope": scope, "pathway": pathway}
        changes = {key: value for key, value in settings.items() if value is not None}
        return replace(self, **_checked(changes, "The command line", prefix="--"))


def _checked(settings: Mapping[str, Any], source: str, prefix: str = "") -> dict[str, Any]:
    """Settings of a study as it keeps them, or all their faults as one error."""
    faults: list[str] = []
    checked = _settings(Study, settings, faults)
    if faults:
        raise StudyError(source, [f"{prefix}{fault}" for fault in faults])
    return checked


def _settings(kind: type, settings: Any, faults: list[str], prefix: str = "") -> dict[str, Any]:
    """The valid settings, as the study stores them; for each other one a sentence is added to `faults`."""
    known, sound = [setting.name for setting in fields(kind)], {}
    for name, value in (vars(settings) if is_dataclass(settings) else settings).items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            faults.append(f"{prefix}{name}: no such setting{meant}; the settings are {', '.join(sorted(known))}.")
        elif name in _SECTIONS and isinstance(value, (Mapping, _OWN.get(name, Mapping))):
            sound[name] = _SECTIONS[name](value, faults)
        elif name in _SECTIONS:
            faults.append(f"{name} is {value!r}: it must be a section [{name}], as in the study.toml of the project.")
        else:
            try:
                sound[name] = _value(name, value)
            except ValueError as fault:
                faults.append(f"{prefix}{name} is {value!r}: it must be {fault}.")
    return sound


def _value(name: str, value: Any) -> Any:  # noqa: C901  # a case a kind of setting
    """The value of a setting as it is kept; a ValueError says what it must be."""
    if value is None and name in ("cutoff", "pathway", "linkage_model"):
        return None
    if name == "cutoff":
        if type(value) is not dt.date or not FIRST_YEAR <= value.year <= LAST_YEAR:
            raise ValueError(f"a date without quotes from {FIRST_YEAR} to {LAST_YEAR}, such as 2025-12-31")
        return value
    if name in _WORDS:
        if value not in _WORDS[name]:
            raise ValueError(f"one of {', '.join(_WORDS[name])}")
        return None if value == "all" else value
    if name in ("horizons", "follow_up_months"):
        months = list(value) if isinstance(value, (list, tuple)) else []
        valid = all(_is_whole(month) and 0 < month <= MOST_MONTHS for month in months)
        if not months or not valid or months != sorted(set(months)):
            raise ValueError(f"a list of whole months from 1 to {MOST_MONTHS}, in growing order, such as [3, 6, 12]")
        return tuple(months)
    if name == "match_threshold":
        if not isinstance(value, Real) or isinstance(value, bool) or not 0.5 <= float(value) <= 1:
            raise ValueError("a number from 0.5 to 1")
        return float(value)
    if name == "line":
        if not isinstance(value, Real) or isinstance(value, bool) or not 0 < float(value) < 1:
            raise ValueError("a number between 0 and 1")
        return float(value)
    if name in _LIMITS or name in SMALLEST_RULES:
        # how small a publication rule may be is said by Disclosure.faults
        lowest, highest = _LIMITS.get(name, (-1_000_000, 1_000_000))
        if not _is_whole(value) or not lowest <= value <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(value)
    if not isinstance(value, (str, Path)) or not str(value).strip():
        raise ValueError("a path between quotes")
    return Path(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _paths(section: Any, faults: list[str]) -> Paths:
    return Paths(**_settings(Paths, section, faults, "paths."))


def _rules(section: Any, faults: list[str]) -> Disclosure:
    rules = Disclosure(**_settings(Disclosure, section, faults, "disclosure."))
    # an example in Python may ask for looser rules, a file may not: nothing is published by them (disclosure/rules.py)
    if not isinstance(section, Disclosure):
        faults += [f"disclosure.{fault}" for fault in rules.faults()]
    return rules


def _leads(section: Any, faults: list[str]) -> Leads:
    return Leads(**_settings(Leads, section, faults, "leads."))


def _groups(section: Mapping, faults: list[str]) -> Mapping[str, tuple[str, ...]]:
    groups, pages = {}, dict.fromkeys((*REGION_CODES, "province"), "there is a page of that name already")
    for name, regions in section.items():
        if slug(name) in pages or not name.strip():
            faults.append(f"groups.{name}: {pages.get(slug(name), 'a group needs a name')}; choose another name.")
        pages[slug(name)] = f"its page would be that of {name!r}"
        if not isinstance(regions, (list, tuple)) or not regions or any(code not in REGION_CODES for code in regions):
            faults.append(f"groups.{name} is {regions!r}: it must be a list of two-digit region codes between quotes.")
        else:
            groups[name] = tuple(regions)
    return MappingProxyType(groups)


def _targets(section: Mapping, faults: list[str]) -> Mapping[tuple[str, str], int]:
    targets = {}
    for region, years in section.items():
        if isinstance(region, tuple):  # as they are kept: {("05", "2021-2022"): 120}
            region, years = region[0], {region[-1]: years}
        if region not in REGION_CODES or not isinstance(years, Mapping):
            faults.append(f"targets.{region} is {years!r}: it must be a section named after a two-digit region code.")
            continue
        for year, households in years.items():
            if not _is_whole(households) or households < 0:
                faults.append(f"targets.{region}.{year} is {households!r}: it must be a whole number of households.")
            targets[region, year] = households
    return MappingProxyType(targets)


_SECTIONS: dict[str, Callable[[Any, list[str]], object]] = {
    "paths": _paths,
    "disclosure": _rules,
    "leads": _leads,
    "groups": _groups,
    "targets": _targets,
}
# The class that stores a section, which is accepted beside a mapping.
_OWN: dict[str, type] = {"paths": Paths, "disclosure": Disclosure, "leads": Leads}


def _read_only(mapping: dict) -> MappingProxyType:
    return MappingProxyType(mapping)


# read-only mappings (settings, crosswalks) go to other processes, and pickle does not know them
copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))
