"""The catalogues held against the code and against each other: `make messages`.

Babel extracts the messages that a call names, `say("page.title")`, by a method of ours: its own would take the two keys
of `say("a" if one else "b")` for one. Others are named in a table and said later, or belong to a family,
`label("exit", cause)` or `say(f"term.{name}")`: a family is used whole.

The French catalogue leads. Its order and its comments are those of the others, so that two files can be read side by
side; a message that the code names and no catalogue has is added at the end, empty, for somebody to write.
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
# Tables of counts and columns of exports, whose families (not all have one) are asked for by a name that is a value.
_BY_NAME = tuple(re.compile(re.escape(name) + r"\..+") for name in {*COUNTED, *NOT_PERSONS, *CODED.values()})


def faults() -> list[str]:
    """What is wrong with the catalogues, as sentences; empty where nothing is."""
    lead = _texts(FIRST)
    found = [f"{FIRST}: {key} is said and not in the catalogue." for key in sorted(named() - set(lead))]
    found += [f"{FIRST}: {key} is used by nothing." for key in lead if not _used(key)]
    found += [
        f"{FIRST}: no message is of the family {pattern.pattern}."
        for pattern in _patterns()
        if not any(map(pattern.fullmatch, lead))
    ]
    for language in LOCALES:
        own = _texts(language)
        found += [f"{language}: {key} is not translated." for key in lead if not all(own.get(key, ("",)))]
        found += [f"{language}: {key} is not in the catalogue {FIRST}." for key in own if key not in lead]
        for key in lead:
            forms = own.get(key, lead[key])
            if len(forms) != len(lead[key]):
                found.append(f"{language}: {key} has {len(forms)} forms, {FIRST} has {len(lead[key])}.")
            elif _placeholders(forms) != _placeholders(lead[key]):
                found.append(f"{language}: {key} has other values set in than in {FIRST}.")
        if catalogue_path(language).read_text(encoding="utf-8") != normal_form(language):
            found.append(f"{language}: the catalogue is not in its normal form: `make messages`.")
    return found


@functools.cache
def named() -> frozenset[str]:
    """The messages that a call names."""
    from babel.messages.extract import extract

    calls = {"say": None, "say_many": None}
    found: set[str] = set()
    for path in _modules():
        with path.open("rb") as file:
            messages = extract(keys_of_calls, file, keywords=calls)  # type: ignore[arg-type]  # in its own order
            found |= {str(message) for _, message, _, _ in messages}
    return frozenset(found)


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


def _choices(said: ast.expr) -> Iterator[str]:
    if isinstance(said, ast.IfExp):
        yield from _choices(said.body)
        yield from _choices(said.orelse)
    elif isinstance(said, ast.Constant) and isinstance(said.value, str):
        yield said.value


def normal_form(language: str) -> str:
    """
    The file of a language as it should stand.

    Its own head, then every message in the order and with the comments of the French catalogue, one line a text.
    """
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import write_po

    own, made = read_catalogue(language, typeset=False), Catalog(locale=LOCALES[language])
    lead = read_catalogue(FIRST, typeset=False)
    for message in lead:
        if message.id:
            there = own.get(message.id if isinstance(message.id, str) else message.id[0])
            made.add(message.id, there.string if there else "", user_comments=message.user_comments)
    for key in sorted(named() - set(_texts(FIRST))):
        made.add(key, "")
    body = io.BytesIO()
    write_po(body, made, width=0, omit_header=True)
    head = catalogue_path(language).read_text(encoding="utf-8").partition("\n\n")[0]
    return head + "\n\n" + body.getvalue().decode().strip("\n") + "\n"


@functools.cache
def _patterns() -> tuple[re.Pattern, ...]:
    """What the keys of a family look like, for every family that the code asks for."""
    found = set()
    for node in _nodes():
        if isinstance(node, ast.JoinedStr):
            said = [p.value if isinstance(p, ast.Constant) and isinstance(p.value, str) else None for p in node.values]
            parts = [r"[\w-]+" if text is None else re.escape(text) for text in said]
            if said[0] is not None and re.match(r"[a-z]\w*\.", said[0]):
                found.add("".join(parts))
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "label":
            found |= {re.escape(family) + r"\..+" for family in _choices(node.args[0])}
    return tuple(re.compile(pattern) for pattern in sorted(found))


@functools.cache
def _held() -> frozenset[str]:
    """Every key that stands in the code as a text of its own."""
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
    """Rewrite every catalogue in its normal form, and say what is left to do."""
    forms = {language: normal_form(language) for language in LOCALES}
    for language, text in forms.items():
        catalogue_path(language).write_text(text, encoding="utf-8")
    found = faults()
    print("\n".join(found) or f"The catalogues {', '.join(LOCALES)} say everything, and nothing else.")  # noqa: T201 - for whoever ran it
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
