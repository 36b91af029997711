"""When: two distributions of a delay, which answer two questions.

`arrival_to_establishment`: of those who settled, how long had they been in Québec (since_arrival.py).
`first_contact_to_establishment`: of those met in the metropole, how many settle, and how soon (since_contact.py).
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..groups import members
from ..study import Study
from .since_arrival import distribution, since_arrival
from .since_contact import incidence, since_contact

SINCE_ARRIVAL, SINCE_CONTACT = "arrival_to_establishment", "first_contact_to_establishment"
# The methods of each measure, the main one first, and what is said of each.
METHODS = {
    SINCE_ARRIVAL: {
        "truncation": "among the established within the last month told, weighted back for the cut-off",
        "established": "among the established; recent arrivals show short delays only",
    },
    SINCE_CONTACT: {
        "to_cutoff": "no news is taken as not settled; the last months, where news may be missing, are left out",
        "last_evidence": "censored at the last evidence in the metropole: overstates",
    },
}
COLUMNS = (
    "measure", "method", "group", "month", "estimate", "se", "lower", "upper", "n_start", "n_risk", "n_left_out",
    "note",
)  # fmt: skip


def delays(
    cohort: pd.DataFrame,
    spells: pd.DataFrame,
    observations: pd.DataFrame,
    records: pd.DataFrame,
    *,
    cutoff: pd.Timestamp,
    study: Study | None = None,
    groups: Iterable[str] | None = None,
) -> pd.DataFrame:
    """
    The distribution of the delays, month by month.

    Parameters
    ----------
    cohort, spells, observations, records : DataFrame
        The tables of those names.
    cutoff : Timestamp
        The last day of observation.
    study : Study, optional
        Its horizons (the last one ends the curves), support and groups are used.
    groups : iterable of str, optional
        `province`, region codes, groups of the study.

    Returns
    -------
    DataFrame
        measure, method, group, month (0, 1 …), estimate (share settled by then, 0–1), se, lower, upper (95 %,
        clustered on households), n_start (persons), n_risk, n_left_out (persons of the group, or of all who were
        met, that are not used), note. A month with fewer than `support` at risk has no estimate; of `truncation`,
        none beyond the last month that has as many, and the estimate is 1 there.

    Examples
    --------
    >>> from trajectories import build_spells
    >>> from trajectories.services.example import example_tables
    >>> cohort, records, persons = example_tables()
    >>> lived, cohort = build_spells(records, persons), cohort.assign(years_since_arrival=[0.05, 0.12])
    >>> table = delays(cohort, lived.spells, lived.observations, records, cutoff=lived.cutoff, groups=["05"],
    ...                study=Study(support=1, horizons=(3,)))
    >>> table.loc[table["method"].eq("established"), "estimate"].tolist()  # by months 0 to 3
    [0.0, 0.5, 1.0, 1.0]
    """
    study = study or Study()
    asked = None if groups is None else tuple(groups)
    last = max(study.horizons)
    settled, met = since_arrival(cohort, records), since_contact(cohort, spells, observations, records, cutoff)
    kept = met[met["left_out"].isna()].reset_index(drop=True)
    found = []
    for group, chosen in members(settled, study, asked).items():
        rows = settled[chosen & settled["left_out"].isna().to_numpy()].drop_duplicates("person_id")
        n = {"n_start": len(rows), "n_left_out": settled.loc[chosen, "person_id"].nunique() - len(rows)}
        for method in METHODS[SINCE_ARRIVAL]:
            curve = distribution(rows, method, last, study.support)
            found.append(curve.assign(measure=SINCE_ARRIVAL, method=method, group=group, **n))
    n = {"n_start": len(kept), "n_left_out": len(met) - len(kept)}
    for group, here in members(kept, study, asked).items():
        for method in METHODS[SINCE_CONTACT]:
            curve = incidence(kept, here, method, last, study.support)
            found.append(curve.assign(measure=SINCE_CONTACT, method=method, group=group, **n))
    table = pd.concat(found, ignore_index=True)
    table["note"] = table["method"].map({name: note for notes in METHODS.values() for name, note in notes.items()})
    return table[list(COLUMNS)]
