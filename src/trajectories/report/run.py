"""A run as pages read it: its facts, its protected tables (kept for all processes), and what they come from."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import json
import platform
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..disclosure import Protected, protect, protected_counts
from ..disclosure.beside_counts import (
    delays_beside_counts,
    services_beside_counts,
    stock_beside_counts,
    types_beside_counts,
)
from ..disclosure.ledger import CELLS, NOTE, beside_published, read_ledger, without_kept
from ..disclosure.ledger import FOLDER as LEDGER
from ..exceptions import StaleTableError
from ..folders import private_folder
from ..provenance import versions
from ..retention import BOUNDS, GAP
from ..stamps import PACKAGE, Stamp, file_hash, source_hash
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE


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
    drawn_stays: int | None  # that comparisons and regressions rest on, where not on all of them (stays/subsample.py)

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


# ----------------------------------------------------------------------------------------------------
# The door of the room: every table of an analysis, protected, each whole.
#
# A hidden cell of one region must not be found by subtracting the others: each table passes through
# `trajectories.disclosure.protect` with all its groups, and a page takes its own rows afterwards (inputs.py).

NEEDED = {
    "retention": (
        "group", "horizon", "method", "estimate", "se", "lower", "upper", "n_start", "n_at_risk", "n_confirmed",
        "known", "range_lower", "range_upper", "reporting",
    ),
    "exits": ("group", "horizon", "cause", "estimate", "lower", "upper", "n_start", "n_at_risk"),
    "curves": ("group", "month", "survival", "lower", "upper", "n_risk", "known"),
    "checks": ("group", "check", "value"),
    "counts": ("group", "table", "key", "persons", "households"),
    "sensitivity": ("group", "setting", "threshold", "horizon", "estimate", "n_start", "n_at_risk"),
}  # fmt: skip
# The numbers of a model, which are those of nobody: what each level of agreement weighs (linkage.match_weights).
MODEL = {"weights": ("trait", "level", "weight", "relative_weight")}
# What a page shows where the analysis made it (typology and models need enough persons): name here → its file.
MORE = {
    "types": "typology_types", "states": "typology_states", "paths": "typology_sequences", "funnel": "funnel",
    "odds": "odds", "panel": "panel", "coefficients": "coefficients", "comparison": "comparison", "drawn": "shrunken",
    "delays": "delay_curves", "stock": "stock", "restricted_time": "restricted_time",
    "moves_per_person": "moves_per_person", "occupation": "occupation", "settled": "settled", "leads": "leads",
    "served": "associations", "periods": "periods",
    **{f"service_{name}": f"service_{name}" for name in (
        "reach", "delay", "transfer", "funnel", "needs", "reasons", "follow_up",
    )},
}  # fmt: skip
# What is compared by the place itself: its rates are told in another table.
PLACES = ("region", "groups")
# What `all_protected` returns.
AllProtected = tuple[dict[str, Protected], dict[str, Protected], set[str]]
FILES = (*(f"{name}.parquet" for name in (*NEEDED, *MODEL, *MORE.values(), "fits")), "run.json")


def protect_tables(folder: Path, rules: Disclosure, support: int) -> AllProtected:
    """The tables of `NEEDED`, of `MORE`, and the groups whose services contradict the estimate."""
    run = Run.read(folder)
    raw = {name: read_table(folder, name) for name in NEEDED}
    raw["curves"] = _bounds_where_supported(raw["curves"], raw["retention"])
    told: dict[str, Any] = {"rules": rules, "support": support, "groups": run.groups}
    kept = {name: protect(frame, **told) for name, frame in raw.items() if name != "counts"}
    kept["counts"] = protected_counts(raw["counts"], **told)
    kept |= _beside_published(kept, folder, run, rules)
    apart = _services_apart(raw["retention"], kept["retention"].frame)
    more = {"counts": kept["counts"], "curves": kept["curves"], **_more(folder, told, raw, kept)}
    kept, more = (_without_kept(every, kept["retention"], rules) for every in (kept, more))
    return kept, more, apart


def _beside_published(
    kept: Mapping[str, Protected], folder: Path, run: Run, rules: Disclosure
) -> dict[str, Protected]:  # fmt: skip
    """The tables of the ledger (disclosure/ledger.py) beside what was published before of this folder of reports."""
    ledger = read_ledger(folder.parent / LEDGER)
    frames = {name: kept[name].frame for name in CELLS}
    if not ledger:
        return {}
    found = beside_published(frames, ledger, run.settings, rules)
    return {name: Protected(kept[name].kind, frame, rules) for name, frame in found.items()}


def _without_kept(tables: Mapping[str, Protected], rates: Protected, rules: Disclosure) -> dict[str, Protected]:
    return {
        name: Protected(table.kind, without_kept(name, table.frame, rates.frame), rules)
        for name, table in tables.items()
    }  # fmt: skip


def _bounds_where_supported(curves: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """The curves, their bounds up to the last horizon at which the table of rates has both."""
    both = rates[rates["method"].isin(BOUNDS) & rates["estimate"].notna()].groupby(["group", "horizon"]).size()
    last = both[both == len(BOUNDS)].reset_index().groupby("group")["horizon"].max()
    beyond = ~(curves["month"] <= curves["group"].map(last))
    return curves.assign(**{name: curves[name].mask(beyond) for name in ("lost_left", "lost_stayed") if name in curves})


def _services_apart(raw: pd.DataFrame, told: pd.DataFrame) -> set[str]:
    """The groups where, at a horizon whose rate is told, the companion with services is far from the estimate."""
    keys = ["group", "horizon"]
    main = raw[raw["method"].eq("main")].merge(told.loc[told["method"].eq("main") & told["shown"], keys], on=keys)
    beside = main.merge(raw.loc[raw["method"].eq("with_services"), [*keys, "estimate"]], on=keys, suffixes=("", "_s"))
    far = (beside["estimate"] - beside["estimate_s"]).abs() > GAP * beside["se"]
    return set(beside.loc[far & (beside["se"] > 0), "group"])


def _more(
    folder: Path, told: Mapping[str, Any], raw: Mapping[str, pd.DataFrame], kept: Mapping[str, Protected]
) -> dict[str, Protected]:
    """The tables of `MORE` that the analysis made, protected: what protection needs to know beside comes first."""
    main, told_rates = (rates[rates["method"].eq("main")] for rates in (raw["retention"], kept["retention"].frame))
    ready: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "coefficients": lambda frame: _with_model(frame, read_table(folder, "fits")),
        "served": as_coefficients,
        "comparison": lambda frame: _where_rates_are_told(frame, kept["retention"]),
        "periods": lambda frame: _with_rate(frame, told_rates[["group", "horizon", "estimate"]]),
        # of groups of regions no stock is told (disclosure/counts.py, rule 3)
        "stock": lambda frame: frame[frame["group"].isin([PROVINCE, *REGION_CODES])],
        # the course of stays is told where the rate of the same month is
        "restricted_time": lambda frame: _with_rate(frame, main[["group", "horizon", "estimate"]]),
        "occupation": lambda frame: _with_rate(frame, raw["curves"][["group", "month", "survival"]]),
    }
    found = {}
    for name, file in MORE.items():
        if (folder / f"{file}.parquet").exists():
            frame = read_table(folder, file)
            frame = ready[name](frame) if name in ready else frame
            if len(frame):
                found[name] = protect(frame, **told)
    # the same people as in the tables of counts: nothing is told that those do not say already
    services = [(name, services_beside_counts) for name in MORE if name.startswith("service_")]
    cut = (("delays", delays_beside_counts), ("stock", stock_beside_counts), ("types", types_beside_counts))
    for name, beside in (*cut, *services):
        if name in found:
            found[name] = beside(found[name], kept["counts"])
    return found


def as_coefficients(associations: pd.DataFrame) -> pd.DataFrame:
    """
    Services as terms of models that are named by the method or the control: each holds those who received it.

    Services are no levels of one trait (many received several), so each has a reference of its own: everybody else.
    """
    model = associations["control"].where(associations["control"].notna(), associations["method"])
    told = ["hazard_ratio", "lower", "upper", "p_value", "e_value", "e_value_limit", "n_stays", "n_events",
            "n_households", "n_model_stays", "n_model_events"]  # fmt: skip
    return associations[told].assign(model=model, term=associations["service"], level="received")


def _with_model(coefficients: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    """A ratio is told where both of its sides are large enough: the model's whole is needed for that."""
    whole = fits[["model", "n_stays", "n_events"]]
    whole = whole.rename(columns={"n_stays": "n_model_stays", "n_events": "n_model_events"})
    own = coefficients.drop(columns=list(whole.columns[1:]), errors="ignore")
    return own.merge(whole, on="model", how="left")


