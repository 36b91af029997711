"""Pages: what each kind of region says, what is escaped, what a page refuses to hold."""

import dataclasses
import itertools
import json
import re

import nbformat
import numpy as np
import pandas as pd
import pytest

import figure_tables
from page_reading import Reader, header_of, notebook, rows_of, text_of
from report_tables import opened, write_tables
from trajectories.analysis.comparison import shrunken
from trajectories.disclosure import protect
from trajectories.exceptions import NotebookError, StaleTableError
from trajectories.report import html, open_report, sections
from trajectories.report.annex import annex
from trajectories.report.inputs import open_reports
from trajectories.report.markup import Fragment, Markup, element, html_table
from trajectories.report.sections import headline, leads, quality, services, whole

BRIEF = [
    sections.opening, headline.in_brief, leads.to_do, sections.how_long, sections.who_came, sections.where_to,
    services.service_path, quality.trust,
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tables(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def reports(folder):
    regions = ["05", "03", "09", "10", "14", "06", "province"]
    return {report.region: report for report in opened(folder, regions)}


MADE = {}


def page(report):
    """The page of a report, made once: most tests look at the same four."""
    if id(report) not in MADE:
        MADE[id(report)] = report, page_anew(report)  # with the report, so that no other takes its address
    return MADE[id(report)][1]


def page_anew(report, *, extra=()):
    parts = [*BRIEF, whole.beside] if report.region == "province" else BRIEF
    shown = notebook(*(part(report) for part in parts), extra=extra)
    return html.page(shown, region=report.region, language="fr", run=report.run)


@pytest.fixture(scope="module")
def annexed(reports):
    """The annex of all the reports."""
    whole_first = sorted(reports.values(), key=lambda report: report.region != "province")
    return annex(whole_first, run=whole_first[0].run)


def of_region(text, region):
    """What the annex says of one region."""
    start = text.index(f'<details id="region-{region}"')
    return text[start : text.index("</details>", start)]


GROUP = "Est & « Nord »"


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """The reports of a group, and of its two regions."""
    folder = tmp_path_factory.mktemp("grouped")
    tables = write_tables(folder, {"05": 640, "03": 210, GROUP: 850}, groups={GROUP: ["03", "05"]})
    return opened(tables, [GROUP, "03", "05"])


def test_a_group_of_regions_has_a_page_of_its_own(grouped):
    report, *regions = grouped
    text = page(report)
    assert "Groupe de régions : Capitale-Nationale et Estrie" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert f"dans le groupe « {GROUP}" not in text  # escaped
    assert "dans le groupe" in text
    counts = report.counts.frame
    left = "table == 'exit' and key == 'metropole'"
    told = pd.concat(one.counts.frame for one in regions).query(left)["persons_rounded"].sum()
    assert counts.query(left)["persons_rounded"].item() == told


def test_a_large_region_says_its_estimate_with_limits_and_the_flag(reports):
    text = text_of(page(reports["05"]))
    assert "Estrie" in text and "Région administrative 05" in text
    assert (
        "Part estimée des personnes suivies par le PASI qui demeurent encore en Estrie, sans interruption, "
        "12\u00a0mois après leur établissement. Limites à 95\u00a0%\u00a0: de 75\u00a0% à 85\u00a0%."
    ) in text
    for said in ("Données synthétiques", "31\u00a0décembre 2025", "0.1.0"):
        assert said in text


def test_the_annex_says_once_what_is_not_retention_and_how_the_run_was_set(annexed):
    text = text_of(annexed)
    for said in ("Données synthétiques", "RMR-2021", "taux de présence", "solde migratoire", "BDIM",
                 "n’est pas le formulaire officiel"):  # fmt: skip
        assert said in text


def test_the_estimate_says_whose_reporting_it_rests_on_and_how_far_it_could_be(reports):
    own, borrowed = (text_of(page(reports[region])) for region in ("05", "03"))
    assert "Sous d’autres hypothèses, le taux irait de 77\u00a0% à 82\u00a0%." in own
    # 210 persons: at least five on each side
    assert "Sous d’autres hypothèses, le taux irait de 77\u00a0% à 83\u00a0%." in borrowed
    said = "la façon dont les départs se font connaître est celle de l’ensemble du Québec"
    assert said in borrowed and said not in own


@pytest.mark.thorough
def test_each_horizon_has_its_range_and_says_what_carries_it(reports, tmp_path):
    text = page(reports["05"])
    rows = rows_of(text, "Taux de rétention estimé en Estrie")
    assert rows["24\u00a0mois"] == ["70\u00a0% 64\u00a0% – 77\u00a0%", "65\u00a0% – 74\u00a0%", "225"]
    assert rows["36\u00a0mois †"][1] == "60\u00a0% – 70\u00a0%"
    assert text.count("† Porté par ce qu’on entend dire\u00a0: trop peu de personnes") >= 1
    folder = write_tables(tmp_path, {"05": 640})
    rates = pd.read_parquet(folder / "retention.parquet")
    rates.loc[rates["method"].eq("main") & rates["horizon"].gt(24), ["estimate", "known"]] = [np.nan, "insufficient"]
    rates.to_parquet(folder / "retention.parquet")
    text = page(open_report(folder, "05"))
    rows = rows_of(text, "Taux de rétention estimé en Estrie")
    assert rows["36\u00a0mois"] == ["suivi insuffisant", "–", "–"]
    # where nothing carries the estimate, no other reading stands in its place
    beside = str(sections.readings(open_report(folder, "05")))
    assert list(rows_of(beside, "Lectures plus simples, en Estrie"))[-1] == "24\u00a0mois"


@pytest.mark.thorough
def test_only_readings_that_exist_have_a_column(reports, annexed):
    informed = {
        "05": ["Avec les services", "Selon les signalements de l’ensemble du Québec"],
        "03": ["Avec les services", "Selon les seuls signalements de la région"],
        "province": ["Avec les services"],
    }
    for region, names in informed.items():
        text = str(sections.bounds(reports[region]) + sections.readings(reports[region]))
        if region != "province":
            assert text in annexed
        assert header_of(text, "Le même calcul, renseigné autrement") == ["Durée", *names]
        assert header_of(text, "Bornes du taux") == [
            "Durée",
            "Borne basse\u00a0: toutes parties",
            "Borne haute\u00a0: toutes restées",
        ]
        assert header_of(text, "Lectures plus simples")[1] == "Calcul simple, sans correction"


@pytest.mark.thorough
def test_bounds_stand_alone_where_the_follow_up_is_insufficient(tmp_path):
    folder = write_tables(tmp_path, {"05": 640})
    rates = pd.read_parquet(folder / "retention.parquet")
    rates.loc[rates["method"].eq("main"), ["estimate", "known"]] = [np.nan, "insufficient"]
    rates.to_parquet(folder / "retention.parquet")
    text = page(open_report(folder, "05"))
    assert "insuffisant pour estimer un taux de rétention" in text_of(text)
    assert rows_of(text, "Bornes du taux")["12\u00a0mois"] == ["68\u00a0%", "85\u00a0%"]
    assert "Autres lectures" not in text and 'id="courbe"' not in text and "n’ont été appris" not in text


def test_departures_never_heard_of_are_told_and_a_region_warns_where_services_disagree(reports, annexed):
    assert "environ 15\u00a0% des départs n’ont été appris par aucun organisme" in text_of(annexed)
    told = {region: text_of(page(reports[region])) for region in ("05", "03", "09", "10", "province")}
    assert [region for region, text in told.items() if "À lire avec prudence." in text] == ["03"]


def test_a_small_region_and_an_empty_one_say_so_and_show_no_figure(reports):
    small, nobody = page(reports["09"]), page(reports["10"])
    assert "sur la Côte-Nord sont trop peu nombreuses pour qu’un taux soit publié" in text_of(small)
    assert "Aucun établissement dans le Nord-du-Québec n’est observé" in text_of(nobody)
    for text in (small, nobody):
        assert "<svg" not in text and "nan" not in text_of(text).lower() and "None" not in text_of(text)
        assert re.findall(r"<section[^>]*>\s*<h2[^>]*>[^<]*</h2>\s*</section>", text) == []
        # one paragraph, why, and whom to ask
        assert re.findall(r'id="s-([\w-]+)"', text) == ["en-bref"]


def test_regions_inside_or_cut_by_the_perimeter_say_so(reports):
    assert "entièrement comprise dans la région métropolitaine" in text_of(page(reports["06"]))
    assert "hors du périmètre RMR-2021" in text_of(page(reports["14"]))


def test_the_province_shows_every_region_beside_the_others(reports):
    text = text_of(page(reports["province"]))
    assert "Ensemble des régions" in text and "Gaspésie–Îles-de-la-Madeleine" in text
    assert "masqué" in text


def test_the_annex_says_who_is_who_which_source_wins_and_what_the_threshold_changes(annexed):
    quality_ = annexed[annexed.index('id="s-qualite"') : annexed.index('id="s-ailleurs"')]
    assert re.findall(r"<h3>([^<]+)</h3>", quality_) == [
        "Reconnaître une même personne", "Sources en désaccord", "Si l’on reliait plus ou moins de dossiers",
    ]  # fmt: skip
    assert 'id="poids"' in quality_
    text = text_of(quality_)
    assert "Trois organismes ou plus 215" in re.sub(r"\s+", " ", text)
    assert "il les connaît comme deux personnes" in text
    assert "ce n’est pas un retour" in text
    # 640 persons: three in a hundred are nineteen persons, two classes of ten
    assert (
        "À 12\u00a0mois, ces calculs s’écartent du taux publié de l’équivalent de 20 personnes au plus\u00a0: "
        "il reste entre 76\u00a0% et 84\u00a0%."
    ) in text_of(of_region(annexed, "05"))


def test_small_counts_of_decisions_are_masked_and_no_rate_of_another_threshold_is_told(annexed):
    quality_ = annexed[annexed.index('id="s-qualite"') : annexed.index('id="s-ailleurs"')]
    cells = dict(re.findall(r'<th scope="row"><span>([^<]+)</span></th><td>([^<]+)</td>', quality_))
    assert cells["Refusées\u00a0: deux personnes"] == "masqué"
    assert cells["Non reliées, à relire par quelqu’un"] == "195"
    seen = [number for name, number in cells.items() if name.startswith("La personne est vue sur place")]
    assert seen == ["masqué"]
    for region in ("09", "10"):
        assert f'id="region-{region}"' not in annexed


def test_the_weights_of_the_figure_stand_in_a_table_too(reports, annexed):
    table = annexed[annexed.index('<details id="nombres-poids">') :]
    table = table[: table.index("</details>")]
    assert table.count('<th scope="row">') == len(reports["province"].weights)
    assert table[table.index("Nom\u00a0: identique</th><td>") :].split("<td>")[1].startswith("×")
    assert table[table.index("Date de naissance\u00a0: différente</th><td>") :].split("<td>")[1].startswith("÷")


@pytest.mark.thorough
def test_scope_any_region_does_not_call_another_region_an_exit(tmp_path):
    (report,) = opened(write_tables(tmp_path, scope="any_region"), ["05"])
    text = page(report)
    assert "se sont établies en Estrie et demeurent encore en région" in text_of(text)
    assert "Autre région" not in text[text.index('id="s-departs"') : text.index("Départs connus")]


def test_one_sentence_tells_the_range_over_settings_without_the_bounds(reports):
    def settings_of(table):
        report = reports["province"]
        return sections.range_over_settings(dataclasses.replace(report, more={**report.more, "panel": protect(table)}))

    panel = figure_tables.panel()
    said = settings_of(panel)
    assert said.replace("\N{NO-BREAK SPACE}", " ") == (
        "<p>À 12 mois, d’un réglage à l’autre, le taux irait de 79 % à 87 % (étude : 80 %), bornes non comprises.</p>"
    )
    near = panel[panel["setting"].isin(["study", "lost", "grace_days", "follow_up", "origin"])]
    near = near.assign(estimate=near["estimate"].where(near["setting"].eq("lost"), 0.8))
    told = settings_of(near).replace("\N{NO-BREAK SPACE}", " ")
    assert "le taux resterait à 80 %, à moins de 1 % près" in told
    assert settings_of(panel[panel["setting"].isin(["study", "lost", "scope", "origin"])]) is None
    assert settings_of(panel[panel["setting"].ne("study")]) is None


@pytest.mark.parametrize("region", ["05", "09", "province"])
def test_a_page_is_one_accessible_file(reports, region):
    text = page(reports[region])
    tags = Reader(text).tags
    assert text.startswith('<!DOCTYPE html>\n<html lang="fr-CA">')
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:" in text.replace("&#39;", "'")
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert text.count("<table") == text.count("<caption>")
    assert all("scope" in attrs for tag, attrs in tags if tag == "th")
    assert ("a", {"class": "skip", "href": "#contenu"}) in tags
    assert not {"script", "link", "iframe", "img"} & {tag for tag, _ in tags}
    assert "secret" not in text and "In [" not in text


def test_the_same_page_twice_is_the_same_bytes(reports):
    assert page_anew(reports["05"]) == page(reports["05"])


def test_everything_that_is_not_markup_is_escaped():
    assert element("p", '<b> & "x"') == Markup("<p>&lt;b&gt; &amp; &#34;x&#34;</p>")
    table = html_table("<i>", ["a<", "b"], [["<script>", "1"]], note="<x>")
    assert "<script>" not in table and "<i>" not in table and "<x>" not in table


def test_only_our_fragments_reach_a_page(reports):
    stray = nbformat.v4.new_code_cell(
        "print(1)",
        outputs=[
            nbformat.v4.new_output("stream", name="stdout", text="bavardage"),
            nbformat.v4.new_output("stream", name="stderr", text="FutureWarning /home/moi/x.py"),
            nbformat.v4.new_output("display_data", data={"text/html": "<p>étranger</p>"}),
        ],
    )
    text = page_anew(reports["05"], extra=[stray, nbformat.v4.new_markdown_cell("# note interne")])
    assert not any(word in text for word in ("bavardage", "FutureWarning", "étranger", "note interne"))


def test_the_running_head_cannot_end_the_style_sheet(reports):
    text = page(dataclasses.replace(reports["05"], region="A</style><b>\\"))
    assert r'@top-left { content: "A\3c /style\3e \3c b\3e \5c  ·' in text


def test_a_failed_notebook_is_never_converted(reports):
    failed = nbformat.v4.new_code_cell(
        "1/0", outputs=[nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="x", traceback=["secret"])]
    )
    with pytest.raises(NotebookError, match=r"failed \(ZeroDivisionError\): a failed notebook is not converted"):
        page_anew(reports["05"], extra=[failed])


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("<img src='data:,'>", "an image without alternative text"),
        ("<script>1</script>", "a script"),
        ("<p onclick='x()'>", "a script"),
        ("<a href='https://example.org'>x</a>", "an address that would be called"),
        ("<p>Traceback (most recent call last)</p>", "a traceback"),
        ("<p>/home/someone/deposits</p>", "a path of the machine"),
    ],
)
def test_a_page_that_holds_what_none_may_is_refused(reports, inside, said):
    report = reports["05"]
    shown = notebook(sections.opening(report), Fragment(Markup(inside)))
    with pytest.raises(NotebookError, match=said):
        html.page(shown, region="05", language="fr", run=report.run)


