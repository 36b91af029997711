"""The odd files: each a name, its bytes, and the one thing it is for. All hold the same three persons, or few.

`READ` and `UNREADABLE` are made at once and are small; `DANGEROUS` are made when asked for, since a reader that trusts
them takes all memory, or does not end; `NAMES` are odd by their names only.
"""

from __future__ import annotations

import datetime as dt
import decimal
import io
import os
import re
import struct
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
from corpus import HEADER, ROWS, text, workbook

DATA = Path(__file__).parent / "data"
# No organisation is typed: each file names its own, so that none replaces another.
H = HEADER[1:]
R = tuple(row[1:] for row in ROWS)
PLAIN = text(R, H)
BLANK = ("",) * len(H)


class Odd(NamedTuple):
    """Content, extension, rows (read, accepted, quarantined, duplicate), codes in `issues`, and cells of `files`."""

    content: str | bytes
    suffix: str = ".csv"
    rows: tuple[int, int, int, int] = (3, 3, 0, 0)
    issues: tuple[str, ...] = ()
    file: dict[str, object] = {}  # noqa: RUF012 (never written to)
    quarantine: tuple[tuple[int, str], ...] = ()


def _lines(*lines: str, after: str = "") -> str:
    return "\n".join(lines) + after


def _typed() -> list[list]:
    rows = [list(row) for row in R]
    for row in rows:
        row[0] = int(row[0])
        for at in (3, 6, 8):
            row[at] = dt.datetime.fromisoformat(row[at]) if row[at] else ""
    return rows


def _serials(days: int) -> list[tuple]:
    day = (dt.date(2021, 11, 2) - dt.date(1899, 12, 30)).days - days
    return [(*row[:6], day, *row[7:]) for row in R]


def _book(fill, **options) -> bytes:
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True, "default_date_format": "yyyy-mm-dd", **options})
    fill(book)
    book.close()
    return stream.getvalue()


def _write(sheet, rows, top: int = 0, left: int = 0) -> None:
    for number, row in enumerate(rows):
        sheet.write_row(top + number, left, row)


def _claims_a_million_rows() -> bytes:
    """A real workbook whose dimension says A1:Z1048576, with one styled cell at the bottom."""

    def fill(book):
        sheet = book.add_worksheet("A")
        _write(sheet, [H, *R])
        sheet.write_blank(1_048_575, 25, None, book.add_format({"bold": True}))

    return _book(fill)


def _hidden(very: bool):
    def fill(book):
        _write(book.add_worksheet("Saisie"), [H, R[0]])
        sheet = book.add_worksheet("Caché")
        _write(sheet, [H, R[1]])
        sheet.very_hidden() if very else sheet.hide()

    return fill


def _lists_hidden(book) -> None:
    _write(book.add_worksheet("Saisie"), [H, *R])
    sheet = book.add_worksheet("listes")
    _write(sheet, [("Oui", "Non")])
    sheet.hide()


def _merged(book) -> None:
    """One person over two rows: number and names merged, as people do for several services."""
    sheet = book.add_worksheet("A")
    _write(sheet, [("Reddition de comptes",), H, R[0], R[1], R[2]])
    _write(sheet, [("", "", "", *R[0][3:6], "2021-11-20", "", "", "")], top=5)
    for column in range(3):
        sheet.merge_range(4, column, 5, column, R[2][column])
    sheet.merge_range(0, 0, 0, 5, "Reddition de comptes")


def _chart(book) -> None:
    _write(book.add_worksheet("A"), [H, *R])
    chart = book.add_chart({"type": "line"})
    chart.add_series({"values": "=A!$A$2:$A$4"})
    book.add_chartsheet("Graphique").set_chart(chart)


def _formulas(book) -> None:
    sheet = book.add_worksheet("A")
    _write(sheet, [H, *R])
    sheet.write_formula(1, 0, "=100+1", None, 101)
    sheet.write_formula(1, 9, "=1/0", None, "#DIV/0!")


def _moved(top: int, left: int):
    return lambda book: _write(book.add_worksheet("A"), [H, *R], top, left)


def _ods(after: str | None = None) -> bytes:
    """A minimal OpenDocument sheet, with cells and rows repeated as LibreOffice writes them; `after`: rows below."""

    def row(cells) -> str:
        typed = [
            f'<table:table-cell office:value-type="string"><text:p>{c}</text:p></table:table-cell>'
            if c else "<table:table-cell/>" for c in cells
        ]  # fmt: skip
        typed.append('<table:table-cell table:number-columns-repeated="1000"/>')
        return f"<table:table-row>{''.join(typed)}</table:table-row>"

    names = {"office": "office", "table": "table", "text": "text"}
    spaces = " ".join(f'xmlns:{k}="urn:oasis:names:tc:opendocument:xmlns:{v}:1.0"' for k, v in names.items())
    blank = '<table:table-cell table:number-columns-repeated="1024"/>'
    body = "".join(map(row, [H, *R])) + (after or _repeated(1_048_572, blank))
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} office:version="1.2"><office:body>'
        f'<office:spreadsheet><table:table table:name="Feuille1">{body}</table:table></office:spreadsheet>'
        "</office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    return zipped({"mimetype": kind, "content.xml": content, "META-INF/manifest.xml": manifest})


