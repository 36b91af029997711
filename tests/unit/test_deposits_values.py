"""Typed words → codes: genders, numbers, levels, volets by programme and exercice, and the closest known value."""

import pytest

from trajectories.deposits import load_crosswalk, values
from trajectories.deposits.crosswalks import LIST_OF, LISTS, load_crosswalks


def words(name):
    return load_crosswalk().values[name]


@pytest.mark.parametrize(
    ("name", "typed", "code"),
    [
        ("immigration_category", "Réfugié(e)", "refugee"),
        ("immigration_category", "réfugié·e·s", "refugee"),
        ("immigration_category", "Étudiant / Étudiante étrangère", None),
        ("immigration_category", "3 - Réfugié", "refugee"),
        ("immigration_category", "Économique (PRTQ)", "economic"),
        ("immigration_category", "étudiant(e)", "student"),
        ("follow_up_status", "Présent(e)", "present"),
        ("follow_up_status", "parti-e", "left"),
        ("follow_up_status", "non joint(e)", "not_reached"),
        ("education", "Universitaire", "university"),
        ("service", "09. Francisation", "francization"),
        ("exit_reason", "?", None),
    ],
)
def test_a_word_of_either_gender_numbered_or_explained(name, typed, code):
    assert values.coded([typed], words(name))[0].tolist() == [code]


def test_nothing_typed_is_no_fault_and_an_unknown_word_is():
    found, bad = values.coded(["", "s.o.", "n/d", "zèbre"], words("immigration_category"))
    assert found.tolist() == [None] * 4
    assert bad.tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("typed", "level"),
    [
        ("0", "none"), ("1", "beginner"), ("4", "beginner"), ("5", "intermediate"), ("8,0", "intermediate"),
        ("9", "advanced"), ("12", "advanced"), ("Niveau 7", "intermediate"), ("niv. 3", "beginner"),
        ("7/12", "intermediate"), ("stade 2", "intermediate"), ("Stade III", "advanced"), ("5 à 8", "intermediate"),
        ("niveaux 1-4", "beginner"), ("Débutant(e)", "beginner"), ("Avancée", "advanced"), ("aucune", "none"),
        ("4-5", None), ("13", None), ("8-5", None), ("couci-couça", None),
    ],
)  # fmt: skip
def test_levels_of_french(typed, level):
    found, bad = values.french_levels([typed], words("french"))
    assert found.tolist() == [level]
    assert bad.tolist() == [level is None]


def test_every_level_of_the_scale_has_its_stage():
    found, bad = values.french_levels([str(level) for level in range(13)], words("french"))
    assert not bad.any()
    assert found.tolist() == ["none"] + ["beginner"] * 4 + ["intermediate"] * 4 + ["advanced"] * 4


@pytest.mark.parametrize(
    ("typed", "volet"),
    [
        ("V1", "V1"), ("v 2", "V2"), ("Volet 3", "V3"), ("volet no 4", "V4"), ("5", "V5"), ("Volet II", "V2"),
        ("V2.7", "V2"), ("2a", "V2"), ("V3 - Accueil et installation", "V3"), ("volet 1 : Parcours", "V1"),
        ("", None), ("s.o.", None), ("1, 2", "1, 2"), ("V", "V"), ("Pleine participation", "Pleine participation"),
    ],
)  # fmt: skip
def test_volets(typed, volet):
    assert values.streams([typed])[0].tolist() == [volet]


@pytest.mark.parametrize(
    ("programme", "exercice", "volet", "meaning"),
    [
        ("PASI", "2021-2022", "V1", "personalised_path"),
        ("PASI", "2021-2022", "V3", "refugee_reception"),
        ("Réussir l'intégration", "2018-2019", "V1", "information_orientation"),
        ("Réussir l'intégration", "2018-2019", "V3", "asylum_claimants"),
        ("Réussir l'intégration", "2018-2019", "V5", "live_in_caregivers"),
        ("Réussir l'intégration", "2019-2020", "V5", None),  # dropped that year
        ("Réussir l'intégration", "2021-2022", "V1", None),  # the programme is over
        ("PASI", "2018-2019", "V1", None),  # it has not begun
        (None, "2018-2019", "V2", "refugee_reception"),  # one programme only
        (None, "2019-2020", "V2", None),  # two programmes, two meanings
        (None, "2019-2020", "V5", None),
        (None, "2021-2022", "V2", "full_participation"),
        ("PASI", None, "V5", "innovation"),
        (None, None, "V1", None),
        ("Autre programme", "2021-2022", "V1", None),
        ("PASI", "2021-2022", "Pleine participation", "full_participation"),
        ("PASI", "2021-2022", "V9", None),
        ("PASI", "2021-2022", None, None),
    ],
)
def test_a_volet_is_keyed_by_programme_and_exercice(programme, exercice, volet, meaning):
    found, bad = values.stream_meanings([programme], [exercice], [volet], load_crosswalks(), load_crosswalk())
    assert found.tolist() == [meaning]
    assert bad.tolist() == [meaning is None and volet is not None]


@pytest.mark.parametrize(
    ("column", "typed", "closest"),
    [
        ("immigration_category", "Refugier", "réfugié"),
        ("immigration_category", "regroupment familliale", "regroupement familial"),
        ("service", "Francisasion", "francisation"),
        ("needs", "emploi; logemant", "logement"),
        ("job_found", "oiu", "O"),
        ("birth_country", "Marroc", "maroc"),
        ("sex", "zzzzzz", None),
        ("french", "15", None),
        ("quarter", "T7", None),
        ("immigration_category", "", None),
    ],
)
def test_the_closest_known_value(column, typed, closest):
    assert values.closest_word(typed, column, load_crosswalk()) == closest


def test_the_closest_values_of_many_cells():
    crosswalk = load_crosswalk()
    found = values.closest_words(["sex", "service", "sex"], ["femm", None, "femm"], [crosswalk, crosswalk, None])
    assert found.tolist() == ["F", None, None]


def test_every_label_is_read_back_as_its_code():
    """What people are shown, in the template and where a value is unknown, is itself understood."""
    for crosswalk in load_crosswalks().all:
        for name in LISTS:
            for code, label in crosswalk.labels.get(name, {}).items():
                assert values.look_up(label, crosswalk.values[name]) == code, (name, label)
    assert set(LIST_OF.values()) <= set(LISTS)
