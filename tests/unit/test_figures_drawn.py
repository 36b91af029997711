"""The figures of an analysis: what they say in letters and in words, and that they take protected tables only."""

import html
import re
from itertools import pairwise

import matplotlib
import pandas as pd
import pytest

import figure_tables as raw
from report_tables import opened
from service_tables import described
from trajectories.analysis.portrait import flow_matrix
from trajectories.disclosure import protect
from trajectories.exceptions import DisclosureError
from trajectories.report import figures
from trajectories.report.drawing import FOUR, READABLE, apart, broken, contrast, ink_on, shade, text_width
from trajectories.report.figures.curves import retention_curve
from trajectories.report.figures.maps import PLACES
from trajectories.report.words import NO_BREAK, words

W = words("fr")
SERVED = described({"05": 320, "province": 320})


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = raw.write_regions(tmp_path_factory.mktemp("regions"))
    (estrie, few, nobody, whole) = opened(folder, ["05", "09", "10", "province"])
    return {
        "estrie": estrie, "09": few, "10": nobody, "retention": whole.everywhere,
        "curves": protect(pd.read_parquet(folder / "curves.parquet")), "occupation": whole.more["occupation"],
        "limits": protect(raw.funnel(pd.read_parquet(folder / "retention.parquet"))),
    }  # fmt: skip


def differences(table, by=("immigration_category", "region")):
    return figures.differences(table, by=by, horizon=12, words=W, name="ecarts")


def served(name, group):
    return protect(SERVED[f"service_{name}"]).of(group)


PAINTERS = {
    "curve": lambda t: retention_curve(t["estrie"].curve, t["estrie"].retention, region="05", words=W),
    "exits": lambda t: figures.exits_by_destination(t["estrie"].exits, region="05", words=W),
    "origins": lambda t: figures.origins(t["estrie"].counts, region="05", words=W),
    "weights": lambda t: figures.match_weights(t["estrie"].weights, words=W),
    "shares": lambda t: figures.shares_by_destination(t["estrie"].exits, t["estrie"].retention, region="05", words=W),
    "regions": lambda t: figures.curves_of_regions(t["curves"], t["retention"], words=W),
    "tiles": lambda t: figures.tile_map(t["retention"], words=W),
    "flows": lambda t: figures.flow_figure(protect(raw.flows()), words=W),
    "states": lambda t: figures.states_by_type(protect(raw.states()), protect(raw.types()), words=W),
    "paths": lambda t: figures.paths_by_type(protect(raw.sequences()), protect(raw.types()), words=W),
    "funnel": lambda t: figures.funnel(t["limits"], t["retention"], words=W),
    "forest": lambda t: figures.forest(protect(raw.coefficients()), words=W),
    "differences": lambda t: differences(protect(raw.comparison())),
    "scale": lambda t: figures.rates_along_scale(protect(raw.scale()), region="05", words=W),
    "settings": lambda t: figures.rates_by_setting(protect(raw.panel()), words=W),
}  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tables):
    return {name: paint(tables) for name, paint in PAINTERS.items()}


def texts(svg):
    """The letters of a drawing, a line an item, in the order in which they are drawn, without no-break spaces."""
    found = re.findall(r"<text[^>]*>(.*?)</text>", svg, flags=re.DOTALL)
    lines = [re.sub(r"<[^>]+>", "\n", text) for text in found]
    return [
        html.unescape(line).replace(NO_BREAK, " ").strip()
        for text in lines
        for line in text.split("\n")
        if line.strip()
    ]


def plain(text):
    return text.replace(NO_BREAK, " ")


def says(text, *told):
    """Whoever hears a figure instead of seeing it is told these, in this order."""
    assert re.search(".*".join(map(re.escape, told)), plain(text)), text


@pytest.mark.parametrize("name", PAINTERS)
def test_a_drawing_is_text_and_lines_that_call_and_date_nothing(drawn, name):
    drawing = drawn[name]
    for svg in (drawing.svg, drawing.narrow):
        assert "<text" in svg and svg.startswith("<svg viewBox=")
        assert not re.search(r"https?:|<style|<metadata|<!--|dc:date|xmlns|DejaVu|\bnan\b|<image", svg)
    page = str(drawing.html())
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', page)) <= set(ids)
    assert page.count('role="img"') == page.count(f'aria-label="{drawing.alt}"') == 2
    assert f"<figcaption>{drawing.caption}</figcaption>" in page
    assert not re.search(r"[ ][%:»]|\{|\}", drawing.alt + drawing.caption)


