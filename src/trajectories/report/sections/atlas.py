"""The map of tiles as links: each region where it lies, roughly, with its rate, leading to its page.

The same map as the figure of the page of the whole (report/figures/maps.py), made of HTML, so that the keyboard and a
screen reader walk it from the north-west to the south-east, as the eye does. The table under it has the same by code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from markupsafe import Markup

from ...study import METROPOLITAN_REGIONS
from ..drawing import ink_on, shade
from ..figures.maps import PLACES, part_of_scale
from ..inputs import Report, frame_of
from ..markup import element
from ..readings import HEADLINE_HORIZON, rate_text
from ..words import Words


def atlas(reports: Sequence[Report], pages: Mapping[str, str], words: Words) -> Markup:
    """
    The tiles of all regions; those without a page, or without a rate, say so.

    Parameters
    ----------
    reports : sequence of Report
        Other groups than regions are passed over.
    pages : mapping of str to str
        Region → file name, for the regions that have a page.
    words : Words
    """
    rows = {report.region: _row(report) for report in reports if report.region in PLACES}
    rates = {code: row["estimate"] for code, row in rows.items() if row is not None and pd.notna(row["estimate"])}
    low, high = (min(rates.values()), max(rates.values())) if rates else (0.0, 1.0)
    tiles = [
        _tile(code, rows.get(code), part_of_scale(rates.get(code), low, high), pages.get(code), words)
        for code in sorted(PLACES, key=lambda code: PLACES[code][::-1])
    ]
    return element("ul", *tiles, class_="tiles", aria_label=words.say("index.map"))


def _row(report: Report) -> pd.Series | None:
    rates = frame_of(report.retention)
    rows = rates[rates["method"].eq("main") & rates["horizon"].eq(HEADLINE_HORIZON)]
    return rows.iloc[0] if len(rows) else None


def _tile(code: str, row: pd.Series | None, part: float | None, page: str | None, words: Words) -> Markup:
    column, line = PLACES[code]
    if code in METROPOLITAN_REGIONS:
        rate = words.say("index.metropole")
    else:
        rate = rate_text(row, words) if row is not None else words.say("insufficient")
    inside = [
        element("span", words.region(code), class_="name"), " ", element("span", code, class_="code"), " ",
        element("span", rate, class_="rate-of"),
    ]  # fmt: skip
    tile_style = f"grid-area: {line + 1} / {column + 1}"
    if part is not None:
        fill = shade(part)
        tile_style += f"; background: {fill}; color: {ink_on(fill)}"
    # a narrow screen has no room for the name: it is said
    label = words.say("index.tile", region=words.region(code), code=code, rate=rate)
    attributes = {"href": page} if page else {"role": "img"}
    tile = element("a" if page else "span", *inside, **attributes, aria_label=label)
    return element("li", tile, style=tile_style, class_=None if part is not None else "bare")
