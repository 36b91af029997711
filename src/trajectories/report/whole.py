"""The sections of the page of the whole that look at all regions, all types of trajectories, all models.

As the others (sections.py): each takes a `Report` and gives the `Fragment` that a notebook's cell shows; a section with
nothing to say is not on the page.
"""

from __future__ import annotations

from ..study import METROPOLITAN_REGIONS, REGION_CODES
from ..tables import PROVINCE
from . import figures
from .inputs import Report, frame_of
from .markup import Fragment, element, nothing, section
from .readings import HEARSAY, by_hearsay, notes, with_limits
from .tables import html_table


def regions(report: Report) -> Fragment:
    """Every region beside the others: on the map, as curves, in a table, and against what chance alone would do."""
    say, words = report.words.say, report.words
    rates = frame_of(report.everywhere)
    horizons = [h for h in (12, 24) if h in set(rates["horizon"])]
    main = rates[(rates["method"] == "main") & rates["horizon"].isin(horizons)]
    heard = by_hearsay(main).any()
    main = main.set_index(["group", "horizon"])
    rows = []
    for code in [*(c for c in REGION_CODES if c not in METROPOLITAN_REGIONS), PROVINCE]:
        cells: list[object] = []
        for horizon in horizons:
            row = main.loc[(code, horizon)] if (code, horizon) in main.index else None
            cells.append(say("hidden") if row is None else with_limits(row, words, hearsay=row["known"] == HEARSAY))
        rows.append([words.region(code), *cells])
    header = [say("column.region"), *(say("column.retention_at", months=words.months(h)) for h in horizons)]
    note = notes(words, "comparison.note", "ranges.note", hearsay=bool(heard))
    table = html_table(say("comparison.caption"), header, rows, note=note)
    drawings = [
        figures.tile_map(report.everywhere, words=words),
        figures.curves_of_regions(report.more["curves"], report.everywhere, words=words),
    ]
    after = figures.funnel(report.more["funnel"], report.everywhere, words=words) if "funnel" in report.more else None
    before = [drawing.html() for drawing in drawings if drawing]
    return section(
        "regions", say("comparison.title"), element("p", say("comparison.what")), *before, table, after and after.html()
    )


def flows(report: Report) -> Fragment:
    """From which region to which: the matrix."""
    say, words = report.words.say, report.words
    drawing = figures.flow_figure(report.more["counts"], words=words, table="origin")
    if drawing is None:
        return nothing()
    return section("flux", say("flows.title"), element("p", say("flows.what")), drawing.html())


def types(report: Report) -> Fragment:
    """The types of trajectories: what becomes of their members month by month, and the paths that many share."""
    say, words, more = report.words.say, report.words, report.more
    if not {"types", "states", "paths"} <= set(more):
        return nothing()
    drawings = [
        figures.states_by_type(more["states"], more["types"], words=words),
        figures.paths_by_type(more["paths"], more["types"], words=words),
    ]
    shown = [drawing.html() for drawing in drawings if drawing]
    return section("types", say("types.title"), element("p", say("types.what")), *shown) if shown else nothing()


def associations(report: Report) -> Fragment:
    """What goes with leaving sooner or staying longer: an association, never a cause."""
    say, words = report.words.say, report.words
    if "coefficients" not in report.more:
        return nothing()
    drawing = figures.forest(report.more["coefficients"], words=words)
    if drawing is None:
        return nothing()
    return section("associations", say("associations.title"), element("p", say("associations.what")), drawing.html())
