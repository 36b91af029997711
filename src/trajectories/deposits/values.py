"""Typed words → codes: categories, levels, yes and no, numbers, periods. Work is on distinct texts.

Each function takes distinct texts and returns (values, unreadable): an object array with None where nothing was typed
or the text could not be read, and a mask of the latter.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping

import numpy as np

from ..places.spelling import fold
from ..study import FIRST_YEAR, LAST_YEAR
from ..tables import LEFT, NOT_REACHED, PRESENT
from .crosswalks import LIST_OF, Crosswalk, Crosswalks, word_key

# ----------------------------------------------------------------------------------------------------
# Names of countries → ISO 3166-1 alpha-3: those of CLDR in French and English (Babel), and other common spellings.

_COUNTRY_WORDS = {
    "rdc": "COD", "rd congo": "COD", "congo rdc": "COD", "republique democratique du congo": "COD",
    "congo kinshasa": "COD", "zaire": "COD", "congo": "COG", "republique du congo": "COG", "usa": "USA",
    "etats unis d amerique": "USA", "e u": "USA", "us": "USA", "angleterre": "GBR", "grande bretagne": "GBR",
    "ecosse": "GBR", "uk": "GBR", "birmanie": "MMR", "myanmar": "MMR", "cap vert": "CPV", "vietnam": "VNM",
    "viet nam": "VNM", "coree": "KOR", "coree du sud": "KOR", "iran": "IRN", "republique islamique d iran": "IRN",
    "syrie": "SYR", "moldavie": "MDA", "moldova": "MDA", "cote ivoire": "CIV", "ivory coast": "CIV", "rca": "CAF",
    "centrafrique": "CAF", "palestine": "PSE", "kosovo": "XKX", "taiwan": "TWN", "hong kong": "HKG", "chine": "CHN",
    "macedoine": "MKD", "bielorussie": "BLR", "tcheque": "CZE", "republique tcheque": "CZE", "hollande": "NLD",
    "quebec": "CAN", "emirats": "ARE", "eau": "ARE", "guinee conakry": "GIN", "guinee bissau": "GNB",
    "salvador": "SLV", "trinite et tobago": "TTO", "swaziland": "SWZ",
}  # fmt: skip


@functools.cache
def country_words() -> dict[str, str]:
    """Names of countries in French and English, and their codes → ISO 3166-1 alpha-3."""
    from babel import Locale
    from babel.core import get_global

    # CLDR lists the three-letter codes as aliases of the two-letter ones
    three = {
        targets[0]: alias
        for alias, targets in sorted(get_global("territory_aliases").items())
        if len(alias) == 3 and alias.isalpha() and len(targets) == 1
    }
    # countries for which CLDR also lists withdrawn codes
    three |= {
        "CD": "COD",
        "MM": "MMR",
        "TL": "TLS",
        "RO": "ROU",
        "DE": "DEU",
        "FR": "FRA",
        "YE": "YEM",
        "RU": "RUS",
        "RS": "SRB",
    }
    words: dict[str, str] = {}
    for language in ("en", "fr"):
        for code, name in Locale(language).territories.items():
            if code in three:
                words[word_key(name)] = three[code]
    for code, alpha in three.items():
        words.setdefault(word_key(alpha), alpha)
        words.setdefault(word_key(code), alpha)
    return words | _COUNTRY_WORDS


# ----------------------------------------------------------------------------------------------------
# The status of a follow-up in partners' own words, where the crosswalk does not know the phrase.
#
# Somebody is there (« toujours là », « reste en région »), has left (« n'est plus là », « partie ailleurs ») or was
# not reached (« aucune nouvelle », « impossible à joindre »). A phrase is read by its words, slips allowed: what it
# states, and whether it denies it. An ambiguous phrase (« pas présent », « prévoit partir ») is not read. « Déménagé »
# alone does not say that somebody left the region: it is `MOVED`, and the other cells of the row decide.

MOVED = "moved"
_STAY, _LEAVE, _REACH, _LOST, _DENIED, _NO_MORE, _DOUBT = range(7)
_WORDS = {
    _STAY: """present presente presents presentes presence reste restee restes demeure demeurent demeurer habite
        habitent habiter vit vivent vivre reside resident resider installe installee installes etabli etablie
        etablis place la region ici stable actif active bouge toujours encore maintenu maintenue""",
    _LEAVE: """parti partie partis parties reparti repartie quitte quittee quittent depart ailleurs retourne retournee
        retournes sorti sortie quitter partir""",
    _REACH: """joint jointe joints joindre rejoint rejointe rejoints rejoindre joignable rejoignable contact contacte
        contactee contacter contacts repond repondu repondent reponse nouvelle nouvelles rappel rappele rappelle
        rappelee trace localise localisee atteint atteinte atteindre retrouve retrouvee suivi suivie""",
    _LOST: """injoignable injoignables introuvable introuvables perdu perdue perdus messagerie repondeur""",
    _DENIED: "n ne pas non jamais aucun aucune sans impossible impossibles echec echoue infructueux manque",
    _NO_MORE: "plus hors",
    _DOUBT: """peut probablement peutetre semble serait possible prevoit prevoient veut veulent va vont compte pense
        pensent souhaite projette partira quittera devrait incertain verifier""",
}
_MOVED = frozenset(["demenage", "demenagee", "demenages", "demenagement", "demenager"])
_MEANING = {word: meaning for meaning, words in _WORDS.items() for word in words.split()}
# « Sans retour », « n'a pas retourné nos appels »: a call that is returned is an answer, not somebody who returns.
_CALLS = r"\bretourne\w* (?:(?:a|l|la|les|nos|notre|mes|mon|aux?|d|de|s) )*(?:appels?|messages?|courriels?)\b"
_RETURN = r"(?<!est pas de )(?<=sans |ucun | pas |s de |u de )retours?\b(?! (?:a|au|aux|en|vers|dans|chez)\b)"
_REPLY = re.compile(f"{_CALLS}|{_RETURN}")
# Whole phrases, since « local » would be a slip of « vocal ».
_VOICE_MAIL = re.compile(r"\b(?:boite vocale|message vocal|messages vocaux)\b")
# A slip is a word of this similarity (0–100) to a known one, of at least so many letters.
_ALIKE, _LETTERS = 80, 4


def read_status(text: str) -> str:
    """
    The status that a phrase says: present, left, not_reached, or `MOVED`.

    Raises
    ------
    KeyError
        It says none of them, or two.

    Examples
    --------
    >>> [read_status(text) for text in ("Toujours là", "n'est plus la", "aucunne nouvelle", "pas rejointe", "déménagé")]
    ['present', 'left', 'not_reached', 'not_reached', 'moved']
    """
    phrase = _VOICE_MAIL.sub("messagerie", _REPLY.sub("reponse", f" {word_key(text)}"))
    words = [_known(word) for word in phrase.split()]
    meanings = {_MEANING[word] for word in words if word in _MEANING}
    stays, leaves, denied = _STAY in meanings, _LEAVE in meanings, _DENIED in meanings or _NO_MORE in meanings
    if _LOST in meanings or (_REACH in meanings and denied):
        # « parti, sans nouvelle » says that somebody left
        return LEFT if leaves and _DOUBT not in meanings else NOT_REACHED
    if _DOUBT in meanings:
        raise KeyError(text)
    if not _MOVED.isdisjoint(words):
        return MOVED
    if leaves:
        return PRESENT if _DENIED in meanings and _NO_MORE not in meanings else LEFT
    if stays and _NO_MORE in meanings:
        return LEFT
    if stays and (not denied or "bouge" in words):
        return PRESENT
    raise KeyError(text)


@functools.lru_cache(maxsize=10_000)
def _known(word: str) -> str:
    """The listed word that a word is, or is a slip of; else the word itself."""
    from rapidfuzz import fuzz, process

    if word in _MEANING or word in _MOVED or len(word) < _LETTERS:
        return word
    known = [candidate for candidate in (*_MEANING, *_MOVED) if len(candidate) >= _LETTERS]
    match = process.extractOne(word, known, scorer=fuzz.ratio, score_cutoff=_ALIKE)
    return match[0] if match else word


# ----------------------------------------------------------------------------------------------------

# Typed for « nothing » in a column of words: missing, not an issue.
NOTHING = frozenset((
    "", "n d", "nd", "na", "n a", "s o", "so", "sans objet", "non disponible", "non precise", "non precisee", "inconnu",
    "inconnue", "ne sait pas", "nsp", "null", "nan", "vide", "non renseigne", "n s p", "a venir", "a determiner",
))  # fmt: skip
# What a spreadsheet shows where a formula failed, in English and in French.
FORMULA_ERRORS = frozenset((
    "#n/a", "#ref!", "#value!", "#name?", "#div/0!", "#num!", "#null!", "#spill!", "#calc!", "#field!", "#getting_data",
    "#valeur!", "#nom?", "#nombre!", "#nul!", "#propagation!", "#calcul!", "#champ!",
))  # fmt: skip
_SPLIT = re.compile(r"[;,/|+&\n\r]+|\s+et\s+")
_LEVEL = re.compile(r"^(?:niveaux?|niv\.?|n)?\s*(\d{1,2})(?:[.,]0*)?(?:\s*/\s*12)?$")
_LEVELS = re.compile(r"^(?:niveaux?|niv\.?|n)?\s*(\d{1,2})\s*(?:-|–|a|et|ou)\s*(\d{1,2})$")
_STAGE = re.compile(r"^stade\s*([123]|i{1,3})\b")
_STAGES = {
    "1": "beginner",
    "i": "beginner",
    "2": "intermediate",
    "ii": "intermediate",
    "3": "advanced",
    "iii": "advanced",
}
_NUMBER = re.compile(r"^([-−]?\d{1,3})(?:[.,]0*)?\s*(?:personnes?|pers|membres?)?\.?$")
# « V2 », « volet no 2 », « 2 », « V2.7 » and « 2a » are of volet 2; a Roman number only where « volet » is written.
_STREAM = re.compile(
    r"^(?:(?:v|volet|vol\.?)?[\s.:_-]*(?:no|n°|#)?\s*([1-9])|volet\s+(i{1,3}|iv|v))(?:\.\d{1,2}|[a-d])?$"
)
_STREAM_AND_WORDS = re.compile(r"^(?:v|volet|vol\.?)\s*([1-9])\s*[:–—(,-]\s*[a-z]")
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}
# « réfugié(e) », « étudiant·e·s », « présent / présente »: endings that make a word of either gender or number.
_ENDINGS = re.compile(r"(?<=[a-z]{3}) (?:e|s|es|ne|nes|le|les|trice|trices|euse|euses|ve|ves)(?: s)?(?= |$)")
_NUMBERED = re.compile(r"^\d{1,2} (?=[a-z])")
_BRACKETS = re.compile(r"\([^)]*\)")
# Least similarity (0–100) of a known value that is called close.
CLOSE = 60
_EXERCICE = re.compile(r"(?<!\d)(\d{4})\s*[-/–—_ ]\s*(\d{4}|\d{2})(?!\d)")
_QUARTER = re.compile(r"^(?:t|q|trim\w*)?\W*([1-4])(?:er|re|e|eme|nd)?(?:\W+trim\w*)?(?:\W.*)?$")
_POSTAL = re.compile(r"^[A-Z]\d[A-Z](?: ?\d[A-Z]\d)?$")

Result = tuple[np.ndarray, np.ndarray]


def read_each(texts: list[str], read: Callable[[str], object]) -> Result:
    """
    The texts read one by one.

    `read` returns the value, or None where nothing is typed, or raises KeyError or ValueError on an unreadable text.
    """
    values = np.full(len(texts), None, dtype=object)
    unreadable = np.zeros(len(texts), dtype=bool)
    for i, text in enumerate(texts):
        try:
            values[i] = read(text)
        except (KeyError, ValueError):
            unreadable[i] = True
    return values, unreadable


def look_up(text: str, words: Mapping[str, str]) -> str | None:
    """
    The code of one typed word, None where nothing is typed; also of words in both genders, numbered or with brackets.

    Raises
    ------
    KeyError
        The word is not known.

    Examples
    --------
    >>> words = {"refugie": "refugee", "etudiant": "student"}
    >>> look_up("Réfugié·e", words), look_up("3 - Étudiant (permis d'études)", words), look_up("s.o.", words)
    ('refugee', 'student', None)
    """
    key = word_key(text)
    if key in words:
        return words[key]
    if key in NOTHING:
        return None
    for candidate in (
        _ENDINGS.sub("", key),
        word_key(_BRACKETS.sub(" ", text)),
        _NUMBERED.sub("", key),
        _NUMBERED.sub("", word_key(_BRACKETS.sub(" ", text))),
    ):
        if candidate in words:
            return words[candidate]
    raise KeyError(text)


def coded(texts: list[str], words: Mapping[str, str]) -> Result:
    """Words of a closed list → codes."""
    return read_each(texts, lambda text: look_up(text, words))


def statuses(texts: list[str], words: Mapping[str, str]) -> Result:
    """Statuses of follow-ups → codes: by the list, else by `read_status`."""

    def read(text: str):
        try:
            return look_up(text, words)
        except KeyError:
            return read_status(text)

    return read_each(texts, read)


def coded_list(texts: list[str], words: Mapping[str, str]) -> Result:
    """Several words in one cell → codes joined by ";" in the order typed; unreadable if one of them is."""
    values = np.full(len(texts), None, dtype=object)
    unreadable = np.zeros(len(texts), dtype=bool)
    for i, text in enumerate(texts):
        codes: dict[str, None] = {}
        for part in [text] if word_key(text) in words else _SPLIT.split(text):
            try:
                code = look_up(part, words)
            except KeyError:
                unreadable[i] = True
            else:
                codes |= {} if code is None else {code: None}
        values[i] = ";".join(codes) or None
    return values, unreadable


def named(texts: list[str], words: Mapping[str, str]) -> Result:
    """Words of an open list → codes; a word that is not in it stays as it was typed."""
    return read_each(texts, lambda text: words.get(word_key(text), clean(text)))


def french_levels(texts: list[str], words: Mapping[str, str]) -> Result:
    """Words, or levels 0–12 of the Échelle québécoise: `niveau 5`, `5/12`, `5 à 8` (of one stage), `stade 2`."""

    def read(text: str):
        folded = fold(text).strip()
        if match := _STAGE.match(folded):
            return _STAGES[match[1]]
        if match := _LEVEL.match(folded):
            return words[str(int(match[1]))]
        if (match := _LEVELS.match(folded)) and int(match[1]) < int(match[2]):
            low, high = (words[str(int(match[side]))] for side in (1, 2))
            if low != high:  # two stages are not one: nothing is guessed
                raise ValueError(text)
            return low
        return look_up(text, words)

    return read_each(texts, read)


def yes_no(texts: list[str], words: Mapping[str, str]) -> Result:
    """Yes and no → True and False."""
    values, unreadable = coded(texts, words)
    flags = {"yes": True, "no": False, None: None}
    return np.array([flags[value] for value in values], dtype=object), unreadable


def whole_numbers(texts: list[str], lowest: int, highest: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Small whole numbers → (numbers, unreadable, impossible): the last are numbers outside [lowest, highest]."""

    def read(text: str):
        folded = fold(text).strip()
        if word_key(folded) in NOTHING:
            return None
        match = _NUMBER.match(folded)
        if not match:
            raise ValueError(text)
        return int(match[1].replace("−", "-"))

    values, unreadable = read_each(texts, read)
    impossible = np.array([value is not None and not lowest <= value <= highest for value in values], dtype=bool)
    values[impossible] = None
    return values, unreadable, impossible


