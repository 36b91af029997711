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
from ..disclosure.tables import rules_of
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
            facts = {field.name: content[field.name] for field in dataclasses.fields(cls)}
        except FileNotFoundError:
            raise StaleTableError(f"{path} does not exist: run the analysis first (`trajectories report`).") from None
        except KeyError as error:
            raise StaleTableError(f"{path} lacks {error}: run the analysis again.") from None
        except (ValueError, TypeError):
            raise StaleTableError(f"{path} cannot be read: run the analysis again.") from None
        return cls(
            **{
                **facts,
                "pathway": None if facts["pathway"] in (None, "all") else facts["pathway"],
                "cutoff": dt.date.fromisoformat(facts["cutoff"]),
                "follow_up_months": tuple(facts["follow_up_months"]),
                "horizons": tuple(facts["horizons"]),
                "groups": {name: tuple(regions) for name, regions in facts["groups"].items()},
                "targets": {(at, year): n for at, years in facts["targets"].items() for year, n in years.items()},
            }
        )


# ----------------------------------------------------------------------------------------------------
# The entrance of the room: every table of an analysis, protected.
#
# Each table passes through `trajectories.disclosure.protect` with all its groups, so that a hidden cell of one region
# is not found by subtracting the others; a page takes its own rows afterwards (inputs.py).

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
# Parameters of a model, not numbers of persons: the weight of each level of agreement (linkage.match_weights).
MODEL = {"weights": ("trait", "level", "weight", "relative_weight")}
# Tables that a page shows where the analysis made them (typology and models need enough persons): name here → file.
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
# Comparisons of places: their rates are published in the table of retention.
PLACES = ("region", "groups")
# What `all_protected` returns.
AllProtected = tuple[dict[str, Protected], dict[str, Protected], set[str]]
FILES = (*(f"{name}.parquet" for name in (*NEEDED, *MODEL, *MORE.values(), "fits")), "run.json")


def protect_tables(folder: Path, rules: Disclosure, support: int) -> AllProtected:
    """The tables of `NEEDED`, of `MORE`, and the groups whose services contradict the estimate."""
    run = Run.read(folder)
    raw = {name: read_table(folder, name) for name in NEEDED}
    raw["curves"] = _bounds_where_supported(raw["curves"], raw["retention"])
    settings: dict[str, Any] = {"rules": rules, "support": support, "groups": run.groups}
    kept = {name: protect(frame, **settings) for name, frame in raw.items() if name != "counts"}
    kept["counts"] = protected_counts(raw["counts"], **settings)
    kept |= _beside_published(kept, folder, run)
    apart = _services_apart(raw["retention"], kept["retention"].frame)
    more = {"counts": kept["counts"], "curves": kept["curves"], **_more(folder, settings, raw, kept)}
    kept, more = (_without_kept(every, kept["retention"]) for every in (kept, more))
    return kept, more, apart


def _beside_published(kept: Mapping[str, Protected], folder: Path, run: Run) -> dict[str, Protected]:
    """The tables of the ledger (disclosure/ledger.py), masked where they would reveal something beside publications."""
    ledger = read_ledger(folder.parent / LEDGER)
    frames = {name: kept[name].frame for name in CELLS}
    if not ledger:
        return {}
    masked = beside_published(frames, ledger, run.settings, {name: kept[name].rules for name in frames})
    return {name: Protected(kept[name].kind, frame, kept[name].rules) for name, frame in masked.items()}


def _without_kept(tables: Mapping[str, Protected], rates: Protected) -> dict[str, Protected]:
    return {
        name: Protected(table.kind, without_kept(name, table.frame, rates.frame), table.rules)
        for name, table in tables.items()
    }


