"""Protected tables → one self-contained page a region, in French or English, and the index of all pages.

In the order a page walks: `open_report` loads and protects the tables · `sections`, `portrait` (who settled) and
`whole` (the page of the whole) say them, with the `figures` and `tables` of this room and the words of a catalogue ·
`html` makes the page of an executed notebook · `run_reports` does it for every region. This room computes no
statistics, and accepts numbers from `Protected` tables only (and the weights of the linkage, which are a model's).
"""

from . import headline, portrait, sections, whole
from .batch import Outcome, run_reports
from .inputs import Report, open_report

__all__ = ["Outcome", "Report", "headline", "open_report", "portrait", "run_reports", "sections", "whole"]
