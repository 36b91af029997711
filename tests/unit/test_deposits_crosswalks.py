"""Crosswalks and words: what a header or a value may look like, and what a faulty crosswalk is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from trajectories.deposits import CrosswalkError, load_crosswalk, values
from trajectories.deposits.crosswalks import COLUMNS, load_crosswalks, parse_crosswalk
from trajectories.deposits.drafting import draft_crosswalk
from trajectories.deposits.layout import choose_crosswalk
from trajectories.deposits.organisations import parse_name
from trajectories.deposits.reading import decode, repaired
from trajectories.exceptions import TrajectoriesError

HEADERS = {
    "date_etablissement": "establishment_date",
    "Date d'établissement": "establishment_date",
    "DATE D’ETABLISSEMENT": "establishment_date",
    "Municipalité de résidence": "residence",
    "municipalite_residence": "residence",
    " Genre ": "sex",
    "No dossier": "file_number",
    "N° de dossier": "file_number",
    "Pre\u0301nom": "given_name",
    "Remarques": "remarks",
    "Couleur": None,
}


@pytest.mark.parametrize(("typed", "column"), HEADERS.items())
def test_header_variants(typed, column):
    assert load_crosswalk().column(typed) == column


def test_all_faults_at_once():
    text = """
    titel = "x"
    from = "2019-2021"
    [columns]
    residence = ["Ville"]
    destination = ["ville", 3]
    exit_destination = ["VILLE"]
    shoe_size = ["pointure"]
    [values.sex]
    F = ["femme"]
    Z = ["zèbre"]
    [values.colours]
    [[streams]]
    V1 = "x"
    """
    with pytest.raises(CrosswalkError) as caught:
        parse_crosswalk(text, "essai.toml")
    said = str(caught.value)
    for part in (
        "name:", "titel", "from:", "columns.destination",
        "columns.exit_destination: 'VILLE' already leads to residence",
        "columns.shoe_size", "values.sex.Z", "values.colours", "streams.from", "streams.programme",
    ):  # fmt: skip
        assert part in said
    assert len(caught.value.faults) == 10
    lines = dict(fault.split(": ", 2)[1::-1] for fault in caught.value.faults)
    assert lines == {
        "name": "line 1", "titel": "line 2", "from": "line 3", "columns.destination": "line 6",
        "columns.exit_destination": "line 7", "columns.shoe_size": "line 8", "values.sex.Z": "line 11",
        "values.colours": "line 12", "streams.from": "line 13", "streams.programme": "line 13",
    }  # fmt: skip


def test_no_toml_and_no_file_are_sentences():
    with pytest.raises(CrosswalkError, match="not TOML"):
        parse_crosswalk("[", "essai.toml")
    with pytest.raises(CrosswalkError, match="no crosswalk of that name"):
        load_crosswalk("absent")


def test_a_fault_inside_a_list_of_several_lines_has_the_line_of_its_word():
    text = """name = "x"
[columns]
residence = [
    "Ville",
]
destination = [
    "Destination",
    "ville",
]
"""
    with pytest.raises(CrosswalkError) as caught:
        parse_crosswalk(text, "x.toml")
    assert caught.value.faults == ("line 8: columns.destination: 'ville' already leads to residence.",)


def test_faults_of_period_parent_and_volets():
    text = """name = "x"
