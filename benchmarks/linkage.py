"""Linkage at scale: identities linked, pairs compared, seconds, memory, and how they grow.

    .venv/bin/python benchmarks/linkage.py [identities …]     (by default 100,000)

The identities are those of simulated, heavily mistyped households, taken again and again as other households: other
days of birth and arrival, other last names, other file numbers; the mistakes stay.
"""

import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from trajectories import Study, read_deposits
from trajectories.linkage import MATCH_THRESHOLD, SAMPLE_KEY, link, resolve
from trajectories.simulate import Settings, simulate

HOUSEHOLDS = 3_000
_SYLLABLES = np.array(
    ["", "ba", "di", "ko", "mar", "nel", "ous", "ric", "son", "tou", "vil", "zan", "el", "ine", "ov", "ski"],
    dtype=object,
)


def another(records: pd.DataFrame, household: np.ndarray, copy: int, rng: np.random.Generator) -> pd.DataFrame:
    """The same mistakes made about other households."""
    n = household.max() + 1
    found = records.copy()
    for date, most in (("birth_date", 2_000), ("arrival_date", 700)):
        # whole years for a birth, so that 1 January stays what is typed for want of better
        days = rng.integers(-most, most, n)[household]
        years = rng.integers(-6, 7, n)[household]
        earliest, latest = records[f"{date}_earliest"], records[f"{date}_latest"]
        vague = (earliest.dt.strftime("%m%d").eq("0101") | earliest.ne(latest)) & (date == "birth_date")
        for end, column in (("earliest", earliest), ("latest", latest)):
            moved = column + pd.to_timedelta(days, unit="D")
            by_year = column + pd.to_timedelta(np.round(years * 365.25), unit="D")
            started = pd.to_datetime(by_year.dt.year.astype("Int64").astype("string") + column.dt.strftime("-%m-%d"),
                                     errors="coerce")  # fmt: skip
            found[f"{date}_{end}"] = moved.where(~vague, started)
    # in front: with another ending names would still be alike, and everybody have a hundred doubles
    start = _SYLLABLES[rng.integers(0, len(_SYLLABLES), n)] + _SYLLABLES[rng.integers(0, len(_SYLLABLES), n)]
    found["family_name"] = start[household] + found["family_name"]
    for number in ("file_number", "household_number", "record_id"):
        found[number] = f"{copy}-" + found[number]
    return found


def many(identities: int) -> pd.DataFrame:
    """Records of about so many identities."""
    with tempfile.TemporaryDirectory() as folder:
        truth = simulate(Path(folder), Settings(households=HOUSEHOLDS, organisations=100, defects="heavy", seed=11))
        records = read_deposits(Path(folder) / "raw", study=Study()).records
    files = ["organisation_id", "file_number"]
    known = truth.identities.drop_duplicates(files).set_index(files)["true_household"]
    household = known.reindex(pd.MultiIndex.from_frame(records[files])).to_numpy()
    records = records[~np.isnan(household.astype(float))].drop_duplicates(files)
    household = known.reindex(pd.MultiIndex.from_frame(records[files])).to_numpy().astype(np.int64)
    rng = np.random.default_rng(1)
    copies = max(1, round(identities / len(records)))
    return pd.concat([records, *(another(records, household, c, rng) for c in range(1, copies))], ignore_index=True)


def measure(identities: int) -> None:
    """One size, in a process of its own; prints a line for the table."""
    records = many(identities)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    start = time.perf_counter()
    links = link(records)
    compared = time.perf_counter()
    resolve(links, MATCH_THRESHOLD, SAMPLE_KEY)
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    n, pairs, left_out = len(links.identities.table), len(links.pairs), links.blocks.counts["pairs_left_out"].sum()
    print(n, pairs, int(left_out), f"{compared - start:.1f} {done - compared:.1f} {before:.2f} {peak:.2f}")


def main(sizes: list[int]) -> None:
    """Each size after the other, and the exponent with which seconds grow between them."""
    header = ("identities", "pairs", "left out", "compare s", "resolve s", "peak GiB", "growth")
    print("".join(f"{name:>12}" for name in header))
    last = None
    for size in sizes:
        command = [sys.executable, __file__, "--one", str(size)]
        line = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 (our own command)
        n, pairs, left_out, compare, settle, _, peak = (float(x) for x in line.stdout.split())
        seconds = compare + settle
        growth = "" if last is None else f"{math.log(seconds / last[1]) / math.log(n / last[0]):.2f}"
        cells = (f"{n:,.0f}", f"{pairs:,.0f}", f"{left_out:,.0f}", f"{compare:.1f}", f"{settle:.1f}", f"{peak:.2f}")
        print("".join(f"{cell:>12}" for cell in (*cells, growth)), flush=True)
        last = (n, seconds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(int(sys.argv[2]))
    else:
        main([int(size) for size in sys.argv[1:]] or [100_000])
