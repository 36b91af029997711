"""Protected tables → one self-contained page a region, in French or English, and the index of all pages.

`open_report` (inputs.py) loads the tables of a run and protects them (run.py) · sections/ writes the text, tables and
figures (figures/) with the words of a catalogue (words.py, locale/) · html.py makes the page of an executed notebook.
Beside the pages: the shared files of data (exports.py), the method page, the pages of organisations, and the display of
results in notebooks (notebook_tables.py, notebook_plots.py, explorer.py). leaks.py searches all shared files. This room
computes no statistics, and accepts numbers from `Protected` tables only (and the linkage weights, model parameters).
"""

from __future__ import annotations

from . import sections
from .inputs import Report, open_report

__all__ = ["Report", "open_report", "sections"]
