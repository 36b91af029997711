"""Each reason has its sentence, in both languages, and the example of the command answers."""

import string

import pytest

from trajectories.places import explain_place, find_places
from trajectories.places.explanation import KINDS, REASONS, SIDES, WORDS
from trajectories.places.matching import answer
from trajectories.places.territory import read_reference
from trajectories.study import PERIMETERS

EXAMPLES = {
    "": "blank",
    "st jean s richelieu": "official",
    "Hull": "alias",
    "Arrondissement Ville-Marie": "borough",
    "Sarre": "article",
    "Gatineau - secteur Hull": "two_names",
    "Saint-Isidore (Roussillon)": "qualifier",
    "66023": "code_typed",
    "Saint-Lambert": "homonym",
    "Montréal (Laval)": "contradiction",
    "Sainte-Anne-de": "prefix",
    "Montérégie": "area",
    "Ontario": "outside",
    "inconnu": "unknown_word",
    "J4P 1A1": "postal_typed",
    "zzyzx": "not_found",
    "Sherboroke": "slip",
    "Saint-Lambrt": "slip_homonym",
    "Montérégi": "slip_area",
    "Ontarrio": "slip_outside",
    "inconu": "slip_unknown_word",
    "Lavel": "slip_rivals",
    "Bios-Franc": "slip_unclear",
    "Gorre": "slip_too_far",
}


@pytest.mark.parametrize(("typed", "why"), EXAMPLES.items())
def test_each_reason_has_its_sentences(typed, why):
    told = explain_place(typed)
    assert told.why == why
    for sentence in (told.french, told.english):
        assert sentence.endswith(".")
        assert "{" not in sentence


def test_evidence_is_told():
    assert explain_place("Saint-Lambrt", code="58012").why == "code"
    assert explain_place("Saint-Lambert", postal_code="J4P 1A1").why == "postal"


def test_a_code_that_is_not_followed_is_told():
    told = explain_place("Rimouski", code="66023")
    assert told.french.endswith("Le code tapé est celui de Montréal (66023, Montréal)\u00a0: le nom l’emporte.")
    assert explain_place("Saint-Lambert", code="66023").english.endswith("and nothing is chosen.")
    assert explain_place("Rimouski", code="99999").english.endswith("The code typed, 99999, does not exist.")
    assert explain_place("Rimouski", code="10043").english.endswith("however it is typed.")


def test_a_slip_tells_its_score_and_the_second_best():
    told = explain_place("Lavaltri")
    assert (told.code, round(told.score, 2)) == ("52007", 0.89)
    assert "«\u00a0Lavaltrie\u00a0», à 1 frappe (ressemblance 89\u00a0%)" in told.french
    assert "the other nearest name, “Laval”, is 3 keystrokes away" in told.english


def test_candidates_are_told_with_their_regions():
    told = explain_place("St-Lambert")
    assert told.candidates == ("58012", "87120")
    assert "Saint-Lambert (58012, Montérégie) ou Saint-Lambert (87120, Abitibi-Témiscamingue)" in told.french


@pytest.mark.parametrize("perimeter", PERIMETERS)
def test_the_explanation_says_what_find_places_says(perimeter):
    rows = find_places(list(EXAMPLES), perimeter=perimeter)
    for row, typed in zip(rows.itertuples(), EXAMPLES, strict=True):
        told = explain_place(typed, perimeter=perimeter)
        assert (told.code, told.region, told.zone, told.match) == (row.code, row.region, row.zone, row.match)
        assert ";".join(told.candidates) == (row.candidates or "")
        if told.code:
            assert perimeter in told.french


def test_unknown_perimeter_names_the_three():
    with pytest.raises(ValueError, match="RMR-2021, RMR-2016, CMM"):
        explain_place("Laval", perimeter="Montréal")


def test_the_catalogue_is_whole():
    kinds = {*read_reference("aliases")["kind"], ""}
    for table in (WORDS, SIDES, KINDS):
        assert table["fr"].keys() == table["en"].keys()
    assert kinds <= KINDS["fr"].keys()
    for sentences in REASONS.values():
        fields = [
            {field for _, field, _, _ in string.Formatter().parse(sentences[lang]) if field} for lang in sentences
        ]
        assert list(sentences) == ["fr", "en"]
        assert fields[0] == fields[1]


def test_a_known_key_always_has_an_answer():
    assert answer("laval").code == "65005"
    assert answer("ontario").zone == "outside_quebec"
