"""Tables of rounded counts, as they stand on a page."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from ..tables import EXITS, PATHWAYS, PROVINCE
from .inputs import Report, frame_of
from .markup import element
from .tables import html_table
from .words import Words

TOTAL = "total"
# The order in which the rows of a table of counts are read; elsewhere that of the keys.
ORDERS = {
    "pathway": PATHWAYS,
    "exit": (*EXITS, "none_known"),
    "lost": ("followed", "contact", "silent"),
    "rows": ("accepted", "quarantined", "superseded", "duplicate", "excluded"),
    "places": ("resolved", "ambiguous", "area_only", "none"),
    "linkage": ("one", "two", "three_or_more"),
    "links": ("linked", "refused", "doubtful"),
    "conflicts": (
        "old_address",
        "establishment_dates",
        "presence_before_establishment",
        "departure_before_presence",
        "departure_already_known",
    ),
}
# Keys that only complete a table (who is in none of its other keys).
COMPLEMENTS = {"late_news": ("other",), "excluded": ("kept",)}
# Tables that count rows, places, pairs or decisions, not persons.
NOT_PERSONS = ("rows", "places", "links", "conflicts")
# Tables of counts that people look for in households too (targets are counted in households).
HOUSEHOLDS_TOO = ("origin", "pathway", "fiscal_year", "exit")


def pair(*tables: Markup | None) -> Markup | None:
    """Tables side by side where the page is wide enough."""
    kept = [table for table in tables if table]
    return element("div", *(element("div", table) for table in kept), class_="pair") if kept else None


def count_table(report: Report, *names: str, of: str | None = None) -> Markup | None:
    """Rounded counts, one table or several under one another; nothing where nothing was counted or may be shown."""
    say, words = report.words.say, report.words
    counts = frame_of(report.whole_counts if of == PROVINCE else report.counts)
    rows = []
    people = names[0] in HOUSEHOLDS_TOO
    for name in names:
        part = counts[(counts["table"] == name) & ~counts["key"].isin(COMPLEMENTS.get(name, ()))]
        # a table of zeros, or with every cell hidden, says nothing
        if part["persons"].isna().all() or (part["persons"].notna().all() and part["persons"].sum() == 0):
            continue
        order = {key: place for place, key in enumerate(ORDERS.get(name, ()))}
        part = part.sort_values("key", key=lambda keys, o=order: keys.map(o).fillna(len(o)), kind="stable")
        for _, row in part.iterrows():
            measures = ("persons", "households") if people else ("persons",)
            rows.append([_key(words, name, row["key"]), *(_count(words, row[measure]) for measure in measures)])
    if not rows:
        return None
    header = [say(f"key.{names[0]}"), say("column.rows" if names[0] in NOT_PERSONS else "column.persons")]
    caption = say(f"counts.{names[0]}", place=words.in_region(report.region))
    return html_table(caption, header + ([say("column.households")] if people else []), rows)


def _key(words: Words, name: str, key: str) -> object:
    if name == "origin" and not words.has(f"origin.{key}"):
        return words.region(key)
    if key == TOTAL:
        return words.say("counts.sum_of_displayed")
    return element("span", words.label(name, key), class_="year" if name == "fiscal_year" else None)


def _count(words: Words, value) -> str:
    return words.number(value) if pd.notna(value) else words.say("hidden")