def clean(text: str) -> str | None:
    """A text with single plain spaces, or None."""
    return " ".join(text.split()) or None


def plain(texts: list[str]) -> Result:
    """Texts as typed, with single plain spaces."""
    return read_each(texts, clean)


def countries(texts: list[str]) -> Result:
    """
    Names of countries → ISO 3166-1 alpha-3.

    Examples
    --------
    >>> countries(["Côte d'Ivoire", "HAITI", "RDC", "Atlantide"])[0].tolist()
    ['CIV', 'HTI', 'COD', None]
    """
    words = country_words()

    def read(text: str):
        key = word_key(text)
        if key in NOTHING:
            return None
        for article in ("", "la ", "le ", "les ", "l ", "republique de ", "republique du ", "republique d "):
            if key.startswith(article) and key.removeprefix(article) in words:
                return words[key.removeprefix(article)]
        raise KeyError(text)

    return read_each(texts, read)


def streams(texts: list[str]) -> Result:
    """`V1`, `volet 1`, `1`, `Volet III`, `V3 - Accueil` → V1 …; anything else as typed (`stream_meanings` reads it)."""

    def read(text: str):
        if word_key(text) in NOTHING:
            return None
        folded = fold(text).strip()
        if match := _STREAM.match(folded):
            return f"V{match[1] or _ROMAN[match[2]]}"
        if match := _STREAM_AND_WORDS.match(folded):
            return f"V{match[1]}"
        return clean(text)

    return read_each(texts, read)


