"""A province of households that the metropole prepared, as tables: for tests of what is found where a gap is planted.

Everything is as in a build (tables.py), without its defects: every row is dated to the day and of the right person.
Regions are alike but for their size and for what is planted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from trajectories.tables import COHORT, CONTACTS, RECORDS, conform

# Shares of the households that settle in each region: some are small.
REGIONS = {
    "03": 0.20,
    "05": 0.14,
    "12": 0.12,
    "17": 0.10,
    "04": 0.09,
    "07": 0.09,
    "02": 0.07,
    "01": 0.07,
    "08": 0.06,
    "09": 0.06,
}
# Chance that somebody of the region ever meets a household it was told of; mean days until then.
MET, DAYS = 0.88, 30
# After the first meeting, in a month of the first year: the chance of each service.
GIVEN = {"job_search": 0.10, "housing_search": 0.08, "francization": 0.06, "pairing": 0.05}
LEAVE = 0.008  # a month
HELD = {3: 0.8, 6: 0.75, 12: 0.7}  # chance that a scheduled contact is held


@dataclass(frozen=True)
class ServedProvince:
    """The tables of those names."""

    cohort: pd.DataFrame
    contacts: pd.DataFrame
    records: pd.DataFrame
    persons: pd.DataFrame


def served_province(
    n: int = 2000, seed: int = 1, *, failing: str | None = None, arrive: float = 0.45
) -> ServedProvince:
    """
    So many households of one person.

    Parameters
    ----------
    n, seed : int
        Everything is a function of them and of the options.
    failing : str, optional
        The region where transfers fail.
    arrive : float
        What the chance of being met is multiplied by there.

    Examples
    --------
    >>> province = served_province(400, seed=1, failing="12")
    >>> len(province.cohort), province.records["organisation_zone"].unique().tolist()
    (400, ['metropole', 'region'])
    """
    rng = np.random.default_rng([seed, n, 7])
    region = rng.choice(list(REGIONS), n, p=list(REGIONS.values()))
    begun = pd.Timestamp("2019-06-01") + pd.to_timedelta(rng.integers(0, 3 * 365, n), unit="D")
    cutoff = pd.Timestamp("2024-03-31")
    stayed = rng.geometric(LEAVE, n).astype(float)
    observed = ((cutoff - begun).days / 30.4).to_numpy()
    left = stayed < observed
    person = np.array([f"p{k:05d}" for k in range(n)], dtype=object)
    household = np.array([f"h{k:05d}" for k in range(n)], dtype=object)
    traits = {
        "immigration_category": rng.choice(["economic", "family", "refugee", "temporary_worker"], n),
        "household_size": rng.integers(1, 6, n),
        "french": rng.choice(["yes", "no"], n),
    }
    cohort = conform(
        pd.DataFrame(
            {
                "person_id": person,
                "household_id": household,
                "episode": 1,
                "region": region,
                "pathway": "secondary",
                "role": "principal",
                "establishment_earliest": begun,
                "establishment_latest": begun,
                "entry": 0.0,
                "lower": np.where(left, stayed, observed),
                "upper": np.where(left, stayed, np.inf),
                "exit": np.where(left, "metropole", None),
                "cutoff": observed,
                "heard_until": observed,
                **traits,
            }
        ),
        COHORT,
    )
    met = rng.random(n) < MET * np.where(region == failing, arrive, 1.0)
    day = rng.exponential(DAYS, n)
    met &= day / 30.4 < np.minimum(stayed, observed)
    first = begun + pd.to_timedelta(np.ceil(day), unit="D")
    prepared = begun - pd.to_timedelta(rng.integers(10, 60, n), unit="D")
    everybody = np.arange(n)
    rows = [(everybody, prepared, "personal_support", "metropole"), (np.flatnonzero(met), first, "reception", "region")]
    for service, chance in GIVEN.items():
        month = rng.geometric(chance, n)
        when = first + pd.to_timedelta(np.round(month * 30.4), unit="D")
        given = met & (month <= 12) & (day / 30.4 + month < np.minimum(stayed, observed))
        rows.append((np.flatnonzero(given), when, service, "region"))
    records = pd.concat([_rows(*part, region, begun) for part in rows], ignore_index=True)
    records = records.assign(record_id=[f"r{k}" for k in range(len(records))], row=np.arange(len(records)))
    owner = records.pop("owner").to_numpy()
    persons = pd.DataFrame(
        {
            "record_id": records["record_id"],
            "person_id": person[owner],
            "household_id": household[owner],
        }
    )
    called = [
        pd.DataFrame({"person_id": person[at], "episode": 1, "month": float(month), "kind": "present"})
        for month, chance in HELD.items()
        for at in [np.flatnonzero((rng.random(n) < chance) & (stayed > month) & (observed > month))]
    ]
    contacts = conform(pd.concat(called, ignore_index=True), CONTACTS)
    return ServedProvince(cohort, contacts, conform(records, RECORDS), persons)


def _rows(who: np.ndarray, day: pd.DatetimeIndex, service: str, zone: str, region: np.ndarray, begun) -> pd.DataFrame:
    # three organisations a region, and ten in the metropole
    organisation = [f"m{k % 10}" if zone == "metropole" else f"{region[k]}{k % 3}" for k in who]
    settles = {"establishment_date_earliest": begun[who], "establishment_date_latest": begun[who]}
    told = {
        **settles,
        "destination": "x",
        "destination_region": region[who],
        "destination_zone": "region",
        "needs": "job;housing",
    }
    return pd.DataFrame(
        {
            "owner": who,
            "service": service,
            "organisation_zone": zone,
            "organisation_id": organisation,
            "service_date_earliest": day[who],
            "service_date_latest": day[who],
            **(told if zone == "metropole" else {}),
        }
    )
