"""How a person is mistyped: names, birth, status. Typed once a file of an organisation.

Each function changes the identity's cells and says whether it did. Its line is in `defects.DEFECTS`.
"""

from __future__ import annotations

import numpy as np

from .drafts import CATEGORIES, Identity, typed_date
from .geography import drop_accents
from .place_defects import slip
from .settings import date_of, day_of, pick

_LETTERS = (
    ("ou", "u"),
    ("ch", "sh"),
    ("ss", "s"),
    ("y", "i"),
    ("kh", "k"),
    ("dj", "j"),
    ("ï", "i"),
    ("ei", "ey"),
    ("c", "k"),
)


NICKNAMES = {
    "Mohamed": "Momo", "Abdelkader": "Kader", "Abdoulaye": "Abdou", "Ibrahima": "Ibra", "Souleymane": "Solo",
    "Mamadou": "Madou", "Boubacar": "Bouba", "Fatima": "Fati", "Aminata": "Ami", "Mariama": "Mama", "Khadija": "Khadi",
    "Oleksandr": "Sacha", "Alexandru": "Sandu", "Volodymyr": "Vova", "Dmytro": "Dima", "Kateryna": "Katya",
    "Anastasiia": "Nastia", "Alejandro": "Alex", "José": "Pepe", "Eduardo": "Lalo", "Guadalupe": "Lupe",
    "Gabriela": "Gaby", "Patricia": "Paty", "Isabel": "Chabela", "Santiago": "Santi", "Antoine": "Tony",
    "Guillaume": "Gui", "Benoît": "Ben", "Sébastien": "Seb", "Jean-Baptiste": "JB", "Marie-Claire": "Marie",
    "Emmanuel": "Manu", "Angélique": "Angie", "Joséphine": "José", "Rajesh": "Raju", "Harpreet": "Happy",
}  # fmt: skip


def _text(identity: Identity, column: str) -> str:
    return str(identity.cells[column])


def accents_dropped(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Both names without accents."""
    before = _text(identity, "prenom"), _text(identity, "nom")
    identity.cells["prenom"], identity.cells["nom"] = after = tuple(drop_accents(t) for t in before)
    return before != after


def name_slip(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """One slip in one of the names."""
    column = pick(rng, ("prenom", "nom"))
    before = _text(identity, column)
    identity.cells[column] = slip(before, rng)
    return identity.cells[column] != before


def hyphen_changed(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Marie-Claire becomes Marie Claire, García López García-López."""
    column = pick(rng, ("prenom", "nom"))
    text = _text(identity, column)
    identity.cells[column] = text.replace("-", " ") if "-" in text else text.replace(" ", "-")
    return identity.cells[column] != text


def second_given_name_dropped(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Amina Sara becomes Amina."""
    text = _text(identity, "prenom")
    identity.cells["prenom"] = text.split(" ")[0]
    return " " in text


def compound_family_name_cut(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """García López becomes García; a particle (El, Ben, Le…) is no name alone."""
    text = _text(identity, "nom")
    first = text.split(" ")[0]
    if " " not in text or len(first) < 4 or first.lower() == "dela":
        return False
    identity.cells["nom"] = first
    return True


def names_swapped(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """First name in the last name's column, and the reverse."""
    cells = identity.cells
    cells["prenom"], cells["nom"] = cells["nom"], cells["prenom"]
    return True


def birth_year_only(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Only the year of birth."""
    identity.cells["date_naissance"], identity.birth_form = str(date_of(identity.person.birth).year), "year"
    return True


def birth_first_of_january(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """1 January of the year of birth, for want of better."""
    first = day_of(date_of(identity.person.birth).replace(month=1, day=1))
    identity.cells["date_naissance"], identity.birth_form = typed_date(first, "day", form), "year"
    return True


def arrival_month_only(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """The arrival is known to the month."""
    identity.cells["date_arrivee_quebec"] = typed_date(identity.household.arrival, "month", form)
    return True


def transliterated(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Another romanisation of the last name."""
    text = _text(identity, "nom")
    lower = text.lower()
    fitting = [(a, b) for a, b in _LETTERS if a in lower[1:]]
    if not fitting:
        return False
    old, new = pick(rng, fitting)
    changed = text[0] + lower[1:].replace(old, new, 1)
    identity.cells["nom"] = changed.upper() if text.isupper() else changed.title()
    return True


def married_name(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """A wife is typed with her husband's name."""
    husband = next((p for p in identity.household.members if p.sex == "M" and p.role in ("principal", "spouse")), None)
    wife = identity.person
    if husband is None or wife.sex != "F" or wife.role == "child" or husband.family_name == wife.family_name:
        return False
    identity.cells["nom"], identity.family_form = husband.family_name, "spouse"
    return True


def number_of_the_household(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """The members of a household share one file number."""
    identity.file_number = identity.household_number
    return True


def surnames_turned(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """García López becomes López García; a particle (El, Ben, Le…) is no name alone."""
    parts = _text(identity, "nom").split(" ")
    if len(parts) != 2 or min(map(len, parts)) < 4:
        return False
    identity.cells["nom"] = " ".join(reversed(parts))
    return True


def nickname(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Momo for Mohamed, Nico for Nicolas."""
    first = _text(identity, "prenom").split(" ")[0]
    short = NICKNAMES.get(first, first[:4] if len(first) > 5 and "-" not in first[:4] else first)
    if short == first or not first:
        return False
    identity.cells["prenom"], identity.given_form = short, "nickname"
    return True


def initial(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """A. for Amina."""
    text = _text(identity, "prenom")
    if text:
        identity.cells["prenom"], identity.given_form = f"{text[0]}.", "initial"
    return text != ""


def birth_day_month_swapped(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """Day and month of birth exchanged, where that makes a date."""
    birth = date_of(identity.person.birth)
    if birth.day > 12 or birth.day == birth.month:
        return False
    swapped = day_of(birth.replace(month=birth.day, day=birth.month))
    identity.cells["date_naissance"], identity.birth_form = typed_date(swapped, "day", form), "swapped"
    return True


def sex_missing(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """No sex."""
    identity.cells["sexe"] = ""
    return True


def name_missing(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """A file without names: the number alone says"""
    identity.cells["prenom"] = identity.cells["nom"] = ""
    identity.given_form = identity.family_form = "none"
    return True


def category_changed(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """A temporary status became permanent between two files: no error (domain.md §2.10)."""
    if identity.household.category not in ("temporary_worker", "student", "asylum_claimant"):
        return False
    to = "refugee" if identity.household.category == "asylum_claimant" else "economic"
    identity.cells["categorie_immigration"] = CATEGORIES[to][0]
    return True


def unknown_word(identity: Identity, rng: np.random.Generator, form: str) -> bool:
    """A value that no list knows."""
    column, word = pick(
        rng, (("categorie_immigration", "Voir dossier"), ("scolarite", "Équivalence en cours"), ("sexe", "?"))
    )
    identity.cells[column] = word
    return True