def test_a_page_of_another_region_is_refused(reports):
    with pytest.raises(NotebookError, match="the page of 05 says it is of 09"):
        html.page(notebook(sections.opening(reports["09"])), region="05", language="fr", run=reports["05"].run)


def test_the_index_links_every_page_the_whole_first(reports):
    listed = [reports[code] for code in ("province", "05", "09", "10")]
    pages = {"province": "province.html", "05": "region-05.html"}
    text = html.index(listed, pages, language="fr", run=listed[0].run)
    # the map first, then by code
    assert re.findall(r'<a href="([^"#]+)"', text) == ["region-05.html", "province.html", "region-05.html"]
    tiles = text[text.index('<ul class="tiles"') : text.index("</ul>", text.index('<ul class="tiles"'))]
    assert tiles.count("<li") == 17 and tiles.count(">métropole<") == 2
    assert "masqué" in tiles and "grid-area: 5 / 4; background: #" in tiles  # Estrie, with its fill
    assert "masqué" in text and "aucun établissement observé" in text and "Données synthétiques" in text


def test_real_data_bears_no_banner(tmp_path):
    (report,) = opened(write_tables(tmp_path, synthetic=False), ["05"])
    text = page(report)
    assert "synthétiques" not in text


def test_a_missing_or_older_table_is_a_sentence(tmp_path, folder):
    with pytest.raises(StaleTableError, match=r"run\.json does not exist: run the analysis first"):
        open_report(tmp_path, "05")
    for name in folder.iterdir():
        (tmp_path / name.name).write_bytes(name.read_bytes())
    (tmp_path / "run.json").write_text(json.dumps({"perimeter": "CMM"}))
    with pytest.raises(StaleTableError, match="run the analysis again"):
        open_report(tmp_path, "05")
    (tmp_path / "run.json").write_bytes((folder / "run.json").read_bytes())
    (tmp_path / "counts.parquet").write_bytes(b"PAR1")
    with pytest.raises(StaleTableError, match="cannot be read"):
        open_report(tmp_path, "05")


