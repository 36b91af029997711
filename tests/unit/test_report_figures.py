"""Figures: protected numbers only, the same bytes twice, an alternative text that carries the numbers."""

import re

import matplotlib
import pandas as pd
import pytest

from report_tables import write_tables
from trajectories.exceptions import DisclosureError
from trajectories.report import figures
from trajectories.report.figures.curve import retention_curve
from trajectories.report.inputs import open_reports

PAINTERS = {
    "curve": lambda r: retention_curve(r.curve, r.retention, region=r.region, words=r.words),
    "exits": lambda r: figures.exits_by_destination(r.exits, region=r.region, words=r.words),
    "origins": lambda r: figures.origins(r.counts, region=r.region, words=r.words),
}
DRAWN = PAINTERS | {"weights": lambda r: figures.match_weights(r.weights, words=r.words)}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = write_tables(tmp_path_factory.mktemp("tables"))
    return {report.region: report for report in open_reports(folder, ["05", "09", "10"])}


@pytest.mark.parametrize("name", PAINTERS)
def test_a_figure_refuses_what_was_not_protected(reports, name):
    report = reports["05"]
    raw = pd.DataFrame({"group": ["05"], "month": [0], "survival": [1.0], "estimate": [1.0], "persons": [3]})
    unprotected = {
        "curve": lambda: retention_curve(raw, report.retention, region="05", words=report.words),
        "exits": lambda: figures.exits_by_destination(raw, region="05", words=report.words),
        "origins": lambda: figures.origins(raw, region="05", words=report.words),
    }
    with pytest.raises(DisclosureError, match="protected tables only, and was given a DataFrame"):
        unprotected[name]()


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_numbers_give_the_same_bytes_and_leave_matplotlib_as_it_was(reports, name):
    before = dict(matplotlib.rcParams)
    first, second = DRAWN[name](reports["05"]), DRAWN[name](reports["05"])
    assert first == second
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_is_text_and_lines_and_nothing_that_calls_or_dates(reports, name):
    drawing = DRAWN[name](reports["05"])
    for svg in (drawing.svg, drawing.narrow):
        assert "<text" in svg and svg.startswith("<svg viewBox=")
        assert not re.search(r"https?:|<style|<metadata|<!--|dc:date|xmlns|DejaVu", svg)
    html = str(drawing.html())
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', html)) <= set(ids)
    assert html.count('role="img"') == html.count(f'aria-label="{drawing.alt}"') == 2
    assert f"<figcaption>{drawing.caption}</figcaption>" in html


def test_alternative_texts_carry_the_main_numbers(reports):
    alt = {name: paint(reports["05"]).alt for name, paint in DRAWN.items()}
    assert alt["curve"] == (
        "Courbe du taux de rétention estimé en Estrie, du premier mois à 60\u00a0mois\u00a0: "
        "80\u00a0% à 12\u00a0mois et 63\u00a0% à 60\u00a0mois. "
        "Au-delà de 24\u00a0mois, elle est en tirets\u00a0: seul ce qu’on entend dire l’y porte."
    )
    assert "vers la région métropolitaine et" in alt["exits"] and "11\u00a0%" in alt["exits"]
    assert "Montréal, environ 335 personnes" in alt["origins"]
    assert (
        "Date de naissance\u00a0: même jour, 16\u00a0000 fois plus probable que pour deux inconnus "
        "(45 fois plus pour deux membres d’un même ménage)"
    ) in alt["weights"]
    assert alt["weights"].endswith("Le plus faible\u00a0: Nom\u00a0: différent, 260 fois moins probable.")


def dashed(svg):
    """The paths in dashes, the curve's colour and width."""
    return [path for path in re.findall(r"<path [^>]*>", svg) if "stroke-dasharray" in path and "#123f6d" in path]


def test_what_hearsay_carries_is_dashed_with_a_key_rings_and_words(reports, tmp_path):
    drawing = DRAWN["curve"](reports["05"])
    for svg in (drawing.svg, drawing.narrow):
        assert len(dashed(svg)) == 2  # the curve, and the key
        assert ">porté par ce qu’on entend dire<" in svg
        assert svg.count("fill: #ffffff; stroke: #123f6d") >= 1  # the ring's own mark
    assert "En tirets" in drawing.caption
    folder = write_tables(tmp_path)
    curves = pd.read_parquet(folder / "curves.parquet")
    curves.loc[curves["known"].eq("hearsay"), "known"] = "insufficient"
    curves.to_parquet(folder / "curves.parquet")
    (report,) = open_reports(folder, ["05"])
    shorter = DRAWN["curve"](report)
    assert not dashed(shorter.svg) and "entend dire" not in shorter.svg + shorter.alt + shorter.caption
    assert "du premier mois à 24\u00a0mois" in shorter.alt


def test_the_figure_of_weights_names_every_level_of_every_trait_and_both_marks(reports):
    report = reports["05"]
    drawing = DRAWN["weights"](report)
    for svg in (drawing.svg, drawing.narrow):
        for trait, levels in report.weights.groupby("trait"):
            assert svg.count(f">{report.words.label('trait', trait)}<") == 1
            for level in levels["level"]:
                assert f">{report.words.label('level', f'{trait}.{level}')}<" in svg
        assert ">une même personne<" in svg and ">un même ménage<" in svg


@pytest.mark.parametrize("region", ["09", "10"])
@pytest.mark.parametrize("name", PAINTERS)
def test_there_is_no_figure_where_nothing_may_be_shown(reports, region, name):
    assert PAINTERS[name](reports[region]) is None