def stream_meanings(programmes, fiscal_years, volets, crosswalks: Crosswalks, crosswalk: Crosswalk) -> Result:
    """
    Volets → their meanings, by (programme, exercice, volet): the numbers changed meaning between programmes.

    Parameters
    ----------
    programmes, fiscal_years, volets : arrays of text or None, shape (n,)
        As `named`, `fiscal_years` and `streams` read them.
    crosswalks : Crosswalks
        Their tables of volets.
    crosswalk : Crosswalk
        Of the file: a volet typed in words is looked up in it.

    Returns
    -------
    values, unreadable : ndarrays, shape (n,)
        `unreadable` where the combination is unknown or leaves two meanings.

    Examples
    --------
    >>> from .crosswalks import load_crosswalk, load_crosswalks
    >>> stream_meanings(["PASI", "PASI"], ["2021-2022"] * 2, ["V2", "V7"], load_crosswalks(), load_crosswalk())
    (array(['full_participation', None], dtype=object), array([False,  True]))
    """
    words = crosswalk.values.get("stream", {})
    meanings: dict[tuple, str | None] = {}
    values = np.full(len(volets), None, dtype=object)
    for i, (programme, year, volet) in enumerate(zip(programmes, fiscal_years, volets, strict=True)):
        if volet is None:
            continue
        key = (programme, year, volet)
        if key not in meanings:
            meanings[key] = words.get(word_key(volet)) or crosswalks.meaning(programme, year, volet)
        values[i] = meanings[key]
    return values, np.array(
        [v is None and volet is not None for v, volet in zip(values, volets, strict=True)], dtype=bool
    )


