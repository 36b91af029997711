"""The state of the data on a page, as lights: what is looked at, how it is, and where only the whole is known.

The shares are those of trajectories.analysis.quality, of displayed numbers; two things more come from the estimate
itself: whether the region's own reporting could be learnt, and what carries the rate at twelve months.
"""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from ...disclosure.displayed import MEASURES, quality_shares
from ...tables import PROVINCE
from ..inputs import Report
from ..markup import element, html_table, join
from ..readings import GOOD, HEARSAY, WATCH, headline_row, light, state_of
from ..words import Words

LEARNT = "learnt"


def levels(report: Report) -> dict[str, str]:
    """What is looked at → its level (analysis/quality.py), in the order of the table."""
    return {name: level for name, level, _, _ in _measured(report)}


def lights(report: Report) -> Markup | None:
    """The table of lights at the head of the section on the data."""
    say, words = report.words.say, report.words
    if state_of(report) == "nobody":
        return None
    province = element("span", words.region(PROVINCE), class_="limits") if report.region != PROVINCE else None
    rows = [
        [
            say(f"quality.{name}"),
            light(level, words),
            join(measure, " " if of_whole else None, province if of_whole else None),
        ]
        for name, level, measure, of_whole in _measured(report)
    ]
    header = [say("column.looked_at"), say("column.state"), say("column.measure")]
    return html_table(say("quality.lights"), header, rows, numeric=False, note=_thresholds(words))


def _thresholds(words: Words) -> str:
    """From where on each measure is to be watched, and to be mended."""
    thresholds = {
        name: words.listing([words.percent(measure.watch), words.percent(measure.mend)])
        for name, measure in MEASURES.items()
    }
    return words.say("quality.lights_note", **thresholds)


def _measured(report: Report) -> list[tuple[str, str, str, bool]]:
    """Name, level, the measure in words, and whether it is of the whole only."""
    say, words = report.words.say, report.words
    measures = []
    for counts, of_whole in ((report.counts, False), (report.whole_counts, True)):
        for row in quality_shares(counts).itertuples():
            if MEASURES[row.measure].whole != of_whole:
                continue
            measure = say("hidden") if pd.isna(row.share) else words.percent(row.share)
            measures.append((row.measure, row.level, measure, of_whole))
    return [*_of_the_estimate(report), *measures]


def _of_the_estimate(report: Report) -> list[tuple[str, str, str, bool]]:
    row = headline_row(report)
    if row is None:
        return []
    own = row["reporting"] == "own" and row["known"] != HEARSAY
    key = "own" if own else "hearsay" if row["known"] == HEARSAY else "borrowed"
    return [(LEARNT, GOOD if own else WATCH, report.words.say(f"quality.{LEARNT}.{key}"), False)]
