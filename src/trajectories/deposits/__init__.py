"""Deposits → records: read anything partners type, lose no row in silence, guess nothing.

The input contract is a proposed, non-official schema (« schéma proposé, non officiel »). Files are found by walking a
folder, read to sheets of text cells (`files`, `reading`, `text`, `workbooks`, `regular`, `grid`, `layout`) unless they
are remembered from a build before (`remembered`), gathered as distinct texts (`gathering`), understood through a
crosswalk (`crosswalks`, `choosing`, `values`, `dates`, `organisations`), and each row gets its fate (`fates`). The
equality rows read = accepted + quarantined + superseded + duplicate is asserted per file and in total. Every reason and
rule has its sentence in `reasons.toml` (`rules`); what a partner is told of a deposit is `check` and `annotate`, what a
partner fills in is `template`.
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
