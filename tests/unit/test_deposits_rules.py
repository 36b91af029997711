"""The table of reasons: whole, used, in French, and the page of the documentation made from it."""

import ast
import re
from pathlib import Path

import pandas as pd
import pytest

from trajectories.deposits import crosswalks, rules
from trajectories.deposits.rules import EFFECTS, NO_DEPOSIT, RULES, message_in_french, reasons, rules_page

ROOT = Path(__file__).parents[2]
SOURCES = sorted(Path(rules.__file__).parent.glob("*.py"))
CODE = re.compile(r"[a-z]+(_[a-z0-9]+)+|ragged")


def test_the_page_of_the_documentation_is_up_to_date():
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert page.endswith("\n\n" + rules_page()), "write rules_page() to the end of docs/rules.md"


def _texts(node):
    for child in ast.walk(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str) and CODE.fullmatch(child.value):
            yield child.value


def _name(node):
    return getattr(node, "id", None) or getattr(node, "attr", None) or ""


def codes_in(source: str) -> set[str]:
    """The reason codes that a module can list: wherever a finding, a note or an issue is made."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = _name(node.func)
            owner = _name(getattr(node.func, "value", None))
            if called in ("add", "list_issue") and node.args:
                found |= set(_texts(node.args[0]))
            if called == "append" and ("note" in owner or "issue" in owner):
                found |= {code for argument in node.args for code in _texts(argument)}
        if isinstance(node, ast.Assign):
            targets = {_name(getattr(target, "value", target)) for target in node.targets}
            if targets & {"reasons", "reason"}:
                found |= set(_texts(node.value))
            if "unsure" in targets and isinstance(node.value, ast.Dict):
                found |= {code for key in node.value.keys for code in _texts(key)}
        if isinstance(node, ast.For) and "reason" in ast.dump(node.target):
            found |= set(_texts(node.iter))
        if isinstance(node, ast.Call) and _name(node.func) in ("Rule", "Note", "Issue"):
            found |= set(_texts(node.args[0])) if node.args else set()
    # what stands beside a code in the same tuple: columns, and values of the match of a place
    return found - set(crosswalks.COLUMNS) - {"ambiguous", "area_only"}


def test_every_code_that_can_be_listed_has_its_sentence_and_its_remedy():
    listed = {code: path.name for path in SOURCES for code in codes_in(path.read_text(encoding="utf-8"))}
    assert {"unreadable_date", "total_row", "no_header", "nul_bytes", "organisation_by_name"} <= listed.keys()
    without = {code: where for code, where in listed.items() if code not in reasons()}
    assert not without, f"codes without a French sentence in reasons.toml: {without}"


def sentences_in(source: str) -> set[str]:
    """The sentences that say why a file cannot be read, {} standing for what varies."""
    tree = ast.parse(source)
    found = set()
    for node in ast.walk(tree):
        wrapped = isinstance(node, ast.Call) and _name(node.func) == "UnreadableDepositError"
        assigned = isinstance(node, ast.Assign) and any(_name(target) == "message" for target in node.targets)
        returned = isinstance(node, ast.FunctionDef) and node.name == "_damaged"
        if wrapped or assigned or returned:
            pieces = {id(v) for part in ast.walk(node) if isinstance(part, ast.JoinedStr) for v in part.values}
            for part in ast.walk(node):
                if id(part) in pieces:
                    continue
                if isinstance(part, ast.JoinedStr):
                    found.add("".join(v.value if isinstance(v, ast.Constant) else "{}" for v in part.values))
                elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                    found.add(part.value)
    return {text for text in found if ": " in text and text.rstrip().endswith(".")}


def test_every_sentence_of_an_unreadable_file_is_known_in_french():
    known = {said["en"] for said in rules._table()["message"]}
    said = {text for path in SOURCES for text in sentences_in(path.read_text(encoding="utf-8"))}
    assert len(said) >= 8
    without = {text for text in said if not any(rules.matches(sentence, text) for sentence in known)}
    assert not without, f"sentences without French in reasons.toml: {without}"
    for sentence in (*known, "anything else"):
        assert all(message_in_french(sentence.replace("{}", "…")))


def test_the_table_is_whole():
    for code, reason in reasons().items():
        assert reason.effect in EFFECTS, code
        assert reason.french.endswith("."), code
        assert reason.remedy.endswith("."), code
        assert reason.english.endswith("."), code
        assert reason.column is None or reason.column in crosswalks.COLUMNS, code
    assert NO_DEPOSIT in {said["en"] for said in rules._table()["message"]}


def test_a_rule_points_at_the_column_of_its_reason():
    for rule in RULES:
        assert reasons()[rule.code].kind == "order"
        assert reasons()[rule.code].column == rule.column
    order = {code for code, reason in reasons().items() if reason.kind == "order"}
    assert order - {rule.code for rule in RULES} == {"birth_in_future", "impossible_value"}


DAYS = {
    "birth_date": "1990-01-01", "arrival_date": "2021-01-01", "service_date": "2021-02-01",
    "departure_date": "2021-03-01", "establishment_date": "2021-03-02", "job_date": "2021-03-03",
    "housing_date": "2021-03-03", "follow_up_date": "2021-09-02", "exit_date": "2022-01-15",
}  # fmt: skip


def facts(**changed):
    """One row of facts in order, with what is changed; « 2021-01 » is an interval."""
    row = {
        "known_until": pd.Timestamp("2022-03-31"), "destination_zone": changed.pop("zone", "region"),
        "residence_zone": "metropole", "residence_stated": True, "exit_destination_stated": False,
        "destination_stated": changed.get("establishment_date", "typed") is not None,
        "service": "reception", "follow_up_status": None, "exit_reason": None, "follow_up_status_typed": False,
    }  # fmt: skip
    row |= {name: changed.pop(name) for name in list(changed) if name in row}
    for name, day in {**DAYS, **changed}.items():
        period = pd.Period(day) if day else None
        row[f"{name}_earliest"] = period.start_time.normalize() if period is not None else pd.NaT
        row[f"{name}_latest"] = period.end_time.normalize() if period is not None else pd.NaT
        row[f"{name}_typed"] = day is not None
    if row["service_date_latest"] is pd.NaT:
        row["service"] = None
    return pd.DataFrame([row])


def broken(frame):
    return {rule.code for rule in RULES if rule.broken(frame).to_numpy(dtype=bool)[0]}


def test_facts_in_order_break_no_rule():
    assert broken(facts()) == set()
    assert broken(facts(**dict.fromkeys(DAYS, None))) == set()


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("service_before_arrival", {"service_date": "2020-12-31"}),
        ("arrival_before_birth", {"birth_date": "2021-01-02"}),
        ("departure_before_arrival", {"departure_date": "2020-12-01"}),
        ("establishment_before_departure", {"departure_date": "2021-03-03"}),
        ("establishment_before_arrival", {"establishment_date": "2020-12-31", "departure_date": None}),
        ("follow_up_before_establishment", {"follow_up_date": "2021-03-01"}),
        ("exit_before_establishment", {"exit_date": "2021-03-01"}),
        ("exit_before_arrival", {"exit_date": "2020-03-01", "establishment_date": None}),
        ("service_after_deposit", {"service_date": "2022-04-01"}),
        ("follow_up_after_deposit", {"follow_up_date": "2022-04-01"}),
        ("exit_after_deposit", {"exit_date": "2022-04-01"}),
        ("establishment_in_metropole", {"zone": "metropole"}),
        ("establishment_without_place", {"destination_stated": False}),
        ("destination_without_date", {"establishment_date": None, "destination_stated": True}),
        ("follow_up_without_status", {"service": None, "exit_date": None}),
        ("exit_beside_presence", {"follow_up_status": "present"}),
    ],
)
def test_each_rule_is_broken_alone(code, changed):
    assert broken(facts(**changed)) == {code}


def test_an_order_that_is_not_certain_breaks_no_rule():
    # the same month: the service may follow the arrival
    assert broken(facts(arrival_date="2021-02", service_date="2021-02-01")) == set()
    assert broken(facts(arrival_date="2021", service_date="2021-02-01", departure_date="2021-01")) == set()
