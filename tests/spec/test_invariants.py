"""What holds for any rows whatever: hypothesis draws them from the same kinds of ASCII rows as the other spec tests.

Rules that need several reports of one person are seldom met by rows drawn one by one; `random_rows` draws the rows of
many persons from few days and towns, and the last test says that every rule is met.
"""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_rows import random_rows, text_of
from tables_in import LAVAL, LONGUEUIL, MAGOG, MONTREAL, QUEBEC, SHERBROOKE, SOREL, records_and_persons

from examples import examples
from trajectories import Study, build_cohort, build_spells, tables
from trajectories.stays import spells

PLACES = st.sampled_from([MONTREAL, LAVAL, SHERBROOKE, MAGOG, QUEBEC, SOREL, LONGUEUIL, "area 05", "area 16"])
DAYS = st.dates(dt.date(2019, 1, 1), dt.date(2023, 12, 31))
DATES = DAYS.flatmap(lambda day: st.sampled_from([f"{day}", f"{day:%Y-%m}", f"{day:%Y}"]))
ORGANISATIONS = st.sampled_from(["M1", "M2", "R1", "R2"])
ROWS = st.one_of(
    st.fixed_dictionaries({"service": DATES, "residence": PLACES, "what": st.sampled_from(["information", "job_search"])}),
    st.fixed_dictionaries({"established": DATES, "destination": PLACES}, optional={"residence": PLACES, "left_metropole": DATES}),
    st.fixed_dictionaries({"follow_up": DATES, "status": st.sampled_from(["present", "left", "not_reached"])}, optional={"residence": PLACES}),
    st.fixed_dictionaries({"residence": PLACES}, optional={"exit": DATES, "to": st.one_of(PLACES, st.sampled_from(["outside", "unknown"])), "exit_reason": st.sampled_from(["job", "death"]), "filed": DAYS.map(str)}),
)  # fmt: skip
# Few rows of two persons, which shrink to what matters; or as many of eight as cost about the same to reconstruct.
DEPOSITS = st.one_of(
    st.lists(st.tuples(st.sampled_from("ab"), ORGANISATIONS, ROWS), min_size=1, max_size=12),
    st.lists(st.tuples(st.sampled_from("abcdefgh"), ORGANISATIONS, ROWS), min_size=16, max_size=48),
)
STUDY = Study(cutoff=dt.date(2023, 12, 31))
SEEDS = st.integers(0, 10**6)
MANY = examples(6)
# Two reports at most this far apart are one event told twice (design.md, rule 1).
SAME_EVENT = pd.Timedelta(days=31)
LONG_AGO, FAR = pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01")


def line_of(records, persons, study=STUDY):
    found = build_spells(records, persons, study=study)
    return found, build_cohort(found, records, persons, study=study)


@examples(30)
@given(DEPOSITS, st.sampled_from(["region", "any_region"]))
def test_whatever_is_deposited_the_tables_keep_their_rules(rows, scope):
    records, persons = records_and_persons(text_of(rows))
    found, drawn = line_of(records, persons, replace(STUDY, scope=scope))
    for frame, table in (
        (found.observations, tables.OBSERVATIONS), (found.spells, tables.SPELLS), (found.moves, tables.MOVES),
        (found.conflicts, tables.CONFLICTS), (drawn.cohort, tables.COHORT), (drawn.contacts, tables.CONTACTS),
    ):  # fmt: skip
        tables.check(frame, table)
    spells = found.spells
    assert not (spells["start_earliest"] > spells["start_latest"]).any()
    assert not (spells["end_earliest"] > spells["end_latest"]).any()
    # consecutive spells are in order, and each moved spell has its move
    assert all(starts.is_monotonic_increasing for _, starts in spells.groupby("person_id")["start_latest"])
    assert len(found.moves) == spells["outcome"].eq("moved").sum()
    # nothing is after the cut-off
    for column in ("start_latest", "end_latest", "last_confirmed"):
        assert not (spells[column] > pd.Timestamp(STUDY.cutoff)).any()
    cohort = drawn.cohort
    assert (cohort["entry"] >= 0).all()
    assert (cohort["entry"] <= cohort["lower"]).all()
    assert (cohort["lower"] <= cohort["upper"]).all()
    # an exit has an upper end, unless nothing says when the stay began
    bounded = cohort["establishment_earliest"].notna()
    assert (np.isfinite(cohort["upper"]) == (cohort["exit"].notna() & bounded)).all()
    assert not (cohort["lost"].notna() & cohort["exit"].notna()).any()
    assert (drawn.contacts["month"] >= 0).all()


@pytest.mark.thorough
@examples(12)
@given(DEPOSITS)
def test_one_person_more_changes_nobody_else(rows):
    records, persons = records_and_persons(text_of(rows))
    more, more_persons = records_and_persons(text_of([("z", "R9", {"service": "2020-05-05", "residence": MAGOG})]))
    more["record_id"], more_persons["record_id"] = "other", "other"
    alone, _ = line_of(records, persons)
    together, _ = line_of(tables.stack([more, records], tables.RECORDS), pd.concat([more_persons, persons]))
    kept = together.spells[together.spells["person_id"].ne("z")].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, alone.spells)