def closest_word(text: str, column: str, crosswalk: Crosswalk) -> str | None:
    """
    The label of the known value closest to the typed text of a column; None where none is close.

    Examples
    --------
    >>> from .crosswalks import load_crosswalk
    >>> closest_word("Refugier", "immigration_category", load_crosswalk())
    'réfugié'
    """
    from rapidfuzz import fuzz, process

    parts = [word_key(part) for part in (_SPLIT.split(text) if column == "needs" else [text])]
    if column == "birth_country":
        known = {key: key for key in country_words() if len(key) > 3}
        labels = known
    else:
        name = LIST_OF.get(column, column)
        known, labels = crosswalk.values.get(name, {}), crosswalk.labels.get(name, {})
    unknown = next((part for part in parts if part not in known and part not in NOTHING), "")
    if not re.search("[a-z]", unknown):
        return None  # no similarity between numbers
    match = process.extractOne(unknown, known.keys(), scorer=fuzz.ratio, score_cutoff=CLOSE)
    return labels.get(known[match[0]], known[match[0]]) if match else None


def closest_words(columns, texts, crosswalks) -> np.ndarray:
    """`closest_word` of many cells (their columns, texts and crosswalks); None where nothing was typed."""
    known: dict[tuple, str | None] = {}
    values = np.full(len(texts), None, dtype=object)
    for i, (column, text, crosswalk) in enumerate(zip(columns, texts, crosswalks, strict=True)):
        if isinstance(text, str) and crosswalk is not None:
            key = (column, text, crosswalk.name)
            if key not in known:
                known[key] = closest_word(text, column, crosswalk)
            values[i] = known[key]
    return values


