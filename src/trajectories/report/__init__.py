"""Protected tables → one self-contained page a region, in French or English, and the index of all pages.

`open_report` (inputs.py) loads the tables of a run and protects them (run.py) · sections/ says them, with figures/ and
the words of a catalogue (words.py, locale/) · html.py makes the page of an executed notebook. Beside the pages: the
files that leave with them (exports.py), the method page, the pages of organisations, what a notebook shows
(notebook_tables.py, notebook_plots.py, explorer.py). leaks.py searches all of it before it leaves. This room computes
no statistics, and accepts numbers from `Protected` tables only (and the weights of the linkage, which are a model's).
"""

from __future__ import annotations

from . import sections
from .inputs import Report, open_report

__all__ = ["Report", "open_report", "sections"]
