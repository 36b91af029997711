"""Of a very large cohort whole households are drawn; of a smaller one nobody is left out."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from trajectories.stays.subsample import some_people, subsample


def stays(households: int, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    size = np.random.default_rng(seed).integers(1, 6, households)
    household = np.repeat(np.arange(households), size).astype(str)
    cohort = pd.DataFrame({"person_id": [f"p{n}" for n in range(len(household))], "household_id": household})
    return cohort.assign(episode=1), cohort.loc[cohort.index.repeat(2), ["person_id"]].assign(episode=1, month=3.0)


def test_of_no_more_stays_than_that_nothing_is_copied_or_left_out():
    cohort, contacts = stays(30)
    some, theirs = subsample(cohort, contacts, seed=1, most=len(cohort))
    assert some is cohort
    assert theirs is contacts


def test_households_are_whole_with_all_their_contacts_and_near_the_most():
    cohort, contacts = stays(400)
    some, theirs = subsample(cohort, contacts, seed=1, most=500)
    assert 490 <= len(some) <= 500
    there = cohort["household_id"].isin(some["household_id"])
    assert some["person_id"].tolist() == cohort.loc[there, "person_id"].tolist()
    assert theirs["person_id"].value_counts().eq(2).all()
    assert set(theirs["person_id"]) == set(some["person_id"])


def test_the_draw_is_the_seeds_whatever_the_order_of_the_rows():
    cohort, contacts = stays(200)
    mixed = cohort.sample(frac=1, random_state=1)
    drawn = [set(subsample(frame, contacts, seed=seed, most=200)[0]["person_id"]) for frame in (cohort, mixed)
             for seed in (1, 2)]  # fmt: skip
    assert drawn[0] == drawn[2] != drawn[1] == drawn[3]


def test_every_household_is_as_likely_to_be_drawn():
    cohort, contacts = stays(60)
    cohort = cohort.drop_duplicates("household_id")  # of one size: larger ones cross the end of the draw more often
    drawn = pd.concat([subsample(cohort, contacts, seed=seed, most=30)[0] for seed in range(400)])
    share = drawn["person_id"].value_counts().reindex(cohort["person_id"], fill_value=0) / 400
    assert abs(share - 0.5).max() < 4.5 * np.sqrt(0.25 / 400)


@given(st.lists(st.integers(0, 12), min_size=2, max_size=25), st.data())
def test_a_person_at_any_threshold_is_drawn_whole_or_not_at_all(person, data):
    n = len(person)
    ids = [f"r{i}" for i in range(n)]
    persons = pd.DataFrame({"record_id": ids, "person_id": [f"p{p}" for p in person]})
    persons["household_id"] = [f"h{p // 3}" for p in person]
    others = []
    for threshold in (0.5, 0.9):
        who = data.draw(st.lists(st.integers(0, 12), min_size=n, max_size=n))
        others.append(persons.assign(threshold=threshold, person_id=[f"p{w}" for w in who],
                                     household_id=[f"h{w // 2}" for w in who]))  # fmt: skip
    most = data.draw(st.integers(0, n))
    chosen = some_people(persons, pd.concat(others), seed=data.draw(st.integers(0, 9)), most=most)
    assert chosen.index.tolist() == ids
    inside = persons.assign(drawn=chosen.to_numpy())
    assert inside.loc[inside["drawn"], "person_id"].nunique() <= max(most, 0) or chosen.all()
    for table in (persons, *others):
        for unit in ("person_id", "household_id"):
            assert table.assign(drawn=chosen.to_numpy()).groupby(unit)["drawn"].nunique().eq(1).all()
