"""The folders and file names of pages below `shareable/`."""

from __future__ import annotations

from pathlib import Path

from ..folders import slug
from ..study import REGION_CODES
from ..tables import PROVINCE
from .words import FIRST

# Of the same name in the folder of each language, so that every page has the same link.
INDEX = "index.html"
METHOD = "methode.html"
ANNEX = "annexe.html"


def shared_folder(out: Path, language: str) -> Path:
    """
    The folder of the pages of a language.

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
    return f"{anchor(region)}.html"


def anchor(region: str) -> str:
    """The place of a region in the annex, and the name of its page without `.html`."""
    if region in REGION_CODES:
        return f"region-{region}"
    return PROVINCE if region == PROVINCE else f"groupe-{slug(region)}"
