"""Who settled, in tables: households beside the target; when, and who they are, on demand.

Parts of the section « who came » (__init__.py), of the protected counts of the room portrait.
"""

from __future__ import annotations

import datetime as dt

import pandas as pd
from markupsafe import Markup

from ...disclosure.displayed import beside_targets
from ...study import Study
from ..inputs import Report
from ..markup import element, html_table
from .counting import count_table, count_text, pair

# Pairs of tables side by side, those that a reader looks for first.
PAIRS = (
    ("fiscal_year",), ("immigration_category", "age"), ("household_type", "area"), ("migration", "delay"),
    ("french", "education"), ("country_group",),
)  # fmt: skip
YEAR = 12


def targets(report: Report) -> Markup | None:
    """Households settled in each fiscal year that has a target, beside it; of one that runs, how much of it is over."""
    say, words, run = report.words.say, report.words, report.run
    rows = beside_targets(report.counts, Study(targets=run.targets, groups=run.groups))
    rows = rows[rows["target"].notna()].sort_values("fiscal_year")
    if rows.empty:
        return None
    cells = []
    for _, row in rows.iterrows():
        months = months_over(row["fiscal_year"], run.cutoff)
        running = f" ({say('targets.running', n=words.number(months))})" if months < YEAR else ""
        percent = row["reached_percent"]
        reached = say("hidden") if pd.isna(percent) else words.percent(percent / 100)
        settled = count_text(words, row["households_rounded"])
        cells.append([f"{row['fiscal_year']}{running}", words.number(row["target"]), settled, reached])
    header = [say(name) for name in ("key.fiscal_year", "column.target", "column.households", "column.reached")]
    caption = say("targets.caption", place=words.in_region(report.region))
    return html_table(caption, header, cells, note=say("targets.note"))


def months_over(fiscal_year: str, cutoff: dt.date) -> int:
    """
    How many whole months of a fiscal year (from April on) are over at the cut-off: 12 of one that has ended.

    Examples
    --------
    >>> months_over("2025-2026", dt.date(2025, 12, 31)), months_over("2023-2024", dt.date(2025, 12, 31))
    (9, 12)
    """
    day_after = cutoff + dt.timedelta(days=1)
    return min(YEAR, max(0, YEAR * (day_after.year - int(fiscal_year[:4])) + day_after.month - 4))


def who_they_are(report: Report) -> Markup | None:
    """When they settled, and their category, age, household, area, migration, French, education, country: on demand."""
    say = report.words.say
    tables = [pair(*(count_table(report, name) for name in names)) for names in PAIRS]
    if not any(tables):
        return None
    what = element("p", say("who.what", place=report.words.in_region(report.region)))
    return element(
        "details", element("summary", say("who.title")), what, *tables, element("p", say("who.note"), class_="note")
    )
