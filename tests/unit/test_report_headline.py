"""The headline of a page: ten persons, what stands beside the rate, what has changed, the lights."""

import datetime as dt
import re
import shutil

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import figure_tables
from page_reading import rows_of, text_of
from report_tables import opened, protected_once
from trajectories.analysis.quality import LEVELS, level_of
from trajectories.disclosure.ledger import FOLDER, Publication, write_publication
from trajectories.report import sections
from trajectories.report.figures.people import of_ten, of_ten_text, people
from trajectories.report.inputs import last_published, open_reports
from trajectories.report.readings import light
from trajectories.report.run import MODEL, NEEDED, Run
from trajectories.report.sections import headline, quality
from trajectories.report.words import words
from trajectories.study import Study

FRENCH = words("fr")


def plain(report):
    return text_of(str(headline.in_brief(report).html)).replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    years = {"2023-2024": 60, "2024-2025": 80}
    folder = tmp_path_factory.mktemp("run") / "sensitive" / "tables"
    return figure_tables.write_everything(folder, figure_tables.FEW, targets={"05": years, "03": {"2025-2026": 10}})


@pytest.fixture
def tables(folder, tmp_path):
    """Those of them that every run makes, to be changed."""
    less = tmp_path / "sensitive" / "tables"
    less.mkdir(parents=True)
    for name in ("run.json", *(f"{name}.parquet" for name in (*NEEDED, *MODEL))):
        shutil.copy(folder / name, less)
    return less


@pytest.fixture(scope="module")
def reports(folder):
    return {report.region: report for report in opened(folder, ["05", "03", "09", "10", "06", "province"])}


# ── ten persons ───────────────────────────────────────────────────────────────────────────────────────────
@given(st.integers(0, 100))
def test_ten_persons_are_nearest_to_the_rate_and_full_only_for_all(percent):
    filled = of_ten(percent / 100)
    assert (filled * 2) % 1 == 0
    assert (filled == 10) == (percent == 100) and (filled == 0) == (percent == 0)
    assert abs(filled - percent / 10) <= (0.25 if 3 <= percent <= 97 else 0.5) + 1e-9


@given(st.integers(0, 99))
def test_a_higher_rate_never_fills_fewer(percent):
    assert of_ten(percent / 100) <= of_ten((percent + 1) / 100)


