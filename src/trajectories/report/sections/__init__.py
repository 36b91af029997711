"""The sections of a page, in its order.

Opening · in brief (headline.py) · who came · who they are · when and how (portrait.py) · how long they stay · where
leavers go · time spent there (course.py) · how many are there (portrait.py) · types · services (services.py) · leads ·
what if · quality · definitions; on the page of the whole, what concerns all regions comes after « where leavers go »
(whole.py). Each takes a
`Report` and gives the `Fragment` that a notebook's cell shows; a section with nothing to say is not on the page. What
may not be published is said in words where the number would stand.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
from markupsafe import Markup

from ...retention import BOUNDS
from ...study import REGION_CODES
from ...tables import PROVINCE
from .. import figures
from ..figures import retention_curve
from ..inputs import Report, frame_of
from ..markup import Fragment, definition_list, element, html_table, join, nothing, section
from ..readings import (
    by_hearsay,
    headline_row,
    marked,
    notes,
    published,
    range_text,
    rate_text,
    series,
    state_of,
    too_short,
    with_limits,
)
from . import linkage, method, portrait, quality
from .counting import count_table, pair
from .course import range_over_settings

# ----------------------------------------------------------------------------------------------------
# What stands beside the estimate in the section on retention: the bounds, and the other readings of the same data.
#
# Each table answers one question: how far the persons lost from sight could move the rate, what the same model says
# when told more or something else, what simpler ways of reading would have given. Only a reading that exists, and of
# which something may be told, has a column. Where nothing carries the estimate, the bounds are all that is told
# (observation-model.md).

INFORMED = ("with_services", "own_reporting", "borrowed_reporting")
SIMPLER = ("plain", "no_news_present")


def bounds(report: Report) -> Markup | None:
    """The rate if everyone lost from sight had left, or had stayed."""
    return _titled(report, "bounds", _table(report, "bounds", BOUNDS, frame_of(report.retention)))


def readings(report: Report) -> Markup | None:
    """The rate with services and on the other reporting, and by simpler ways, at the horizons of the estimate."""
    rates = frame_of(report.retention)
    main = rates[rates["method"].eq("main")]
    carried = [row["horizon"] for _, row in main.iterrows() if not too_short(row)]
    rates = rates[rates["horizon"].isin(carried)]
    tables = (_table(report, "informed", INFORMED, rates), _table(report, "simpler", SIMPLER, rates))
    return _titled(report, "readings", pair(*tables))


def _titled(report: Report, name: str, table: Markup | None) -> Markup | None:
    say = report.words.say
    if table is None:
        return None
    return join(element("h3", say(f"beside.title.{name}")), element("p", say(f"beside.what.{name}")), table)


def _table(report: Report, name: str, methods: tuple[str, ...], rates: pd.DataFrame) -> Markup | None:
    say, words = report.words.say, report.words
    shown = [method for method in methods if published(rates[rates["method"].eq(method)]).any()]
    if not shown:
        return None
    beside = rates[rates["method"].isin(shown)].assign(heard=by_hearsay)
    rows = []
    for horizon, part in beside.groupby("horizon"):
        by_method = part.set_index("method")
        cells = (by_method.loc[method] for method in shown)
        rows.append([words.months(horizon), *(marked(rate_text(row, words), row["heard"], words) for row in cells)])
    header = [say("column.horizon"), *(words.label("method", method) for method in shown)]
    note = notes(words, hearsay=bool(beside["heard"].any()))
    return html_table(
        say(f"beside.caption.{name}", place=words.in_region(report.region)), header, rows, note=note or None
    )


# ----------------------------------------------------------------------------------------------------

# Regions that the metropolitan perimeter cuts in two: only their outer part is « en région » (domain facts §0).
SPLIT_REGIONS = ("14", "15", "16")
NOT_RETENTION = ("stock", "balance", "admission", "cause")


def opening(report: Report) -> Fragment:
    """The title, with the region's name and code taken from the parameter, and what the page is about."""
    say, words, run = report.words.say, report.words, report.run
    code = report.region
    kind = say("opening.province") if code == PROVINCE else say("opening.region", code=code)
    if code in run.groups:
        kind = say("opening.group", regions=words.listing([words.region(part) for part in run.groups[code]]))
    facts = [
        (say("facts.cutoff"), words.date(run.cutoff)),
        (say("facts.perimeter"), words.label("perimeter", run.perimeter)),
        (say("facts.scope"), words.label("scope", run.scope)),
        (say("facts.pathway"), words.label("pathway", run.pathway or "all")),
    ]
    return Fragment(
        element(
            "header",
            element("p", series(words), class_="series"),
            element("h1", words.region(code)),
            element("p", kind, class_="kind"),
            definition_list(facts),
            element("p", say("opening.split", perimeter=run.perimeter), class_="note")
            if set(run.groups.get(code, (code,))) & set(SPLIT_REGIONS)
            else None,
            class_="opening",
            data_region=code,
        ),
        kind="opening",
    )


