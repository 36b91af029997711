"""The share of the true stays that lasted, known to anybody or not, beside what an estimate says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from trajectories import Study
from trajectories.months import months_between
from trajectories.retention import retention
from trajectories.study import SCOPES
from trajectories.tables import EXITS, PROVINCE

STILL_THERE = "still_there"


def realised_retention(truth, cutoff: pd.Timestamp, horizon: float) -> float:
    """Share of the true stays begun by the cut-off that last beyond a horizon (months); the dead as they would have."""
    stays = truth.stays
    return float((stays.loc[stays["establishment"] <= cutoff, "months"] > horizon).mean())


def realised(
    truth, months: Iterable[float], *, cutoff: pd.Timestamp, since: pd.Timestamp | None = None, scope: str = "region",
    among: Mapping[str, str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """
    Who is still there, and who has left for where: cause (`STILL_THERE` or an exit), month, share.

    Of the stays begun by `cutoff` and from `since` on, with the values of `among` in the columns of `truth.stays`; in
    the scope any_region a move from one region to another is no exit. Death only censors: those who die count by the
    length their stay would have had, and an exit that the death forestalled is shared out over the destinations as
    the others' by that month.
    """
    if scope not in SCOPES:
        raise ValueError(f"scope is {scope!r}: choose one of {', '.join(SCOPES)}.")
    stays = truth.stays if scope == "region" else _joined(truth.stays)
    chosen = stays["establishment"] <= cutoff
    if since is not None:
        chosen &= stays["establishment"] >= since
    for column, value in (among or {}).items():
        chosen &= stays[column].eq(value)
    lasted, cause = stays.loc[chosen, "months"], stays.loc[chosen, "exit_cause"]
    found = []
    for month in months:
        staying = float((lasted > month).mean())
        left = cause[lasted <= month].value_counts().reindex(EXITS[:3], fill_value=0)
        shares = (1 - staying) * left / max(int(left.sum()), 1)
        found += [(STILL_THERE, month, staying), *((exit_, month, float(share)) for exit_, share in shares.items())]
    return pd.DataFrame(found, columns=["cause", "month", "share"])


def _joined(stays: pd.DataFrame) -> pd.DataFrame:
    """Stays that follow each other from one region to the next as one, from the first's start to the last's end."""
    stays = stays.sort_values(["true_person", "episode"], ignore_index=True)
    before = stays.shift()
    goes_on = (
        stays["true_person"].eq(before["true_person"])
        & before["exit_cause"].eq("other_region")
        & stays["establishment"].eq(before["exit"])
    )
    first = stays[~goes_on].reset_index(drop=True)
    last = stays[~goes_on.shift(-1, fill_value=False)].reset_index(drop=True)
    until_last = months_between(first["establishment"], last["establishment"])
    exact = months_between(first["establishment"], last["exit"])
    return first.assign(
        exit=last["exit"], exit_cause=last["exit_cause"],
        months=np.where(last["exit"].notna(), exact, until_last + last["months"]),
    )  # fmt: skip


def retention_errors(
    cohort: pd.DataFrame, contacts: pd.DataFrame, truth, *, cutoff: pd.Timestamp, horizons: tuple[int, ...] = (12, 24)
) -> dict[str, float]:
    """The main estimate of the province and its error: s12, s12_realised, s12_error …"""
    study = replace(Study(), replicates=0, horizons=tuple(horizons))
    table = retention(cohort, contacts, study=study, groups=[PROVINCE])
    estimates = table[table["method"].eq("main")].set_index("horizon")["estimate"]
    return errors({horizon: float(estimates[horizon]) for horizon in horizons}, truth, cutoff)


def errors(estimates: dict[int, float], truth, cutoff: pd.Timestamp) -> dict[str, float]:
    """Estimates of retention by horizon beside what was realised, as `retention_errors` returns them."""
    found = {}
    for horizon, estimate in estimates.items():
        true = realised_retention(truth, cutoff, horizon)
        found |= {f"s{horizon}": estimate, f"s{horizon}_realised": true, f"s{horizon}_error": estimate - true}
    return found
