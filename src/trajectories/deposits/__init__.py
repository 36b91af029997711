"""Deposits → records: read anything partners type, lose no row in silence, guess nothing.

The input contract is a proposed, non-official schema (« schéma proposé, non officiel »). Files are found by walking a
folder, read to sheets of text cells (`reading`, `text`, `layout`), gathered as distinct texts (`gathering`), understood
through a crosswalk (`crosswalks`, `values`, `dates`, `organisations`), and each row gets its fate (`fates`). The
equality rows read = accepted + quarantined + superseded + duplicate is asserted per file and in total.
"""

from .crosswalks import Crosswalk, CrosswalkError, load_crosswalk
from .dates import parse_dates
from .deposits import Deposits, read_deposits

__all__ = ["Crosswalk", "CrosswalkError", "Deposits", "load_crosswalk", "parse_dates", "read_deposits"]
