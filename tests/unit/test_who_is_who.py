"""Who is who: what may be one person, what never is, and that neither order nor threads decide."""

import logging
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities import ZOE, records
from trajectories import link_persons, read_deposits
from trajectories.exceptions import LinkageError, LinkageModelError, UnusableInputError
from trajectories.linkage import (
    LOOSE,
    MATCH_THRESHOLD,
    SAMPLE_KEY,
    Model,
    decide,
    link,
    linking,
    match_weights,
    resolve,
    waiting,
)
from trajectories.linkage import identities as engine
from trajectories.linkage import model as learning
from trajectories.linkage.clusters import households
from trajectories.linkage.comparisons import COMPANIONS, LIKENESSES, MACROS, TRAITS
from trajectories.linkage.identities import LONGEST, identify, most_frequent, sound
from trajectories.linkage.linking import train
from trajectories.linkage.model import changes, level_weight
from trajectories.linkage.review import FILE, read_decisions, review_table, write_review
from trajectories.simulate import Settings, simulate

HOME = {"country": "VNM", "arrival": "2020-03-04", "category": "economic", "size": 4, "town": "23027"}


@pytest.fixture(scope="module")
def deposited(tmp_path_factory):
    """Records of 120 heavily mistyped households, and their truth."""
    folder = tmp_path_factory.mktemp("linkage")
    truth = simulate(folder, Settings(households=120, organisations=8, defects="heavy", seed=77))
    return read_deposits(folder / "raw").records, truth


@pytest.fixture(scope="module")
def links(deposited):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "THREADS", 3)
        return link(deposited[0])


LINKED = {}


def linked(rows):
    """The same rows are compared once: several tests decide on one pair."""
    at = rows.to_json()
    if at not in LINKED:
        LINKED[at] = link(rows)
    return LINKED[at]


def persons_of(*rows):
    return resolve(linked(records(*rows)), MATCH_THRESHOLD, SAMPLE_KEY).persons


def same_person(*rows):
    return pd.factorize(persons_of(*rows)["person_id"])[0].tolist()


def same_household(*rows):
    return pd.factorize(persons_of(*rows)["household_id"])[0].tolist()


def in_two(one, other, **more):
    """One identity in a metropolitan organisation, another in a regional one."""
    return {"org": "M1", "file": "1", **one, **more}, {"org": "R1", "file": "9", **other, **more}


TYPED = [
    ({"given": "Amina Sara", "family": "Benali"}, {"given": "Amina", "family": "BENALI"}),
    ({"given": "Juan", "family": "García López"}, {"given": "Juan", "family": "Garcia"}),
    ({"given": "Juan", "family": "García-López"}, {"given": "JUAN", "family": "garcia lopez"}),
    ({"given": "Benali", "family": "Amina"}, {"given": "Amina", "family": "Benali"}),
    ({"given": "Youssef", "family": "Cherif"}, {"given": "Yusuf", "family": "Sharif"}),
    ({"given": "Elias", "family": "Khoury"}, {"given": "Ekias", "family": "Khoury"}),
    ({"given": "Olena", "family": "Shevchenko"}, {"given": "Olena", "family": "Tremblay"}),  # married
]


def test_one_name_typed_in_two_ways_is_one_person():
    rows = []
    for number, (one, other) in enumerate(TYPED):
        birth = f"{1970 + 3 * number}-{1 + number:02d}-{10 + 2 * number}"
        pair = in_two({**one, "file": f"{number}"}, {**other, "file": f"{90 + number}"}, birth=birth, sex="F", **HOME)
        rows += pair
    assert same_person(*rows) == [number for number in range(len(TYPED)) for _ in range(2)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1990-05-14", "1990", [0, 0]),  # the year alone
        ("1990-05-14", "1990-01-01", [0, 0]),  # for want of better
        ("1990-05-04", "1990-04-05", [0, 0]),  # day and month exchanged
        ("1990-05-14", "1990-05-24", [0, 0]),  # one part differs
        ("1990-05-14", "1988-11-02", [0, 1]),  # two birth dates
    ],
)
def test_a_birth_date_typed_in_two_ways(one, other, expected):
    name = {"given": "Zoé", "family": "Roy"}
    assert same_person(*in_two({**name, "birth": one}, {**name, "birth": other}, sex="F", **HOME)) == expected


