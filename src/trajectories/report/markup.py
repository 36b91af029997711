"""HTML made of values, tables included: everything that is not markup already is escaped.

`element("p", "a < b")` gives `<p>a &lt; b</p>`. A `Fragment` is the output of a notebook cell that goes on the page: it
has a mark, and outputs without it are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

# The key in the metadata of an output that marks it for the page.
MARK = "trajectories"
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
    """Attributes as in a start tag, each after a space."""
    texts = (
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("".join(texts))  # noqa: S704 - names are code, values are escaped


def join(*children: object) -> Markup:
    """Children one after the other, escaped unless markup; None is nothing."""
    return Markup("").join("" if child is None else child for child in children)  # type: ignore[misc]  # escapes any


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


def section(name: str, title: str, *body: object, class_: str | None = None) -> Fragment:
    """A section with its heading; its anchor is `#s-<name>`."""
    heading = element("h2", title, id=f"t-{name}")
    html = element("section", heading, *body, id=f"s-{name}", class_=class_, aria_labelledby=f"t-{name}")
    return Fragment(html)


# ----------------------------------------------------------------------------------------------------
# Accessible HTML tables: a caption, `th` with their scope, numbers aligned, everything escaped.
#
# Cells are texts that `Words` has formatted; no number is computed or rounded here. A hidden cell says so in words; it
# is never empty.


def html_table(
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    note: str | Markup | None = None,
    numeric: bool = True,
) -> Markup:
    """
    A table whose first column names its rows.

    Parameters
    ----------
    caption : str
    header : sequence of str
        One title a column, the first one for the rows' names.
    rows : sequence of sequences
        Text or markup, as many as in the header.
    note : str or markup, optional
        A line under the table.
    numeric : bool
        Whether the columns after the first hold numbers (aligned to the right).

    Examples
    --------
    >>> "<th scope=\\"row\\">12 mois</th>" in html_table("Rétention", ["Durée", "Taux"], [["12 mois", "82 %"]])
    True
    """
    head = element("tr", *(element("th", title, scope="col") for title in header))
    body = [
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in rest))
        for first, *rest in rows
    ]
    table = element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", *body),
        class_="numbers" if numeric else None,
    )
    # a region that scrolls must be reachable by the keyboard, and then needs a name
    frame = element("div", table, class_="table", role="region", aria_label=caption, tabindex=0)
    return join(frame, element("p", note, class_="note") if note else None)


def numbers_id(figure: str) -> str:
    """The id of the table of a figure's numbers, to which the figure refers (`aria-details`)."""
    return f"nombres-{figure}"


def under_figure(figure: str, summary: str, table: Markup) -> Markup:
    """The table of numbers under a figure: opened on demand."""
    return element("details", element("summary", summary), table, id=numbers_id(figure))


def definition_list(pairs: Sequence[tuple[str, object]]) -> Markup:
    """Terms and what they mean or are set to."""
    return element("dl", *(element("div", element("dt", term), element("dd", meaning)) for term, meaning in pairs))
