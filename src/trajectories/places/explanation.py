"""Why a typed place was, or was not, matched to a municipality: one sentence in French, one in English."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from ..tables import METROPOLE, OUTSIDE_QUEBEC, REGION, UNKNOWN
from .lexicon import lexicon
from .matching import PlaceMatch, Slip, coded, one_place
from .spelling import key_of, spell, trimmed
from .territory import read_reference, reference_municipalities, region_names

# ----------------------------------------------------------------------------------------------------
# The sentences of `explain_place`, French and English: a message catalogue, no logic.
#
# Not in the report's catalogue: this room may not import from the report.

WORDS: dict[str, dict[str, str]] = {
    "fr": {
        "quote": "«\u00a0{typed}\u00a0»\u00a0: ",
        "place": "{place}, {side}",
        "area": "une municipalité inconnue de la région {region}",
        OUTSIDE_QUEBEC: "un lieu hors du Québec",
        "nothing": "aucune municipalité n’est retenue",
        "or": " ou ",
        "slip": "le nom connu le plus proche est «\u00a0{name}\u00a0», à {keystrokes} (ressemblance {score}\u00a0%)",
        "second": "; l’autre nom le plus proche, «\u00a0{name}\u00a0», est à {keystrokes}",
        "alone": "; aucun autre n’est proche",
        "keystroke": "{number} frappe",
        "keystrokes": "{number} frappes",
        "against": " Le code tapé est celui de {place}\u00a0: {verdict}.",
        "name_wins": "le nom l’emporte",
        "not_among": "il ne convient pas à ce nom, et rien n’est choisi",
        "no_such_code": " Le code tapé, {code}, n’existe pas.",
    },
    "en": {
        "quote": "“{typed}”: ",
        "place": "{place}, {side}",
        "area": "an unknown municipality of the region {region}",
        OUTSIDE_QUEBEC: "a place outside Québec",
        "nothing": "no municipality is taken",
        "or": " or ",
        "slip": "the nearest known name is “{name}”, {keystrokes} away (similarity {score}%)",
        "second": "; the other nearest name, “{name}”, is {keystrokes} away",
        "alone": "; no other is near",
        "keystroke": "{number} keystroke",
        "keystrokes": "{number} keystrokes",
        "against": " The code typed is that of {place}: {verdict}.",
        "name_wins": "the name wins",
        "not_among": "it does not fit this name, and nothing is chosen",
        "no_such_code": " The code typed, {code}, does not exist.",
    },
}

SIDES = {
    "fr": {
        METROPOLE: "dans le périmètre {perimeter}",
        REGION: "hors du périmètre {perimeter}",
        UNKNOWN: "d’un côté inconnu du périmètre {perimeter}",
    },
    "en": {
        METROPOLE: "inside the {perimeter} perimeter",
        REGION: "outside the {perimeter} perimeter",
        UNKNOWN: "on an unknown side of the {perimeter} perimeter",
    },
}

# Kinds of aliases.csv.
KINDS = {
    "fr": {
        "": "un autre nom connu", "arrondissement": "un arrondissement", "former_name": "un ancien nom",
        "merged_or_locality": "une localité ou une ancienne municipalité", "abbrev": "une abréviation",
        "merged_or_recoded": "une ancienne municipalité", "short_name": "un nom abrégé",
        "english_or_variant": "un nom anglais ou une variante", "dash_variant": "une variante de graphie",
        "spelling_variant": "une variante de graphie", "variant": "une variante",
    },
    "en": {
        "": "another known name", "arrondissement": "a borough", "former_name": "a former name",
        "merged_or_locality": "a locality or a former municipality", "abbrev": "an abbreviation",
        "merged_or_recoded": "a former municipality", "short_name": "a short name",
        "english_or_variant": "an English name or a variant", "dash_variant": "a variant spelling",
        "spelling_variant": "a variant spelling", "variant": "a variant",
    },
}  # fmt: skip

# Why a place was matched or not, by `PlaceMatch.why`.
REASONS: dict[str, dict[str, str]] = {
    "blank": {"fr": "Rien n’est tapé.", "en": "Nothing was typed."},
    "official": {
        "fr": "C’est le nom officiel, quelle que soit la façon de le taper.",
        "en": "It is the official name, however it is typed.",
    },
    "alias": {"fr": "C’est {kind} de cette municipalité.", "en": "It is {kind} of this municipality."},
    "borough": {
        "fr": "C’est un arrondissement de cette municipalité.",
        "en": "It is a borough of this municipality.",
    },
    "article": {
        "fr": "C’est le nom, à l’article près.",
        "en": "It is the name, but for an article.",
    },
    "two_names": {
        "fr": "Deux noms de cette municipalité sont tapés ensemble.",
        "en": "Two names of this municipality are typed together.",
    },
    "qualifier": {
        "fr": "Plusieurs municipalités ont ce nom; ce qui est tapé avec lui désigne celle-ci.",
        "en": "Several municipalities have this name; what is typed with it tells this one.",
    },
    "code_typed": {
        "fr": "C’est son code municipal qui est tapé.",
        "en": "Its municipal code was typed.",
    },
    "code": {
        "fr": "Le nom seul n’y suffit pas; le code municipal la désigne.",
        "en": "The name alone does not settle; the municipal code tells it.",
    },
    "postal": {
        "fr": "Plusieurs municipalités ont ce nom; le code postal n’en laisse qu’une.",
        "en": "Several municipalities have this name; the postal code leaves one.",
    },
    "homonym": {
        "fr": "Plusieurs municipalités ont ce nom\u00a0: {candidates}. Le code municipal ou la MRC entre parenthèses "
        "trancherait.",
        "en": "Several municipalities have this name: {candidates}. The municipal code or the MRC in brackets would "
        "settle it.",
    },
    "contradiction": {
        "fr": "Le nom et ce qui est tapé avec lui ne désignent pas le même endroit\u00a0: {candidates}.",
        "en": "The name and what is typed with it are not of one place: {candidates}.",
    },
    "prefix": {
        "fr": "Ce n’est que le début d’un nom\u00a0: {candidates}.",
        "en": "It is only the beginning of a name: {candidates}.",
    },
    "area": {
        "fr": "C’est un mot régional, qui ne dit pas quelle municipalité.",
        "en": "It is a regional word, which does not say which municipality.",
    },
    "outside": {
        "fr": "C’est une province, un pays ou une formule qui veut dire hors du Québec.",
        "en": "It is a province, a country or a phrase that means outside Québec.",
    },
    "unknown_word": {
        "fr": "Ces mots veulent dire que le lieu n’est pas connu.",
        "en": "These words mean that the place is not known.",
    },
    "postal_typed": {
        "fr": "C’est un code postal, qui ne désigne pas une municipalité à lui seul.",
        "en": "It is a postal code, which tells no municipality by itself.",
    },
    "not_found": {"fr": "Aucun nom connu n’est proche.", "en": "No known name is near."},
    "slip": {
        "fr": "C’est une faute de frappe\u00a0: {slip}.",
        "en": "It is a typing slip: {slip}.",
    },
    "slip_qualifier": {
        "fr": "C’est une faute de frappe que ce qui est tapé avec le nom permet de lever\u00a0: {slip}.",
        "en": "It is a typing slip, settled by what is typed with the name: {slip}.",
    },
    "slip_homonym": {
        "fr": "C’est une faute de frappe dans un nom que plusieurs municipalités portent\u00a0: {candidates}; {slip}.",
        "en": "It is a typing slip in a name that several municipalities have: {candidates}; {slip}.",
    },
    "slip_prefix": {
        "fr": "C’est une faute de frappe dans le début d’un nom\u00a0: {candidates}.",
        "en": "It is a typing slip in the beginning of a name: {candidates}.",
    },
    "slip_contradiction": {
        "fr": "Le nom, mal tapé, et ce qui est tapé avec lui ne désignent pas le même endroit\u00a0: {candidates}.",
        "en": "The mistyped name and what is typed with it are not of one place: {candidates}.",
    },
    "slip_area": {
        "fr": "C’est une faute de frappe dans un mot régional, qui ne dit pas quelle municipalité\u00a0: {slip}.",
        "en": "It is a typing slip in a regional word, which does not say which municipality: {slip}.",
    },
    "slip_outside": {
        "fr": "C’est une faute de frappe dans le nom d’un lieu hors du Québec\u00a0: {slip}.",
        "en": "It is a typing slip in the name of a place outside Québec: {slip}.",
    },
    "slip_unknown_word": {
        "fr": "Ces mots, mal tapés, veulent dire que le lieu n’est pas connu\u00a0: {slip}.",
        "en": "These mistyped words mean that the place is not known: {slip}.",
    },
    "slip_rivals": {
        "fr": "Plusieurs noms sont trop proches pour choisir\u00a0: {candidates}; {slip}.",
        "en": "Several names are too near to choose: {candidates}; {slip}.",
    },
    "slip_unclear": {
        "fr": "Une municipalité et un mot régional ou étranger sont trop proches pour choisir\u00a0: {slip}.",
        "en": "A municipality and a regional or foreign word are too near to choose: {slip}.",
    },
    "slip_too_far": {
        "fr": "Aucun nom connu n’est assez proche\u00a0: {slip}.",
        "en": "No known name is near enough: {slip}.",
    },
}


# ----------------------------------------------------------------------------------------------------

LANGUAGES = ("fr", "en")


@dataclass(frozen=True)
class PlaceExplanation:
    """
    The match of one typed place, and the reason.

    Attributes
    ----------
    typed : str
    code, name, region : str or None
        The municipality (5 digits), its official name, the region (2 digits).
    zone, match : str or None
        As in `find_places`.
    candidates : tuple of str
        Codes between which the evidence does not decide.
    why : str
        A stable word, a key of `REASONS`.
    score : float or None
        For a typing slip, the similarity with the nearest name, 0–1 (1 − keystrokes / letters).
    french, english : str
        The same as a sentence.
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
    Explain how a typed place is matched.

    Parameters
    ----------
    text : str
        Text of a municipality column.
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
    place, region, zone = one_place(text, code, postal_code, perimeter)
    slip = place.slip
    score = None
    if slip:
        typed = trimmed(spell(text).key)[0]
        score = 1 - slip.distance / max(len(typed), len(slip.key))
    french, english = (
        _sentence(text, place, region, zone, perimeter, score, language) + _about_code(code, place, language)
        for language in LANGUAGES
    )
    name = reference_municipalities().at[place.code, "name"] if place.code else None
    return PlaceExplanation(
        text, place.code, name, region, zone, place.match, place.candidates, place.why, score, french, english
    )


