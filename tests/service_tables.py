"""Small tables for the tests of services: a stay a line, a row a line, days counted from the establishment."""

import numpy as np
import pandas as pd

from trajectories.study import Study
from trajectories.tables import COHORT, CONTACTS, RECORDS, conform

DAY = pd.Timestamp("2021-03-01")
# Every household counts: the arithmetic is done by hand.
ONE = Study.from_mapping({"support": 1, "disclosure": {"households": 1}})


def day(days):
    return DAY + pd.Timedelta(days=days)


def cohort(*stays, **columns):
    """Stays (person, household, more columns as a mapping); settled on DAY in Estrie, followed for 36 months."""
    base = {
        "episode": 1, "region": "05", "pathway": "secondary", "establishment_earliest": DAY,
        "establishment_latest": DAY, "entry": 0.0, "lower": 0.0, "upper": np.inf, "cutoff": 36.0, "heard_until": 36.0,
        "years_since_arrival": 2.0, "period": "2020_2021", "organisation_id": "R1",
    }  # fmt: skip
    rows = [{**base, **columns, "person_id": who, "household_id": home, **(more[0] if more else {})}
            for who, home, *more in stays]  # fmt: skip
    return conform(pd.DataFrame(rows), COHORT)


def gone(months, **more):
    """The columns of a stay that ended exactly so many months after the establishment."""
    return {"lower": months, "upper": months, "exit": "metropole", **more}


def told(*rows):
    """
    The tables records and persons of rows (person, household, days from DAY or None, more columns as a mapping).

    A first row of nobody makes the deposits begin two years earlier.
    """
    found = [{"person_id": "nobody", "household_id": "none", "days": -730, "service": "information"}]
    found += [{"person_id": who, "household_id": home, "days": days, "service": None, **(more[0] if more else {})}
              for who, home, days, *more in rows]  # fmt: skip
    frame = pd.DataFrame(found)
    frame["record_id"] = [f"r{i}" for i in range(len(frame))]
    frame["row"] = range(len(frame))
    frame["file"], frame["sheet"] = "f.csv", ""
    for end in ("earliest", "latest"):
        name = f"service_date_{end}"
        own = frame[name] if name in frame else pd.Series(pd.NaT, index=frame.index)
        frame[name] = own.fillna(DAY + pd.to_timedelta(frame["days"], unit="D"))
    defaults = {"organisation_zone": "region", "organisation_id": "R1"}
    for name, value in defaults.items():
        frame[name] = (frame[name] if name in frame else pd.Series(None, index=frame.index, dtype=object)).fillna(value)
    persons = frame[["record_id", "person_id", "household_id"]]
    return conform(frame.drop(columns=["person_id", "household_id", "days"]), RECORDS), persons


def contacts(*rows):
    """Scheduled contacts: (person, month, kind)."""
    frame = pd.DataFrame(rows, columns=["person_id", "month", "kind"]).assign(episode=1)
    return conform(frame, CONTACTS)
