"""What a notebook shows of a result: escaped tables, figures on Axes, nothing changed; the band on all that is not
protected."""

import dataclasses
import importlib
import pkgutil

import matplotlib
import numpy as np
import pandas as pd
import pytest

import figure_tables
import trajectories
from trajectories import display, survival
from trajectories.analysis.models import Models
from trajectories.analysis.typology import Typology
from trajectories.disclosure import Protected, protect
from trajectories.display import _TABLES
from trajectories.report.notebook_tables import MOST_ROWS, band_text, picture, table_html
from trajectories.report.words import NO_BREAK, words
from trajectories.simulate import told_stays

matplotlib.use("Agg")
NASTY = "<b>&"


@pytest.fixture(autouse=True)
def closed():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def persons():
    rng, n = np.random.default_rng(3), 200
    time = np.ceil(rng.exponential(20, n))
    cause = rng.integers(0, 3, n)
    return pd.DataFrame({
        "time": time, "cause": cause, "event": (cause > 0).astype(int), "group": rng.choice([NASTY, "b"], n),
        NASTY: rng.normal(size=n), "lower": time - 1, "upper": np.where(cause > 0, time, np.inf),
    })  # fmt: skip


@pytest.fixture(scope="module")
def deposits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    (folder / "EST01_2023-2024_T2_2023-10-30.csv").write_text(
        "No dossier;Prenom;Nom;Date de naissance;Municipalite de residence;Service;Date du service\n"
        "E-1;Ana;Silva;1990-03-04;Montreal;Accueil;2023-07-05\n"
        "E-1;Ana;Silva;1990-03-04;Sherbrook;Accueil;2023-08-05\n"
        "Total;1;;;;;\n"
    )
    return trajectories.read_deposits(folder)


@pytest.fixture(scope="module")
def results(persons, deposits):
    """One of each class of `display.RESULTS`, by its name."""
    told = told_stays(300, 1)
    states = np.where(np.sort(np.random.default_rng(1).random((40, 4)), axis=1) > 0.6, NASTY, "metropole")
    linked = trajectories.link_persons(deposits.records, key=b"k" * 32)
    residences = trajectories.build_spells(deposits.records, linked)
    drawn = trajectories.build_cohort(residences, deposits.records, linked)
    types = pd.DataFrame({
        "type": [1, 2], "name": ["stays", NASTY], "n_persons": [40, 30], "share": [0.6, 0.4], "lower": [0.5, 0.3],
        "upper": [0.7, 0.5], "representative": ["region 36", NASTY], "silhouette": [0.9, 0.8], "recovered": [1.0, 0.9],
    })  # fmt: skip
    none = pd.DataFrame()
    coefficients = figure_tables.coefficients().assign(model="cox")
    fits = pd.DataFrame({"model": ["cox"], "n_stays": [300], "note": [NASTY]})
    made = [
        survival.logrank_test(persons["time"], persons["event"], persons["group"]),
        survival.cox(persons, time="time", event="event", covariates=[NASTY]),
        survival.fine_gray(persons, time="time", cause="cause", cause_of_interest=1, covariates=[NASTY]),
        survival.discrete_hazard(persons, stop="time", event="event", covariates=[NASTY]),
        survival.mixture_cure(persons["lower"], persons["upper"]),
        survival.interval_incidence(persons["lower"], persons["upper"], persons["cause"]),
        survival.observed_incidence(**told.arguments()),
        survival.panel_markov(
            np.repeat(np.arange(40), 4), [0, 1, 2, 3] * 40, states.ravel(), [("metropole", NASTY), (NASTY, "metropole")]
        ),
        deposits,
        residences,
        drawn,
        Typology(types, *[none] * 8),
        Models(coefficients, none, fits),
        trajectories.pipeline.Tables(*[none] * 15),
    ]
    return {type(one).__name__: one for one in made}


def frames_of(result):
    return {
        field.name: getattr(result, field.name).copy()
        for field in dataclasses.fields(result)
        if isinstance(getattr(result, field.name), pd.DataFrame)
    }


NAMES = sorted(name.rpartition(".")[2] for name in display.RESULTS)
DRAWN = sorted(set(NAMES) - {"Tables"})


