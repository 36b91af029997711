"""A page in another language than the site says so to screen readers: `lang: fr-CA` at its head."""

from typing import Any

from sphinx.application import Sphinx


def _said(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    language = (context.get("meta") or {}).get("lang")
    if language:
        context["body"] = f'<div lang="{language}">{context["body"]}</div>'


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", _said)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
