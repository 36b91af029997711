# ruff: noqa
# fmt: off
"""Make the synthetic data behind the golden numbers: cohort.csv, spells.csv, sequences.csv, panel.csv.

Everything is invented and deterministic (fixed seeds): the files hold no real person and no third-party data.
Run: python make_cohort.py   (numpy >= 1.24, pandas >= 2). The CSV files are the reference, not this script:
another numpy might draw other numbers, and the JSON files belong to the CSV files stored beside them.
"""
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
DAYS_PER_MONTH = 365.25 / 12
CAUSES = {1: "metropole", 2: "other_region", 3: "outside_quebec"}
STATES = ["metropole", "region", "other_region", "outside_quebec"]


def make_cohort(seed: int = 20261124) -> pd.DataFrame:
    """1,200 persons in 700 households, one row each: right-censored, left-truncated and interval-censored at once."""
    rng = np.random.default_rng(seed)
    sizes = np.repeat([1, 2, 3, 4, 5], [410, 155, 75, 45, 15])           # 700 households, 1,200 persons
    small = np.repeat([4, 2, 1], [1, 2, 4])                              # the 7 households (12 persons) of region 10
    rest = np.sort(sizes)
    for s in small:
        rest = np.delete(rest, np.flatnonzero(rest == s)[0])
    rest = rng.permutation(rest)
    region_rest = rng.choice(["03", "05", "04", "02", "01"], size=rest.size, p=[0.38, 0.27, 0.20, 0.10, 0.05])
    size = np.concatenate([rest, small])
    region_h = np.concatenate([region_rest, np.repeat("10", small.size)])
    order = rng.permutation(size.size)
    size, region_h = size[order], region_h[order]
    frailty_h = rng.gamma(2.5, 1 / 2.5, size.size)                        # members of a household resemble one another
    city_h = rng.choice(["small", "medium", "large"], size.size, p=[0.35, 0.40, 0.25])
    cat_h = rng.choice(["economic", "family", "refugee", "other"], size.size, p=[0.45, 0.25, 0.22, 0.08])
    h = np.repeat(np.arange(size.size), size)
    n = h.size
    region, city, cat = region_h[h], city_h[h], cat_h[h]
    sex = rng.choice(["F", "M"], n, p=[0.48, 0.52])
    age = np.clip(np.round(rng.gamma(9, 4, n)), 16, 75).astype(int)
    years = np.round(rng.exponential(3.0, n), 1)
    job = rng.binomial(1, np.where(cat == "economic", 0.6, 0.38))
    weight = np.round(np.exp(rng.normal(-0.08, 0.4, n)), 4)
    region_effect = pd.Series({"03": 0.0, "05": 0.25, "04": 0.1, "02": 0.45, "01": -0.3, "10": 0.9}).loc[region].to_numpy()

    def latent(i: int) -> tuple[int, int]:
        """Whole month of exit and its cause; months without exit give (huge, 0). The effect of a job fades (not proportional)."""
        base = np.where(np.arange(1, 241) <= 18, 1.0, 0.55)
        fade = np.clip(1 - np.arange(240) / 30, 0, 1)
        lin = 0.25 * (sex[i] == "M") - 0.012 * (age[i] - 36) - 0.04 * years[i] + region_effect[i] + 0.3 * (cat[i] == "refugee")
        h1 = 0.0065 * base * np.exp(lin - 0.8 * job[i] * fade) * frailty_h[h[i]]
        h2 = 0.0030 * np.ones(240) * np.exp(0.5 * lin + 0.4 * (city[i] == "small")) * frailty_h[h[i]]
        h3 = 0.0018 * base[::-1] * np.exp(0.3 * (cat[i] == "economic") - 0.02 * (age[i] - 36)) * frailty_h[h[i]]
        hz = np.vstack([h1, h2, h3])
        p = 1 - np.exp(-hz.sum(0))
        hit = np.flatnonzero(rng.random(240) < p)
        if hit.size == 0:
            return 10_000, 0
        m = hit[0]
        return m + 1, 1 + rng.choice(3, p=hz[:, m] / hz[:, m].sum())

    rows = []
    for i in range(n):
        delayed = rng.random() < 0.30
        quarterly = rng.random() < 0.35                                   # date known to the quarter's end only: more ties
        while True:                                                       # left truncation: seen only if still there after entry
            entry = int(rng.integers(1, 25)) if delayed else 0
            event, cause = latent(i)
            censor = 72 if rng.random() < 0.12 else int(rng.integers(3, 73))
            if quarterly:
                event, censor = -(-event // 3) * 3, -(-censor // 3) * 3
            time, cause = (event, cause) if event <= censor else (censor, 0)
            if time > entry:
                break
        if cause == 0:
            lower, upper = float(time), np.inf
        elif rng.random() < 0.25:
            lower = upper = float(time)                                   # reported to the month
        else:
            visits = entry + np.concatenate([[0], np.cumsum(rng.integers(2, 11, 60))])
            k = np.searchsorted(visits, time, side="left")                # visits[k-1] < time <= visits[k]
            lower, upper = float(visits[k - 1]), float(visits[k])
        rows.append((entry, time, cause, lower, upper))
    entry, time, cause, lower, upper = map(np.array, zip(*rows))
    return pd.DataFrame({
        "person_id": [f"P{i + 1:04d}" for i in range(n)], "household_id": [f"H{k + 1:03d}" for k in h], "region": region, "sex": sex,
        "immigration_category": cat, "age": age, "years_since_arrival": years, "job_found": job, "city_size": city, "weight": weight,
        "entry": entry, "time": time, "cause": cause, "lower": lower, "upper": upper})


def _path(rng, state: str, horizon: float, rate: dict, scale: float) -> list[tuple[str, float]]:
    """A continuous-time path: [(state, day it began), …]; sojourns are Weibull, so the hazard depends on time in state a little."""
    t, out = 0.0, [(state, 0.0)]
    while state in rate:
        to = list(rate[state])
        r = np.array([rate[state][k] for k in to]) * scale
        t += rng.weibull(0.85) / r.sum()
        if t >= horizon:
            break
        state = to[rng.choice(len(to), p=r / r.sum())]
        out.append((state, t))
    return out


def make_spells(seed: int = 20261125, n: int = 800) -> pd.DataFrame:
    """Start-stop history in whole days; `to` is the next state, or "censor". 15 % come under observation late."""
    rng = np.random.default_rng(seed)
    rate = {"metropole": {"region": 1 / 900, "other_region": 1 / 5000, "outside_quebec": 1 / 6000},
            "region": {"metropole": 1 / 1500, "other_region": 1 / 3500, "outside_quebec": 1 / 7000},
            "other_region": {"metropole": 1 / 1800, "region": 1 / 2200, "outside_quebec": 1 / 7000}}
    rows, i = [], 0
    while i < n:
        sex = rng.choice(["F", "M"])
        household = f"S{rng.integers(1, 521):03d}"
        first = rng.choice(["metropole", "region", "other_region"], p=[0.62, 0.33, 0.05])
        end = int(min(2192, rng.integers(200, 2800)))
        start = int(rng.integers(1, 500)) if rng.random() < 0.15 else 0
        path = [(s, int(np.ceil(t))) for s, t in _path(rng, first, end, rate, 1.2 if sex == "M" else 0.9)]
        days = [d for _, d in path]
        gone = path[-1][0] == "outside_quebec"
        if len(set(days)) < len(days) or days[-1] >= end or (gone and days[-1] <= start) or start >= end:
            continue                                                      # two moves in one day, or gone before observation: redraw
        i += 1
        stop = days[1:] + ([] if gone else [end])
        to = [s for s, _ in path[1:]] + ([] if gone else ["censor"])
        for (s, a), b, k in zip(path, stop, to):
            if b > start:
                rows.append((f"Q{i:03d}", household, sex, max(a, start), b, s, k))
    return pd.DataFrame(rows, columns=["person_id", "household_id", "sex", "tstart", "tstop", "from", "to"])


def make_sequences(seed: int = 20261126, n: int = 300, months: int = 60) -> pd.DataFrame:
    """Monthly states M (metropole), R (region), O (other region), Q (outside Quebec), four rough types of path."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        kind = rng.choice(4, p=[0.42, 0.24, 0.19, 0.15])
        s = np.empty(months, dtype="U1")
        if kind == 0:                                                     # settles in a region
            s[:] = "R"
            s[: int(rng.gamma(2, 5))] = "M"
        elif kind == 1:                                                   # returns to the metropole
            a = int(rng.integers(1, 15)); b = a + int(rng.gamma(3, 5)) + 1
            s[:] = "M"
            s[a:b] = "R"
        elif kind == 2:                                                   # goes on to another region
            a = int(rng.integers(0, 10)); b = a + int(rng.gamma(3, 6)) + 1
            s[:] = "O"
            s[:a] = "M"
            s[a:b] = "R"
        else:                                                             # leaves Quebec, for good
            a = int(rng.integers(0, 12)); b = a + int(rng.gamma(2, 7)) + 1
            s[:] = "Q"
            s[:a] = "M"
            s[a:b] = "R"
        if kind != 3 and rng.random() < 0.25:                             # a short detour
            a = int(rng.integers(10, 50)); s[a:a + int(rng.integers(1, 7))] = rng.choice(["M", "R", "O"])
        out.append(s)
    frame = pd.DataFrame(np.array(out), columns=[f"m{k + 1:02d}" for k in range(months)])
    frame.insert(0, "person_id", [f"T{i + 1:03d}" for i in range(n)])
    return frame


def make_panel(seed: int = 20261127, n: int = 400) -> pd.DataFrame:
    """States 1-4 (the order of STATES) seen each quarter, some visits missed; a Markov chain in continuous time, per month."""
    rng = np.random.default_rng(seed)
    q = np.array([[0, .035, 0, .004], [.025, 0, .012, .004], [0, .030, 0, .003], [0, 0, 0, 0]])
    rows = []
    for i in range(n):
        state, t, path = int(rng.choice(3, p=[.6, .35, .05])), 0.0, []
        path.append((0.0, state))
        while q[state].sum() > 0 and t < 60:
            t += rng.exponential(1 / q[state].sum())
            state = int(rng.choice(4, p=q[state] / q[state].sum()))
            path.append((t, state))
        when, what = np.array([p[0] for p in path]), [p[1] for p in path]
        last = int(rng.integers(4, 17)) * 3
        for m in range(0, last + 1, 3):
            if 0 < m < last and rng.random() < 0.15:
                continue
            s = what[np.searchsorted(when, m, side="right") - 1]
            rows.append((f"V{i + 1:03d}", m, s + 1))
            if s == 3:
                break
    return pd.DataFrame(rows, columns=["person_id", "months", "state"])


if __name__ == "__main__":
    cohort = make_cohort().replace({"upper": {np.inf: "Inf"}})
    cohort.to_csv(HERE / "cohort.csv", index=False)
    make_spells().to_csv(HERE / "spells.csv", index=False)
    make_sequences().to_csv(HERE / "sequences.csv", index=False)
    make_panel().to_csv(HERE / "panel.csv", index=False)
