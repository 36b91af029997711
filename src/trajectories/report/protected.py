"""The door of the room: every table of an analysis, protected, each whole.

A hidden cell of one region must not be found by subtracting the others: each table passes through
`trajectories.disclosure.protect` with all its groups, and a page takes its own rows afterwards (inputs.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from ..disclosure.ledger import CELLS, beside_published, read_ledger, without_kept
from ..disclosure.ledger import FOLDER as LEDGER
from ..exceptions import StaleTableError
from ..retention import BOUNDS, GAP
from ..study import REGION_CODES, Disclosure
from ..tables import PROVINCE
from .run import Run

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
# The numbers of a model, which are those of nobody: what each level of agreement weighs (persons.match_weights).
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
    told = {"rules": rules, "support": support, "groups": run.groups}
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
        # of groups of regions no stock is told (disclosure/stock.py, rule 3)
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
