"""The explorer without Jupyter: it shows what a run estimated, says what that is, and refuses in sentences."""

import dataclasses

import pandas as pd
import pytest

from page_reading import Reader
from report_tables import HORIZONS, write_tables
from trajectories.exceptions import NotebookError, StaleTableError
from trajectories.report.explorer import explore
from trajectories.report.words import words
from trajectories.study import Study

BAND = "données non protégées, ne pas diffuser"
GROUP = "Est & <Ouest>"
LEVELS = ("economic", "refugee", "family", "student", "temporary_worker", "asylum_claimant", "other_permanent")


def compared():
    """Retention by category of immigration: the last has the fewest stays."""
    rows = [
        {"by": "immigration_category", "measure": "retention", "method": method, "n_start": 700 - 100 * k,
         "group": f"immigration_category={level}", "horizon": 12, "estimate": 0.9 - k / 100, "lower": 0.6, "upper": 1}
        for k, level in enumerate(LEVELS) for method in ("unadjusted", "weighted")
    ]  # fmt: skip
    regions = {"by": "region", "measure": "retention", "method": "unadjusted", "group": "05", "horizon": 12}
    return pd.DataFrame([*rows, {**regions, "estimate": 0.8}]).astype({"horizon": "Int64"})


def analysed(project, **facts):
    """The study of a folder that holds the tables of an analysis."""
    study = Study.from_mapping({"groups": {GROUP: ["05", "07"]}}, folder=project)
    persons = {"05": 640, "03": 210, "09": 12, GROUP: 300}
    folder = write_tables(study.paths.reports / "sensitive" / "tables", persons, **facts)
    compared().to_parquet(folder / "comparison.parquet")
    return study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return analysed(tmp_path_factory.mktemp("explored"))


@pytest.fixture
def explorer(study):
    """Chooses by the label of a control, and gives what is shown then."""
    box = explore(study)
    controls, picture = box.children
    lists = {control.description: control for control in controls.children}

    def choose(**choices):
        for name, value in choices.items():
            lists[name.replace("_", " ")].value = value
        return picture.value

    choose.lists = lists
    return choose


def told(html):
    return " ".join(Reader(html).text).replace("\u00a0", " ")


def alt(html):
    (image,) = [attributes for name, attributes in Reader(html).tags if name == "img"]
    return image["alt"].replace("\u00a0", " ")


def rows_of(html):
    """The rows of the table below the figure, as text."""
    return [told(row).split() for row in html.split("<tr>")[2:]]


def table_of(study, name):
    return pd.read_parquet(study.paths.reports / "sensitive" / "tables" / f"{name}.parquet")


def test_a_choice_changes_the_picture_and_every_control_has_a_name(explorer):
    assert list(explorer.lists) == ["Région", "Montrer", "Comparer avec"]
    first = explorer()
    assert alt(first) == f"{BAND}. Rétention, mois par mois (Ensemble des régions)"
    second = explorer(Région="05")
    assert alt(second) == f"{BAND}. Rétention, mois par mois (Estrie)" and "data:image/png" in second
    assert second.split('src="')[1] != first.split('src="')[1]


@pytest.mark.parametrize("name, column", [("curves", "survival"), ("retention", "estimate"), ("exits", "estimate")])
def test_the_numbers_are_those_of_the_run_at_its_horizons(explorer, study, name, column):
    shown = rows_of(explorer(Région="05", Montrer=name))
    table = table_of(study, name)
    when = "month" if name == "curves" else "horizon"
    table = table[table["group"].eq("05") & table["known"].ne("insufficient") & table[when].isin(HORIZONS)]
    if name == "retention":
        table = table[table["method"].isin(["main", "all_lost_left", "all_lost_stayed"])]
    assert len(shown) == len(table) > 3
    for row, number in zip(shown, table[column], strict=True):
        assert row[0] == "05" and words("fr").number(number, 3) in row


def test_another_region_stands_beside_and_the_same_one_is_drawn_once(explorer):
    both = explorer(Région="05", Comparer_avec="03")
    assert "(Estrie et Capitale-Nationale)" in alt(both) and {row[0] for row in rows_of(both)} == {"03", "05"}
    assert "(Capitale-Nationale)" in alt(explorer(Région="03"))


