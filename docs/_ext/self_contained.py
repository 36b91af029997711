"""Ends the build with an error if a page would load anything from elsewhere: the site works on a closed network."""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

# What a browser fetches by itself; a link that a reader may follow is none of it.
_FETCHED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*?\b(?:src|data)=[\"'](?:https?:)?//[^\"']*"
    r"|<link\b(?![^>]*rel=[\"']?(?:canonical|next|prev|search))[^>]*?\bhref=[\"'](?:https?:)?//[^\"']*",
    re.IGNORECASE,
)
_IMPORTED = re.compile(r"(?:@import\s+(?:url\()?|url\()\s*[\"']?(?:https?:)?//[^\"')]*", re.IGNORECASE)


def fetched(folder: Path) -> list[str]:
    """Each address outside the site that a page or a style sheet of it asks for, with the file's name."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".html", ".css"):
            text = path.read_text(encoding="utf-8")
            pattern = _FETCHED if path.suffix == ".html" else _IMPORTED
            found += [f"{path.relative_to(folder)}: {match.group(0)}" for match in pattern.finditer(text)]
    return found


def _check(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        found = fetched(Path(app.outdir))
        if found:
            raise ExtensionError("The site would fetch from elsewhere:\n" + "\n".join(found))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