def test_twins_and_spouses_are_relatives_and_no_match():
    anna = {"given": "Anna", "family": "Roy", "birth": "2015-03-04", "sex": "F"}
    marc = {"given": "Marc", "family": "Roy", "birth": "2015-03-04", "sex": "M"}
    lea = {"given": "Léa", "family": "Roy", "birth": "2015-03-04", "sex": "F"}
    assert same_person(*in_two(anna, marc, **HOME)) == [0, 1]
    assert same_person(*in_two(anna, lea, **HOME)) == [0, 1]
    # but one household, though no organisation knows both
    assert same_household(*in_two(anna, marc, **HOME)) == [0, 0]


Q1, Q2, LATER = ("2020-2021", 1), ("2020-2021", 2), ("2021-2022", 1)


def test_members_of_one_household_in_one_organisation_never_merge():
    twin = {**ZOE, "sex": "F", **HOME, "menage": "M1", "quarter": Q1}
    rows = [{"org": "R1", "file": "1", **twin}, {"org": "R1", "file": "2", **twin, "given": "Léa"}]
    other = {"org": "M1", "file": "7", **{**twin, "menage": "8"}}
    assert len(set(same_person(*rows, other))) == 2


def test_two_files_of_an_organisation_are_one_person_only_where_they_are_not_in_use_at_once():
    slip = {**ZOE, "given": "Zoée", "sex": "F", **HOME, "menage": "M1"}
    first = {"org": "R1", "file": "1", **ZOE, "sex": "F", **HOME, "menage": "M1", "quarter": Q1}
    again = {"org": "R1", "file": "8", **slip}
    assert same_person(first, {**again, "quarter": Q1}) == [0, 1]
    assert same_person(first, {**again, "quarter": LATER}) == [0, 0]


# ── file numbers that are not one person's ────────────────────────────────────────────────────────────────
ANNA = {"given": "Anna", "family": "Roy", "birth": "1990-03-04"}
MARC = {"given": "Marc", "family": "Roy", "birth": "1988-11-20"}
LEA = {"given": "Léa", "family": "Roy", "birth": "2015-06-07"}


def household(number, *members):
    return [{"org": "R1", "file": number, **member} for member in members]


def test_a_number_of_the_household_is_parted_by_names_and_births_and_makes_a_household():
    rows = household("H1", ANNA, MARC, LEA, {**MARC, "birth": "1988"}, {**ANNA, "given": "ANA"})
    assert same_person(*rows) == [0, 1, 2, 1, 0]
    assert len(set(same_household(*rows))) == 1


def test_a_row_without_given_name_is_whose_birth_it_tells_else_the_first_rows():
    blank = {"family": "Roy"}
    rows = household("H1", ANNA, MARC, {**blank, "birth": "1988-11-20"}, blank, {**blank, "birth": "1990-03-04"})
    assert same_person(*rows) == [0, 1, 1, 0, 0]
    # a birth date of nobody yet is another person
    assert same_person(*rows, *household("H1", {**blank, "birth": "2015-06-07"})) == [0, 1, 1, 0, 0, 2]


def test_one_number_of_one_person_keeps_her_whatever_is_typed():
    others = {**ANNA, "birth": "1990-04-03"}, {**ANNA, "given": "Annie"}, {"given": "A."}, {"family": "Tremblay"}
    assert same_person(*household("7", ANNA, *others)) == [0] * 5


def test_where_numbers_are_households_one_sign_is_enough():
    doubtful = household("H1", {**ANNA, "birth": "1990"}, {"given": "Marc", "family": "Roy"})
    assert same_person(*doubtful) == [0, 0]
    homes = [
        household(f"H{year}", {**ANNA, "birth": f"{year}-03-04"}, {**MARC, "birth": f"{year - 2}-11-20"})
        for year in range(1960, 1990)
    ]
    *_, anna, marc = same_person(*(row for home in homes for row in home), *doubtful)
    assert anna != marc