def _sentence(
    text: str,
    place: PlaceMatch,
    region: str | None,
    zone: str | None,
    perimeter: str,
    score: float | None,
    language: str,
) -> str:
    words = WORDS[language]
    if place.code:
        taken_for = words["place"].format(
            place=_named(place.code), side=SIDES[language][zone].format(perimeter=perimeter)
        )
    elif place.match == "area_only" and zone != OUTSIDE_QUEBEC and region:
        taken_for = words["area"].format(region=region_names()[region])
        if zone in (METROPOLE, REGION):
            taken_for += ", " + SIDES[language][zone].format(perimeter=perimeter)
    else:
        taken_for = words[zone if zone == OUTSIDE_QUEBEC else "nothing"]
    kind = lexicon().kinds.get(trimmed(spell(text).key)[0], "") or lexicon().kinds.get(key_of(text), "")
    reason = REASONS[place.why][language].format(
        kind=KINDS[language].get(kind, KINDS[language][""]),
        candidates=words["or"].join(map(_named, place.candidates)),
        slip=_slip(place.slip, score, language) if place.slip else "",
    )
    return f"{words['quote'].format(typed=text)}{taken_for}. {reason}"


def _slip(slip: Slip, score: float | None, language: str) -> str:
    words = WORDS[language]
    sentence = words["slip"].format(
        name=_shown(slip.key), keystrokes=_keystrokes(slip.distance, words), score=round(100 * (score or 0))
    )
    if slip.second is None or slip.second_distance is None:
        return sentence + words["alone"]
    return sentence + words["second"].format(
        name=_shown(slip.second), keystrokes=_keystrokes(slip.second_distance, words)
    )


