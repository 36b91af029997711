"""Nothing leaves without passing here: `protect` turns a table of counts, rates or a curve into what may be shown.

The rules, with the reason of each: counts.py (small cells, departures nobody heard of, persons by month), rates.py
(denominators, steps, bounds, destinations, restricted means, periods, shrunken rates, thresholds, assumptions and
settings, moves), curves.py (rounded counts, spacing, types of trajectories, occupation), contrasts.py (differences,
the funnel, coefficients, leads), services.py (services, follow-up), beside_counts.py and ledger.py (what other tables
and earlier publications show), rules.py (the numbers). The report room takes `Protected` only. Tables that
add up (the regions and the province) have to be protected together, in one call: apart, neither call could know what
the other shows. `Protected.of` then takes one group's rows for its page.

Beyond numbers: report/leaks.py searches every shared file for names, dates, numbers and words of the run's persons as
the last step of a run; display.py marks in red what a notebook shows and no rule here has seen.

What a reader can still learn is written in counts.py and rates.py; the tests try it by linear programming.
"""

from __future__ import annotations

from .tables import Protected, protect, protected_counts

__all__ = ["Protected", "protect", "protected_counts"]
