"""The section on the course of stays: months spent there, moves, the share that settles for good, and where all are.

As the others (__init__.py). From tables that the analysis may have made (inputs.MORE), each protected by a rule of its
own; what is not told there has no row and no sentence here.
"""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from ...tables import PROVINCE
from .. import figures
from ..figures.sensitivity import OWN, own_step
from ..inputs import Report, frame_of
from ..markup import Fragment, element, html_table, join, nothing, section
from ..readings import HEADLINE_HORIZON, HEARSAY, marked, notes, state_of
from .counting import count_table

# Bounds are no setting of the study: they stand beside every rate.
BOUNDS, FEWEST_SETTINGS = "lost", 3


def time_there(report: Report) -> Fragment:
    """How long persons were there, how often they moved, who stays for good; for the whole, where they are by month."""
    say = report.words.say
    shown = [_months(report), _moves(report), _occupation(report)]
    if state_of(report) != "estimated" or not any(shown):
        return nothing()
    months, moves, states = shown
    return section("duree", say("course.title"), months, moves, _settled(report), states)


def types_there(report: Report) -> Fragment:
    """How many persons of the region are of each type of trajectory."""
    say = report.words.say
    table = count_table(report, "type")
    if table is None:
        return nothing()
    return section("types", say("types.title"), element("p", say("types.what")), table,
                   element("p", say("types.there_note"), class_="note"))  # fmt: skip


def range_over_settings(report: Report, horizon: int = HEADLINE_HORIZON) -> Markup | None:
    """One sentence: from where to where the rate goes from one setting of the study to another."""
    say, words = report.words.say, report.words
    rows = _rows(report, "panel")
    if rows.empty:
        return None
    rows = rows[rows["horizon"].eq(horizon) & rows["setting"].ne(BOUNDS) & rows["estimate"].notna()]
    own = rows.loc[rows["setting"].eq(OWN), "estimate"]
    if own.empty or rows.loc[rows["setting"].ne(OWN), "setting"].nunique() < FEWEST_SETTINGS:
        return None
    values = {"months": words.months(horizon), "rate": words.percent(own.iloc[0])}
    low, high = (words.percent(rows["estimate"].agg(end)) for end in ("min", "max"))
    if low == high:
        return element("p", say("what_if.same", step=words.percent(own_step(rows)), **values))
    return element("p", say("what_if.range", low=low, high=high, **values))


def _rows(report: Report, name: str) -> pd.DataFrame:
    """What may be shown of one of the tables of the course, of this group."""
    if name not in report.more:
        return pd.DataFrame()
    rows = frame_of(report.more[name].of(report.region))
    return rows[rows["shown"]]


def _months(report: Report) -> Markup | None:
    """Mean months there at each horizon that is told, with limits."""
    say, words = report.words.say, report.words
    rows = _rows(report, "restricted_time")
    if rows.empty:
        return None
    heard = rows["known"].eq(HEARSAY)
    cells = []
    for index, row in rows.sort_values("horizon").iterrows():
        limits = [words.number(row[name], 1) if pd.notna(row[name]) else None for name in ("lower", "upper")]
        interval = say("from_to", lower=limits[0], upper=limits[1]) if all(limits) else words.number(None)
        name = marked(words.months(row["horizon"]), heard[index], words)
        cells.append([name, words.number(row["estimate"], 1), interval])
    header = [say("column.horizon"), say("column.months_there"), say("column.limits")]
    table = html_table(
        say("course.caption", place=words.in_region(report.region)), header, cells,
        note=notes(words, "course.note", hearsay=bool(heard.any())),
    )  # fmt: skip
    return join(element("p", say("course.what")), table)


def _moves(report: Report) -> Markup | None:
    """The bracket of the number of moves for a hundred persons, at the last horizon that is told."""
    say, words = report.words.say, report.words
    rows = _rows(report, "moves_per_person")
    if rows.empty:
        return None
    last = rows.sort_values("horizon").iloc[-1]
    low, high = (words.number(round(100 * last[name])) for name in ("at_least", "at_most"))
    return element("p", say("course.moves", low=low, high=high, months=words.months(last["horizon"])))


def _settled(report: Report) -> Markup | None:
    """The share that settles for good, or why nobody can say yet."""
    say, words = report.words.say, report.words
    if "settled" not in report.more:
        return None
    rows = frame_of(report.more["settled"].of(report.region))
    if rows.empty:
        return None
    row = rows.iloc[0]
    if row["shown"]:
        lower, upper = words.percent(row["lower"]), words.percent(row["upper"])
        return element("p", say("settled.share", share=words.percent(row["estimate"]), lower=lower, upper=upper))
    return element("p", say(f"settled.{row['reason']}")) if words.has(f"settled.{row['reason']}") else None


def _occupation(report: Report) -> Markup | None:
    """Where those who settled are by month: for the whole, where leaving one region for another is an exit."""
    say, words = report.words.say, report.words
    if report.region != PROVINCE or "occupation" not in report.more:
        return None
    table = report.more["occupation"].of(PROVINCE)
    drawing = figures.states_by_month(table, words=words, scope=report.run.scope)
    if drawing is None:
        return None
    states = figures.shares_of_states(table, report.run.scope)
    months = states.index.intersection(report.run.horizons)
    heard = frame_of(table).set_index("month")["known"].eq(HEARSAY).groupby(level=0).any().reindex(months)
    rows = [
        [marked(words.months(month), heard[month], words), *(words.percent(share) for share in states.loc[month])]
        for month in months
    ]
    header = [say("column.horizon"), *(words.label("state", state) for state in states.columns)]
    note = notes(words, "occupation.note", hearsay=bool(heard.any()))
    return join(
        element("h3", say("occupation.title")), element("p", say("occupation.what")), drawing.html(),
        html_table(say("occupation.caption"), header, rows, note=note, of="situations") if rows else None,
    )  # fmt: skip