def many(seed, persons=80):
    """Records and persons of random rows, with record ids in random order."""
    records, found = records_and_persons(text_of(random_rows(seed, persons)))
    ids = [f"{number:06d}" for number in np.random.default_rng(seed).permutation(len(records))]
    return records.assign(record_id=ids), found.assign(record_id=ids)


@pytest.mark.thorough
@MANY
@given(SEEDS)
def test_spells_do_not_overlap_beyond_the_intervals_of_their_ends(seed):
    spells = build_spells(*many(seed), study=STUDY).spells
    following = spells.shift(-1)
    after = spells["person_id"].eq(following["person_id"])
    here, there = spells[after], following[after]
    assert not (here["end_earliest"] > there["start_latest"]).any()
    assert not (here["end_latest"] > there["start_latest"]).any()
    assert not (here["last_confirmed"] > there["start_earliest"]).any()
    for end in ("earliest", "latest"):
        assert not (here[f"start_{end}"] > there[f"start_{end}"]).any()
    assert not (here["start_earliest"] > here["end_earliest"]).any()
    assert not (here["start_latest"] > here["end_latest"]).any()
    # no wider than the evidence allows: what is known of one spell's course bounds the start of the next
    assert not (here["last_confirmed"].notna() & there["start_earliest"].isna()).any()
    # a move is one event: the end of a spell is the start of the next, unless the person was gone in between
    moved = here["outcome"].eq("moved") & here["end_latest"].ge(there["start_earliest"])
    assert not (here["end_earliest"] > there["start_latest"])[moved].any()


@MANY
@given(SEEDS)
def test_the_kinds_partition_the_moves(seed):
    found = build_spells(*many(seed), study=STUDY)
    assert len(found.moves) == found.spells["outcome"].eq("moved").sum()
    for move in found.moves.itertuples():
        zones = (move.origin_zone, move.destination_zone)
        regions = (move.origin_region, move.destination_region)
        says = {
            "secondary": zones == ("metropole", "region"),
            "return": zones == ("region", "metropole"),
            "out_of_quebec": zones[1] == "outside_quebec" and zones[0] != "unknown",
            "arrival": zones[0] == "outside_quebec" and zones[1] not in ("outside_quebec", "unknown"),
            "onward": zones == ("region", "region") and None not in regions and len(set(regions)) == 2,
            "within": zones == ("metropole", "metropole")
            or (zones == ("region", "region") and None not in regions and len(set(regions)) == 1),
            "undetermined": "unknown" in zones or (zones == ("region", "region") and None in regions),
        }
        assert [kind for kind, holds in says.items() if holds] == [move.kind]


@MANY
@given(SEEDS)
def test_every_observation_of_a_place_is_inside_a_spell_or_in_conflicts(seed):
    found = build_spells(*many(seed), study=STUDY)
    nowhere = found.observations["zone"].eq("unknown") & found.observations["region"].isna()
    # where someone is said to have died is no residence
    placed = found.observations[~nowhere & ~found.observations["died"]].reset_index(names="observation")
    pairs = placed.merge(found.spells, on="person_id", suffixes=("", "_spell"))
    town = pairs["municipality"].notna() & pairs["municipality"].eq(pairs["municipality_spell"])
    area = pairs["municipality"].isna()
    area &= pairs["region"].isna() | pairs["region"].eq(pairs["region_spell"])
    area &= pairs["zone"].eq("unknown") | pairs["zone"].eq(pairs["zone_spell"])
    then = pairs["earliest"].fillna(LONG_AGO) <= pairs["end_latest"].fillna(FAR)
    then &= pairs["latest"] >= pairs["start_earliest"].fillna(LONG_AGO) - SAME_EVENT
    inside = pairs.loc[(town | area) & then, "observation"]
    said = placed.merge(found.conflicts, left_on=["person_id", "latest"], right_on=["person_id", "date"])
    said = said.loc[[kind in words.split() for kind, words in zip(said["kind"], said["said"], strict=True)]]
    left_out = placed[~placed["observation"].isin(inside) & ~placed["observation"].isin(said["observation"])]
    assert left_out.empty, left_out.to_string()


@pytest.mark.thorough
@MANY
@given(SEEDS)
def test_the_order_of_records_and_of_observations_never_matters(seed):
    records, persons = many(seed)
    rng = np.random.default_rng(seed)
    first = build_spells(records, persons, study=STUDY)
    again = build_spells(
        records.iloc[rng.permutation(len(records))], persons.iloc[rng.permutation(len(persons))], study=STUDY
    )
    shuffled = first.observations.iloc[rng.permutation(len(first.observations))]
    for name in ("observations", "spells", "moves", "conflicts"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))
    for one, other in zip(
        spells.reconstruct(first.observations), spells.reconstruct(shuffled.astype({"region": "category"})), strict=True
    ):
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.thorough
@MANY
@given(SEEDS, st.sampled_from([1, 7, 1000]))
def test_how_persons_are_shared_out_never_matters(seed, size):
    observations = build_spells(*many(seed, 30), study=STUDY).observations
    whole, part = spells.reconstruct(observations), spells.PART
    try:
        spells.PART = size
        for one, other in zip(whole, spells.reconstruct(observations), strict=True):
            pd.testing.assert_frame_equal(one, other)
    finally:
        spells.PART = part