@pytest.mark.parametrize("name", PAINTERS)
def test_letters_stay_inside_the_drawing(drawn, name):
    for svg in (drawn[name].svg, drawn[name].narrow):
        width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
        for x, y in re.findall(r"<text[^>]*?(?:translate\(|x=\")(-?[\d.]+)[ \"]+(?:y=\")?(-?[\d.]+)", svg):
            assert -1 <= float(x) <= width + 1, (name, x)
            assert 5 <= float(y) <= height + 1, (name, y)


@pytest.mark.thorough
def test_the_same_tables_give_the_same_drawing_and_leave_matplotlib_as_it_was(tables, drawn):
    before = dict(matplotlib.rcParams)
    for name in ("curve", "weights", "flows", "states", "tiles"):
        assert PAINTERS[name](tables) == drawn[name]
    assert dict(matplotlib.rcParams) == before


def dashed(svg):
    """The paths in dashes, the curve's colour and width."""
    return [path for path in re.findall(r"<path [^>]*>", svg) if "stroke-dasharray" in path and "#123f6d" in path]


def test_what_hearsay_carries_is_dashed_with_a_key_rings_and_words(tables, drawn):
    for svg in (drawn["curve"].svg, drawn["curve"].narrow):
        assert len(dashed(svg)) == 2  # the curve, and the key
        assert ">porté par ce qu’on entend dire<" in svg
        assert "fill: #ffffff; stroke: #123f6d" in svg  # the ring's own mark
    assert "En tirets" in drawn["curve"].caption
    curve = tables["estrie"].curve
    firm = type(curve)(curve.kind, curve.frame[curve.frame["known"].eq("observed")], curve.rules)
    shorter = retention_curve(firm, tables["estrie"].retention, region="05", words=W)
    assert not dashed(shorter.svg) and "entend dire" not in shorter.svg + shorter.alt + shorter.caption


def test_the_figure_of_weights_names_every_level_of_every_trait_and_both_marks(tables, drawn):
    for svg in (drawn["weights"].svg, drawn["weights"].narrow):
        for trait, levels in tables["estrie"].weights.groupby("trait"):
            assert svg.count(f">{W.label('trait', trait)}<") == 1
            for level in levels["level"]:
                assert f">{W.label('level', f'{trait}.{level}')}<" in svg
        assert ">une même personne<" in svg and ">un même ménage<" in svg


@pytest.mark.parametrize("region", ["09", "10"])
@pytest.mark.parametrize("name", ["curve", "exits", "origins"])
def test_there_is_no_figure_where_nothing_may_be_shown(tables, region, name):
    assert PAINTERS[name]({"estrie": tables[region]}) is None


def test_everyone_is_shared_out_between_those_there_and_the_destinations(drawn):
    said = texts(drawn["shares"].svg)
    assert said == [
        "0", "12", "60", "Mois depuis l’établissement", "0 %", "25 %", "50 %", "75 %", "100 %",
        "54 %", "Encore sur place", "25 %", "Région métropolitaine", "14 %", "Autre région", "7 %", "Hors du Québec",
    ]  # fmt: skip
    ends = [int(text.split()[0]) for text in said[9::2]]
    assert sum(ends) == 100
    says(drawn["shares"].alt, "À 12 mois", "74 %", "14 %", "région métropolitaine")
    says(drawn["shares"].caption, "24 mois")


def test_hidden_destinations_are_one_area(tables):
    exits = tables["estrie"].exits
    frame = exits.frame.copy()
    few = frame["cause"].ne("metropole")
    frame.loc[few, ["estimate", "lower", "upper"]] = float("nan")
    frame.loc[few, "shown"] = False
    hidden = type(exits)("rates", frame, exits.rules)
    drawing = figures.shares_by_destination(hidden, tables["estrie"].retention, region="05", words=W)
    assert "Autres" in texts(drawing.svg) or "Autres destinations" in texts(drawing.svg)
    assert "Autre région" not in texts(drawing.svg)
    frame[["estimate", "lower", "upper"]], frame["shown"] = float("nan"), False
    none = type(exits)("rates", frame, exits.rules)
    assert figures.shares_by_destination(none, tables["estrie"].retention, region="05", words=W) is None


def test_every_region_has_its_panel_and_says_why_it_has_no_curve(drawn):
    for svg in (drawn["regions"].svg, drawn["regions"].narrow):
        said = " ".join(texts(svg)).replace("- ", "-")
        for code in raw.PERSONS:
            assert W.region(code).replace("- ", "-") in said, code
        assert "Montréal" not in said and "Laval" not in said
        assert said.count("masqué") == 2  # Côte-Nord has 12 persons, Nord-du-Québec nobody
    says(drawn["regions"].alt, "67 %", "Outaouais", "88 %", "Capitale-Nationale")


