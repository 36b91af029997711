"""The method page: each method in plain words, and below it what the code says of itself; the words; the settings.

It is made at every run from the docstrings of the library (docstrings.py), the catalogues and the glossary, so that it
says what this version does. Docstrings are English on both pages, and marked so. The terms are those of GLOSSARY.md,
held to it by a test; their French meanings stand in the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from ..study import Disclosure
from . import docstrings
from .html import without_notebook
from .markup import element, join
from .method import parameters, reference
from .ordinary import plain
from .readings import series
from .run import Run
from .tables import definition_list
from .words import Words, words

# What is shown → where the code says it, in the order in which data walks. Words: `explained.<name>` in the catalogue.
METHODS: dict[str, tuple[str, ...]] = {
    "deposits": ("deposits/__init__.py",),
    "places": ("places/__init__.py", "places/matching.py"),
    "linkage": ("persons/__init__.py", "persons/__init__.py:link_persons", "persons/clusters.py"),
    "spells": ("observations.py", "spells.py", "spells.py:build_spells"),
    "cohort": ("cohort.py", "contacts.py"),
    "observation": ("retention.py", "survival/observation/observed.py",
                    "survival/observation/observed.py:observed_incidence"),
    "simpler": ("survival/kaplan_meier.py:kaplan_meier", "survival/intervals/turnbull.py:turnbull",
                "survival/incidence.py:cumulative_incidence"),
    "bounds": ("companions.py",),
    "bootstrap": ("survival/bootstrap.py", "survival/bootstrap.py:bootstrap"),
    "assumptions": ("assumptions.py", "panel.py", "sensitivity.py"),
    "course": ("course/__init__.py",),
    "comparison": ("comparison/standardised.py", "comparison/standardised.py:compare", "comparison/weights.py",
                   "comparison/outcome.py"),
    "shrinkage": ("comparison/shrinkage.py", "comparison/shrinkage.py:shrunken"),
    "typology": ("typology/__init__.py", "typology/costs.py", "typology/distances.py", "typology/clusters.py"),
    "models": ("completed.py", "completed.py:completed_stays", "survival/pooling.py:pool"),
    "services": ("services/__init__.py", "services/use.py", "services/transfer.py", "services/expected.py"),
    "associations": ("services/association.py", "services/evalue.py", "services/controls.py"),
    "leads": ("services/leads.py", "leads.py:improvement_leads"),
    "disclosure": ("disclosure/__init__.py", "disclosure/counts.py", "disclosure/rates.py", "disclosure/curves.py",
                   "disclosure/ledger.py"),
}  # fmt: skip
# The terms of GLOSSARY.md, by the name of their message.
TERMS = (
    "deposit", "record", "crosswalk", "quarantine", "issue", "light", "superseded", "identity", "link",
    "clerical_review", "match_weight", "perimeter", "zone", "region", "observation", "spell", "move", "conflict",
    "old_address",
    "stay", "scope", "establishment", "pathway", "exit", "lost", "scheduled_contact", "news", "set_aside", "late_news",
    "contact_failure", "hearing", "hearsay", "false_report", "borrowed_reporting", "retention", "circular_migration",
    "near_ring", "restricted_mean", "occupation", "settled_for_good", "completed_data", "standardised", "overlap",
    "shrunken_estimate", "funnel", "type_of_trajectory", "reach", "transfer", "observed_expected", "e_value",
    "negative_control", "lead", "horizon", "at_risk", "delayed_entry", "heard_until", "role", "interval_censored",
    "right_censored", "cumulative_incidence", "bounds", "support", "subsample", "household", "cut_off",
    "suppression",
)  # fmt: skip
# Of docstrings.
_ENGLISH = "en-CA"


def method_page(run: Run, rules: Disclosure, language: str) -> str:
    """
    The page.

    Parameters
    ----------
    run : Run
    rules : Disclosure
        What publication of this run is held to.
    language : str
        The same run gives the same page, whatever other pages there are.

    Raises
    ------
    NotebookError
        The page would hold something that no page may (`html.FORBIDDEN`).
    """
    said = words(language)
    say = said.say
    parts = [
        *((f"m-{name}", say(f"explained.{name}.title"), _explained(name, said)) for name in METHODS),
        ("glossaire", say("method_page.glossary"), _glossary(said)),
        ("parametres", say("method_page.parameters"), definition_list(parameters(said, run, rules))),
        ("citer", say("cite.title"), join(*reference(say("method_page.title"), said, run))),
    ]
    contents = element("ol", *(element("li", element("a", title, href=f"#{name}")) for name, title, _ in parts))
    body = join(
        element(
            "header", element("p", series(said), class_="series"), element("h1", say("method_page.title")),
            element("p", say("method_page.what"), class_="lead"), class_="opening",
        ),
        element("nav", contents, class_="contents", aria_label=say("method_page.contents")),
        *(
            element("section", element("h2", title, id=name), content, aria_labelledby=name)
            for name, title, content in parts
        ),
    )  # fmt: skip
    return without_notebook("method_page", body, said, run)


def said_by_code() -> Iterator[str]:
    """What the page quotes of the code: names, and texts of docstrings."""
    for target in dict.fromkeys(target for targets in METHODS.values() for target in targets):
        yield docstrings.dotted(target)
        yield from (text for _, text in docstrings.told(target))


def _explained(name: str, said: Words) -> Markup:
    """In plain words, and folded below it what the code says."""
    parts = [part for target in METHODS[name] for part in _of_code(target)]
    code = element("div", *parts, class_="docstring", lang=None if said.tag == _ENGLISH else _ENGLISH)
    return join(
        element("p", said.say(f"explained.{name}")),
        element("details", element("summary", said.say("method_page.code")), code),
    )


def _of_code(target: str) -> list[Markup]:
    """One docstring: what it is of, then its sections."""
    found = [element("h3", element("code", docstrings.dotted(target)))]
    for section, text in docstrings.told(target):
        found += [element("h4", section) if section else Markup(""), docstrings.as_html(text)]
    return found


def _glossary(said: Words) -> Markup:
    """Terms and what they mean, in alphabetical order."""
    entries = {name: said.say(f"glossary.{name}.term") for name in TERMS}
    in_order = sorted(TERMS, key=lambda name: plain(entries[name]))
    listed = definition_list([(entries[name], docstrings.inline(said.say(f"glossary.{name}"))) for name in in_order])
    return join(element("p", said.say("method_page.glossary_what")), listed)
