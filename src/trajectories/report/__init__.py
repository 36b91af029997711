"""Protected tables → one self-contained page a region, in French or English, and the index of all pages.

In the order a page walks: `open_report` loads and protects the tables · `sections`, `portrait` (who settled) and
`whole` (the page of the whole) say them, with the `figures` and `tables` of this room and the words of a catalogue ·
`html` makes the page of an executed notebook · `run_reports` does it for every region. This room computes no
statistics, and accepts numbers from `Protected` tables only (and the weights of the linkage, which are a model's).

Where to look:

what comes in    inputs, protected, shown, run, earlier (what was published before)
the page's head  headline, essentials, lights, quality (the state of the data), leads
sections         sections, portrait, course, companions, hearing_reading, linkage, services, elsewhere, method
other pages      whole (of the whole), atlas, method_page, organisations, organisation_parts
words, numbers   words, readings, counting, locale/ (the catalogues); messages holds them against the code
how it is drawn  figures/, drawing, tables, markup, html, template/ (page.css and the frames)
files beside     exports, labelled, indicators
how it is made   batch, worker, notebooks, engine, addresses
made again or not  origins, manifest, around, status
before it leaves   leaks, opened, private, ordinary, withheld, publish
in a notebook    notebook_tables, notebook_plots, explorer, banded
"""

from . import headline, portrait, sections, whole
from .batch import Outcome, run_reports
from .inputs import Report, open_report

__all__ = ["Outcome", "Report", "headline", "open_report", "portrait", "run_reports", "sections", "whole"]
