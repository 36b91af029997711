"""What retention becomes if more files, or fewer, are taken to be of one person.

From the threshold on which two files are one person follow the persons, hence the spells, the cohort and every
estimate. The line after the linkage is walked again at a lower and at a higher threshold than the study's
(`persons.LOOSE`, `persons.STRICT`: between them lies what the choice can change), for the main estimate alone and
without limits: what is looked for is how far the estimate moves, not how sure it is.

Everything from spells to cohort is per person, so only the persons that the other threshold joins or parts are
reconstructed again. All groups are estimated again: a region may rest on how departures become known in the province.

Nothing here may be shown before `protect`: the three cohorts are nearly the same persons (disclosure/thresholds.py).
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from .cohort import Cohort, build_cohort
from .contacts import last_deposits
from .groups import members
from .reported import stays_that_enter
from .retention import estimate
from .spells import build_spells, cutoff_of
from .study import Study
from .tables import COHORT, CONTACTS, stack

LOOSER, OWN, STRICTER = "loose", "study", "strict"
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
        group, threshold (probability), setting (loose, study, strict), horizon (months), estimate (rate in 0–1),
        n_start, n_at_risk, n_confirmed (stays), known, persons, households (behind the stays of the group).
    """
    study = replace(study, replicates=0, cutoff=cutoff_of(study, records).date())
    deposits = last_deposits(records) if deposits is None else deposits
    own = cohort or _drawn(records, persons, study, deposits)
    if retention is None:
        retention = estimate(own.cohort, own.contacts, study=study, companions=False).retention
    main = retention[retention["method"].eq("main")]
    found = [_rows(main, own.cohort, study, study.match_threshold, OWN)]
    for threshold, others in alternatives.groupby("threshold", sort=True):
        made = _redrawn(own, records, persons, others, study, deposits)
        rates = main
        if made is not own:
            rates = estimate(made.cohort, made.contacts, study=study, companions=False).retention
        setting = LOOSER if threshold < study.match_threshold else STRICTER
        found.append(_rows(rates, made.cohort, study, threshold, setting))
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
    for _, others in alternatives.groupby("threshold", sort=True):
        found |= _again(persons, others)[0]
    return found


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
