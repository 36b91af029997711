"""How the numbers were made, in a paragraph and a link; the settings they rest on; how to cite them.

What every page says of its method is the same, and stands here; the long way is the method page (method_page.py).
"""

from __future__ import annotations

from markupsafe import Markup

from ...study import REGION_CODES, Disclosure
from ..addresses import METHOD
from ..inputs import Report
from ..markup import Fragment, element, join, section
from ..run import Run
from ..words import Words


def in_a_paragraph(words: Words) -> Markup:
    """What was done with the deposits, who counts, how the rate is estimated, its limits, what is hidden; and where
    more is said."""
    link = element("a", words.say("how_made.link"), href=METHOD)
    return join(element("p", words.say("how_made.paragraph")), element("p", link))


def parameters(words: Words, run: Run, rules: Disclosure) -> list[tuple[str, object]]:
    """What the run was set to: names, and values in words."""
    say = words.say
    months = words.listing([words.number(month) for month in run.follow_up_months])
    subsample = [] if run.drawn_stays is None else [
        (say("facts.drawn"), say("facts.drawn_said", n=words.number(run.drawn_stays))),
    ]  # fmt: skip
    return [
        (say("facts.perimeter"), join(words.label("perimeter", run.perimeter), f" ({run.perimeter})")),
        (say("facts.scope"), words.label("scope", run.scope)),
        (say("facts.pathway"), words.label("pathway", run.pathway or "all")),
        (say("facts.cutoff"), words.date(run.cutoff)),
        (say("facts.follow_up"), say("facts.months_listed", months=months)),
        (say("facts.grace"), say("facts.days", n=words.number(run.grace_days))),
        *subsample,
        (say("facts.rules"), say("facts.rules_said", threshold=rules.threshold, households=rules.households,
                                 base=words.bases(rules), denominator=rules.rate_denominator)),
        (say("facts.version"), run.version),
    ]  # fmt: skip


def how_to_cite(report: Report) -> Fragment:
    """The reference of a page, without an author or a day of publication that nobody gave."""
    name = report.words.region(report.region) + (f" ({report.region})" if report.region in REGION_CODES else "")
    return section("citer", report.words.say("cite.title"), *reference(name, report.words, report.run))


def reference(title: str, words: Words, run: Run) -> list[Markup]:
    """How to cite what a page is of, as paragraphs."""
    say = words.say
    cited = say(
        "cite.reference", what=title, cutoff=words.date(run.cutoff), version=run.version,
        perimeter=words.label("perimeter", run.perimeter), scope=words.label("scope", run.scope),
    )  # fmt: skip
    if run.synthetic:
        cited = f"{cited} {say('cite.synthetic')}"
    paragraphs = [element("p", cited, class_="cited"), element("p", say("cite.issuer"), class_="note")]
    return [*paragraphs, element("p", say("cite.not_results"), class_="warning")] if run.synthetic else paragraphs
