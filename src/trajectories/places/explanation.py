"""Why a typed place was, or was not, taken for a municipality: one sentence in French, one in English."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from ..tables import METROPOLE, OUTSIDE_QUEBEC, REGION
from .lexicon import lexicon
from .matching import one_place
from .naming import Found, Slip, coded
from .sentences import KINDS, REASONS, SIDES, WORDS
from .spelling import key_of, spell, trimmed
from .territory import read_reference, reference_municipalities, region_names

LANGUAGES = ("fr", "en")


@dataclass(frozen=True)
class PlaceExplanation:
    """
    What one typed place was taken for, and why.

    Attributes
    ----------
    typed : str
    code, name, region : str or None
        The municipality (5 digits), its official name, the region (2 digits).
    zone, match : str or None
        As in `find_places`.
    candidates : tuple of str
        Codes among which nothing settles.
    why : str
        A stable word, a line of `sentences.REASONS`.
    score : float or None
        For a typing slip, the similarity with the nearest name, 0–1 (1 − keystrokes / letters).
    french, english : str
        The same, for people.
    """

    typed: str
    code: str | None
    name: str | None
    region: str | None
    zone: str | None
    match: str | None
    candidates: tuple[str, ...]
    why: str
    score: float | None
    french: str
    english: str


def explain_place(
    text: str, *, code: str | None = None, postal_code: str | None = None, perimeter: str = "RMR-2021"
) -> PlaceExplanation:
    """
    Say what a typed place is taken for, and why.

    Parameters
    ----------
    text : str
        What was typed in a municipality column.
    code, postal_code : str, optional
        The municipal code and the postal code typed with it.
    perimeter : {"RMR-2021", "RMR-2016", "CMM"}

    Returns
    -------
    PlaceExplanation

    Raises
    ------
    ValueError
        The perimeter is unknown.

    Examples
    --------
    >>> print(explain_place("st jean s richelieu").english)
    “st jean s richelieu”: Saint-Jean-sur-Richelieu (56083, Montérégie), inside the RMR-2021 perimeter. It is the
    official name, however it is typed.
    >>> explain_place("Sherboroke").why
    'slip'
    """
    found, region, zone = one_place(text, code, postal_code, perimeter)
    slip = found.slip
    score = None
    if slip:
        typed = trimmed(spell(text).key)[0]
        score = 1 - slip.distance / max(len(typed), len(slip.key))
    french, english = (
        _sentence(text, found, region, zone, perimeter, score, language) + _about_code(code, found, language)
        for language in LANGUAGES
    )
    name = reference_municipalities().at[found.code, "name"] if found.code else None
    return PlaceExplanation(
        text, found.code, name, region, zone, found.match, found.candidates, found.why, score, french, english
    )


def _sentence(
    text: str, found: Found, region: str | None, zone: str | None, perimeter: str, score: float | None, language: str
) -> str:
    words = WORDS[language]
    if found.code:
        about = words["place"].format(place=_named(found.code), side=SIDES[language][zone].format(perimeter=perimeter))
    elif found.match == "area_only" and zone != OUTSIDE_QUEBEC and region:
        about = words["area"].format(region=region_names()[region])
        if zone in (METROPOLE, REGION):
            about += ", " + SIDES[language][zone].format(perimeter=perimeter)
    else:
        about = words[zone if zone == OUTSIDE_QUEBEC else "nothing"]
    kind = lexicon().kinds.get(trimmed(spell(text).key)[0], "") or lexicon().kinds.get(key_of(text), "")
    reason = REASONS[found.why][language].format(
        kind=KINDS[language].get(kind, KINDS[language][""]),
        candidates=words["or"].join(map(_named, found.candidates)),
        slip=_slip(found.slip, score, language) if found.slip else "",
    )
    return f"{words['quote'].format(typed=text)}{about}. {reason}"


def _slip(slip: Slip, score: float | None, language: str) -> str:
    words = WORDS[language]
    said = words["slip"].format(
        name=_shown(slip.key), keystrokes=_keystrokes(slip.distance, words), score=round(100 * (score or 0))
    )
    if slip.second is None or slip.second_distance is None:
        return said + words["alone"]
    return said + words["second"].format(name=_shown(slip.second), keystrokes=_keystrokes(slip.second_distance, words))


def _keystrokes(number: int, words: dict[str, str]) -> str:
    return words["keystrokes" if number > 1 else "keystroke"].format(number=number)


def _about_code(code: str | None, found: Found, language: str) -> str:
    """What is to be said of a typed code that was not followed."""
    words = WORDS[language]
    typed = str(code or "").strip()
    own = coded(typed) if typed else None
    if typed and own is None:
        return words["no_such_code"].format(code=typed)
    if own is None or own.code in (None, found.code) or found.zone == OUTSIDE_QUEBEC:
        return ""
    verdict = words["name_wins" if found.code else "not_among"]
    return words["against"].format(place=_named(own.code), verdict=verdict)


def _named(code: str) -> str:
    row = reference_municipalities().loc[code]
    return f"{row['name']} ({code}, {row['region_name']})"


@functools.cache
def _names() -> dict[str, str]:
    texts = [*read_reference("region_aliases")["alias"], *read_reference("aliases")["alias"]]
    texts += [*reference_municipalities()["mrc"], *region_names().values(), *reference_municipalities()["name"]]
    return {key_of(text): text for text in texts}


def _shown(key: str) -> str:
    """A key as it is officially written, where it is a name of the tables."""
    return _names().get(key) or key.title()