@pytest.mark.parametrize(
    ("rate", "said"), [(0.8, "about 8 people in 10"), (0.85, "between 8 and 9 people in 10"),
                       (0.99, "between 9 and 10 people in 10"),
                       (0.02, "fewer than 1 person in 10"), (0.0, "no one in 10"), (1.0, "10 people in 10")],
)  # fmt: skip
def test_the_words_say_what_is_drawn(rate, said):
    assert said in of_ten_text(rate, words("en"))
    drawn = people(rate, "still live there", words("en"))
    assert said in drawn and drawn.count("<g ") == 10
    assert drawn.count('class="full"') == -(-of_ten(rate) // 1)


# ── beside the rate ───────────────────────────────────────────────────────────────────────────────────────
def test_the_rate_stands_beside_the_whole_and_the_two_periods(reports):
    rows = rows_of(str(headline.in_brief(reports["05"]).html), "Le même taux, ailleurs et avant")
    assert list(rows) == [
        "Estrie", "Ensemble des régions", "Personnes établies depuis avril 2023", "Personnes établies avant avril 2023",
    ]  # fmt: skip
    said = plain(reports["05"])
    assert "Les personnes établies récemment restent davantage" in said
    assert "Si les personnes étaient semblables" in said


def test_the_whole_is_not_beside_itself(reports):
    rows = rows_of(str(headline.in_brief(reports["province"]).html), "Le même taux, ailleurs et avant")
    assert next(iter(rows)) == "Ensemble des régions" and len(rows) == 3
    assert "Si les personnes étaient semblables" not in plain(reports["province"])


def test_who_has_no_rate_is_compared_with_nothing(reports):
    for region in ("09", "10", "06"):
        assert "Le même taux, ailleurs et avant" not in plain(reports[region])


# ── since the last publication ────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def shown(folder):
    kept, _, _ = protected_once(folder)
    return {name: kept[name].frame for name in ("counts", "retention")}


def published(shown, folder, change=lambda tables: None, settings=None):
    """The tables of the run as an earlier publication that said something else."""
    tables = {name: frame.copy() for name, frame in shown.items()}
    change(tables)
    own = Run.read(folder).settings if settings is None else settings
    write_publication(folder.parent / FOLDER, Publication("2026-03-01-01", "2026-03-01", own, tables))


def move(group, rate=None, persons=None):
    def change(tables):
        rates, counts = tables["retention"], tables["counts"]
        at = rates["group"].eq(group) & rates["method"].eq("main") & rates["horizon"].eq(12)
        rates.loc[at, "estimate"] = rates.loc[at, "estimate"] if rate is None else rate
        total = counts["group"].eq(group) & counts["table"].eq("stays") & counts["key"].eq("total")
        if persons is not None:
            counts.loc[total, "persons_rounded"] = persons

    return change


def test_nothing_published_before_is_said(reports):
    assert "Aucune publication précédente n’a été faite avec ces réglages" in plain(reports["05"])
    assert all("publication" not in plain(reports[region]) for region in ("09", "10"))


@pytest.mark.thorough
def test_what_has_changed_since_is_told_then_and_now(tables, shown):
    published(shown, tables, move("05", rate=0.5, persons=200))
    (report, other) = open_reports(tables, ["05", "03"])
    said = plain(report)
    assert report.earlier.day == dt.date(2026, 3, 1) and "Publication précédente : 1er mars 2026." in said
    assert "Le taux à 12 mois passe de 50 % à " in said
    assert "Les personnes établies passent de 200 à " in said
    assert "Le taux à 12 mois reste à " in plain(other)


@pytest.mark.thorough
def test_a_change_too_small_to_be_told_keeps_the_number_and_says_so(tables, shown):
    total = shown["counts"].query("group == '05' and table == 'stays' and key == 'total'")["persons_rounded"].item()
    # five more, of which rounding hides at most four: between one and nine came
    published(shown, tables, move("05", persons=total - 5))
    (report,) = open_reports(tables, ["05"])
    assert f"Le nombre publié de personnes établies est maintenu, {total - 5}." in plain(report)


def test_a_publication_of_other_settings_is_not_the_last_one(tables, shown):
    own = Run.read(tables).settings
    published(shown, tables, settings=("CMM", "region", None))
    assert last_published(tables.parent, own, Study().disclosure) is None
    assert last_published(tables.parent, ("CMM", "region", None), Study().disclosure).day == dt.date(2026, 3, 1)


# ── lights ────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_light_is_a_shape_and_a_word_and_a_colour():
    drawn = [light(level, FRENCH) for level in LEVELS]
    assert len(set(drawn)) == 4
    shapes = [one.split(">")[2][0] for one in drawn]
    assert len(set(shapes)) == 4 and all('aria-hidden="true"' in one for one in drawn)
    assert [level_of(v, 0.1, 0.3) for v in (0.09, 0.1, 0.29, 0.3)] == ["good", "watch", "watch", "mend"]


def test_the_lights_follow_what_is_displayed(reports):
    rows = rows_of(str(sections.data_quality(reports["05"]).html), "L’état des données")
    assert rows["les personnes perdues de vue"][0].strip()[0] in "●▲■"
    assert rows["les lieux non reconnus"][-1].endswith("%")
    learnt = "la façon dont les départs se font connaître"
    assert rows[learnt][:2] == ["● Bon", "apprise sur les personnes de cette page"]
    rows = rows_of(str(sections.data_quality(reports["03"]).html), "L’état des données")
    assert rows[learnt][:2] == ["▲ À surveiller", "empruntée à l’ensemble des régions"]


@pytest.mark.thorough
def test_the_worst_level_is_the_light_of_the_page(tables):
    counts = pd.read_parquet(tables / "counts.parquet")
    for key, by in (("quarantined", 3000), ("accepted", -3000)):
        counts.loc[counts["table"].eq("rows") & counts["key"].eq(key), "persons"] += by
    counts.to_parquet(tables / "counts.parquet")
    (report,) = open_reports(tables, ["05"])
    trusted = text_of(str(quality.trust(report).html)).replace("\N{NO-BREAK SPACE}", " ")
    said = re.search(r"À corriger pour : [^.]*\.", trusted)
    assert said and "les lignes mises de côté" in said[0], trusted


def test_a_page_leads_to_its_place_in_the_annex(reports):
    assert 'href="annexe.html#region-05"' in str(quality.trust(reports["05"]).html)
    assert 'href="annexe.html#province"' in str(quality.trust(reports["province"]).html)
    assert not quality.trust(reports["09"]).html and not quality.trust(reports["10"]).html


def test_what_the_analysis_has_not_made_is_named(reports, folder, tables):
    assert "n’a pas faits" not in text_of(str(sections.data_quality(reports["05"]).html))
    for path in folder.iterdir():
        if path.stem not in ("periods", "typology_types"):
            shutil.copy(path, tables)
    # what is absent is seen in the folder, whatever is protected of it
    (report,) = open_reports(tables, ["05"], protected=protected_once(folder))
    assert report.absent == ("types", "periods")
    said = text_of(str(sections.data_quality(report).html)).replace("\N{NO-BREAK SPACE}", " ")
    assert "sur la page : « Types » et « Récemment et avant »" in said
