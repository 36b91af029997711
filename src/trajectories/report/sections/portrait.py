"""The sections of a page on the persons who settled: who they are, when and how they came, how many are there.

They stand after « who came » (__init__.py), and are made as the others are: a `Report` in, a `Fragment` out. The tables
are those of the room portrait, protected; a table of which nothing may be shown is not on the page.
"""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from ...analysis.portrait.flows import ANY_SERVICE, SERVICE_TABLES, YES
from ...disclosure.displayed import beside_targets
from ...study import Study
from .. import figures
from ..inputs import Report, frame_of
from ..markup import Fragment, element, html_table, nothing, section, under_figure
from ..readings import level_name, state_of
from .counting import count_table, count_text, pair

# Pairs of tables side by side: those that a reader looks for first, and those that open on demand.
FIRST = (("immigration_category", "age"), ("household_type", "area"), ("migration",))
MORE = (("french", "education"), ("country_group",))
# Months since the arrival at which the share settled stands in the table.
MONTHS = (6, 12, 24, 60)


def pathways_and_years(report: Report) -> list[Markup | None]:
    """Persons settled by pathway and by fiscal year; the target beside the year, where the region has one."""
    pathways = count_table(report, "pathway")
    run = report.run
    targets = beside_targets(report.counts, Study(targets=run.targets, groups=run.groups)).set_index("fiscal_year")
    if targets["target"].isna().all():
        return [pair(pathways, count_table(report, "fiscal_year"))]
    say, words = report.words.say, report.words

    def reached(year: str) -> str:
        if pd.isna(targets["target"].get(year)):
            return words.number(None)
        percent = targets.loc[year, "reached_percent"]
        return say("hidden") if pd.isna(percent) else words.percent(percent / 100)

    beside = {
        say("column.target"): lambda year: words.number(targets["target"].get(year)),
        say("column.reached"): reached,
    }
    note = element("p", say("targets.note"), class_="note")
    return [pathways, count_table(report, "fiscal_year", beside=beside), note]


def who_they_are(report: Report) -> Fragment:
    """Category, age, household, area and kind of migration; French, education and country group on demand."""
    say, words = report.words.say, report.words
    first = [pair(*(count_table(report, name) for name in names)) for names in FIRST]
    more = [pair(*(count_table(report, name) for name in names)) for names in MORE]
    if state_of(report) == "nobody" or not any((*first, *more)):
        return nothing()
    on_demand = element("details", element("summary", say("who.more")), *more) if any(more) else None
    return section(
        "qui", say("who.title"), element("p", say("who.what", place=words.in_region(report.region))), *first, on_demand,
        element("p", say("who.note"), class_="note"),
    )  # fmt: skip


def when_and_how(report: Report) -> Fragment:
    """How long after the arrival they settled, and the services that they had received in the metropole before."""
    say, words = report.words.say, report.words
    since, before = _since_arrival(report), _services(report)
    if state_of(report) == "nobody" or not any((*since, *before)):
        return nothing()
    introduction = element("p", say("when.what", place=words.in_region(report.region)))
    return section("quand", say("when.title"), introduction, *since, *before)


def _since_arrival(report: Report) -> list[Markup | None]:
    """The classes of the delay; of those from the metropole, the share settled by month, drawn and at some months."""
    say, words = report.words.say, report.words
    parts = [count_table(report, "delay")]
    if "delays" not in report.more:
        return parts
    curve = report.more["delays"].of(report.region)
    drawing = figures.delay_curve(curve, region=report.region, words=words, months=MONTHS)
    if drawing is None:
        return parts
    share = frame_of(curve).set_index("month")["incidence_settled"]
    rows = [
        [words.months(month), words.percent(share[month]) if month in share.index else say("hidden")]
        for month in MONTHS
    ]  # fmt: skip
    caption = say("delays.caption", place=words.in_region(report.region))
    header = [say("column.since_arrival"), say("column.settled")]
    note = say("delays.note")
    return [
        *parts, element("h3", say("delays.title")), element("p", say("delays.what")), drawing.html(),
        html_table(caption, header, rows, note=note, of=drawing.name),
    ]  # fmt: skip


def _services(report: Report) -> list[Markup | None]:
    """A row a service received in the metropole before the establishment, the most frequent first."""
    say, words = report.words.say, report.words
    counts = frame_of(report.counts)
    yes = counts[counts["table"].isin(SERVICE_TABLES) & counts["key"].eq(YES)].set_index("table")
    yes = yes.reindex([table for table in SERVICE_TABLES if table in yes.index])
    if not yes["persons"].gt(0).any():
        return []
    # services that nobody had are left out; hidden ones come last, in the order of all services
    yes = yes[~yes["persons"].eq(0).fillna(False)]
    anything = yes.index == ANY_SERVICE
    ordered = [yes[anything], yes[~anything].sort_values("persons", ascending=False, kind="stable", na_position="last")]
    rows = [
        [_service_name(table, report), count_text(words, row["persons"]), count_text(words, row["households"])]
        for table, row in pd.concat(ordered).iterrows()
    ]
    came = counts[counts["table"].eq("pathway") & counts["key"].eq("secondary") & counts["persons"].notna()]
    settled = [
        say("services.whole", persons=words.number(row["persons"]), households=words.number(row["households"]))
        for _, row in came.iterrows()
    ]
    header = [say("column.service"), say("column.persons"), say("column.households")]
    return [
        element("h3", say("services.title")), element("p", Markup(" ").join([say("services.what"), *settled])),
        html_table(say("services.caption", place=words.in_region(report.region)), header, rows),
    ]  # fmt: skip


def _service_name(table: str, report: Report) -> str:
    if table == ANY_SERVICE:
        return report.words.say("services.any")
    return level_name("service", table.removeprefix("service_"), report.words)


def how_many(report: Report) -> Fragment:
    """How many of the persons known live there, month by month, from certain to possible."""
    say, words = report.words.say, report.words
    if "stock" not in report.more:
        return nothing()
    stock = report.more["stock"].of(report.region)
    drawing = figures.stock_ribbon(stock, region=report.region, words=words)
    if drawing is None:
        return nothing()
    monthly = frame_of(stock)
    # once a year, at the end of the fiscal year, and at the end
    yearly = monthly[monthly["month"].dt.month.eq(3) | monthly["month"].eq(monthly["month"].max())]
    rows = [
        [words.date(row["month"]), words.number(row["at_least"]), words.number(row["at_most"])]
        for _, row in yearly.sort_values("month").iterrows()
    ]
    header = [say("column.day"), say("column.at_least"), say("column.at_most")]
    caption = say("stock.caption", place=words.in_region(report.region))
    table = html_table(caption, header, rows, note=say("stock.note", n=words.number(report.rules.threshold)))
    return section(
        "presents", say("stock.title"), element("p", say("stock.what", place=words.in_region(report.region))),
        drawing.html(), under_figure(drawing.name, say("stock.table"), table),
    )  # fmt: skip