def _with_rate(frame: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """With the rate (third column) of the same group and month."""
    same = ["group", "horizon"]
    return frame.merge(rates.set_axis([*same, "rate"], axis=1), on=same, how="left")


def _where_rates_are_told(comparison: pd.DataFrame, rates: Protected) -> pd.DataFrame:
    """
    The comparison, without the ground of a difference from the province where the place's own rate is not told exactly.

    The province's rate and the difference would tell the rate. Of places the difference as it stands is left out: it is
    that of two rates which stand in another table, and would tell more of their decimals.
    """
    exact = rates.frame[rates.frame["method"].eq("main") & rates.frame["estimate"].notna()]
    at = pd.MultiIndex.from_frame(exact[["group", "horizon"]])
    of_places = comparison["by"].isin(PLACES)
    told = pd.MultiIndex.from_frame(comparison[["group", "horizon"]]).isin(at)
    ground = of_places & comparison["measure"].eq("retention") & ~told
    plain = of_places & comparison["method"].eq("unadjusted") & comparison["reference"].notna()
    return comparison[~(ground | plain)].reset_index(drop=True)


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """A table that the analysis wrote, with the columns that are needed of it; `StaleTableError` where it is not so."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"{name}.parquet"
    try:
        frame = pq.read_table(path).to_pandas()
    except FileNotFoundError:
        raise StaleTableError(f"{path} does not exist: run the analysis first (`trajectories report`).") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise StaleTableError(f"{path} cannot be read ({type(error).__name__}): run the analysis again.") from None
    absent = [column for column in {**NEEDED, **MODEL}.get(name, ()) if column not in frame]
    if absent:
        raise StaleTableError(f"{path} has no column {', '.join(absent)}: run the analysis again.")
    return frame


# ----------------------------------------------------------------------------------------------------
# What pages and the files around them come from, as hashes: tables, ledger, code, catalogues, libraries.

# The libraries whose version can change a page.
SHAPING = (
    "babel", "ipython", "Jinja2", "MarkupSafe", "matplotlib", "nbconvert", "nbformat", "numpy", "pandas", "papermill",
    "pyarrow",
)  # fmt: skip
# Beside them, what shapes files and reads deposits.
SHAPING_FILES = (*SHAPING, "openpyxl", "python-calamine", "XlsxWriter")


def made_from(
    tables: Path, notebook: Path, parameters: Mapping[str, Any], shared: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """
    Hashes of everything that a page comes from; `parameters` without folders, which change nothing.

    `shared`: what `common` says of the same tables, where several pages are asked at one moment.
    """
    return {
        **(common(tables) if shared is None else shared),
        "notebook": file_hash(notebook),
        "parameters": dict(parameters),
    }


def common(tables: Path) -> dict[str, Any]:
    """What all pages of these tables come from: the tables, the ledger, code, catalogues, the libraries."""
    return {
        **data_of(tables),
        "source": whole_source(without=(".po",)),
        "locale": catalogues(),
        "libraries": libraries(),
    }


def whole_source(*, without: Collection[str] = ()) -> str:
    """The library's source, all of it: pages take constants of rooms that they do not run."""
    names = (path.name for path in PACKAGE.iterdir() if path.name != "__pycache__")
    return source_hash(names, without=without)


def catalogues() -> dict[str, str | None]:
    """The hash of each language's catalogue."""
    return {path.parts[-3]: file_hash(path) for path in sorted((PACKAGE / "report" / "locale").glob("*/*/*.po"))}


def libraries(names: Iterable[str] = SHAPING) -> dict[str, str]:
    """The versions of what shapes a page, or a file."""
    return {"python": platform.python_version(), **versions(names)}


def data_of(tables: Path) -> dict[str, Any]:
    """Hashes of the tables, and of what was published before, which decides what may be said beside it."""
    ledger = sorted((tables.parent / LEDGER).glob(f"*/{NOTE}"))
    return {
        "tables": {name: file_hash(tables / name) for name in FILES},
        "ledger": {place.parent.name: file_hash(place) for place in ledger},
    }


# ----------------------------------------------------------------------------------------------------
# All that pages and files may say: the protected tables of an analysis, made once for all processes that need them.
#
# To protect every table takes seconds. The process that asks for pages writes what it made to `sensitive/protected/`;
# the others read it there. It is taken only where the tables, the ledger, the rules, the code and the libraries are
# those that it was made from, and every file is as it was written; else the tables are protected again.

FOLDER = "protected"


def shown_tables(tables: str | Path, *, rules: Disclosure, support: int) -> dict[str, Protected]:
    """Every protected table of an analysis by the name of `NEEDED` or `MORE`."""
    kept, more, _ = all_protected(tables, rules=rules, support=support)
    return {**kept, **more}


def all_protected(tables: str | Path, *, rules: Disclosure, support: int) -> AllProtected:
    """The tables of `NEEDED`, of `MORE`, and the groups whose services contradict the estimate; once a process."""
    return _with_origin(tables, rules, support)[0]


def _with_origin(tables: str | Path, rules: Disclosure, support: int) -> tuple[AllProtected, dict[str, Any]]:
    """The protected tables, and what they were made from; hashed once a process, as long as no file changes."""
    folder = Path(tables)
    files = [*(folder / name for name in FILES), *(folder.parent / LEDGER).glob("*/*")]
    as_they_are = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.is_file())
    return _all_protected(folder, rules, support, as_they_are)


