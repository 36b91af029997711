"""Deposits → records: every row that partners type is accepted, or listed with a reason; no value is guessed.

The input contract is a proposed, non-official schema (« schéma proposé, non officiel »). Files are found by walking a
folder, read to sheets of text cells (`reading`, `layout`) unless an earlier build has cached them, and gathered as
distinct texts (`files`); a crosswalk gives their meaning (`crosswalks`, `values`, `dates`, `records`), and each row its
organisation and its class (`organisations`). The equality rows read = accepted + quarantined + superseded + duplicate
is asserted per file and in total. The text of every reason and rule is in `reasons.toml` (`rules`); `check` reports
the problems of a deposit to the partner, and `template` is the workbook that partners fill in.
"""

from __future__ import annotations

from .check import check_file
from .crosswalks import Crosswalk, CrosswalkError, load_crosswalk, load_crosswalks
from .dates import parse_dates
from .deposits import Deposits, read_deposits
from .template import write_template

__all__ = [
    "Crosswalk",
    "CrosswalkError",
    "Deposits",
    "check_file",
    "load_crosswalk",
    "load_crosswalks",
    "parse_dates",
    "read_deposits",
    "write_template",
]