def _repeated(rows: int, cells: str) -> str:
    return f'<table:table-row table:number-rows-repeated="{rows}">{cells}</table:table-row>'


def _ods_cell(text: str, columns: int = 1) -> str:
    many = f'table:number-columns-repeated="{columns}"'
    return f'<table:table-cell office:value-type="string" {many}><text:p>{text}</text:p></table:table-cell>'


def zipped(files: dict[str, str | bytes], **options) -> bytes:
    """A zip archive of the texts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _parquet(**changes) -> bytes:
    frame = pd.DataFrame(list(R), columns=list(H)).assign(**changes)
    stream = io.BytesIO()
    frame.to_parquet(stream)
    return stream.getvalue()


def _arrow(columns: dict[str, pa.Array] | None = None, twice: str | None = None, rows=R) -> bytes:
    """A parquet file of the three persons with some columns of types that a data frame does not have."""
    held = {name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(H)} | (columns or {})
    names, arrays = [*held, *filter(None, [twice])], [*held.values(), *([held[twice]] if twice else [])]
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=names), stream)
    return stream.getvalue()


def _no_column() -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({}), stream)
    return stream.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def parts_of(content: bytes) -> dict[str, bytes]:
    """The parts of a workbook, by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _edited(edit: Callable[[bytes], bytes], part: str = SHEET, content: bytes | None = None) -> bytes:
    """The workbook of the three persons with the XML of a part edited."""
    parts = parts_of(content or workbook({"A": [H, *R]}))
    after = edit(parts[part])
    assert after != parts[part], "the edit found nothing to change"
    return zipped(parts | {part: after})


def _without(*names: str) -> bytes:
    return zipped({name: part for name, part in parts_of(workbook({"A": [H, *R]})).items() if name not in names})


def _with_cells(row: int, *cells: str) -> bytes:
    """The workbook of the three persons with a row of cells written as XML."""
    return _edited(
        lambda xml: xml.replace(b"</sheetData>", f'<row r="{row}">{"".join(cells)}</row></sheetData>'.encode())
    )


def _text_cell(reference: str, text: str = "x") -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>'


def _number_cell(reference: str, typed: str, more: str = "") -> str:
    return f'<c r="{reference}"{more}><v>{typed}</v></c>'


def _dimension(claimed: str, content: bytes | None = None) -> bytes:
    claim = f'<dimension ref="{claimed}"/>'.encode()
    return _edited(lambda xml: re.sub(rb"<dimension[^>]*>", claim, xml), content=content)


def _days_as(numbers, form: str = "yyyy-mm-dd"):
    """Numbers shown as dates, in the column of the date of the establishment."""

    def fill(book):
        sheet = book.add_worksheet("A")
        _write(sheet, [H, *R])
        for at, number in enumerate(numbers, start=1):
            sheet.write_number(at, 8, number, book.add_format({"num_format": form}))

    return fill


def _merged_to_the_end(book) -> None:
    sheet = book.add_worksheet("A")
    _write(sheet, [H, *R])
    sheet.merge_range(4, 0, 1_048_575, 0, "")
    sheet.merge_range(4, 9, 1_048_575, 9, "à suivre")


def _binary_book(rows) -> bytes:
    """The rows as a minimal .xlsb (MS-XLSB): records of a number, a length and a content."""

    def record(number: int, content: bytes = b"") -> bytes:
        sizes, size = b"", len(content)
        while size > 127:
            sizes, size = sizes + bytes([size & 127 | 128]), size >> 7
        numbered = bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])
        return numbered + sizes + bytes([size]) + content

    def wide(text: str) -> bytes:
        return struct.pack("<I", len(text)) + text.encode("utf-16-le")

    book = record(131) + record(143) + record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("A"))
    book += record(144) + record(132)
    sheet = record(129) + record(148, struct.pack("<IIII", 0, len(rows) - 1, 0, len(rows[0]) - 1)) + record(145)
    for number, row in enumerate(rows):
        sheet += record(0, struct.pack("<IIHBBBI", number, 0, 300, 0, 0, 0, 0))
        for at, cell in enumerate(row):
            sheet += record(6, struct.pack("<II", at, 0) + wide(cell)) if cell else b""
    sheet += record(146) + record(130)
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

    def relations(kind: str, target: str) -> str:
        return (
            f'<?xml version="1.0"?><Relationships xmlns="{package}/relationships"><Relationship Id="rId1"'
            f' Type="{office}/{kind}" Target="{target}"/></Relationships>'
        )

    types = f'<Types xmlns="{package}/content-types"><Default Extension="bin" ContentType="x"/></Types>'
    return zipped({
        "[Content_Types].xml": types, "_rels/.rels": relations("officeDocument", "xl/workbook.bin"),
        "xl/workbook.bin": book, "xl/_rels/workbook.bin.rels": relations("worksheet", "worksheets/sheet1.bin"),
        "xl/worksheets/sheet1.bin": sheet,
    })  # fmt: skip


