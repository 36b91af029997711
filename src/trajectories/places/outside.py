"""Words for places outside Québec, and for « we don't know », as partners type them for a destination."""

from __future__ import annotations

import functools

from .spelling import key_of

_PHRASES = (
    "hors Québec", "hors du Québec", "à l'extérieur du Québec", "extérieur du Québec", "extérieur Québec",
    "autre province", "une autre province", "dans une autre province", "hors province", "hors de la province",
    "hors du pays", "hors pays", "hors Canada", "hors du Canada",
    "à l'étranger", "étranger",
    "l'étranger", "autre pays", "pays d'origine", "retour au pays", "retour dans son pays", "retour au pays d'origine",
    "outside Quebec", "out of province", "abroad", "Canada", "Canada anglais", "ailleurs au Canada",
    "reste du Canada", "rest of Canada", "ROC", "Ouest canadien", "Maritimes", "provinces maritimes", "Europe",
    "Afrique", "Asie",
)  # fmt: skip
_PROVINCES = (
    "Ontario", "ON", "Ont.", "Nouveau-Brunswick", "NB", "N.-B.", "New Brunswick", "Nouvelle-Écosse", "NS", "N.-É.",
    "Nova Scotia", "Île-du-Prince-Édouard", "ÎPÉ", "IPE", "PEI", "Prince Edward Island", "Terre-Neuve",
    "Terre-Neuve-et-Labrador", "Newfoundland", "Manitoba", "MB", "Saskatchewan", "SK", "Alberta",
    "AB", "Colombie-Britannique", "C.-B.", "CB", "BC", "British Columbia", "Yukon", "Nunavut",
    "Territoires du Nord-Ouest", "TNO", "Toronto", "Ottawa", "Vancouver", "Calgary",
    "Edmonton", "Winnipeg", "Moncton", "Halifax", "Mississauga",
)  # fmt: skip
_COUNTRIES = (
    "États-Unis", "USA", "É.-U.", "US", "États-Unis d'Amérique", "RDC", "Congo", "République démocratique du Congo",
    "République du Congo", "Congo (RDC)", "Royaume-Uni", "Angleterre", "République centrafricaine", "Cap-Vert",
    "Birmanie", "Viet Nam", "Vietnam", "République dominicaine", "Corée", "République tchèque", "Moldavie",
    "Fédération de Russie",
)  # fmt: skip
_UNKNOWN = (
    "inconnu", "inconnue", "destination inconnue", "ne sait pas", "NSP", "non connu", "non connue", "non précisé",
    "non précisée", "indéterminé", "indéterminée", "à déterminer", "aucune information", "sans nouvelle",
    "sans nouvelles", "unknown", "?", "n/d", "ND", "n.d.", "N/A", "NA", "-", "s.o.", "sans objet", "non disponible",
)  # fmt: skip


@functools.cache
def outside_words() -> frozenset[str]:
    """Keys of what means « outside Québec »: phrases, provinces, large cities, every country (Babel, fr and en)."""
    from babel import Locale

    countries = [
        name
        for language in ("fr", "en")
        for code, name in Locale(language).territories.items()
        if len(code) == 2 and code.isalpha() and code != "CA"
    ]
    return frozenset(filter(None, map(key_of, (*_PHRASES, *_PROVINCES, *_COUNTRIES, *countries))))


@functools.cache
def unknown_words() -> frozenset[str]:
    """Keys of the words that mean « we don't know »."""
    return frozenset(map(key_of, _UNKNOWN))
