"""How a place is mistyped, and its code; the slips of the keyboard.

Each function changes the draft's cells, keeps their truth in step, and says whether it did. Its line is in
`defects.DEFECTS`.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .drafts import PLACES, Draft, postal_code
from .geography import MONTREAL, Geography, drop_accents, geography, plain_name
from .settings import pick

FINAL = frozenset({"alias", "homonym", "qualified", "area", "unknown", "outside", "none", "postal", "sanitary"})
_NEAR = {
    "a": "qzs", "b": "vn", "c": "xv", "d": "sf", "e": "rz", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "km", "m": "l", "n": "b", "o": "ip", "p": "o", "q": "a", "r": "et", "s": "dq", "t": "ry",
    "u": "yi", "v": "cb", "x": "c", "y": "tu", "z": "ae",
}  # fmt: skip


def slip(text: str, rng: np.random.Generator) -> str:
    """One letter dropped, doubled, swapped with the next, or replaced by its neighbour; never the first."""
    spots = [i for i in range(1, len(text)) if text[i].isalpha()]
    if len(spots) < 4:
        return text
    i, kind = pick(rng, spots), int(rng.random() * 4)
    letter = text[i]
    if kind == 0:
        return text[:i] + text[i + 1 :]
    if kind == 1:
        return text[:i] + letter + text[i:]
    if kind == 2 and i + 1 < len(text) and text[i + 1].isalpha() and text[i + 1] != letter:
        return text[:i] + text[i + 1] + letter + text[i + 2 :]
    near = _NEAR.get(drop_accents(letter).lower(), "e")
    return text[:i] + pick(rng, near) + text[i + 1 :]


def _place(draft: Draft, rng: np.random.Generator, place: Geography, last: bool = True) -> tuple[str, str, str] | None:
    """A place cell that is still a municipality's own name: column, code, text."""
    found = []
    for column in PLACES:
        code = _code(draft, column)
        form = draft.residence_form if column == "municipalite_residence" else draft.destination_form
        if code in place.name and draft.cells.get(column) and not (last and form in FINAL):
            found.append((column, code, str(draft.cells[column])))
    return pick(rng, found) if found else None


def _code(draft: Draft, column: str) -> str:
    event = draft.event
    return {"municipalite_residence": event.residence, "municipalite_destination": event.destination}.get(
        column, event.exit_destination
    )


def _retype(draft: Draft, column: str, text: str, form: str) -> bool:
    if draft.cells[column] == text:
        return False
    draft.cells[column] = text
    if column == "municipalite_residence":
        draft.residence_form = form
    else:
        draft.destination_form = form
    return True


def _alias(draft: Draft, rng: np.random.Generator, place: Geography, kinds: tuple[str, ...]) -> bool:
    spot = _place(draft, rng, place)
    names = [a for a, kind in place.aliases.get(spot[1], ()) if kind in kinds] if spot else []
    return bool(spot and names) and _retype(draft, spot[0], pick(rng, names), "alias")  # type: ignore[index]


@cache
def _spellings() -> tuple[tuple[str, ...], np.ndarray]:
    names = geography().spellings
    return names, np.array([_letters(n) for n in names])


def _letters(text: str) -> list[int]:
    return [text.count(c) for c in "abcdefghijklmnopqrstuvwxyz "]


def confusable(text: str, own: str) -> bool:
    """Whether a mistyped place is within two slips of a spelling that is not its own."""
    names, letters = _spellings()
    text, own = plain_name(text), plain_name(own)
    # Two slips change at most four letter counts: a cheap filter before the exact distance.
    near = np.flatnonzero(np.abs(letters - np.array(_letters(text))).sum(axis=1) <= 4).tolist()
    return any(names[i] != own and _distance(text, names[i]) <= 2 for i in near)