def test_panels_of_one_group_and_of_one_without_follow_up(tables):
    one = figures.curves_of_regions(tables["curves"], tables["retention"], words=W, groups=["05", "99"])
    assert "suivi insuffisant" in texts(one.svg)
    nothing = type(tables["curves"])("curve", tables["curves"].frame.iloc[:0], tables["curves"].rules)
    assert figures.curves_of_regions(nothing, tables["retention"], words=W) is None


def test_the_map_has_a_tile_a_region_with_its_number_or_why_there_is_none(drawn, tables):
    assert sorted(PLACES) == [f"{code:02d}" for code in range(1, 18)]
    assert len(set(PLACES.values())) == 17
    rates = tables["retention"].frame
    rates = rates[rates["method"].eq("main") & rates["horizon"].eq(12) & rates["estimate"].notna()]
    shown = [f"{round(100 * rate)} %" for rate in rates[rates["group"].ne("province")]["estimate"]]
    wide, narrow = texts(drawn["tiles"].svg), texts(drawn["tiles"].narrow)
    assert len(shown) == 9
    for said in (wide, narrow):
        assert sorted(text for text in said if re.fullmatch(r"\d+ %", text)) == sorted(shown)
        assert said.count("masqué") == 2 and "de 48 % à 72 %" in said
    assert wide.count("métropolitaine") == 2 and narrow.count("région métropolitaine") == 2
    # six tiles outside the metropolitan region have no rate: hatched
    assert drawn["tiles"].svg.count("fill: url(#carte-w-") == 6
    says(drawn["tiles"].alt, "9 régions", "67 %", "Outaouais", "88 %", "Capitale-Nationale")


def test_the_matrix_of_flows_shows_rounded_numbers_and_dashes(drawn):
    said = texts(drawn["flows"].svg)
    assert said[:5] == ["Montréal", "Montérégie", "Laval", "Laurentides", "Lanaudière"]
    told = flow_matrix(protect(raw.flows()).frame, measure="persons_rounded")
    numbers = [int(text) for text in said if re.fullmatch(r"\d+", text)]
    assert sorted(numbers) == sorted(int(number) for number in told.to_numpy().ravel() if not pd.isna(number))
    assert said.count("–") == int(told.isna().to_numpy().sum()) > 0
    assert {number % 5 for number in numbers} == {0}
    says(drawn["flows"].alt, "Montréal", "Ville de Sherbrooke", "270 personnes")
    for name in ("Estrie, ailleurs", "Ville de Sherbrooke", "Bas-Saint-Laurent"):
        assert name in said
    assert figures.flow_figure(protect(raw.flows({"09": 12})), words=W) is None


def test_states_of_each_type_are_named_beside_their_areas(drawn):
    said = texts(drawn["states"].svg)
    for name in (
        "Reste sur place",
        "Retour rapide vers la métropole",
        "Part vers une autre région",
        "Quitte le Québec",
    ):
        assert name in said
    assert "environ 820 personnes (70 %)" in said
    assert said.count("Hors du Québec") == 2  # of those who return, and of those who leave Québec
    says(drawn["states"].alt, "Reste sur place", "60 mois", "94 %")
    few = {"stays": 25}
    assert figures.states_by_type(protect(raw.states(few)), protect(raw.types(few)), words=W) is None


def test_paths_are_drawn_where_enough_share_them(drawn):
    said = texts(drawn["paths"].svg)
    assert said.count("Autre région") == 2 and said.count("Région métropolitaine") == 1
    says(drawn["paths"].alt, "4 types", "Reste sur place", "61 mois", "Retour rapide", "6 mois", "55 mois")
    rare = raw.sequences().assign(n_persons=1)
    assert figures.paths_by_type(protect(rare), protect(raw.types()), words=W) is None


def test_two_types_of_one_rule_keep_two_names(tables):
    named = raw.types().assign(name=["stays", "onward_month_7", "onward_month_20", "leaves_quebec_2"])
    said = texts(figures.states_by_type(protect(raw.states()), protect(named), words=W).narrow)
    text = " ".join(said)
    assert "Part vers une autre région (vers le mois 7)" in text
    assert "Quitte le Québec (2)" in text


def test_the_funnel_names_only_who_lies_outside(drawn):
    said = texts(drawn["funnel"].svg)
    named = {W.region(code) for code in raw.PERSONS} & set(said)
    assert named == {"Outaouais", "Chaudière-Appalaches", "Estrie", "Capitale-Nationale"}
    assert "Ensemble : 80 %" in said and "Limites à 99,8 %" in said
    says(drawn["funnel"].alt, "99,8 %", "Outaouais (67 %)", "Estrie (74 %)", "Capitale-Nationale (88 %)")


