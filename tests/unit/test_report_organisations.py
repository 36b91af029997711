"""The pages of the organisations: what they say, what they may not, where they stand; and the lights."""

import dataclasses
import itertools
import re

import pandas as pd
import pytest

from organisation_build import NAMES, build_of_organisations
from page_reading import Reader, rows_of, text_of
from trajectories import tables
from trajectories.analysis.quality import LEVELS, inputs, level_of, organisation_quality
from trajectories.cli import steps as cli_steps
from trajectories.deposits import read_deposits
from trajectories.groups import reported_groups
from trajectories.places import region_names
from trajectories.report import organisations
from trajectories.report.html import faults
from trajectories.report.leaks import Secrets, find_leaks, remarks, telling
from trajectories.report.organisations import INDEX, file_names, organisation_pages, write_organisation_pages
from trajectories.report.readings import light
from trajectories.report.words import LOCALES, NO_BREAK, words
from trajectories.study import Study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study whose deposits are full of defects, with a build as far as the pages need one."""
    return build_of_organisations(tmp_path_factory.mktemp("organisations"))


@pytest.fixture(scope="module")
def found(study):
    return organisation_quality(study.paths.derived, study)


@pytest.fixture(scope="module")
def pages(found):
    made, wrong = organisation_pages(found, synthetic=True)
    assert wrong == []
    return made


def plain(text):
    return text_of(text).replace(NO_BREAK, " ")


# ── what a page may not say ───────────────────────────────────────────────────────────────────────────────
def test_nobody_is_on_any_page(study, found, pages, tmp_path):
    for name, text in pages.items():
        # the day of a deposit stands in the name of its file, and may be anybody's birthday
        (tmp_path / name).write_text(re.sub(r"_20\d\d-\d\d-\d\d\.", ".", text), encoding="utf-8")
    secrets = dataclasses.replace(Secrets.of_build(study), typed=lambda: remarks(study))
    assert len(secrets.persons) > 50 and len(secrets.births) > 50 and len(secrets.typed()) > 5
    leaks = find_leaks(tmp_path, secrets)
    # its own code and name, and the columns of the contract, are what a page is about
    other = leaks[~leaks["kind"].isin(["organisation", "person_column"])]
    # « no_dossier (1) » says that the column is wrong once
    other = other[~other["kind"].eq("number") | other["value"].map(telling)]
    assert other.to_numpy().tolist() == []


def test_the_search_would_find_a_person_of_this_study(study, pages, tmp_path):
    records = tables.load(tables.RECORDS, study.paths.derived)
    given_name, family_name = records[["given_name", "family_name"]].dropna().iloc[0]
    number = next(n for n in records["file_number"].dropna() if len(n) > 6)
    text = pages[f"{INDEX}.html"].replace("</main>", f"<p>{given_name} {family_name}, dossier {number}</p></main>")
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    assert {"person_name", "number"} <= set(find_leaks(tmp_path, Secrets.of_build(study))["kind"])


def test_a_page_says_nothing_of_another_organisation(found, pages):
    names = file_names(found.organisations["organisation_id"])
    assert len(names) >= 8
    who = found.organisations[["organisation_id", "name"]].itertuples(index=False, name=None)
    said = {
        code: [re.compile(rf"(?<!\w){re.escape(text)}(?!\w)") for text in (code, name) if text] for code, name in who
    }
    for code, page in names.items():
        text = "\n".join(Reader(pages[page]).text)
        others = [other for other in names if other != code and any(one.search(text) for one in said[other])]
        # « Accueil des Érables II » has in it the name of « Accueil des Érables »
        own = found.organisations.set_index("organisation_id")["name"][code]
        assert [o for o in others if not any(one.search(own or "") for one in said[o])] == [], code
        assert "index.html" not in pages[page]


def test_what_an_organisation_typed_cannot_become_markup(found):
    bad = '<script>alert("x")</script> & Cie'
    code = found.organisations["organisation_id"].iloc[0]
    renamed = {
        field.name: frame.replace({"organisation_id": {code: bad}})
        for field in dataclasses.fields(found)
        if isinstance(frame := getattr(found, field.name), pd.DataFrame) and "organisation_id" in frame
    }
    told = renamed["organisations"]
    renamed["organisations"] = told.assign(name=told["name"].mask(told["organisation_id"].eq(bad), bad))
    places, typed = renamed["places"], renamed["typed"]
    renamed["places"] = places.assign(file=places["file"].mask(places["organisation_id"].eq(bad), f"{bad}.csv"))
    renamed["typed"] = typed.assign(value=typed["value"].mask(typed["organisation_id"].eq(bad), "<b>Gatineau"))
    made, wrong = organisation_pages(dataclasses.replace(found, **renamed))
    name = file_names([bad])[bad]
    assert wrong == [] and re.fullmatch(r"[a-z0-9-]+\.html", name)
    text = made[name]
    assert "&lt;script&gt;" in text and "<script" not in text and "<b>" not in text and faults(text) == []
    assert f'href="{name}"' in made["index.html"] and "<script" not in made["index.html"]


def test_a_page_that_may_not_be_is_named_and_the_others_are_made(found):
    told = found.organisations.copy()
    told.loc[0, "name"] = "Voir https://exemple.org"
    made, wrong = organisation_pages(dataclasses.replace(found, organisations=told.iloc[:2]))
    code = told["organisation_id"].iloc[0]
    assert len(wrong) == 2 and code in wrong[0] and "an address that would be called" in wrong[0]
    assert list(made) == [file_names(told["organisation_id"])[told["organisation_id"].iloc[1]]]


# ── what it says ──────────────────────────────────────────────────────────────────────────────────────────
def test_every_page_is_of_the_family(pages):
    for name, text in pages.items():
        seen = Reader(text)
        assert text.startswith('<!DOCTYPE html>\n<html lang="fr-CA">') and faults(text) == []
        assert [attrs for tag, attrs in seen.tags if tag == "nav"] == [], name
        levels = [int(tag[1]) for tag, _ in seen.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), name
        assert text.count("<table") == text.count("<caption>") and "<th scope=" in text
        ids = [attrs["id"] for _, attrs in seen.tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        assert {attrs["aria-labelledby"] for _, attrs in seen.tags if "aria-labelledby" in attrs} <= set(ids)
        assert "Document confidentiel" in text and "Données synthétiques" in text
        # a value that was not set in, or that nobody knows
        assert not re.search(r"\{\w*\}|\bnan\b|\bNone\b|\bNaT\b", text_of(text)), name


def test_rows_add_up_on_the_page(found, pages):
    names = file_names(found.organisations["organisation_id"])
    for one in found.organisations.itertuples():
        text = pages[names[one.organisation_id]]
        table = rows_of(text, "Les lignes de vos dépôts")
        number = {name: int(re.sub(r"\D", "", n)) for name, (n, _) in table.items()}
        assert number.pop("Lues") == sum(number.values()) == one.n_read, one.organisation_id


def test_every_finding_has_its_number_what_it_changes_and_what_to_do(found, pages):
    names = file_names(found.organisations["organisation_id"])
    seen = set()
    for code, name in names.items():
        for heading, facts in re.findall(r"<h3>(.*?)</h3><dl>(.*?)</dl>", pages[name], re.S):
            assert re.search(r"\d", heading), heading
            assert "Ce que cela change" in facts and "À faire" in facts, (code, heading)
            seen.add(re.sub(r"\d.*", "", text_of(heading).replace(NO_BREAK, " ")).strip())
    assert len(seen) > 8, seen


def test_summary_and_index_show_the_same_lights(found, pages):
    fr = words("fr")
    names = file_names(found.organisations["organisation_id"])
    first = found.organisations["organisation_id"].iloc[0]
    lit = found.levels[found.levels["organisation_id"].eq(first)]
    table = rows_of(pages[names[first]], "Ce qui compte pour le portrait")
    assert list(table) == [fr.say(f"subject.{subject}") for subject in lit["subject"]]
    for row in lit.itertuples():
        assert fr.say(f"light.{row.level}") in table[fr.say(f"subject.{row.subject}")][0]
    index = pages["index.html"]
    order = re.findall(r'<th scope="row"><a href="([^"]+)"', index)
    assert order == [names[code] for code in found.organisations["organisation_id"]]
    assert index.count("À corriger") == int((found.organisations["n_mend"] > 0).sum())


def test_an_organisation_with_nothing_wrong_is_thanked(tmp_path):
    header = "no_dossier;prenom;nom;date_naissance;municipalite_residence;service;date_service"
    row = "1;Ana;Silva;1990-01-02;Rimouski;recherche d'emploi;2021-05-03"
    (tmp_path / "OBR01_2021-2022_T1_2021-07-10.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    read = read_deposits(tmp_path, study=Study())
    found = organisation_quality(inputs({name: getattr(read, name) for name in NAMES}), study=Study())
    made, wrong = organisation_pages(found)
    text = plain(made["obr01.html"])
    assert wrong == [] and "Rien n’est à corriger dans vos dépôts. Merci" in text
    assert "<h3>" not in made["obr01.html"] and "À surveiller" not in text and "Données synthétiques" not in text
    # nobody is compared with fewer than five others
    assert "Organismes semblables" not in text
    assert "Certaines tables de ce traitement manquent" in text
    # a column left blank, and the row is as good as before
    assert rows_of(made["obr01.html"], "Part des lignes")["no_menage"] == [f"0{NO_BREAK}% (1 vide)"]


def test_rows_are_named_by_file_sheet_and_number(found, pages):
    names = file_names(found.organisations["organisation_id"])
    row = found.places[found.places["measure"].eq("place")].iloc[0]
    text = plain(pages[names[row["organisation_id"]]])
    assert re.search(rf"{re.escape(row['file'])}[^:]* : lignes? [\d, et]*\b{row['row']}\b", text)
    assert any(name in text for name in region_names().values()) or found.typed.empty


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_names_of_files_are_never_what_was_typed():
    codes = ["OBR01", "obr 01", "../../etc/passwd", "index", "É-1", "e 1", "北", "x" * 300, "fichier:2021/a.csv", ""]
    names = file_names(codes)
    assert len(set(names.values())) == len(codes) and "index.html" not in names.values()
    assert all(re.fullmatch(r"[a-z0-9-]{1,100}\.html", name) for name in names.values())
    # whichever comes first
    assert file_names(reversed(codes)) == names


def test_a_code_cannot_take_the_name_of_another():
    pair = file_names(["A/1", "A-1"])
    thief = pair["A/1"].removesuffix(".html")
    assert len(set(file_names(["A/1", "A-1", thief]).values())) == 3


def test_pages_are_written_whole_in_a_closed_folder(study):
    folder = study.paths.reports / "sensitive" / organisations.FOLDER
    folder.mkdir(parents=True)
    (folder / "parti.html").write_text("of an organisation that is gone")
    (folder / "notes.txt").write_text("somebody's own")
    assert write_organisation_pages(study) == []
    assert folder.stat().st_mode & 0o777 == 0o700
    there = sorted(path.name for path in folder.iterdir())
    assert "parti.html" not in there and "notes.txt" in there and "index.html" in there
    assert not [name for name in there if name.startswith(".")]
    before = {path.name: path.read_bytes() for path in folder.glob("*.html")}
    assert write_organisation_pages(study) == []
    assert {path.name: path.read_bytes() for path in folder.glob("*.html")} == before


def test_without_a_build_a_sentence_is_said(tmp_path):
    study = Study().with_folders(derived=tmp_path / "none", reports=tmp_path / "reports")
    (sentence,) = write_organisation_pages(study)
    assert "The pages of the organisations were not made" in sentence and "trajectories build" in sentence


def test_every_run_of_all_pages_makes_them_and_no_other(study, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("trajectories.analysis.analyse.analyse", lambda *_, **__: tmp_path)
    monkeypatch.setattr("trajectories.runs.batch.run_reports", lambda *_, **__: [])
    study = study.with_folders(reports=tmp_path / "reports")
    folder = study.paths.reports / "sensitive" / organisations.FOLDER
    assert cli_steps.report_step(study, ["05"], "fr", 1, False, False) == 0 and not folder.exists()
    # in French whatever the reports are in
    assert cli_steps.report_step(study, list(reported_groups(study)), "en", 1, False, False) == 0
    assert '<html lang="fr-CA">' in (folder / "index.html").read_text(encoding="utf-8")
    gone = study.with_folders(derived=tmp_path / "none")
    assert cli_steps.report_step(gone, list(reported_groups(study)), "fr", 1, False, False) == 1
    assert "The pages of the organisations were not made" in capsys.readouterr().err


# ── lights ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("language", sorted(LOCALES))
def test_a_light_is_a_shape_a_word_and_a_colour(language):
    told = [light(level, words(language)) for level in LEVELS]
    shapes = [re.search(r'aria-hidden="true">(.)</span>', one)[1] for one in told]
    assert len(set(shapes)) == len(LEVELS) == len({text_of(one) for one in told})
    css = (organisations.style()).split("\n")
    for level in LEVELS[:3]:
        assert any(line.startswith(f".light.{level} {{ color: #") for line in css)


def test_a_level_is_of_what_goes_wrong():
    assert [level_of(share, 0.1, 0.3) for share in (0.0, 0.1, 0.3, float("nan"), None)] == [
        "good", "watch", "mend", "unmeasured", "unmeasured",
    ]  # fmt: skip
