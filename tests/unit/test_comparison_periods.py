"""Those who settled lately beside those who settled before: the estimate of each part, and when both may be told."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

import figure_tables
from examples import examples
from report_tables import opened
from trajectories.analysis.comparison import retention_by_period
from trajectories.analysis.comparison.periods import first_day_of_recent
from trajectories.disclosure import protect
from trajectories.disclosure import rates as periods
from trajectories.exceptions import DisclosureError
from trajectories.retention.course import main_fits
from trajectories.simulate import told_stays
from trajectories.study import Study

STUDY = Study(replicates=40, horizons=(6, 12, 24))
CUTOFF = pd.Timestamp("2025-12-31")


def fits_of(lately, n=1500, seed=3):
    """Stays and their truth; `lately(told)`: which settled in the recent part."""
    told = told_stays(n, seed=seed)
    cohort, contacts = told.tables()
    day = np.where(lately(told), pd.Timestamp("2024-06-01"), pd.Timestamp("2020-06-01"))
    fits = main_fits(cohort.assign(establishment_latest=day), contacts, study=STUDY, groups=["province"])
    return told, fits


def at_random(told):
    return np.random.default_rng(1).random(len(told)) < 0.5


def leavers_lately(told):
    """Three leavers of four, and one of the others."""
    gone = told.exit_month <= 12
    return np.random.default_rng(1).random(len(told)) < np.where(gone, 0.75, 0.25)


def test_the_recent_part_begins_with_the_last_three_fiscal_years():
    days = ["2025-12-31", "2026-03-31", "2026-04-01", "2024-01-01"]
    assert [first_day_of_recent(pd.Timestamp(day)).date().isoformat() for day in days] == [
        "2023-04-01", "2023-04-01", "2024-04-01", "2021-04-01",
    ]  # fmt: skip


@pytest.mark.thorough
def test_parts_that_differ_by_chance_alone_are_not_said_to_differ():
    told, fits = fits_of(at_random)
    rows = retention_by_period(fits, cutoff=CUTOFF, study=STUDY).set_index("part")
    assert rows["change"].tolist() == ["unclear"] * 2
    assert rows["n_start"].sum() == len(fits["province"].stays) and rows["n_start"].min() > 600
    # the truth lies within three errors of each part
    assert ((rows["estimate"] - told.survival[12]).abs() < 3 * rows["se"]).all()
    assert ((rows["lower"] < rows["estimate"]) & (rows["estimate"] < rows["upper"])).all()


def test_a_part_that_leaves_more_is_said_to_go_down():
    told, fits = fits_of(leavers_lately)
    rows = retention_by_period(fits, cutoff=CUTOFF, study=STUDY).set_index("part")
    recent = leavers_lately(told)
    truth = {"recent": (told.exit_month[recent] > 12).mean(), "before": (told.exit_month[~recent] > 12).mean()}
    assert rows["change"].tolist() == ["down"] * 2
    assert (rows["estimate"] - pd.Series(truth)).abs().max() < 0.06
    assert truth["recent"] < truth["before"] - 0.2


@pytest.mark.thorough
def test_nobody_in_a_part_is_no_estimate_and_no_change():
    _, fits = fits_of(lambda told: np.zeros(len(told), dtype=bool), n=300)
    rows = retention_by_period(fits, cutoff=CUTOFF, study=STUDY).set_index("part")
    assert rows.loc["recent", "n_start"] == 0 and np.isnan(rows.loc["recent", "estimate"])
    assert rows.loc["before", "estimate"] > 0.5 and rows["change"].isna().all()


# ── what may be told of it ────────────────────────────────────────────────────────────────────────────────
def table(persons, rate=0.8):
    """Two parts of each group; `persons`: group → (recent, before)."""
    rows = [
        {"measure": "retention_by_period", "group": group, "part": part, "since": pd.Timestamp("2023-04-01"),
         "horizon": 12, "estimate": rate, "se": 0.03, "lower": rate - 0.06, "upper": rate + 0.05, "n_start": n,
         "n_at_risk": int(n * 0.7), "n_households": n // 2, "known": "observed", "change": "unclear", "rate": rate}
        for group, both in persons.items()
        for part, n in zip(("recent", "before"), both, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def shown(frame, **told):
    kept = protect(frame, **told)
    assert kept.kind == "rates by period"
    return kept.frame.groupby("group")["shown"].agg(list).to_dict()


def test_both_parts_are_told_or_neither():
    # five of 25 left: of so few no rate; and the other part would follow from the whole
    found = shown(table({"05": (200, 300), "03": (25, 300), "province": (225, 600)}))
    assert found["05"] == [True, True] and found["03"] == [False, False]


def test_a_small_number_of_departures_hides_both():
    frame = table({"05": (200, 300)})
    frame.loc[frame["part"].eq("recent"), "estimate"] = 0.97
    assert shown(frame)["05"] == [False, False]


def test_nothing_is_told_where_the_group_has_no_exact_rate():
    frame = table({"05": (200, 300)}).assign(rate=np.nan)
    assert shown(frame)["05"] == [False, False]
    with pytest.raises(DisclosureError, match="as a column rate"):
        protect(frame.drop(columns="rate"))


def test_the_province_is_hidden_where_it_would_tell_a_hidden_region():
    persons = {"05": (60, 70), "03": (12, 14), "province": (72, 84)}
    assert shown(table(persons))["province"] == [False, False]
    large = {"05": (2000, 3000), "03": (12, 14), "province": (2012, 3014)}
    assert shown(table(large))["province"] == [True, True]


def test_a_group_of_regions_is_hidden_where_it_would_tell_a_hidden_region():
    persons = {"05": (60, 70), "03": (12, 14), "Est": (72, 84), "province": (2000, 3000)}
    assert shown(table(persons), groups={"Est": ("05", "03")})["Est"] == [False, False]


def test_no_number_of_persons_leaves_and_hidden_rows_are_empty():
    frame = protect(table({"05": (200, 300), "03": (25, 300)})).frame
    assert not [name for name in frame if name.startswith(("n_", "persons", "households"))]
    hidden = frame[~frame["shown"]]
    assert hidden[["estimate", "lower", "upper", "change", "known"]].isna().all().all()
    told = frame[frame["shown"]]
    assert (told["estimate"] * 100 % 1).abs().max() < 1e-9


@pytest.mark.thorough
def test_the_page_has_them_beside_the_whole(tmp_path):
    from trajectories.report.sections import headline

    tables = figure_tables.write_everything(tmp_path / "tables", figure_tables.FEW)
    (large, small) = opened(tables, ["05", "09"])
    said = str(headline.in_brief(large).html).replace("\N{NO-BREAK SPACE}", " ")
    assert "Personnes établies depuis avril 2023" in said and "Personnes établies avant avril 2023" in said
    assert "restent davantage que celles établies avant" in said
    assert "établies depuis avril" not in str(headline.in_brief(small).html)


# ── the attacker ──────────────────────────────────────────────────────────────────────────────────────────
def exits_found(frame, told):
    """The interval of the exits of each hidden part, for a reader with both tables, the own rates, and n to the 5."""
    cells = list(zip(frame["group"], frame["part"], strict=True))
    at = {cell: i for i, cell in enumerate(cells)}
    n, rate = frame["n_start"].to_numpy(), frame["estimate"].to_numpy()
    wide = 0.005 * n + 2 * (1 - rate)
    shown = told.set_index(["group", "part"])["shown"]
    bounds = [
        ((1 - r) * m - w, (1 - r) * m + w) if shown[cell] else (0, m)
        for cell, m, r, w in zip(cells, n, rate, wide, strict=True)
    ]
    less, most = [], []
    for group, mine in frame.groupby("group"):
        own = mine["rate"].iloc[0]
        if np.isnan(own):
            continue
        row = np.zeros(len(cells))
        row[[at[group, part] for part in mine["part"]]] = 1
        near, about = (1 - own) * mine["n_start"].sum(), 0.005 * mine["n_start"].sum() + 2 * (1 - own)
        less += [row, -row]
        most += [near + about, -(near - about)]
    sums = []
    for part in ("recent", "before"):
        row = np.zeros(len(cells))
        row[[i for (group, name), i in at.items() if name == part and group != "province"]] = 1
        row[at["province", part]] = -1
        sums.append(row)
    found = {}
    for cell, i in at.items():
        if shown[cell]:
            continue
        cost = np.eye(len(cells))[i]
        answers = [
            linprog(sign * cost, A_ub=np.array(less) if less else None, b_ub=most or None, A_eq=np.array(sums),
                    b_eq=np.zeros(2), bounds=bounds)
            for sign in (1, -1)
        ]  # fmt: skip
        assert all(answer.status == 0 for answer in answers), [answer.message for answer in answers]
        found[cell] = (answers[0].fun, -answers[1].fun)
    return found


def run_of(persons, left):
    """Regions and their province, with the exits of each part, and their own rates as the table of rates tells them."""
    persons, left = dict(persons), dict(left)
    for known in (persons, left):
        known["province"] = tuple(sum(both[i] for both in known.values()) for i in (0, 1))
    parts = [(group, part, m, k) for group in persons
             for part, m, k in zip(("recent", "before"), persons[group], left[group], strict=True)]  # fmt: skip
    frame = pd.DataFrame(parts, columns=["group", "part", "n_start", "left"])
    frame = frame.assign(
        measure="retention_by_period", horizon=12, since=pd.Timestamp("2023-04-01"), known="observed", se=0.03,
        change="unclear", n_at_risk=frame["n_start"], n_households=frame["n_start"],
    )  # fmt: skip
    own = frame.groupby("group")[["n_start", "left"]].sum().reset_index()
    for table in (frame, own):
        table["estimate"] = table["lower"] = table["upper"] = 1 - table["left"] / table["n_start"]
    own = own.assign(method="main", horizon=12, n_at_risk=own["n_start"], known="observed")
    rates = protect(own.drop(columns="left")).frame.set_index("group")["estimate"]
    return frame.drop(columns="left").assign(rate=frame["group"].map(rates))


sizes = st.tuples(st.integers(12, 400), st.integers(12, 400))


@examples(25)
@given(st.lists(st.tuples(sizes, st.tuples(st.integers(0, 12), st.integers(0, 40))), min_size=2, max_size=5))
def test_the_attacker_finds_no_small_number_of_departures(drawn):
    persons = {f"{i + 1:02d}": both for i, (both, _) in enumerate(drawn)}
    left = {f"{i + 1:02d}": tuple(map(min, gone, both)) for i, (both, gone) in enumerate(drawn)}
    frame = run_of(persons, left)
    exits = frame.set_index(["group", "part"]).eval("n_start * (1 - estimate)").round()
    told = protect(frame).frame
    without = exits_found(frame, told.assign(shown=False))  # the sizes and own rates alone
    for cell, (low, high) in exits_found(frame, told).items():
        if 1 <= exits[cell] <= 9:
            assert low <= max(1, without[cell][0]) + 1e-6, (cell, low, high)
            assert high >= min(9, without[cell][1]) - 1e-6, (cell, low, high)


def test_the_attacker_would_succeed_if_one_part_were_told(monkeypatch):
    frame = run_of({"01": (60, 100), "02": (300, 300)}, {"01": (4, 20), "02": (60, 60)})
    monkeypatch.setattr(periods, "_both_or_neither", lambda out: None)
    low, high = exits_found(frame, protect(frame).frame)["01", "recent"]
    assert high < 9 and low > 1
