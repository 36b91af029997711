"""The sections of the brief, which a report notebook shows, and those of the annex (annex.py).

A brief: opening · in brief (headline.py) · what to do (leads.py) · how long they stay · who came · where leavers go ·
services (services.py) · how far to trust it (quality.py); for the whole also the regions on a map (whole.py). The
annex: bounds and other readings, what if, the data, definitions, and the sections of whole.py. Each takes a `Report`
and gives a `Fragment`; a section with nothing to say is not on the page. What may not be published is said in words
where the number would stand.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
from markupsafe import Markup

from ...retention import BOUNDS
from ...tables import PROVINCE
from .. import figures
from ..figures import retention_curve
from ..figures.sensitivity import OWN, own_step
from ..inputs import Report, frame_of
from ..markup import Fragment, definition_list, element, html_table, join, nothing, section, under_figure
from ..readings import (
    HEADLINE_HORIZON,
    by_hearsay,
    headline_row,
    marked,
    notes,
    published,
    range_text,
    rate_text,
    series,
    state_of,
    suppressed,
    too_short,
    with_limits,
)
from . import linkage, method, portrait, quality
from .counting import count_table, pair

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
# Bounds are no setting of the study: they stand beside every rate.
LOST, FEWEST_SETTINGS = "lost", 3


def opening(report: Report) -> Fragment:
    """The title, with the region's name and code taken from the parameter, and what the page is about."""
    say, words, run = report.words.say, report.words, report.run
    code = report.region
    kind = say("opening.province") if code == PROVINCE else say("opening.region", code=code)
    if code in run.groups:
        kind = say("opening.group", regions=words.listing([words.region(part) for part in run.groups[code]]))
    return Fragment(
        element(
            "header",
            element("p", series(words), class_="series"),
            element("h1", words.region(code)),
            element("p", kind, class_="kind"),
            element("p", say("opening.split", perimeter=run.perimeter), class_="note")
            if set(run.groups.get(code, (code,))) & set(SPLIT_REGIONS)
            else None,
            class_="opening",
            data_region=code,
        ),
        kind="opening",
    )


def how_long(report: Report) -> Fragment:
    """The curve, its numbers on demand; where nothing carries an estimate, the bounds."""
    say, words = report.words.say, report.words
    state, if_all_left_or_stayed = state_of(report), bounds(report)
    if state == "insufficient" and if_all_left_or_stayed:
        return section(
            "retention", say("retention.title"), element("p", say("retention.bounds_only")), if_all_left_or_stayed
        )
    if state != "estimated":
        return nothing()
    drawing = retention_curve(report.curve, report.retention, region=report.region, words=words)
    if drawing is None:
        return section("retention", say("retention.title"), element("p", say("retention.no_curve"), class_="note"),
                       by_horizon(report))  # fmt: skip
    return section(
        "retention", say("retention.title"), drawing.html(),
        under_figure(drawing.name, say("retention.table"), by_horizon(report)),
    )  # fmt: skip


def by_horizon(report: Report) -> Markup:
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
    )


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
    )
    counted = count_table(report, "exit")
    shown = (
        [drawing.html(), under_figure(drawing.name, say("exits.table"), join(table, counted))]
        if drawing
        else [table, counted]
    )
    return section("departs", say("exits.title"), element("p", say("exits.what")), *shown)


def what_if(report: Report) -> Fragment:
    """The rate of the whole along what the observation model assumes, and under other settings than the study's."""
    say, words = report.words.say, report.words
    drawings = []
    if "odds" in report.more:
        drawings.append(
            figures.rates_along_scale(report.more["odds"].of(report.region), region=report.region, words=words)
        )
    if "panel" in report.more:
        drawings.append(figures.rates_by_setting(report.more["panel"], words=words))
    shown = [drawing.html() for drawing in drawings if drawing]
    if not shown:
        return nothing()
    return section(
        "hypotheses", say("what_if.title"), element("p", say("what_if.what")), *shown, range_over_settings(report)
    )


def range_over_settings(report: Report, horizon: int = HEADLINE_HORIZON) -> Markup | None:
    """One sentence: from where to where the rate of the whole goes from one setting of the study to another."""
    say, words = report.words.say, report.words
    if "panel" not in report.more:
        return None
    rows = frame_of(report.more["panel"].of(report.region))
    rows = rows[rows["shown"] & rows["horizon"].eq(horizon) & rows["setting"].ne(LOST) & rows["estimate"].notna()]
    own = rows.loc[rows["setting"].eq(OWN), "estimate"]
    if own.empty or rows.loc[rows["setting"].ne(OWN), "setting"].nunique() < FEWEST_SETTINGS:
        return None
    values = {"months": words.months(horizon), "rate": words.percent(own.iloc[0])}
    low, high = (words.percent(rows["estimate"].agg(end)) for end in ("min", "max"))
    if low == high:
        return element("p", say("what_if.same", step=words.percent(own_step(rows)), **values))
    return element("p", say("what_if.range", low=low, high=high, **values))


def who_came(report: Report) -> Fragment:
    """Who settled: how many, from where, by pathway, beside the target; the rest on demand."""
    say, words = report.words.say, report.words
    counts = frame_of(report.counts)
    if suppressed(report) or counts.empty:
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
    drawing, origins = figures.origins(report.counts, region=report.region, words=words), count_table(report, "origin")
    if drawing and origins:
        origins = join(drawing.html(), under_figure(drawing.name, say("stays.table"), origins))
    body.append(origins)
    body += [pair(count_table(report, "pathway"), portrait.targets(report)), portrait.who_they_are(report)]
    rounded = say("counts.note", base=report.counts.rules.round, n=words.number(report.rules.threshold))
    return section("etablissements", say("stays.title"), *body, element("p", rounded, class_="note"))


def data_quality(report: Report) -> Fragment:
    """What the data of the whole lacks: persons lost from sight, rows, places, and what was decided of them."""
    say = report.words.say
    body: list[object] = [quality.lights(report)]
    if state_of(report) != "nobody":
        body += [count_table(report, "lost", "late_news", "excluded"), *_reporting(report)]
    body.append(pair(*(count_table(report, name) for name in ("rows", "places"))))
    body += [
        linkage.recognised(report),
        linkage.disagreements(report),
        linkage.threshold(report),
        _kept(report),
        _absent(report),
    ]
    return section("qualite", say("quality.title"), element("p", say("quality.what")), *body)


def _kept(report: Report) -> Markup | None:
    """How many numbers of the whole keep what was published before (disclosure/ledger.py)."""
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
    """What the estimate says of departures that nobody heard of."""
    say, words = report.words.say, report.words
    paragraphs: list[Markup] = []
    row = headline_row(report)
    if row is None or pd.isna(row["estimate"]):
        return paragraphs
    share = frame_of(report.checks)["estimate"].dropna()
    if len(share):
        key = "never_heard.some" if share.iloc[0] else "never_heard.none"
        paragraphs.append(element("p", say(key, share=words.percent(share.iloc[0]))))
    return paragraphs


def definitions(report: Report) -> Fragment:
    """What retention is and is not, the method in short, the parameters of the run, whose the deposits' layout is."""
    say, words = report.words.say, report.words
    pairs = method.parameters(words, report.run, report.rules)
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