def test_every_class_that_prints_itself_bears_the_band_or_is_protected():
    found = set()
    for module in pkgutil.walk_packages(trajectories.__path__, "trajectories."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and vars(value).get("_repr_html_") is display.as_html:
                found.add(f"{value.__module__}.{value.__qualname__}")
    assert found == {*display.RESULTS, "trajectories.disclosure.tables.Protected"}
    assert set(display.RESULTS) < set(_TABLES)


@pytest.mark.parametrize("name", NAMES)
def test_a_result_prints_escaped_tables_and_is_left_as_it_was(results, name):
    result = results[name]
    before = frames_of(result)
    page = result._repr_html_()
    assert words("fr").label("result", name) in page and "<th scope=" in page
    assert NASTY not in page and ">nan<" not in page
    if name in (
        "TestResult",
        "CoxFit",
        "FineGrayFit",
        "DiscreteFit",
        "PanelFit",
        "Typology",
        "Models",
    ):
        assert "&lt;b&gt;&amp;" in page
    for field, frame in before.items():
        pd.testing.assert_frame_equal(frame, getattr(result, field))


@pytest.mark.parametrize("name", DRAWN)
def test_a_result_draws_itself_on_axes_and_is_left_as_it_was(results, name):
    import matplotlib.pyplot as plt

    result = results[name]
    before = frames_of(result)
    axes = result.plot()
    assert isinstance(axes, matplotlib.axes.Axes) and axes.get_xlabel()
    assert axes.lines or axes.patches
    _, mine = plt.subplots()
    assert result.plot(ax=mine) is mine
    for field, frame in before.items():
        pd.testing.assert_frame_equal(frame, getattr(result, field))


@pytest.mark.parametrize("name", NAMES)
def test_the_frame_of_a_result_is_a_copy_of_its_main_table(results, name):
    result = results[name]
    main = getattr(result, display.RESULTS[f"{type(result).__module__}.{name}"])
    frame = display.to_frame(result)
    pd.testing.assert_frame_equal(frame, main)
    frame["new"] = 1
    assert "new" not in main


# ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_numbers_are_rounded_alike_and_small_ones_are_not_told_as_nothing():
    table = pd.DataFrame({
        "p_value": [0.0, 0.04, 0.5], "share": [0.25, 0.00001, -0.00001], "whole": [1234.0, np.nan, np.inf],
        "word": ["a", None, "c"],
    })  # fmt: skip
    page = str(table_html(table, words("fr"))).replace(NO_BREAK, " ")
    for told in ("&lt; 0,001", "0,040", "0,500", "0,250", "&gt; −0,001", "1 234", "∞"):
        assert f">{told}<" in page, told
    assert page.count(">–<") == 2


def test_a_long_table_is_cut_and_says_so():
    page = str(table_html(pd.DataFrame({"a": range(MOST_ROWS + 7)}), words("fr")))
    assert page.count("<tr>") == MOST_ROWS + 1
    assert "7 autres lignes ne sont pas montrées" in page.replace(NO_BREAK, " ")
    assert "autre" not in str(table_html(pd.DataFrame({"a": range(MOST_ROWS)}), words("fr")))


# ── figures of tables ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_curve_is_a_step_from_one_with_its_limits_and_those_at_risk(persons):
    curve = survival.kaplan_meier(persons["time"], persons["event"])
    before = curve.copy()
    axes = trajectories.plot(curve)
    (line,) = axes.lines
    x, y = line.get_data()
    assert line.get_drawstyle() == "steps-post" and (x[0], y[0]) == (0, 1)
    assert y[-1] == curve["survival"].iloc[-1] and axes.get_ylim() == (0, 1)
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(curve["lower"].min())
    assert axes.get_xticklabels()[0].get_text() == "0\n200"
    pd.testing.assert_frame_equal(curve, before)


def test_groups_and_causes_have_a_line_each_and_too_many_are_refused(persons):
    by_group = survival.kaplan_meier(persons["time"], persons["event"], group=persons["group"])
    assert [line.get_label() for line in trajectories.plot(by_group).lines] == [NASTY, "b"]
    causes = trajectories.plot(survival.cumulative_incidence(persons["time"], persons["cause"]))
    assert len(causes.lines) == 2 and all(line.get_ydata()[0] == 0 for line in causes.lines)
    many = pd.concat([by_group.assign(group=str(k)) for k in range(7)])
    with pytest.raises(ValueError, match=r"7 lines \(group\) are too many"):
        trajectories.plot(many)


def test_what_hearsay_carries_is_dashed_and_what_nothing_carries_is_not_drawn():
    months = np.arange(6)
    known = ["observed"] * 3 + ["hearsay"] * 2 + ["insufficient"]
    axes = trajectories.plot(pd.DataFrame({"month": months, "survival": 1 - months / 10, "known": known}))
    firm, heard = axes.lines
    assert list(firm.get_xdata()) == [0, 1, 2] and firm.get_linestyle() == "-"
    assert list(heard.get_xdata()) == [2, 3, 4] and heard.get_linestyle() == "--"


def test_rates_stand_at_their_horizons_the_main_method_only():
    rates = pd.DataFrame({
        "group": "province", "horizon": [12, 24, 12, 24, 12, 24],
        "method": np.repeat(["main", "all_lost_left", "all_lost_stayed"], 2),
        "estimate": [0.8, 0.7, 0.6, 0.5, 0.9, 0.8], "lower": [0.7, 0.6, *[np.nan] * 4],
        "upper": [0.9, 0.8, *[np.nan] * 4],
    })  # fmt: skip
    axes = trajectories.plot(rates)
    (line,) = axes.lines
    assert list(line.get_xdata()) == [12, 24] and list(line.get_ydata()) == [0.8, 0.7]
    assert "Bornes" in " ".join(axes.get_legend_handles_labels()[1])


def test_states_add_up_and_one_type_is_drawn_at_a_time():
    states = figure_tables.states()
    with pytest.raises(ValueError, match="choose one first"):
        trajectories.plot(states)
    one = states[states["type"].eq(states["type"].iloc[0])]
    assert len(trajectories.plot(one).collections) == one["state"].nunique()


def test_what_has_no_figure_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="no figure is drawn of a table with the columns a: curves have"):
        trajectories.plot(pd.DataFrame({"a": [1]}))
    with pytest.raises(ValueError, match="no figure is drawn of a int"):
        trajectories.plot(3)


