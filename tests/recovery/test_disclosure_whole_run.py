"""The attacker on a whole run: everything published of the sample's deposits, in persons and in households.

For each hidden cell the linear programme finds the interval that a reader can put it in, who knows exactly how many
people each group has (attacker.py): it has to hold all of 1 … threshold − 1. For each month of a curve, the interval of
the exits by then: never narrower than the threshold. Two tables of counts every time, all of them slow.
"""

import numpy as np
import pandas as pd
import pytest

from attacker import exits_a_reader_finds, given_away, hidden_exits, months_a_reader_finds, narrow
from trajectories import Study
from trajectories.disclosure import counts as counts_room
from trajectories.disclosure import protect, protected_counts
from trajectories.portrait import whole_portrait
from trajectories.retention import estimate
from trajectories.study import REGION_CODES
from trajectories.tables import PROVINCE

STUDY = Study(replicates=4)
QUICK = ("origin", "area")
# Rows of data, not persons (rule 5 of counts.py).
ROWS = ("rows", "places", "links", "conflicts", "linkage")


@pytest.fixture(scope="module")
def run(line):
    made = line(defects="light")
    cutoff = made.residences.cutoff
    tables = (made.cohort, made.contacts, made.residences.spells, made.residences.moves,
              made.residences.observations, made.deposits.records, made.persons)  # fmt: skip
    drawn = whole_portrait(*tables, cutoff=cutoff, study=STUDY)
    rates = estimate(made.cohort, made.contacts, study=STUDY, companions=False)
    return drawn, rates


def counted(drawn, names=None):
    """The raw counts of people by table, of the province and the regions."""
    raw = drawn.counts[drawn.counts["group"].isin([PROVINCE, *REGION_CODES]) & ~drawn.counts["table"].isin(ROWS)]
    for name, part in raw.groupby("table"):
        if names is None or name in names:
            yield name, part.reset_index(drop=True)


def away(drawn, names=None):
    """Table → what is given away; the reader knows the households of each group as well, not only its persons."""
    shown, found = protected_counts(drawn.counts).frame, {}
    sums = pd.concat([part.groupby(["group", "table"])[["persons", "households"]].sum() for _, part in counted(drawn)])
    households = sums.groupby("group")["households"].min()
    for name, part in counted(drawn, names):
        part = part.astype({"persons": int, "households": int})
        size = part.groupby("group")[["persons", "households"]].sum()
        # each table of its own people: no more households than it has
        size["households"] = np.minimum(size["households"], households.reindex(size.index)).astype(int)
        told = given_away(part, shown, overlapping=True, size=size)
        if told:
            found[name] = told
    return found


def test_no_hidden_cell_of_the_run_is_given_away(run):
    drawn, _ = run
    shown = protected_counts(drawn.counts).frame
    hidden = shown[shown["table"].isin(QUICK) & ~shown["shown"]]
    assert len(hidden) > 20  # there is something to find
    assert away(drawn, QUICK) == {}


@pytest.mark.slow
def test_no_hidden_cell_of_any_table_is_given_away(run):
    assert away(run[0]) == {}


def test_without_the_second_cell_the_attacker_succeeds_on_the_run(run, monkeypatch):
    monkeypatch.setattr(counts_room._Cells, "hide_until_protected", lambda self: None)
    assert away(run[0], QUICK)


def test_no_month_of_exits_of_a_region_is_told_closer_than_the_threshold(run):
    drawn, _ = run
    raw = drawn.delay_curves
    shown = protect(raw).frame
    looked = 0
    for group in [g for g in REGION_CODES if g in set(shown["group"])]:
        frame = shown[shown["group"].eq(group)].reset_index(drop=True)
        own = raw[raw["group"].eq(group)].reset_index(drop=True)
        frame, own = frame[frame["month"] <= 12], own[own["month"] <= 12]
        if len(frame) > 1:
            looked += 1
            assert not narrow(months_a_reader_finds({group: frame}, raw=own)), group
    assert looked > 3


def test_no_small_number_of_exits_is_told_by_the_rates(run):
    _, rates = run
    shown = protect(rates.retention).frame
    looked = 0
    for group, part in shown[shown["method"].eq("main")].groupby("group"):
        told = part[part["shown"] | part["at_most"].notna()].sort_values("horizon").reset_index(drop=True)
        if told.empty:
            continue
        n = int(rates.retention.loc[rates.retention["group"].eq(group), "n_start"].max())
        for low, high in exits_a_reader_finds(told, n).values():
            looked += 1
            assert low <= 1 + 1e-6, group
            assert high >= 9 - 1e-6, group
    assert looked > 3


def test_no_small_destination_is_told(run):
    _, rates = run
    raw = rates.exits
    shown = protect(raw).frame
    looked = 0
    for group, part in raw.groupby("group"):
        frame = shown[shown["group"].eq(group)].reset_index(drop=True)
        n = int(part["n_start"].max())
        expected = part["estimate"].to_numpy(dtype=float) * n
        part = part.assign(exits=expected)
        by_cause = {cause: rows.sort_values("horizon")["exits"].tolist() for cause, rows in part.groupby("cause")}
        if not frame["shown"].any() or part["estimate"].isna().any():
            continue
        truth = part.set_index(["cause", "horizon"])["exits"]
        for place, (low, high) in hidden_exits(frame.sort_values(["horizon", "cause"]), by_cause, n).items():
            if 1 <= truth[place] < 10:
                looked += 1
                assert low <= 1 + 1e-6, (group, place)
                assert high >= min(9, np.ceil(truth[place])) - 1e-6, (group, place)
    print(looked)