def _with_remark(remark: str, separator: str = ";") -> str:
    return text([(*R[0][:-1], remark), *R[1:]], H, separator)


TITLES = "Reddition de comptes\n\nPASI, 3e trimestre\n"
READ = {
    # encodings
    "utf8": Odd(PLAIN, file={"encoding": "utf-8", "quoting": None}),
    "utf8 with a mark": Odd(PLAIN.encode("utf-8-sig"), file={"encoding": "utf-8-sig"}),
    "two marks": Odd(b"\xef\xbb\xbf" + PLAIN.encode("utf-8-sig")),
    "cp1252": Odd(PLAIN.encode("cp1252"), file={"encoding": "cp1252"}),
    "mac roman": Odd(PLAIN.encode("mac_roman"), file={"encoding": "mac_roman"}),
    "utf16 with a mark": Odd(PLAIN.encode("utf-16"), file={"encoding": "utf-16"}),
    "utf16 big-endian with a mark": Odd(b"\xfe\xff" + PLAIN.encode("utf-16-be"), file={"encoding": "utf-16"}),
    "utf16 without a mark": Odd(PLAIN.encode("utf-16-le"), ".txt", file={"encoding": "utf-16-le"}),
    "utf16 big-endian without a mark": Odd(PLAIN.encode("utf-16-be"), file={"encoding": "utf-16-be"}),
    "utf16 cut in a letter": Odd(PLAIN.encode("utf-16")[:-1]),
    "utf8 read as cp1252": Odd(PLAIN.encode("utf-8").decode("cp1252")),
    "one cell of mojibake": Odd(PLAIN.replace("Zoé", "ZoÃ©")),
    "a letter that only looks like mojibake": Odd(PLAIN.replace("née à Lévis", "SÃO TOMÉ, Ângela")),
    "decomposed accents": Odd(PLAIN.replace("Montréal", unicodedata.normalize("NFD", "Montréal"))),
    "no-break spaces": Odd(text(R, [f"\xa0{name.replace('_', chr(0xA0))} " for name in H])),
    "NUL bytes": Odd(PLAIN.replace("Rimouski", "Rim\0ouski"), issues=("nul_bytes",)),
    "ends with control-Z": Odd(PLAIN + "\x1a"),
    "a stray control character": Odd(PLAIN.replace("née", "n\x1fée")),
    "two encodings": Odd(PLAIN.encode("cp1252").replace("Zoé;Côté".encode("cp1252"), "Zoé;Côté".encode())),
    "a second file below, with its mark": Odd(
        PLAIN.encode("utf-8-sig") + text([(f"2{row[0]}", *row[1:]) for row in R], H).encode("utf-8-sig"),
        rows=(7, 6, 1, 0),
        quarantine=((5, "header_row"),),
    ),
    "utf32": Odd(PLAIN.encode("utf-32"), issues=("nul_bytes",)),
    "zeros after the end": Odd(PLAIN.encode() + bytes(5000), issues=("nul_bytes",)),
    "marks of direction": Odd(text(R, [f"\u200f{name}\u200e" for name in H])),
    "zero-width spaces and soft hyphens": Odd(PLAIN.replace("Laval", "La\u00adval").replace("date_s", "date_\u200bs")),
    "figures": Odd(_with_remark("👩\u200d👩\u200d👧 👍🏽")),
    "full-width digits": Odd(PLAIN.replace("2021-11-02", "２０２１-１１-０２")),
    "Arabic digits": Odd(PLAIN.replace("2021-11-02", "٢٠٢١-١١-٠٢")),
    "form feeds between rows": Odd(PLAIN.replace("\n", "\n\x0c")),
    "a line separator in a cell": Odd(_with_remark("une\u2028deux")),
    # separators, numbers, lines
    "commas": Odd(text(R, H, ","), file={"separator": ","}),
    "tabs": Odd(text(R, H, "\t"), ".tsv", file={"separator": "\t"}),
    "bars": Odd(text(R, H, "|"), ".txt", file={"separator": "|"}),
    "commas in a file of semicolons": Odd(_with_remark("a, b, c, d, e, f, g, h, i, j, k")),
    "decimal commas": Odd(
        text([(*row, "4,0") for row in R], [*H, "taille_menage"]), file={"decimal": "comma", "separator": ";"}
    ),
    "decimal points": Odd(text([(*row, "4.0") for row in R], [*H, "taille_menage"]), file={"decimal": "point"}),
    "decimal commas in quotes": Odd(
        text([(*row, '"4,0"') for row in R], [*H, "taille_menage"], ","),
        file={"decimal": "comma", "separator": ",", "quoting": "double"},
    ),
    "windows lines": Odd(text(R, H, line="\r\n")),
    "old Mac lines": Odd(text(R, H, line="\r")),
    "lines of two kinds": Odd(PLAIN.replace("\n", "\r\n", 2)),
    "lines that end three times": Odd(PLAIN.replace("\n", "\r\r\n")),
    "a lone carriage return in a cell": Odd(
        _with_remark("une\rdeux"), rows=(4, 3, 1, 0), quarantine=((3, "no_date_no_place"),)
    ),
    "a line that names the separator": Odd("sep=;\n" + PLAIN, file={"separator": ";"}),
    "the separator changes": Odd(
        text(R[:2], H) + ",".join(R[2]) + "\n", rows=(3, 2, 1, 0), quarantine=((4, "no_date_no_place"),)
    ),
    "every separator twice": Odd(PLAIN.replace(";", ";;")),
    "tabs beside the separators": Odd(PLAIN.replace(";", ";\t")),
    "ten thousand columns": Odd(
        text([(*row, *["x"] * 9990) for row in R], [*H, *(f"c{at}" for at in range(9990))]), issues=("unknown_column",)
    ),
    "no last line end": Odd(PLAIN.rstrip("\n")),
    # quotes
    "every cell in quotes": Odd(text([[f'"{c}"' for c in row] for row in R], [f'"{c}"' for c in H])),
    "a line break in quotes": Odd(_with_remark('"à rappeler;\nau printemps"')),
    "a separator in quotes": Odd(_with_remark('"a;b"'), file={"quoting": "double"}),
    "doubled quotes": Odd(_with_remark('"dit ""bonjour"""')),
    "a quote in the middle of a cell": Odd(_with_remark('écran de 15" neuf')),
    "a quote never closed": Odd(_with_remark('"oubli'), issues=("unclosed_quote",), file={"quoting": "broken"}),
    "a lone quote at the end": Odd(PLAIN.rstrip("\n") + '"'),
    "a quote never closed in the header": Odd('"' + PLAIN, issues=("unclosed_quote",), file={"quoting": "broken"}),
    "typographic quotes": Odd(_with_remark("“à rappeler”")),
    "signs of programs": Odd(_with_remark("%s {0} $HOME <b>x</b> \\n")),
    # layout
    "titles": Odd(TITLES + PLAIN),
    "titles padded by a spreadsheet": Odd(TITLES.replace("\n", ";" * (len(H) - 1) + "\n") + PLAIN),
    "blank rows": Odd(PLAIN.replace("\n", "\n\n;;;;;;;;; \n")),
    "trailing empty columns": Odd(PLAIN.replace("\n", ";;;\n")),
    "rows without their last cells": Odd(_lines(*(line.rstrip(";") for line in PLAIN.split("\n")))),
    "columns in another order": Odd(text([row[::-1] for row in R], H[::-1])),
    "header in capitals without accents": Odd(text(R, [name.upper().replace("_", " ") for name in H])),
    "header only": Odd(text([], H), rows=(0, 0, 0, 0)),
    "header thrice and nobody": Odd(
        text([H, H], H), rows=(2, 0, 2, 0), quarantine=((2, "header_row"), (3, "header_row"))
    ),
    "header once a page": Odd(
        text([R[0], H, R[1], H, R[2]], H), rows=(5, 3, 2, 0), quarantine=((3, "header_row"), (5, "header_row"))
    ),
    "two rows of headers": Odd("Identité;;;;Lieu;;;;;\n" + PLAIN),
    "a row that explains the header": Odd(
        text(
            [
                (
                    "numéro",
                    "texte",
                    "texte",
                    "AAAA-MM-JJ",
                    "texte",
                    "liste",
                    "AAAA-MM-JJ",
                    "texte",
                    "AAAA-MM-JJ",
                    "texte",
                ),
                *R,
            ],
            H,
        ),
        rows=(4, 3, 1, 0),
        quarantine=((2, "no_date_no_place"),),
    ),
    "a header of spaces": Odd("   ;  ; \n" + PLAIN),
    "only totals": Odd(
        text([("Total", "3", *BLANK[2:]), ("Sous-total", "1", *BLANK[2:])], H),
        rows=(2, 0, 2, 0),
        quarantine=((2, "total_row"), (3, "total_row")),
    ),
    "nothing but « n/d »": Odd(
        text([("n/d",) * len(H)] * 2, H),
        rows=(2, 0, 2, 0),
        quarantine=((2, "no_date_no_place"), (3, "no_date_no_place")),
    ),
    "one row five thousand times": Odd(text([R[0]] * 5000, H), rows=(5000, 1, 0, 4999)),
    "one person a thousand times": Odd(
        text([(*R[0][:6], f"2021-{1 + at % 12:02d}-{1 + at % 28:02d}", *R[0][7:9], f"x{at}") for at in range(1000)], H),
        rows=(1000, 1000, 0, 0),
    ),
    "a total": Odd(PLAIN + "Total;3;;;;;;;;\n", rows=(4, 3, 1, 0), quarantine=((5, "total_row"),)),
    "subtotals": Odd(
        text([R[0], ("Sous-total", "1 personne", *BLANK[2:]), R[1], ("TOTAL : 2", *BLANK[1:])], H),
        rows=(4, 2, 2, 0),
        quarantine=((3, "total_row"), (5, "total_row")),
    ),
    "a person called Total": Odd(text([(R[0][0], "Jean", "Total", *R[0][3:])], H), rows=(1, 1, 0, 0)),
    "a cell too many": Odd(
        text([R[0], (*R[1][:4], "en trop", *R[1][4:])], H), rows=(2, 1, 1, 0), quarantine=((3, "ragged"),)
    ),
    "a row slid to the left": Odd(
        text([R[0], ("102", "1985-01-01", "Rimouski", "Jumelage", "2021-11-03")], H),
        rows=(2, 1, 1, 0),
        quarantine=((3, "ragged"),),
    ),
    "the header once more": Odd(text([R[0], H, R[1]], H), rows=(3, 2, 1, 0), quarantine=((3, "header_row"),)),
    "an exact duplicate": Odd(text([*R, R[0]], H), rows=(4, 3, 0, 1)),
    "nobody": Odd(text([R[0], ("", "", "", *R[1][3:])], H), rows=(2, 1, 1, 0), quarantine=((3, "no_identity"),)),
    "no date and a place that is none": Odd(
        text([R[0], ("9", "Ali", "Ba", "", "xyzzy", "", "bientôt", "", "", "")], H),
        rows=(2, 1, 1, 0),
        quarantine=((3, "no_date_no_place"),),
    ),
    "an unknown column": Odd(text([(*row, "38") for row in R], [*H, "pointure"]), issues=("unknown_column",)),
    "a column without its header": Odd(
        text([(row[0], "x", *row[1:]) for row in R], [H[0], "", *H[1:]]), issues=("unnamed_column",)
    ),
    "a column twice": Odd(text([(*row, "x") for row in R], [*H, "Nom"]), issues=("repeated_column",)),
    # cells
    "exercices that no deposit can be of": Odd(
        text(
            [(*row, year) for row, year in zip(R, ("0000-0001", "99999-100000", "9998-9999"), strict=True)],
            [*H, "exercice"],
        ),
    ),
    "an exercice of a later generation": Odd(text([(*row, "2091-2092") for row in R], [*H, "exercice"])),
    "quarters that no year has": Odd(
        text([(*row, quarter) for row, quarter in zip(R, ("0", "T5", "9"), strict=True)], [*H, "trimestre"])
    ),
    "sizes that no household has": Odd(
        text([(*row, size) for row, size in zip(R, ("1e999", "٣", "½"), strict=True)], [*H, "taille_menage"])
    ),
    "days that no calendar has": Odd(
        text(
            [
                (str(at), *R[0][1:6], day, *R[0][7:])
                for at, day in enumerate(
                    (
                        "0000-00-00",
                        "9999-12-31",
                        "2021-02-31",
                        "32/13/2021",
                        "²0²1-11-02",
                        "-44502",
                        "1899-12-31",
                        "1e5",
                        "0000",
                        "T4 2100-2101",
                        "T2 0000-0001",
                        "13 mars 0001",
                        "2021-11-02T99:99",
                        "00/00/00",
                        "2021" + "-" * 9000,
                    )
                )
            ],
            H,
        ),
        rows=(15, 15, 0, 0),
    ),
    "a name of two million letters": Odd(text([(R[0][0], "Z" * 2_000_000, *R[0][2:])], H), rows=(1, 1, 0, 0)),
    "as long as a cell can be": Odd(
        text([(R[0][0], "Z" * 32_767, *R[0][2:4], "x y" * 10_922, *R[0][5:9], "1 " * 16_000)], H), rows=(1, 1, 0, 0)
    ),
    "formulas": Odd(text([(*row[:9], '=HYPERLINK(A1)+cmd|"/c"!A1') for row in R], H)),
    "numbers kept as text by a formula": Odd(PLAIN.replace("\n101;", '\n="101";'), rows=(3, 3, 0, 0)),
    # workbooks
    "workbook": Odd(workbook({"Feuil1": [H, *R]}), ".xlsx", file={"encoding": None, "separator": None}),
    "workbook of typed cells": Odd(workbook({"Feuil1": [H, *_typed()]}), ".xlsx"),
    "workbook with macros, by its name": Odd(workbook({"Feuil1": [H, *R]}), ".xlsm"),
    "workbook saved as csv": Odd(workbook({"Feuil1": [H, *R]}), ".csv"),
    "workbook saved as xls": Odd(workbook({"Feuil1": [H, *R]}), ".xls"),
    "text saved as xls": Odd(PLAIN, ".xls"),
    "workbook from 1904": Odd(workbook({"A": [H, *_serials(1462)]}, date_1904=True), ".xlsx"),
    "workbook of bare serials": Odd(workbook({"A": [H, *_serials(0)]}), ".xlsx"),
    "workbook below and right of the corner": Odd(_book(_moved(5, 3)), ".xlsx"),
    "workbook that claims a million rows": Odd(_claims_a_million_rows(), ".xlsx"),
    "workbook with one sheet a quarter": Odd(
        workbook({"T1": [H, R[0]], "T2": [H, R[1]], "T3": [H, R[2]], "Notes": [("Bonjour",)]}),
        ".xlsx",
        issues=("no_header",),
        file={"n_sheets": 3},
    ),
    "workbook with a hidden sheet": Odd(_book(_hidden(False)), ".xlsx", (2, 2, 0, 0), issues=("hidden_sheet",)),
    "workbook with a very hidden sheet": Odd(_book(_hidden(True)), ".xlsx", (2, 2, 0, 0), issues=("hidden_sheet",)),
    "workbook with hidden lists": Odd(_book(_lists_hidden), ".xlsx", file={"n_sheets": 1}),
    "workbook with merged cells": Odd(_book(_merged), ".xlsx", rows=(4, 4, 0, 0)),
    "workbook with a chart": Odd(_book(_chart), ".xlsx", file={"n_sheets": 1}),
    "workbook with formulas and errors": Odd(_book(_formulas), ".xlsx"),
    "old Excel": Odd((DATA / "old_excel.xls").read_bytes(), ".xls"),
    "old Excel from 1904": Odd((DATA / "old_excel_1904.xls").read_bytes(), ".xls"),
    "workbook whose dimension is one cell": Odd(_dimension("A1"), ".xlsx"),
    "workbook whose dimension is all, with an error": Odd(_dimension("A1:XFD1048576", _book(_formulas)), ".xlsx"),
    "workbook with a cell in the last column": Odd(
        _with_cells(5, _text_cell("A5", "104"), _text_cell("XFD5")), ".xlsx", (4, 3, 1, 0), quarantine=((5, "ragged"),)
    ),
    "workbook with a number that is none": Odd(
        _with_cells(5, _number_cell("A5", "NaN"), _number_cell("G5", "1e999")),
        ".xlsx",
        (4, 3, 1, 0),
        quarantine=((5, "no_identity"),),
    ),
    "workbook with a style that is not there": Odd(
        _with_cells(5, _number_cell("A5", "104", ' s="9999"'), _text_cell("E5", "Laval")), ".xlsx", (4, 4, 0, 0)
    ),
    "workbook with a formula that was never computed": Odd(
        _edited(lambda xml: xml.replace(b"<v>#DIV/0!</v>", b""), content=_book(_formulas)), ".xlsx"
    ),
    "workbook of yes and no": Odd(workbook({"A": [H, *[(*row[:9], True) for row in R]]}), ".xlsx"),
    "workbook of days that are yes": Odd(workbook({"A": [H, *[(*row[:8], True, "") for row in R]]}), ".xlsx"),
    "workbook of days before 1900": Odd(_book(_days_as((-5, 0, 1.5))), ".xlsx"),
    "workbook of days that never come": Odd(_book(_days_as((1e10, 2_958_466, 99_999))), ".xlsx"),
    "workbook of hours": Odd(_book(_days_as((0.5, 1.5, 30), "[h]:mm")), ".xlsx"),
    "workbook of references in small letters": Odd(
        _edited(lambda xml: re.sub(rb' r="[A-Z]+\d+"', lambda found: found[0].lower(), xml)), ".xlsx"
    ),
    "workbook in the strict words of the standard": Odd(
        zipped(
            {
                name: part.replace(
                    b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
                    b"http://purl.oclc.org/ooxml/spreadsheetml/main",
                )
                for name, part in parts_of(workbook({"A": [H, *R]})).items()
            }
        ),
        ".xlsx",
    ),
    "workbook with a document type": Odd(
        _edited(lambda xml: xml.replace(b"<worksheet", b'<!DOCTYPE a [<!ENTITY b "c">]><worksheet')), ".xlsx"
    ),
    "workbook without styles": Odd(_without("xl/styles.xml"), ".xlsx"),
    "workbook of paths from the root": Odd(
        _edited(lambda xml: xml.replace(b'"worksheets/', b'"/xl/worksheets/'), "xl/_rels/workbook.xml.rels"), ".xlsx"
    ),
    "workbook merged to its last row": Odd(
        _book(_merged_to_the_end), ".xlsx", (4, 3, 1, 0), quarantine=((5, "no_identity"),)
    ),
    "workbook of three hundred sheets": Odd(workbook({f"f{at}": [] for at in range(300)} | {"A": [H, *R]}), ".xlsx"),
    "workbook whose sheet is named as markup": Odd(workbook({"<script>&'\"😀": [H, *R]}), ".xlsx"),
    "binary workbook": Odd(_binary_book([H, *R]), ".xlsb"),
    "OpenDocument": Odd(_ods(), ".ods"),
    "OpenDocument with a row a thousand times": Odd(
        _ods(_repeated(1000, "".join(map(_ods_cell, (*R[0][:7], "", "", "x"))))), ".ods", (1003, 4, 0, 999)
    ),
    "parquet": Odd(_parquet(), ".parquet"),
    "parquet of dates": Odd(_parquet(date_service=pd.to_datetime([row[6] for row in R])), ".parquet"),
    "parquet of categories": Odd(_parquet(service=pd.Categorical([row[5] for row in R])), ".parquet"),
    "parquet with missing cells": Odd(_parquet(remarques=[None, None, None]), ".parquet"),
    "parquet of nested cells": Odd(_arrow({"remarques": pa.array([{"a": [1]}] * 3)}), ".parquet"),
    "parquet of exact numbers": Odd(
        _arrow({"no_dossier": pa.array([decimal.Decimal(row[0]) for row in R])}), ".parquet"
    ),
    "parquet of instants": Odd(
        _arrow(
            {
                "date_service": pa.array(
                    [dt.datetime.fromisoformat(row[6]) for row in R], pa.timestamp("us", "America/Toronto")
                )
            }
        ),
        ".parquet",
    ),
    "parquet of durations": Odd(_arrow({"date_etablissement": pa.array([dt.timedelta(5)] * 3)}), ".parquet"),
    "parquet of bytes": Odd(_arrow({"prenom": pa.array([row[1].encode() for row in R])}), ".parquet"),
    "parquet of dictionaries": Odd(
        _arrow({"service": pa.array([row[5] for row in R]).dictionary_encode()}), ".parquet"
    ),
    "parquet of nothing but nulls": Odd(_arrow({"remarques": pa.nulls(3)}), ".parquet"),
    "parquet with a column twice": Odd(_arrow(twice="nom"), ".parquet", issues=("repeated_column",)),
    "parquet without a row": Odd(_arrow(rows=()), ".parquet", (0, 0, 0, 0)),
}

