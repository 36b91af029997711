"""The observation model's likelihood by its document's formulas, month by month and contact by contact: no cells, no
algebra, nothing shared with the package."""

from __future__ import annotations

import math
from itertools import pairwise

DELAYS = (0, 1, 2, 4, 7, 13)
NAN = float("nan")


def eta(hearing, c, delay):
    """The hazard of being first heard of at a delay."""
    return hearing[c][sum(delay >= d for d in DELAYS) - 1]


def clearest(row):
    """Of several rows of one day, the one that gives a date, and a destination, speaks."""
    dated = not math.isnan(row["latest"])
    return not dated, row["cause"] == 0, (row["latest"], row["earliest"]) if dated else (0, 0), row["cause"]


def stay_weights(rows, entry, cutoff, parameters, *, last=60, writes=frozenset(), services=None, false=None):
    """
    What each fate of a stay weighs: {(month, place of the cause): weight, (last, -1): weight of no exit}.

    Parameters
    ----------
    rows : list of dict
        month, kind, organisation, cause (0 unknown), earliest, latest.
    entry, cutoff : float
    parameters : dict
        hazard (causes × months from 0), failure ((gone, previous failed) → probability), hearing (causes × 6).
    last : int
        Months after it are one.
    writes : set
        Organisations that write « non joint ».
    services : dict, optional
        rate (a function of the month), never, shape.
    false : pair of float, optional
        A month's chance of false news, and of a false report by a contact: the first report may be one.
    """
    state, rows = {}, sorted((dict(row) for row in rows), key=lambda row: (row["month"], row["kind"]))
    for row in rows:
        if row["kind"] in ("present", "left", "failed"):
            row["state"] = state.get(row["organisation"], 0)
            state[row["organisation"]] = int(row["kind"] == "failed")
    rows = [row for row in rows if row["month"] <= cutoff and (row["month"] > entry or entry == 0)]
    given = {"last": last, "writes": writes}
    if false is None:
        return _weights(rows, entry, cutoff, parameters, services=services, **given)

    begin, nothing = math.ceil(entry) + 1, (1 - false[0]) * (1 - false[1])
    told, by_news = first_report(rows, cutoff)
    if told is None:
        found = _weights(rows, entry, cutoff, parameters, **given)
        over = max([math.ceil(cutoff), *(math.ceil(row["month"]) for row in rows)]) + 1
        return {(t, c): weight * nothing ** max((min(t, over) if c >= 0 else over) - begin, 0)
                for (t, c), weight in found.items()}  # fmt: skip
    known_at, day = told["month"], math.ceil(told["month"]) if by_news else math.floor(told["month"])
    gone = math.inf if math.isnan(told["latest"]) else math.ceil(min(told["latest"], known_at))
    rows = [row for row in rows if row is told or row["month"] <= known_at or row["kind"] not in ("news", "service")]
    rows = [row for row in rows if row["kind"] != "present" or row["month"] > known_at or
            (row["month"] < known_at and math.floor(row["month"]) < gone)]  # fmt: skip
    others = [row for row in rows if row is not told and row["kind"] != "news"]
    again, _ = first_report(others, cutoff)
    if again is not None:  # what follows a second report says nothing in either case
        over = math.inf if math.isnan(again["latest"]) else math.ceil(min(again["latest"], again["month"]))
        kept = [row for row in rows if row["month"] <= again["month"] and (row["kind"] != "present" or (
            row["month"] < again["month"] and math.floor(row["month"]) < over))]  # fmt: skip
    else:
        kept = rows
    true = _weights(kept, entry, cutoff, parameters, goes_on=True, **given)
    found = {(t, c): weight * nothing ** max(t - begin, 0) for (t, c), weight in true.items()}
    said = 1.0 if told["cause"] == 0 else 1 / len(parameters["hazard"])
    if gone < math.inf:
        months = max(math.ceil(told["latest"]) - math.floor(told["earliest"]), 1)
        said *= min(months / max(math.ceil(known_at) - entry, 1), 1.0)
    said *= false[0 if by_news else 1] * nothing ** max(day - begin, 0)
    untrue = _weights(others, entry, cutoff, parameters, there=math.floor(known_at), **given)
    for fate, weight in untrue.items():
        found[fate] = found.get(fate, 0.0) + said * weight
    return found


def first_report(rows, cutoff):
    """The row by which a departure became known, and whether it is news."""
    lefts = [row for row in rows if row["kind"] == "left"]
    news = [row for row in rows if row["kind"] == "news"]
    first_left = min((row["month"] for row in lefts), default=math.inf)
    first_news = min((row["month"] for row in news), default=math.inf)
    if first_news <= min(cutoff, first_left):
        return min((row for row in news if row["month"] == first_news), key=clearest), True
    if lefts:
        return min((row for row in lefts if row["month"] == first_left), key=clearest), False
    return None, False


