"""The status of a follow-up in partners' own words: what a phrase says, where the crosswalk does not know it.

Somebody is there (« toujours là », « reste en région »), has left (« n'est plus là », « partie ailleurs ») or was not
reached (« aucune nouvelle », « impossible à joindre »). A phrase is read by its words, each with its slips: what is
said, and whether it is denied. What two readers could read in two ways (« pas présent », « prévoit partir ») is not
read. « Déménagé » alone does not say that somebody left the region: it is `MOVED`, to be settled by the row.
"""

from __future__ import annotations

import functools

from ..tables import LEFT, NOT_REACHED, PRESENT
from .crosswalks import word_key

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
# A slip is a word so much like a known one (0–100), of at least so many letters.
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
    words = [_known(word) for word in word_key(text).split()]
    said = {_MEANING[word] for word in words if word in _MEANING}
    stays, leaves, denied = _STAY in said, _LEAVE in said, _DENIED in said or _NO_MORE in said
    if _LOST in said or (_REACH in said and denied):
        # « parti, sans nouvelle » says that somebody left
        return LEFT if leaves and _DOUBT not in said else NOT_REACHED
    if _DOUBT in said:
        raise KeyError(text)
    if not _MOVED.isdisjoint(words):
        return MOVED
    if leaves:
        return PRESENT if _DENIED in said and _NO_MORE not in said else LEFT
    if stays and _NO_MORE in said:
        return LEFT
    if stays and (not denied or "bouge" in words):
        return PRESENT
    raise KeyError(text)


@functools.lru_cache(maxsize=10_000)
def _known(word: str) -> str:
    """The word of the list that a word is, or is a slip of; else the word."""
    from rapidfuzz import fuzz, process

    if word in _MEANING or word in _MOVED or len(word) < _LETTERS:
        return word
    known = [other for other in (*_MEANING, *_MOVED) if len(other) >= _LETTERS]
    found = process.extractOne(word, known, scorer=fuzz.ratio, score_cutoff=_ALIKE)
    return found[0] if found else word
