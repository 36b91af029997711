"""The parts of the annex on who is who: persons recognised, sources in disagreement, and the threshold.

Counts of the line's decisions are for the whole; what the threshold changes is said of each region. The weights of the
linkage stand as a figure and as the same numbers in a table.
"""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from .. import figures
from ..inputs import Report, frame_of
from ..markup import element, html_table, join, under_figure
from ..readings import HEADLINE_HORIZON, factor_text, level_text, rate_text, too_short
from .counting import count_table, pair

# Why a likely pair of files is not linked (linkage/clusters.py).
REFUSALS = ("same_household", "same_organisation", "birth_dates_apart", "decided_different")


def recognised(report: Report) -> Markup:
    """How many persons several organisations know, which links were refused and why; the weights, for the whole."""
    say = report.words.say
    counted = [count_table(report, name) for name in ("linkage", "links")]
    return join(
        element("h3", say("linkage.title")),
        element("p", say("linkage.what")),
        pair(*counted),
        element("p", say("linkage.refused")),
        element("ul", *(element("li", say(f"refusal.{reason}")) for reason in REFUSALS)),
        _weights(report),
    )


def disagreements(report: Report) -> Markup | None:
    """What was decided where sources disagree, by rule."""
    say = report.words.say
    counted = count_table(report, "conflicts")
    if counted is None:
        return None
    return join(element("h3", say("conflicts.title")), element("p", say("conflicts.what")), counted)


def threshold(report: Report) -> Markup | None:
    """How far the estimate moves if more files, or fewer, are linked: by horizon, and at one of them in words."""
    say, words = report.words.say, report.words
    sensitivity = frame_of(report.sensitivity).set_index("horizon")
    rates = frame_of(report.retention)
    main = rates[rates["method"].eq("main") & rates["estimate"].notna()].sort_values("horizon")
    if main.empty:
        return None
    rows = []
    for _, row in main.iterrows():
        beside = sensitivity.loc[row["horizon"]] if row["horizon"] in sensitivity.index else None
        rows.append([words.months(row["horizon"]), rate_text(row, words), _range(beside, report)])
    published = sensitivity[sensitivity["estimate"].notna() & sensitivity.index.isin(main["horizon"])]
    if published.empty:
        sentence = element("p", say("sensitivity.hidden"))
    else:
        near = published[published.index <= HEADLINE_HORIZON]
        at = near.iloc[-1] if len(near) else published.iloc[0]
        sentence = element(
            "p",
            say("sensitivity.sentence", months=words.months(at.name), persons=words.number(at["persons_at_most"]),
                lower=words.percent(at["at_least"]), upper=words.percent(at["at_most"])),
        )  # fmt: skip
    header = [say("column.horizon"), say("column.retention"), say("column.sensitivity")]
    caption = say("sensitivity.caption", place=words.in_region(report.region))
    return join(
        element("h3", say("sensitivity.title")),
        element("p", say("sensitivity.what")),
        sentence,
        html_table(caption, header, rows, note=say("sensitivity.note", n=words.number(report.rules.threshold)))
        if len(published)
        else None,
    )


def _range(row: pd.Series | None, report: Report) -> str:
    words = report.words
    if row is None or pd.isna(row["estimate"]):
        return words.say("insufficient" if row is not None and too_short(row) else "hidden")
    return words.say("between", lower=words.percent(row["at_least"]), upper=words.percent(row["at_most"]))


def _weights(report: Report) -> Markup:
    """The figure of the weights, and a table of the same numbers that opens on demand."""
    say, words = report.words.say, report.words
    rows = [
        [level_text(row, words), factor_text(row["weight"], words), factor_text(row["relative_weight"], words)]
        for _, row in report.weights.iterrows()
    ]
    header = [say("column.level"), say("column.same_person"), say("column.same_household")]
    return join(
        element("p", say("weights.what")),
        figures.match_weights(report.weights, words=words).html(),
        under_figure(
            "poids", say("weights.table"), html_table(say("weights.caption"), header, rows, note=say("weights.note"))
        ),
    )
