"""`explore`: retention of a region on the screen, as fast as one chooses.

Region, split and horizon change the picture within a tenth of a second or so at a hundred thousand persons; another
perimeter or scope is another cohort, drawn from the records and kept. What is seen are the bounds (quick_bounds.py),
below the red band; report/explored.py draws them and finds the words. Here are the cohorts, and the controls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from . import tables
from .cohort import build_cohort
from .exceptions import StaleTableError, TrajectoriesError
from .pipeline import nearest_study, sample
from .provenance import same_study
from .quick_bounds import Counted, counted, quick_bounds
from .spells import build_spells
from .study import Study
from .synthetic import sample_study

if TYPE_CHECKING:
    import ipywidgets
    from markupsafe import Markup

HORIZON = 12


@dataclass(frozen=True)
class Asked:
    """What is chosen: a region, what it is split by (empty: nothing), a horizon, and the cohort."""

    region: str
    by: str
    horizon: int
    perimeter: str
    scope: str


@dataclass(frozen=True)
class Explorer:
    """A study, of which each cohort is counted once and each look remembered; made by `opened`."""

    study: Study
    language: str
    synthetic: bool
    cohorts: dict[tuple[str, str], Counted] = field(default_factory=dict, repr=False)
    looks: dict[tuple[str, ...], pd.DataFrame] = field(default_factory=dict, repr=False)

    def first(self) -> Asked:
        """What is shown before anything is chosen: the province, whole, at twelve months."""
        before = [month for month in self.study.horizons if month <= HORIZON]
        horizon = before[-1] if before else self.study.horizons[0]
        return Asked(tables.PROVINCE, "", horizon, self.study.perimeter, self.study.scope)

    def is_drawn(self, asked: Asked) -> bool:
        """Whether the cohort asked for is at hand; else it takes as long as spells and cohort do in a build."""
        return (asked.perimeter, asked.scope) in self.cohorts

    def look(self, asked: Asked) -> Markup:
        """The picture of what is asked, its numbers and words, as HTML."""
        from .report.explored import explored
        from .report.words import words

        study = replace(self.study, perimeter=asked.perimeter, scope=asked.scope)
        return explored(
            self.bounds(asked), region=asked.region, by=asked.by or None, horizon=asked.horizon, study=study,
            synthetic=self.synthetic, words=words(self.language),
        )  # fmt: skip

    def bounds(self, asked: Asked) -> pd.DataFrame:
        """The numbers of a look (`quick_bounds`), which another horizon does not change."""
        cohort = (asked.perimeter, asked.scope)
        key = (*cohort, asked.region, asked.by)
        if key not in self.looks:
            if cohort not in self.cohorts:
                self.cohorts[cohort] = _counted(replace(self.study, perimeter=cohort[0], scope=cohort[1]), self.study)
            self.looks[key] = quick_bounds(self.cohorts[cohort], asked.region, asked.by or None, study=self.study)
        return self.looks[key]


def opened(study: Study, language: str = "fr") -> Explorer:
    """
    The explorer of a study that was built.

    Raises
    ------
    StaleTableError
        There is no build, or it was made for another perimeter, scope or cut-off.
    """
    return Explorer(study, language, synthetic=same_study(study)["synthetic"] == "yes")


def _counted(asked: Study, built: Study) -> Counted:
    """The cohort as it was built, or drawn for another perimeter or scope; nothing is written."""
    names = (tables.COHORT, tables.CONTACTS) if asked == built else (tables.RECORDS, tables.PERSONS)
    first, second = (tables.load(table, built.paths.derived) for table in names)
    if asked != built:
        drawn = build_cohort(build_spells(first, second, study=asked), first, second, study=asked)
        first, second = drawn.cohort, drawn.contacts
    return counted(first, second, study=asked)


def explore(study: Study | None = None, *, language: str = "fr") -> ipywidgets.VBox:
    """
    An explorer of retention for a notebook: region, split, horizon, perimeter, scope, and what they make of the bounds.

    Not protected: for a researcher's screen, below a red band that no setting takes away.

    Parameters
    ----------
    study : Study, optional
        A study that was built. Without: the nearest (as in `trajectories lab`) if it was built, else the synthetic
        sample, made once.
    language : {"fr", "en"}
        Of labels and sentences.

    Returns
    -------
    ipywidgets.VBox
        The last line of a cell shows it. With the keyboard, space opens a list; arrows and Enter choose.

    Raises
    ------
    StaleTableError
        The study was not built, or for another perimeter, scope or cut-off.

    Examples
    --------
    >>> explorer = explore(Study.read("study.toml"))
    >>> [type(part).__name__ for part in explorer.children]  # the choices, and what they show
    ['HBox', 'HTML']
    """
    return widgets(opened(_to_explore() if study is None else study, language))


def _to_explore() -> Study:
    """The nearest study if it was built, else the sample."""
    near = nearest_study()
    try:
        if tables.read_metadata(tables.COHORT, near.paths.derived):
            return near
    except StaleTableError:
        return near  # what is wrong with it is said, not hidden behind the sample
    sample(near)
    return sample_study(near)


# ── the controls ──────────────────────────────────────────────────────────────────────────────────────────
def widgets(explorer: Explorer) -> ipywidgets.VBox:
    """Lists to choose from, which the keyboard reaches, above what they make."""
    import ipywidgets

    from .report.explored import controls
    from .report.words import words

    first, lists = explorer.first(), {}
    for name, (called, choices) in controls(explorer.study, words(explorer.language)).items():
        lists[name] = ipywidgets.Dropdown(
            description=called, options=choices, value=getattr(first, name), style={"description_width": "initial"},
            layout={"width": "auto", "margin": "2px 16px 2px 0"},
        )  # fmt: skip
    shown = ipywidgets.HTML()
    show = _showing(explorer, lists, shown)
    for control in lists.values():
        control.observe(show, names="value")
    show()
    across = ipywidgets.Layout(flex_flow="row wrap")
    return ipywidgets.VBox([ipywidgets.HBox(list(lists.values()), layout=across), shown])


def _showing(explorer: Explorer, lists: dict[str, ipywidgets.Dropdown], shown: ipywidgets.HTML) -> Callable:
    """What a change of any control does."""
    from .report.explored import refused, waiting
    from .report.words import words

    def show(_: object = None) -> None:
        asked = Asked(**{name: control.value for name, control in lists.items()})
        if not explorer.is_drawn(asked):
            shown.value = str(waiting(words(explorer.language)))
        try:
            shown.value = str(explorer.look(asked))
        except TrajectoriesError as error:
            shown.value = str(refused(error))

    return show