def municipal_codes(texts: list[str]) -> Result:
    """Municipal codes as 5 digits: Excel drops the leading zero (`1023` is `01023`)."""

    def read(text: str):
        digits = re.sub(r"[.,]0+$", "", text.strip()).replace(" ", "").replace("\xa0", "")
        if word_key(digits) in NOTHING:
            return None
        if not (digits.isascii() and digits.isdigit() and 4 <= len(digits) <= 5):
            raise ValueError(text)
        return digits.zfill(5)

    return read_each(texts, read)


def postal_codes(texts: list[str]) -> Result:
    """Postal codes as `A1A 1A1`, or their first three characters alone."""

    def read(text: str):
        key = re.sub(r"[\s\xa0-]+", "", text.upper())
        if word_key(key) in NOTHING:
            return None
        if not _POSTAL.match(key):
            raise ValueError(text)
        return f"{key[:3]} {key[3:]}".strip()

    return read_each(texts, read)


def fiscal_years(texts: list[str]) -> Result:
    """`2021-2022`, `2021/22`, « exercice 2021–2022 » → `2021-2022`; a year that no date can have is unreadable."""

    def read(text: str):
        if word_key(text) in NOTHING:
            return None
        match = _EXERCICE.search(fold(text))
        if not match or int(match[2]) % 100 != (int(match[1]) + 1) % 100:
            raise ValueError(text)
        if not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
            raise ValueError(text)
        return f"{match[1]}-{int(match[1]) + 1}"

    return read_each(texts, read)


def quarters(texts: list[str]) -> Result:
    """`3`, `T3`, `3e trimestre`, `T3 2021-2022` → 3."""

    def read(text: str):
        folded = fold(text).strip()
        if word_key(folded) in NOTHING:
            return None
        if not (match := _QUARTER.match(re.sub(r"[.,]0$", "", folded))):
            raise ValueError(text)
        return int(match[1])

    return read_each(texts, read)