def _distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def place_borough(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Montréal-Nord for Montréal."""
    return _alias(draft, rng, place, ("arrondissement",))


def place_former_name(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Jonquière for Saguenay, Hull for Gatineau."""
    if place.name.get(draft.event.residence) == "Montréal" and not draft.event.destination:
        return False
    return _alias(draft, rng, place, ("merged_or_locality", "former_name"))


def place_homonym_qualified(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """A homonym with its MRC in brackets."""
    for column in PLACES:
        code = _code(draft, column)
        if place.name.get(code) in place.homonyms and draft.cells.get(column) and "(" not in str(draft.cells[column]):
            return _retype(draft, column, f"{draft.cells[column]} ({place.qualifier[code]})", "qualified")
    return False


def place_accents_dropped(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Trois-Rivieres."""
    spot = _place(draft, rng, place)
    return bool(spot) and _retype(draft, spot[0], drop_accents(spot[2]), "variant")


def place_hyphens_dropped(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """TROIS RIVIERES."""
    spot = _place(draft, rng, place)
    return bool(spot) and _retype(draft, spot[0], drop_accents(spot[2]).upper().replace("-", " "), "variant")


def place_saint_abbreviated(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """St-Jean s/ Richelieu."""
    spot = _place(draft, rng, place)
    if not spot:
        return False
    text = (
        spot[2].replace("Sainte-", "Ste-").replace("Saint-", pick(rng, ("St-", "St ", "St. "))).replace("-sur-", " s/ ")
    )
    return _retype(draft, spot[0], text, "variant")


def place_sur_abbreviated(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """St-Jean s/ Richelieu, ST JEAN S/RICHELIEU."""
    spot = _place(draft, rng, place)
    if not spot or "-sur-" not in place.name[spot[1]]:
        return False
    short = place.name[spot[1]].replace("Sainte-", "Ste-").replace("Saint-", "St-").replace("-sur-", " s/ ")
    loud = drop_accents(short).upper().replace("-", " ").replace("S/ ", "S/")
    return _retype(draft, spot[0], pick(rng, (short, loud)), "variant")


def place_initials(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """T-R for Trois-Rivières (domain.md §2.4)."""
    where = draft.event.residence
    if place.name[where] != "Trois-Rivières" or draft.residence_form in FINAL:
        return False
    return _retype(draft, "municipalite_residence", "T-R", "alias")


def place_quebec_alone(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """« Québec » for the city, and nothing else that would tell it from the province."""
    if place.name[draft.event.residence] != "Québec" or draft.residence_form in FINAL:
        return False
    _drop_code(draft, "municipalite_residence")
    draft.cells["municipalite_residence"] = "Québec"
    return True


def place_homonym_alone(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """A homonym with neither code nor qualifier: undeterminable, or by the postal code at most."""
    if len(place.namesakes(draft.event.residence)) == 1 or draft.residence_form in FINAL:
        return False
    draft.cells["code_municipal"] = ""
    return True


def place_province_added(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Trois-Rivières (QC)."""
    spot = _place(draft, rng, place)
    return bool(spot) and _retype(draft, spot[0], spot[2] + pick(rng, (" (QC)", ", QC", " (Québec)")), "variant")


def place_slip(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """One slip in a place of seven letters or more; never one that makes another town."""
    spot = _place(draft, rng, place)
    if not spot or len(spot[2]) < 7 or "(" in spot[2]:
        return False
    text = slip(spot[2], rng)
    return not confusable(text, place.name[spot[1]]) and _retype(draft, spot[0], text, "slip")


def place_region_word(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """The region instead of the town: an area at most."""
    spot = _place(draft, rng, place)
    name = place.region_name[place.region[spot[1]]] if spot else ""
    if not spot or place.region[spot[1]] in ("06", "13"):
        return False  # « Montréal » and « Laval » are the towns
    _drop_code(draft, spot[0])
    return _retype(draft, spot[0], name, "area")


def place_mrc(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """« MRC de La Matapédia » instead of the town."""
    spot = _place(draft, rng, place)
    if not spot or place.mrc[spot[1]].startswith("Hors MRC"):
        return False
    _drop_code(draft, spot[0])
    return _retype(draft, spot[0], f"MRC {place.mrc[spot[1]]}", "area")


def _drop_code(draft: Draft, column: str) -> None:
    # Whoever knows only the area knows no code: otherwise the code would decide (the contract, « Places »).
    if column == "municipalite_residence":
        draft.cells["code_municipal"] = draft.cells["code_postal"] = ""


def place_sanitary_code(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """The sociosanitary region: RSS 04 is Mauricie and Centre-du-Québec, RSS 17 and 18 are the two ends of Nord."""
    spot = _place(draft, rng, place)
    if not spot:
        return False
    region = place.region[spot[1]]
    number = {"17": ("04",), "10": ("10", "17", "18")}.get(region, (region,))
    _drop_code(draft, spot[0])
    return _retype(draft, spot[0], f"RSS {pick(rng, number)}", "sanitary")


def place_postal_code(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """The postal code in the town's column."""
    code = postal_code(0, draft.event.household, draft.event.residence)
    if not code or draft.residence_form in FINAL:
        return False
    draft.cells["code_municipal"] = ""
    return _retype(draft, "municipalite_residence", code, "postal")


def code_missing(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """No municipal code; a homonym without qualifier is then undeterminable."""
    had = bool(draft.cells["code_municipal"]) and "code_municipal" in draft.habit.columns
    draft.cells["code_municipal"] = ""
    return had


def _coded(draft: Draft) -> bool:
    return "code_municipal" in draft.habit.columns and draft.cells["code_municipal"] != ""


def code_with_decimals(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """1023.0: a code that a program has read as a number."""
    if not _coded(draft):
        return False
    draft.cells["code_municipal"] = f"{int(str(draft.cells['code_municipal']))}.0"
    return True


def code_wrong(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """Another town's code beside a name: the name wins."""
    # Beside an ambiguous or a regional text the code decides (the contract, « Places »): never a wrong one there.
    if len(place.namesakes(draft.event.residence)) > 1 or draft.residence_form in FINAL - {"alias"}:
        return False
    draft.cells["code_municipal"] = MONTREAL if draft.event.residence != MONTREAL else "65005"
    return "code_municipal" in draft.habit.columns
