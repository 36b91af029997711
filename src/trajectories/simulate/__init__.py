"""Synthetic deposits with a known truth.

The real records are confidential; these stand in for them, and every estimate can be held against the truth written
beside them. The layout is the proposed, non-official schema of the input contract. The modules, in the order the data
walks:

settings       what a simulation is made with; its calendar of quarters; its random numbers
effects        the planted effects: what lengthens a stay, what shifts arrivals and exits, what does nothing
geography      the municipalities to live in
population     invented households and persons, with their names, and when they come
histories      the true lives: residences, stays, how each stay ends
organisations  the partners: seats, openings and closings, typing habits, and the desk where events are noted
reporting      what is seen of a life: services, establishments
following      how the end of a stay becomes known: scheduled contacts, hearsay, returns
drafts         events to cells: files and their numbers, the words, the dates as typed
habits         `HABITS`, the table where a habit that a world can draw is a line
defects        `DEFECTS`, the table where a defect is a line
identity_defects, place_defects, row_defects  how a person, a place, a row's dates and facts are mistyped
event_defects  facts noted under another file, person or quarter
habit_events, habit_rows  what the drawn habits do to what is noted, and to what is typed
sheets         rows to sheets, and what goes wrong in their layout
saving         sheets to bytes
deposits       sheets to files: quarters, annual workbooks, re-sent and copied files
ledger         the truth of each row: where it stands, its fate
simulation     `simulate`, the whole in one function; `Truth`, what it writes beside
told_stays     stays and what is told of them as arrays, without deposits: for the estimator alone
served_stays   stays of which every end is known, the services they received, and the same as they are told of
shortcuts      the curves that hasty readings of such stays would print
"""

from .defects import DEFECTS, Defect
from .habits import HABITS, DrawnHabit
from .served_stays import ServedStays, served_stays, told_of
from .settings import Settings, SettingsError
from .shortcuts import SHORTCUTS, main_curve, shortcut_curve
from .simulation import Truth, simulate
from .told_stays import ToldStays, told_stays

__all__ = [
    "DEFECTS", "HABITS", "SHORTCUTS", "Defect", "DrawnHabit", "ServedStays", "Settings", "SettingsError",
    "ToldStays", "Truth", "main_curve", "served_stays", "shortcut_curve", "simulate", "told_of", "told_stays",
]  # fmt: skip