@pytest.mark.thorough
def test_what_cannot_be_chosen_for_a_figure_is_switched_off(explorer):
    disabled = {name: control for name, control in explorer.lists.items() if name != "Montrer"}
    shown = explorer(Région="05", Comparer_avec="03", Montrer="occupation")
    assert alt(shown).endswith("Lieu de résidence, mois par mois (Estrie)")
    assert [control.disabled for control in disabled.values()] == [False, True]
    explorer(Montrer="immigration_category")
    assert [control.disabled for control in disabled.values()] == [True, True]
    assert {row[0] for row in rows_of(explorer(Montrer="exits"))} == {"03", "05"}
    assert [control.disabled for control in disabled.values()] == [False, False]


def test_a_split_has_every_level_in_its_table_and_the_largest_in_its_figure(explorer, monkeypatch):
    from trajectories.report import explorer as room

    drawn = []
    monkeypatch.setattr(
        room, "draw_result", lambda rows, *more, real=room.draw_result: drawn.append(rows) or real(rows, *more)
    )
    shown = explorer(Montrer="immigration_category")
    assert "selon : Catégorie d’immigration" in alt(shown)
    assert [row[0] for row in rows_of(shown)] == [f"immigration_category={level}" for level in LEVELS]
    assert "les 6 groupes les plus nombreux sur 7" in told(shown)
    assert drawn[-1]["group"].tolist() == [f"immigration_category={level}" for level in LEVELS[:6]]


def test_of_a_region_that_nothing_supports_a_sentence_stands_in_place_of_the_figure(explorer, study):
    for name in ("curves", "retention", "exits", "occupation"):
        shown = explorer(Région="09", Montrer=name, Comparer_avec="")
        assert "Suivi insuffisant : rien n’est estimé sur la Côte-Nord." in told(shown) and "<img" not in shown
    beside = explorer(Montrer="curves", Comparer_avec="05")
    assert "sur la Côte-Nord." in told(beside) and {row[0] for row in rows_of(beside)} == {"05"}


def test_bounds_without_an_estimate_are_not_drawn_for_one(tmp_path):
    study = analysed(tmp_path)
    rates = table_of(study, "retention")
    rates.loc[rates["group"].eq("03") & rates["method"].eq("main"), "known"] = "insufficient"
    rates.to_parquet(study.paths.reports / "sensitive" / "tables" / "retention.parquet")
    controls, shown = explore(study).children
    controls.children[0].value, controls.children[1].value = "03", "retention"
    assert "<img" not in shown.value and "Suivi insuffisant" in told(shown.value)


def test_what_the_numbers_are_of_is_said_and_what_gives_others(explorer, study):
    text = told(explorer())
    assert "RMR de Montréal, limites de 2021" in text and "31 décembre 2025" in text and "Données synthétiques" in text
    assert "non protégées" in text and "trajectories.retention(" in text
    english = told(explore(study, language="en").children[1].value)
    assert "Retention, month by month (All regions)" in english and "Data up to December 31, 2025" in english


def test_names_are_escaped(explorer):
    shown = explorer(Région=GROUP)
    assert "Est &amp; &lt;Ouest&gt;" in shown and "<Ouest>" not in shown


def test_a_run_without_comparison_has_no_splits(tmp_path):
    study = analysed(tmp_path, synthetic=False)
    (study.paths.reports / "sensitive" / "tables" / "comparison.parquet").unlink()
    controls, shown = explore(study).children
    assert len(controls.children[1].options) == 4 and "Données synthétiques" not in told(shown.value)


def test_what_was_not_analysed_so_is_refused_with_a_sentence(study, tmp_path):
    with pytest.raises(StaleTableError, match=r"run\.json does not exist: run the analysis first"):
        explore(Study.from_mapping({}, folder=tmp_path))
    other = dataclasses.replace(study, perimeter="CMM", pathway="secondary")
    with pytest.raises(StaleTableError, match="are of RMR-2021, region, all pathways, and CMM, region, secondary is"):
        explore(other)
    with pytest.raises(NotebookError, match="no reports in the language 'de'"):
        explore(study, language="de")


def test_without_a_study_the_nearest_is_explored_else_the_sample(tmp_path, monkeypatch):
    monkeypatch.delenv("TRAJECTORIES_STUDY", raising=False)
    (tmp_path / "study.toml").write_text("", encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    with pytest.raises(StaleTableError, match="holds no estimates, nor does the folder of the sample: run `trajec"):
        explore()
    write_tables(tmp_path / "reports" / "sample" / "sensitive" / "tables")
    assert "Données synthétiques" in told(explore().children[1].value)
    write_tables(tmp_path / "reports" / "sensitive" / "tables", synthetic=False)
    assert "Données synthétiques" not in told(explore().children[1].value)
