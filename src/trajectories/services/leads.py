"""Improvement leads: what the rules found, in one order, a few for each place.

A lead is a place to look, with a figure, how sure it is, what would check it and what it may be instead. Where no rule
holds there is no lead; that is an answer as well.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..study import METROPOLITAN_REGIONS, REGION_CODES
from ..tables import PROVINCE
from .rules import COLUMNS, EVIDENCE, RULES, Tables
from .tidy import TOO_FEW

# A list that nobody reads to the end helps nobody.
MOST = 8
LEAD_COLUMNS = ("group", "rank", "rule", "kind", *COLUMNS[1:], "note")


def ranked_leads(tables: Tables) -> pd.DataFrame:
    """
    The leads of a run, strongest first.

    Parameters
    ----------
    tables : mapping of name to DataFrame
        Of `service_expected`, `service_needs`, `service_follow_up`, `service_reasons`, `service_reach` and
        `associations` those there are.

    Returns
    -------
    DataFrame
        In the order of evidence (strong, moderate, weak, to_watch), then of the rules, then of the households beyond
        what was expected; at most 8 a group.

        - group (where: `province`, a region code, `column=value`), rank (in the group, from 1), rule, kind (`gap`,
          `association`), subject (the service, need or reason; else what the rule is of)
        - households (whom it touches), measure, horizon (months; days of `transfers_expected`), estimate with se,
          lower, upper (a share missed, 0–1; of an association the hazard ratio), expected (what the rest of the
          province would predict; missing where there is no rest), ratio (estimate over expected; of a hazard ratio its
          inverse)
        - n_start, n_at_risk, p_value, adjusted_p (over all that the rule looked at), evidence, method
        - note: None; `too_few_households`: a row of a region (rank 0, no rule) that no rule could look at

        Groups of regions that a study names have no leads: those of their regions are theirs. Nor have periods, of
        which nothing can be improved any more.

    Examples
    --------
    >>> needs = pd.DataFrame({
    ...     "group": "province", "need": ["job", "housing"], "measure": "need_without_service", "horizon": 6.0,
    ...     "estimate": [0.6, 0.2], "se": 0.03, "lower": [0.54, 0.15], "upper": [0.66, 0.26], "n_start": 250,
    ...     "n_at_risk": 250, "households": [150, 50], "method": "whole_window"})
    >>> found = ranked_leads({"service_needs": needs})
    >>> found.loc[found["note"].isna(), ["group", "rank", "rule", "subject", "evidence"]].values.tolist()
    [['province', 1, 'needs_stay_unanswered', 'job', 'strong']]
    >>> len(ranked_leads({}))
    0
    """
    tables = {name: _of_places(table) for name, table in tables.items()}
    frames = []
    for place, (name, (rule, kind)) in enumerate(RULES.items()):
        frames.append(rule(tables).assign(rule=name, kind=kind, _place=place))
    # as objects: of a rule that found nothing no type is known
    found = pd.concat([frame.astype("object") for frame in frames], ignore_index=True)
    found = found.astype(dict.fromkeys(
        ("households", "horizon", "estimate", "se", "lower", "upper", "expected", "ratio", "p_value", "adjusted_p"),
        "float64",
    ))  # fmt: skip
    beyond = found["households"] * (1 - 1 / found["ratio"]).clip(lower=0).fillna(1)
    found = found.assign(_evidence=found["evidence"].map(EVIDENCE.index), _beyond=-beyond.fillna(0))
    found = found.sort_values(["_evidence", "_place", "_beyond", "group", "subject"], kind="stable")
    found["rank"] = found.groupby("group").cumcount() + 1
    found = found[found["rank"] <= MOST].reset_index(drop=True)
    counts = dict.fromkeys(("n_start", "n_at_risk", "households"), "Int64")
    whole = {name: np.round(found[name].astype("float64")) for name in counts}
    found = found.assign(**whole, note=None).astype({**counts, "rank": "int64"})
    return pd.concat([found, _not_looked_at(tables)], ignore_index=True)[list(LEAD_COLUMNS)].astype(
        found.dtypes[[name for name in LEAD_COLUMNS if name in found]]
    )


def _of_places(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the province, the regions and the categories; of a table without groups, all."""
    if "group" not in table:
        return table
    group = table["group"].astype(str)
    return table[group.isin([PROVINCE, *REGION_CODES]) | group.str.startswith("immigration_category=")]


def _not_looked_at(tables: Tables) -> pd.DataFrame:
    """A row for each region of which no table says anything that a rule could use."""
    looked = set()
    for name in ("service_expected", "service_needs", "service_follow_up"):
        table = tables.get(name)
        if table is not None and len(table):
            looked |= set(table.loc[table["estimate"].notna(), "group"])
    codes = [code for code in REGION_CODES if code not in METROPOLITAN_REGIONS and code not in looked]
    return pd.DataFrame({"group": codes if looked else [], "rank": 0, "note": TOO_FEW})
