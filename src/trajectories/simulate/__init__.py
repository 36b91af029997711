"""Synthetic deposits with a known truth.

The real records are confidential; these replace them, and every estimate can be compared with the truth written beside
them. The layout is the proposed, non-official schema of the input contract. The modules, in the order of the data:

settings       what a simulation is made with; its calendar of quarters; its random numbers
effects        the planted effects: what lengthens a stay, what shifts arrivals and exits, what does nothing
geography      the municipalities to live in
population     invented households and persons, with their names, and when they come
histories      the true lives: residences, stays, how each stay ends
organisations  the partners: seats, openings and closings, typing habits
reporting      what is seen of a life and noted: services, establishments, and how the end of a stay becomes known
habits         `HABITS`, the table of habits, one line each
defects        `DEFECTS`, the table of defects, one line each: of an identity, a place, a row, a sheet, a file
sheets         events to rows, rows to sheets, and sheets to bytes
deposits       sheets to files: quarters, annual workbooks, re-sent and copied files; the truth of each row
simulation     `simulate`, the simulation in one function; `Truth`, what it writes beside the deposits
stays          stays with contacts and news as arrays, without deposits, and the curves of naive shortcuts
served_stays   stays with known ends and services received, and the same stays with contacts and news
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
