"""A file as the leak scan reads it: every piece of text in it, wherever it stands.

An HTML page is cut at its tags: what a reader sees, what attributes say to a reader, what they say to a machine,
comments, metadata. A workbook is opened as the archive it is: its cells (dates as dates) and every part of its XML.
What cannot be opened is no piece and says so. Nothing is left out but the coordinates of drawings.
"""

from __future__ import annotations

import functools
import io
import re
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from html import unescape
from pathlib import Path

TEXT_FILES = (".html", ".svg", ".xml", ".csv", ".txt", ".md", ".json", ".css")
# Tags between which a word or a name may go on; any other one ends a piece of text, as a cell's end does.
_INLINE = frozenset((
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "font", "i", "kbd", "mark", "q", "s", "samp",
    "small", "span", "strong", "sub", "sup", "time", "tspan", "u", "var", "wbr",
    "r", "t", "rpr",  # runs of one cell of a workbook
))  # fmt: skip
# Attributes whose value a reader meets, or that carry data.
_TOLD = re.compile(
    r"data-|aria-(?!labelledby|describedby|details)|title$|alt$|content$|label$|summary$|value$|placeholder$"
)
_COORDINATES = re.compile(
    r""" (?:d|points|viewBox)="(?:[-+\d\s.,]|[MLHVCSQTAZmlhvcsqtaze](?![a-zA-Z]))*+\""""
    r"""| (?:x|y|[xy][12]|c[xy]|r[xy]?|width|height)="-?(?:\d{0,5}\.\d+|\d{1,4})(?:px|%)?\""""
    r"""| transform="(?:(?:translate|rotate|scale|matrix)\([-+\d\s.,e]*\)\s*)+\""""
)
_TAG = re.compile(r"""(<!--.*?(?:-->|\Z)|<[a-zA-Z/!?](?:[^<>"']++|"[^"]*"|'[^']*')*+>)""", re.DOTALL)
_ATTRIBUTE = re.compile(r"""([^\s=<>"'/]+)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
# A number as workbooks write it, to the last digit of a computer's.
_WRITTEN = re.compile(r"\d+\.\d{14,}(?:[eE][-+]?\d+)?")
# Where a cell stands in its sheet: « D1001 » is a file number elsewhere.
_PLACED = re.compile(r' (?:r|ref|sqref|activeCell|topLeftCell)="[A-Z]{1,3}\d+(?::[A-Z]{1,3}\d+)?"')
_GLUE = "\x00"
# Between pieces that a reader never meets one after the other.
_APART = "\n0\n"


@dataclass(frozen=True)
class Opened:
    """
    The pieces of a file.

    Attributes
    ----------
    pieces : dict
        Where they stand (text, cells, attribute, markup, comment, metadata, style, file name) → one piece a line, in
        the order of the file.
    raw : str
        What is searched for scripts, addresses, tracebacks and paths.
    attributes : tuple of (str, str)
        Names and values that a reader meets.
    fault : str or None
        Why the file, or a part of it, cannot be searched.
    """

    pieces: dict[str, str]
    raw: str
    attributes: tuple[tuple[str, str], ...] = ()
    fault: str | None = None


def open_file(path: Path, name: str) -> Opened:
    """Read a file; `name` is its path below the folder, which is searched as well."""
    content = path.read_bytes()
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        opened = _workbook(content)
    elif suffix not in TEXT_FILES:
        opened = Opened({}, "", fault=f"is of a kind that is not searched ({suffix or 'no ending'})")
    else:
        text = _decoded(content)
        opened = _markup(text) if suffix in (".html", ".svg", ".xml") else _cells(text)
    return Opened({**opened.pieces, "file name": name}, opened.raw, opened.attributes, opened.fault)


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="replace")


def _cells(text: str) -> Opened:
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    # a comma is a decimal one where something else separates
    separators = ';\t"' if re.match(r"[^\n]*[;\t]", text) else ',"'
    return Opened({"cells": unescape(re.sub(rf"[{separators}\r\n]+", "\n", text))}, text)


def _markup(text: str) -> Opened:
    text = _COORDINATES.sub("", text)
    found: dict[str, list[str]] = defaultdict(list)
    attributes: list[tuple[str, str]] = []
    of_tag: dict[str, tuple[list[tuple[str, str, str]], bool]] = {}
    markup: dict[str, None] = {}  # of values for a machine each once: a drawing repeats them by the thousand
    told: list[str] = []
    where = "text"

    def end_piece() -> None:
        piece = "".join(told)
        told.clear()
        if piece.strip(_GLUE + " \n"):
            found[where].append(piece.replace(_GLUE, " "))
            # « Am<b>ina</b> » is one word to a reader
            if _GLUE in piece and where == "text":
                found["text, glued"].append(piece.replace(_GLUE, ""))

    parts = _TAG.split(text)
    for at, part in enumerate(parts):
        if not at % 2:
            told.append(part)
        elif part.startswith("<!--"):
            found["comment"].append(part[4:].removesuffix("-->"))
        else:
            if part not in of_tag:
                inline = re.match(r"</?([^\s/>]*)", part)[1].lower() in _INLINE
                of_tag[part] = _attributes(part), inline
            for kind, name, value in of_tag[part][0]:
                if kind == "markup":
                    markup[value] = None
                else:
                    found[kind].append(value)
                    attributes.append((name, value))
            if of_tag[part][1]:
                told.append(_GLUE)
                continue
            end_piece()
            where = "style" if part[:6].lower() == "<style" else "text"
    end_piece()
    found["markup"] = list(markup)
    pieces = {kind: _lines(values) for kind, values in found.items() if values}
    return Opened(pieces, "".join(dict.fromkeys(parts)), tuple(attributes))


def _attributes(tag: str) -> list[tuple[str, str, str]]:
    """Where it counts, name and value of each attribute; a declaration is metadata."""
    if tag.startswith(("<!", "<?")):
        return [("metadata", "", tag.strip("<!?>"))]
    found = []
    for name, value in _ATTRIBUTE.findall(tag):
        name, value = name.lower(), unescape(value.strip("\"'"))
        told = _TOLD.match(name)
        kind = "metadata" if told and tag[:5].lower() == "<meta" else "attribute" if told else "markup"
        found.append((kind, name, value))
    return found


def _lines(pieces: list[str]) -> str:
    """A piece a line; entities are read twice, since text escaped twice is still text to whoever looks for it."""
    return unescape(unescape("\x01".join(pieces))).replace("\n", " ").replace("\r", " ").replace("\x01", "\n")


def _workbook(content: bytes) -> Opened:
    found: dict[str, list[str]] = defaultdict(list)
    attributes: list[tuple[str, str]] = []
    fault = None
    try:
        found["cells"] = _cells_of_workbook(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found["metadata"].append(archive.comment.decode("utf-8", errors="replace"))
            usual = _parts_of_an_empty_workbook()
            for part in archive.infolist():
                found["metadata"].append(f"{part.filename}\n{part.comment.decode('utf-8', errors='replace')}")
                inside = archive.read(part)
                if usual.get(part.filename) == inside:
                    continue
                if not part.filename.endswith((".xml", ".rels", ".vml")):
                    fault = f"holds a part that is not searched ({Path(part.filename).suffix or 'no ending'})"
                    continue
                inside = _WRITTEN.sub(lambda number: _as_shown(float(number[0])), _decoded(inside))
                opened = _markup(_PLACED.sub("", inside) if part.filename.startswith("xl/worksheets/") else inside)
                told = "metadata" if part.filename.startswith("docProps/") else "text"
                for kind, pieces in opened.pieces.items():
                    if part.filename.endswith("sharedStrings.xml"):
                        pieces = pieces.replace("\n", _APART)  # once each: what follows there is not what is read
                    # declarations and relations name schemas by addresses
                    found[kind if kind == "attribute" else told if "text" in kind else "markup"].append(pieces)
                attributes += opened.attributes
    except Exception as error:  # whatever a damaged workbook makes of its reader
        return Opened({}, "", fault=f"cannot be opened ({type(error).__name__})")
    pieces = {kind: ("\n" if kind == "cells" else _APART).join(values) for kind, values in found.items()}
    return Opened(pieces, "\n".join(pieces.get(kind, "") for kind in ("cells", "text", "metadata")), (), fault)


def _cells_of_workbook(content: bytes) -> list[str]:
    """The cells row by row, as a reader meets them: workbooks keep texts apart, once each, and dates as numbers."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    cells = []
    for name in book.sheet_names:
        cells.append(name)
        for row in book.get_sheet_by_name(name).to_python():
            told = (_as_shown(value) if isinstance(value, float) else value for value in row if value != "")
            cells += [" ".join(str(value).split()) for value in told]
    return cells


def _as_shown(number: float) -> str:
    """A number with the digits that a workbook shows: in the file 0.94 stands as 0.9399999999999999."""
    return f"{number:.15g}"


@functools.cache
def _parts_of_an_empty_workbook() -> dict[str, bytes]:
    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.add_worksheet()
    with zipfile.ZipFile(buffer) as archive:
        return {part: archive.read(part) for part in archive.namelist()}