@pytest.mark.thorough
def test_numbers_new_each_year_are_one_person(deposited, links):
    rows, _ = deposited
    anew = rows.assign(file_number=rows["file_number"] + "/" + rows["fiscal_year"])
    found = link_persons(anew, key=SAMPLE_KEY)
    before = resolve(links, MATCH_THRESHOLD, SAMPLE_KEY).persons
    together = pd.crosstab(found["person_id"], before["person_id"]).gt(0)
    assert (together.sum() > 1).mean() < 0.02
    assert (together.sum(axis=1) > 1).mean() < 0.02


def test_the_order_of_names_is_told_by_households(deposited, links):
    rows, _ = deposited
    largest = rows["organisation_id"].value_counts().index[0]
    there = rows["organisation_id"].eq(largest)
    other = rows.assign(
        given_name=rows["given_name"].mask(there, rows["family_name"]),
        family_name=rows["family_name"].mask(there, rows["given_name"]),
    )
    expected, found = links.identities.table, identify(other).table
    assert (expected["family"].value_counts().head(20) == found["family"].value_counts().head(20)).all()


def test_a_cell_of_megabytes_among_the_names_stays_out_of_the_review(tmp_path):
    pasted = "x" * 2_000_000
    rows = records(*({**row, "family": f"Martin {pasted}", "file": pasted} for row in PAIR))
    found = link(rows)
    path = write_review(review_table(found, resolve(found, 0.95, SAMPLE_KEY), SAMPLE_KEY), tmp_path)
    assert path.stat().st_size < 10_000
    assert len(found.identities.table["family"].max()) <= LONGEST
    read_decisions(tmp_path)


def test_a_cluster_that_breaks_a_rule_is_split_and_says_why():
    base = {"given": "Amina", "family": "Benali", "sex": "F", **HOME}
    rows = records(
        {"org": "M1", "file": "1", **base, "birth": "1990-05-14"},
        {"org": "R1", "file": "2", **base, "birth": "1990"},
        {"org": "R2", "file": "3", **base, "birth": "1990-11-27"},
    )
    found = resolve(link(rows), 0.9, SAMPLE_KEY)
    assert found.persons["person_id"].nunique() == 2
    refused = found.links[found.links["decision"].eq("refused")]
    assert set(refused["reason"]) == {"birth_dates_apart"}


@pytest.mark.thorough
def test_neither_order_nor_threads_change_who_is_who(deposited, links, monkeypatch):
    rows, _ = deposited
    expected = resolve(links, MATCH_THRESHOLD, SAMPLE_KEY).persons.set_index("record_id").sort_index()
    shuffled = rows.sample(frac=1, random_state=3)
    monkeypatch.setattr(engine, "THREADS", 1)
    found = link_persons(shuffled, key=SAMPLE_KEY)
    assert found["record_id"].tolist() == shuffled["record_id"].tolist()
    pd.testing.assert_frame_equal(found.set_index("record_id").sort_index(), expected)


def test_ids_and_links_hold_nothing_personal(deposited, links):
    rows, _ = deposited
    found = resolve(links, 0.95, SAMPLE_KEY)
    text = " ".join(found.links.select_dtypes("object").stack().unique()).lower()
    text += " ".join(found.persons.drop(columns="record_id").select_dtypes("object").stack().unique()).lower()
    typed = pd.unique(rows[["given_name", "family_name"]].to_numpy().ravel())
    assert not [value for value in typed if isinstance(value, str) and len(value) > 4 and value.lower() in text]
    # a file number may be found by chance inside a hexadecimal id, never as a value
    assert not set(rows["file_number"]) & set(found.persons.to_numpy().ravel())


def test_no_member_of_a_household_of_an_organisation_is_merged_with_another(deposited, links):
    rows, truth = deposited
    files = ["organisation_id", "file_number"]
    persons = resolve(links, LOOSE, SAMPLE_KEY).persons.assign(**rows[files]).drop_duplicates(files)
    known = truth.identities.merge(persons, on=files)
    assert known.groupby(["organisation_id", "person_id"])["true_person"].nunique().max() == 1


