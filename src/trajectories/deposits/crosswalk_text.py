"""The text of a crosswalk → a Crosswalk, or all of its faults with their lines.

TOML tells no lines once it is read, so the line of a key is looked up in the text.

| key | meaning |
|---|---|
| name, title | what it is called |
| extends | a shipped crosswalk whose headers, words and volets hold too, where this one says nothing else |
| programmes, from, to | where it holds: programmes, first and last exercice |
| [columns] | canonical column = list of headers |
| [values.LIST] | code = list of words; the first is the one that people are shown |
| [[streams]] | programme, from, to, and what each volet means: V1 = "full_participation" |
"""

from __future__ import annotations

import re
import tomllib
from types import MappingProxyType

from .crosswalks import COLUMNS, LISTS, Crosswalk, CrosswalkError, Streams, header_key, load_crosswalk, word_key

_KEYS = ("name", "title", "extends", "programmes", "from", "to", "columns", "values", "streams")
_EXERCICE = re.compile(r"^(\d{4})-(\d{4})$")
_VOLET = re.compile(r"^V[1-9]$")
_PART = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_SECTION = re.compile(rf"^\s*(\[\[?)\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]\]?")
_KEY = re.compile(rf"^\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")


class _Faults:
    """Faults as they are found, each at the line of a key (and of a word below it)."""

    def __init__(self, text: str):
        self.found: list[tuple[int, str]] = []
        self._lines = text.splitlines()
        self._at = _lines_of_keys(self._lines)

    def add(self, path: tuple, sentence: str, word: str | None = None) -> None:
        where = path
        while where and where not in self._at:
            where = where[:-1]
        line = self._at.get(where, 1)
        if word is not None:
            later = [other for other in self._at.values() if other > line]
            for number in range(line, min(later, default=len(self._lines) + 1)):
                if f'"{word}"' in self._lines[number - 1] or f"'{word}'" in self._lines[number - 1]:
                    line = number
                    break
        name = ".".join(str(part) for part in path if not isinstance(part, int))
        self.found.append((line, f"line {line}: {name}: {sentence}"))

    def sentences(self) -> list[str]:
        return [sentence for _, sentence in sorted(self.found, key=lambda fault: fault[0])]


def _lines_of_keys(lines: list[str]) -> dict[tuple, int]:
    """{("columns", "residence"): 12 …}; the n-th [[streams]] is ("streams", n)."""
    at: dict[tuple, int] = {}
    section: tuple = ()
    for number, line in enumerate(lines, start=1):
        if found := _SECTION.match(line):
            section = tuple(part.strip("\"'") for part in re.findall(_PART, found[2]))
            if found[1] == "[[":
                at.setdefault(section, number)
                section = (*section, sum(1 for key in at if key[:-1] == section and isinstance(key[-1], int)))
            at.setdefault(section, number)
        elif found := _KEY.match(line):
            at.setdefault((*section, *(part.strip("\"'") for part in re.findall(_PART, found[1]))), number)
    return at


