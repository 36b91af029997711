"""The odd files: each a name, its bytes, and the one thing it is for. All hold the same three persons, or few."""

from __future__ import annotations

import datetime as dt
import io
import unicodedata
import zipfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd
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


def _ods() -> bytes:
    """A minimal OpenDocument sheet, with cells and rows repeated as LibreOffice writes them."""

    def row(cells) -> str:
        typed = [
            f'<table:table-cell office:value-type="string"><text:p>{c}</text:p></table:table-cell>'
            if c else "<table:table-cell/>" for c in cells
        ]  # fmt: skip
        typed.append('<table:table-cell table:number-columns-repeated="1000"/>')
        return f"<table:table-row>{''.join(typed)}</table:table-row>"

    names = {"office": "office", "table": "table", "text": "text"}
    spaces = " ".join(f'xmlns:{k}="urn:oasis:names:tc:opendocument:xmlns:{v}:1.0"' for k, v in names.items())
    body = "".join(map(row, [H, *R]))
    body += (
        '<table:table-row table:number-rows-repeated="1048572"><table:table-cell'
        ' table:number-columns-repeated="1024"/></table:table-row>'
    )
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


def zipped(files: dict[str, str]) -> bytes:
    """A zip archive of the texts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _parquet(**changes) -> bytes:
    frame = pd.DataFrame(list(R), columns=list(H)).assign(**changes)
    stream = io.BytesIO()
    frame.to_parquet(stream)
    return stream.getvalue()


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
    "no last line end": Odd(PLAIN.rstrip("\n")),
    # quotes
    "every cell in quotes": Odd(text([[f'"{c}"' for c in row] for row in R], [f'"{c}"' for c in H])),
    "a line break in quotes": Odd(_with_remark('"à rappeler;\nau printemps"')),
    "a separator in quotes": Odd(_with_remark('"a;b"'), file={"quoting": "double"}),
    "doubled quotes": Odd(_with_remark('"dit ""bonjour"""')),
    "a quote in the middle of a cell": Odd(_with_remark('écran de 15" neuf')),
    "a quote never closed": Odd(_with_remark('"oubli'), issues=("unclosed_quote",), file={"quoting": "broken"}),
    "a lone quote at the end": Odd(PLAIN.rstrip("\n") + '"'),
    # layout
    "titles": Odd(TITLES + PLAIN),
    "titles padded by a spreadsheet": Odd(TITLES.replace("\n", ";" * (len(H) - 1) + "\n") + PLAIN),
    "blank rows": Odd(PLAIN.replace("\n", "\n\n;;;;;;;;; \n")),
    "trailing empty columns": Odd(PLAIN.replace("\n", ";;;\n")),
    "rows without their last cells": Odd(_lines(*(line.rstrip(";") for line in PLAIN.split("\n")))),
    "columns in another order": Odd(text([row[::-1] for row in R], H[::-1])),
    "header in capitals without accents": Odd(text(R, [name.upper().replace("_", " ") for name in H])),
    "header only": Odd(text([], H), rows=(0, 0, 0, 0)),
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
    "OpenDocument": Odd(_ods(), ".ods"),
    "parquet": Odd(_parquet(), ".parquet"),
    "parquet of dates": Odd(_parquet(date_service=pd.to_datetime([row[6] for row in R])), ".parquet"),
    "parquet of categories": Odd(_parquet(service=pd.Categorical([row[5] for row in R])), ".parquet"),
    "parquet with missing cells": Odd(_parquet(remarques=[None, None, None]), ".parquet"),
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
}