def test_facts_of_a_run_without_its_targets_are_stale(tmp_path):
    folder = write_tables(tmp_path)
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del facts["targets"]
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(StaleTableError, match=r"lacks 'targets': run the analysis again"):
        open_report(folder, "05")
    (folder / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(StaleTableError, match=r"run\.json cannot be read: run the analysis again"):
        open_report(folder, "05")


def test_a_number_is_read_as_the_code_that_it_was(folder):
    assert open_report(folder, 5).region == "05"
    for number in (18, 5.5, True):
        with pytest.raises(ValueError, match=f"no region has the number {number}: give its code of two digits"):
            open_report(folder, number)
    with pytest.raises(TypeError, match="a region is text"):
        open_reports(folder, [5])


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The province's report, with regions that are compared, and drawn towards it."""
    few = {region: figure_tables.PERSONS[region] for region in ("01", "03", "05", "07", "09")}
    folder = figure_tables.write_regions(tmp_path_factory.mktemp("compared"), few)
    shrunken(pd.read_parquet(folder / "retention.parquet")).to_parquet(folder / "shrunken.parquet")
    table = figure_tables.comparison()
    table.to_parquet(folder / "comparison.parquet")
    (report,) = opened(folder, ["province"])
    return report


def plain(fragment):
    return str(fragment.html).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.thorough
def test_groups_are_compared_persons_alike_and_it_is_said_what_is_alike(compared):
    text = plain(whole.compared(compared))
    assert "comme si les personnes étaient semblables (âge, sexe et taille de la municipalité, sauf" in text
    assert "Catégorie d’immigration : écart avec « Économique »" in text
    row = re.search(r'<th scope="row">Réfugiée</th>(.*?)</tr>', text, re.S)[1]
    assert [re.sub(r"<.*?>", " ", cell).strip() for cell in re.findall(r"<td>(.*?)</td>", row)] == [
        "−11 de −15 à −7", "−8 de −12 à −4", "−8 de −12 à −4", "−0,8 de −1,2 à −0,4", "au moins 95 %",
    ]  # fmt: skip
    # regions: the difference as it stands is that of two rates told elsewhere
    row = re.search(r'<th scope="row">Estrie</th>(.*?)</tr>', text, re.S)[1]
    assert len(re.findall(r"<td>", row)) == 4
    assert whole.compared(open_reports_without(compared, "comparison")).kind == "empty"


def open_reports_without(report, name):
    return dataclasses.replace(report, more={key: table for key, table in report.more.items() if key != name})


@pytest.mark.thorough
def test_a_place_whose_rate_is_not_told_exactly_has_no_difference_from_the_province(compared):
    exact = compared.everywhere.frame
    exact = exact[exact["method"].eq("main") & exact["estimate"].notna() & exact["horizon"].eq(12)]
    told = compared.more["comparison"].frame
    told = told[told["by"].eq("region") & told["horizon"].eq(12) & told["shown"]]
    assert set(told["group"]) == {"05", "03"} & set(exact["group"])
    assert "unadjusted" not in set(told["method"])


@pytest.mark.thorough
def test_regions_stand_beside_what_they_are_drawn_to(compared):
    text = plain(whole.beside(compared))
    assert "Rapprochée de l’ensemble, à 12 mois" in text and "d’autant plus qu’il est incertain" in text
    drawn = compared.more["drawn"].frame.dropna(subset=["shrunken"])
    assert len(drawn) and drawn["estimate"].notna().all()
    without = plain(whole.beside(open_reports_without(compared, "drawn")))
    assert "Rapprochée" not in without


def test_a_page_says_that_comparisons_rest_on_households_drawn(folder):
    from dataclasses import replace

    from trajectories.report.run import Run
    from trajectories.report.sections.method import parameters
    from trajectories.report.words import NO_BREAK, words
    from trajectories.study import Disclosure

    run = Run.read(folder)
    said = [dict(parameters(words("fr"), replace(run, drawn_stays=drawn), Disclosure())) for drawn in (None, 100_000)]
    assert "Comparaisons et régressions" not in said[0]
    assert said[1]["Comparaisons et régressions"].replace(NO_BREAK, " ").startswith("sur au plus 100 000 séjours")
