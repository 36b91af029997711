"""The method page: how the numbers are made, in plain words; the glossary; the settings of the run; how to cite it.

The text is in `locale/<locale>/methode.md`, one file a language: Markdown, in which Jinja sets the figures of the run.
The terms are those of GLOSSARY.md (a test checks it); their meanings are in the catalogue.
"""

from __future__ import annotations

import re

from markupsafe import Markup

from ..analysis.comparison.covariates import PERSON
from ..disclosure.rules import SMALLEST_AT_RISK
from ..study import Disclosure
from .html import without_notebook
from .leaks import plain
from .markup import element, join
from .readings import series
from .run import Run
from .sections.method import parameters, reference
from .words import Words, method_text, words

# The terms of GLOSSARY.md, by the name of their message.
TERMS = (
    "deposit", "record", "crosswalk", "quarantine", "issue", "light", "superseded", "identity", "link",
    "clerical_review", "match_weight", "perimeter", "zone", "region", "observation", "spell", "move", "conflict",
    "old_address",
    "stay", "scope", "establishment", "pathway", "exit", "lost", "scheduled_contact", "news", "set_aside", "late_news",
    "contact_failure", "reporting_delay", "passive_report", "false_report",
    "borrowed_reporting", "retention", "circular_migration",
    "near_ring", "restricted_mean", "occupation", "settled_for_good", "completed_data", "standardised", "overlap",
    "shrunken_estimate", "funnel", "simultaneous_limits", "type_of_trajectory", "reach", "transfer",
    "observed_expected", "e_value",
    "negative_control", "lead", "horizon", "at_risk", "delayed_entry", "heard_until", "role", "interval_censored",
    "right_censored", "cumulative_incidence", "bounds", "support", "subsample", "household", "cut_off",
    "suppression",
)  # fmt: skip
# A chapter of the text: its anchor, its title, its content.
_CHAPTER = re.compile(r'<h2 id="([\w-]+)">(.*?)</h2>(.*?)(?=<h2 |\Z)', re.DOTALL)


def method_page(run: Run, rules: Disclosure, language: str) -> str:
    """
    The page.

    Parameters
    ----------
    run : Run
    rules : Disclosure
        The publication rules of this run.
    language : str
        The same run gives the same page, whatever other pages there are.

    Raises
    ------
    NotebookError
        The page would hold something that no page may (`html.FORBIDDEN`).
    """
    import mistune

    w = words(language)
    as_html = mistune.create_markdown(escape=False, plugins=["def_list"])
    text = Markup(as_html(w.typeset(_markdown(run, rules, w))))  # noqa: S704 - ours; Jinja escapes what it sets in
    chapters = [[Markup(part) for part in chapter] for chapter in _CHAPTER.findall(text)]  # noqa: S704 - parts of it
    links = (element("a", title, href=f"#{name}") for name, title, _ in chapters)
    body = join(
        element(
            "header",
            element("p", series(w), class_="series"),
            element("h1", w.say("method_page.title")),
            element("p", w.say("method_page.what"), class_="lead"),
            class_="opening",
        ),
        element(
            "nav",
            element("ol", *(element("li", link) for link in links)),
            class_="contents",
            aria_label=w.say("contents.title"),
        ),
        *(
            element("section", element("h2", title, id=name), content, aria_labelledby=name)
            for name, title, content in chapters
        ),
    )
    return without_notebook("method_page", body, w, run)


def _markdown(run: Run, rules: Disclosure, w: Words) -> str:
    """The text of the page, with the figures of the run, the glossary, the settings and the reference set in."""
    import jinja2

    number = w.number
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(method_text(w.language)).render(
        perimeter=w.label("perimeter", run.perimeter),
        scope=w.label("scope", run.scope),
        cutoff=w.date(run.cutoff),
        support=number(run.support),
        replicates=number(run.replicates),
        drawn=None if run.drawn_stays is None else number(run.drawn_stays),
        threshold=number(rules.threshold),
        households=number(rules.households),
        base=w.bases(rules),
        held_alike=w.listing([w.label("held_alike", name) for name in PERSON]),
        denominator=number(rules.rate_denominator),
        at_risk=number(max(run.support, SMALLEST_AT_RISK)),
        glossary=_glossary(w),
        parameters=parameters(w, run, rules),
        citation=join(*reference(w.say("method_page.title"), w, run)),
    )


def _glossary(w: Words) -> list[tuple[str, str]]:
    """Terms and what they mean, in alphabetical order."""
    entries = [(w.say(f"glossary.{name}.term"), w.say(f"glossary.{name}")) for name in TERMS]
    return sorted(entries, key=lambda entry: plain(entry[0]))
