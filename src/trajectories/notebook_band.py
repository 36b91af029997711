"""In a notebook, a red band on every figure and on every table that nothing has protected: « données non protégées ».

`import trajectories` in a kernel is enough; outside of one nothing is registered and IPython is not imported. The band
stands on any DataFrame, Series, styled table and result (notebook_objects.py), and is drawn into the picture of any
matplotlib figure, so that it goes along with a copy. It is text, for who does not see its colour. `Protected` tables
show without it, and so do the figures of the reports, which take nothing else. The frame inside a `Protected` has it,
since what is made of a frame is not protected any more; so has what `Protected.plot` draws, since a figure does not
know what else was drawn on it. Written to a file (`savefig`), a figure has none.

Printed text, widgets (ipympl) and HTML made by hand are not reached; `trajectories.explore` has a band of its own, that
stays. `trajectories.red_band(False)` switches it off, for data that are nobody's: a decision, which stands in the
notebook where a reader sees it.
"""

from __future__ import annotations

import sys
from html import escape
from typing import Any

from .notebook_objects import RESULTS

_TABLES = (
    "pandas.core.frame.DataFrame", "pandas.core.series.Series", "pandas.io.formats.style.Styler", *RESULTS,
)  # fmt: skip
_FIGURE = "matplotlib.figure.Figure"


def red_band(on: bool = True) -> None:
    """
    Switch the band on figures and unprotected tables on, or off, in this kernel; elsewhere nothing happens.

    Parameters
    ----------
    on : bool
        False only for data that are nobody's: simulated, or of a reference.

    Examples
    --------
    >>> red_band(False)  # at the top of a notebook on simulated data
    """
    shell = _shell_of_kernel()
    if shell is None:
        return
    tables = shell.display_formatter.formatters["text/html"]
    figures = shell.display_formatter.ipython_display_formatter
    # without the band, too, a picture says in words what it is of
    picture = _show_figure if on else _show_without_band
    shown = [*((tables, name, _table if on else None) for name in _TABLES), (figures, _FIGURE, picture)]
    for formatter, name, show in shown:
        formatter.pop(name, None)  # what was shown once before is kept apart by its type, and would go first
        if show is not None:
            # by name: nothing is imported for it, and whoever imports matplotlib later has the band, too
            formatter.for_type_by_name(*name.rsplit(".", 1), show)


def _shell_of_kernel() -> Any:
    """The shell of a kernel; None in a terminal, a script, a test."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None
    return None if getattr(shell, "kernel", None) is None else shell


def _table(table: Any) -> str:
    from .report.banded import banded  # with the words of the reports, at the first table shown

    shown = table._repr_html_() if hasattr(table, "_repr_html_") else None
    return banded(f"<pre>{escape(repr(table))}</pre>" if shown is None else shown)


def _show_without_band(figure: Any) -> None:
    _show_figure(figure, band=False)


def _show_figure(figure: Any, band: bool = True) -> None:
    from IPython.display import publish_display_data

    from .report.banded import picture

    plain, html = picture(figure, band)
    publish_display_data({"text/plain": plain} | ({"text/html": html} if html else {}))