def _bounds_where_supported(curves: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """The curves, their bounds up to the last horizon at which the table of rates has both."""
    both = rates[rates["method"].isin(BOUNDS) & rates["estimate"].notna()].groupby(["group", "horizon"]).size()
    last = both[both == len(BOUNDS)].reset_index().groupby("group")["horizon"].max()
    beyond = ~(curves["month"] <= curves["group"].map(last))
    return curves.assign(**{name: curves[name].mask(beyond) for name in ("lost_left", "lost_stayed") if name in curves})


def _services_apart(raw: pd.DataFrame, shown: pd.DataFrame) -> set[str]:
    """The groups where, at a horizon whose rate is published, the estimate with services is far from the main one."""
    keys = ["group", "horizon"]
    main = raw[raw["method"].eq("main")].merge(shown.loc[shown["method"].eq("main") & shown["shown"], keys], on=keys)
    beside = main.merge(raw.loc[raw["method"].eq("with_services"), [*keys, "estimate"]], on=keys, suffixes=("", "_s"))
    far = (beside["estimate"] - beside["estimate_s"]).abs() > GAP * beside["se"]
    return set(beside.loc[far & (beside["se"] > 0), "group"])


def _more(
    folder: Path, settings: Mapping[str, Any], raw: Mapping[str, pd.DataFrame], kept: Mapping[str, Protected]
) -> dict[str, Protected]:
    """The tables of `MORE` that the analysis made, protected, with the columns that protection needs added before."""
    main, published_rates = (rates[rates["method"].eq("main")] for rates in (raw["retention"], kept["retention"].frame))
    ready: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "coefficients": lambda frame: _with_model(frame, read_table(folder, "fits")),
        "served": as_coefficients,
        "comparison": lambda frame: _without_unpublished_rates(frame, kept["retention"]),
        "periods": lambda frame: _with_rate(frame, published_rates[["group", "horizon", "estimate"]]),
        # no stock of groups of regions is published (disclosure/counts.py, rule 3)
        "stock": lambda frame: frame[frame["group"].isin([PROVINCE, *REGION_CODES])],
        # the course of stays is published where the rate of the same month is
        "restricted_time": lambda frame: _with_rate(frame, main[["group", "horizon", "estimate"]]),
        "occupation": lambda frame: _with_rate(frame, raw["curves"][["group", "month", "survival"]]),
    }
    protected = {}
    for name, file in MORE.items():
        if (folder / f"{file}.parquet").exists():
            frame = read_table(folder, file)
            frame = ready[name](frame) if name in ready else frame
            if len(frame):
                protected[name] = protect(frame, **settings)
    # these tables count the same people as `counts`, and must not reveal what is hidden there
    services = [(name, services_beside_counts) for name in MORE if name.startswith("service_")]
    cut = (("delays", delays_beside_counts), ("stock", stock_beside_counts), ("types", types_beside_counts))
    for name, beside in (*cut, *services):
        if name in protected:
            protected[name] = beside(protected[name], kept["counts"])
    return protected


def as_coefficients(associations: pd.DataFrame) -> pd.DataFrame:
    """
    Services as terms of models, which are named by the method or the control.

    Many people received several services, so each service is a term of its own, whose reference is everybody else.
    """
    model = associations["control"].where(associations["control"].notna(), associations["method"])
    columns = [
        "hazard_ratio", "lower", "upper", "p_value", "e_value", "e_value_limit", "n_stays", "n_events", "n_households",
        "n_model_stays", "n_model_events",
    ]  # fmt: skip
    return associations[columns].assign(model=model, term=associations["service"], level="received")


