"""Synthetic deposits with a known truth.

The real records are confidential; these stand in for them, and every estimate can be held against the truth written
beside them. The layout is the proposed, non-official schema of the input contract. The modules, in the order the data
walks:

settings       what a simulation is made with; its calendar of quarters; its random numbers
effects        the planted effects: what lengthens a stay, what shifts arrivals and exits, what does nothing
geography      the municipalities to live in
population     invented households and persons, with their names, and when they come
histories      the true lives: residences, stays, how each stay ends
organisations  the partners: seats, openings and closings, typing habits
reporting      what is seen of a life and noted: services, establishments, and how the end of a stay becomes known
drafts         events to cells: files and their numbers, the words, the dates as typed
habits         `HABITS`, the table where a habit that a world can draw is a line
defects        `DEFECTS`, the table where a defect is a line: of who somebody is, a place, a row, a sheet, a file
sheets         rows to sheets, and sheets to bytes
deposits       sheets to files: quarters, annual workbooks, re-sent and copied files; the truth of each row
simulation     `simulate`, the whole in one function; `Truth`, what it writes beside
told_stays     stays and what is told of them as arrays, without deposits: for the estimator alone
served_stays   stays of which every end is known, the services they received, and the same as they are told of
shortcuts      the curves that hasty readings of such stays would print
"""

from __future__ import annotations

from .defects import DEFECTS, Defect
from .habits import HABITS, DrawnHabit, refuse_unknown_habits
from .served_stays import ServedStays, served_stays, told_of
from .settings import Settings, SettingsError
from .simulation import Truth, simulate
from .stays import SHORTCUTS, ToldStays, main_curve, shortcut_curve, told_stays

__all__ = [
    "DEFECTS",
    "HABITS",
    "SHORTCUTS",
    "Defect",
    "DrawnHabit",
    "ServedStays",
    "Settings",
    "SettingsError",
    "ToldStays",
    "Truth",
    "main_curve",
    "refuse_unknown_habits",
    "served_stays",
    "shortcut_curve",
    "simulate",
    "told_of",
    "told_stays",
]
