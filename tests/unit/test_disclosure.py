"""The door: what `protect` takes and refuses, and what `Protected` will not hold."""

import numpy as np
import pandas as pd
import pytest

from trajectories.disclosure import Protected, protect
from trajectories.disclosure.counts import HUB, UNLIMITED, reach
from trajectories.disclosure.rules import checked, midpoints, rounded, rounding_interval
from trajectories.disclosure.tables import KINDS, bases, rules_of
from trajectories.exceptions import DisclosureError
from trajectories.report.words import words
from trajectories.study import Disclosure

COUNTS = pd.DataFrame({
    "group": "05", "table": "origins", "key": ["<b>a</b>", "b", "c", "d"], "persons": [4, 61, 52, 83],
    "households": [2, 30, 25, 40],
})  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (Disclosure(threshold=4), "threshold is 4: it must be 5 or more"),
        (Disclosure(threshold=0), "threshold is 0"),
        (Disclosure(households=1), "households is 1"),
        (Disclosure(round=1), "round is 1"),
        (Disclosure(rate_denominator=10), "rate_denominator is 10"),
        (Disclosure(threshold=12, round=5), "does not divide"),
    ],
)
def test_no_rule_can_be_switched_off(rules, sentence):
    with pytest.raises(DisclosureError, match=sentence):
        protect(COUNTS, rules=rules)


def test_all_faults_of_the_rules_come_at_once():
    with pytest.raises(DisclosureError, match=r"threshold.*households.*round"):
        checked(Disclosure(threshold=1, households=1, round=1))


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"x": [1]}),
        COUNTS.drop(columns="households"),
        COUNTS.assign(estimate=1, lower=1, upper=1, n_start=1, n_at_risk=1),
    ],
)
def test_a_table_of_no_known_kind_is_refused(table):
    with pytest.raises(DisclosureError, match="known kind"):
        protect(table)


def test_only_raw_tables_are_protected_and_once():
    with pytest.raises(DisclosureError, match="not a Protected"):
        protect(protect(COUNTS))
    with pytest.raises(DisclosureError, match="known kind"):
        protect(protect(COUNTS).frame)


@pytest.mark.parametrize(
    ("kind", "frame", "sentence"),
    [
        ("counts", COUNTS.assign(shown=True), "not protected .households, persons"),
        ("counts", pd.DataFrame({"group": ["05"]}), "no column shown"),
        ("table", pd.DataFrame({"shown": [True]}), "no kind"),
        ("rates", pd.DataFrame({"estimate": [0.5], "shown": [False]}), "not shown"),
        ("curve", pd.DataFrame({"n_exit_metropole": [1], "shown": [True]}), "n_exit_metropole"),
    ],
)
def test_a_raw_table_cannot_pass_for_a_protected_one(kind, frame, sentence):
    with pytest.raises(DisclosureError, match=sentence):
        Protected(kind, frame, Disclosure())


def test_rows_of_one_group():
    both = protect(pd.concat([COUNTS, COUNTS.assign(group="07")]))
    assert list(both.of("07").frame["group"].unique()) == ["07"]
    assert both.of("12").frame.empty


def test_notebook_view_is_escaped_and_holds_no_hidden_number():
    page = protect(COUNTS)._repr_html_()
    assert "&lt;b&gt;a&lt;/b&gt;" in page
    assert "<b>" not in page
    assert ">–<" in page
    assert ">4<" not in page


def test_rounding_and_its_interval_agree():
    counts = np.arange(10, 400)
    for base in (5, 10, 7):
        low, high = rounding_interval(rounded(counts, base), base, 10)
        assert ((low <= counts) & (counts <= high)).all()
        assert (high - low < base).all()
    assert list(midpoints([0, 1, 5, 6, 10], 5)) == [0, 3, 3, 8, 8]


def test_a_change_travels_through_other_groups_when_its_own_key_is_full():
    g1, g2 = ("group", "1"), ("group", "2")
    arcs = [
        (g1, "a", 3, UNLIMITED), (g1, "b", 6, 6), (g2, "a", 4, 4), (g2, "b", 5, 5), ("a", HUB, 0, 0), ("b", HUB, 0, 0),
    ]  # fmt: skip
    assert reach(arcs, g1, "a", (9, 9)) == (3, 4)


def checks(share, known, group="05"):
    rows = [
        ("exits_found_by_contact", 1, "0-12", known - 12.0), ("exits_heard", 1, "0-12", 5.0),
        ("exits_heard", 2, "13-24", 7.0), ("share_never_heard", 0, None, share), ("failures", 0, None, 3.0),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["check", "cause", "period", "value"]).assign(group=group)


def test_the_share_of_departures_nobody_heard_of_is_told_in_fives_and_beside_enough_known_ones():
    parts = [checks(0.171, 30), checks(0.12, 400, "province"), checks(0.2, 29, "03"), checks(np.nan, 90, "07")]
    done = protect(pd.concat(parts, ignore_index=True))
    assert done.kind == "rates" and list(done.frame.columns) == ["group", "measure", "estimate", "shown"]
    told = done.frame.set_index("group")["estimate"]
    assert told.dropna().to_dict() == {"05": 0.15, "province": 0.10}
    assert done.of("05").frame["shown"].item() and not done.of("03").frame["shown"].item()


def test_a_kind_may_round_to_a_base_of_its_own(monkeypatch):
    counts = pd.DataFrame({"group": "05", "table": "sex", "key": ["F", "M", "total"],
                           "persons": [42, 63, 105], "households": [20, 31, 51]})  # fmt: skip
    assert protect(counts).frame["persons_rounded"].tolist()[:2] == [40, 65]
    monkeypatch.setitem(KINDS, "counts", KINDS["counts"]._replace(base=10))
    coarse = protect(counts)
    assert coarse.frame["persons_rounded"].tolist()[:2] == [40, 60] and coarse.rules.round == 10
    assert rules_of("counts", Disclosure()) == coarse.rules and rules_of("rates", Disclosure()) == Disclosure()
    assert (bases(Disclosure()), words("fr").bases(Disclosure())) == ([5, 10], "5 ou 10")