def _weights(
    rows, entry, cutoff, parameters, *, last, writes, services=None, goes_on=False, there=None
):  # fmt: skip
    """The weights if the first report is true; nobody has left by `there`, and no news counts after it."""
    hazard, failure, hearing = parameters["hazard"], parameters["failure"], parameters["hearing"]
    n_causes = len(hazard)
    told, by_news = first_report(rows, cutoff)
    first_left = min((row["month"] for row in rows if row["kind"] == "left"), default=math.inf)
    until = min(cutoff, first_left) if there is None else there
    first_news = told["month"] if by_news else math.inf
    known_at = told["month"] if told else math.inf
    heard = [row for row in rows if row["kind"] in ("present", "left", "failed") and (
        goes_on or row["month"] <= known_at)]  # fmt: skip
    if told and not goes_on:  # set aside: found present when, or after, the departure was known, or after its date
        dated = not math.isnan(told["latest"])
        gone = math.ceil(min(told["latest"], known_at)) if dated else math.inf
        heard = [
            row
            for row in heard
            if row["kind"] != "present" or (row["month"] < known_at and math.floor(row["month"]) < gone)
        ]
    served = [
        row["month"] for row in rows if row["kind"] == "service" and row["month"] > entry and row["month"] <= known_at
    ]
    if told and not math.isnan(told["latest"]):  # set aside: given after the month of a dated departure
        served = [month for month in served if month <= math.ceil(min(told["latest"], known_at))]

    def of_contacts(t):
        """Exits are spread evenly over their month: the average over its parts between the contacts."""
        if math.isinf(t):
            return given_exit(t)
        cuts = sorted({t - 1.0, float(t), *(row["month"] for row in heard if t - 1 < row["month"] < t)})
        return sum((high - low) * given_exit((low + high) / 2) for low, high in pairwise(cuts))

    def given_exit(when):
        product = 1.0
        for row in heard:
            gone = row["month"] > when
            fails = failure[int(gone), row["state"]] if row["organisation"] in writes else 0.0
            possible = row["kind"] == "failed" or (row["kind"] == "left") == gone
            product *= fails if row["kind"] == "failed" else (1 - fails) * possible
        return product

    def of_news(t, c):
        if by_news:
            delay = math.ceil(first_news) - t
            if delay < 0:
                return 0.0
            return eta(hearing, c, delay) * math.prod(1 - eta(hearing, c, d) for d in range(delay))
        if t > until:
            return 1.0
        return math.prod(1 - eta(hearing, c, d) for d in range(math.floor(until) - t + 1))

    def farewell(t):
        """A service of the second half of the last month was given before the exit."""
        return max([t - 0.5, *(month for month in served if t - 0.5 < month <= t)])

    def of_services(end):
        if services is None:
            return 1.0
        end = max(end, entry)
        if any(month > end for month in served):
            return 0.0
        load = integral(services["rate"], entry, end)
        alpha, never, n = services["shape"], services["never"], len(served)
        if n == 0:
            return never + (1 - never) * (alpha / (alpha + load)) ** alpha
        rates = math.prod(services["rate"](month) for month in served)
        return ((1 - never) * math.exp(math.lgamma(alpha + n) - math.lgamma(alpha) - n * math.log(alpha))
                * (alpha / (alpha + load)) ** (alpha + n) * rates)  # fmt: skip

    begin = math.ceil(entry) + 1
    surviving, found = 1.0, {}
    for t in range(begin, last + 1):
        for c in range(n_causes):
            possible = (told is None or told["cause"] in (0, c + 1)) and (there is None or t > there)
            if told and not math.isnan(told["latest"]):
                low, high = told["earliest"], told["latest"]
                low = math.floor(low) + 1 if low < high else math.ceil(low)
                possible = possible and max(low, 1) <= t <= max(math.ceil(high), 1)
            if possible:
                found[t, c] = (surviving * hazard[c][t] * of_contacts(t) * of_news(t, c)
                               * of_services(min(farewell(t), cutoff)))  # fmt: skip
        surviving *= 1 - sum(hazard[c][t] for c in range(n_causes))
    if told is None:
        found[last, -1] = surviving * of_contacts(math.inf) * of_services(cutoff)
    return found


def integral(rate, low, high, cuts=(0, 1, 3, 6, 9, 12, 18, 24, 36, 48, 60, 240)):
    """∫ rate, constant between the cuts (from just after one up to and including the next)."""
    total = 0.0
    for a, b in pairwise(cuts):
        total += rate(b) * max(min(high, b) - max(low, a), 0.0)
    return total
