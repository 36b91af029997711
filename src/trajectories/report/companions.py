"""What stands beside the estimate in the section on retention: the bounds, and the other readings of the same data.

Each table answers one question: how far the persons lost from sight could move the rate, what the same model says when
told more or something else, what simpler ways of reading would have given. Only a reading that exists, and of which
something may be told, has a column. Where nothing carries the estimate, the bounds are all that is told
(observation-model.md).
"""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from ..retention import BOUNDS
from .counting import pair
from .inputs import Report, frame_of
from .markup import element, join
from .readings import by_hearsay, marked, notes, rate_text, told, too_short
from .tables import html_table

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
    shown = [method for method in methods if told(rates[rates["method"].eq(method)]).any()]
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