def test_levels_are_those_that_splink_finds(deposited, links):
    from splink import DuckDBAPI, Linker

    def written_out(condition):
        for name, likeness in LIKENESSES.items():
            condition = re.sub(rf"\b{name}\b", f"({likeness})", condition)
        return condition

    comparisons = []
    for trait in TRAITS:
        missing = {"sql_condition": written_out(trait.missing), "label_for_charts": "missing", "is_null_level": True}
        levels = [
            {"sql_condition": written_out(level.condition or "ELSE"), "label_for_charts": level.name,
             "m_probability": 0.5, "u_probability": 0.5}
            for level in trait.levels
        ]  # fmt: skip
        comparisons.append({"output_column_name": trait.name, "comparison_levels": [missing, *levels]})
    settings = {
        "link_type": "dedupe_only", "unique_id_column_name": "identity", "comparisons": comparisons,
        "blocking_rules_to_generate_predictions": ["l.name = r.name"],
    }  # fmt: skip
    chosen = links.pairs[["left", "right"]].set_axis(["join_key_l", "join_key_r"], axis=1).assign(match_key="0")
    with engine.connected(None) as connection:
        connection.execute(MACROS)
        connection.register("identities", links.identities.lists)
        connection.register("chosen", chosen)
        api = DuckDBAPI(connection)
        linker = Linker(api.register("identities"), settings, log_level=logging.ERROR, validate_settings=False)
        linker.table_management.register_blocked_pairs_for_predict(api.register("chosen"))
        scored = linker.inference.predict(warning_mode="never").as_pandas_dataframe()
    scored = scored.rename(columns={"identity_l": "left", "identity_r": "right"}).sort_values(["left", "right"])
    assert len(scored) > 500
    for trait in TRAITS:
        gamma = f"gamma_{trait.name}"
        assert scored[gamma].tolist() == links.pairs[gamma].tolist(), trait.name


def test_the_weight_is_the_sum_of_the_levels_and_of_what_is_rare(deposited, links):
    pairs, model = links.pairs, links.weights.model
    top = pairs["gamma_country"].eq(1) | pairs[["gamma_name", "gamma_initials", "gamma_part_of_name"]].gt(0).any(axis=1)
    companions = model.weights(COMPANIONS, "same")[pairs["companions"]]
    expected = level_weight(pairs, model, "same") + companions
    assert (~top).sum() > 20
    np.testing.assert_allclose(pairs["weight"][~top], expected[~top], atol=1e-5)


def test_an_engine_that_fails_is_a_sentence_without_a_value(monkeypatch):
    monkeypatch.setattr(engine, "MEMORY", "no memory")
    with pytest.raises(LinkageError, match="data/derived/tmp"):
        link(records(*PAIR))


# ── blocking ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.thorough
def test_blocks_are_counted_before_any_pair_is_made_and_the_largest_left_out(deposited, links, monkeypatch):
    rows, whole = deposited[0], links
    budget = int(whole.blocks.counts["pairs"].sum()) // 2
    monkeypatch.setattr(linking, "pair_budget", lambda _: budget)
    part = link(rows)
    assert part.blocks.counts["pairs"].sum() <= budget
    assert part.blocks.largest < whole.blocks.largest
    counted = part.blocks.counts[["pairs", "pairs_left_out"]].sum().sum()
    assert counted == whole.blocks.counts["pairs"].sum()


def true_pairs(rows, truth, links):
    """The true pairs of identities, with what was compared of them (missing where a pair was not)."""
    of = pd.DataFrame({**rows[["organisation_id", "file_number"]], "identity": links.identities.of_record})
    known = truth.identities.merge(of.drop_duplicates(), on=["organisation_id", "file_number"])
    both = known.merge(known, on="true_person")
    both = both[both["identity_x"] < both["identity_y"]].drop_duplicates(["identity_x", "identity_y"])
    return both.merge(links.pairs, left_on=["identity_x", "identity_y"], right_on=["left", "right"], how="left")


def test_every_true_pair_is_compared(deposited, links):
    assert true_pairs(*deposited, links)["left"].isna().mean() < 0.01


