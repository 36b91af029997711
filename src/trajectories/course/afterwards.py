"""What is known of where persons went on to after a stay: months spent in each state, and moves between states."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..months import months_between
from ..reported import CAUSES
from ..study import Study
from ..tables import METROPOLE, OUTSIDE_QUEBEC, REGION

# The region of the stay, then the destinations in the order of the estimator's causes.
STATES = ("this_region", *CAUSES)


def rates_after(stays: pd.DataFrame, spells: pd.DataFrame, replicates: int, study: Study) -> np.ndarray:
    """
    Monthly rates of moving between states after an exit: the estimate, then each resample of households.

    Parameters
    ----------
    stays : DataFrame
        Rows of the table cohort.
    spells : DataFrame
        The table of that name.
    replicates : int
        Resamples beside the estimate.
    study : Study
        Its seed and scope are used.

    Returns
    -------
    array of shape (1 + replicates, states, states)
        Rates off the diagonal (moves over person-months), minus their sum on it; a state nobody was in is not left.
    """
    rows = episodes_after(stays, spells, study.scope)
    size = len(STATES)
    household, codes = np.unique(stays["household_id"].to_numpy(dtype=object), return_inverse=True)
    owner = pd.Series(codes, index=stays["household_id"]).groupby(level=0).first().reindex(rows["household_id"])
    months, moved = np.zeros((len(household), size)), np.zeros((len(household), size, size))
    at = owner.to_numpy(dtype=np.int64)
    state, goes_to = rows["state"].to_numpy(dtype=np.int64), rows["goes_to"].to_numpy(dtype=np.int64)
    np.add.at(months, (at, state), rows["months"].to_numpy(dtype=float))
    goes = goes_to >= 0
    np.add.at(moved, (at[goes], state[goes], goes_to[goes]), 1.0)
    weights = np.ones((1, len(household)))
    if replicates:
        rng = np.random.default_rng([study.seed, len(household)])
        drawn = rng.multinomial(len(household), np.full(len(household), 1 / len(household)), size=replicates)
        weights = np.vstack([weights, drawn])
    exposure = weights @ months
    counts = (weights @ moved.reshape(len(household), -1)).reshape(-1, size, size)
    rates = np.divide(counts, exposure[..., None], out=np.zeros_like(counts), where=exposure[..., None] > 0)
    rates[:, range(size), range(size)] = -rates.sum(axis=2)
    return rates


def episodes_after(stays: pd.DataFrame, spells: pd.DataFrame, scope: str) -> pd.DataFrame:
    """
    One row for each spell after the end of a stay: household_id, state (place in `STATES`), months, goes_to.

    goes_to is the state of the next spell, −1 where the spell ended in no known place, or is not known to have ended.
    A spell counts from its first day certain to the middle of its end, or, open, to the cut-off: no news is taken as no
    move. (Followed to the last day seen, those who move on would be nearly all who are seen: in the sample, 24 months
    on, .026 too many were back in the region.) A spell in an unknown place says nothing. Where a person has several
    stays, what comes after the next one is of that one.
    """
    spells = spells.reset_index(drop=True)
    inside, before = spells["zone"].eq(REGION), spells.shift()
    goes_on = inside & spells["person_id"].eq(before["person_id"]) & before["zone"].eq(REGION)
    goes_on &= ~before["outcome"].eq("left")
    if scope == "region":
        goes_on &= spells["region"].eq(before["region"])
    run = (~goes_on).cumsum()
    first = spells.assign(run=run)[inside & ~goes_on].rename(columns={"region": "of_region"})
    about = stays.rename(
        columns={
            "region": "of_region",
            "establishment_earliest": "start_earliest",
            "establishment_latest": "start_latest",
        }
    )
    about = about[about["exit"].isin(CAUSES)]
    keys = ["person_id", "of_region", "start_earliest", "start_latest"]
    mine = about[[*keys, "household_id", "cutoff"]].merge(first[[*keys, "run"]], on=keys)
    end = spells["end_earliest"] + (spells["end_latest"] - spells["end_earliest"]) / 2
    end = end.fillna(spells["end_latest"]).where(spells["outcome"].isin(["moved", "left", "deceased"]))
    following = spells.shift(-1)
    later = spells[["person_id", "zone", "region", "start_latest", "outcome"]].assign(
        run=run, end=end, next_zone=following["zone"], next_region=following["region"]
    )
    pairs = mine.merge(later, on="person_id", suffixes=("", "_later"))
    pairs = pairs[pairs["run_later"] > pairs["run"]]
    # each spell is of the last stay that ended before it
    pairs = pairs[pairs["run"].eq(pairs.groupby(["person_id", "run_later"])["run"].transform("max"))]
    state = _states(pairs["zone"], pairs["region"], pairs["of_region"], scope)
    goes_to = _states(pairs["next_zone"], pairs["next_region"], pairs["of_region"], scope)
    goes_to = np.where(pairs["outcome"].eq("moved") & (goes_to != state), goes_to, -1)
    begun, ended = (months_between(pairs["start_latest"], pairs[name]) for name in ("start_latest_later", "end"))
    months = np.nan_to_num(np.where(np.isnan(ended), pairs["cutoff"].to_numpy(dtype=float), ended) - begun)
    found = pd.DataFrame({
        "household_id": pairs["household_id"].to_numpy(), "state": state, "months": np.maximum(months, 0),
        "goes_to": goes_to,
    })  # fmt: skip
    return found[found["state"] >= 0].reset_index(drop=True)


def _states(zone: pd.Series, region: pd.Series, here: pd.Series, scope: str) -> np.ndarray:
    """The place of each residence in `STATES`; −1 where it is not known."""
    back = zone.eq(REGION) & (region.eq(here) | (scope == "any_region"))
    known = [back, zone.eq(METROPOLE), zone.eq(REGION) & region.notna(), zone.eq(OUTSIDE_QUEBEC)]
    return np.select([flag.to_numpy(dtype=bool) for flag in known], [0, 1, 2, 3], -1)
