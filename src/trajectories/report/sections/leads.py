"""The section « Pistes d’amélioration »: what the rules found, each with its figure, its doubt and what would check it.

As the others (__init__.py), from the protected table `leads` (analysis/services/leads.py). A lead whose numbers may not
be told stands without them. Where none holds, the section says that.
"""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from ...study import METROPOLITAN_REGIONS, REGION_CODES
from ..figures.estimates import group_name
from ..inputs import Report, frame_of
from ..markup import Fragment, element, html_table, join, nothing, section
from ..readings import suppressed
from ..words import Words

# What stands for the evidence beside its name: never colour alone, and readable in black.
MARKS = {"solid": "●●●", "to_verify": "●●○", "to_watch": "●○○"}
SURE = ("solid", "to_verify")
TOO_FEW = "too_few_households"


# How many leads a brief tells.
MOST = 3


def to_do(report: Report) -> Fragment:
    """The first three leads of the place, each with its figure, its doubt, who can act and what to verify first."""
    say = report.words.say
    if "leads" not in report.more or suppressed(report):
        return nothing()
    rows = frame_of(report.more["leads"].of(report.region))
    if rows["said"].eq(TOO_FEW).any():
        return section("pistes", say("to_do.title"), element("p", say("leads.too_few")))
    if rows.empty:
        return section("pistes", say("to_do.title"), element("p", say("leads.none")))
    items = [_lead(row, report.words) for _, row in rows.sort_values("rank").head(MOST).iterrows()]
    return section("pistes", say("to_do.title"), element("ol", *items, class_="leads"), _scale(report.words))


def leads(report: Report) -> Fragment:
    """At most eight leads of the whole and of categories, and the regions' surest: for the annex."""
    say = report.words.say
    if "leads" not in report.more:
        return nothing()
    every = frame_of(report.more["leads"])
    of_category = every["group"].astype(str).str.contains("=", regex=False)
    rows = every[every["group"].eq(report.region) | of_category]
    if rows["said"].eq(TOO_FEW).any():
        return section("pistes", say("leads.title"), element("p", say("leads.too_few")))
    items = [_lead(row, report.words) for _, row in rows.iterrows()]
    body: list[Markup | None] = [element("ol", *items, class_="leads") if items else element("p", say("leads.none"))]
    return section(
        "pistes", say("leads.title"), element("p", say("leads.what")), *body, _regions(every, report.words),
        _scale(report.words),
    )  # fmt: skip


def lead_text(row: pd.Series, part: str, words: Words) -> str:
    """
    What is said of a lead, without any number: `lead` (the sentence), `check` or `caveat`.

    Examples
    --------
    >>> from trajectories.report.words import words
    >>> row = pd.Series({"rule": "needs_stay_unanswered", "subject": "job"})
    >>> lead_text(row, "lead", words("fr")).split(":")[0].replace("\xa0", " ")
    'Répondre au besoin « Emploi » '
    """
    key = "says" if part == "lead" else part
    return words.say(f"lead.{row['rule']}.{key}", subject=subject(row, words))


def subject(row: pd.Series, words: Words) -> str:
    """What the lead is of: a need, a reason, a service; nothing where the rule says it."""
    name = row["subject"]
    if row["rule"] == "needs_stay_unanswered":
        return words.label("need", name)
    if row["rule"] == "leavers_were_not_served":
        return words.label("leaving_reason", name)
    if row["rule"] in ("service_reaches_few", "service_goes_with_staying"):
        return words.say(f"covariate_level.service.{name}")
    return ""


def _lead(row: pd.Series, words: Words) -> Markup:
    say = words.say
    where = None
    if "=" in row["group"]:
        where = element(
            "p",
            say("lead.among", group=group_name(row["group"].partition("=")[0], row["group"], words)),
            class_="where",
        )
    mark = element("span", MARKS[row["evidence"]], aria_hidden="true")
    evidence = element("span", mark, " ", words.label("evidence", row["evidence"]), class_="evidence")
    return element(
        "li", element("h3", lead_text(row, "lead", words)), where, element("p", _figure(row, words), " ", evidence),
        element("p", element("strong", say("lead.actor")), " ", words.label("actor", row["actor"]), "."),
        element("p", element("strong", say("lead.check")), " ", lead_text(row, "check", words)),
        element("p", element("strong", say("lead.caveat")), " ", lead_text(row, "caveat", words), class_="note"),
    )  # fmt: skip


def _figure(row: pd.Series, words: Words) -> str:
    """The number behind the lead, with its limits and what was expected."""
    say = words.say
    if not row["shown"]:
        return say("lead.hidden")
    households = words.number(row["households"])
    if row["measure"] == "hazard_ratio":
        low, ratio, high = (words.number(row[name], 2) for name in ("lower", "estimate", "upper"))
        return say("lead.figure.ratio", ratio=ratio, lower=low, upper=high, households=households)
    low, share, high = (words.percent(row[name]) for name in ("lower", "estimate", "upper"))
    values = {"share": share, "lower": low, "upper": high, "households": households}
    if pd.notna(row["line"]):
        values |= {"line": words.percent(row["line"]), "months": words.months(row["horizon"])}
        return say(f"lead.figure.line.{row['rule']}", **values)
    if row["rule"] == "follow_up_is_missed":
        values |= {"months": words.months(row["horizon"]), "expected": words.percent(row["expected"])}
        return say("lead.figure.contacts", **values)
    if pd.isna(row["expected"]):
        return say("lead.figure.share", **values)
    return say("lead.figure.expected", expected=words.percent(row["expected"]), **values)


def _regions(every: pd.DataFrame, words: Words) -> Markup | None:
    """The regions' leads that are solid or to verify, a line each."""
    say = words.say
    codes = [code for code in REGION_CODES if code not in METROPOLITAN_REGIONS]
    rows = every[every["group"].isin(codes) & every["evidence"].isin(SURE)]
    if rows.empty:
        return element("p", say("leads.no_region"))
    cells = []
    for _, row in rows.sort_values(["group", "rank"]).iterrows():
        share = words.percent(row["estimate"]) if row["shown"] else say("hidden")
        if pd.notna(row["line"]):
            expected = say("lead.past_the_line", line=words.percent(row["line"]))
        else:
            expected = words.percent(row["expected"]) if row["shown"] else say("hidden")
        of = subject(row, words)
        short = say(f"lead.{row['rule']}.short")
        cells.append([
            words.region(row["group"]), join(short, " ", say("in_quotes", text=of)) if of else short, share, expected,
            words.label("evidence", row["evidence"]),
        ])  # fmt: skip
    header = [say("column.region"), say("column.lead"), say("column.missed"), say("column.expected"),
              say("column.evidence")]  # fmt: skip
    return join(element("h3", say("leads.regions")), html_table(say("leads.caption"), header, cells, numeric=False))


def _scale(words: Words) -> Markup:
    """What each word of validity means."""
    entries = [
        element(
            "div",
            element("dt", MARKS[name], " ", words.label("evidence", name)),
            element("dd", words.label("evidence_means", name)),
        )
        for name in MARKS
    ]
    return element("details", element("summary", words.say("leads.scale")), element("dl", *entries))