def test_a_funnel_of_one_region_is_none(tables):
    limits = tables["limits"]
    one = type(limits)(limits.kind, limits.frame[limits.frame["group"].eq("05")], limits.rules)
    assert figures.funnel(one, tables["retention"], words=W) is None


def test_the_forest_says_ratios_limits_and_references(drawn):
    said = texts(drawn["forest"].svg)
    assert said.count("référence") == 4 and said.count("masqué") == 1
    for text in ("Moins de 10 000 habitants", "2,38 (1,88 à 3,01)", "Oui, jusqu’à 12 mois", "Oui, après 12 mois",
                 "0,62 (0,53 à 0,73)", "Économique"):  # fmt: skip
        assert text in said
    assert "2,4" not in " ".join(said)  # the ratio of the level of few
    assert "Une association, pas une cause." in drawn["forest"].caption
    says(drawn["forest"].alt, "8 rapports de risques")
    assert figures.forest(protect(raw.coefficients()), words=W, model="discrete") is None


def test_what_a_model_left_out_has_no_ratio(drawn):
    left = pd.DataFrame({
        "model": "cox", "term": ["sex", "period", None], "level": ["X", None, None], "hazard_ratio": float("nan"),
    })  # fmt: skip
    said = texts(figures.forest(protect(pd.concat([raw.coefficients(), left])), words=W).svg)
    assert said.count("trop peu de départs") == 1 and "Sexe" in said
    assert "Période d’établissement" not in said and "None" not in said and "nan" not in said


def test_what_a_level_is_called_is_escaped(tables):
    odd = raw.coefficients()
    odd.loc[0, "level"] = "<b>x & y</b>"
    drawing = figures.forest(protect(odd), words=W)
    assert "<b>" not in drawing.svg and "&lt;b&gt;x &amp; y&lt;/b&gt;" in drawing.svg
    page = str(drawing.html())
    assert "<b>" not in page


@pytest.mark.thorough
def test_a_long_forest_is_dealt_over_drawings_on_one_scale_that_each_fill_a_sheet():
    few = raw.coefficients()
    many = pd.concat([few.assign(term=few["term"].where(few["term"].ne("city_size"), f"trait_{n}")) for n in range(5)])
    many = many.drop_duplicates(["term", "level", "from_month"], ignore_index=True)
    drawings = figures.forests(protect(many), words=W)
    assert [drawing.name for drawing in drawings] == ["rapports", "rapports-2"]
    whole = texts(figures.forest(protect(many), words=W).svg)
    parts = [texts(drawing.svg) for drawing in drawings]
    assert sum(told.count("référence") for told in parts) == whole.count("référence") == 8
    assert {"0,5", "1", "2"} & set(parts[0]) == {"0,5", "1", "2"} & set(parts[1]) == {"0,5", "1", "2"}
    assert len({drawing.alt for drawing in drawings}) == len({str(drawing.numbers) for drawing in drawings}) == 2
    assert [one.name for one in figures.forests(protect(few), words=W)] == ["rapports"]


def test_differences_stand_under_what_they_are_held_against(drawn):
    said = texts(drawn["differences"].svg)
    start = said.index("Catégorie d’immigration")
    assert said[start : start + 9] == [
        "Catégorie d’immigration", "Économique", "référence", "Réfugiée", "−8 (−12 à −4)", "Études", "masqué",
        "Regroupement familial", "masqué",
    ]  # fmt: skip
    assert "+3 (−1 à +7)" in said and "← moins restent" in said
    assert "+5" in said and "−10" in said  # the scale
    says(drawn["differences"].alt, "à 12 mois", "4 groupes", "Réfugiée, −8 (−12 à −4)")
    assert differences(protect(raw.comparison()), by=["period"]) is None


def test_the_scale_marks_the_study_and_tells_the_share_heard_of(drawn):
    said = texts(drawn["scale"].svg)
    assert said.count("étude") == 2 and said.count("à 12 mois") == 2 and said.count("80 %") >= 2
    assert "× 4" in said and "÷ 4" in said and "40 %" in said
    says(drawn["scale"].alt, "à 12 mois", "87 %", "73 %")


def test_a_horizon_may_be_told_along_one_scale_only():
    table = raw.scale()
    gone = table["assumption"].eq("odds_gone") & table["horizon"].eq(12)
    drawing = figures.rates_along_scale(protect(table[~gone]), region="05", words=W)
    assert {"à 24 mois, de", "à 12 mois, de"} <= set(re.findall(r"à \d+ mois, de", plain(drawing.alt)))