UNREADABLE = {
    "empty": (b"", ".csv", "empty"),
    "blank": (b"\xef\xbb\xbf \r\n", ".csv", "empty"),
    "only NUL bytes": (bytes(500), ".csv", "empty"),
    "binary": (bytes(range(256)) * 20, ".csv", "binary"),
    "pdf": (b"%PDF-1.7 ...", ".csv", "PDF"),
    "picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, ".csv", "picture"),
    "archive": (b"\x1f\x8b\x08" + b"\0" * 50, ".csv", "archive"),
    "no header": (b"bonjour;monde\n1;2\n", ".csv", "header"),
    "a workbook of notes": (workbook({"Notes": [("Bonjour", "à", "tous")]}), ".xlsx", "header"),
    "html as xls": (b"<html><table><tr><td>no_dossier</td></tr></table></html>", ".xls", "web page"),
    "Excel 2003 XML": (b'<?xml version="1.0"?><Workbook><Worksheet/></Workbook>', ".xls", "web page"),
    "cut workbook": (workbook({"A": [H, *R]})[:900], ".xlsx", "damaged"),
    "text as xlsx": (PLAIN.encode(), ".xlsx", "not a valid .xlsx"),
    "zip without a workbook": (b"PK\x03\x04" + b"\0" * 200, ".xlsx", "damaged"),
    "a letter named xlsx": (
        zipped({"word/document.xml": "<w/>", "[Content_Types].xml": "<T/>"}),
        ".xlsx",
        "a Word document",
    ),
    "encrypted": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 600,
        ".xlsx",
        "password",
    ),
    "old workbook, damaged": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 700, ".xls", "damaged"),
    "old workbook, cut": ((DATA / "old_excel.xls").read_bytes()[:3000], ".xls", "damaged"),
    "damaged parquet": (b"PAR1" + b"\0" * 100 + b"PAR1", ".parquet", "parquet"),
    "text as parquet": (b"abc", ".parquet", "not a valid .parquet"),
    "parquet of days that never come": (
        _arrow({"date_service": pa.array([2**60] * 3, pa.timestamp("ms"))}),
        ".parquet",
        "parquet",
    ),
    "parquet without a column": (_no_column(), ".parquet", "header"),
    "workbook with a text that is not there": (
        _with_cells(5, _number_cell("A5", "99999", ' t="s"')),
        ".xlsx",
        "damaged",
    ),
    "workbook with a cell of no kind": (_with_cells(5, _number_cell("A5", "1", ' t="zz"')), ".xlsx", "damaged"),
    "workbook with a row of no number": (_with_cells(0, _text_cell("A0")), ".xlsx", "damaged"),
    "workbook with a sheet that ends early": (_edited(lambda xml: xml[:-400]), ".xlsx", "damaged"),
    "workbook with a sheet of no XML": (_edited(lambda xml: b"bonjour"), ".xlsx", "damaged"),
    "workbook without its sheet": (_without(SHEET), ".xlsx", "damaged"),
    "workbook without its texts": (_without("xl/sharedStrings.xml"), ".xlsx", "damaged"),
    "a workbook inside an archive": (zipped({"depot.xlsx": workbook({"A": [H, *R]})}), ".xlsx", "damaged"),
    "OpenDocument with a cell over the whole sheet": (
        _ods(_repeated(1_048_572, _ods_cell("x", 16_384))),
        ".ods",
        "damaged",
    ),
    "an archive": (zipped({"depot.csv": PLAIN}), ".zip", "archive"),
    "binary workbook, cut": (_binary_book([H, *R])[:700], ".xlsb", "damaged"),
    "text as xlsb": (PLAIN.encode(), ".xlsb", "not a valid .xlsb"),
    "titles only": (b"Reddition de comptes\n\n2021-2022\n", ".csv", "header"),
    "thirty thousand cells on one line": (";".join(H * 3000).encode(), ".csv", "30,000 cells"),
    "fifty million letters": (b"x" * 50_000_000, ".csv", "header"),
    "a message": (b"From: a\nSubject: b\n\nBonjour,\nvoici.\n", ".txt", "header"),
    "rich text": (b"{\\rtf1\\ansi no_dossier;prenom;nom}", ".txt", "header"),
    "JSON": (b'[{"no_dossier": 1, "prenom": "A", "nom": "B"}]', ".csv", "header"),
    "a web archive": (b"MIME-Version: 1.0\nContent-Type: text/html\n\n<html>", ".xls", "header"),
    "a database": (b"SQLite format 3\0" + bytes(100) + b"no_dossier;", ".csv", "binary"),
    "utf32 big-endian": (b"\0\0\xfe\xff" + PLAIN.encode("utf-32-be"), ".csv", "binary"),
    "bytes after a text": (PLAIN.encode() + bytes(range(256)) * 4, ".csv", "binary"),
}