@functools.lru_cache(maxsize=1)
def _all_protected(
    folder: Path, rules: Disclosure, support: int, _: tuple
) -> tuple[AllProtected, dict[str, Any]]:  # fmt: skip
    origin = _origin(folder, rules, support)
    found = _read(folder.parent / FOLDER, origin, rules)
    return protect_tables(folder, rules, support) if found is None else found, origin


def keep_protected(tables: Path, *, rules: Disclosure, support: int) -> None:
    """Have them written, whole, for the processes that make pages (one writes, and no other at the same time)."""
    if _stamp(tables.parent / FOLDER).is_current(_origin(tables, rules, support)):
        return
    made, origin = _with_origin(tables, rules, support)
    with contextlib.suppress(OSError):  # where there is no room, each process makes its own
        _write(made, private_folder(tables.parent / FOLDER), origin)


def _stamp(folder: Path) -> Stamp:
    return Stamp(folder / "protected.json", folder)


def _origin(tables: Path, rules: Disclosure, support: int) -> dict[str, Any]:
    return {**common(tables), "rules": dataclasses.asdict(rules), "support": support}


def _read(folder: Path, origin: dict[str, Any], rules: Disclosure) -> AllProtected | None:
    stamp = _stamp(folder)
    if not stamp.is_current(origin):
        return None
    said = stamp.read()
    found = {
        name: Protected(kind, pd.read_parquet(folder / f"{name}.parquet"), rules)
        for name, kind in said["kinds"].items()
    }
    kept, more = ({name: found[name] for name in said[part]} for part in ("kept", "more"))
    return kept, more, set(said["apart"])


def _write(made: AllProtected, folder: Path, origin: dict[str, Any]) -> None:
    kept, more, apart = made
    every = {**kept, **more}  # what stands in both is the same
    stamp = _stamp(folder)
    stamp.remove()
    for name, table in every.items():
        table.frame.to_parquet(folder / f"{name}.parquet", index=False)
    stamp.write(
        origin, [f"{name}.parquet" for name in every], apart=sorted(apart),
        kinds={name: table.kind for name, table in every.items()}, kept=list(kept), more=list(more),
    )  # fmt: skip