def read_crosswalk(text: str, source: str) -> Crosswalk:
    """
    Check the text of a crosswalk whole and build it.

    Raises
    ------
    CrosswalkError
        Every fault at once, each with its line.

    Examples
    --------
    >>> read_crosswalk('name = "x"\\n[columns]\\nresidence = "Ville"', "x.toml")
    Traceback (most recent call last):
    trajectories.deposits.crosswalks.CrosswalkError: crosswalk x.toml: 1 fault(s) to correct:
      - line 3: columns.residence: must be a list of texts.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CrosswalkError(source, [f"this is not TOML: {error}."]) from None
    faults = _Faults(text)
    name, programmes, first, last = _head(content, faults)
    parent = _parent(content, faults)
    headers, headings = _inverted(_section(content, "columns", faults), ("columns",), header_key, faults, COLUMNS,
                              "this is no canonical column.")  # fmt: skip
    values, labels = {}, {"columns": headings}
    for key, codes in _section(content, "values", faults).items():
        if key not in LISTS:
            faults.add(("values", key), f"this is no list of values (known: {', '.join(LISTS)}).")
        elif not isinstance(codes, dict):
            faults.add(("values", key), "must be a section of codes, each with its list of words.")
        else:
            values[key], labels[key] = _inverted(
                codes, ("values", key), word_key, faults, LISTS[key], "this is no code of the list."
            )
    streams = _streams(content, faults)
    if parent is not None:
        headers = {**parent.headers, **headers}
        values, labels = (
            {
                key: {**theirs.get(key, {}), **ours.get(key, {})}
                for key in (*theirs, *(k for k in ours if k not in theirs))
            }
            for ours, theirs in ((values, parent.values), (labels, parent.labels))
        )
        streams += parent.streams
    if not headers and not faults.found:
        faults.add(("columns",), "no header is given, so nothing could be read.")
    if faults.found:
        raise CrosswalkError(source, faults.sentences())
    return Crosswalk(
        name=name, headers=MappingProxyType(headers), values=_frozen(values),
        labels=_frozen(labels), streams=streams, title=content.get("title", ""), programmes=programmes, first=first,
        last=last,
    )  # fmt: skip


def _frozen(lists: dict) -> MappingProxyType:
    return MappingProxyType({key: MappingProxyType(codes) for key, codes in lists.items()})


def _head(content: dict, faults: _Faults) -> tuple[str, tuple[str, ...], str | None, str | None]:
    """Name, programmes, first and last exercice."""
    name = content.get("name")
    if not isinstance(name, str) or not name.strip():
        faults.add(("name",), 'a text is needed, such as name = "pasi-2019".')
    for key in content:
        if key not in _KEYS:
            faults.add((key,), "this key is unknown.")
    if not isinstance(content.get("title", ""), str):
        faults.add(("title",), "must be a text.")
    programmes = content.get("programmes", [])
    if not isinstance(programmes, list) or any(not isinstance(programme, str) for programme in programmes):
        faults.add(("programmes",), 'must be a list of texts, such as ["PASI"].')
        programmes = []
    _period(content, (), faults)
    return name, tuple(programmes), content.get("from"), content.get("to")


def _period(content: dict, where: tuple, faults: _Faults) -> None:
    for key in ("from", "to"):
        if key in content and not _exercice(content[key]):
            faults.add((*where, key), f'{content[key]!r} must be an exercice such as "2019-2020".')
    if _exercice(content.get("from")) and _exercice(content.get("to")) and content["to"] < content["from"]:
        faults.add((*where, "to"), f"{content['to']} is before `from`, {content['from']}.")


def _exercice(value) -> bool:
    found = _EXERCICE.match(value) if isinstance(value, str) else None
    return bool(found) and int(found[2]) == int(found[1]) + 1


def _parent(content: dict, faults: _Faults) -> Crosswalk | None:
    if "extends" not in content:
        return None
    try:
        return load_crosswalk(str(content["extends"]))
    except CrosswalkError:
        faults.add(("extends",), f"{content['extends']!r} is no crosswalk that the library ships.")
        return None


def _section(content: dict, key: str, faults: _Faults) -> dict:
    section = content.get(key, {})
    if not isinstance(section, dict):
        faults.add((key,), f"must be a section [{key}].")
        return {}
    return section


def _streams(content: dict, faults: _Faults) -> tuple[Streams, ...]:
    """The tables of volets; each needs a programme, a first exercice, and codes."""
    streams = content.get("streams", [])
    if not isinstance(streams, list) or any(not isinstance(table, dict) for table in streams):
        faults.add(("streams",), "must be sections [[streams]].")
        return ()
    done = []
    for number, table in enumerate(streams):
        where = ("streams", number)
        if not isinstance(table.get("programme"), str):
            faults.add((*where, "programme"), 'a text is needed, such as programme = "PASI".')
        if "from" not in table:
            faults.add((*where, "from"), 'an exercice is needed, such as "2019-2020".')
        _period(table, where, faults)
        meanings = {}
        for key, code in table.items():
            if key in ("programme", "from", "to"):
                continue
            if not _VOLET.match(key):
                faults.add((*where, key), "a volet is V1 to V9.")
            elif not isinstance(code, str) or not code.isidentifier():
                faults.add((*where, key), 'must be a code of letters and "_", such as "full_participation".')
            meanings[key] = code
        done.append(Streams(str(table.get("programme")), str(table.get("from")), table.get("to"),
                            MappingProxyType(meanings)))  # fmt: skip
    return tuple(done)


def _inverted(lists: dict, where: tuple, key_of, faults: _Faults, allowed, refusal: str) -> tuple[dict, dict]:
    """{code: [words]} as {key of word: code} and {code: first word}; the code's own name is a word too."""
    inverted: dict[str, str] = {}
    first: dict[str, str] = {}
    for code, words in lists.items():
        if allowed is not None and code not in allowed:
            faults.add((*where, code), refusal)
        if not isinstance(words, list) or any(not isinstance(word, str) for word in words):
            faults.add((*where, code), "must be a list of texts.")
            continue
        first[code] = words[0] if words else code
        for word in (*words, code):
            key = key_of(word)
            if not key:
                faults.add((*where, code), f"{word!r} has no letter or digit.", word)
            elif word == code and key in inverted:
                continue  # a code's name may be another's word (« other »); what is written wins
            elif inverted.setdefault(key, code) != code:
                faults.add((*where, code), f"{word!r} already leads to {inverted[key]}.", word)
    return inverted, first
