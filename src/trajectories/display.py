"""What a notebook shows of a result, and the red band on everything there that nothing has protected."""

from __future__ import annotations

import importlib
import sys
from html import escape
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


# ----------------------------------------------------------------------------------------------------
# How a result shows in a notebook: as HTML tables, as a figure, and as its main table.
#
# A result (a curve, a test, a fit, a cohort) has these functions for methods: `_repr_html_ = as_html`, `plot`,
# `to_frame`. They load report/notebook_tables.py and report/notebook_plots.py, where the words of the reports are, only
# when something is shown. This module is below all rooms, as tables.py, so that each may name its results here.

# Class of results → its main table. The red band finds classes by these names, without loading their rooms.
RESULTS = {
    "trajectories.stays.cohort.Cohort": "cohort",
    "trajectories.deposits.deposits.Deposits": "records",
    "trajectories.analysis.models.Models": "coefficients",
    "trajectories.pipeline.Tables": "cohort",
    "trajectories.stays.spells.Residences": "spells",
    "trajectories.survival.intervals.interval.IntervalCurve": "table",
    "trajectories.survival.logrank.TestResult": "table",
    "trajectories.survival.observation.observed.ObservedCurve": "table",
    "trajectories.survival.regression.cox.CoxFit": "table",
    "trajectories.survival.regression.cure.CureFit": "table",
    "trajectories.survival.regression.discrete_hazard.DiscreteFit": "table",
    "trajectories.survival.regression.fine_gray.FineGrayFit": "table",
    "trajectories.survival.states.panel.PanelFit": "rates",
    "trajectories.analysis.typology.assembling.Typology": "types",
}


def _display(name: str) -> ModuleType:
    """A module of the reports, imported when needed: that room lies above those that make the results."""
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
        No figure is drawn of a table with such columns, or it has too many lines for one figure.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from trajectories.survival import kaplan_meier
    >>> plot(kaplan_meier([3, 8, 8, 20], [1, 1, 0, 0])).get_ylabel()
    'Encore là'
    """
    return _display("notebook_plots").draw_result(result, ax)


# ----------------------------------------------------------------------------------------------------
# In a notebook, a red band on every figure and on every table that nothing has protected: « données non protégées ».
#
# `import trajectories` in a kernel is enough; outside of one nothing is registered and IPython is not imported. The
# band stands on any DataFrame, Series, styled table and result, and is drawn into the picture of any matplotlib
# figure, so that it goes along with a copy. It is text, for who does not see its colour. `Protected` tables show
# without it, and so do the figures of the reports, which take nothing else. The frame inside a `Protected` has it,
# since what is made of a frame is not protected any more; so has what `Protected.plot` draws, since a figure does not
# know what else was drawn on it. Written to a file (`savefig`), a figure has none.
#
# Printed text, widgets (ipympl) and HTML made by hand are not reached; `trajectories.explore` has a band of its own,
# that stays. `trajectories.red_band(False)` switches it off, for data that are nobody's: a decision, which stands in
# the notebook where a reader sees it.

_TABLES = ("pandas.core.frame.DataFrame", "pandas.core.series.Series", "pandas.io.formats.style.Styler", *RESULTS)
_FIGURE = "matplotlib.figure.Figure"


def red_band(on: bool = True) -> None:
    """
    Switch the band on figures and unprotected tables on, or off, in this kernel; elsewhere nothing happens.

    Parameters
    ----------
    on : bool
        False only for data of no real person: simulated, or of a reference.

    Examples
    --------
    >>> red_band(False)  # at the top of a notebook on simulated data
    """
    shell = _shell_of_kernel()
    if shell is None:
        return
    tables = shell.display_formatter.formatters["text/html"]
    figures = shell.display_formatter.ipython_display_formatter
    # a picture has its text alternative without the band, too
    picture = _show_figure if on else _show_without_band
    shown = [*((tables, name, _table if on else None) for name in _TABLES), (figures, _FIGURE, picture)]
    for formatter, name, show in shown:
        formatter.pop(name, None)  # a type shown before has a printer of its own, which would come first
        if show is not None:
            # by name: nothing is imported for it, and a matplotlib imported later has the band, too
            formatter.for_type_by_name(*name.rsplit(".", 1), show)


def _shell_of_kernel() -> Any:
    """The shell of a kernel; None in a terminal, a script, a test."""
    ipython = sys.modules.get("IPython")
    shell = getattr(ipython, "get_ipython", lambda: None)()
    return None if getattr(shell, "kernel", None) is None else shell


def _table(table: Any) -> str:
    shown = table._repr_html_() if hasattr(table, "_repr_html_") else None
    return _display("notebook_tables").banded(f"<pre>{escape(repr(table))}</pre>" if shown is None else shown)


def _show_without_band(figure: Any) -> None:
    _show_figure(figure, band=False)


def _show_figure(figure: Any, band: bool = True) -> None:
    from IPython.display import publish_display_data

    plain, html = _display("notebook_tables").picture(figure, band)
    publish_display_data({"text/plain": plain} | ({"text/html": html} if html else {}))