def _keystrokes(number: int, words: dict[str, str]) -> str:
    return words["keystrokes" if number > 1 else "keystroke"].format(number=number)


def _about_code(code: str | None, place: PlaceMatch, language: str) -> str:
    """The sentence on a typed code that was not followed; empty where there is none."""
    words = WORDS[language]
    typed = str(code or "").strip()
    place_of_code = coded(typed) if typed else None
    if typed and place_of_code is None:
        return words["no_such_code"].format(code=typed)
    if place_of_code is None or place_of_code.code in (None, place.code) or place.zone == OUTSIDE_QUEBEC:
        return ""
    verdict = words["name_wins" if place.code else "not_among"]
    return words["against"].format(place=_named(place_of_code.code), verdict=verdict)


def _named(code: str) -> str:
    row = reference_municipalities().loc[code]
    return f"{row['name']} ({code}, {row['region_name']})"


@functools.cache
def _names() -> dict[str, str]:
    texts = [*read_reference("region_aliases")["alias"], *read_reference("aliases")["alias"]]
    texts += [*reference_municipalities()["mrc"], *region_names().values(), *reference_municipalities()["name"]]
    return {key_of(text): text for text in texts}


def _shown(key: str) -> str:
    """The official spelling of a key, where it is a name of the tables."""
    return _names().get(key) or key.title()
