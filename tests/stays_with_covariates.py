"""Tables `cohort` and `contacts` of stays whose hazard depends on covariates as the simulator's does, and the truth.

The planted effects are those of `simulate/settings.py`: a job at the establishment multiplies the hazard by .62, city
sizes as planted, immigration category by 1 given city size, though it goes with it. Only the tables are made, no
deposit. Departures become known by scheduled contacts that fail and news that comes late or never.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from trajectories.simulate import settings as effects
from trajectories.simulate.stays import HEARING
from trajectories.tables import CATEGORIES, CITY_SIZES, EDUCATION_LEVELS, EXITS, FRENCH_LEVELS

SIZE_RATIO = dict(zip(CITY_SIZES, effects.CITY_SIZE.values(), strict=True))
SIZE_SHARES = (0.14, 0.17, 0.10, 0.59)
LAST = 120
FAILURE = np.array([[0.12, 0.30], [0.50, 0.70]])  # there or gone, by whether the attempt before failed
DELAYS = np.array([0, 1, 2, 2, 3, 3, 3, *[4] * 6, *[5] * (LAST - 12)])


@dataclass(frozen=True)
class Told:
    """What is known, and the true month (LAST + 1: never) and cause of each stay in the order of `cohort`."""

    cohort: pd.DataFrame
    contacts: pd.DataFrame
    month: np.ndarray
    cause: np.ndarray

    def true(self) -> pd.DataFrame:
        """The stays as `completed_stays` gives them, were everything known up to the cut-off."""
        until = self.cohort["cutoff"].to_numpy().astype(int)
        left = self.month <= until
        time = np.where(left, self.month, until)
        start = self.cohort["entry"].to_numpy().astype(int)
        return self.cohort.assign(
            start=start, time=np.maximum(time, start), cause=np.where(left & (time > start), self.cause, 0),
            at_risk=time > start, job_found=self.cohort["true_job"], french=self.cohort["true_french"],
        )  # fmt: skip


def told(
    n: int, seed: int, *, missing: float = 0.35, job: float = effects.JOB_AT_ESTABLISHMENT, heard: float = 1.0,
    regions: tuple[float, ...] = (1.0, 1.0, 1.12),
) -> Told:  # fmt: skip
    """So many stays; `missing` is the share whose job is not known, `heard` multiplies the hazards of hearing."""
    rng = np.random.default_rng(seed)
    household = np.repeat(np.arange(n), rng.integers(1, 4, n))[:n]

    def of_household(levels, shares):
        return np.asarray(levels, dtype=object)[rng.choice(len(levels), n, p=shares)][household]

    size = of_household(CITY_SIZES, SIZE_SHARES)
    shares = np.array([effects.CATEGORY_BY_SIZE[k] for k in effects.CITY_SIZES])[
        [CITY_SIZES.index(v) for v in size]
    ].cumsum(axis=1)
    category = np.array(CATEGORIES, dtype=object)[(shares < rng.random(n)[household][:, None] * shares[:, -1:]).sum(1)]
    region = np.array(["05", "03", "08"], dtype=object)[rng.choice(len(regions), n)[household]]
    has_job = rng.random(n) < effects.JOB_SHARE
    french = np.array(FRENCH_LEVELS, dtype=object)[rng.choice(4, n, p=[0.2, 0.15, 0.15, 0.5])]
    ratio = np.array([SIZE_RATIO[v] for v in size]) * np.where(has_job, job, 1.0)
    ratio *= np.array([dict(zip(("05", "03", "08"), regions, strict=True))[v] for v in region])

    hazard = np.concatenate([effects.MONTHLY, np.zeros(LAST - len(effects.MONTHLY))])
    spent = np.concatenate([[0.0], np.cumsum(hazard)])
    entry = np.where(rng.random(n) < 0.1, rng.integers(1, 9, n), 0)[household]
    # given that it lasts beyond the entry
    goal = rng.exponential(1.0, n) / ratio + spent[entry]
    month = np.searchsorted(spent, goal, side="left")
    cause = 1 + rng.choice(3, n, p=effects.CAUSE_SHARES)
    cutoff = np.maximum(rng.integers(18, 73, n)[household], entry + 1)
    keys = pd.DataFrame({"person_id": [f"p{k:05d}" for k in range(n)], "episode": 1})

    parts, failed, found = [], np.zeros(n, int), np.zeros(n, bool)
    for due in (3, 6, 12, 24):
        gone = month <= due
        made = (due > entry) & (due <= cutoff) & ~found
        misses = rng.random(n) < FAILURE[gone.astype(int), failed]
        kind = np.where(misses, "failed", np.where(gone, "left", "present"))
        parts.append(_rows(keys, made, np.full(n, due), kind, "A", np.where(kind == "left", cause, 0)))
        failed, found = np.where(made, misses, failed), found | (made & gone & ~misses)
    unheard = np.cumprod(1 - heard * np.array(HEARING)[cause - 1][:, DELAYS], axis=1)
    delay = (unheard > 1 - rng.random(n)[:, None]).sum(axis=1)
    filed = month + delay
    parts.append(_rows(keys, (delay < len(DELAYS)) & (filed <= cutoff) & (filed > entry), filed, "news", "B", cause))
    contacts = pd.concat(parts, ignore_index=True)

    # a job is less often noted in small towns; French at random
    chance = missing * np.where(np.isin(size, CITY_SIZES[:2]), 1.3, 0.85)
    known = rng.random(n) >= np.minimum(chance, 1)
    cohort = keys.assign(
        household_id=[f"h{h:05d}" for h in household], perimeter="RMR-2021", scope="region", region=region,
        pathway="secondary", entry=entry.astype(float), cutoff=cutoff.astype(float),
        heard_until=cutoff.astype(float), excluded=None, role="principal", immigration_category=category,
        age=rng.uniform(18, 60, n), sex=np.array(["F", "M"], dtype=object)[rng.integers(0, 2, n)],
        french=np.where(rng.random(n) < 0.05, None, french),
        education=np.array(EDUCATION_LEVELS, dtype=object)[rng.integers(0, 4, n)],
        household_size=pd.array(np.bincount(household)[household], dtype="Int64"),
        years_since_arrival=rng.exponential(1.2, n), housing_found=pd.array(rng.random(n) < 0.7, dtype="boolean"),
        job_found=pd.array(np.where(known, has_job, None), dtype="boolean"),
        period=of_household(("before_2020", "2020_2021", "from_2022"), (0.25, 0.2, 0.55)), city_size=size,
        true_job=has_job, true_french=french,
    )  # fmt: skip
    return Told(cohort, contacts, month, cause)


def _rows(keys: pd.DataFrame, chosen, month, kind, organisation: str, cause) -> pd.DataFrame:
    rows = keys[chosen].reset_index(drop=True)
    kinds = np.broadcast_to(np.asarray(kind, dtype=object), len(chosen))[chosen]
    names = np.array([None, *EXITS[:3]], dtype=object)[np.broadcast_to(cause, len(chosen))[chosen]]
    return rows.assign(
        month=np.asarray(month)[chosen].astype(float), kind=kinds, organisation_id=organisation, cause=names,
        departure_earliest=np.nan, departure_latest=np.nan,
    )  # fmt: skip