extends = "absent"
from = "2021-2022"
to = "2019-2020"
[columns]
residence = ["Ville"]
[[streams]]
programme = "PASI"
from = "2019-2020"
V1 = "full_participation"
[[streams]]
programme = "PASI"
from = "2020"
Volet2 = "innovation"
V2 = 3
"""
    with pytest.raises(CrosswalkError) as caught:
        parse_crosswalk(text, "x.toml")
    lines = [fault.split(": ")[:2] for fault in caught.value.faults]
    assert lines == [
        ["line 2", "extends"], ["line 4", "to"], ["line 13", "streams.from"], ["line 14", "streams.Volet2"],
        ["line 15", "streams.V2"],
    ]  # fmt: skip


FORM = """name = "maison"
extends = "pasi-2019"
programmes = ["PASI"]
from = "2021-2022"
[columns]
file_number = ["Réf."]
service_date = ["Vu le"]
residence = ["Où"]
[values.service]
pairing = ["parrainage civique"]
"""


def test_a_form_of_ones_own_is_one_file(tmp_path):
    (tmp_path / "maison.toml").write_text(FORM, encoding="utf-8")
    known = load_crosswalks(tmp_path)
    assert [crosswalk.name for crosswalk in known.all] == ["maison", "pasi-2019", "reussir-integration-2017"]
    own = known["maison"]
    assert (own.column("Réf."), own.column("No dossier"), own.column("Couleur")) == ("file_number", "file_number", None)
    assert own.values["service"]["parrainage civique"] == own.values["service"]["jumelage"] == "pairing"
    rows = [["Réf.", "Vu le", "Où", "Service"], ["7", "2021-11-02", "Rimouski", "Jumelage"]]
    assert choose_crosswalk(known, "a.csv", [("", rows)]).name == "maison"
    rows[0] = ["No dossier", "Date du service", "Ville", "Service"]
    assert choose_crosswalk(known, "EER01_2018-2019_T1.csv", [("", rows)]).name == "reussir-integration-2017"


def test_the_faults_of_all_files_of_a_folder_are_told_at_once(tmp_path):
    (tmp_path / "a.toml").write_text("[columns]\nshoe = 3\n", encoding="utf-8")
    (tmp_path / "b.toml").write_text('name = "b"\n[columns]\nresidence = ["Ville"]\nville = ["x"]\n', encoding="utf-8")
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CrosswalkError) as caught:
        load_crosswalks(tmp_path)
    said = str(caught.value)
    for part in ("a.toml, line 1: name", "a.toml, line 2: columns.shoe", "b.toml, line 4: columns.ville", "c.toml"):
        assert part in said
    assert load_crosswalks(tmp_path / "absent").all == load_crosswalks().all


@pytest.mark.parametrize(
    ("file", "programme", "exercice", "name"),
    [
        ("EER01_2021-2022_T3.csv", "", "", "pasi-2019"),
        ("EER01_2018-2019_T3.csv", "", "", "reussir-integration-2017"),
        ("EER01_2019-2020_T3.csv", "", "", "pasi-2019"),
        ("EER01_2019-2020_T3.csv", "Réussir l'intégration", "", "reussir-integration-2017"),
        ("a.csv", "Reussir integration", "2018/19", "reussir-integration-2017"),
        ("a.csv", "PASI", "2018-2019", "pasi-2019"),
        ("a.csv", "Autre", "", "pasi-2019"),
        ("a.csv", "", "", "pasi-2019"),
    ],
)
def test_the_crosswalk_of_a_file_is_that_of_its_programme_and_exercice(file, programme, exercice, name):
    rows = [["no_dossier", "programme", "exercice", "volet"], ["7", programme, exercice, "V1"]]
    chosen = choose_crosswalk(load_crosswalks(), file, [("", rows)]).name
    if (programme, exercice) == ("PASI", "2018-2019"):  # neither holds: whichever, its volets are unknown
        return
    assert chosen == name


def test_every_shipped_crosswalk_names_every_column():
    for crosswalk in load_crosswalks().all:
        assert set(crosswalk.headers.values()) == set(COLUMNS)
        assert all(crosswalk.column(header) == column for column, header in crosswalk.labels["columns"].items())


def test_a_draft_loads_and_reads_the_form_it_was_made_from(tmp_path):
    header = 'Numero du dosier;Prenoms client;Date de la naissanse;Ville de residance;Type service;Pointure ""x""'
    deposit = tmp_path / "Formulaire 2021-2022.csv"
    deposit.write_text(f"Rapport\n\n{header}\n7;Zoé;1990;Rimouski;Jumelage;42\n", encoding="utf-8")
    draft = draft_crosswalk(deposit)
    crosswalk = parse_crosswalk(draft, "draft.toml")
    found = [crosswalk.column(cell) for cell in header.split(";")]
    assert found == ["file_number", "given_name", "birth_date", "residence", "service", None]
    assert "Zoé" not in draft
    assert (crosswalk.first, crosswalk.name) == ("2021-2022", "formulaire20212022")


def test_a_file_without_a_header_gives_no_draft(tmp_path):
    deposit = tmp_path / "a.csv"
    deposit.write_text("7;Zoé;Tremblay\n8;Ali;Ben\n", encoding="utf-8")
    with pytest.raises(TrajectoriesError, match="no row looks like a header"):
        draft_crosswalk(deposit)
    with pytest.raises(TrajectoriesError, match="is not a file"):
        draft_crosswalk(tmp_path)


@examples(40)
@given(st.lists(st.text(), min_size=1))
def test_a_draft_of_any_header_loads(tmp_path_factory, cells):
    import csv

    deposit = tmp_path_factory.mktemp("drafts") / "a.csv"
    with deposit.open("w", newline="", encoding="utf-8", errors="replace") as out:
        csv.writer(out, delimiter=";").writerow(["no_dossier", "prenom", "nom", *cells])
    try:
        draft = draft_crosswalk(deposit)
    except TrajectoriesError:  # control characters: the file is no text
        return
    parse_crosswalk(draft, "draft.toml")


def _words(name):
    return dict(load_crosswalk().values[name])


def test_french_levels():
    levels, bad = values.french_levels(
        ["0", "4", "5", "niveau 9", "8/12", "Débutante", "", "13", "fluent"], _words("french")
    )
    assert levels.tolist() == [
        "none", "beginner", "intermediate", "advanced", "intermediate", "beginner", None, None, None,
    ]  # fmt: skip
    assert bad.tolist() == [False] * 7 + [True] * 2


@pytest.mark.parametrize(
    ("name", "typed", "code"),
    [
        ("sex", "Féminin", "F"),
        ("immigration_category", "RÉFUGIÉE", "refugee"),
        ("immigration_category", "demandeuse d’asile", "asylum_claimant"),
        ("education", "Cégep", "college"),
        ("follow_up_status", "Injoignable", "not_reached"),
        ("service", "Jumelage", "pairing"),
        ("exit_reason", "Retour au pays", "return_home"),
        ("establishment_reason", "qualité de vie", "quality_of_life"),
    ],
)
def test_words(name, typed, code):
    assert values.coded([typed], _words(name))[0].tolist() == [code]


def test_several_needs_in_one_cell():
    found, bad = values.coded_list(
        ["Emploi; logement", "emploi, LOGEMENT et garde", "emploi; lune", ""], _words("needs")
    )
    assert found.tolist() == ["job;housing", "job;housing;childcare", "job", None]
    assert bad.tolist() == [False, False, True, False]


def test_numbers():
    sizes, unreadable, impossible = values.whole_numbers(["4", "4,0", "3 personnes", "0", "-3", "21", "x", ""], 1, 20)
    assert sizes.tolist() == [4, 4, 3, None, None, None, None, None]
    assert unreadable.tolist() == [False] * 6 + [True, False]
    assert impossible.tolist() == [False] * 3 + [True] * 3 + [False] * 2


def test_codes_periods_and_countries():
    assert values.municipal_codes(["1023", "66023.0", "", "abc"])[0].tolist() == ["01023", "66023", None, None]
    assert values.postal_codes(["j4p1a1", "J4P", "4JP"])[0].tolist() == ["J4P 1A1", "J4P", None]
    assert values.fiscal_years(["2021-2022", "2021/22", "2021–2022", "2021-2023"])[0].tolist() == ["2021-2022"] * 3 + [
        None
    ]
    assert values.quarters(["3", "T3", "3e trimestre", "T3 2021-2022", "5"])[0].tolist() == [3, 3, 3, 3, None]
    assert values.streams(["1", "volet 2", "V3", "autre"])[0].tolist() == ["V1", "V2", "V3", "autre"]
    assert values.countries(["Côte d'Ivoire", "COTE IVOIRE", "le Liban", "CMR", ""])[0].tolist() == [
        "CIV",
        "CIV",
        "LBN",
        "CMR",
        None,
    ]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("EER01_2021-2022_T3_2022-01-20.csv", ("EER01", "2021-2022", "3", "2022-01-20")),
        ("a/b/EER01_2021-2022_T3.xlsx", ("EER01", "2021-2022", "3", None)),
        ("OBR02_2021-2022_annuel_2022-04-13.xlsx", ("OBR02", "2021-2022", None, "2022-04-13")),
        ("rapport final.xlsx", (None, None, None, None)),
        ("Rapport T2 2021-2022.xlsx", (None, "2021-2022", "2", None)),
    ],
)
def test_file_names(file, said):
    keys = ("organisation_id", "fiscal_year", "quarter", "deposit_date")
    assert tuple(parse_name(file).get(key) for key in keys) == said


@given(st.text(), st.text())
def test_words_never_raise(text, other):
    for read in (
        values.countries,
        values.municipal_codes,
        values.postal_codes,
        values.fiscal_years,
        values.quarters,
        values.streams,
    ):
        read([text, other])
    values.whole_numbers([text], 1, 20)
    values.coded_list([text], _words("needs"))
    values.french_levels([text], _words("french"))
    parse_name(text.replace("\0", ""))
    repaired(text)


@given(st.binary())
def test_any_bytes_decode(content):
    assert isinstance(decode(content)[0], str)


@given(st.text("abcéèêàçîôùÉ -’", min_size=1))
def test_mojibake_is_repaired_and_good_text_left_alone(text):
    assert repaired(text) == text
    try:
        broken = text.encode("utf-8").decode("cp1252")
    except UnicodeDecodeError:
        return
    assert repaired(broken) == text
