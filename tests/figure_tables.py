"""Raw tables of an analysis that the figures take, made up and plausible: no statistics, only the right shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lead_tables import every_table
from report_tables import write_facts, write_tables, written_once
from trajectories.analysis.comparison import shrunken
from trajectories.analysis.services.leads import ranked_leads

# Persons settled by region: the largest, middling ones, three under the rules.
PERSONS = {
    "01": 150, "02": 240, "03": 610, "04": 330, "05": 640, "07": 420, "08": 90, "09": 12, "10": 0, "11": 46,
    "12": 280, "14": 110, "15": 130, "16": 300, "17": 210,
}  # fmt: skip
# A large one, middling ones, two under the rules: what a page can say needs no more.
FEW = {region: PERSONS[region] for region in ("01", "03", "05", "07", "09", "10", "17")}
ORIGINS = {"06": 0.6, "13": 0.12, "16": 0.14, "15": 0.07, "14": 0.05, "unknown": 0.02}
TOWNS = {"02": "city_saguenay", "03": "city_quebec", "04": "city_trois_rivieres", "05": "city_sherbrooke",
         "07": "city_gatineau"}  # fmt: skip
MONTHS = 60
SHAPES = {  # share in the region, the metropole, another region, outside Québec: at the start, and at the end
    "stays": ((1.0, 0, 0, 0), (0.94, 0.03, 0.03, 0.0)),
    "returns_early": ((1.0, 0, 0, 0), (0.05, 0.86, 0.04, 0.05)),
    "onward": ((1.0, 0, 0, 0), (0.08, 0.1, 0.82, 0.0)),
    "leaves_quebec": ((1.0, 0, 0, 0), (0.1, 0.06, 0.04, 0.8)),
}
STATES = ("region", "metropole", "other_region", "outside_quebec")


def flows(persons: dict[str, int] | None = None) -> pd.DataFrame:
    """Origin > area of destination, by region and for the province, as portrait.flows returns it."""
    rows = []
    for group, n in (PERSONS if persons is None else persons).items():
        areas = {"ring": 1.0} if group in ("14", "15", "16") else {"elsewhere": 1.0}
        if group in TOWNS:
            areas = {TOWNS[group]: 0.7, "elsewhere": 0.3}
        rows += [(group, "flow", f"{origin}>{area}", round(n * share * part))
                 for origin, share in ORIGINS.items() for area, part in areas.items()]  # fmt: skip
    table = pd.DataFrame(rows, columns=["group", "table", "key", "persons"])
    table["households"] = np.ceil(table["persons"] / 2.2).astype(int)
    whole = table.groupby(["table", "key"], as_index=False)[["persons", "households"]].sum().assign(group="province")
    return pd.concat([table, whole], ignore_index=True)


def types(persons: dict[str, int] | None = None) -> pd.DataFrame:
    """The types of trajectories; `persons` by type."""
    persons = {"stays": 820, "returns_early": 210, "onward": 96, "leaves_quebec": 41} if persons is None else persons
    whole = sum(persons.values())
    return pd.DataFrame({
        "type": range(1, len(persons) + 1), "name": list(persons), "rule": list(persons),
        "n_persons": list(persons.values()), "n_households": [-(-n // 2) for n in persons.values()],
        "share": [n / whole for n in persons.values()], "silhouette": 0.41237, "jaccard": 0.8712,
    })  # fmt: skip


def states(persons: dict[str, int] | None = None) -> pd.DataFrame:
    """The states of the persons of each type by month; n is the number of persons in the state."""
    rows = []
    for kind in types(persons).itertuples():
        first, last = (np.array(ends) for ends in SHAPES[kind.rule])
        for month in range(MONTHS + 1):
            part = 1 - np.exp(-month / 12)
            counts = np.floor(kind.n_persons * (first + part * (last - first))).astype(int)
            counts[0] += kind.n_persons - counts.sum()
            rows += [(kind.type, kind.name, month, state, count / kind.n_persons, count)
                     for state, count in zip(STATES, counts, strict=True)]  # fmt: skip
    return pd.DataFrame(rows, columns=["type", "name", "month", "state", "share", "n"])


def sequences() -> pd.DataFrame:
    """Distinct sequences of each type as runs, with how many persons have each."""
    found = {
        1: [([("region", 61)], 700), ([("region", 20), ("metropole", 3), ("region", 38)], 4)],
        2: [([("region", month), ("metropole", 61 - month)], 14) for month in range(2, 16)]
        + [([("region", 6), ("other_region", 4), ("metropole", 51)], 9)],
        3: [([("region", month), ("metropole", 4), ("other_region", 57 - month)], 6) for month in range(12, 19)]
        + [([("region", month), ("other_region", 61 - month)], 9) for month in range(8, 14)],
        4: [([("region", month), ("outside_quebec", 61 - month)], 5) for month in range(4, 13)],
    }  # fmt: skip
    rows = []
    for kind, distinct in found.items():
        for number, (stages, persons) in enumerate(distinct, start=1):
            begin = 0
            for state, months in stages:
                rows.append((kind, number, begin, begin + months - 1, state, persons))
                begin += months
    return pd.DataFrame(rows, columns=["type", "sequence", "begin", "end", "state", "n_persons"])


def funnel(rates: pd.DataFrame, horizon: int = 12) -> pd.DataFrame:
    """Control limits round the provincial rate, from the table `retention`, as comparison.funnel returns them."""
    main = rates[rates["method"].eq("main") & rates["horizon"].eq(horizon)].set_index("group")
    centre = main.loc["province", "estimate"]
    rows = []
    for group, row in main.drop(index="province").iterrows():
        n = 0.8 * float(row["n_start"])
        half = np.sqrt(centre * (1 - centre) / n) if n else np.nan
        ends = [centre + way * half for way in (-1.96, 1.96, -3.09, 3.09)]
        away = abs(row["estimate"] - centre)
        rows.append((group, horizon, row["estimate"], n, *ends, away > 3.09 * half, row["n_start"], row["n_at_risk"]))
    return pd.DataFrame(rows, columns=[
        "group", "horizon", "estimate", "effective_n", "lower_95", "upper_95", "lower_998", "upper_998", "outside",
        "n_start", "n_at_risk",
    ])  # fmt: skip


def coefficients() -> pd.DataFrame:
    """A Cox model: a factor with a level of few, a flag, a number."""
    rows = [
        ("city_size", "10k_50k", 2.0, 1.69, 2.36, 1e-9, 800, 190, "100k_plus"),
        ("city_size", "50k_100k", 1.74, 1.38, 2.19, 1e-6, 500, 104, "100k_plus"),
        ("city_size", "under_10k", 2.38, 1.88, 3.01, 1e-9, 900, 220, "100k_plus"),
        ("immigration_category", "family", 0.97, 0.79, 1.19, 0.78, 420, 97, "economic"),
        ("immigration_category", "refugee", 1.046, 0.861, 1.273, 0.65, 610, 148, "economic"),
        ("immigration_category", "other_permanent", 2.4, 0.7, 8.1, 0.16, 26, 7, "economic"),
        ("job_found", "true", 0.62, 0.53, 0.73, 1e-8, 1100, 190, "false"),
        ("household_size", "4_plus", 0.91, 0.74, 1.12, 0.37, 700, 150, "1"),
    ]
    table = pd.DataFrame(rows, columns=["term", "level", "hazard_ratio", "lower", "upper", "p_value", "n_stays",
                                        "n_events", "reference"])  # fmt: skip
    split = table["term"].eq("job_found")
    later = table[split].assign(from_month=12.0, to_month=np.inf, hazard_ratio=0.88, lower=0.7, upper=1.11)
    table = table.assign(from_month=0.0, to_month=np.where(split, 12.0, np.inf))
    table = pd.concat([table, later], ignore_index=True)
    return table.assign(model="cox", n_model_stays=3143, n_model_events=702, se=0.1)


def services_and_staying() -> pd.DataFrame:
    """Three services by method, with their controls; one that few received has no ratio."""
    rows = []
    for service, ratio, n in (("pairing", 0.62, 400), ("job_search", 1.05, 700), ("other", 0.9, 12)):
        answers = [
            (m, None) for m in ("discrete", "cox", "with_services", "visit_weighted", "landmark_3", "landmark_6")
        ]
        for method, control in [*answers, ("discrete", "permuted")]:
            at = 1.0 if control else ratio
            rows.append((service, method, control, at, n))
    rows.append(("information", "discrete", "before_departure", 1.03, 500))
    table = pd.DataFrame(rows, columns=["service", "method", "control", "hazard_ratio", "n_stays"])
    few = table["n_stays"] < 30
    ratio = table["hazard_ratio"].mask(few)
    return table.assign(
        adjusted_for="age, region", estimate=np.log(ratio), se=0.12, hazard_ratio=ratio, lower=ratio * 0.8,
        upper=ratio * 1.26, p_value=0.04, adjusted_p=0.1, e_value=2.1, e_value_limit=1.34, missing=0.2,
        n_events=(table["n_stays"] * 0.2).round(), n_households=(table["n_stays"] * 0.6).round(), n_model_stays=1800.0,
        n_model_events=420.0, note=np.where(few, "too_few_households_received", None),
    )  # fmt: skip


def comparison() -> pd.DataFrame:
    """Categories and regions against their references, by three methods, as `compare` returns them."""
    levels = {"economic": (900, 0.0), "refugee": (400, -0.08), "student": (25, 0.02), "family": (200, 0.0),
              "asylum_claimant": (700, 0.05)}  # fmt: skip
    groups = [("immigration_category", f"immigration_category={name}", *v) for name, v in levels.items()]
    groups += [("region", "province", 1325, 0.0), ("region", "05", 640, 0.03), ("region", "03", 210, -0.04)]
    rows = []
    for by, group, n, gap in groups:
        reference = "province" if by == "region" else "immigration_category=economic"
        for horizon in (12, 24):
            for method, shift in (("unadjusted", -0.03), ("weighted", 0.0), ("g_computation", 0.001)):
                at = {"by": by, "group": group, "horizon": horizon, "method": method, "n_start": n, "overlap": 0.976,
                      "n_at_risk": n // 2, "adjusted_for": "" if method == "unadjusted" else "age, sex, city_size",
                      "disagree": False, "shown": True, "note": None, "effective_n": n * 0.9, "p_value": 0.2,
                      "largest_weight": 3.0, "se": 0.02}  # fmt: skip
                rows.append({**at, "measure": "retention", "reference": None, "estimate": 0.8 + gap})
                if group != reference:
                    value = gap + (shift if gap else 0)
                    rows.append({**at, "measure": "difference", "reference": reference, "estimate": value})
                    months = 10 * value
                    rows.append({**at, "measure": "restricted_mean_difference", "reference": reference,
                                 "estimate": months})  # fmt: skip
    table = pd.DataFrame(rows)
    half = np.where(table["measure"].eq("restricted_mean_difference"), 0.4, 0.034)
    return table.assign(lower=table["estimate"] - half, upper=table["estimate"] + half)


def scale(group: str = "05", n: int = 640) -> pd.DataFrame:
    """The rate at two horizons along two assumptions."""
    rows = []
    for assumption, slope in (("odds_gone", -0.035), ("odds_heard", 0.022)):
        for value in (0.25, 0.5, 1.0, 2.0, 4.0):
            for horizon, rate in ((12, 0.8), (24, 0.7)):
                rows.append((group, assumption, value, horizon, rate + slope * np.log2(value) * horizon / 12, n))
    table = pd.DataFrame(rows, columns=["group", "assumption", "value", "horizon", "estimate", "n_start"])
    heard = np.where(table["assumption"].eq("odds_heard"), 0.6 + 0.09 * np.log2(table["value"]), 0.6)
    return table.assign(share_heard=heard, n_at_risk=(table["n_start"] * 0.5).astype(int))


def panel(n: int = 3500) -> pd.DataFrame:
    """The provincial rate under other settings of the study."""
    rows = [
        ("study", "as asked", 0.8, n), ("perimeter", "RMR-2016", 0.795, n - 4), ("perimeter", "CMM", 0.823, n + 160),
        ("scope", "any_region", 0.872, n), ("grace_days", "92", 0.788, n), ("grace_days", "366", 0.809, n),
        ("match_threshold", "0.5", 0.803, n - 11), ("match_threshold", "0.999", 0.782, n + 30),
        ("lost", "all_lost_left", 0.71, n), ("lost", "all_lost_stayed", 0.85, n),
        ("follow_up", "3, 6", 0.80, n), ("origin", "draw 1", 0.804, n), ("wide_starts", "draw 1", 0.792, n),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["setting", "value", "estimate", "n_start"])
    return table.assign(group="province", horizon=12, n_at_risk=n // 2, known="observed")


def stock() -> pd.DataFrame:
    """Persons living in a region by month, from certain to possible."""
    months = pd.date_range("2024-01-31", periods=4, freq="ME")
    return pd.DataFrame({
        "group": "05", "month": months, "persons_lower": [0, 4, 31, 40], "persons_upper": [3, 12, 44, 40],
        "households_lower": [0, 2, 15, 20], "households_upper": [2, 6, 20, 20],
    })  # fmt: skip


def delays() -> pd.DataFrame:
    """Persons who settled by month since their arrival, as counts: most in the first year."""
    month = np.arange(61)
    settled = np.r_[0, np.diff(np.round(300 * (1 - np.exp(-month / 12))))].astype(int)
    entered = np.where(month == 0, 310, 0)
    return pd.DataFrame({"group": "05", "month": month, "n_entry": entered, "n_censor": np.where(month == 60, 12, 0),
                         "n_exit_settled": settled})  # fmt: skip


def periods(rates: pd.DataFrame, horizon: int = 12) -> pd.DataFrame:
    """Those who settled lately, two fifths of them, three points above those who settled before."""
    main = rates[rates["method"].eq("main") & rates["horizon"].eq(horizon)]
    parts = []
    for part, share, by in (("recent", 0.4, 0.02), ("before", 0.6, -0.01)):
        n = (main["n_start"] * share).round().astype(int)
        parts.append(pd.DataFrame({
            "measure": "retention_by_period", "group": main["group"], "part": part,
            "since": pd.Timestamp("2023-04-01"), "horizon": horizon, "estimate": main["estimate"] + by, "se": 0.02,
            "lower": main["estimate"] + by - 0.04, "upper": main["estimate"] + by + 0.04, "n_start": n,
            "n_at_risk": (n * 0.6).astype(int), "n_households": n // 2, "known": main["known"],
            "change": np.where(main["group"].eq("05"), "up", "unclear"),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def write_regions(folder: Path, persons: dict[str, int] | None = None, **facts: object) -> Path:
    """The tables of an analysis of all regions (report_tables.py), each with a rate of its own."""
    persons = PERSONS if persons is None else persons
    written_once(f"tables of regions {persons}", lambda scratch: _write_regions(scratch, persons), folder)
    return write_facts(folder, **facts)


def _write_regions(folder: Path, persons: dict[str, int]) -> None:
    write_tables(folder, persons)
    power = {group: 0.7 + 0.09 * (place * 5 % 13) for place, group in enumerate(PERSONS)}
    power["11"], power["03"] = 2.6, 0.55
    for name, columns in {
        "retention": ("estimate", "lower", "upper", "range_lower", "range_upper"),
        "curves": ("survival", "lower", "upper", "lost_left", "lost_stayed"),
    }.items():
        table = pd.read_parquet(folder / f"{name}.parquet")
        by = table["group"].map(power).fillna(1.0)
        for column in columns:
            table[column] = table[column] ** by
        table.to_parquet(folder / f"{name}.parquet")
    exits = pd.read_parquet(folder / "exits.parquet")
    gone = exits.groupby(["group", "horizon"])["estimate"].transform("sum")
    more = (1 - (1 - gone) ** exits["group"].map(power).fillna(1.0)) / gone
    exits[["estimate", "lower", "upper"]] = exits[["estimate", "lower", "upper"]].mul(more, axis=0).clip(0, 1)
    exits.to_parquet(folder / "exits.parquet")


def write_everything(folder: Path, persons: dict[str, int] | None = None, **facts: object) -> Path:
    """Those of `write_regions`, and every other table that a page can show."""
    persons = PERSONS if persons is None else persons
    written_once(f"every table {persons}", lambda scratch: _write_everything(scratch, persons), folder)
    return write_facts(folder, **facts)


def _write_everything(folder: Path, persons: dict[str, int]) -> None:
    _write_regions(folder, persons)
    rates = pd.read_parquet(folder / "retention.parquet")
    made = {
        "typology_types": types(), "typology_states": states(), "typology_sequences": sequences(),
        "funnel": funnel(rates), "coefficients": coefficients(), "comparison": comparison(), "odds": scale(),
        "panel": panel(), "stock": stock(), "delay_curves": delays(), "associations": services_and_staying(),
        "leads": ranked_leads(every_table()),
        "periods": periods(rates),
        "shrunken": shrunken(rates[rates["method"].eq("main")]),
        "fits": pd.DataFrame({"model": ["cox"], "n_stays": [3143], "n_events": [702]}),
    }  # fmt: skip
    for name, table in made.items():
        table.to_parquet(folder / f"{name}.parquet")
