"""The essentials of a page, a line each: who came, the target, where leavers go, the first lead, the state of the data.

Each line repeats what a section below says, and leads to it; one of which nothing may be told is not there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pandas as pd
from markupsafe import Markup

from ..disclosure.displayed import beside_targets
from ..study import Study
from . import leads
from .inputs import Report, frame_of
from .lights import GOOD, MEND, UNMEASURED, WATCH, light
from .markup import element, join
from .quality import levels
from .readings import origin_name, state_of, told

# The worst first: one of them decides how the whole is said.
_WORST = (MEND, WATCH, GOOD, UNMEASURED)


def essentials(report: Report) -> Markup | None:
    """The list of what a manager takes away."""
    if state_of(report) == "nobody":
        return None
    lines = [element("li", line) for line in _lines(report)]
    return join(element("h3", report.words.say("essentials.title")), element("ul", *lines)) if lines else None


def _lines(report: Report) -> Iterator[Markup]:
    for line in (_who, _target, _left, _lead, _data):
        found = line(report)
        if found is not None:
            yield found


def _line(report: Report, section: str, name: str, text: object) -> Markup:
    """A name that leads to a section, and what it says in short."""
    return join(element("a", report.words.say(f"essentials.{name}"), href=f"#s-{section}"), " ", text)


def _who(report: Report) -> Markup | None:
    say, words = report.words.say, report.words
    counts = frame_of(report.counts)
    total = counts[counts["table"].eq("stays") & counts["key"].eq("total")]
    if total.empty or pd.isna(total["persons"].iloc[0]):
        return None
    persons, households = (words.number(total[unit].iloc[0]) for unit in ("persons", "households"))
    alone = pd.isna(total["households"].iloc[0])
    said = say("essentials.came_persons" if alone else "essentials.came", persons=persons, households=households)
    origin = counts[counts["table"].eq("origin") & ~counts["key"].isin(["unknown", "total"]) & counts["persons"].gt(0)]
    if len(origin):
        first = origin.sort_values("persons", ascending=False, kind="stable").iloc[0]
        name, n = origin_name(first["key"], words), words.number(first["persons"])
        said = f"{said} " + say("essentials.origin", region=name, persons=n)
    return _line(report, "etablissements", "who", said)


def _target(report: Report) -> Markup | None:
    """The last fiscal year with a target that is over, else the first one that is not."""
    say, words, run = report.words.say, report.words, report.run
    aimed = beside_targets(report.counts, Study(targets=run.targets, groups=run.groups))
    aimed = aimed[aimed["target"].notna()].sort_values("fiscal_year")
    if aimed.empty:
        return _line(report, "etablissements", "target", say("essentials.no_target")) if run.targets else None
    over = aimed[[year_ends(year) <= run.cutoff for year in aimed["fiscal_year"]]]
    last = (over if len(over) else aimed).iloc[-1 if len(over) else 0]
    values = {"year": last["fiscal_year"], "target": words.number(last["target"])}
    if over.empty:
        return _line(report, "etablissements", "target", say("essentials.target_running", **values))
    if pd.isna(last["reached_percent"]):
        return _line(report, "etablissements", "target", say("essentials.target_hidden", **values))
    reached = words.percent(last["reached_percent"] / 100)
    households = words.number(last["households_rounded"])
    said = say("essentials.target_reached", reached=reached, households=households, **values)
    return _line(report, "etablissements", "target", said)


def year_ends(fiscal_year: str) -> dt.date:
    """
    The last day of a fiscal year.

    Examples
    --------
    >>> year_ends("2024-2025")
    datetime.date(2025, 3, 31)
    """
    return dt.date(int(fiscal_year[-4:]), 3, 31)


def _left(report: Report) -> Markup | None:
    """Where most of those who left went, at the longest horizon at which every destination is told."""
    say, words = report.words.say, report.words
    shares = frame_of(report.exits)
    if state_of(report) != "estimated" or shares.empty:
        return None
    whole = told(shares).groupby(shares["horizon"]).transform("all")
    shares = shares[whole & shares["estimate"].notna()]
    if shares.empty:
        return None
    last = shares[shares["horizon"].eq(shares["horizon"].max())]
    first = last.sort_values("estimate", ascending=False, kind="stable").iloc[0]
    if first["estimate"] <= 0:
        return None
    said = say("essentials.left_for", destination=words.label("exit", first["cause"]),
               share=words.percent(first["estimate"]), months=words.months(first["horizon"]))  # fmt: skip
    return _line(report, "departs", "left", said)


def _lead(report: Report) -> Markup | None:
    """The first lead, if its evidence is strong or moderate."""
    if "leads" not in report.more:
        return None
    rows = frame_of(report.more["leads"].of(report.region))
    if rows["said"].eq(leads.TOO_FEW).any():
        return _line(report, "pistes", "lead", report.words.say("essentials.lead_too_few"))
    rows = rows[rows["evidence"].isin(leads.SURE)].sort_values("rank")
    if rows.empty:
        return _line(report, "pistes", "lead", report.words.say("essentials.no_lead"))
    return _line(report, "pistes", "lead", leads.said(rows.iloc[0], "lead", report.words))


def _data(report: Report) -> Markup:
    """The worst level of the data, and what it is of."""
    say, words = report.words.say, report.words
    found = levels(report)
    worst = next(level for level in _WORST if level in found.values() or level == UNMEASURED)
    of = [say(f"quality.{name}") for name, level in found.items() if level == worst]
    text = say(f"essentials.data.{worst}", what=words.listing(of)) if of else ""
    return _line(report, "qualite", "data", join(light(worst, words), " ", text))
