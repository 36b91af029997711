"""Curves: recomputed from rounded counts, thinned estimates, and a reader who solves for the months."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacker import months_a_reader_finds, narrow
from examples import examples
from trajectories.disclosure import curves as curves_room
from trajectories.disclosure import protect
from trajectories.exceptions import DisclosureError

SOME = examples(25, derandomize=True)
CAUSES = ("metropole", "outside_quebec")


def monthly(exits, censored, *, n=200, group="05"):
    """A count table: n persons enter at 0; exits by cause and censorings a month."""
    m = len(censored) + 1
    frame = pd.DataFrame({"group": group, "month": range(m), "n_entry": [n] + [0] * (m - 1)})
    frame["n_censor"] = [0, *censored]
    for cause, values in exits.items():
        frame[f"n_exit_{cause}"] = [0, *values]
    return frame


def simulated(seed, *, n=None, months=18, group="05"):
    rng = np.random.default_rng(seed)
    n = n or int(rng.integers(20, 300))
    inside, rows = n, []
    for _ in range(months):
        out = rng.multinomial(inside, [0.02 * rng.random(), 0.01 * rng.random(), 0.02 * rng.random(), 1])
        out = out[:3]
        rows.append(out)
        inside -= out.sum()
    rows = np.array(rows)
    return monthly(dict(zip(CAUSES, rows[:, :2].T, strict=True)), rows[:, 2], n=n, group=group)


# ── from counts ──────────────────────────────────────────────────────────────────────────────────────────────


def test_curve_is_recomputed_from_midpoints_by_hand():
    raw = monthly({"metropole": [3, 0, 20, 0]}, [0, 4, 0, 0], n=100)
    before = raw.copy(deep=True)
    done = protect(raw)
    pd.testing.assert_frame_equal(raw, before)
    frame = done.frame
    assert done.kind == "curve"
    # entries 100 → 95; exits 0, 5, 5, 25, 25; censorings 0, 0, 5, 5, 5
    assert list(frame["n_exit_metropole_rounded"]) == [0, 5, 5, 25, 25]
    assert list(frame["n_risk_rounded"].dropna()) == [95, 90, 85, 65]
    steps = np.cumprod([1, 1 - 5 / 95, 1, 1 - 20 / 85, 1])
    np.testing.assert_allclose(frame["survival"], steps, rtol=1e-12)
    np.testing.assert_allclose(frame["incidence_metropole"], 1 - steps, rtol=1e-12)
    variance = 5 / (95 * 90) + 20 / (85 * 65)
    spread = np.exp(1.959963984540054 * np.sqrt(variance) / abs(np.log(steps[-1])))
    assert frame["lower"].iloc[-1] == pytest.approx(steps[-1] ** spread)
    assert frame["upper"].iloc[-1] == pytest.approx(steps[-1] ** (1 / spread))
    assert list(frame.loc[0, ["survival", "lower", "upper"]]) == [1, 1, 1]


def test_curve_stops_where_true_or_rounded_numbers_at_risk_are_too_small():
    true = protect(monthly({"metropole": [11, 10, 0, 0]}, [0] * 4, n=41)).frame  # 41, 30, 20, 20; rounded 45, 30, 20
    assert list(true["month"]) == [0, 1, 2, 3, 4]
    assert protect(monthly({"metropole": [11, 10, 1, 0]}, [0] * 4, n=41)).frame["month"].max() == 3  # true 19
    # true 31 and 30, rounded 35 − 5 − 5 − 5 = 20 then 35 − 5 − 5 − 15 = 10
    raw = monthly({"metropole": [1, 0], "outside_quebec": [1, 0]}, [1, 0], n=34)
    assert protect(raw).frame["month"].max() == 2
    raw = monthly({"metropole": [1, 0, 0], "outside_quebec": [1, 0, 0], "other_region": [1, 0, 0]}, [1, 0, 0], n=34)
    assert protect(raw).frame["month"].max() == 1
    assert protect(monthly({"metropole": [5]}, [0], n=29)).frame.empty  # denominator
    assert protect(monthly({"metropole": [5] * 8}, [0] * 8, n=60), support=40).frame["n_risk_rounded"].min() >= 40


def test_late_entries_are_at_risk_from_the_month_after():
    raw = monthly({"metropole": [0, 0, 0]}, [0, 0, 0], n=40).assign(n_entry=[40, 30, 0, 0])
    assert list(protect(raw).frame["n_risk_rounded"].dropna()) == [35, 65, 65]  # 40, 70, 70


def test_impossible_counts_are_refused():
    with pytest.raises(DisclosureError, match="more people leave than are at risk"):
        protect(monthly({"metropole": [50, 60, 0]}, [0, 0, 0], n=100))
    with pytest.raises(DisclosureError, match="twice"):
        protect(pd.concat([monthly({"metropole": [5]}, [0])] * 2))
    with pytest.raises(DisclosureError, match="n_censor holds 1"):
        protect(monthly({"metropole": [5]}, [0]).assign(n_censor=[0, -1]))


@given(st.integers(0, 10**6))
@SOME
def test_random_curves_are_curves(seed):
    frame = protect(simulated(seed, months=40)).frame
    if frame.empty:
        return
    survival = frame["survival"].to_numpy()
    incidence = frame[[f"incidence_{cause}" for cause in CAUSES]].sum(axis=1)
    assert (np.diff(survival) <= 0).all()
    assert survival.min() > 0
    np.testing.assert_allclose(survival + incidence, 1, atol=1e-12)
    assert ((frame["lower"] <= frame["survival"]) & (frame["survival"] <= frame["upper"])).all()
    assert (frame["n_risk_rounded"].dropna() >= 20).all()


@given(st.integers(0, 10**6))
@examples(8, derandomize=True)
def test_reader_finds_no_month_of_exits(seed):
    raw = simulated(seed, months=8)
    frame = protect(raw).frame
    if len(frame) > 1:
        assert not narrow(months_a_reader_finds({"05": frame}, raw=raw))


def test_without_midpoints_the_reader_finds_each_month(monkeypatch):
    raw = simulated(5, n=150, months=6)
    monkeypatch.setattr(curves_room, "midpoints", lambda counts, threshold: np.asarray(counts, dtype=np.int64))
    assert narrow(months_a_reader_finds({"05": protect(raw).frame}, threshold=1))


def many_regions():
    regions = [monthly({"metropole": [1, 2, 4]}, [0, 0, 0], n=60, group=f"{r:02d}") for r in range(1, 6)]
    province = pd.concat(regions).groupby("month", as_index=False)[["n_entry", "n_censor", "n_exit_metropole"]].sum()
    return pd.concat([*regions, province.assign(group="province")], ignore_index=True)


def test_the_province_s_classes_do_not_narrow_those_of_its_regions(monkeypatch):
    def found(width):
        frames = dict(tuple(protect(many_regions()).frame.groupby("group")))
        return {
            cell: ends for cell, ends in months_a_reader_finds(frames, width={"province": width}).items()
            if cell[0] != "province" and ends[1] > 0 and (ends[0] > 1 or ends[1] < 9)
        }  # fmt: skip

    widths = []
    whole = curves_room._class_of_province
    monkeypatch.setattr(curves_room, "_class_of_province", lambda *a: widths.append(whole(*a)) or widths[-1])
    protect(many_regions())
    assert widths[0] > 10
    assert not found(widths[0])
    monkeypatch.setattr(curves_room, "_class_of_province", lambda true, regions, threshold: threshold)
    assert found(10)


# ── estimated ────────────────────────────────────────────────────────────────────────────────────────────────


def estimated(exits, *, n=200, horizons=(), lost=None, group="05"):
    exits = np.asarray(exits, dtype=float)
    survival = 1 - exits / n
    frame = pd.DataFrame({
        "group": group, "month": range(len(exits)), "survival": survival, "lower": survival - 0.0333,
        "upper": np.minimum(survival + 0.0333, 1), "n_risk": (n - exits).astype(int), "n_exits": exits, "n_start": n,
    })  # fmt: skip
    frame["horizon"] = frame["month"].isin(horizons)
    if lost is not None:
        lost = np.asarray(lost)
        frame["lost_left"], frame["lost_stayed"] = survival - lost / n, survival
    return frame


def test_months_shown_are_a_threshold_of_exits_apart():
    frame = protect(estimated(np.arange(0, 60, 3))).frame
    assert list(frame["month"]) == [0, 4, 8, 12, 16]  # 12, 24, 36, 48 exits
    assert list(frame["survival"]) == [1.0, 0.94, 0.88, 0.82, 0.76]
    assert list(frame.columns) == ["group", "month", "survival", "lower", "upper", "n_risk_rounded", "horizon", "shown"]
    assert pd.isna(frame["n_risk_rounded"].iloc[0])


def test_horizons_that_the_rates_give_exactly_come_first():
    frame = protect(estimated(np.arange(0, 60, 3), horizons=(3, 6, 12))).frame
    # month 3: 9 exits, a range in the table of rates; 6: 18; 12: 36; between these no month leaves 10 on both sides
    assert list(frame["month"]) == [0, 6, 12, 16]
    assert list(frame["horizon"]) == [False, True, True, False]


def test_estimated_curve_stops_at_twenty_at_risk_and_needs_its_denominator():
    assert protect(estimated(np.arange(0, 100, 5), n=60)).frame["n_risk_rounded"].min() >= 20
    assert protect(estimated(np.arange(0, 20, 5), n=29)).frame.empty
    assert protect(estimated(np.arange(0, 100, 5), n=60), support=45).frame["month"].max() == 2


def test_a_curve_keeps_what_carries_it_and_stops_where_nothing_does():
    raw = estimated(np.arange(0, 60, 3), horizons=(8, 18))
    raw["known"] = ["observed"] * 6 + ["hearsay"] * 8 + ["insufficient"] * 2 + ["hearsay"] * 4
    frame = protect(raw).frame
    assert list(frame["month"]) == [0, 4, 8, 12]  # 16 and 18 are carried again, past two months that nothing carries
    assert list(frame["known"]) == ["observed", "observed", "hearsay", "hearsay"]
    assert protect(raw.assign(known=None)).frame.empty


def test_a_flat_curve_does_not_tell_when_the_first_left():
    assert list(protect(estimated([0, 0, 0, 0, 1, 1, 1])).frame["month"]) == [0]


def test_bounds_of_a_curve_go_where_few_are_lost():
    frame = protect(estimated(np.arange(0, 60, 5), lost=np.arange(0, 36, 3))).frame
    wide = frame.set_index("month")["lost_left"].notna()
    assert not wide[2]  # 6 persons between the bounds
    assert wide[4:].all()
    assert (frame["lost_left"].notna() == frame["lost_stayed"].notna()).all()


@given(st.integers(0, 10**6), st.integers(30, 300))
@SOME
def test_no_two_months_shown_are_nearer_than_the_threshold(seed, n):
    rng = np.random.default_rng(seed)
    exits = np.minimum(np.cumsum(rng.poisson(2, 30)), n - 1)
    exits[0] = 0
    raw = estimated(exits, n=n, horizons=(6, 12, 24))
    frame = protect(raw).frame
    told = exits[frame["month"]]
    steps = np.diff(told)
    assert ((steps >= 10) | (steps == 0)).all()
    at = raw[raw["horizon"]].drop(columns=["horizon", "n_exits"])
    rates = protect(at.rename(columns={"month": "horizon", "survival": "estimate", "n_risk": "n_at_risk"})).frame
    assert set(rates.loc[rates["shown"], "horizon"]) == set(frame.loc[frame["horizon"], "month"])


def test_without_the_spacing_single_exits_show(monkeypatch):
    monkeypatch.setattr(curves_room, "_spaced", lambda rates, n, allowed, *a: np.asarray(allowed))
    told = protect(estimated([0, 1, 2, 3], n=100)).frame
    assert list(((1 - told["survival"]) * 100).round()) == [0, 1, 2, 3]
