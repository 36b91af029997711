"""The explorer without Jupyter: its bounds are those of `retention`, and what it shows says what they are."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from explored_study import build_study
from page_reading import Reader
from trajectories import explorer as explorer_room
from trajectories import tables
from trajectories.cohort import build_cohort
from trajectories.companions import companion, observed_intervals
from trajectories.explorer import explore, opened
from trajectories.groups import members
from trajectories.quick_bounds import BOUNDS, SPLITS, UNKNOWN, counted, quick_bounds
from trajectories.report.explored import explored
from trajectories.report.html import FORBIDDEN
from trajectories.report.words import words
from trajectories.reported import stays_that_enter
from trajectories.spells import build_spells
from trajectories.study import Study
from trajectories.survival import interval_incidence
from trajectories.survival.intervals.counted import counted_survival

BAND = "données non protégées, ne pas diffuser"
DUE = [3, 6, 12, 24]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return build_study(tmp_path_factory.mktemp("explored"))


@pytest.fixture(scope="module")
def built(study):
    return tables.load(tables.COHORT, study.paths.derived), tables.load(tables.CONTACTS, study.paths.derived)


@pytest.fixture(scope="module")
def cohort(built, study):
    return counted(*built, study=study)


@pytest.fixture(scope="module")
def explorer(study):
    return opened(study)


def seen(html):
    return " ".join(Reader(str(html)).text).replace("\u00a0", " ")


def alt(html):
    (told,) = [attributes["aria-label"] for name, attributes in Reader(str(html)).tags if name == "svg"]
    return told.replace("\u00a0", " ")


def shown(bounds, *, region="05", by=None, horizon=12, synthetic=False, language="fr", study=None):
    return explored(
        bounds, region=region, by=by, horizon=horizon, study=study or Study(), synthetic=synthetic,
        words=words(language),
    )  # fmt: skip


def rows(level=None, months=(0, 3, 6, 12, 24), n_start=100, **columns):
    made = {"lost_left": 0.7, "lost_stayed": 0.9, "lower": 0.6, "upper": 0.95, "n_risk": 50, **columns}
    return pd.DataFrame({"level": level, "month": list(months), **made, "n_start": n_start})


# ── the numbers ───────────────────────────────────────────────────────────────────────────────────────────
def test_counts_give_the_curves_that_as_many_stays_would():
    rng = np.random.default_rng(4)
    entry = rng.integers(0, 3, 20).astype(float)
    lower = entry + rng.integers(0, 5, 20)
    upper = np.where(rng.random(20) < 0.4, np.inf, lower + rng.integers(1, 3, 20))
    cause = np.where(np.isinf(upper), 0, rng.integers(0, 3, 20))
    counts = rng.integers(0, 6, (20, 2, 1))
    found = counted_survival(lower, upper, cause, counts, entry=entry)
    for k in range(2):
        many = np.repeat(np.arange(20), counts[:, k, 0])
        table = interval_incidence(lower[many], upper[many], cause[many], entry=entry[many]).table
        whole = table[table["cause"].eq(0)].set_index("month")["incidence"]
        # where nothing tells one month from another EM goes on for long: both are as it leaves them
        np.testing.assert_allclose(found[whole.index, k, 0], whole, atol=1e-5)


def test_nobody_at_risk_is_a_curve_at_one_and_bad_counts_are_refused():
    assert counted_survival([2.0], [np.inf], [0], [[[5], [0]]], entry=[2.0]).tolist() == [[[1.0], [1.0]]] * 3
    with pytest.raises(ValueError, match=r"counts: shape \(2,\) given, \(2, groups, 1 \+ replicates\) expected"):
        counted_survival([0, 1], [1, 2], [1, 1], [1, 1])
    with pytest.raises(ValueError, match="counts: 1 of 2 values are negative"):
        counted_survival([0, 1], [1, 2], [1, 1], [[[1]], [[-1]]])


@pytest.mark.parametrize("region", ["province", "05", "Est & <Ouest>"])
def test_the_bounds_are_those_of_retention_at_the_months_in_which_contacts_are_due(built, cohort, study, region):
    stays = stays_that_enter(built[0], study)
    chosen = members(stays, study, [region])[region]
    known = observed_intervals(stays, built[1])[chosen]
    found = quick_bounds(cohort, region, study=study).set_index("month")
    assert found["n_start"].iloc[0] == chosen.sum() and found.index.tolist() == [0, *DUE]
    for bound, column in zip(BOUNDS, ("lost_left", "lost_stayed"), strict=True):
        table = companion(known, bound, study)
        table = table[table["cause"].eq(0)].set_index("month")
        np.testing.assert_allclose(found.loc[DUE, column], table.loc[DUE, "incidence"], atol=1e-3)
        assert (found.loc[DUE, "n_risk"] <= table.loc[DUE, "n_risk"]).all()


def test_the_limits_are_those_of_the_household_bootstrap(built, cohort, study):
    stays = stays_that_enter(built[0], study)
    known = observed_intervals(stays, built[1])
    found = quick_bounds(cohort, "province", study=study).set_index("month").loc[DUE]
    for bound, near, far in (("all_lost_left", "lost_left", "lower"), ("all_lost_stayed", "lost_stayed", "upper")):
        lower, upper, cause = (known[f"{bound}_{name}"].to_numpy() for name in ("lower", "upper", "cause"))
        entry = known["entry"].to_numpy()
        used = np.where(np.isfinite(upper), upper, lower) > entry
        table = interval_incidence(
            lower[used], upper[used], cause[used], entry=entry[used], replicates=100,
            cluster=stays["household_id"].to_numpy()[used],
        ).table  # fmt: skip
        table = table[table["cause"].eq(0)].set_index("month").loc[DUE]
        ratio = (found[far] - found[near]).abs() / (table[far] - table["incidence"]).abs()
        # 25 replicates against 100: standard errors to within a seventh
        assert ratio.between(0.6, 1.6).all(), ratio


def test_a_replicate_draws_whole_households(built, cohort, study):
    households = stays_that_enter(built[0], study)["household_id"].to_numpy()
    drawn = pd.DataFrame(cohort.weights).groupby(households)
    assert drawn.nunique().eq(1).all(axis=None) and (drawn.size() > 1).any()
    assert (drawn.first().sum() == drawn.ngroups).all() and (cohort.weights[:, 0] == 1).all()


def test_every_level_of_every_split_is_told_once_and_none_is_lost(cohort, study):
    whole = quick_bounds(cohort, "province", study=study)["n_start"].iloc[0]
    for by, order in SPLITS.items():
        found = quick_bounds(cohort, "province", by, study=study)
        each = found.groupby("level", sort=False)["n_start"].first()
        assert each.sum() == whole, by
        assert [level for level in (*order, UNKNOWN) if level in each.index] == each.index.tolist()
        small = each.index[each < study.support]
        assert found[found["level"].isin(small)]["month"].eq(0).all()
        told = found[found["month"] > 0]
        assert (told["n_risk"] >= study.support).all()
        assert (told["lower"] <= told["lost_left"]).all() and (told["lost_left"] <= told["lost_stayed"] + 1e-3).all()
        assert (told["lost_stayed"] <= told["upper"]).all()


def test_a_curve_ends_before_too_few_are_followed(cohort, study):
    found = quick_bounds(cohort, "province", study=study).set_index("month")["n_risk"]
    support = int(found[24]) + 1
    fewer = quick_bounds(cohort, "province", study=dataclasses.replace(study, support=support))
    assert fewer["month"].tolist() == [0, 3, 6, 12]
    nobody = dataclasses.replace(study, support=10**6)
    assert quick_bounds(cohort, "province", study=nobody)["month"].tolist() == [0]
    assert quick_bounds(cohort, "06", study=study).empty


def test_the_same_is_drawn_each_time(built, study, cohort):
    again = quick_bounds(counted(*built, study=study), "05", "sex", study=study)
    pd.testing.assert_frame_equal(again, quick_bounds(cohort, "05", "sex", study=study))


def test_a_cohort_of_nobody_is_no_error(built, study):
    none = counted(built[0].iloc[:0], built[1].iloc[:0], study=study)
    assert quick_bounds(none, "province", "sex", study=study).empty


# ── the words and the picture ─────────────────────────────────────────────────────────────────────────────
def test_what_is_shown_says_that_it_is_not_protected_and_what_it_is():
    html = str(shown(rows()))
    assert html.count(BAND) == 1 and html.startswith('<p lang="fr" style="background-color: #b00020')
    text = seen(html)
    assert "Rester en Estrie" in text and "RMR de Montréal, limites de 2021" in text
    assert "À 12 mois, entre 70 % et 90 % sont encore là" in text and "de 60 % à 95 %" in text
    assert "Aperçu, non protégé" in text and "trajectories.retention()" in text
    assert "Données synthétiques" not in text and "Données synthétiques" in seen(shown(rows(), synthetic=True))
    assert not re.search("|".join(map(re.escape, FORBIDDEN)), html)
    assert "Staying in Estrie" in seen(shown(rows(), language="en"))


def test_the_alternative_text_and_the_table_follow_the_horizon():
    bounds = pd.concat([rows("F", lost_left=[1, 0.9, 0.8, 0.7, 0.6]), rows("M", months=(0, 3, 6), n_risk=31)])
    html = shown(bounds, by="sex", horizon=24)
    assert alt(html) == "Bornes de la rétention en Estrie, à 24 mois : Femme, de 60 % à 90 %; Homme, aucun nombre."
    assert "« Femme » à 24 mois et « Homme » à 6 mois" in seen(html)
    assert "Encore suivis à 24 mois" in seen(html)
    assert alt(shown(bounds, by="sex", horizon=6)).endswith("Femme, de 80 % à 90 %; Homme, de 70 % à 90 %.")


def test_a_curve_that_ends_and_a_group_that_has_none_are_said():
    assert "Rien n’est tracé après 24 mois : moins de 20 séjours" in seen(shown(rows()))
    assert "Rien n’est tracé" not in seen(shown(rows(months=(0, 12, 60)), study=Study()))
    html = shown(pd.concat([rows("F"), rows("X", months=(0,), n_start=7)]), by="sex")
    assert "Moins de 20 séjours, donc sans courbe : Autre." in seen(html)
    assert "Autre" not in alt(html) and str(html).count("<polyline") == 2
    alone = shown(rows(months=(0,), n_start=7))
    assert "<svg" not in alone and "Moins de 20 séjours" in seen(alone)
    assert "Personne ne s’est établi en Estrie" in seen(shown(rows().iloc[:0]))


def test_the_picture_is_where_the_numbers_are():
    html = str(shown(rows(months=(0, 12, 24), lost_left=[1, 0.5, 0.25])))
    (line, _) = re.findall(r'<polyline points="([^"]+)"', html)
    points = [tuple(map(float, point.split(","))) for point in line.split()]
    (x0, top), (x12, half), (x24, low) = points
    assert x12 == pytest.approx((x0 + x24) / 2)
    assert low - top == pytest.approx(1.5 * (half - top), abs=0.2)


def test_names_are_escaped(explorer):
    html = str(explorer.look(dataclasses.replace(explorer.first(), region="Est & <Ouest>")))
    assert "Est &amp; &lt;Ouest&gt;" in html and "<Ouest>" not in html


# ── the study and the controls ────────────────────────────────────────────────────────────────────────────
def test_another_scope_is_the_cohort_that_a_build_for_it_would_draw(explorer, study):
    asked = dataclasses.replace(explorer.first(), scope="any_region", perimeter="CMM")
    other = dataclasses.replace(study, scope="any_region", perimeter="CMM")
    records, persons = (tables.load(table, study.paths.derived) for table in (tables.RECORDS, tables.PERSONS))
    drawn = build_cohort(build_spells(records, persons, study=other), records, persons, study=other)
    expected = quick_bounds(counted(drawn.cohort, drawn.contacts, study=other), "province", study=other)
    pd.testing.assert_frame_equal(explorer.bounds(asked), expected)
    assert "Communauté métropolitaine" in seen(explorer.look(asked))


def test_a_cohort_is_drawn_once_and_a_horizon_computes_nothing(explorer, monkeypatch):
    first = explorer.first()
    explorer.look(first)
    assert explorer.is_drawn(first) and not explorer.is_drawn(dataclasses.replace(first, perimeter="RMR-2016"))
    for name in ("_counted", "quick_bounds"):
        monkeypatch.setattr(explorer_room, name, lambda *_, **__: pytest.fail("computed again"))
    assert "À 24 mois" in seen(explorer.look(dataclasses.replace(first, horizon=24)))


def test_a_choice_changes_the_picture_and_every_control_has_a_name(study):
    box = explore(study)
    controls, picture = box.children
    lists = {control.description: control for control in controls.children}
    assert list(lists) == ["Région", "Selon", "Durée", "Périmètre métropolitain", "Portée"]
    assert BAND in picture.value and alt(picture.value).startswith("Bornes de la rétention en région, à 12 mois")
    lists["Région"].value = "05"
    lists["Durée"].value = 24
    assert alt(picture.value).startswith("Bornes de la rétention en Estrie, à 24 mois")
    lists["Selon"].value = "sex"
    assert "Femme" in picture.value
    states = []
    picture.observe(lambda change: states.append(change.new), names="value")
    lists["Portée"].value = "any_region"
    assert "Cohorte en préparation…" in states[0] and len(states) == 2 and BAND in states[1]


def test_what_cannot_be_drawn_is_said_where_the_picture_would_be(study, monkeypatch):
    box = explore(study, language="en")
    controls, picture = box.children
    assert controls.children[0].description == "Region"
    folder = dataclasses.replace(study.paths, derived=study.paths.derived / "elsewhere")
    monkeypatch.setattr(explorer_room, "_counted", lambda asked, built, real=explorer_room._counted: real(
        asked, dataclasses.replace(built, paths=folder)
    ))  # fmt: skip
    controls.children[3].value = "CMM"
    assert 'role="alert"' in picture.value and "elsewhere" in picture.value
    controls.children[3].value = study.perimeter
    assert BAND in picture.value


def test_without_a_study_the_nearest_that_was_built_is_explored_else_the_sample(study, monkeypatch, tmp_path):
    monkeypatch.delenv("TRAJECTORIES_STUDY", raising=False)
    monkeypatch.chdir(study.paths.derived)
    assert explorer_room._to_explore() == study
    made = []
    monkeypatch.setattr(explorer_room, "sample", made.append)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text("", encoding="utf-8")
    assert explorer_room._to_explore().paths.derived == tmp_path / "data" / "sample" / "derived"
    assert len(made) == 1
