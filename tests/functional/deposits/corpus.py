"""How the tests type a deposit: a few people, as text, bytes or workbook, with one thing wrong at a time."""

from __future__ import annotations

import io
from pathlib import Path

import xlsxwriter

HEADER = (
    "code_organisme", "no_dossier", "prenom", "nom", "date_naissance", "municipalite_residence", "service",
    "date_service", "municipalite_destination", "date_etablissement", "remarques",
)  # fmt: skip
ROWS = (
    ("EER01", "101", "Zoé", "Côté", "1990-05-17", "Montréal", "Francisation", "2021-11-02", "", "", "née à Lévis"),
    ("EER01", "102", "Ali", "Ben Salah", "1985-01-01", "Rimouski", "Jumelage", "2021-11-03", "", "", ""),
    ("EER01", "103", "Inés", "Pérez", "1979-12-25", "Laval", "Accueil", "2021-12-01", "Trois-Rivières",
     "2021-12-13", ""),
)  # fmt: skip
NAME = "EER01_2021-2022_T3_2022-01-20"


def text(rows=ROWS, header=HEADER, separator=";", line="\n") -> str:
    """Rows as delimited text, without quotes."""
    return line.join(separator.join(row) for row in (header, *rows)) + line


def put(folder: Path, content: str | bytes, name: str = f"{NAME}.csv") -> Path:
    """Write a deposit into the folder; text goes in as UTF-8."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def workbook(sheets: dict[str, list[tuple]], **options) -> bytes:
    """An .xlsx of the sheets given, cells typed as they are (dates as date cells)."""
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True, "default_date_format": "yyyy-mm-dd", **options})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()
    return stream.getvalue()
