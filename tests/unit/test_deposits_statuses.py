"""A follow-up's status in partners' own words: what each phrase says, and which are not read."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajectories.deposits.values import MOVED, read_status


@pytest.mark.parametrize(
    ("status", "phrases"),
    [
        ("present", "toujours là · Reste en région · encore présente · n'a pas quitté · pas encore parti · EN RÉGION"),
        ("present", "vit encore à Rimouski · présnt · n'a pas bougé · bien installés · joint, toujours là"),
        (
            "left",
            "a quitté · n'est plus là · partie ailleurs · ne vit plus ici · partti · hors région · plus en région",
        ),
        ("left", "parti, sans nouvelle · retournée à Montréal · n’habite plus la région · reparti·e"),
        ("not_reached", "aucune nouvelle · pas de réponse · pas rejointe · impossible à joindre · ne répond plus"),
        (
            "not_reached",
            "n'a pu être joint · perdue de vue · injoignalbe · introuvable, serait partie · jamais rappelé",
        ),
        (
            "not_reached",
            "sans retour · pas eu de retour · aucun retour d'appel · n'a pas retourné nos appels · boîte vocale",
        ),
        ("present", "présent, emploi local · toujours là, marché locale"),
        ("left", "de retour à Montréal · retour au pays · parti, sans retour d'appel"),
        (MOVED, "déménagé · a déménagé à Québec · déménagées"),
        (
            None,
            "pas présent · a retourné l'appel · prévoit partir · peut-être encore là · absent · ok · 12",
        ),
        (
            None,
            "sans emploi · dossier fermé",
        ),
    ],
)
def test_each_phrase_says_what_a_reader_takes_it_to_say(status, phrases):
    for phrase in phrases.split(" · "):
        if status is None:
            with pytest.raises(KeyError):
                read_status(phrase)
        else:
            assert read_status(phrase) == status, phrase


@given(st.text(max_size=60))
def test_whatever_is_typed_is_read_or_refused(text):
    with contextlib.suppress(KeyError):
        assert read_status(text) in {"present", "left", "not_reached", MOVED}