def how_long(report: Report) -> Fragment:
    """The curve, the retention table at every horizon, the bounds, and the other readings of the same data."""
    say, words = report.words.say, report.words
    state, if_all_left_or_stayed = state_of(report), bounds(report)
    if state == "insufficient" and if_all_left_or_stayed:
        return section(
            "retention", say("retention.title"), element("p", say("retention.bounds_only")), if_all_left_or_stayed
        )
    if state != "estimated":
        return nothing()
    drawing = retention_curve(report.curve, report.retention, region=report.region, words=words)
    return section(
        "retention", say("retention.title"), element("p", say("retention.what")),
        drawing.html() if drawing else element("p", say("retention.no_curve"), class_="note"),
        _by_horizon(report), if_all_left_or_stayed, readings(report),
    )  # fmt: skip


def _by_horizon(report: Report) -> Markup:
    """The estimate at every horizon, its limits, its range under moved assumptions, and what carries it."""
    say, words = report.words.say, report.words
    rates = frame_of(report.retention)
    main = rates[rates["method"] == "main"].sort_values("horizon")
    heard = by_hearsay(main)
    rows = [
        [
            marked(words.months(row["horizon"]), heard[index], words), with_limits(row, words),
            range_text(row, words), _at_risk(report, row),
        ]
        for index, row in main.iterrows()
    ]  # fmt: skip
    started = main["n_start"].dropna()
    start = say("retention.note", n=words.number(started.iloc[0]) if len(started) else say("hidden"))
    ranged = say("range.note", n=words.number(report.rules.threshold)) if main["range_lower"].notna().any() else None
    rest = notes(words, "ranges.note", hearsay=bool(heard.any()))
    return html_table(
        say("retention.caption", place=words.in_region(report.region)),
        [say("column.horizon"), say("column.retention_limits"), say("column.range"), say("column.at_risk")],
        rows,
        note=Markup(" ").join(text for text in (start, ranged, rest) if text),
        of="courbe",
    )  # fmt: skip


def where_to(report: Report) -> Fragment:
    """Exits by destination: figure and table."""
    say, words = report.words.say, report.words
    shares = frame_of(report.exits)
    if state_of(report) != "estimated" or not published(shares).any():
        return nothing()
    # where staying in any region counts, going to another one is no exit
    destinations = [c for c in figures.DESTINATIONS if c != "other_region" or report.run.scope == "region"]
    settings: dict[str, Any] = {"region": report.region, "words": words, "destinations": destinations}
    drawing = figures.shares_by_destination(report.exits, report.retention, **settings)
    drawing = drawing or figures.exits_by_destination(report.exits, **settings)
    heard = by_hearsay(shares)
    rows = []
    for horizon, part in shares[published(shares)].groupby("horizon"):
        by_cause = part.set_index("cause")
        name = marked(words.months(horizon), heard[part.index].any(), words)
        rows.append([name, *(_share(report, by_cause, cause) for cause in destinations)])
    table = html_table(
        say("exits.caption", place=words.in_region(report.region)),
        [say("column.horizon"), *(words.label("exit", cause) for cause in destinations)],
        rows,
        note=notes(words, "exits.note", hearsay=bool(heard.any())),
        of=drawing.name if drawing else None,
    )
    return section("departs", say("exits.title"), element("p", say("exits.what")), drawing and drawing.html(), table,
        count_table(report, "exit"),
    )  # fmt: skip


def what_if(report: Report) -> Fragment:
    """The rate along what the observation model assumes, and, for the whole, under other settings than the study's."""
    say, words = report.words.say, report.words
    drawings = []
    if "odds" in report.more:
        drawings.append(
            figures.rates_along_scale(report.more["odds"].of(report.region), region=report.region, words=words)
        )
    if "panel" in report.more and report.region == PROVINCE:
        drawings.append(figures.rates_by_setting(report.more["panel"], words=words))
    shown = [drawing.html() for drawing in drawings if drawing]
    if not shown:
        return nothing()
    ranged = range_over_settings(report) if report.region == PROVINCE else None
    return section("hypotheses", say("what_if.title"), element("p", say("what_if.what")), *shown, ranged)


