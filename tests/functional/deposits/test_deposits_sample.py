"""The simulated deposits against their truth: fates of rows, places and dates."""

import pandas as pd
import pytest

from trajectories.deposits import read_deposits
from trajectories.simulate import Settings, simulate

KEYS = ["file", "sheet", "row"]
# Forms of a typed place that nothing in the name settles: only the row's own code may.
UNDETERMINABLE = ("area", "homonym")


@pytest.fixture(scope="module", params=[pytest.param("none", marks=pytest.mark.thorough), "light"])
def sample(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    simulate(folder, Settings(households=90, seed=11, defects=request.param))
    return request.param, read_deposits(folder / "raw"), pd.read_parquet(folder / "truth" / "rows.parquet")


@pytest.fixture
def joined(sample):
    _, deposits, truth = sample
    return truth.merge(deposits.records, on=KEYS, suffixes=("_true", ""))


def test_every_row_has_its_true_fate(sample):
    _, deposits, truth = sample
    got = [
        table[KEYS].assign(got=fate)
        for fate, table in (
            ("accepted", deposits.records), ("quarantined", deposits.quarantine), ("superseded", deposits.superseded),
        )
    ]  # fmt: skip
    both = truth.merge(pd.concat(got), on=KEYS, how="outer", validate="one_to_one")
    assert both["fate"].notna().all()
    assert (both["fate"] == both["got"].fillna("duplicate")).all()
    assert deposits.accounting().iloc[-1]["n_read"] == len(truth)
    assert not (deposits.files["status"] == "unreadable").any()


def test_what_replaced_a_deposit_is_the_true_one(sample):
    _, deposits, truth = sample
    both = truth.merge(deposits.superseded, on=KEYS, suffixes=("_true", ""))
    assert (both["superseded_by_true"] == both["superseded_by"]).all()


@pytest.mark.parametrize("place", ["residence", "destination"])
def test_places(sample, joined, place):
    level = sample[0]
    typed = joined[joined[place].notna()]
    true, code, form = (typed[name] for name in (f"{place}_code_true", f"{place}_code", f"{place}_form"))
    assert not (code.notna() & (code != true)).any()  # never a wrong municipality
    settled = typed["residence_code_typed"] == true  # a destination has the code where it is typed with the same words
    clear = ~form.isin(["slip", "homonym_postal", *UNDETERMINABLE])
    assert (code[clear] == true[clear]).mean() > (0.999 if level == "light" else 0.9999)
    assert code[form.isin(UNDETERMINABLE) & ~settled].isna().mean() >= 0.99 or not form.isin(UNDETERMINABLE).any()


def test_dates(joined):
    for kind, column in (
        ("service", "service_date"),
        ("establishment", "establishment_date"),
        ("follow_up", "follow_up_date"),
    ):
        rows = joined[(joined["kind"] == kind) & joined["event_date"].notna()]
        inside = (rows[f"{column}_earliest"] <= rows["event_date"]) & (rows["event_date"] <= rows[f"{column}_latest"])
        assert inside.mean() > 0.999


def test_every_word_is_understood(sample):
    _, deposits, _ = sample
    assert not set(deposits.issues["reason"]) & {
        "unknown_value",
        "unknown_column",
        "unreadable_date",
        "unreadable_number",
    }


def test_clean_deposits_raise_no_issue(sample):
    level, deposits, _ = sample
    if level == "none":
        assert deposits.issues.empty
        assert (deposits.files["n_accepted"] == deposits.files["n_read"]).all()