def test_settings_are_dots_about_the_study(drawn):
    said = texts(drawn["settings"].svg)
    assert "étude : 80 %" in said
    for text in (
        "RMR de Montréal, limites de 2016",
        "92 jours",
        "Probabilité d’au moins 0,999",
        "Tirage 1",
        "3, 6 mois",
    ):
        assert text in said
    says(drawn["settings"].alt, "71 %", "87 %")


RAW = {
    "curve": lambda t: retention_curve(pd.DataFrame(), t["retention"], region="05", words=W),
    "exits": lambda t: figures.exits_by_destination(pd.DataFrame(), region="05", words=W),
    "origins": lambda t: figures.origins(pd.DataFrame(), region="05", words=W),
    "shares": lambda t: figures.shares_by_destination(pd.DataFrame(), t["retention"], region="05", words=W),
    "regions": lambda t: figures.curves_of_regions(pd.DataFrame(), t["retention"], words=W),
    "tiles": lambda t: figures.tile_map(pd.DataFrame(), words=W),
    "flows": lambda t: figures.flow_figure(raw.flows(), words=W),
    "states": lambda t: figures.states_by_type(raw.states(), protect(raw.types()), words=W),
    "types": lambda t: figures.states_by_type(protect(raw.states()), raw.types(), words=W),
    "paths": lambda t: figures.paths_by_type(raw.sequences(), protect(raw.types()), words=W),
    "funnel": lambda t: figures.funnel(t["limits"].frame, t["retention"], words=W),
    "forest": lambda t: figures.forest(raw.coefficients(), words=W),
    "differences": lambda t: differences(raw.comparison()),
    "scale": lambda t: figures.rates_along_scale(raw.scale(), region="05", words=W),
    "settings": lambda t: figures.rates_by_setting(raw.panel(), words=W),
}


@pytest.mark.parametrize("name", RAW)
def test_a_figure_refuses_a_table_that_was_not_protected(tables, name):
    with pytest.raises(DisclosureError, match="protected tables only, and was given a DataFrame"):
        RAW[name](tables)


def test_fills_stay_apart_in_grey_and_letters_can_be_read_on_them():
    lightness = [contrast(fill, "#000000") for fill in FOUR]
    assert all(after / before >= 1.6 for before, after in pairwise(lightness)), lightness
    worst = min(contrast(ink_on(fill), fill) for fill in (*FOUR, *(shade(k / 50) for k in range(51))))
    print(f"smallest contrast of letters on a fill: {worst:.2f}")
    assert worst >= READABLE


def test_labels_are_pushed_apart_and_keep_their_order():
    places = apart([0.5, 0.1, 0.52, 0.11], 0.1)
    assert places[0] < places[2] and places[1] < places[3]
    assert min(abs(a - b) for i, a in enumerate(places) for b in places[:i]) >= 0.1 - 1e-12
    assert list(apart([0.0, 1.0], 0.1)) == [0.0, 1.0]
    assert apart([0.2, 0.96, 0.98, 0.99], 0.1, 1.0) == pytest.approx([0.2, 0.8, 0.9, 1.0])


def test_the_shares_of_few_who_left_are_named_within_the_drawing(tables):
    exits, retention = tables["estrie"].exits, tables["estrie"].retention
    left, stay = exits.frame.copy(), retention.frame.copy()
    left["estimate"] = left["cause"].map({"metropole": 0.03, "other_region": 0.02, "outside_quebec": 0.02})
    stay.loc[stay["method"].eq("main"), "estimate"] = 0.93
    left["shown"] = stay["shown"] = True
    few = [type(exits)("rates", frame, exits.rules) for frame in (left, stay)]
    drawing = figures.shares_by_destination(*few, region="05", words=W)
    for svg in (drawing.svg, drawing.narrow):
        tops = [float(y) for y in re.findall(r'<tspan[^>]*? y="(-?[\d.]+)"', svg)] or [
            float(y) for y in re.findall(r"translate\([\d.]+ (-?[\d.]+)\)", svg)
        ]
        print(sorted(tops)[:4])
        assert min(tops) > 8  # the foot of the uppermost line


@pytest.mark.parametrize("name", [W.region(code) for code in PLACES])
def test_a_broken_name_loses_no_letter_and_fits(name):
    lines = broken(name, 86, 10.5).split("\n")
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", name)
    assert max(text_width(line, 10.5) for line in lines) <= 100