def _unfolds(part: str, size: int) -> bytes:
    """The workbook of the three persons with a part that unfolds to a size, of one letter."""
    parts = parts_of(workbook({"A": [H, *R]}))
    before, after = parts[part].split(b"</", 1)
    return zipped(parts | {part: before + b" " * size + b"</" + after}, compression=zipfile.ZIP_DEFLATED)


def _far_in_old_excel() -> bytes:
    """The old workbook with its last cell of text (a record of ten bytes: row, column …) moved to the end of all."""
    content = (DATA / "old_excel.xls").read_bytes()
    at = content.rindex(b"\xfd\x00\x0a\x00") + 4
    return content[:at] + b"\xff" * 4 + content[at + 4 :]


# What a reader that trusts it would take all memory for, or never end: made when asked for. What its sentence says.
DANGEROUS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "a cell in the last corner": (lambda: _with_cells(1_048_576, _text_cell("XFD1048576")), ".xlsx", "column XFD"),
    "a cell in no column": (lambda: _with_cells(2, _text_cell("ZZZZZZ2")), ".xlsx", "column ZZZZZZ"),
    "a cell in no row": (lambda: _with_cells(99_999_999, _text_cell("A99999999")), ".xlsx", "row 99999999"),
    "texts that unfold without end": (lambda: _unfolds("xl/sharedStrings.xml", 1 << 29), ".xlsx", "536,"),
    "a sheet that unfolds without end": (lambda: _unfolds(SHEET, 1 << 29), ".xlsx", "536,"),
    "an old workbook with a cell in the last corner": (_far_in_old_excel, ".xls", "a trial of it failed"),
}  # fmt: skip


