"""Accessible HTML tables: a caption, `th` with their scope, numbers aligned, everything escaped.

Cells are given as text that `words` has formatted; no number is computed or rounded here. A hidden cell is told as
such in words, never by an empty cell.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from .markup import element, join


def html_table(
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    note: str | Markup | None = None,
    numeric: bool = True,
    of: str | None = None,
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
    of : str, optional
        The name of the figure beside it whose numbers it holds.

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
    named = numbers_id(of) if of else None
    frame = element("div", table, class_="table", role="region", aria_label=caption, tabindex=0, id=named)
    return join(frame, element("p", note, class_="note") if note else None)


def numbers_id(figure: str) -> str:
    """The id of what holds the numbers of a figure, to which the figure points (`aria-details`)."""
    return f"nombres-{figure}"


def under_figure(figure: str, summary: str, table: Markup) -> Markup:
    """The numbers of a figure that stand in no table beside it: under it, opened on demand, and open on paper."""
    return element("details", element("summary", summary), table, id=numbers_id(figure))


def definition_list(pairs: Sequence[tuple[str, object]]) -> Markup:
    """Terms and what they mean or are set to."""
    return element("dl", *(element("div", element("dt", term), element("dd", meaning)) for term, meaning in pairs))
