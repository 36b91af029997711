"""What retention becomes if more files, or fewer, or others, are taken to be of one person.

From the threshold on which two files are one person follow the persons, hence the spells, the cohort and every
estimate. The line after the linkage is walked again at a lower and at a higher threshold than the study's
(`persons.LOOSE`, `persons.STRICT`: between them lies what the choice can change), and where who is who is drawn, each
pair being linked as often as it is probable (`persons.drawn_thresholds`). It is walked for the main estimate alone and
without limits: what is looked for is how far the estimate moves, not how sure it is. The draws are joined by Rubin's
rules: their mean, and on both sides what their spread makes uncertain.

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
DRAWN = {"drawn_low": -1.0, "drawn_high": 1.0}  # the ends of what the draws leave uncertain
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
        The tables of those names: `persons` is who is who at the study's threshold, `alternatives` at the others.
    study : Study
        Its match_threshold, horizons, support and pathway are used.
    cohort : Cohort, optional
        The cohort at the study's threshold; made from the records where not given.
    retention : DataFrame, optional
        The table `retention` estimated from that cohort; estimated where not given.
    deposits : Series, optional
        When each organisation stopped to deposit (`last_deposits`), where the three tables are only those of
        `moved_records`, and the study says the cut-off: with the cohort that is enough.

    Returns
    -------
    DataFrame
        group, threshold (probability; missing for draws), setting (loose, study, strict; drawn_low, drawn_high: the
        ends of an interval of 95 % for what who is who leaves uncertain), horizon (months), estimate (rate in 0–1),
        n_start, n_at_risk, n_confirmed (stays; the fewest of the draws), known, persons, households (behind the stays
        of the group).

    References
    ----------
    Rubin 1987, Multiple Imputation for Nonresponse in Surveys, chapter 3 (between-draw variance, t with m − 1 degrees).
    """
    study = replace(study, replicates=0, cutoff=cutoff_of(study, records).date())
    deposits = last_deposits(records) if deposits is None else deposits
    own = cohort or _drawn(records, persons, study, deposits)
    if retention is None:
        retention = estimate(own.cohort, own.contacts, study=study, companions=False).retention
    main = retention[retention["method"].eq("main")]
    found = [_rows(main, own.cohort, study, study.match_threshold, OWN)]
    draws: list[pd.DataFrame] = []
    for (threshold, draw), others in _each(alternatives):
        made = _redrawn(own, records, persons, others, study, deposits)
        rates = main
        if made is not own:
            rates = estimate(made.cohort, made.contacts, study=study, companions=False).retention
        setting = LOOSER if threshold < study.match_threshold else STRICTER
        (found if pd.isna(draw) else draws).append(_rows(rates, made.cohort, study, threshold, setting))
    if len(draws) > 1:
        found += _joined(pd.concat(draws, ignore_index=True), len(draws))
    table = pd.concat(found, ignore_index=True)
    return table.sort_values(["group", "horizon", "threshold"], ignore_index=True)[list(COLUMNS)]


def moved_records(persons: pd.DataFrame, alternatives: pd.DataFrame) -> pd.Series:
    """
    Which records are of a person that is another one at some threshold of the alternatives.

    Parameters
    ----------
    persons, alternatives : DataFrame
        The tables of those names.

    Returns
    -------
    Series of bool
        By record_id, in the order of `persons`. The persons of these records are whole, here and at every threshold.

    Examples
    --------
    >>> persons = pd.DataFrame({"record_id": list("123"), "person_id": list("aab"), "household_id": list("hhi")})
    >>> looser = persons.assign(threshold=0.5, person_id=list("aac"))
    >>> moved_records(persons, looser).tolist()
    [False, False, True]
    """
    found = pd.Series(False, index=persons["record_id"])
    for _, others in _each(alternatives):
        found |= _again(persons, others)[0]
    return found


