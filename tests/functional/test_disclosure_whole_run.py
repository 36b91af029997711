"""The attacker on the run of the sample (sample_project.py): everything published, in persons and in households.

For each hidden cell the linear programme finds the interval that a reader can put it in, who knows exactly how many
people each group has (attacker.py): it has to hold all of 1 … threshold − 1. For each month of a curve, the interval of
the exits by then: never narrower than the threshold. Two tables of counts every day, all of them with `make recovery`.
"""

import numpy as np
import pandas as pd
import pytest

from attacker import exits_a_reader_finds, given_away, months_a_reader_finds, narrow
from sample_project import reported
from trajectories.disclosure import counts as counts_room
from trajectories.disclosure import protect, protected_counts
from trajectories.study import REGION_CODES
from trajectories.tables import PROVINCE

QUICK = ("area", "service_any")
# Rows of data, not persons (rule 5 of counts.py).
ROWS = ("rows", "places", "links", "conflicts", "linkage")


@pytest.fixture(scope="module")
def raw():
    """The tables of the run before protection, by name."""
    folder = reported() / "reports" / "sample" / "sensitive" / "tables"
    return {
        name: pd.read_parquet(folder / f"{name}.parquet") for name in ("counts", "delay_curves", "retention", "exits")
    }


def counted(counts, names=None):
    """The raw counts of people by table, of the province and the regions."""
    raw = counts[counts["group"].isin([PROVINCE, *REGION_CODES]) & ~counts["table"].isin(ROWS)]
    for name, part in raw.groupby("table"):
        if names is None or name in names:
            yield name, part.reset_index(drop=True)


def away(counts, names=None):
    """Table → what is given away; the reader knows the households of each group as well, not only its persons."""
    shown, found = protected_counts(counts).frame, {}
    households = counts[counts["table"].eq("stays")].set_index("group")["households"]
    for name, part in counted(counts, names):
        part = part.astype({"persons": int, "households": int})
        size = part.groupby("group")[["persons", "households"]].sum()
        # each table of its own people: no more households than it has
        size["households"] = np.minimum(size["households"], households.reindex(size.index)).astype(int)
        # whose only key is the whole is known by that number alone, which no other table tells
        size = size if part["key"].nunique() > 1 else size.iloc[:0]
        told = given_away(part, shown, overlapping=True, size=size)
        if told:
            found[name] = told
    return found


def test_no_hidden_cell_of_the_run_is_given_away(raw):
    shown = protected_counts(raw["counts"]).frame
    hidden = shown[shown["table"].isin(QUICK) & ~shown["shown"]]
    assert len(hidden) > 10  # there is something to find
    assert away(raw["counts"], QUICK) == {}


@pytest.mark.slow
def test_no_hidden_cell_of_any_table_is_given_away(raw):
    assert away(raw["counts"]) == {}


def test_without_the_second_cell_the_attacker_succeeds_on_the_run(raw, monkeypatch):
    monkeypatch.setattr(counts_room._Cells, "hide_until_protected", lambda self: None)
    assert away(raw["counts"], QUICK)


def test_no_month_of_exits_of_a_region_is_told_closer_than_the_threshold(raw):
    curves = raw["delay_curves"]
    shown = protect(curves).frame
    looked = 0
    for group in [g for g in REGION_CODES if g in set(shown["group"])]:
        frame = shown[shown["group"].eq(group)].reset_index(drop=True)
        own = curves[curves["group"].eq(group)].reset_index(drop=True)
        frame, own = frame[frame["month"] <= 12], own[own["month"] <= 12]
        if len(frame) > 1:
            looked += 1
            assert not narrow(months_a_reader_finds({group: frame}, raw=own)), group
    assert looked > 3


def test_no_small_number_of_exits_is_told_by_the_rates(raw):
    rates = raw["retention"]
    shown = protect(rates).frame
    looked = 0
    for group, part in shown[shown["method"].eq("main")].groupby("group"):
        told = part[part["shown"] | part["at_most"].notna()].sort_values("horizon").reset_index(drop=True)
        if told.empty:
            continue
        n = int(rates.loc[rates["group"].eq(group), "n_start"].max())
        for low, high in exits_a_reader_finds(told, n).values():
            looked += 1
            assert low <= 1 + 1e-6, group
            assert high >= 9 - 1e-6, group
    assert looked > 3
