"""Where pages stand below `shareable/`, and what they are called."""

from __future__ import annotations

from pathlib import Path

from ..folders import slug
from ..study import REGION_CODES
from ..tables import PROVINCE
from .words import FIRST

# Beside the pages of each language, under one name, so that every page links them alike.
INDEX = "index.html"
METHOD = "methode.html"


def shared_folder(out: Path, language: str) -> Path:
    """
    Where the pages of a language stand.

    Examples
    --------
    >>> [shared_folder(Path("reports"), language).as_posix() for language in ("fr", "en")]
    ['reports/shareable', 'reports/shareable/en']
    """
    return out / "shareable" if language == FIRST else out / "shareable" / language


def page_name(region: str) -> str:
    """
    The file name of a page.

    Examples
    --------
    >>> page_name("06"), page_name("province"), page_name("Est-du-Québec")
    ('region-06.html', 'province.html', 'groupe-est-du-quebec.html')
    """
    if region in REGION_CODES:
        return f"region-{region}.html"
    return "province.html" if region == PROVINCE else f"groupe-{slug(region)}.html"