def _each(alternatives: pd.DataFrame) -> Iterable[tuple[tuple, pd.DataFrame]]:
    """Who is who at each threshold, then in each draw."""
    if "draw" not in alternatives:
        alternatives = alternatives.assign(draw=pd.NA)
    return alternatives.groupby(["threshold", "draw"], dropna=False, sort=True)


def _joined(draws: pd.DataFrame, m: int) -> list[pd.DataFrame]:
    """The ends of what m draws leave uncertain of each rate (Rubin 1987), on the fewest that any of them rests on."""
    from scipy.stats import t

    keys = ["group", "horizon"]
    counts = ["n_start", "n_at_risk", "n_confirmed", "persons", "households"]
    of = draws.groupby(keys, sort=False)
    rates = of["estimate"].agg(["mean", "std", "count"]).reset_index()
    least = draws.loc[draws["known"].eq("insufficient"), keys].drop_duplicates()
    weak = pd.MultiIndex.from_frame(rates[keys]).isin(pd.MultiIndex.from_frame(least))
    first = of["known"].first().reset_index()["known"].where(~weak, "insufficient")
    reach = t.ppf(0.975, m - 1) * np.sqrt(1 + 1 / m) * rates["std"]
    made = rates[keys].join(of[counts].min().reset_index()[counts]).assign(known=first, threshold=np.nan)
    whole = rates["count"].eq(m)
    return [
        made.assign(setting=setting, estimate=(rates["mean"] + side * reach).clip(0.0, 1.0).where(whole))
        for setting, side in DRAWN.items()
    ]


def _again(persons: pd.DataFrame, others: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
    """The records of whoever gains or loses one, on both sides; who is who here and there, by record."""
    who = ["person_id", "household_id"]
    here = persons.set_index("record_id")[who]
    there = others.set_index("record_id")[who].reindex(here.index)
    moved = here.ne(there).any(axis=1)
    # the persons of these records are then whole on both sides
    again = here["person_id"].isin(here.loc[moved, "person_id"])
    return again | there["person_id"].isin(there.loc[moved, "person_id"]), here, there


def _drawn(records: pd.DataFrame, persons: pd.DataFrame, study: Study, deposits: pd.Series) -> Cohort:
    """The line from persons to stays."""
    residences = build_spells(records, persons, study=study)
    return build_cohort(residences, records, persons, study=study, deposits=deposits)


def _redrawn(
    own: Cohort, records: pd.DataFrame, persons: pd.DataFrame, others: pd.DataFrame, study: Study, deposits: pd.Series
) -> Cohort:
    """The cohort at another threshold; the very same one where no person is another."""
    again, here, there = _again(persons, others)
    if not again.any():
        return own
    gone = here.loc[again, "person_id"]
    part = records[records["record_id"].isin(again.index[again])].reset_index(drop=True)
    drawn = _drawn(part, there[again].reset_index(), study, deposits)
    stays, contacts = (frame["person_id"].isin(gone) for frame in (own.cohort, own.contacts))
    return Cohort(
        stack([own.cohort[~stays], drawn.cohort], COHORT).sort_values(["person_id", "episode"], ignore_index=True),
        stack([own.contacts[~contacts], drawn.contacts], CONTACTS),
    )


def _rows(rates: pd.DataFrame, cohort: pd.DataFrame, study: Study, threshold: float, setting: str) -> pd.DataFrame:
    """The rates of one threshold, with how many persons and households stand behind each group."""
    stays = stays_that_enter(cohort, study)
    behind = {
        group: stays.loc[chosen, ["person_id", "household_id"]].nunique().to_numpy()
        for group, chosen in members(stays, study).items()
    }
    behind = pd.DataFrame.from_dict(behind, orient="index", columns=["persons", "households"])
    counted = behind.reindex(rates["group"], fill_value=0).reset_index(drop=True)
    rates = rates[[name for name in COLUMNS if name in rates]].reset_index(drop=True)
    return rates.join(counted).assign(threshold=threshold, setting=setting)
