"""Names that people chose: as parts of file names, and as they are told."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Control characters, those that hide or turn the letters around them, and bytes that are no UTF-8 (as Python holds
# them); and the sign that writes them, so that no two names are told alike.
_UNSHOWN = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def slug(name: str) -> str:
    """
    A name as part of a file name: lower-case letters without accents, digits and hyphens, and nothing else.

    Examples
    --------
    >>> slug("Côte-Nord / ../Gaspésie"), slug("北")
    ('cote-nord-gaspesie', '01bc01b3')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or hashlib.sha256(name.encode()).hexdigest()[:8]


def shown_name(name: str) -> str:
    r"""
    A file's name in letters that any table, page or console can hold: the others are written by their numbers.

    Examples
    --------
    >>> print(shown_name("dépôt\udce9.csv"), shown_name("a\nb.csv"))
    dépôt\xe9.csv a\nb.csv
    """
    return _UNSHOWN.sub(lambda found: _by_number(found[0]), name)


def _by_number(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # a byte that is no UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")
