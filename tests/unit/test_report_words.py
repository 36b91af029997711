"""The words of a report: Canadian French typography, and a catalogue with nothing missing and nothing unused."""

import csv
import datetime as dt
import re
import string
from pathlib import Path

import pytest

import trajectories
from trajectories import conflicts
from trajectories.exceptions import NotebookError
from trajectories.persons import match_weights
from trajectories.portrait import CONFLICT_RULES, KNOWN_TO, MIGRATIONS, PAIRS, WHO
from trajectories.portrait.services import SERVICE_TABLES
from trajectories.report.counting import ORDERS
from trajectories.report.labelled import FAMILIES as CODED
from trajectories.report.linkage import REFUSALS
from trajectories.report.readings import times_text
from trajectories.report.words import french, read_catalogue, words

PACKAGE = Path(trajectories.__file__).parent
REPORT = PACKAGE / "report"
# Keys made from a code (`label("exit", code)`, `say(f"term.{name}")`): the family is named in the source.
FAMILIES = re.compile(r'(?:label\("(\w+)"|f"([\w.]+)\.\{)')

# The tables of counts, whose keys are labelled by `counting.py` (portrait.py names them).
COUNTED = {
    "origin", "lost", "late_news", "excluded", "rows", "places", "linkage", "links", "conflicts", "migration", "delay",
}  # fmt: skip


@pytest.fixture(scope="module")
def fr():
    return words("fr")


def _keys():
    return [
        message.id if isinstance(message.id, str) else message.id[0] for message in read_catalogue("fr") if message.id
    ]


def _source():
    return "\n".join(path.read_text(encoding="utf-8") for path in REPORT.rglob("*.py"))


def test_numbers_and_dates_are_canadian_french(fr):
    assert fr.percent(0.125, 1) == "12,5\u00a0%"
    assert fr.percent(0.82) == "82\u00a0%"
    assert fr.number(12340) == "12\u00a0340"
    assert fr.number(0.5, 2) == "0,50"
    assert fr.number(None) == fr.percent(float("nan")) == "–"
    assert fr.date(dt.date(2022, 3, 3)) == "3\u00a0mars 2022"
    assert fr.date(dt.date(2022, 4, 1)) == "1er\u00a0avril 2022"
    assert fr.month(dt.date(2022, 8, 31)) == "août 2022"
    assert fr.months(12) == "12\u00a0mois"
    assert fr.listing(["a", "b", "c"]) == "a, b et c"


def test_no_break_spaces_stand_where_french_wants_them():
    assert (
        french("« Masqué » : 5 % de 3 $ ; vrai ! oui ?")
        == "«\u00a0Masqué\u00a0»\u00a0: 5\u00a0% de 3\u00a0$; vrai! oui?"
    )


def test_no_message_breaks_the_typography():
    for message in read_catalogue("fr"):
        for text in [message.string] if isinstance(message.string, str) else message.string:
            if message.id:
                assert not re.search(r"[ \u202f][%$:»]|« |[\s\u00a0][;!?]|'|\.\.\.", text), (message.id, text)


def test_every_message_said_in_the_source_exists_and_none_is_unused(fr):
    source = _source()
    # a key is a string of dotted words, wherever the source holds it
    held = set(re.findall(r'"([a-z][\w]*(?:\.[\w-]+)*)"', source))
    families = {first or second for first, second in FAMILIES.findall(source)} | {"in_region", "region"} | COUNTED
    families |= set(CODED.values())
    said = set(re.findall(r'\bsay(?:_many)?\(\s*"([^"]+)"', source))
    assert [key for key in sorted(said) if not fr.has(key) and key != "months"] == []
    unused = [
        key for key in _keys()
        if key not in held and key.rsplit(".", 1)[0] not in families and key.split(".")[0] not in families
        and not re.fullmatch(r"term\.\w+\.meaning", key)
    ]  # fmt: skip
    assert not unused, " ".join(unused)


def test_every_decision_and_every_level_of_agreement_has_its_words(fr):
    for table, keys in {"linkage": KNOWN_TO, "links": PAIRS, "conflicts": CONFLICT_RULES}.items():
        assert ORDERS[table] == keys
        assert [key for key in keys if not fr.has(f"{table}.{key}")] == []
    levels = match_weights()
    assert [trait for trait in levels["trait"].unique() if not fr.has(f"trait.{trait}")] == []
    named = levels["trait"] + "." + levels["level"]
    assert [level for level in named if not fr.has(f"level.{level}")] == []
    assert [reason for reason in REFUSALS if not fr.has(f"refusal.{reason}")] == []


def test_every_key_of_who_settled_has_its_words(fr):
    for table, keys in {**WHO, "migration": MIGRATIONS}.items():
        if table == "city_size":
            continue  # on no page
        assert fr.has(f"counts.{table}") and (fr.has(f"key.{table}") or fr.has(f"covariate.{table}")), table
        family = "covariate_level" if fr.has(f"covariate.{table}") else table
        for key in (*keys, *(["unknown"] if table != "migration" else [])):
            assert fr.has(f"{family}.{table}.{key}") or fr.has(f"{family}.{key}"), (table, key)
    services = [table.removeprefix("service_") for table in SERVICE_TABLES[1:]]
    assert [name for name in services if not fr.has(f"covariate_level.service.{name}")] == []


def test_every_rule_that_the_line_can_cite_is_known_to_the_report():
    cited = set(re.findall(r"`([a-z]+_[a-z_]+)`", conflicts.__doc__))
    assert cited == set(CONFLICT_RULES)
    source = (PACKAGE / "persons" / "clusters.py").read_text(encoding="utf-8")
    assert all(f'"{reason}"' in source for reason in REFUSALS)


@pytest.mark.parametrize(
    ("weight", "said"),
    [(0.0, "autant"), (-0.0, "autant"), (0.5, "1,4 fois plus"), (1.0, "2 fois plus"), (-3.5, "11 fois moins"),
     (-9.0, "510 fois moins"), (12.0, "4\u00a0100 fois plus")],
)  # fmt: skip
def test_a_weight_is_told_as_times_with_two_digits(fr, weight, said):
    assert times_text(weight, fr) == said


def test_messages_name_only_values_by_name():
    for message in read_catalogue("fr"):
        for text in [message.string] if isinstance(message.string, str) else message.string:
            if message.id:
                assert all(name is None or name.isidentifier() for _, name, _, _ in string.Formatter().parse(text))


def test_regions_bear_their_official_names(fr):
    with (PACKAGE / "places" / "reference" / "municipalities.csv").open(encoding="utf-8") as file:
        official = {row["region_code"]: row["region_name"] for row in csv.DictReader(file)}
    assert {code: fr.region(code) for code in official} == official
    assert all(fr.in_region(code).endswith(name) for code, name in official.items())


def test_an_unknown_language_is_refused_with_a_sentence():
    with pytest.raises(NotebookError, match="no reports in the language 'de': the languages are fr"):
        words("de")


def test_a_missing_message_is_a_defect_not_a_blank(fr):
    with pytest.raises(KeyError, match="not in the catalogue"):
        fr.say("no.such.message")
