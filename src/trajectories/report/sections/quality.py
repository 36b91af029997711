"""How far to trust a page: one light with its cause on a brief, the table of lights in the annex.

The shares are those of trajectories.analysis.quality, of displayed numbers; two things more come from the estimate
itself: whether the region's own reporting could be learnt, and what carries the rate at twelve months.
"""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from ...disclosure.displayed import MEASURES, quality_shares
from ..addresses import ANNEX, METHOD, anchor
from ..inputs import Report
from ..markup import Fragment, element, html_table, nothing, section
from ..readings import GOOD, HEARSAY, MEND, UNMEASURED, WATCH, headline_row, light, state_of, suppressed
from ..words import Words

LEARNT = "learnt"


# The worst first: one of them decides how the whole is said.
_WORST = (MEND, WATCH, GOOD, UNMEASURED)


def trust(report: Report) -> Fragment:
    """The worst light and what it is for, what the rate rests on, and where a statistician reads more."""
    say, words = report.words.say, report.words
    if suppressed(report):
        return nothing()
    level_of = levels(report)
    worst = next(level for level in _WORST if level in level_of.values() or level == UNMEASURED)
    of = [say(f"quality.{name}") for name, level in level_of.items() if level == worst]
    sentences = [say(f"trust.{worst}", what=words.listing(of))] if of else []
    row = headline_row(report)
    if row is not None:
        sentences += _rests_on(row, words)
    warning = None
    if report.services_apart and row is not None:
        title = element("strong", say("services_apart.title"))
        warning = element("p", title, " ", say("services_apart.what"), class_="warning")
    annex = element("a", say("trust.annex"), href=f"{ANNEX}#{anchor(report.region)}")
    made = element("a", say("trust.method"), href=METHOD)
    more = Markup(say("trust.more")).format(annex=annex, method=made)  # noqa: S704 - the catalogue is ours
    return section(
        "qualite", say("trust.title"), element("p", light(worst, words), " ", " ".join(sentences)), warning,
        element("p", more),
    )  # fmt: skip


def _rests_on(row: pd.Series, words: Words) -> list[str]:
    """What the rate rests on here, and how far its assumptions could move it."""
    sentences = []
    if row["reporting"] == "borrowed":
        sentences.append(words.say("headline.borrowed"))
    if row["known"] == HEARSAY:
        sentences.append(words.say("headline.hearsay"))
    if pd.notna(row["range_lower"]):
        lower, upper = words.percent(row["range_lower"]), words.percent(row["range_upper"])
        sentences.append(words.say("headline.range", lower=lower, upper=upper))
    return sentences


def levels(report: Report) -> dict[str, str]:
    """What is looked at → its level (analysis/quality.py), in the order of the table."""
    return {name: level for name, level, _ in _measured(report)}


def lights(report: Report) -> Markup | None:
    """The table of lights at the head of the section on the data."""
    say, words = report.words.say, report.words
    if state_of(report) == "nobody":
        return None
    rows = [[say(f"quality.{name}"), light(level, words), measure] for name, level, measure in _measured(report)]
    header = [say("column.looked_at"), say("column.state"), say("column.measure")]
    return html_table(say("quality.lights"), header, rows, numeric=False, note=_thresholds(words))


def _thresholds(words: Words) -> str:
    """From where on each measure is to be watched, and to be mended."""
    thresholds = {
        name: words.listing([words.percent(measure.watch), words.percent(measure.mend)])
        for name, measure in MEASURES.items()
    }
    return words.say("quality.lights_note", **thresholds)


def _measured(report: Report) -> list[tuple[str, str, str]]:
    """Name, level, and the measure in words."""
    say, words = report.words.say, report.words
    measures = []
    for counts, of_whole in ((report.counts, False), (report.whole_counts, True)):
        for row in quality_shares(counts).itertuples():
            if MEASURES[row.measure].whole != of_whole:
                continue
            measure = say("hidden") if pd.isna(row.share) else words.percent(row.share)
            measures.append((row.measure, row.level, measure))
    return [*_of_the_estimate(report), *measures]


def _of_the_estimate(report: Report) -> list[tuple[str, str, str]]:
    row = headline_row(report)
    if row is None:
        return []
    own = row["reporting"] == "own" and row["known"] != HEARSAY
    key = "own" if own else "hearsay" if row["known"] == HEARSAY else "borrowed"
    return [(LEARNT, GOOD if own else WATCH, report.words.say(f"quality.{LEARNT}.{key}"))]
