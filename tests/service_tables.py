"""Small tables for the tests of services: a stay a line, a row a line, days counted from the establishment."""

import numpy as np
import pandas as pd

from trajectories.analysis.services.example import one_household
from trajectories.analysis.services.service_events import finished, with_shares
from trajectories.tables import COHORT, CONTACTS, RECORDS, conform

DAY = pd.Timestamp("2021-03-01")
# Every household counts: the arithmetic is done by hand.
ONE = one_household()


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


# ── tables of an analysis, made up: only the right shapes ────────────────────────────────────────────────────
LEAST = 20
REACHED = {
    "any": (0.9, 0.95, 0.8),
    "reception": (0.1, 0.9, 0.2),
    "job_search": (0.3, 0.2, 0.4),
    "pairing": (0, 0.0, 0.2),
}
NEEDED = {"job": ("job_search", 0.2), "school": ("family_support", 0.7)}
STEPS = {"settled": 1.0, "met_in_region": 0.9, "there_at_12_months": 0.6, "left_by_12_months": 0.1,
         "lost_by_12_months": 0.1, "settled_too_recently": 0.2}  # fmt: skip


def described(households):
    """The tables of services that a page reads, by name, of so many households by group."""
    return {
        "service_reach": _shares(
            households, "reach", ("service", "stream", "when"),
            [({"service": service, "stream": "all", "when": when}, 1.0, share)
             for service, shares in REACHED.items()
             for when, share in zip(("before", "around", "after"), shares, strict=True)],
        ),
        "service_delay": _shares(
            households, "delay_to_first", ("service",),
            [({"service": "any", "horizon": month}, 1.0, 0.9 - 0.3 / month) for month in (1, 2, 3, 6, 12, 24)],
        ),
        "service_transfer": _shares(
            households, "transfer", ("period",),
            [({"period": "all", "horizon": days, "method": "told_in_metropole"}, 0.8, share)
             for days, share in ((30, 0.6), (90, 0.8))],
        ),
        "service_needs": _shares(
            households, "need_without_service", ("need", "service"),
            [({"need": need, "service": service, "horizon": 6}, 0.5, share)
             for need, (service, share) in NEEDED.items()],
        ),
        "service_reasons": _shares(
            households, "reason_and_service", ("reason", "service"),
            [({"reason": "job", "service": "job_search"}, 0.3, 0.5)],
        ),
        "service_funnel": _funnel(households),
        "service_follow_up": _follow_up(households),
    }  # fmt: skip


def _shares(households, measure, keys, items):
    """Of each group the items (what the row is of, the part of the households that it is of, the share)."""
    frames = []
    for group, whole in households.items():
        for item, part, share in items:
            n = round(part * whole)
            one = pd.DataFrame(
                [{**item, "n_start": n, "n_at_risk": n, "n_followed": n, "households": round(share * n)}]
            )
            frames.append(with_shares(one, "households").assign(measure=measure, group=group))
    counts = ("n_followed", "households") if measure in ("delay_to_first", "transfer") else ("households",)
    return finished(frames, keys, counts, least=LEAST)


def _funnel(households):
    frames = []
    for group, whole in households.items():
        counts = {"met_in_metropole": 2 * whole, "prepared": 1.5 * whole} if group == "province" else {}
        counts |= {step: part * whole for step, part in STEPS.items()}
        base = [2 * whole] * (len(counts) - len(STEPS)) + [whole] * len(STEPS)
        one = pd.DataFrame({"step": list(counts), "households": [round(n) for n in counts.values()], "n_start": base})
        frames.append(with_shares(one, "households").assign(measure="process_funnel", group=group, base="settled"))
    return finished(frames, ("step", "base"), ("households",), least=LEAST)


def _follow_up(households):
    frames = []
    for group, whole in households.items():
        types = {"all": 1.0, "region_larger": 0.75, "region_smaller": 0.25} if group == "province" else {"all": 1.0}
        for measure, base, share in (("follow_up_coverage", 2.0, 0.9), ("follow_up_reached", 1.8, 0.8)):
            for kind, part in types.items():
                due, n = round(part * base * whole), round(part * whole)
                frames += [pd.DataFrame([{
                    "measure": measure, "group": group, "organisation_type": kind, "horizon": month, "n_start": n,
                    "n_at_risk": due, "held": round(share * due), "households": n, "households_without": n // 3,
                    "estimate": share,
                }]) for month in (3, 12)]  # fmt: skip
    counts = ("held", "households", "households_without")
    return finished(frames, ("organisation_type",), counts, least=LEAST, base="n_at_risk")
