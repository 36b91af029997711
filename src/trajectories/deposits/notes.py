"""Sheets that explain and hold no data: those of the template, and the one that `check --annotate` adds.

Such a sheet says so in its first cell, which people read too. A workbook that holds one reads clean.
"""

from __future__ import annotations

from .crosswalks import word_key

NOT_DATA = "Cette feuille n'est pas lue"


def is_not_data(rows: list[list[str]]) -> bool:
    """
    Whether the first cell of the sheet says that it is not to be read.

    Examples
    --------
    >>> is_not_data([["Cette feuille n'est pas lue : elle explique les colonnes."]]), is_not_data([["no_dossier"]])
    (True, False)
    """
    return bool(rows and rows[0]) and word_key(rows[0][0]).startswith(word_key(NOT_DATA))
