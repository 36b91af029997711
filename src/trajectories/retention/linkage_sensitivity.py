"""Sensitivity of retention to the linkage: other thresholds, and links drawn at random.

The linkage threshold determines the persons, hence the spells, the cohort and every estimate. Everything after the
linkage is computed again at a lower and a higher threshold than the study's (`persons.LOOSE`, `persons.STRICT`), and
for draws in which each pair is linked with its match probability (`persons.drawn_thresholds`). Only the main estimate
is computed, without limits: the question is how far it moves. The draws are joined by Rubin's rules: their mean, and
an interval from their spread.

Everything from spells to cohort is per person, so only the persons that the other threshold joins or parts are
reconstructed again. All groups are estimated again: a region may rest on how departures become known in the province.

Nothing here may be shown before `protect`: the three cohorts are nearly the same persons (disclosure/rates.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from ..groups import members
from ..stays.cohort import Cohort, build_cohort
from ..stays.contacts import last_deposits
from ..stays.spells import build_spells, cutoff_of
from ..study import Study
from ..tables import COHORT, CONTACTS, stack
from . import estimate
from .model_input import stays_that_enter

LOOSER, OWN, STRICTER = "loose", "study", "strict"
DRAWN = {"drawn_low": -1.0, "drawn_high": 1.0}  # the ends of the interval over the draws
COLUMNS = (
    "group", "threshold", "setting", "horizon", "estimate", "n_start", "n_at_risk", "n_confirmed", "known", "persons",
    "households",
)  # fmt: skip


def linkage_sensitivity(
    records: pd.DataFrame,
    persons: pd.DataFrame,
    alternatives: pd.DataFrame,
    *,
    study: Study,
    cohort: Cohort | None = None,
    retention: pd.DataFrame | None = None,
    deposits: pd.Series | None = None,
) -> pd.DataFrame:
    """
    The main estimate of the province and of each region at the study's threshold, below it and above it.

    Parameters
    ----------
    records, persons, alternatives : DataFrame
        The tables `records`, `persons` (at the study's threshold) and `alternatives` (persons at other thresholds and
        in draws).
    study : Study
        Its match_threshold, horizons, support and pathway are used.
    cohort : Cohort, optional
        The cohort at the study's threshold; made from the records where not given.
    retention : DataFrame, optional
        The table `retention` estimated from that cohort; estimated where not given.
    deposits : Series, optional
        When each organisation stopped depositing (`last_deposits`); needed where the three tables hold only the
        records of `moved_records` (with `cohort` given and a study with a cut-off).

    Returns
    -------
    DataFrame
        group, threshold (probability; missing for draws), setting (loose, study, strict; drawn_low, drawn_high: the
        ends of a 95 % interval for the uncertainty of the linkage), horizon (months), estimate (rate in 0–1),
        n_start, n_at_risk, n_confirmed (stays; the fewest of the draws), known, persons, households (behind the stays
        of the group).

    References
    ----------
    Rubin 1987, Multiple Imputation for Nonresponse in Surveys, chapter 3 (between-draw variance, t with m − 1 degrees).
    """
    study = replace(study, replicates=0, cutoff=cutoff_of(study, records).date())
    deposits = last_deposits(records) if deposits is None else deposits
    study_cohort = cohort or _build_cohort(records, persons, study, deposits)
    if retention is None:
        retention = estimate(study_cohort.cohort, study_cohort.contacts, study=study, companions=False).retention
    main = retention[retention["method"].eq("main")]
    tables = [_rows(main, study_cohort.cohort, study, study.match_threshold, OWN)]
    draws: list[pd.DataFrame] = []
    for (threshold, draw), linked in _by_threshold(alternatives):
        rebuilt = _rebuilt_cohort(study_cohort, records, persons, linked, study, deposits)
        rates = main
        if rebuilt is not study_cohort:
            rates = estimate(rebuilt.cohort, rebuilt.contacts, study=study, companions=False).retention
        setting = LOOSER if threshold < study.match_threshold else STRICTER
        (tables if pd.isna(draw) else draws).append(_rows(rates, rebuilt.cohort, study, threshold, setting))
    if len(draws) > 1:
        tables += _joined(pd.concat(draws, ignore_index=True), len(draws))
    table = pd.concat(tables, ignore_index=True)
    return table.sort_values(["group", "horizon", "threshold"], ignore_index=True)[list(COLUMNS)]


def moved_records(persons: pd.DataFrame, alternatives: pd.DataFrame) -> pd.Series:
    """
    Which records belong to a person whose records differ at some threshold of the alternatives.

    Parameters
    ----------
    persons, alternatives : DataFrame
        record_id, person_id and household_id; of `alternatives` also threshold and, where there, draw.

    Returns
    -------
    Series of bool
        By record_id, in the order of `persons`. All records of these persons are included, at every threshold.

    Examples
    --------
    >>> persons = pd.DataFrame({"record_id": list("123"), "person_id": list("aab"), "household_id": list("hhi")})
    >>> looser = persons.assign(threshold=0.5, person_id=list("aac"))
    >>> moved_records(persons, looser).tolist()
    [False, False, True]
    """
    is_moved = pd.Series(False, index=persons["record_id"])
    for _, linked in _by_threshold(alternatives):
        is_moved |= _changed_records(persons, linked)[0]
    return is_moved


def _by_threshold(alternatives: pd.DataFrame) -> Iterable[tuple[tuple, pd.DataFrame]]:
    """The persons at each threshold, then in each draw."""
    if "draw" not in alternatives:
        alternatives = alternatives.assign(draw=pd.NA)
    return alternatives.groupby(["threshold", "draw"], dropna=False, sort=True)


def _joined(draws: pd.DataFrame, m: int) -> list[pd.DataFrame]:
    """Interval of each rate over m draws (Rubin 1987), with the smallest counts of any draw."""
    from scipy.stats import t

    keys = ["group", "horizon"]
    counts = ["n_start", "n_at_risk", "n_confirmed", "persons", "households"]
    groups = draws.groupby(keys, sort=False)
    rates = groups["estimate"].agg(["mean", "std", "count"]).reset_index()
    least = draws.loc[draws["known"].eq("insufficient"), keys].drop_duplicates()
    weak = pd.MultiIndex.from_frame(rates[keys]).isin(pd.MultiIndex.from_frame(least))
    first = groups["known"].first().reset_index()["known"].where(~weak, "insufficient")
    reach = t.ppf(0.975, m - 1) * np.sqrt(1 + 1 / m) * rates["std"]
    rows = rates[keys].join(groups[counts].min().reset_index()[counts]).assign(known=first, threshold=np.nan)
    in_all_draws = rates["count"].eq(m)
    return [
        rows.assign(setting=setting, estimate=(rates["mean"] + side * reach).clip(0.0, 1.0).where(in_all_draws))
        for setting, side in DRAWN.items()
    ]


def _changed_records(persons: pd.DataFrame, linked: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
    """Which records are of persons that gain or lose a record; the persons before and after, by record."""
    keys = ["person_id", "household_id"]
    before = persons.set_index("record_id")[keys]
    after = linked.set_index("record_id")[keys].reindex(before.index)
    differs = before.ne(after).any(axis=1)
    # all records of these persons, on both sides
    of_changed = before["person_id"].isin(before.loc[differs, "person_id"])
    return of_changed | after["person_id"].isin(after.loc[differs, "person_id"]), before, after


def _build_cohort(records: pd.DataFrame, persons: pd.DataFrame, study: Study, deposits: pd.Series) -> Cohort:
    """The cohort from persons, by way of the spells."""
    residences = build_spells(records, persons, study=study)
    return build_cohort(residences, records, persons, study=study, deposits=deposits)


def _rebuilt_cohort(
    study_cohort: Cohort,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    linked: pd.DataFrame,
    study: Study,
    deposits: pd.Series,
) -> Cohort:
    """The cohort at another threshold; the same object where no person changes."""
    is_changed, before, after = _changed_records(persons, linked)
    if not is_changed.any():
        return study_cohort
    gone = before.loc[is_changed, "person_id"]
    part = records[records["record_id"].isin(is_changed.index[is_changed])].reset_index(drop=True)
    rebuilt = _build_cohort(part, after[is_changed].reset_index(), study, deposits)
    stays, contacts = (frame["person_id"].isin(gone) for frame in (study_cohort.cohort, study_cohort.contacts))
    return Cohort(
        stack([study_cohort.cohort[~stays], rebuilt.cohort], COHORT).sort_values(
            ["person_id", "episode"], ignore_index=True
        ),
        stack([study_cohort.contacts[~contacts], rebuilt.contacts], CONTACTS),
    )


def _rows(rates: pd.DataFrame, cohort: pd.DataFrame, study: Study, threshold: float, setting: str) -> pd.DataFrame:
    """The rates of one threshold, with the numbers of persons and households of each group."""
    stays = stays_that_enter(cohort, study)
    behind = {
        group: stays.loc[chosen, ["person_id", "household_id"]].nunique().to_numpy()
        for group, chosen in members(stays, study).items()
    }
    behind = pd.DataFrame.from_dict(behind, orient="index", columns=["persons", "households"])
    counted = behind.reindex(rates["group"], fill_value=0).reset_index(drop=True)
    rates = rates[[name for name in COLUMNS if name in rates]].reset_index(drop=True)
    return rates.join(counted).assign(threshold=threshold, setting=setting)
