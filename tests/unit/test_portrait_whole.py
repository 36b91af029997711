"""The whole portrait: every table that the report may show survives protection, and nothing small is told."""

import pandas as pd
import pytest

import portrait_tables
from trajectories import protect
from trajectories.analysis.portrait import COLUMNS, WHO, Portrait, whole_portrait
from trajectories.analysis.portrait.flows import SERVICE_TABLES
from trajectories.disclosure import protected_counts
from trajectories.study import Disclosure, Study

STUDY = Study(groups={"Est": ("01", "02", "05"), "Nord": ("09", "10")}, targets={("05", "2021-2022"): 30})
# One key a person and group.
PARTS = (*WHO, "migration", *SERVICE_TABLES)


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    made = portrait_tables.make(450, seed=8)
    return whole_portrait(*made.tables(), cutoff=portrait_tables.CUTOFF, study=STUDY)


@pytest.fixture(scope="module")
def told(portrait):
    return protected_counts(portrait.counts, groups=STUDY.groups)


def test_counts_are_tidy_and_of_every_group(portrait):
    counts = portrait.counts
    assert list(counts.columns) == list(COLUMNS)
    assert not counts.duplicated(["group", "table", "key"]).any()
    assert set(counts["group"]) == {"province", *(f"{code:02d}" for code in range(1, 18)), "Est", "Nord"} - {"06", "13"}
    assert set(PARTS) < set(counts["table"])
    assert counts[["persons", "households"]].ge(0).all(axis=None)
    assert (counts["households"] <= counts["persons"]).all()


def test_tables_of_one_population_have_one_sum(portrait):
    counts = portrait.counts
    settled = counts[counts["table"].isin([*WHO, "migration"])].groupby(["group", "table"])["persons"].sum().unstack()
    stays = counts[counts["table"].eq("stays")].set_index("group")["persons"]
    assert settled.sub(stays, axis=0).eq(0).all(axis=None)
    moved = counts[counts["table"].isin(SERVICE_TABLES)].groupby(["group", "table"])["persons"].sum().unstack()
    assert moved.nunique(axis=1).eq(1).all()


def test_protect_takes_the_counts_and_hides_what_is_small(portrait, told):
    rules = Disclosure()
    whole = portrait.counts.merge(told.frame, on=["group", "table", "key"])
    regions = whole[~whole["group"].isin(STUDY.groups)]
    shown = regions[regions["shown"]]
    some = shown[shown["persons"].gt(0)]
    print(f"{len(shown)} of {len(regions)} cells shown, the smallest of somebody: {some['persons'].min()} persons")
    assert len(some) > 300
    assert some["persons"].min() >= rules.threshold
    assert some["households"].min() >= rules.households
    assert (shown["persons_rounded"] - shown["persons"]).abs().max() <= 2
    small = regions[regions["persons"].between(1, 9)]
    assert len(small) > 100
    assert not small["shown"].any()
    assert small[["persons_rounded", "households_rounded"]].isna().all(axis=None)


def test_groups_of_the_study_are_told_and_never_more_than_their_regions(told):
    frame = told.frame.set_index(["table", "key"])
    est = frame[frame["group"].eq("Est")]
    assert est["shown"].any()
    for cell, row in est[est["shown"]].iterrows():
        parts = frame.loc[[cell]]
        parts = parts[parts["group"].isin(STUDY.groups["Est"])]
        assert parts["shown"].all()
        assert parts["persons_rounded"].sum() == row["persons_rounded"]
    assert not frame.loc[frame["group"].eq("Nord") & frame["persons_rounded"].gt(0), "shown"].any()


@pytest.mark.thorough
def test_a_stricter_study_shows_less(portrait, told):
    strict = protected_counts(portrait.counts, rules=Disclosure(threshold=30, households=15), groups=STUDY.groups)
    assert strict.frame["shown"].sum() < told.frame["shown"].sum()


def test_curves_of_delays_can_be_protected(portrait):
    assert protect(portrait.delay_curves).frame["group"].nunique() > 2
    assert set(protect(portrait.contact_curves).frame["group"]) == {"province"}


@pytest.mark.thorough
def test_the_tables_are_the_same_whatever_the_order_of_the_rows(portrait):
    made = portrait_tables.make(450, seed=8)
    shuffled = [table.sample(frac=1, random_state=1).reset_index(drop=True) for table in made.tables()]
    again = whole_portrait(*shuffled, cutoff=portrait_tables.CUTOFF, study=STUDY)
    for name in Portrait.__dataclass_fields__:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(portrait, name))


def test_some_groups_may_be_asked_for():
    made = portrait_tables.make(60, seed=9)
    found = whole_portrait(*made.tables(), cutoff=portrait_tables.CUTOFF, study=STUDY, groups=["province", "Est"])
    assert set(found.counts["group"]) == set(found.delays["group"]) == set(found.stock["group"]) == {"province", "Est"}
    assert set(found.delay_curves["group"]) == {"province"}