class Named(NamedTuple):
    """A file's name as the system has it, and as it is told."""

    name: bytes
    told: str


PLAIN_NAMES = (
    "-rf.csv", "--help.csv", "CON.csv", "<script>alert(1)</script>.csv", "l'accueil \"d'ici\".csv", "👍🏽.csv",
    "%s%n{0}$HOME.csv", "$(reboot)`x`.csv", " espace .csv", "deux  espaces.csv", "point..csv", "EN_CAPITALES.CSV",
    "=1+1.csv", f"{'très' * 30}/{'long' * 60}.csv", unicodedata.normalize("NFD", "Référé.csv"), "a;b,c\u00a0d.csv",
    "北.csv", "total.csv", "organismes.csv/EER02_2021-2022_T1.csv",
)  # fmt: skip
NAMES = (
    *(Named(name.encode(), name) for name in PLAIN_NAMES),
    Named(b"d\xe9p\xf4t.csv", r"d\xe9p\xf4t.csv"),
    Named(b"d\xe9p\xf4ts/T1 2021-2022.csv", r"d\xe9p\xf4ts/T1 2021-2022.csv"),
    Named(b"deux\nlignes.csv", r"deux\nlignes.csv"),
    Named(b"cloche\x07\x1b[31m.csv", r"cloche\x07\x1b[31m.csv"),
    Named("tourné\u202evsc.csv".encode(), r"tourné\u202evsc.csv"),
    Named(b"barre\\oblique.csv", r"barre\\oblique.csv"),
)


def put_named(folder: Path, named: Named, content: bytes) -> None:
    """Write a file under a name of bytes; the folders above it too."""
    path = folder / os.fsdecode(named.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
