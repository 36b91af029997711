"""The planted effects: what lengthens a stay, what shifts arrivals and exits, and what does nothing.

The exit hazard is piecewise constant by month since establishment, front-loaded, and 0 from month 97 on: the
cumulative hazard is bounded, so a share of the stays never ends (a cure fraction of the bounded-hazard kind;
Tsodikov 1998). Effects multiply it. Calibrated on domain.md §3.2: S(6) ≈ .90–.95, S(12) ≈ .80–.90,
S(24) ≈ .65–.80 by region. Immigration category multiplies by 1 everywhere, but goes with city size, so that the
raw contrast differs (Kaida, Hou and Stick 2020).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from .settings import date_of, words

CITY_SIZES = ("under_10000", "10000_49999", "50000_99999", "100000_and_over")
CATEGORIES = words("economic family refugee other_permanent asylum_claimant temporary_worker student")
# Monthly hazard of the reference (city of 50,000–99,999, no job, not remote), up to and including that month.
BASELINE = (
    (3, 0.0240),
    (6, 0.0225),
    (12, 0.0210),
    (18, 0.0160),
    (24, 0.0125),
    (36, 0.0085),
    (60, 0.0040),
    (96, 0.0009),
)
CITY_SIZE = {"under_10000": 1.35, "10000_49999": 1.15, "50000_99999": 1.00, "100000_and_over": 0.72}
JOB_AT_ESTABLISHMENT = 0.62
REMOTE = 1.12
REMOTE_REGIONS = ("08", "09", "10", "11")
PAIRING = 0.75  # from the day it is received
EXPLORATORY_VISIT = 0.85  # before the establishment
NULL_SERVICES = words(
    "information job_search housing_search reception personal_support objectif_integration francization "
    "family_support post_settlement_follow_up"
)
PANDEMIC = (dt.date(2020, 3, 1), dt.date(2021, 6, 30))
PANDEMIC_ARRIVALS = 0.55
PANDEMIC_EXITS = 0.72
AFTER_PANDEMIC = (dt.date(2021, 7, 1), dt.date(2022, 6, 30))
AFTER_PANDEMIC_EXITS = 1.12
EXIT_CAUSES = ("metropole", "other_region", "outside_quebec")
CAUSE_SHARES = (0.56, 0.21, 0.23)
OUTAOUAIS_SHARES = (0.44, 0.14, 0.42)  # Ottawa is across the river
PANDEMIC_METROPOLE = 0.60  # share kept by the metropole as a destination meanwhile
CATEGORY_BY_SIZE = {
    "under_10000": (0.34, 0.12, 0.16, 0.01, 0.02, 0.33, 0.02),
    "10000_49999": (0.41, 0.13, 0.23, 0.01, 0.03, 0.16, 0.03),
    "50000_99999": (0.51, 0.15, 0.20, 0.01, 0.03, 0.06, 0.04),
    "100000_and_over": (0.63, 0.17, 0.07, 0.01, 0.03, 0.04, 0.05),
}
JOB_SHARE = 0.50  # whatever the category and the city
HORIZON = 96  # months: nobody leaves later


def _baseline() -> np.ndarray:
    hazard = np.zeros(HORIZON)
    start = 0
    for stop, value in BASELINE:
        hazard[start:stop] = value
        start = stop
    return hazard


MONTHLY = _baseline()


def period_factor(day: int) -> float:
    """What the period multiplies exits by."""
    date = date_of(day)
    if PANDEMIC[0] <= date <= PANDEMIC[1]:
        return PANDEMIC_EXITS
    return AFTER_PANDEMIC_EXITS if AFTER_PANDEMIC[0] <= date <= AFTER_PANDEMIC[1] else 1.0


def cause_shares(region: str, day: int) -> tuple[float, ...]:
    """Relative shares of the destinations of those who leave a region on a day."""
    shares = OUTAOUAIS_SHARES if region == "07" else CAUSE_SHARES
    if PANDEMIC[0] <= date_of(day) <= PANDEMIC[1]:
        return (shares[0] * PANDEMIC_METROPOLE, *shares[1:])
    return shares


def as_json() -> dict[str, Any]:
    """The planted effects as they are written beside the truth."""
    return {
        "baseline_monthly_hazard_up_to_month": [list(piece) for piece in BASELINE],
        "hazard_ratio": {
            "city_size": CITY_SIZE,
            "job_at_establishment": JOB_AT_ESTABLISHMENT,
            "job_found_later": 1.0,
            "housing_found": 1.0,
            "remote_region": {"regions": list(REMOTE_REGIONS), "ratio": REMOTE},
            "immigration_category_given_city_size": dict.fromkeys(CATEGORIES, 1.0),
            "pathway": {"secondary": 1.0, "primary": 1.0, "onward": 1.0, "return_stay": 1.0},
            "age_sex_french_education_household_size": 1.0,
        },
        "services": {
            "pairing": {"ratio": PAIRING, "when": "from the day it is received, in region"},
            "exploratory_visit": {"ratio": EXPLORATORY_VISIT, "when": "received before the establishment"},
            **{service: {"ratio": 1.0, "when": "always"} for service in NULL_SERVICES},
        },
        "confounding": {
            "category_by_city_size": {k: list(v) for k, v in CATEGORY_BY_SIZE.items()},
            "job_search_after_establishment": "likelier without a job: looks harmful, does nothing",
        },
        "period": {
            "pandemic": [d.isoformat() for d in PANDEMIC],
            "arrivals": PANDEMIC_ARRIVALS,
            "exits": PANDEMIC_EXITS,
            "exits_in_the_year_after": AFTER_PANDEMIC_EXITS,
            "metropole_as_destination": PANDEMIC_METROPOLE,
        },
        "exit_shares": {"default": CAUSE_SHARES, "07": OUTAOUAIS_SHARES, "order": list(EXIT_CAUSES)},
    }
