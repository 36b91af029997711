"""What a notebook shows of a result: its tables in words, a figure of it, and the table to go on with.

A result (a curve, a test, a fit, a cohort) has these functions for methods: `_repr_html_ = as_html`, `plot`,
`to_frame`. Nothing is loaded before something is shown: how a result is printed and drawn stands with the words of
the reports, in report/notebook_tables.py and report/notebook_plots.py. Below all rooms, as tables.py: each of them may
name its results here.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# A class of results and its main table. Each bears the red band in a notebook (notebook_band.py), which finds it by
# this name, so that no room is loaded for it.
RESULTS = {
    "trajectories.cohort.Cohort": "cohort",
    "trajectories.deposits.deposits.Deposits": "records",
    "trajectories.models.fitting.Models": "coefficients",
    "trajectories.pipeline.Tables": "cohort",
    "trajectories.spells.Residences": "spells",
    "trajectories.survival.intervals.interval.IntervalCurve": "table",
    "trajectories.survival.logrank.TestResult": "table",
    "trajectories.survival.observation.observed.ObservedCurve": "table",
    "trajectories.survival.regression.cox.CoxFit": "table",
    "trajectories.survival.regression.cure.CureFit": "table",
    "trajectories.survival.regression.discrete_hazard.DiscreteFit": "table",
    "trajectories.survival.regression.fine_gray.FineGrayFit": "table",
    "trajectories.survival.states.panel_markov.PanelFit": "rates",
    "trajectories.typology.assembling.Typology": "types",
}


def _display(name: str) -> ModuleType:
    """A module of the reports, by its name: what shows a result lies above the rooms that make it."""
    return importlib.import_module(f"{__package__}.report.{name}")


def as_html(result: Any) -> str:
    """The tables of a result as HTML, labelled in French; numbers are rounded, and long tables cut with a note."""
    return _display("notebook_tables").html_of(result)


def to_frame(result: Any) -> pd.DataFrame:
    """The main table of a result, a copy: exact numbers, to go on with (`to_frame().to_csv(…)` writes it)."""
    return getattr(result, RESULTS[f"{type(result).__module__}.{type(result).__qualname__}"]).copy()


def plot(result: Any, ax: Axes | None = None) -> Axes:
    """
    The figure of a table or a result, labelled in French.

    Parameters
    ----------
    result : DataFrame, Protected or a result
        A curve (a column survival, incidence, probability or mean, by time or month), rates at horizons (the tables
        `retention` and `exits`), ratios with their limits (terms of a model), or an object with `.plot()`. With limits
        for a band, a line a group, cause or state; numbers at risk stand below a single curve.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        For a title or another label: `plot(curve).set_title("…")`.

    Raises
    ------
    ValueError
        No figure is drawn of a table with such columns, or it has more lines than can be told apart.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from trajectories.survival import kaplan_meier
    >>> plot(kaplan_meier([3, 8, 8, 20], [1, 1, 0, 0])).get_ylabel()
    'Encore là'
    """
    return _display("notebook_plots").drawn(result, ax)
