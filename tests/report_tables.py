"""Plausible tables of an analysis, made up, for the tests of the reports: no statistics, only the right shapes.

Region 05 is large, 03 middling, 09 small (12 persons), 10 has nobody. Presences are confirmed until month 26, hearsay
carries the curve until month 70. Region 03 borrows how departures become known, and its services contradict it; there
alone a share settles for good.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from made_once import made_once
from service_tables import described
from trajectories.disclosure.ledger import FOLDER as LEDGER
from trajectories.folders import private_folder
from trajectories.linkage import match_weights
from trajectories.report.inputs import Report, open_reports
from trajectories.report.run import MORE, AllProtected, protect_tables
from trajectories.retention.course.cure_fraction import NOTES
from trajectories.retention.course.moves import METHODS
from trajectories.retention.course.post_exit_states import STATES
from trajectories.stamps import file_hash
from trajectories.study import Study
from trajectories.tables import EXITS, PROVINCE, RETENTION, conform

PERSONS = {"05": 640, "03": 210, "09": 12, "10": 0}
NAMES = {"05": "Estrie", "03": "Capitale-Nationale", "09": "Côte-Nord", "10": "Nord-du-Québec"}
HORIZONS = (3, 6, 12, 24, 36, 60)
MONTHS = 84
CONFIRMED, HEARD = 26, 70
BORROWS = ("03", "09")
SIMPLER = ("plain", "no_news_present", "all_lost_left", "all_lost_stayed")
SHIFTS = {
    "main": 0.0, "own_reporting": -0.04, "borrowed_reporting": 0.02, "with_services": -0.01, "plain": -0.03,
    "no_news_present": 0.07, "all_lost_left": -0.12, "all_lost_stayed": 0.05,
}  # fmt: skip
_SAID = {"perimeter": "RMR-2021", "scope": "region", "pathway": "all"}
_SHARES = {"metropole": 0.55, "other_region": 0.3, "outside_quebec": 0.15}


def write_tables(folder: Path, persons: dict[str, int] | None = None, **facts: object) -> Path:
    """Write the files of an analysis into `folder`; `facts` replaces facts of run.json."""
    persons = dict(PERSONS if persons is None else persons)
    persons = {**persons, "province": sum(persons.values())}
    written_once(f"report tables {persons}", lambda scratch: _write(scratch, persons), folder)
    return write_facts(folder, **facts)


def write_least(folder: Path, persons: dict[str, int] | None = None, **facts: object) -> Path:
    """Those of them that every run makes and no page is without: protected in half the time."""
    folder = write_tables(folder, persons, **facts)
    for name in MORE.values():
        (folder / f"{name}.parquet").unlink(missing_ok=True)
    return folder


def write_facts(folder: Path, **facts: object) -> Path:
    """Write `run.json`; `facts` replaces some."""
    run = {
        **_SAID,
        "cutoff": "2025-12-31",
        "follow_up_months": [3, 6, 12, 24],
        "groups": {},
        "targets": {},
        "drawn_stays": None,
        "horizons": list(HORIZONS),
        "grace_days": 183,
        "support": 20,
        "replicates": 500,
        "version": "0.1.0",
        "synthetic": True,
        **facts,
    }
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return folder


def written_once(name: str, write: Callable[[Path], object], folder: Path) -> Path:
    """The folder with the files that `write` writes into one, which it does once for all processes."""

    def made() -> dict[str, bytes]:
        with tempfile.TemporaryDirectory() as scratch:
            write(Path(scratch))
            return {path.name: path.read_bytes() for path in Path(scratch).iterdir()}

    folder = private_folder(folder)
    for file, content in made_once(name, made).items():
        (folder / file).write_bytes(content)
    return folder


def protected_once(folder: Path) -> AllProtected:
    """The protected tables of a folder under the usual rules; of the same files, made once for all processes."""
    assert not (folder.parent / LEDGER).exists(), "what was published would be one more input"
    groups = json.loads((folder / "run.json").read_text(encoding="utf-8"))["groups"]
    hashes = {path.name: file_hash(path) for path in sorted(folder.glob("*.parquet"))}
    study = Study()
    return made_once(f"protected {groups} {hashes}", lambda: protect_tables(folder, study.disclosure, study.support))


def opened(folder: Path, regions: Iterable[str], language: str = "fr") -> list[Report]:
    """The reports of regions, from tables protected once for all processes."""
    return open_reports(folder, regions, language=language, protected=protected_once(folder))


def _write(folder: Path, persons: dict[str, int]) -> None:
    retention, exits, curves, counts, checks = [], [], [], [], []
    for group, n in persons.items():
        curve = _curve(n)
        curves.append(curve.assign(group=group))
        for horizon in HORIZONS:
            retention += _rates(group, n, horizon, curve)
            exits += _exits(group, n, horizon, curve)
        counts += _counts(group, n)
        checks += _checks(group, n)
    rates = conform(pd.DataFrame(retention), RETENTION)
    rates.to_parquet(folder / "retention.parquet")
    _sensitivity(rates).to_parquet(folder / "sensitivity.parquet")
    match_weights().to_parquet(folder / "weights.parquet")
    pd.DataFrame(exits).to_parquet(folder / "exits.parquet")
    pd.concat(curves, ignore_index=True).to_parquet(folder / "curves.parquet")
    for name, table in course_tables(persons).items():
        table.to_parquet(folder / f"{name}.parquet")
    for name, table in described({group: n // 2 for group, n in persons.items()}).items():
        table.to_parquet(folder / f"{name}.parquet")
    pd.DataFrame(checks, columns=["group", "check", "cause", "period", "value"]).to_parquet(folder / "checks.parquet")
    table = pd.DataFrame(counts, columns=["group", "table", "key", "persons", "households"])
    table.astype({"persons": "Int64", "households": "Int64"}).to_parquet(folder / "counts.parquet")


def _curve(n: int) -> pd.DataFrame:
    month = np.arange(MONTHS + 1)
    survival = 0.62 + 0.38 * np.exp(-month / 16)
    risk = np.round(n * survival * np.exp(-month / 34)).astype(int)
    exits = np.round(risk * (1 - survival / np.r_[1.0, survival[:-1]])).astype(int)
    half = 1.96 * np.sqrt(survival * (1 - survival) / np.maximum(risk, 1))
    return pd.DataFrame(
        {
            "month": month,
            "survival": survival if n else np.nan,
            "lower": np.clip(survival - half, 0, 1) if n else np.nan,
            "upper": np.clip(survival + half, 0, 1) if n else np.nan,
            "n_risk": risk,
            "n_exits": exits,
            "lost_left": np.clip(survival - 0.12 * np.minimum(1, month / 12), 0, 1) if n else np.nan,
            "lost_stayed": np.clip(survival + 0.05 * np.minimum(1, month / 12), 0, 1) if n else np.nan,
            "horizon": np.isin(month, HORIZONS),
            "known": [_known(int(m), int(n)) for m, n in zip(month, risk, strict=True)],
        }
    )


def _known(month: int, n_at_risk: int) -> str:
    if n_at_risk < 20 or month > HEARD:
        return "insufficient"
    return "observed" if month <= CONFIRMED else "hearsay"


def _rates(group: str, n: int, horizon: int, curve: pd.DataFrame) -> list[dict]:
    at = curve.iloc[horizon]
    rows = []
    other = "own_reporting" if group in BORROWS else "borrowed_reporting"
    absent = {"own_reporting", "borrowed_reporting"} - ({other} if group != PROVINCE else set())
    for method, shift in SHIFTS.items():
        if method in absent:
            continue
        main = method == "main"
        known = at["known"]
        if method in SIMPLER:
            # bounds rest on scheduled contacts; the others on whoever is at risk
            last = CONFIRMED if method.startswith("all_lost") else MONTHS
            known = "observed" if at["n_risk"] >= 20 and horizon <= last else "insufficient"
        enough = known != "insufficient"
        by = shift - (0.2 if group == "03" and method == "with_services" else 0)
        survival = float(at["survival"])
        rows.append(
            {
                **_SAID,
                "group": group,
                "horizon": horizon,
                "method": method,
                "estimate": min(survival + by * min(1.0, horizon / 12), 1.0) if enough else np.nan,
                "se": (at["upper"] - at["lower"]) / 3.92 if main and enough else np.nan,
                "lower": at["lower"] if main and enough else np.nan,
                "upper": at["upper"] if main and enough else np.nan,
                "n_start": n,
                "n_at_risk": int(at["n_risk"]),
                "n_confirmed": int(at["n_risk"] * 0.8) if horizon <= CONFIRMED else 0,
                "known": known,
                "note": None,
                "range_lower": survival - 0.053 * min(1, horizon / 24) if main and enough else np.nan,
                "range_upper": min(survival + 0.034 * min(1, horizon / 24), 1.0) if main and enough else np.nan,
                "reporting": ("borrowed" if group in BORROWS else "own") if main else None,
            }
        )
    return rows


def _checks(group: str, n: int) -> list[tuple]:
    known = _split(round(0.3 * n), {"exits_found_by_contact": 40, "exits_heard": 60})
    rows = [(group, name, cause, "0-12", float(count) / 2) for name, count in known.items() for cause in (1, 2)]
    return [*rows, (group, "share_never_heard", 0, None, 0.171), (group, "stays", 0, None, float(n))]


def _sensitivity(rates: pd.DataFrame) -> pd.DataFrame:
    """One person in a hundred more, and three fewer, at the other thresholds."""
    main = rates[rates["method"].eq("main")].drop(
        columns=["method", "lower", "upper", "se", "note", "range_lower", "range_upper", "reporting"]
    )
    made = []
    for setting, threshold, by in (("loose", 0.5, 0.01), ("study", 0.95, 0.0), ("strict", 0.999, -0.03)):
        households = np.ceil(main["n_start"] / 2.2).astype(int)
        made.append(main.assign(
            setting=setting, threshold=threshold, estimate=(main["estimate"] + by).clip(upper=1.0),
            persons=main["n_start"], households=households,
        ))  # fmt: skip
    return pd.concat(made, ignore_index=True)


def _exits(group: str, n: int, horizon: int, curve: pd.DataFrame) -> list[dict]:
    at = curve.iloc[horizon]
    enough = at["known"] != "insufficient"
    return [
        {
            "group": group,
            "horizon": horizon,
            "cause": cause,
            "estimate": (1 - at["survival"]) * _SHARES[cause] if enough else np.nan,
            "se": 0.01 if enough else np.nan,
            "lower": max((1 - at["survival"]) * _SHARES[cause] - 0.02, 0) if enough else np.nan,
            "upper": (1 - at["survival"]) * _SHARES[cause] + 0.02 if enough else np.nan,
            "n_start": n,
            "n_at_risk": int(at["n_risk"]),
            "n_confirmed": int(at["n_risk"] * 0.8) if horizon <= CONFIRMED else 0,
            "known": at["known"],
        }
        for cause in EXITS[:3]
    ]


def course_tables(persons: dict[str, int]) -> dict[str, pd.DataFrame]:
    """The tables of the course of stays, by name: months there, moves, states by month, settled for good."""
    curves = {group: (n, _curve(n)) for group, n in persons.items()}
    whole = pd.concat([_time_and_moves(group, *found) for group, found in curves.items()], ignore_index=True)
    months = whole[whole["measure"].ne("moves_per_person")].drop(columns=["kind", "n_moves"])
    moves = whole[whole["measure"].eq("moves_per_person")].drop(columns=["cause", "n_confirmed"])
    return {
        "restricted_time": months, "moves_per_person": moves,
        "occupation": pd.concat([_states(group, *found) for group, found in curves.items()], ignore_index=True),
        "settled": pd.DataFrame([_settled(group, n) for group, n in persons.items()]),
    }  # fmt: skip


def _time_and_moves(group: str, n: int, curve: pd.DataFrame) -> pd.DataFrame:
    rows = []
    survival = curve["survival"].to_numpy()
    for horizon in HORIZONS:
        at = curve.iloc[horizon]
        enough = at["known"] != "insufficient"
        area = (survival[:horizon] + survival[1 : horizon + 1]).sum() / 2
        about = {"group": group, "horizon": horizon, "se": 0.01, "n_start": n, "n_at_risk": int(at["n_risk"]),
                 "n_confirmed": int(at["n_risk"] * 0.8), "known": at["known"], "note": "a"}  # fmt: skip
        lost = {cause: (horizon - area) * share for cause, share in _SHARES.items()}
        for measure, cause, months in (
            ("restricted_months", None, area),
            *(("months_lost", *one) for one in lost.items()),
        ):
            ends = {"lower": months * 0.97, "upper": min(months * 1.02, horizon)}
            numbers = {"estimate": months, **ends} if enough else dict.fromkeys(("estimate", "lower", "upper"), np.nan)
            rows.append({**about, "measure": measure, "cause": cause, "method": "main", **numbers})
        for method, rate in zip(METHODS, (0.011, 0.015), strict=True):
            seen = enough and (method == "no_news_no_move" or horizon <= CONFIRMED)
            for kind, part in (("all", 1.0), ("within", 0.6), ("onward", 0.4)):
                mean = part * rate * horizon
                rows.append({
                    **about, "measure": "moves_per_person", "kind": kind, "method": method,
                    "n_moves": round(0.8 * mean * n), "estimate": mean if seen else np.nan, "lower": 0.9 * mean,
                    "upper": 1.1 * mean, "known": "observed" if seen else "insufficient",
                })  # fmt: skip
    return pd.DataFrame(rows)


def _states(group: str, n: int, curve: pd.DataFrame) -> pd.DataFrame:
    """Of those who left, one in twenty came back."""
    gone = 1 - curve["survival"].to_numpy()
    shares = {"this_region": 1 - 0.95 * gone, **{cause: 0.95 * gone * share for cause, share in _SHARES.items()}}
    parts = [
        pd.DataFrame({
            "measure": "occupation", "group": group, "state": state, "horizon": curve["month"],
            "estimate": np.where(curve["known"].eq("insufficient"), np.nan, shares[state]), "se": 0.01, "lower": 0.0,
            "upper": 1.0, "n_start": n, "n_at_risk": curve["n_risk"], "n_confirmed": 0, "known": curve["known"],
            "method": "main", "note": "a",
        })
        for state in STATES
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _settled(group: str, n: int) -> dict:
    there = group == "03"
    numbers = (0.583, 0.489, 0.672) if there else (np.nan,) * 3
    return {
        "measure": "settled_share", "group": group, "horizon": 24, "estimate": numbers[0], "lower": numbers[1],
        "upper": numbers[2], "se": 0.05, "n_start": n, "n_at_risk": n // 2, "n_confirmed": n // 3, "method": "weibull",
        "left_by": 31.0, "known": "observed" if there else "insufficient",
        "note": NOTES["" if there else "short_follow_up"],
    }  # fmt: skip


def _split(n: int, shares: dict[str, float]) -> dict[str, int]:
    """Whole numbers that sum to n."""
    cuts = np.round(np.cumsum(list(shares.values())) / sum(shares.values()) * n).astype(int)
    return dict(zip(shares, np.diff(np.r_[0, cuts]).tolist(), strict=True))


def _counts(group: str, n: int) -> list[tuple]:
    tables = {
        "stays": {"total": 1},
        "pathway": {"secondary": 60, "primary": 25, "onward": 10, "return_stay": 5},
        "origin": {"06": 52, "13": 12, "16": 14, "15": 6, "14": 3, "outside_quebec": 9, "unknown": 4},
        "fiscal_year": {f"{year}-{year + 1}": 8 + year - 2018 for year in range(2018, 2026)},
        "exit": {"metropole": 10, "other_region": 5, "outside_quebec": 5, "unknown_destination": 10, "none_known": 70},
        "lost": {"contact": 12, "silent": 20, "followed": 68},
        "late_news": {"late": 7, "other": 93},
        "excluded": {"kept": 94, "start_wider_than_3_months": 5, "start_unbounded": 1},
    }
    rows = [
        (group, table, key, persons, int(np.ceil(persons / 2.2)))
        for table, shares in tables.items()
        for key, persons in _split(n, shares).items()
    ]
    if group == "province":
        rows += [
            (group, "rows", key, count, None)
            for key, count in {
                "accepted": 11020, "quarantined": 310, "superseded": 760, "duplicate": 250, "excluded": 0,
                "total": 12340,
            }.items()
        ]  # fmt: skip
        places = {"resolved": 10480, "ambiguous": 90, "area_only": 260, "none": 190}
        rows += [(group, "places", key, count, None) for key, count in places.items()]
        known = {"one": (812, 420), "two": (2260, 1100), "three_or_more": (214, 130)}
        rows += [(group, "linkage", key, *count) for key, count in known.items()]
        decided = {
            "links": {"linked": 2910, "refused": 7, "doubtful": 196},
            "conflicts": {
                "old_address": 124, "establishment_dates": 31, "presence_before_establishment": 3,
                "departure_before_presence": 0, "departure_already_known": 18,
            },
        }  # fmt: skip
        rows += [(group, name, key, count, None) for name, counts in decided.items() for key, count in counts.items()]
    return rows
