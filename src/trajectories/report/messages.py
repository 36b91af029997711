"""Checks the catalogues against the code and against each other: `make messages`.

Babel extracts the keys in calls, `say("page.title")`, by a method of ours: its own would take the two keys of
`say("a" if one else "b")` for one. Other keys are named in a table first, or belong to a family, `label("exit", cause)`
or `say(f"term.{name}")`: all keys of a family count as used.

The French catalogue leads: the others have its order and its comments, so that two files can be read side by side. A
message that the code names and no catalogue has is added at the end, empty, for somebody to write.
"""

from __future__ import annotations

import ast
import functools
import io
import re
import string
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from ..stamps import PACKAGE
from .exports import COUNTED
from .exports import FAMILIES as CODED
from .sections.counting import NOT_PERSONS
from .words import FIRST, LOCALES, catalogue_path, read_catalogue

_KEY = re.compile(r"[a-z]\w*(?:\.[\w-]+)*")
# Families of tables of counts and of columns of exports (not all have one), whose names in the code are values.
_BY_NAME = tuple(re.compile(re.escape(name) + r"\..+") for name in {*COUNTED, *NOT_PERSONS, *CODED.values()})


def faults() -> list[str]:
    """The faults of the catalogues, as sentences."""
    lead = _texts(FIRST)
    problems = [f"{FIRST}: {key} is said and not in the catalogue." for key in sorted(named() - set(lead))]
    problems += [f"{FIRST}: {key} is used by nothing." for key in lead if not _used(key)]
    problems += [
        f"{FIRST}: no message is of the family {pattern.pattern}."
        for pattern in _patterns()
        if not any(map(pattern.fullmatch, lead))
    ]
    for language in LOCALES:
        translated = _texts(language)
        problems += [f"{language}: {key} is not translated." for key in lead if not all(translated.get(key, ("",)))]
        problems += [f"{language}: {key} is not in the catalogue {FIRST}." for key in translated if key not in lead]
        for key in lead:
            forms = translated.get(key, lead[key])
            if len(forms) != len(lead[key]):
                problems.append(f"{language}: {key} has {len(forms)} forms, {FIRST} has {len(lead[key])}.")
            elif _placeholders(forms) != _placeholders(lead[key]):
                problems.append(f"{language}: {key} has other values set in than in {FIRST}.")
        if catalogue_path(language).read_text(encoding="utf-8") != normal_form(language):
            problems.append(f"{language}: the catalogue is not in its normal form: `make messages`.")
    return problems


@functools.cache
def named() -> frozenset[str]:
    """The messages that a call names."""
    from babel.messages.extract import extract

    calls = {"say": None, "say_many": None}
    keys: set[str] = set()
    for path in _modules():
        with path.open("rb") as file:
            messages = extract(keys_of_calls, file, keywords=calls)  # type: ignore[arg-type]  # in its own order
            keys |= {str(message) for _, message, _, _ in messages}
    return frozenset(keys)


def keys_of_calls(
    fileobj: BinaryIO, keywords: Mapping[str, object], comment_tags: object, options: object
) -> Iterator[tuple[int, str, str, list[str]]]:
    """Babel's extraction method for this room: line, function, key, comments, for every key that a call may say."""
    for node in ast.walk(ast.parse(fileobj.read())):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            if isinstance(name, str) and name in keywords:
                for key in _choices(node.args[0]):
                    yield node.lineno, name, key, []


def _choices(key: ast.expr) -> Iterator[str]:
    if isinstance(key, ast.IfExp):
        yield from _choices(key.body)
        yield from _choices(key.orelse)
    elif isinstance(key, ast.Constant) and isinstance(key.value, str):
        yield key.value


def normal_form(language: str) -> str:
    """
    The file of a language in its normal form.

    Its own header, then every message in the order and with the comments of the French catalogue, one line a text.
    """
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import write_po

    translated, normal = read_catalogue(language, typeset=False), Catalog(locale=LOCALES[language])
    lead = read_catalogue(FIRST, typeset=False)
    for message in lead:
        if message.id:
            message_there = translated.get(message.id if isinstance(message.id, str) else message.id[0])
            normal.add(message.id, message_there.string if message_there else "", user_comments=message.user_comments)
    for key in sorted(named() - set(_texts(FIRST))):
        normal.add(key, "")
    body = io.BytesIO()
    write_po(body, normal, width=0, omit_header=True)
    head = catalogue_path(language).read_text(encoding="utf-8").partition("\n\n")[0]
    return head + "\n\n" + body.getvalue().decode().strip("\n") + "\n"


@functools.cache
def _patterns() -> tuple[re.Pattern, ...]:
    """The pattern of the keys of every family that the code uses."""
    patterns = set()
    for node in _nodes():
        if isinstance(node, ast.JoinedStr):
            texts = [p.value if isinstance(p, ast.Constant) and isinstance(p.value, str) else None for p in node.values]
            parts = [r"[\w-]+" if text is None else re.escape(text) for text in texts]
            if texts[0] is not None and re.match(r"[a-z]\w*\.", texts[0]):
                patterns.add("".join(parts))
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "label":
            patterns |= {re.escape(family) + r"\..+" for family in _choices(node.args[0])}
    return tuple(re.compile(pattern) for pattern in sorted(patterns))


@functools.cache
def _held() -> frozenset[str]:
    """Every key that is a string of its own in the code."""
    return frozenset(
        node.value
        for node in _nodes()
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _KEY.fullmatch(node.value)
    )


def _used(key: str) -> bool:
    return key in _held() or any(pattern.fullmatch(key) for pattern in (*_patterns(), *_BY_NAME))


def _modules() -> list[Path]:
    return sorted(path for room in ("report", "runs") for path in (PACKAGE / room).rglob("*.py"))


def _nodes() -> Iterator[ast.AST]:
    for path in _modules():
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def _texts(language: str) -> dict[str, tuple[str, ...]]:
    """Key → the text, or the text of each plural form."""
    return {
        message.id if isinstance(message.id, str) else message.id[0]: (message.string,)
        if isinstance(message.id, str)
        else tuple(message.string)
        for message in read_catalogue(language, typeset=False)
        if message.id
    }


def _placeholders(forms: tuple[str, ...]) -> set[str]:
    return {name for text in forms for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def main() -> int:
    """Rewrite every catalogue in its normal form, and print its faults."""
    forms = {language: normal_form(language) for language in LOCALES}
    for language, text in forms.items():
        catalogue_path(language).write_text(text, encoding="utf-8")
    problems = faults()
    print("\n".join(problems) or f"The catalogues {', '.join(LOCALES)} say everything, and nothing else.")  # noqa: T201 - for whoever ran it
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