# ── households ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_household_made_of_relatives_is_no_larger_than_it_says():
    identities = pd.DataFrame({"household": [0, 1, 2], "size": [2.0, 2.0, 2.0]})
    pairs = pd.DataFrame({"left": [0, 1, 0], "right": [1, 2, 2], "relative": [0.99, 0.98, 0.97]})
    person = np.arange(3)
    assert households(person, identities, pairs).tolist() == [0, 0, 0]
    small = identities.assign(size=1.0)
    assert households(person, small, pairs).tolist() == [0, 0, 2]
    unsure = pairs.assign(relative=0.5)
    assert households(person, identities, unsure).tolist() == [0, 1, 2]


# ── clerical review ───────────────────────────────────────────────────────────────────────────────────────
ALMOST = {"given": "Camille", "family": "Martin", "sex": "F"}
PAIR = in_two({**ALMOST, "birth": "1991-10-21"}, {**ALMOST, "birth": "1993"})


def reviewed(tmp_path, decision):
    """Write the review of a doubtful pair, answer it, and link again as a re-sent file would be."""
    rows = records(*PAIR)
    found = linked(rows)
    write_review(review_table(found, resolve(found, 0.95, SAMPLE_KEY), SAMPLE_KEY), tmp_path)
    path = tmp_path / FILE
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 2
    path.write_text("\n".join([lines[0], decision + lines[1]]), encoding="utf-8-sig")
    sent_again = rows.iloc[::-1].assign(file="again.xlsx", record_id=["n1", "n0"])
    again = decide(linked(sent_again), read_decisions(tmp_path), SAMPLE_KEY)
    return again, resolve(again, 0.95, SAMPLE_KEY)


def test_a_reviewers_decision_counts_on_the_next_run(tmp_path):
    assert persons_of(*PAIR)["person_id"].nunique() == 2
    _, found = reviewed(tmp_path, "Même")
    assert found.persons["person_id"].nunique() == 1
    links, found = reviewed(tmp_path, "différent")
    assert found.persons["person_id"].nunique() == 2
    # the answer stays in the next file
    assert review_table(links, found, SAMPLE_KEY)["decision"].tolist() == ["différent"]


def test_a_decision_on_two_files_that_nothing_brought_together_counts_too():
    rows = records(
        {"org": "M1", "file": "1", "given": "Zoé", "family": "Roy"}, {"org": "R1", "file": "2", "given": "Max"}
    )
    found = link(rows)
    ids = linking.identity_ids(found, SAMPLE_KEY)
    said = pd.DataFrame({"left_id": [ids[1], "Fgone"], "right_id": [ids[0], ids[0]], "same": [True, True]})
    assert resolve(decide(found, said, SAMPLE_KEY), 0.95, SAMPLE_KEY).persons["person_id"].nunique() == 1


def test_a_decision_outlives_the_absence_of_its_deposit(tmp_path):
    rows = records(*PAIR)
    there = linked(rows)
    ids = linking.identity_ids(there, SAMPLE_KEY)
    said = pd.DataFrame({"left_id": ids[:1], "right_id": ids[1:], "same": [True]})
    assert waiting(there, said, SAMPLE_KEY).empty
    away = link(rows.iloc[:1])
    kept = waiting(away, said, SAMPLE_KEY)
    table = review_table(away, resolve(away, 0.95, SAMPLE_KEY), SAMPLE_KEY, kept=kept)
    # of the file that is not there nothing is remembered but its id
    assert table.loc[0, table.ne("").iloc[0]].to_dict() == {"decision": "même", "id_1": ids[0], "id_2": ids[1]}
    write_review(table, tmp_path)
    again = decide(there, read_decisions(tmp_path), SAMPLE_KEY)
    assert resolve(again, 0.95, SAMPLE_KEY).persons["person_id"].nunique() == 1


def test_a_decision_that_is_neither_is_a_sentence_that_names_the_line(tmp_path):
    with pytest.raises(UnusableInputError, match="line 2"):
        reviewed(tmp_path, "peut-être")
    (tmp_path / FILE).write_text("a;b\n1;2\n", encoding="utf-8")
    with pytest.raises(UnusableInputError, match="columns"):
        read_decisions(tmp_path)
    assert read_decisions(tmp_path / "nowhere").empty


