"""Names that people chose, as parts of file names."""

from __future__ import annotations

import hashlib
import re
import unicodedata


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
