"""Heavy deposits read back: what becomes of each row, and each date that can be known, against the truth.

A failure prints the rows it is about: it is the reader's, or the truth's.
"""

import pandas as pd
import pytest

KEYS = ["file", "sheet", "row"]
DATED = {
    "service": "service_date",
    "establishment": "establishment_date",
    "follow_up": "follow_up_date",
    "departure": "exit_date",
}
DETERMINABLE = ["day", "month", "quarter", "year"]


@pytest.fixture(scope="module")
def fates(heavy):
    """Each row that is true or read, with its true fate and the one it got."""
    rows, found = heavy
    got = pd.concat(
        [
            found.records[KEYS].assign(got="accepted"),
            found.quarantine[[*KEYS, "reason"]].assign(got="quarantined"),
            found.superseded[[*KEYS, "superseded_by"]].assign(got="superseded"),
        ]
    )
    both = rows.merge(got, on=KEYS, how="outer", suffixes=("", "_got"), validate="one_to_one")
    # Duplicates are counted, not listed: a row of no table is one, if the counts agree (see the accounting).
    return both.assign(got=both["got"].fillna("duplicate"))


@pytest.fixture(scope="module")
def dates(heavy):
    """Accepted rows whose true date is typed readably, with the interval that was read."""
    rows, found = heavy
    both = rows[rows["fate"].eq("accepted")].merge(found.records, on=KEYS)
    parts = []
    for kind, column in DATED.items():
        mine = both[both["kind"].eq(kind) & both["date_form"].isin(DETERMINABLE)]
        first, last = mine[f"{column}_earliest"], mine[f"{column}_latest"]
        right = (first <= mine["event_date"]) & (mine["event_date"] <= last)
        parts.append(
            mine[[*KEYS, "kind", "event_date", "date_form", "note"]].assign(first=first, last=last, right=right)
        )
    return pd.concat(parts)


def test_no_row_is_lost_and_none_is_invented(heavy):
    rows, found = heavy
    account = found.accounting().set_index("file")
    assert account.loc["total", "n_read"] == len(rows)
    true = rows.groupby(["file", "fate"]).size().unstack(fill_value=0)
    for fate, column in (
        ("accepted", "n_accepted"), ("quarantined", "n_quarantined"), ("superseded", "n_superseded"),
        ("duplicate", "n_duplicate"),
    ):  # fmt: skip
        read = account[column].reindex(true.index)
        assert read.notna().all()
        wrong = (read - true[fate]).abs().sum()
        print(f"{fate}: {true[fate].sum()} true, files' counts off by {wrong:.0f}")
        assert wrong <= 0.01 * len(rows)
    assert account.loc["total", ["n_accepted", "n_quarantined", "n_superseded", "n_duplicate"]].sum() == len(rows)


def test_fates_of_rows(fates):
    assert fates["fate"].notna().all()  # no row is read that no truth knows
    wrong = fates[fates["fate"] != fates["got"]]
    print(f"fates right: {1 - len(wrong) / len(fates):.4f} of {len(fates)}")
    print(wrong[[*KEYS, "kind", "fate", "got", "quarantine_reason", "reason", "note"]].head(20).to_string())
    assert len(wrong) <= 0.01 * len(fates)


@pytest.mark.parametrize("fate", ["accepted", "quarantined", "superseded", "duplicate"])
def test_each_fate_by_itself(fates, fate):
    """So that the many accepted rows do not hide a fate that is never right."""
    true = fates[fates["fate"].eq(fate)]
    assert len(true) > 50
    assert true["got"].eq(fate).mean() >= 0.99


def test_reasons_of_quarantine_and_what_replaced_a_row(fates):
    quarantined = fates[fates["fate"].eq("quarantined") & fates["got"].eq("quarantined")]
    assert (quarantined["quarantine_reason"] == quarantined["reason"]).mean() >= 0.99
    superseded = fates[fates["fate"].eq("superseded") & fates["got"].eq("superseded")]
    assert (superseded["superseded_by"] == superseded["superseded_by_got"]).mean() >= 0.99


def test_dates(dates):
    wrong = dates[~dates["right"]]
    print(f"dates right: {dates['right'].mean():.4f} of {len(dates)}")
    print(wrong.head(20).to_string())
    assert len(dates) > 5000
    assert dates["right"].mean() >= 0.995


@pytest.mark.parametrize(("form", "days"), [("day", 1), ("month", 31), ("quarter", 92), ("year", 366)])
def test_a_date_is_as_precise_as_it_is_typed(dates, form, days):
    mine = dates[dates["date_form"].eq(form)]
    assert len(mine)
    assert mine["right"].mean() >= 0.99
    width = (mine["last"] - mine["first"]).dt.days + 1
    assert width.between({"day": 1, "month": 28, "quarter": 90, "year": 365}[form], days).mean() >= 0.99


def test_dates_that_nobody_can_know_are_left_unknown(heavy):
    rows, found = heavy
    both = rows[rows["fate"].eq("accepted") & rows["date_form"].isin(["missing", "unreadable"])].merge(
        found.records, on=KEYS
    )
    assert len(both) > 20
    for kind, column in DATED.items():
        assert both.loc[both["kind"].eq(kind), f"{column}_earliest"].isna().all(), kind


def test_files_that_cannot_be_read_are_told_and_no_others(heavy):
    _, found = heavy
    unreadable = found.files[found.files["status"].eq("unreadable")]
    assert set(unreadable["file"]) == {"vide.csv", "rapport_final.xlsx", "rapport_coupe.xlsx", "export_portail.xls"}
    assert unreadable["message"].notna().all()
