"""What holds for any rows whatever: hypothesis draws them from the same kinds of ASCII rows as the other spec tests."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_in import LAVAL, LONGUEUIL, MAGOG, MONTREAL, QUEBEC, SHERBROOKE, SOREL, records_and_persons

from trajectories import Study, build_cohort, build_spells, tables

PLACES = st.sampled_from([MONTREAL, LAVAL, SHERBROOKE, MAGOG, QUEBEC, SOREL, LONGUEUIL, "area 05", "area 16"])
DAYS = st.dates(dt.date(2019, 1, 1), dt.date(2023, 12, 31))
DATES = DAYS.flatmap(lambda day: st.sampled_from([f"{day}", f"{day:%Y-%m}", f"{day:%Y}"]))
PERSONS = st.sampled_from("ab")
ORGANISATIONS = st.sampled_from(["M1", "M2", "R1", "R2"])
ROWS = st.one_of(
    st.fixed_dictionaries({"service": DATES, "residence": PLACES, "what": st.sampled_from(["information", "job_search"])}),
    st.fixed_dictionaries({"established": DATES, "destination": PLACES}, optional={"residence": PLACES, "left_metropole": DATES}),
    st.fixed_dictionaries({"follow_up": DATES, "status": st.sampled_from(["present", "left", "not_reached"])}, optional={"residence": PLACES}),
    st.fixed_dictionaries({"residence": PLACES}, optional={"exit": DATES, "to": st.one_of(PLACES, st.sampled_from(["outside", "unknown"])), "exit_reason": st.sampled_from(["job", "death"]), "filed": DAYS.map(str)}),
)  # fmt: skip
DEPOSITS = st.lists(st.tuples(PERSONS, ORGANISATIONS, ROWS), min_size=1, max_size=12)
COLUMNS = ("person", "org", "service", "what", "residence", "established", "destination", "left_metropole", "follow_up", "status", "exit", "to", "exit_reason", "filed")  # fmt: skip
STUDY = Study(cutoff=dt.date(2023, 12, 31))


def text_of(rows):
    lines = [" | ".join(COLUMNS)]
    for person, organisation, row in rows:
        cells = {"person": person, "org": organisation, **row}
        lines.append(" | ".join(cells.get(column, "") for column in COLUMNS))
    return "\n".join(line + " " for line in lines)


def line_of(records, persons, study=STUDY):
    found = build_spells(records, persons, study=study)
    return found, build_cohort(found, records, persons, study=study)


@settings(max_examples=80, deadline=None)
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


@settings(max_examples=30, deadline=None)
@given(DEPOSITS, st.randoms())
def test_the_order_of_rows_never_matters(rows, random):
    records, persons = records_and_persons(text_of(rows))
    order = list(range(len(records)))
    random.shuffle(order)
    first, first_drawn = line_of(records, persons)
    again, again_drawn = line_of(records.iloc[order].reset_index(drop=True), persons.iloc[order[::-1]])
    for name in ("observations", "spells", "moves", "conflicts"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))
    pd.testing.assert_frame_equal(first_drawn.cohort, again_drawn.cohort)
    pd.testing.assert_frame_equal(first_drawn.contacts, again_drawn.contacts)


@settings(max_examples=30, deadline=None)
@given(DEPOSITS)
def test_one_person_more_changes_nobody_else(rows):
    records, persons = records_and_persons(text_of(rows))
    more, more_persons = records_and_persons(text_of([("z", "R9", {"service": "2020-05-05", "residence": MAGOG})]))
    more["record_id"], more_persons["record_id"] = "other", "other"
    alone, _ = line_of(records, persons)
    together, _ = line_of(tables.stack([more, records], tables.RECORDS), pd.concat([more_persons, persons]))
    kept = together.spells[together.spells["person_id"].ne("z")].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, alone.spells)
