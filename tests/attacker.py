"""The attacker: a reader who knows the rules, has everything that was published, and a linear programme.

Used by the tests of each rule, and on whole runs. Each function gives, for what is hidden, the interval in which the
reader can put it.
"""

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from trajectories.disclosure.rules import class_ends
from trajectories.study import Disclosure

RULES = Disclosure()


# ── counts ───────────────────────────────────────────────────────────────────────────────────────────────────


def attack(raw, published, measure="persons", *, known="exact", base=5, rules=RULES, overlapping=False, size=None):
    """
    For each cell: the interval a reader can put it in who knows the rules, that keys part a group and regions the
    province, and the number of people of each group that could be published (exactly; or to the rounding base, the
    province's excepted).

    `overlapping`: as in a run, where a person of two regions is one of the province, and a household of two keys is one
    of its group: sums of regions, and of keys in households, are then at least their whole. `size`: persons and
    households of each group, where the first table does not tell them.
    """
    least = {"persons": rules.threshold, "households": rules.households}
    told = published.set_index(["group", "table", "key"])[f"{measure}_rounded"]
    cells = raw[(raw["key"] != "total") | (raw.groupby(["group", "table"])["key"].transform("size") == 1)]
    at = {tuple(cell): i for i, cell in enumerate(cells[["group", "table", "key"]].itertuples(index=False))}
    groups, n = sorted(set(cells["group"])), len(at)
    regions = [group for group in groups if group != "province"]
    bounds = []
    for group, name, key in at:
        number = told[group, name, key]
        row = [cell for cell in at if cell[:2] == (group, name)]
        if pd.isna(number):
            wiped = len(row) > 1 and all(pd.isna(told[cell]) for cell in row)
            bounds.append((0 if wiped else 1, None))
        elif number == 0:
            bounds.append((0, 0))
        else:
            bounds.append((max(number - base // 2, least[measure]), number + base - 1 - base // 2))
    first = cells[cells["table"] == cells["table"].iloc[0]]
    size = first.groupby("group")[["persons", "households"]].sum() if size is None else size
    for group in groups:
        total = int(size.loc[group, measure]) if group in size.index else 0
        told_elsewhere = known == "exact" or group != "province"  # the rates look after the province's number
        if told_elsewhere and group in size.index and all(size.loc[group, m] >= least[m] for m in least):
            near = round(total / base + 1e-9) * base
            bounds.append((total, total) if known == "exact" else (near - base // 2, near + base - 1 - base // 2))
        else:
            bounds.append((0, None))
    rows, least_rows = [], []
    for group in groups:
        for name in sorted({t for g, t, _ in at if g == group}):
            row = np.zeros(n + len(groups))
            row[[i for (g, t, _), i in at.items() if (g, t) == (group, name)]] = 1
            row[n + groups.index(group)] = -1
            (least_rows if overlapping and measure == "households" else rows).append(row)
    if "province" in groups:
        for name, key in sorted({(t, k) for g, t, k in at if g == "province"}):
            row = np.zeros(n + len(groups))
            row[[at[g, name, key] for g in regions if (g, name, key) in at]] = 1
            row[at["province", name, key]] = -1
            (least_rows if overlapping else rows).append(row)
    found = {}
    for cell, i in at.items():
        if not pd.isna(told[cell]):
            continue
        cost = np.zeros(n + len(groups))
        cost[i] = 1
        ends = []
        for sign in (1, -1):
            answer = linprog(
                sign * cost, A_eq=np.array(rows) if rows else None, b_eq=np.zeros(len(rows)) if rows else None,
                A_ub=-np.array(least_rows) if least_rows else None, bounds=bounds,
                b_ub=np.zeros(len(least_rows)) if least_rows else None,
            )  # fmt: skip
            assert answer.status in (0, 3), answer.message
            ends.append(sign * answer.fun if answer.status == 0 else np.inf)
        found[cell] = tuple(ends)
    return found


def given_away(raw, published, *, only=None, rules=RULES, **how):
    """The hidden small cells whose interval does not contain all of 1 … threshold − 1."""
    away = []
    people = raw.set_index(["group", "table", "key"])
    for measure, least in (("persons", rules.threshold), ("households", rules.households)):
        intervals = attack(raw, published, measure, rules=rules, **how)
        for cell, (low, high) in intervals.items():
            p, h = people.loc[cell, ["persons", "households"]]
            small = p > 0 and (p < rules.threshold or h < rules.households)
            if not small or (only is not None and cell[0] not in only):
                continue
            # a sum of hidden cells that each hold somebody is at least their number: no secret
            parts = [c for c in intervals if c[1:] == cell[1:] and c[0] != "province"]
            floor = max(1, sum(1 for c in parts if people.loc[c, measure] > 0)) if cell[0] == "province" else 1
            if low > floor + 1e-6 or high < least - 1 - 1e-6:
                away.append((measure, *cell, low, high))
    return away


# ── curves ───────────────────────────────────────────────────────────────────────────────────────────────────


def months_a_reader_finds(frames, *, threshold=10, width=None, raw=None):
    """
    Bounds of each cumulative count of each group, month and cause: classes of the threshold (or exact), counts that
    only grow, and a province that is the sum of its regions; with `raw` (one group) also the classes of entries and
    censorings, which the rounded numbers at risk tell, and that 20 or more were truly at risk in each month shown.
    """
    at, bounds, equal, order = {}, [], [], []
    for group, frame in frames.items():
        step = (width or {}).get(group, threshold)
        for column in [c for c in frame if c.startswith("n_exit_")]:
            for month, value in zip(frame["month"], frame[column], strict=True):
                at[group, column, month] = len(bounds)
                if value == 0 or step == 1:
                    bounds.append((value, value))
                else:
                    bounds.append((value - step + step // 2 + 1, value + step // 2))
                if (group, column, month - 1) in at:
                    order.append((at[group, column, month - 1], at[group, column, month]))
    n = len(bounds)
    for (group, column, month), i in at.items():
        parts = [at[g, column, month] for g in frames if g != "province" and (g, column, month) in at]
        if group == "province" and len(parts) == len(frames) - 1:
            row = np.zeros(n)
            row[parts], row[i] = 1, -1
            equal.append(row)
    a, b = np.zeros((len(order), n)), np.zeros(len(order))
    for k, (i, j) in enumerate(order):
        a[k, [i, j]] = 1, -1
    if raw is not None:
        (group,) = frames
        _, entered = class_ends(raw["n_entry"].cumsum(), threshold)
        fewest_censored, _ = class_ends(raw["n_censor"].cumsum(), threshold)
        inside = np.zeros((int(frames[group]["month"].max()), n))
        for (_, _, month), i in at.items():
            if month < len(inside):
                inside[month, i] = 1
        a, b = np.vstack([a, inside]), np.concatenate([b, (entered - fewest_censored)[: len(inside)] - 20])
    found = {}
    for cell, i in at.items():
        ends = []
        for sign in (1, -1):
            answer = linprog(
                sign * np.eye(n)[i], A_ub=a if len(a) else None, b_ub=b if len(a) else None,
                A_eq=np.array(equal) if equal else None, b_eq=np.zeros(len(equal)) if equal else None, bounds=bounds,
            )  # fmt: skip
            assert answer.status == 0, answer.message
            ends.append(sign * answer.fun)
        found[cell] = tuple(ends)
    return found


def narrow(found):
    return {cell: ends for cell, ends in found.items() if ends[1] > 0 and ends[1] - ends[0] < 9 - 1e-6}


# ── rates ────────────────────────────────────────────────────────────────────────────────────────────────────


def exits_a_reader_finds(frame, n):
    """Bounds of the exits since the last exact rate, of each horizon given as a range: n known exactly."""
    m = len(frame)
    a, b, bounds = [], [], []
    for i, row in enumerate(frame.itertuples()):
        if row.shown:
            near = (1 - row.estimate) * n
            bounds.append((max(near - 0.005 * n, 0), near + 0.005 * n) if row.estimate < 1 else (0, 0.005 * n))
        else:
            bounds.append((n * (1 - row.at_most - (0.005 if row.at_most < 1 else 0)), n * (1 - row.at_least)))
        if i:
            step = np.zeros(m)
            step[[i - 1, i]] = 1, -1
            a.append(step)
            b.append(0)
    last, found = None, {}
    for i, row in enumerate(frame.itertuples()):
        if row.shown:
            last = i
            continue
        cost = np.zeros(m)
        cost[i] = 1
        if last is not None:
            cost[last] = -1
        ends = [
            sign * linprog(sign * cost, A_ub=np.array(a) if a else None, b_ub=b or None, bounds=bounds).fun
            for sign in (1, -1)
        ]
        found[row.horizon] = tuple(ends)
    return found


def hidden_exits(frame, by_cause, n):
    """The interval of each hidden destination for a reader who knows the exact number of exits, and n."""
    out = {}
    for horizon, part in frame.groupby("horizon"):
        if not part["shown"].any() and (part["reason"] != "few_exits").any():
            continue
        i = list(frame["horizon"].drop_duplicates()).index(horizon)
        total = sum(exits[i] for exits in by_cause.values())
        wiped = not part["shown"].any()
        limits = [
            (max((r.estimate - 0.005) * n, 0), (r.estimate + 0.005) * n) if r.shown else (0 if wiped else 1, None)
            for r in part.itertuples()
        ]
        for j, row in enumerate(part.itertuples()):
            if not row.shown:
                cost = np.eye(len(part))[j]
                ends = [
                    sign * linprog(sign * cost, A_eq=[np.ones(len(part))], b_eq=[total], bounds=limits).fun
                    for sign in (1, -1)
                ]
                out[row.cause, horizon] = tuple(ends)
    return out