@pytest.mark.thorough
@MANY
@given(SEEDS)
def test_one_more_presence_within_a_spell_changes_nothing_but_counts(seed):
    records, persons = many(seed)
    before = build_spells(records, persons, study=STUDY)
    days = (before.spells["last_confirmed"] - before.spells["start_latest"]).dt.days
    chosen = before.spells[before.spells["municipality"].notna() & (days > 1)]
    # « présent » where nothing says where would be placed by what is added
    lost = before.observations["kind"].eq("follow_up") & before.observations["zone"].eq("unknown")
    chosen = chosen[~chosen["person_id"].isin(before.observations.loc[lost, "person_id"])]
    chosen = chosen.sample(frac=1, random_state=seed).drop_duplicates("person_id").sort_values("person_id")
    days = np.random.default_rng(seed).integers(1, days[chosen.index])
    rows = [
        (spell.person_id, "M9" if spell.zone == "metropole" else "R9",
         {"service": f"{spell.start_latest + pd.Timedelta(days=day):%Y-%m-%d}", "what": "information",
          "residence": spell.municipality})
        for spell, day in zip(chosen.itertuples(), days, strict=True)
    ]  # fmt: skip
    # what may be of several days is put in the order with the fewest moves: a presence is then news of that too
    wide = before.observations["earliest"].ne(before.observations["latest"]) & before.observations["kind"].ne(
        "residence"
    )
    moved = before.observations.loc[wide, "person_id"].unique()
    more, more_persons = records_and_persons(text_of(rows))
    ids = [f"x{number}" for number in range(len(more))]
    after = build_spells(
        tables.stack([records, more.assign(record_id=ids)], tables.RECORDS),
        pd.concat([persons, more_persons.assign(record_id=ids)], ignore_index=True),
        study=STUDY,
    )
    # a presence that contradicts a report is news, and a row of `conflicts` says so
    keys = ["person_id", "date", "rule"]
    either = pd.concat([before.conflicts[keys].drop_duplicates(), after.conflicts[keys].drop_duplicates()])
    news = set(either.loc[~either.duplicated(keep=False), "person_id"])
    assert len(news) <= 0.1 * len(rows) + 1
    news |= set(moved)
    for name in ("spells", "moves"):
        one, other = (
            frame[~frame["person_id"].isin(news)].drop(columns="n_observations", errors="ignore").reset_index(drop=True)
            for frame in (getattr(before, name), getattr(after, name))
        )
        pd.testing.assert_frame_equal(one, other)
    added, kept = (
        frame.loc[~frame["person_id"].isin(news), "n_observations"].sum() for frame in (after.spells, before.spells)
    )
    # an address that is told late may then be seen to be an old one: a count more, a count less
    assert added - kept >= 0.9 * (~chosen["person_id"].isin(news)).sum() - 1


@pytest.mark.thorough
@MANY
@given(SEEDS, st.integers(-2000, 2000))
def test_shifting_all_dates_by_whole_days_shifts_all_results_by_them(seed, days):
    records, persons = many(seed)
    shift = pd.Timedelta(days=days)
    dates = list(records.select_dtypes("datetime"))
    later = records.assign(**{name: records[name] + shift for name in dates})
    first = build_spells(records, persons, study=STUDY)
    again = build_spells(later, persons, study=replace(STUDY, cutoff=STUDY.cutoff + shift.to_pytimedelta()))
    for name in ("observations", "spells", "moves"):
        frame = getattr(first, name)
        dates = list(frame.select_dtypes("datetime"))
        shifted = frame.assign(**{column: frame[column] + shift for column in dates})
        pd.testing.assert_frame_equal(shifted, getattr(again, name))
    rules = [frame.assign(date=frame["date"] - by)[["person_id", "date", "rule"]]
             for frame, by in ((first.conflicts, pd.Timedelta(0)), (again.conflicts, shift))]  # fmt: skip
    pd.testing.assert_frame_equal(*(frame.sort_values(list(frame), ignore_index=True) for frame in rules))


def test_random_rows_reach_every_rule():
    found = build_spells(*many(1, 600), study=STUDY)
    assert set(found.spells["outcome"]) == set(tables.OUTCOMES)
    assert set(found.spells["zone"]) == set(tables.ZONES)
    assert set(found.moves["kind"]) == set(tables.MOVE_KINDS)
    assert set(found.observations["kind"]) == set(tables.OBSERVATION_KINDS)
    assert set(found.conflicts["rule"]) == {
        "old_address", "possible_return", "possible_visit", "departure_before_presence", "departure_already_known",
        "establishment_dates", "presence_before_establishment",
    }  # fmt: skip
    assert found.spells["municipality"].isna().any()
