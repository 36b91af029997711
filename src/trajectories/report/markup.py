"""HTML made of values: everything that is not markup already is escaped.

`element("p", "a < b")` gives `<p>a &lt; b</p>`. A `Fragment` is what a notebook cell shows: it carries the mark
by which the page keeps it, so that nothing else a cell may print ever reaches a page.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup, escape

# The key, in an output's metadata, of what belongs on the page.
MARK = "trajectories"
# The kind of the headline: the table of contents stands after it.
BRIEF = "brief"
_VOID = frozenset({"br", "hr", "img", "meta", "wbr"})


def element(name: str, *children: object, **attributes: object) -> Markup:
    """
    One element; `class_` and `for_` stand for the reserved words, `_` in a name for `-`, None drops an attribute.

    Examples
    --------
    >>> element("td", "Éco & fam", class_="n", colspan=2)
    Markup('<td class="n" colspan="2">Éco &amp; fam</td>')
    """
    start = Markup(f"<{name}{attributes_of(**attributes)}>")  # noqa: S704 - name is code, attributes are escaped
    return start if name in _VOID else start + join(*children) + Markup(f"</{name}>")  # noqa: S704


def attributes_of(**attributes: object) -> Markup:
    """Attributes as they stand in a start tag, each after a space."""
    told = (
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("".join(told))  # noqa: S704 - names are code, values are escaped


def join(*children: object) -> Markup:
    """Children one after the other, escaped unless markup; None is nothing."""
    return Markup("").join("" if child is None else child for child in children)


@dataclass(frozen=True)
class Fragment:
    """A piece of a page: what a report notebook's cell shows."""

    html: Markup
    kind: str = "section"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": str(self.html)}, {"text/html": {MARK: self.kind}}


def nothing() -> Fragment:
    """A section that has nothing to say: it is not on the page."""
    return Fragment(Markup(""), kind="empty")


def section(name: str, title: str, *body: object, class_: str | None = None, kind: str = "section") -> Fragment:
    """A section under its heading; other parts of the page lead to it as `#s-<name>`."""
    heading = element("h2", title, id=f"t-{name}")
    html = element("section", heading, *body, id=f"s-{name}", class_=class_, aria_labelledby=f"t-{name}")
    return Fragment(html, kind)
