"""Codes, order and ties of the observations as arrays."""

import numpy as np
import pandas as pd
import pytest

from trajectories.stays import evidence
from trajectories.stays.coding import NO_DAY, dates, days, decode, encode


def observations(n=400, seed=3):
    rng = np.random.default_rng(seed)
    latest = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 4, n), unit="D")
    earliest = pd.Series(latest - pd.to_timedelta(rng.integers(0, 2, n), unit="D")).where(rng.random(n) < 0.9)
    return pd.DataFrame(
        {
            "person_id": rng.choice(["é", "b", "a", "z"], n),
            "earliest": earliest,
            "latest": latest,
            "municipality": rng.choice(["43027", None], n),
            "region": "05",
            "zone": "region",
            "kind": rng.choice(evidence.KINDS, n),
            "in_person_metropole": False,
            "record_id": [f"r{number:03d}" for number in rng.permutation(n)],
        }
    )


def in_order(frame):
    rank = frame["kind"].map({"residence": 0, "service": 1, "follow_up": 1, "establishment": 2, "departure": 3})
    return frame.assign(rank=rank).sort_values(["person_id", "latest", "rank", "earliest", "record_id"]).index


@pytest.mark.parametrize("dtype", ["object", "category"])
def test_the_order_is_that_of_person_day_kind_earliest_and_record(dtype):
    frame = observations()
    texts = ["person_id", "municipality", "region", "zone", "kind"]
    parts = evidence.encode_observations(frame.astype(dict.fromkeys(texts, dtype))).parts(len(frame))
    assert parts[0]().row.tolist() == in_order(frame).tolist()


def test_days_too_far_apart_to_be_packed_are_sorted_all_the_same(monkeypatch):
    frame = observations()
    monkeypatch.setattr(evidence, "_KEY_BITS", 8)
    assert evidence.encode_observations(frame).parts(len(frame))[0]().row.tolist() == in_order(frame).tolist()


def test_parts_are_cut_between_persons():
    parts = [make() for make in evidence.encode_observations(observations()).parts(30)]
    assert [len(np.unique(part.person)) for part in parts] == [1, 1, 1, 1]
    assert sum(map(len, parts)) == 400


def test_no_observation_is_one_empty_part():
    (make,) = evidence.encode_observations(observations().iloc[:0]).parts(10)
    assert len(make()) == 0


@pytest.mark.parametrize("categories", [["a", "b", "c"], ["c", "a", "b"]])
def test_codes_follow_the_alphabet_whatever_the_order_of_the_categories(categories):
    codes, words = encode(pd.Series(pd.Categorical(["b", None, "c", "a"], categories=categories)))
    assert codes.tolist() == [1, -1, 2, 0]
    assert decode(codes, words).tolist() == ["b", None, "c", "a"]


def test_text_in_order_and_in_disorder_have_the_same_codes():
    texts = pd.Series(["a", "a", "c", "é"])
    for order in ([0, 1, 2, 3], [2, 0, 3, 1]):
        codes, words = encode(texts.iloc[order])
        assert words.tolist() == ["a", "c", "é"]
        assert decode(codes, words).tolist() == texts.iloc[order].tolist()


def test_dates_come_back_and_missing_ones_before_all_others():
    texts = pd.Series(pd.to_datetime(["1677-09-22", "2021-05-03", None, "2262-04-11"]))
    numbers = days(texts)
    assert numbers[2] == NO_DAY == numbers.min()
    pd.testing.assert_series_equal(pd.Series(dates(numbers)), texts)
