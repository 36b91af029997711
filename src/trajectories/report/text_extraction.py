"""Extracts all text of a file for the leak scan.

An HTML page is cut at its tags into visible text, attributes for readers, attributes for machines, comments and
metadata. A workbook is opened as an archive: its cells (dates as dates) and every part of its XML. A file that cannot
be opened has a `fault` instead. Nothing is left out but the coordinates of drawings.
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
# Tags within a word or a name; any other tag ends a piece of text, as the end of a cell does.
_INLINE = frozenset((
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "font", "i", "kbd", "mark", "q", "s", "samp",
    "small", "span", "strong", "sub", "sup", "time", "tspan", "u", "var", "wbr",
    "r", "t", "rpr",  # runs of one cell of a workbook
))  # fmt: skip
# Attributes whose value is shown or read to a reader, or that carry data.
_READABLE = re.compile(
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
# A number as workbooks write it, with all digits of a float.
_FULL_PRECISION = re.compile(r"\d+\.\d{14,}(?:[eE][-+]?\d+)?")
# The reference of a cell in its sheet: elsewhere « D1001 » is a file number.
_CELL_REFERENCE = re.compile(r' (?:r|ref|sqref|activeCell|topLeftCell)="[A-Z]{1,3}\d+(?::[A-Z]{1,3}\d+)?"')
_GLUE = "\x00"
# Separates pieces that are not next to one another for a reader.
_APART = "\n0\n"


@dataclass(frozen=True)
class Opened:
    """
    The pieces of a file.

    Attributes
    ----------
    pieces : dict
        Kind (text, cells, attribute, markup, comment, metadata, style, file name) → its pieces, one a line, in the
        order of the file.
    raw : str
        The text to search for scripts, addresses, tracebacks and paths.
    attributes : tuple of (str, str)
        Names and values of attributes for readers.
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
    text = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
    # the comma is the decimal mark where another sign separates cells
    separators = ';\t"' if re.match(r"[^\n]*[;\t]", text) else ',"'
    return Opened({"cells": unescape(re.sub(rf"[{separators}\r\n]+", "\n", text))}, text)


def _markup(text: str) -> Opened:
    text = _COORDINATES.sub("", text)
    texts: dict[str, list[str]] = defaultdict(list)
    attributes: list[tuple[str, str]] = []
    of_tag: dict[str, tuple[list[tuple[str, str, str]], bool]] = {}
    markup: dict[str, None] = {}  # values for machines, each once: a drawing repeats them by the thousand
    buffer: list[str] = []
    where = "text"

    def end_piece() -> None:
        piece = "".join(buffer)
        buffer.clear()
        if piece.strip(_GLUE + " \n"):
            texts[where].append(piece.replace(_GLUE, " "))
            # « Am<b>ina</b> » is one word to a reader
            if _GLUE in piece and where == "text":
                texts["text, glued"].append(piece.replace(_GLUE, ""))

    parts = _TAG.split(text)
    for at, part in enumerate(parts):
        if not at % 2:
            buffer.append(part)
        elif part.startswith("<!--"):
            texts["comment"].append(part[4:].removesuffix("-->"))
        else:
            if part not in of_tag:
                inline = re.match(r"</?([^\s/>]*)", part)[1].lower() in _INLINE
                of_tag[part] = _attributes(part), inline
            for kind, name, value in of_tag[part][0]:
                if kind == "markup":
                    markup[value] = None
                else:
                    texts[kind].append(value)
                    attributes.append((name, value))
            if of_tag[part][1]:
                buffer.append(_GLUE)
                continue
            end_piece()
            where = "style" if part[:6].lower() == "<style" else "text"
    end_piece()
    texts["markup"] = list(markup)
    pieces = {kind: _lines(values) for kind, values in texts.items() if values}
    return Opened(pieces, "".join(dict.fromkeys(parts)), tuple(attributes))


def _attributes(tag: str) -> list[tuple[str, str, str]]:
    """Kind (attribute, markup or metadata), name and value of each attribute; a declaration is metadata."""
    if tag.startswith(("<!", "<?")):
        return [("metadata", "", tag.strip("<!?>"))]
    attributes = []
    for name, value in _ATTRIBUTE.findall(tag):
        name, value = name.lower(), unescape(value.strip("\"'"))
        readable = _READABLE.match(name)
        kind = "metadata" if readable and tag[:5].lower() == "<meta" else "attribute" if readable else "markup"
        attributes.append((kind, name, value))
    return attributes


def _lines(pieces: list[str]) -> str:
    """One piece a line; entities are resolved twice, since text may be escaped twice."""
    return unescape(unescape("\x01".join(pieces))).replace("\n", " ").replace("\r", " ").replace("\x01", "\n")


def _workbook(content: bytes) -> Opened:
    texts: dict[str, list[str]] = defaultdict(list)
    attributes: list[tuple[str, str]] = []
    fault = None
    try:
        texts["cells"] = _cells_of_workbook(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            texts["metadata"].append(archive.comment.decode("utf-8", errors="replace"))
            empty_parts = _parts_of_an_empty_workbook()
            for part in archive.infolist():
                texts["metadata"].append(f"{part.filename}\n{part.comment.decode('utf-8', errors='replace')}")
                xml = archive.read(part)
                if empty_parts.get(part.filename) == xml:
                    continue
                if not part.filename.endswith((".xml", ".rels", ".vml")):
                    fault = f"holds a part that is not searched ({Path(part.filename).suffix or 'no ending'})"
                    continue
                xml = _FULL_PRECISION.sub(lambda number: _as_shown(float(number[0])), _decoded(xml))
                opened = _markup(_CELL_REFERENCE.sub("", xml) if part.filename.startswith("xl/worksheets/") else xml)
                kind_of_text = "metadata" if part.filename.startswith("docProps/") else "text"
                for kind, pieces in opened.pieces.items():
                    if part.filename.endswith("sharedStrings.xml"):
                        pieces = pieces.replace("\n", _APART)  # once each: neighbours here are not so in the sheet
                    # declarations and relations name schemas by addresses
                    texts[kind if kind == "attribute" else kind_of_text if "text" in kind else "markup"].append(pieces)
                attributes += opened.attributes
    except Exception as error:  # whatever a damaged workbook makes of its reader
        return Opened({}, "", fault=f"cannot be opened ({type(error).__name__})")
    pieces = {kind: ("\n" if kind == "cells" else _APART).join(values) for kind, values in texts.items()}
    return Opened(pieces, "\n".join(pieces.get(kind, "") for kind in ("cells", "text", "metadata")), (), fault)


def _cells_of_workbook(content: bytes) -> list[str]:
    """The cells row by row, as shown: in the XML, texts are stored once each elsewhere, and dates are numbers."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    cells = []
    for name in book.sheet_names:
        cells.append(name)
        for row in book.get_sheet_by_name(name).to_python():
            values = (_as_shown(value) if isinstance(value, float) else value for value in row if value != "")
            cells += [" ".join(str(value).split()) for value in values]
    return cells


def _as_shown(number: float) -> str:
    """A number with the digits that a workbook shows: in the file 0.94 is 0.9399999999999999."""
    return f"{number:.15g}"


@functools.cache
def _parts_of_an_empty_workbook() -> dict[str, bytes]:
    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.add_worksheet()
    with zipfile.ZipFile(buffer) as archive:
        return {part: archive.read(part) for part in archive.namelist()}