def test_the_review_neutralises_formulas_and_leaves_out_who_asked(tmp_path):
    rows = records(*({**row, "given": "Camille", "file": '=HYPERLINK("x")'} for row in PAIR))
    found = link(rows)
    resolved = resolve(found, 0.95, SAMPLE_KEY)
    text = write_review(review_table(found, resolved, SAMPLE_KEY), tmp_path).read_text(encoding="utf-8-sig")
    assert ";=HYPERLINK" not in text
    assert "'=HYPERLINK" in text
    assert review_table(found, resolved, SAMPLE_KEY, without=["r1"]).empty


# ── the model ─────────────────────────────────────────────────────────────────────────────────────────────
def test_the_shipped_model_is_whole_and_is_read_as_it_is_written():
    model = Model.shipped()
    assert Model.from_json(model.to_json(), "again").to_json() == model.to_json()
    sums = model.levels.groupby("trait")[["m", "relative", "u"]].sum()
    np.testing.assert_allclose(sums, 1, atol=0.01)
    assert len(match_weights()) == sum(len(trait.levels) for trait in (*TRAITS, COMPANIONS))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "1"}', "null"])
def test_what_is_no_model_is_a_sentence(text, tmp_path):
    (tmp_path / "m.json").write_text(text, encoding="utf-8")
    with pytest.raises(LinkageModelError, match=r"m\.json"):
        Model.read(tmp_path / "m.json")
    with pytest.raises(LinkageModelError, match="cannot be read"):
        Model.read(tmp_path / "none.json")


def test_a_probability_of_zero_is_refused():
    model = Model.shipped()
    model.levels.loc[0, "m"] = 0.0
    with pytest.raises(LinkageModelError, match="between 0 and 1"):
        Model.from_json(model.to_json(), "m")


@pytest.mark.thorough
def test_training_finds_the_shares_of_the_truth_and_keeps_what_it_never_sees(deposited, links):
    rows, truth = deposited
    before = Model.shipped()
    after = train(rows, version="ours")
    assert "organisations" in after.trained_on
    m = after.levels.set_index(["trait", "level"])["m"]
    assert (m > 0).all()
    organisation = links.identities.table["organisation"].to_numpy()
    same = true_pairs(rows, truth, links).dropna(subset="left")
    same = same[organisation[same["identity_x"]] != organisation[same["identity_y"]]]
    for trait in (trait for trait in TRAITS if trait.name in ("name", "birth", "sex")):
        stated = same[f"gamma_{trait.name}"] >= 0
        share = (same.loc[stated, f"gamma_{trait.name}"] == len(trait.levels) - 1).mean()
        assert m[trait.name, trait.levels[0].name] == pytest.approx(share, abs=0.05)
    moved = changes(before, after)
    assert moved["moved"].any()
    # what companions say is kept
    assert not moved.loc[moved["trait"].eq("companions"), "moved"].any()


def test_too_little_to_learn_from_is_a_sentence_and_the_shipped_model_is_used():
    weights = linked(records(*PAIR)).weights
    assert weights.model.to_json() == Model.shipped().to_json()
    assert not weights.learnt
    with pytest.raises(LinkageModelError, match="too few"):
        train(records(*PAIR))


@pytest.mark.thorough
def test_an_em_that_does_not_settle_is_a_sentence_and_the_shipped_model_is_used(deposited, monkeypatch):
    monkeypatch.setattr(learning, "ITERATIONS", 1)
    weights = link(deposited[0]).weights
    assert "did not settle" in weights.said
    assert weights.model.to_json() == Model.shipped().to_json()


# ── small pieces ──────────────────────────────────────────────────────────────────────────────────────────
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 4)), min_size=1, max_size=40))
def test_the_most_frequent_code_of_each_group(rows):
    group = np.unique([g for g, _ in rows], return_inverse=True)[1]
    codes = np.array([c for _, c in rows])
    found = most_frequent(group, codes)
    for g in range(group.max() + 1):
        known = codes[(group == g) & (codes >= 0)].tolist()
        expected = min(known, key=lambda c: (-known.count(c), c)) if known else -1
        assert found[g] == expected


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzç", max_size=12))
def test_a_sound_is_never_longer_than_its_word(word):
    assert len(sound(word)) <= len(word)
