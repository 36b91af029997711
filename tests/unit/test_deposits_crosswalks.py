"""Crosswalks and words: what a header or a value may look like, and what a faulty crosswalk is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajectories.deposits import CrosswalkError, load_crosswalk, values
from trajectories.deposits.countries import countries
from trajectories.deposits.crosswalks import parse_crosswalk
from trajectories.deposits.organisations import parse_name
from trajectories.deposits.text import decode, repaired

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
        "columns.shoe_size", "values.sex.Z", "values.colours", "streams:",
    ):  # fmt: skip
        assert part in said
    assert len(caught.value.faults) == 9


def test_no_toml_and_no_file_are_sentences():
    with pytest.raises(CrosswalkError, match="not TOML"):
        parse_crosswalk("[", "essai.toml")
    with pytest.raises(CrosswalkError, match="no crosswalk of that name"):
        load_crosswalk("absent")


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
    assert countries(["Côte d'Ivoire", "COTE IVOIRE", "le Liban", "CMR", ""])[0].tolist() == [
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
        countries, values.municipal_codes, values.postal_codes, values.fiscal_years, values.quarters, values.streams,
    ):  # fmt: skip
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