def _with_model(coefficients: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    """With the size of each model: a ratio is published where both of its sides are large enough."""
    model_sizes = fits[["model", "n_stays", "n_events"]]
    model_sizes = model_sizes.rename(columns={"n_stays": "n_model_stays", "n_events": "n_model_events"})
    terms = coefficients.drop(columns=list(model_sizes.columns[1:]), errors="ignore")
    return terms.merge(model_sizes, on="model", how="left")


def _with_rate(frame: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """With the rate (third column) of the same group and month."""
    same = ["group", "horizon"]
    return frame.merge(rates.set_axis([*same, "rate"], axis=1), on=same, how="left")


def _without_unpublished_rates(comparison: pd.DataFrame, rates: Protected) -> pd.DataFrame:
    """
    The comparison, without rows that would reveal more of a place's own rate than the table of rates does.

    Left out: the retention of places whose rate is not published exactly (the province's rate and the difference give
    it), and the unadjusted difference between places (of two published rates: it would give more of their decimals).
    """
    exact = rates.frame[rates.frame["method"].eq("main") & rates.frame["estimate"].notna()]
    at = pd.MultiIndex.from_frame(exact[["group", "horizon"]])
    of_places = comparison["by"].isin(PLACES)
    published = pd.MultiIndex.from_frame(comparison[["group", "horizon"]]).isin(at)
    ground = of_places & comparison["measure"].eq("retention") & ~published
    plain = of_places & comparison["method"].eq("unadjusted") & comparison["reference"].notna()
    return comparison[~(ground | plain)].reset_index(drop=True)


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """A table that the analysis wrote; `StaleTableError` where it is missing, damaged or lacks a column of `NEEDED`."""
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
# The hashes of what pages and the files beside them depend on: tables, ledger, code, catalogues, libraries.

# The libraries whose version can change a page.
SHAPING = (
    "babel", "ipython", "Jinja2", "MarkupSafe", "matplotlib", "nbconvert", "nbformat", "numpy", "pandas", "papermill",
    "pyarrow",
)  # fmt: skip
# With those that write files and read deposits.
SHAPING_FILES = (*SHAPING, "openpyxl", "python-calamine", "XlsxWriter")


def origin_of_page(
    tables: Path, notebook: Path, parameters: Mapping[str, Any], shared: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """
    Hashes of everything that a page depends on; `parameters` without folders, which change nothing.

    `shared`: the result of `origin_of_all_pages` for these tables, to compute it once for several pages.
    """
    return {
        **(origin_of_all_pages(tables) if shared is None else shared),
        "notebook": file_hash(notebook),
        "parameters": dict(parameters),
    }


def origin_of_all_pages(tables: Path) -> dict[str, Any]:
    """What all pages of these tables depend on: the tables, the ledger, code, catalogues, the libraries."""
    return {
        **data_hashes(tables),
        "source": whole_source(without=(".po",)),
        "locale": catalogues(),
        "libraries": libraries(),
    }


def whole_source(*, without: Collection[str] = ()) -> str:
    """The hash of the library's source, all of it: pages take constants of rooms that they do not run."""
    names = (path.name for path in PACKAGE.iterdir() if path.name != "__pycache__")
    return source_hash(names, without=without)


def catalogues() -> dict[str, str | None]:
    """The hash of each language's catalogue."""
    return {path.parts[-3]: file_hash(path) for path in sorted((PACKAGE / "report" / "locale").glob("*/*/*.po"))}


def libraries(names: Iterable[str] = SHAPING) -> dict[str, str]:
    """The versions of what shapes a page, or a file."""
    return {"python": platform.python_version(), **versions(names)}


def data_hashes(tables: Path) -> dict[str, Any]:
    """Hashes of the tables, and of the earlier publications, which decide what may be published beside them."""
    ledger = sorted((tables.parent / LEDGER).glob(f"*/{NOTE}"))
    return {
        "tables": {name: file_hash(tables / name) for name in FILES},
        "ledger": {path.parent.name: file_hash(path) for path in ledger},
    }


# ----------------------------------------------------------------------------------------------------
# The protected tables of an analysis, made once for all processes that need them.
#
# Protecting every table takes seconds. The process that asks for pages writes the protected tables to
# `sensitive/protected/`; the others read them there, if the tables, the ledger, the rules, the code and the libraries
# are unchanged, and every file is as it was written; else they protect the tables again.

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
    versions_of_files = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.is_file())
    return _all_protected(folder, rules, support, versions_of_files)


@functools.lru_cache(maxsize=1)
def _all_protected(folder: Path, rules: Disclosure, support: int, _: tuple) -> tuple[AllProtected, dict[str, Any]]:
    origin = _origin(folder, rules, support)
    stored = _read(folder.parent / FOLDER, origin, rules)
    return protect_tables(folder, rules, support) if stored is None else stored, origin


def keep_protected(tables: Path, *, rules: Disclosure, support: int) -> None:
    """Write the protected tables for the processes that make pages; called by one process only."""
    if _stamp(tables.parent / FOLDER).is_current(_origin(tables, rules, support)):
        return
    protected, origin = _with_origin(tables, rules, support)
    with contextlib.suppress(OSError):  # where there is no room, each process makes its own
        _write(protected, private_folder(tables.parent / FOLDER), origin)


def _stamp(folder: Path) -> Stamp:
    return Stamp(folder / "protected.json", folder)


def _origin(tables: Path, rules: Disclosure, support: int) -> dict[str, Any]:
    return {**origin_of_all_pages(tables), "rules": dataclasses.asdict(rules), "support": support}


def _read(folder: Path, origin: dict[str, Any], rules: Disclosure) -> AllProtected | None:
    stamp = _stamp(folder)
    if not stamp.is_current(origin):
        return None
    content = stamp.read()
    tables = {
        name: Protected(kind, pd.read_parquet(folder / f"{name}.parquet"), rules_of(kind, rules))
        for name, kind in content["kinds"].items()
    }
    kept, more = ({name: tables[name] for name in content[part]} for part in ("kept", "more"))
    return kept, more, set(content["apart"])


def _write(protected: AllProtected, folder: Path, origin: dict[str, Any]) -> None:
    kept, more, apart = protected
    tables = {**kept, **more}  # a table in both is the same
    stamp = _stamp(folder)
    stamp.remove()
    for name, table in tables.items():
        table.frame.to_parquet(folder / f"{name}.parquet", index=False)
    stamp.write(
        origin,
        [f"{name}.parquet" for name in tables],
        apart=sorted(apart),
        kinds={name: table.kind for name, table in tables.items()},
        kept=list(kept),
        more=list(more),
    )
