"""What an organisation's habits do to the cells of its rows: words for a status, dates as coarse as it keeps them.

Each function changes the draft's cells, keeps their truth in step, and says whether it did; its line is in
`habits.HABITS`.
"""

from __future__ import annotations

import numpy as np

from .drafts import EVENT_DATES, NO_DATE, Draft, typed_date
from .geography import Geography
from .place_defects import slip
from .settings import pick, quarter_of

_COARSER = ("day", "month", "quarter", "year")
# (of a man, of a woman); « a déménagé » says that somebody left only beside a place or a date of departure.
WORDS = {
    "present": (
        ("toujours là", "toujours là"), ("reste en région", "reste en région"),
        ("encore présent", "encore présente"), ("vit toujours ici", "vit toujours ici"),
        ("habite encore la région", "habite encore la région"), ("bien installé", "bien installée"),
        ("est resté", "est restée"), ("n'a pas bougé", "n'a pas bougé"), ("demeure ici", "demeure ici"),
        ("encore sur place", "encore sur place"), ("toujours établi", "toujours établie"),
        ("présence confirmée", "présence confirmée"), ("joint, toujours en région", "jointe, toujours en région"),
    ),
    "left": (
        ("a quitté", "a quitté"), ("n'est plus là", "n'est plus là"), ("parti ailleurs", "partie ailleurs"),
        ("n'habite plus ici", "n'habite plus ici"), ("plus en région", "plus en région"),
        ("est parti", "est partie"), ("reparti", "repartie"), ("départ confirmé", "départ confirmé"),
        ("ne demeure plus ici", "ne demeure plus ici"), ("a quitté la région", "a quitté la région"),
        ("a déménagé", "a déménagé"),
    ),
    "not_reached": (
        ("aucune nouvelle", "aucune nouvelle"), ("pas de réponse", "pas de réponse"),
        ("pas rejoint", "pas rejointe"), ("impossible à joindre", "impossible à joindre"),
        ("ne répond pas", "ne répond pas"), ("sans réponse", "sans réponse"),
        ("n'a pas rappelé", "n'a pas rappelé"), ("contact impossible", "contact impossible"),
        ("n'a pu être joint", "n'a pu être jointe"), ("introuvable", "introuvable"),
        ("n'est pas joignable", "n'est pas joignable"),
    ),
}  # fmt: skip


def status_own_words(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """« Toujours là », « n'est plus là », « aucune nouvelle »; now and then with a slip, or in capitals."""
    u, v, status = rng.random(), rng.random(), draft.event.status
    if not status or draft.cells["statut_suivi"] == "":
        return False
    words = WORDS[status]
    # An organisation has a few words of its own for each status.
    own = [words[(draft.event.organisation * 5 + k) % len(words)] for k in range(3)]
    word = pick(rng, own)[draft.identity.person.sex == "F"]
    if word == "a déménagé" and not (draft.cells.get("destination_depart") or draft.cells.get("date_depart_region")):
        word = "n'est plus là"
    draft.cells["statut_suivi"] = slip(word, rng) if u < 0.03 else word.capitalize() if v < 0.3 else word
    return True


def status_without_date(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """The status of a follow-up and no date of it, on rows that have a place and stand in their own quarter."""
    event = draft.event
    placed = draft.habit.fills("municipalite_residence") and "municipalite_residence" not in event.blank
    placed = placed and draft.cells["municipalite_residence"] != "" and draft.residence_form in ("exact", "variant")
    if not event.status or not placed or draft.quarter != quarter_of(event.follow_up_date or event.day):
        return False
    draft.cells["date_suivi"] = ""
    return True


def _coarser(draft: Draft, precision: str) -> bool:
    for column in (*EVENT_DATES, "date_arrivee_quebec"):
        typed = draft.cells.get(column, "") not in ("", *NO_DATE) and column not in draft.moved
        if typed and column in draft.days and _COARSER.index(draft.days[column][1]) < _COARSER.index(precision):
            draft.days[column] = (draft.days[column][0], precision)
            draft.cells[column] = typed_date(draft.days[column][0], precision, draft.habit.dates)
    return True


def dates_to_the_month(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """« mars 2022 », everywhere."""
    return _coarser(draft, "month")


def dates_to_the_quarter(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """« T4 2021-2022 », everywhere."""
    return _coarser(draft, "quarter")


def dates_to_the_year(draft: Draft, rng: np.random.Generator, place: Geography) -> bool:
    """« 2022 », everywhere."""
    return _coarser(draft, "year")


def leave_blank(draft: Draft) -> None:
    """Blank the cells that the organisation leaves blank on this row, and those of the columns it does not have."""
    for column in draft.cells:
        if column in draft.event.blank or not draft.habit.fills(column):
            draft.cells[column] = ""
    if draft.cells["municipalite_residence"] == "" and draft.cells["code_municipal"] == "":
        draft.residence_form = "none"
    if not (draft.cells.get("municipalite_destination") or draft.cells.get("destination_depart")):
        draft.destination_form = ""
