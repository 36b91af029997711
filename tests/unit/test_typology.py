"""The typology room: states from spells, distances, trees with weights, silhouettes, names, the tables of a study."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from trajectories import Study
from trajectories.analysis.typology import (
    NAMES,
    STATES,
    adjusted_rand,
    choose_k,
    clusters,
    distances,
    indicators,
    representatives,
    rules,
    runs,
    sequences,
    silhouette,
    stability,
    state_distribution,
    transition_rates,
    typology,
)
from trajectories.analysis.typology.assembling import _completed, clustered_shares, observable
from trajectories.analysis.typology.clusters import tree
from trajectories.analysis.typology.naming import unique_names

METHODS = {
    "hamming": ("hamming",),
    "lcs": ("lcs",),
    "om": ("om",),
    "om trate": ("om", "trate"),
    "dynamic": ("dynamic_hamming",),
}


def spells_of(*rows):
    """(person, zone, region, municipality, [start], [end], outcome) → the columns of `spells` that are read."""
    table = pd.DataFrame(rows, columns=["person_id", "zone", "region", "municipality", "start", "end", "outcome"])
    for name in ("start", "end"):
        for n, side in enumerate(("earliest", "latest")):
            table[f"{name}_{side}"] = pd.to_datetime([None if dates is None else dates[n] for dates in table[name]])
    table["spell"] = table.groupby("person_id").cumcount() + 1
    table["last_confirmed"] = table["start_latest"]
    return table.assign(household_id="H-" + table["person_id"])


def on(day):
    return (day, day)


MONTREAL, SHERBROOKE, QUEBEC = ("metropole", "06", "66023"), ("region", "05", "43027"), ("region", "03", "23027")
ABROAD, SOREL = ("outside_quebec", None, None), ("region", "16", "53052")


def random_sequences(n=60, months=10, seed=1):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (n, months))
    keep = rng.random((n, months)) < 0.8
    keep[:, 0] = False
    for month in range(1, months):
        codes[:, month] = np.where(keep[:, month], codes[:, month - 1], codes[:, month])
    return pd.DataFrame(np.array(STATES, dtype=object)[codes])


# ── sequences ─────────────────────────────────────────────────────────────────────────────────────────────
def test_states_are_told_from_the_region_of_establishment():
    spells = spells_of(
        ("p", *MONTREAL, on("2019-01-01"), on("2020-01-15"), "moved"),
        ("p", *SHERBROOKE, on("2020-01-15"), on("2020-03-20"), "moved"),
        ("p", *QUEBEC, on("2020-03-20"), on("2020-05-15"), "moved"),
        ("p", *MONTREAL, on("2020-05-15"), on("2020-06-16"), "moved"),
        ("p", *ABROAD, on("2020-06-16"), None, "present"),
    )
    # the 15th of January, February, March; the move of 20 March shows in April, that of 15 May in May
    expected = ["region"] * 3 + ["other_region", "metropole", "metropole", "outside_quebec", "outside_quebec"]
    assert sequences(spells, 8).loc["p"].tolist() == expected


def test_a_change_inside_an_uncertain_interval_is_in_its_middle():
    spells = spells_of(
        ("p", *SHERBROOKE, on("2020-01-01"), ("2020-03-01", "2020-07-01"), "moved"),
        ("p", *MONTREAL, ("2020-03-01", "2020-07-01"), None, "present"),
    )
    # the middle is 1 May: month 4
    assert sequences(spells, 6).loc["p"].tolist() == ["region"] * 4 + ["metropole"] * 2


def test_unknown_after_leaving_for_nowhere_known_and_back():
    spells = spells_of(
        ("p", *SHERBROOKE, on("2020-01-01"), on("2020-03-01"), "left"),
        ("p", *SHERBROOKE, on("2020-05-01"), None, "present"),
        ("d", *SHERBROOKE, on("2020-01-01"), on("2020-02-01"), "deceased"),
    )
    found = sequences(spells, 6)
    assert found.loc["p"].tolist() == ["region", "region", "unknown", "unknown", "region", "region"]
    assert found.loc["d"].tolist() == ["region"] + ["unknown"] * 5


def test_months_after_the_cut_off_are_unknown_and_an_open_spell_goes_on_until_then():
    spells = spells_of(("p", *SHERBROOKE, on("2020-01-10"), None, "present"))
    found = sequences(spells, 5, cutoff=pd.Timestamp("2020-03-15")).loc["p"].tolist()
    assert found == ["region", "region", "region", "unknown", "unknown"]
    assert sequences(spells, 5).loc["p"].tolist() == ["region"] * 5


def test_another_perimeter_moves_the_start():
    # Saint-Jérôme is in the RMR and not in the CMM
    spells = spells_of(
        ("p", "metropole", "15", "75017", on("2020-01-01"), on("2020-03-01"), "moved"),
        ("p", *SHERBROOKE, on("2020-03-01"), None, "present"),
    )
    assert sequences(spells, 3).loc["p"].tolist() == ["region"] * 3
    assert sequences(spells, 3, "RMR-2021").loc["p"].tolist() == ["region"] * 3
    assert sequences(spells, 4, "CMM").loc["p"].tolist() == ["region", "region", "other_region", "other_region"]
    with pytest.raises(ValueError, match="perimeter"):
        sequences(spells, 3, "MTL")


def test_who_never_settled_has_no_sequence():
    spells = spells_of(("p", *MONTREAL, on("2020-01-01"), None, "present"))
    assert sequences(spells, 3).shape == (0, 3)
    with pytest.raises(ValueError, match="months is 0"):
        sequences(spells, 0)


# ── distances, indicators ─────────────────────────────────────────────────────────────────────────────────
def plain_matching(a, b, cost, indel):
    table = np.add.outer(np.arange(len(a) + 1), np.arange(len(b) + 1)) * float(indel)
    for i in range(len(a)):
        for j in range(len(b)):
            table[i + 1, j + 1] = min(
                table[i, j + 1] + indel, table[i + 1, j] + indel, table[i, j] + cost[a[i]][b[j]]
            )  # fmt: skip
    return table[-1, -1]


@pytest.mark.parametrize("indel", [0.4, 1.0, 1.7])
@pytest.mark.parametrize("costs", ["constant", "trate", "given"])
def test_matching_is_the_plain_dynamic_programme(costs, indel):
    some = random_sequences(25, 9)
    labels = sorted(STATES)
    rng = np.random.default_rng(3)
    given = np.triu(rng.uniform(0.2, 2.5, (4, 4)), 1)
    given += given.T
    rates = transition_rates(some).loc[labels, labels].to_numpy()
    matrix = {"constant": np.full((4, 4), 2.0), "trate": 2 - rates - rates.T, "given": given}[costs].copy()
    np.fill_diagonal(matrix, 0)
    cost = {a: dict(zip(labels, row, strict=True)) for a, row in zip(labels, matrix, strict=True)}
    ours = distances(some, "om", given if costs == "given" else costs, indel)
    rows = some.to_numpy()
    plain = np.array([[plain_matching(a, b, cost, indel) for b in rows] for a in rows])
    gap = np.abs(ours - plain).max()
    print(f"{costs}, indel {indel}: largest difference {gap:.1e}")
    assert gap < 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_distances_do_not_depend_on_the_order_and_repeat_with_the_rows(method):
    some = random_sequences(40, 8)
    apart = distances(some, *METHODS[method])
    order = np.random.default_rng(2).permutation(40)
    np.testing.assert_allclose(distances(some.iloc[order], *METHODS[method]), apart[np.ix_(order, order)], atol=1e-12)
    assert (apart.diagonal() == 0).all() and (apart >= 0).all()
    np.testing.assert_allclose(apart, apart.T, atol=1e-12)
    # weights are repetitions, in the costs too
    times = np.random.default_rng(4).integers(1, 4, 40)
    again = distances(some.loc[some.index.repeat(times)], *METHODS[method])
    first = np.cumsum(times) - times
    np.testing.assert_allclose(
        distances(some, *METHODS[method], weights=times), again[np.ix_(first, first)], atol=1e-12
    )


def test_one_row_and_one_month():
    one = pd.DataFrame([["region"]])
    assert distances(one).tolist() == [[0.0]]
    assert indicators(one).iloc[0].tolist() == [0.0, 1.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="at least 2 months"):
        distances(one, "dynamic_hamming")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"method": "osa"}, "method 'osa'"),
        ({"costs": "free"}, "costs 'free'"),
        ({"costs": np.ones((4, 4))}, "diagonal"),
        ({"costs": np.zeros((3, 3))}, "4 × 4"),
        ({"indel": 0}, "indel is 0"),
        ({"weights": [1, 2]}, "weights"),
    ],
)
def test_what_is_no_distance_is_said(arguments, said):
    with pytest.raises(ValueError, match=said):
        distances(random_sequences(5, 4), **arguments)


def test_missing_cells_are_counted():
    some = random_sequences(5, 4)
    some.iloc[0, 1] = None
    with pytest.raises(ValueError, match=r"1 cell\(s\) are missing"):
        distances(some)
    with pytest.raises(ValueError, match="nothing to code"):
        indicators(some.iloc[:0])


def test_a_state_that_nobody_is_in_counts_in_the_entropy():
    two = pd.DataFrame([["region", "metropole"]])
    assert indicators(two)["entropy"].iloc[0] == pytest.approx(0.5)  # of four states, not of two
    assert state_distribution(two).index.tolist() == sorted(STATES)
    assert transition_rates(two).loc["other_region"].sum() == 0


def test_runs_rebuild_the_sequences():
    some = random_sequences(30, 12)
    found = runs(some)
    rebuilt = found.loc[found.index.repeat(found["months"])].groupby("person_id")["state"].agg(list)
    assert rebuilt.tolist() == some.to_numpy().tolist()


# ── trees, clusters ───────────────────────────────────────────────────────────────────────────────────────
def points(n=40, seed=5):
    rng = np.random.default_rng(seed)
    spots = rng.normal(size=(n, 3)) + rng.integers(0, 3, (n, 1)) * 2
    return np.sqrt(((spots[:, None] - spots[None]) ** 2).sum(axis=2))


@pytest.mark.parametrize("method", ["ward", "average", "complete"])
def test_trees_are_those_of_scipy(method):
    apart = points()
    theirs = linkage(squareform(apart, checks=False), method)
    gap = np.abs(tree(apart, method=method).height - theirs[:, 2]).max()
    print(f"{method}: largest difference of a height {gap:.1e}")
    assert gap < 1e-9
    for k in (1, 2, 5, 40):
        assert adjusted_rand(clusters(apart, k, method), fcluster(theirs, k, "maxclust")) == 1


@pytest.mark.parametrize("method", ["ward", "average", "complete"])
def test_weights_are_repeated_rows(method):
    apart = points(25)
    times = np.random.default_rng(6).integers(1, 6, 25)
    row = np.repeat(np.arange(25), times)
    theirs = linkage(squareform(apart[np.ix_(row, row)], checks=False), method)
    ours = tree(apart, weights=times, method=method)
    gap = np.abs(ours.height - theirs[-24:, 2]).max()
    print(f"{method}: {len(row)} repeated rows, largest difference of a height {gap:.1e}")
    assert gap < 1e-9
    for k in (2, 3, 4, 7):
        labels = clusters(apart, k, method, weights=times)
        assert adjusted_rand(labels[row], fcluster(theirs, k, "maxclust")) == 1
        width = silhouette(apart, labels, weights=times)
        repeated = silhouette(apart[np.ix_(row, row)], labels[row])
        np.testing.assert_allclose(width[row], repeated, atol=1e-12)
        medoids = representatives(apart, labels, weights=times)
        assert medoids.tolist() == [row[at] for at in representatives(apart[np.ix_(row, row)], labels[row])]


def test_silhouettes_by_hand():
    apart, labels = points(15), np.array([1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4, 2, 1])
    expected = []
    for i in range(15):
        own = [j for j in range(15) if labels[j] == labels[i] and j != i]
        a = np.mean(apart[i, own]) if own else 0
        b = min(apart[i, labels == other].mean() for other in set(labels) - {labels[i]})
        expected.append((b - a) / max(a, b) if own else 0)
    np.testing.assert_allclose(silhouette(apart, labels), expected, atol=1e-12)


def test_adjusted_rand_by_pairs():
    rng = np.random.default_rng(7)
    a, b = rng.integers(0, 3, 30), rng.integers(0, 4, 30)
    i, j = np.triu_indices(30, 1)
    same_a, same_b = a[i] == a[j], b[i] == b[j]
    chance = same_a.sum() * same_b.sum() / len(i)
    by_pairs = ((same_a & same_b).sum() - chance) / ((same_a.sum() + same_b.sum()) / 2 - chance)
    assert adjusted_rand(a, b) == pytest.approx(by_pairs, abs=1e-12)
    assert adjusted_rand(a, a) == adjusted_rand([1, 1], [2, 2]) == 1
    assert abs(np.mean([adjusted_rand(a, rng.permutation(b)) for _ in range(300)])) < 0.01
    with pytest.raises(ValueError, match="30 and 2"):
        adjusted_rand(a, [1, 2])


def test_a_pattern_is_stable_and_noise_is_not():
    rng = np.random.default_rng(8)
    tight = np.concatenate([rng.normal(c, 0.1, 20) for c in (0, 5, 10)])
    loose = rng.uniform(0, 10, 60)
    found = {}
    for name, line in (("tight", tight), ("loose", loose)):
        apart = np.abs(np.subtract.outer(line, line))
        table = choose_k(apart)
        found[name] = stability(apart, clusters(apart, 3), replicates=50)["jaccard"], table
    print({name: jaccard.round(2).tolist() for name, (jaccard, _) in found.items()})
    assert found["tight"][0].min() > 0.99 and found["loose"][0].max() < 0.95
    assert found["tight"][1].loc[lambda t: t["chosen"], "k"].tolist() == [3]


def test_households_drawn_whole_are_less_stable_than_persons():
    rng = np.random.default_rng(9)
    line = rng.uniform(0, 10, 12)
    apart = np.abs(np.subtract.outer(line, line))
    labels = clusters(apart, 3)
    row = np.repeat(np.arange(12), 5)
    kept = {"persons": {}, "households": {"row": row, "household": row}}
    jaccard = {
        name: stability(apart, labels, weights=np.full(12, 5), replicates=60, **given)["jaccard"].mean()
        for name, given in kept.items()
    }
    print(jaccard)
    assert jaccard["households"] < jaccard["persons"]
    again = stability(apart, labels, weights=np.full(12, 5), replicates=60, row=row, household=row)
    assert again["jaccard"].mean() == jaccard["households"]
    with pytest.raises(ValueError, match="give both"):
        stability(apart, labels, row=row)


def test_clustered_standard_error_of_repeated_persons_is_that_of_households():
    rng = np.random.default_rng(10)
    mark = rng.random((80, 1)) < 0.3
    _, alone = clustered_shares(mark, np.ones(80), np.arange(80))
    _, twice = clustered_shares(np.repeat(mark, 2, axis=0), np.ones(160), np.repeat(np.arange(80), 2))
    assert twice == pytest.approx(alone)
    assert alone[0] == pytest.approx(np.sqrt(mark.mean() * (1 - mark.mean()) / 80))


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_each_rule_has_its_sequence():
    def of(*parts):
        return [state for state, months in parts for _ in range(months)]

    some = pd.DataFrame([
        of(("region", 36)),
        of(("region", 11), ("metropole", 25)),
        of(("region", 12), ("metropole", 24)),
        of(("region", 5), ("metropole", 5), ("other_region", 26)),
        of(("region", 30), ("outside_quebec", 6)),
        of(("region", 5), ("metropole", 5), ("region", 26)),
    ])  # fmt: skip
    assert rules(some)["rule"].tolist() == list(NAMES)
    assert rules(some)["month"].tolist()[1:] == [11, 12, 5, 30, 5]


def test_names_are_unique_whatever_is_shared():
    shared = pd.DataFrame({"rule": ["onward", "onward", "onward", "stays", "stays"], "month": [3, 3, 9, None, None]})
    names = unique_names(shared)
    assert names == ["onward_month_3_1", "onward_month_3_2", "onward_month_9", "stays_1", "stays_2"]


# ── the typology of a study ───────────────────────────────────────────────────────────────────────────────
STUDY = replace(Study(), replicates=20)
FAR = 60.0


def lives(kinds, per=12):
    """Spells and first stays: per persons of each kind, (months in the region, where to)."""
    rows, stays = [], []
    for kind, (stayed, goes) in kinds.items():
        for n in range(per):
            person, start = f"{kind}{n}", pd.Timestamp("2019-01-01") + pd.Timedelta(days=3 * n)
            gone = None if stayed is None else start + pd.DateOffset(months=stayed + n % 2)
            ends = "present" if goes is None else "left" if goes == "nowhere" else "moved"
            rows.append((person, *SHERBROOKE, on(start), None if gone is None else on(gone), ends))
            if ends == "moved":
                rows.append((person, *goes, on(gone), None, "present"))
            stays.append((person, f"H-{kind}{n // 2}", start))
    cohort = pd.DataFrame(stays, columns=["person_id", "household_id", "establishment_latest"])
    cohort = cohort.assign(
        episode=1, region="05", pathway="secondary", cutoff=FAR, heard_until=FAR, excluded=None,
        establishment_earliest=cohort["establishment_latest"],
    )  # fmt: skip
    return spells_of(*rows), cohort


FOUR = {"stay": (None, None), "back": (4, MONTREAL), "on": (14, QUEBEC), "away": (20, ABROAD)}


def test_four_kinds_are_four_types_in_every_table():
    spells, cohort = lives(FOUR)
    found = typology(spells, cohort, study=STUDY)
    assert sorted(found.types["name"]) == ["leaves_quebec", "onward", "returns_early", "stays"]
    kind = found.members["person_id"].str.replace(r"\d", "", regex=True)
    assert adjusted_rand(found.members["type"], kind) == 1
    assert found.types["share"].sum() == pytest.approx(1) and (found.types["agreement"] == 1).all()
    assert found.types["n_persons"].tolist() == [12] * 4 and found.types["n_households"].tolist() == [6] * 4
    assert (found.types["jaccard"] > 0.9).all() and found.ks["chosen"].sum() == 1
    by_month = found.states.groupby(["type", "month"])[["share", "n"]].sum()
    np.testing.assert_allclose(by_month["share"], 1)
    assert (by_month["n"] == 12).all() and len(by_month) == 4 * 36
    assert found.representatives.groupby("type")["months"].sum().tolist() == [36] * 4
    drawn = found.sequences.drop_duplicates(["type", "sequence"])
    assert drawn["n_persons"].sum() == 48
    whole = found.shares[found.shares["group"].eq("province")]
    assert whole["estimate"].sum() == pytest.approx(1)
    assert (whole["lower"] < whole["estimate"]).all() and (whole["estimate"] < whole["upper"]).all()
    spent = found.indicators[found.indicators["measure"].str.startswith("months_")]
    np.testing.assert_allclose(spent.groupby("type")["estimate"].sum(), 36)
    assert (found.types["confirmed"] <= 1).all() and (found.types["nearest"] == 0).all()


def test_the_order_of_the_rows_changes_nothing():
    spells, cohort = lives(FOUR)
    one = typology(spells, cohort, study=STUDY)
    other = typology(spells.sample(frac=1, random_state=1), cohort.sample(frac=1, random_state=2), study=STUDY)
    for name in type(one).__dataclass_fields__:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_who_is_left_out_is_counted_by_reason():
    spells, cohort = lives(FOUR)
    cohort = cohort.set_index("person_id")
    cohort.loc["stay0", "excluded"] = "start_wider_than_3_months"
    cohort.loc["stay1", "cutoff"] = 35.0
    cohort.loc["back0", "heard_until"] = 20.0
    spells.loc[spells["person_id"].eq("stay2"), ["outcome", "end_earliest", "end_latest"]] = [
        "deceased", pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-01"),
    ]  # fmt: skip
    spells.loc[spells["person_id"].eq("stay3"), "region"] = None
    seen = observable(spells, cohort.reset_index(), study=STUDY)
    counted = seen.excluded.set_index("why")["n_persons"]
    print(counted[counted > 0].to_dict())
    assert counted[counted > 0].to_dict() == {
        "none": 43, "start_wider_than_3_months": 1, "established_too_late": 1, "died": 1,
        "not_heard_of_long_enough": 1, "region_unknown": 1,
    }  # fmt: skip
    assert counted.sum() == len(cohort)


def test_who_left_for_an_unknown_place_is_stood_for_by_those_who_left_then():
    spells, cohort = lives({**FOUR, "lost": (4, "nowhere")})
    found = typology(spells, cohort, study=STUDY, k=4)
    counted = found.excluded.set_index("why")["n_persons"]
    assert counted["destination_unknown"] == 12 and counted["none"] == 48
    share = found.types.set_index("name")["share"]
    # 24 of 60 left within the year, half of them told where
    assert share["returns_early"] == pytest.approx(24 / 60)
    assert share["stays"] == pytest.approx(12 / 60)


def test_rare_sequences_go_to_the_nearest_centre(monkeypatch):
    spells, cohort = lives(FOUR)
    monkeypatch.setattr("trajectories.analysis.typology.assembling.MOST_BY_PROGRAMME", 6)
    found = typology(spells, cohort, study=STUDY, method="om", costs="trate", k=4)
    kind = found.members["person_id"].str.replace(r"\d", "", regex=True)
    print(found.types[["name", "n_persons", "nearest"]].to_dict("list"))
    assert found.types["nearest"].sum() > 0 and found.members["silhouette"].isna().sum() > 0
    assert adjusted_rand(found.members["type"], kind) == 1


def test_one_kind_of_life_is_one_type():
    spells, cohort = lives({"stay": (None, None)})
    found = typology(spells, cohort, study=STUDY)
    assert found.types[["name", "n_persons", "share"]].to_numpy().tolist() == [["stays", 12, 1.0]]
    with pytest.raises(ValueError, match="nobody is observable over 61 months"):
        typology(spells, cohort, study=STUDY, months=61)


def test_groups_of_the_study_are_groups_as_regions_are():
    spells, cohort = lives(FOUR)
    study = Study.from_mapping({"replicates": 20, "groups": {"Centre": ["05", "17"], "Est": ["01"]}})
    found = typology(spells, cohort, study=study)
    assert found.shares["group"].unique().tolist() == ["province", "05", "Centre"]
    assert (found.shares.groupby("group")["type"].nunique() == 4).all()


def test_only_the_pathway_of_the_study():
    spells, cohort = lives(FOUR)
    cohort.loc[cohort["person_id"].str.startswith("stay"), "pathway"] = "primary"
    seen = observable(spells, cohort, study=replace(STUDY, pathway="secondary"))
    assert len(seen.persons) == 36 and seen.excluded["n_persons"].sum() == 36


def test_drawn_departures_complete_the_sequences_of_those_not_known_to_have_left():
    states = np.array([["region"] * 4, ["region"] * 4, ["region", "region", "metropole", "metropole"],
                       ["region", "unknown", "unknown", "unknown"]], dtype=object)  # fmt: skip
    month, cause = np.array([2, 3, 1, 1]), np.array([3, 0, 2, 2])
    found = _completed(states, month, cause).tolist()
    assert found == [
        ["region", "region", "outside_quebec", "outside_quebec"],  # drawn to leave in month 2
        ["region"] * 4,  # drawn to stay
        ["region", "region", "metropole", "metropole"],  # known to have left: kept
        ["region", "other_region", "other_region", "other_region"],  # known to have left, the place is drawn
    ]
    assert states[0].tolist() == ["region"] * 4