# ── what is protected ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def protected():
    rates = pd.DataFrame({
        "group": "province", "horizon": [12, 24], "method": "main", "estimate": [0.8, 0.7], "lower": [0.75, 0.65],
        "upper": [0.85, 0.75], "n_start": 4000, "n_at_risk": [3000, 2000],
    })  # fmt: skip
    return protect(rates)


def test_a_protected_table_prints_without_band_draws_and_is_written(protected, tmp_path):
    assert isinstance(protected, Protected)
    page = protected._repr_html_()
    assert "Table protégée" in page and band_text() not in page and "<td>0,80</td>" not in page
    assert "0,8" in page and "method" in page
    frame = protected.to_frame()
    pd.testing.assert_frame_equal(frame, protected.frame)
    frame["estimate"] = 0
    assert protected.frame["estimate"].ne(0).all()
    path = tmp_path / "told.csv"
    protected.to_csv(path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert list(pd.read_csv(path)["estimate"]) == [0.8, 0.7]


def test_groups_are_named_in_a_legend_and_the_alternative_text_says_the_title_of_the_whole_figure():
    groups = ["province", "05", "household_type=with_children", "french=none", "mine=yes"]
    rates = pd.DataFrame({"group": groups, "horizon": 12, "estimate": 0.8, "lower": 0.7, "upper": 0.9})
    axes = trajectories.plot(rates)
    told = [text.get_text().replace(NO_BREAK, " ") for text in axes.get_legend().get_texts()]
    assert told[1] == "Estrie" and told[2] == "Type de ménage : Avec au moins un enfant" and told[4] == "mine=yes"
    assert told[3] == "Français : Aucun"
    axes.set_title("Panneau")
    axes.figure.suptitle("Tout")
    assert f'alt="{band_text()}. Tout. Panneau"' in picture(axes.figure)[1]


def test_of_a_table_without_rows_no_figure_is_drawn_and_a_sentence_says_so():
    with pytest.raises(ValueError, match="table without rows"):
        trajectories.plot(pd.DataFrame({"group": [], "horizon": [], "estimate": [], "lower": [], "upper": []}))


def test_a_wide_header_may_break_after_its_underscores_and_one_group_is_told_above(protected):
    page = protected._repr_html_()
    assert "n_<wbr>at_<wbr>risk_<wbr>rounded" in page and "<td>province" not in page and ">province</th>" not in page
    assert "group : province" in page.replace(NO_BREAK, " ")


def test_a_figure_has_the_band_whatever_it_is_drawn_of_unless_it_is_switched_off(protected):
    axes = protected.plot()
    axes.set_title("Rétention")
    plain, html = picture(axes.figure)
    assert plain.startswith(band_text()) and f'alt="{band_text()}. Rétention"' in html
    plain, html = picture(axes.figure, band=False)
    assert band_text() not in plain + html and 'alt="Rétention"' in html


def test_the_band_stands_clear_of_a_title_above_the_figure(protected):
    axes = trajectories.plot(protected.frame)
    axes.set_title("Rétention", pad=60)
    drawn = []
    text = axes.figure.text
    axes.figure.text = lambda x, y, *rest, **style: drawn.append(y) or text(x, y, *rest, **style)
    picture(axes.figure)
    title = axes.title.get_window_extent()
    assert drawn[0] * axes.figure.bbox.height > title.y1


def test_no_figure_is_drawn_of_other_protected_tables():
    with pytest.raises(ValueError, match="no figure is drawn of a protected table of types"):
        protect(figure_tables.types()).plot()
