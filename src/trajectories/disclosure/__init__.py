"""Nothing leaves without passing here: `protect` turns a table of counts, rates or a curve into what may be shown.

The rules, with the reason of each: counts.py (small cells, what stands beside them), rates.py (denominators, steps,
bounds, destinations), periods.py (those who settled lately and before), curves.py (rounded counts, spacing),
thresholds.py (the same rate from nearly the same persons), shares.py (departures nobody heard of), states.py (types of
trajectories), coefficients.py (models), contrasts.py (differences), drawn.py (rates drawn towards the province),
moved.py (assumptions and settings moved), control_limits.py (the funnel), stock.py (persons by month), months.py,
moves.py, occupation.py, settled.py (the course of stays), service_shares.py, service_funnel.py, service_follow_up.py
(services), leads.py (places to improve), rules.py (the numbers). The report room takes `Protected` only. Tables that
add up (the regions and the province) have to be protected together, in one call: apart, neither call could know what
the other shows. `Protected.of` then takes one group's rows for its page.

Beyond numbers: report/leaks.py searches every shared file for names, dates, numbers and words of the run's persons as
the last step of a run; notebook_band.py marks in red what a notebook shows and no rule here has seen.

What a reader can still learn is written in counts.py and rates.py; the tests try it by linear programming.
"""

from .grouped import protected_counts
from .protected import Protected, protect

__all__ = ["Protected", "protect", "protected_counts"]
