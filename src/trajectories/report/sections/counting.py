"""Tables of rounded counts, as they stand on a page."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from ...analysis.portrait import CONFLICT_RULES, KNOWN_TO, MIGRATIONS, PAIRS, WHO
from ...analysis.portrait.counting import CITY, CITY_OF
from ...tables import EXITS, PATHWAYS, TYPES, UNKNOWN
from ..inputs import Report, frame_of
from ..markup import element, html_table
from ..readings import level_name, origin_name, type_name
from ..words import Words

TOTAL = "total"
# The order in which the rows of a table of counts are read; elsewhere that of the keys.
ORDERS = {
    "pathway": PATHWAYS,
    "exit": (*EXITS, "none_known"),
    "lost": ("followed", "contact", "silent"),
    "rows": ("accepted", "quarantined", "superseded", "duplicate", "excluded"),
    "places": ("resolved", "ambiguous", "area_only", "none"),
    "linkage": KNOWN_TO,
    "links": PAIRS,
    "conflicts": CONFLICT_RULES,
    **{table: tuple(dict.fromkeys((*keys, UNKNOWN))) for table, keys in WHO.items()},
    "migration": MIGRATIONS,
    "type": TYPES,
}
# Tables whose keys are short, and stay on one line.
UNBROKEN = ("fiscal_year", "age", "delay")
# Keys that only complete a table (who is in none of its other keys).
COMPLEMENTS = {"late_news": ("other",), "excluded": ("kept",)}
# Tables that count rows, places, pairs or decisions, not persons.
NOT_PERSONS = ("rows", "places", "links", "conflicts")
# Tables of counts that people look for in households too (targets are counted in households).
HOUSEHOLDS_TOO = ("origin", "pathway", "fiscal_year", "exit", *WHO, "migration", "type")
# Tables whose keys with nobody are left out: they are long, or some of their keys cannot be in a region. Of the other
# tables of who settled, only « unknown » is.
SPARSE = ("country_group", "area")


def pair(*tables: Markup | None) -> Markup | None:
    """Tables side by side where the page is wide enough."""
    kept = [table for table in tables if table]
    return element("div", *(element("div", table) for table in kept), class_="pair") if kept else None


def count_table(
    report: Report,
    *names: str,
) -> Markup | None:
    """Rounded counts, one table or several under one another; nothing where nothing was counted or may be shown."""
    say, words = report.words.say, report.words
    counts = frame_of(report.counts)
    rows = []
    people = names[0] in HOUSEHOLDS_TOO
    for name in names:
        part = counts[(counts["table"] == name) & ~counts["key"].isin(COMPLEMENTS.get(name, ()))]
        if name in WHO:
            empty = part["persons"].eq(0).fillna(False)
            part = part[~(empty & (part["key"].eq(UNKNOWN) | (name in SPARSE)))]
        # a table of zeros, or with every cell hidden, says nothing; nor does one area, which is the region itself
        if part["persons"].isna().all() or (part["persons"].notna().all() and part["persons"].sum() == 0):
            continue
        if name == "area" and len(part) < 2:
            continue
        order = {key: position for position, key in enumerate(ORDERS.get(name, ()))}
        part = part.sort_values("key", key=lambda keys, o=order: keys.map(o).fillna(len(o)), kind="stable")
        for _, row in part.iterrows():
            measures = ("persons", "households") if people else ("persons",)
            rows.append([_key(report, name, row["key"]), *(count_text(words, row[m]) for m in measures)])
    if not rows:
        return None
    named = f"key.{names[0]}" if words.has(f"key.{names[0]}") else f"covariate.{names[0]}"
    header = [say(named), say("column.rows" if names[0] in NOT_PERSONS else "column.persons")]
    caption = say(f"counts.{names[0]}", place=words.in_region(report.region))
    header += [say("column.households")] if people else []
    return html_table(caption, header, rows)


def _key(report: Report, name: str, key: str) -> object:
    words = report.words
    if key == TOTAL:
        return words.say("counts.sum_of_displayed")
    if name == "origin":
        return origin_name(key, words)
    if name == "area" and key == CITY and report.region in CITY_OF:
        return words.label("area", CITY_OF[report.region])
    if name == "type":
        return type_name(key, words)
    if words.has(f"covariate.{name}"):
        return element("span", level_name(name, key, words), class_="year" if name in UNBROKEN else None)
    return element("span", words.label(name, key), class_="year" if name in UNBROKEN else None)


def count_text(words: Words, value) -> str:
    """A rounded count; a hidden one is told as such."""
    return words.number(value) if pd.notna(value) else words.say("hidden")
