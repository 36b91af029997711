"""`explore`: the estimates of a run on the screen, a region and a figure at a time.

It draws the tables that `trajectories report` wrote (analysis/analyse.py) as `plot` does, below the red band. Nothing
is estimated here: for another perimeter, scope or split, call `retention`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from markupsafe import Markup

from ..deposits.synthetic import sample_study
from ..exceptions import StaleTableError
from ..groups import reported_groups
from ..pipeline import nearest_study
from ..retention import BOUNDS
from ..study import Study
from .drawing import INK
from .markup import element
from .notebook_plots import LINES, draw_result
from .notebook_tables import picture, table_html
from .run import PLACES, Run, read_table
from .words import Words, words

if TYPE_CHECKING:
    import ipywidgets

# The tables of a run that are drawn by region, in the order of the list of choices.
OF_REGIONS = ("curves", "retention", "exits", "occupation")
# The columns of the table below the figure, after the group and the month.
COLUMNS = (
    "method", "cause", "state", "survival", "share", "estimate", "lower", "upper", "n_risk", "n_at_risk", "n_start",
    "known",
)  # fmt: skip


def explore(study: Study | None = None, *, language: str = "fr") -> ipywidgets.VBox:
    """
    An explorer of the estimates of a run, for a notebook: a region, a figure, another region beside it.

    It shows what `trajectories report` estimated, and estimates nothing: for another perimeter or scope, or by another
    covariate, call `retention` with another study or other `groups`. Not protected: for a researcher's screen, below a
    red band that no setting takes away.

    Parameters
    ----------
    study : Study, optional
        A study that was analysed. Without: the nearest (as in `trajectories lab`), or the synthetic sample where only
        that was analysed.
    language : {"fr", "en"}
        Of labels and sentences.

    Returns
    -------
    ipywidgets.VBox
        The last line of a cell shows it. With the keyboard, space opens a list; arrows and Enter choose.

    Raises
    ------
    StaleTableError
        The study was not analysed, or for another perimeter, scope or pathway.

    Examples
    --------
    >>> explorer = explore(Study.read("study.toml"))
    >>> [type(part).__name__ for part in explorer.children]  # the choices, and what they show
    ['HBox', 'HTML']
    """
    import ipywidgets

    w = words(language)
    estimates = Estimates.read(_analysed(nearest_study()) if study is None else study)
    groups = [(w.region(group), group) for group in estimates.groups]

    def dropdown(label: str, options: list[tuple[str, str]]) -> ipywidgets.Dropdown:
        look = {"style": {"description_width": "initial"}, "layout": {"width": "auto", "margin": "2px 16px 2px 0"}}
        return ipywidgets.Dropdown(description=label, options=options, **look)

    region = dropdown(w.say("column.region"), groups)
    figure = dropdown(w.say("explorer.show"), [(figure_name(name, w), name) for name in estimates.tables])
    beside = dropdown(w.say("explorer.beside"), [(w.say("explorer.nothing"), ""), *groups])
    shown = ipywidgets.HTML()

    def show(_: object = None) -> None:
        region.disabled = figure.value not in OF_REGIONS  # a split is of all regions together
        beside.disabled = region.disabled or figure.value == "occupation"  # areas fill their figure
        regions = [region.value]
        if not beside.disabled and beside.value not in ("", region.value):
            regions.append(beside.value)
        shown.value = figure_html(estimates, figure.value, regions, w)

    for control in (region, figure, beside):
        control.observe(show, names="value")
    show()
    controls = ipywidgets.HBox([region, figure, beside], layout=ipywidgets.Layout(flex_flow="row wrap"))
    return ipywidgets.VBox([controls, shown])


def _analysed(near: Study) -> Study:
    """The study, or its sample: the first that has estimates."""
    for study in (near, sample_study(near)):
        if (_tables_of(study) / "run.json").exists():
            return study
    raise StaleTableError(
        f"{_tables_of(near)} holds no estimates, nor does the folder of the sample: run `trajectories run` first "
        "(where there is no deposit, it makes the synthetic sample)."
    )


def _tables_of(study: Study) -> Path:
    return study.paths.reports / "sensitive" / "tables"


@dataclass(frozen=True)
class Estimates:
    """
    The estimates of a run.

    `run` (its facts), `groups` (the province, regions and groups of regions) and `tables` (by figure, the rows to draw:
    those of months that enough persons support; a split by its covariate).
    """

    run: Run
    groups: list[str]
    tables: dict[str, pd.DataFrame]

    @classmethod
    def read(cls, study: Study) -> Estimates:
        """The estimates of a study that was analysed; raises as `explore`."""
        folder = _tables_of(study)
        run = Run.read(folder)
        asked = study.perimeter, study.scope, study.pathway
        if run.settings != asked:
            made, wanted = (", ".join(value or "all pathways" for value in names) for names in (run.settings, asked))
            raise StaleTableError(
                f"The estimates in {folder} are of {made}, and {wanted} is asked: give the study of that run, or run "
                "`trajectories run` for this one."
            )
        tables = {name: read_table(folder, name) for name in OF_REGIONS}
        groups = [group for group in reported_groups(study) if tables["retention"]["group"].eq(group).any()]
        tables = {name: table[table["known"].ne("insufficient")] for name, table in tables.items()}
        rates = tables["retention"]
        with_rate = rates.loc[rates["method"].eq("main"), "group"]  # of the others there are bounds at most
        tables["retention"] = rates[rates["group"].isin(with_rate) & rates["method"].isin(["main", *BOUNDS])]
        states = tables["occupation"].rename(columns={"horizon": "month", "estimate": "share"})
        tables["occupation"] = states.replace({"state": {"this_region": "region"}})
        if (folder / "comparison.parquet").exists():  # not where too few persons could be compared
            compared = read_table(folder, "comparison")
            rates = compared[compared["measure"].eq("retention") & compared["method"].eq("unadjusted")]
            rates = rates[~rates["by"].isin(PLACES) & rates["estimate"].notna()]
            tables |= dict(iter(rates.groupby("by", sort=False)))
        return cls(run, groups, tables)


def figure_name(name: str, w: Words) -> str:
    """The name of a figure in words; of a split, with its covariate."""
    if name in OF_REGIONS:
        return w.label("explored", name)
    return w.say("explorer.by", covariate=w.label("covariate", name))


def figure_html(estimates: Estimates, name: str, groups: Sequence[str], w: Words) -> str:
    """
    A figure below the band, a table of its numbers at the horizons, and the facts of the run.

    Parameters
    ----------
    estimates : Estimates
    name : str
        A key of `estimates.tables`.
    groups : sequence of str
        The groups to draw. A split has all of its levels in the table, and those with the most stays in the figure.
    w : Words
    """
    from matplotlib.figure import Figure

    table, title, sentences = estimates.tables[name], figure_name(name, w), []
    if name in OF_REGIONS:
        title = w.say("explorer.title", figure=title, places=w.listing([w.region(group) for group in groups]))
        table = in_figure = table[table["group"].isin(groups)]
        if unsupported := [w.in_region(group) for group in groups if not table["group"].eq(group).any()]:
            sentences.append(w.say("explorer.insufficient", places=w.listing(unsupported)))
    else:
        sizes = table.groupby("group")["n_start"].max()
        largest = sizes.nlargest(len(LINES)).index
        in_figure = table[table["group"].isin(largest)]
        if len(largest) < len(sizes):
            sentences.append(w.say("explorer.largest", n=len(largest), total=len(sizes)))
    parts = [element("p", sentence, role="status") for sentence in sentences]
    if len(in_figure):
        axes = Figure(figsize=(8, 4), layout="constrained").subplots()
        draw_result(in_figure, axes, w).set_title(title)
        _, image = picture(axes.figure)
        when = "month" if "month" in table else "horizon"
        columns = ["group", when, *(column for column in COLUMNS if column in table)]
        numbers = table.loc[table[when].isin(estimates.run.horizons), columns]
        parts += [Markup(image), table_html(numbers, w, title, most=len(numbers))]  # noqa: S704 - the image is markup
    style = f"background: #fff; color: {INK}; padding: 10px 12px; overflow-x: auto"
    return str(element("section", *parts, *_facts(estimates.run, w), style=style))


def _facts(run: Run, w: Words) -> list[Markup]:
    """The settings of the run, and how to get the estimates of others."""
    settings = {"perimeter": w.label("perimeter", run.perimeter), "scope": w.label("scope", run.scope)}
    paragraphs = [
        element("p", w.say("explorer.about", **settings, cutoff=w.date(run.cutoff))),
        element("p", w.say("explorer.otherwise", call="trajectories.retention(…)")),
    ]
    return [element("p", element("strong", w.say("page.synthetic"))), *paragraphs] if run.synthetic else paragraphs
