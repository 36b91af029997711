"""The indicators of the regions in one tidy table, for a dashboard: a row an indicator, a place and a horizon or year.

They are numbers of the published tables, nothing more, each with its unit, its limits, whether and why it is not told,
and its definition (lever 3.4 of the Plan d'action: follow what becomes of those who settle en région).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..disclosure import Protected
from ..disclosure.displayed import beside_targets
from ..study import REGION_CODES, Study
from ..tables import PROVINCE
from .labelled import HIDDEN, PUBLISHED, RANGE, Sheet, sheet
from .run import Run
from .words import Words

NAME = "indicators"
COLUMNS = (
    "indicator", "group", "place_kind", "cutoff", "fiscal_year", "horizon", "value", "lower", "upper", "unit", "status",
    "why", "known", "definition", "source",
)  # fmt: skip
PROPORTION, MONTHS, PERSONS, HOUSEHOLDS, MOVES = "proportion", "months", "persons", "households", "moves_per_person"
UNITS = {
    "retention": PROPORTION, "retention_drawn": PROPORTION, "exit_metropole": PROPORTION,
    "exit_other_region": PROPORTION, "exit_outside_quebec": PROPORTION, "mean_months": MONTHS,
    "moves_per_person": MOVES, "settled_for_good": PROPORTION, "persons_settled": PERSONS,
    "households_settled": HOUSEHOLDS, "households_settled_year": HOUSEHOLDS, "households_target": HOUSEHOLDS,
    "target_reached": PROPORTION, "persons_present": PERSONS,
}  # fmt: skip


def indicators(sheets: Mapping[str, Sheet], counts: Protected | None, words: Words, run: Run) -> Sheet:
    """
    The indicators of every place, from the sheets that there are.

    Parameters
    ----------
    sheets : mapping of str to Sheet
        What `labelled` made of each table; those that a study has not are left out.
    counts : Protected, optional
        For targets: the counts by fiscal year.
    words : Words
    run : Run
    """
    parts = [made for name in _MAKERS if name in sheets for made in _MAKERS[name](sheets[name].rows)]
    if counts is not None:
        parts += _targets(counts, run)
    # as objects: of a column that is all missing in a part no type is known
    frame = pd.concat([part.reindex(columns=COLUMNS).astype("object") for part in parts], ignore_index=True)
    numbers = ["horizon", "value", "lower", "upper"]
    frame[numbers] = frame[numbers].astype("Float64")
    frame["unit"] = frame["indicator"].map(UNITS)
    frame["source"] = "synthetic" if run.synthetic else "deposits"
    frame["cutoff"] = run.cutoff.isoformat()
    frame["place_kind"] = frame["group"].map(_place_kind)
    frame["definition"] = frame["indicator"].map({name: words.say(f"defined.{name}") for name in UNITS})
    order = pd.DataFrame({
        "indicator": frame["indicator"].map(list(UNITS).index), "place": frame["group"].eq(PROVINCE),
        "group": frame["group"], "fiscal_year": frame["fiscal_year"].fillna(""), "horizon": frame["horizon"],
    })  # fmt: skip
    frame = frame.loc[order.sort_values(list(order), kind="stable").index]
    return sheet(NAME, frame.astype({"horizon": "Int64"}), words, run)


def _place_kind(group: str) -> str:
    return "province" if group == PROVINCE else "region" if group in REGION_CODES else "group"


def _rates(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Estimate and limits; where a range stands for them, its ends."""
    ranged = rows["status"].eq(RANGE)
    low, high = (rows[end].where(ranged, rows[limit]) if end in rows else rows[limit]
                 for end, limit in (("at_least", "lower"), ("at_most", "upper")))  # fmt: skip
    return rows.assign(indicator=name, value=rows["estimate"], lower=low, upper=high)


def _retention(rows: pd.DataFrame) -> list[pd.DataFrame]:
    return [_rates("retention", rows[rows["method"].eq("main")])]


def _drawn(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Where the rate is told exactly; a range stands in the indicator of the rate itself."""
    shrunken = {"shrunken": "value", "shrunken_lower": "lower", "shrunken_upper": "upper"}
    told = rows.drop(columns=["lower", "upper"]).rename(columns=shrunken)
    ranged = told["status"].eq(RANGE)
    told = told.assign(status=told["status"].where(~ranged, HIDDEN), why=told["why"].where(~ranged, HIDDEN))
    return [told.assign(indicator="retention_drawn")]


def _exits(rows: pd.DataFrame) -> list[pd.DataFrame]:
    return [_rates(f"exit_{cause}", part) for cause, part in rows.groupby("cause", sort=False)]


def _bracket(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(indicator=name, value=float("nan"), lower=rows["at_least"], upper=rows["at_most"])


def _present(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """On the last day of the data."""
    return [_bracket("persons_present", rows[rows["month"].eq(rows["month"].max())])]


def _settled(rows: pd.DataFrame) -> list[pd.DataFrame]:
    stays = rows[rows["table"].eq("stays")]
    found = [stays.assign(indicator=f"{unit}_settled", value=stays[unit]) for unit in (PERSONS, HOUSEHOLDS)]
    years = rows[rows["table"].eq("fiscal_year")]
    found += [years.assign(indicator="households_settled_year", value=years[HOUSEHOLDS], fiscal_year=years["key"])]
    return [_hidden_where_missing(part) for part in found]


def _hidden_where_missing(rows: pd.DataFrame) -> pd.DataFrame:
    missing = rows["value"].isna()
    return rows.assign(status=rows["status"].where(~missing, HIDDEN), why=rows["why"].where(~missing, HIDDEN))


_MAKERS = {
    "retention": _retention,
    "drawn": _drawn,
    "exits": _exits,
    "restricted_time": lambda rows: [_rates("mean_months", rows)],
    "moves_per_person": lambda rows: [_bracket("moves_per_person", rows)],
    "settled": lambda rows: [_rates("settled_for_good", rows)],
    "counts": _settled,
    "stock": _present,
}


def _targets(counts: Protected, run: Run) -> list[pd.DataFrame]:
    """The target of each place and year that has one, and how far it is reached where that may be told."""
    told = beside_targets(counts, Study(targets=run.targets, groups=run.groups))
    told = told[told["target"].gt(0).fillna(False)].assign(status=PUBLISHED, why=None)
    reached = told["reached_percent"].astype("Float64") / 100
    return [
        told.assign(indicator="households_target", value=told["target"]),
        _hidden_where_missing(told.assign(indicator="target_reached", value=reached)),
    ]