def who_came(report: Report) -> Fragment:
    """Stays observed: how many, by pathway, fiscal year and region of origin."""
    say, words = report.words.say, report.words
    counts = frame_of(report.counts)
    if state_of(report) == "nobody" or counts.empty:
        return nothing()
    total = counts[(counts["table"] == "stays") & (counts["key"] == "total")]
    body: list[object] = []
    if len(total) and pd.notna(total["persons"].iloc[0]):
        households = total["households"].iloc[0]
        key = "stays.total" if pd.notna(households) else "stays.total_persons"
        body.append(
            element("p", say(key, place=words.in_region(report.region), persons=words.number(total["persons"].iloc[0]),
                             households=words.number(households)))
        )  # fmt: skip
    else:
        body.append(element("p", say("stays.hidden", n=words.number(report.rules.threshold))))
    drawing = figures.origins(report.counts, region=report.region, words=words)
    if drawing:
        body.append(drawing.html())
    body.append(count_table(report, "origin", figure="origines"))
    body += portrait.pathways_and_years(report)
    body.append(
        element(
            "p",
            say("counts.note", base=report.counts.rules.round, n=words.number(report.rules.threshold)),
            class_="note",
        )
    )
    return section("etablissements", say("stays.title"), *body)


def data_quality(report: Report) -> Fragment:
    """What the data lacks: persons lost from sight here; rows, places and what was decided of them for the whole."""
    say = report.words.say
    body: list[object] = [quality.lights(report)]
    if state_of(report) != "nobody":
        body += [count_table(report, "lost", "late_news", "excluded"), *_reporting(report)]
    body.append(pair(*(count_table(report, name, of=PROVINCE) for name in ("rows", "places"))))
    if report.region != PROVINCE:
        body.append(element("p", say("quality.whole"), class_="note"))
    body += [
        linkage.recognised(report),
        linkage.disagreements(report),
        linkage.threshold(report),
        _kept(report),
        _absent(report),
    ]
    return section("qualite", say("quality.title"), element("p", say("quality.what")), *body)


def _kept(report: Report) -> Markup | None:
    """How many numbers of this page keep what was published before (disclosure/ledger.py)."""
    days = [
        rows.loc[rows["published"].notna(), "published"]
        for rows in map(frame_of, (report.retention, report.exits, report.counts))
        if "published" in rows
    ]
    days = pd.concat(days) if days else pd.Series(dtype=object)
    if days.empty:
        return None
    last = report.words.date(dt.date.fromisoformat(days.max()))
    threshold = report.words.number(report.rules.threshold)
    return element("p", report.words.say_many("quality.kept", len(days), day=last, threshold=threshold), class_="note")


def _absent(report: Report) -> Markup | None:
    """What the analysis has not made: of too few persons, or before this version."""
    if not report.absent:
        return None
    names = [report.words.say("in_quotes", text=report.words.say(f"sheet.{name}")) for name in report.absent]
    return element("p", report.words.say("quality.absent", tables=report.words.listing(names)), class_="note")


def _reporting(report: Report) -> list[Markup]:
    """What the estimate says of departures that nobody heard of, and where services contradict it."""
    say, words = report.words.say, report.words
    paragraphs: list[Markup] = []
    row = headline_row(report)
    if row is None or pd.isna(row["estimate"]):
        return paragraphs
    share = frame_of(report.checks)["estimate"].dropna()
    if len(share):
        key = "never_heard.some" if share.iloc[0] else "never_heard.none"
        paragraphs.append(element("p", say(key, share=words.percent(share.iloc[0]))))
    if report.services_apart:
        warning = element("strong", say("services_apart.title"))
        paragraphs.append(element("p", warning, " ", say("services_apart.what"), class_="warning"))
    return paragraphs


def definitions(report: Report) -> Fragment:
    """What retention is and is not, the method in short, the parameters of the run, whose the deposits' layout is."""
    say, words = report.words.say, report.words
    name = words.region(report.region) + (f" ({report.region})" if report.region in REGION_CODES else "")
    pairs = [(say("facts.region"), name), *method.parameters(words, report.run, report.rules)]
    terms = ["retention", "establishment", "estimate", "at_risk", "hearsay", "lost", "limits", "range", "bounds"]
    return section(
        "definitions", say("definitions.title"),
        definition_list([(say(f"term.{name}"), say(f"term.{name}.meaning")) for name in terms]),
        element("h3", say("definitions.not_title")),
        element("ul", *(element("li", say(f"definitions.not.{name}")) for name in NOT_RETENTION)),
        element("h3", say("how_made.title")), method.in_a_paragraph(words),
        element("h3", say("definitions.parameters")), definition_list(pairs),
        element("p", say("definitions.schema"), class_="note"),
    )  # fmt: skip


def _at_risk(report: Report, row: pd.Series) -> str:
    """The rounded number; a dash where nothing is told because nobody was followed that long."""
    if pd.notna(row["n_at_risk"]) or too_short(row):
        return report.words.number(row["n_at_risk"])
    return report.words.say("hidden")


def _share(report: Report, by_cause: pd.DataFrame, cause: str) -> object:
    if cause not in by_cause.index:
        return report.words.say("hidden")
    return with_limits(by_cause.loc[cause], report.words)
