"""The figure of the occupation of states: where those who settled are, month by month, as areas.

Unlike the areas of exits (exits.py), these follow persons after their departure: who came back is here again. Fills and
names are those of the types of trajectories (sequences.py).
"""

from __future__ import annotations

import pandas as pd

from ...course.afterwards import STATES as CODES
from ..drawing import INK, WIDE, Drawing, draw
from ..inputs import frame_of
from ..readings import HEADLINE_HORIZON, HEARSAY
from ..words import Words
from .lettering import SMALL
from .sequences import areas, by_month, month_ticks

# What staying means here, by the scope of the study.
_HERE = {"region": "region", "any_region": "anywhere"}
_TALL, _TOP, _UNDER = 230, 14, 52


def states_by_month(occupation, *, words: Words, scope: str = "region") -> Drawing | None:
    """
    The share of persons in each state, month by month.

    Parameters
    ----------
    occupation : Protected
        Table of that name, of one group.
    words : Words
    scope : str
        Of the study: what counts as staying.

    Returns
    -------
    Drawing or None
        None where not even two months may be shown.
    """
    shares = shares_of_states(occupation, scope)
    if len(shares) < 2:
        return None
    table = by_month(shares.rename_axis(columns="state").stack().rename("share").reset_index())
    heard = frame_of(occupation).set_index("month")["known"].eq(HEARSAY).groupby(level=0).any()
    confirmed = int(heard.index[~heard].max()) if (~heard).any() else 0
    end = int(table.index[-1])

    def paint(figure, width: int) -> None:
        total = figure.get_figheight() * 72
        left, right = (52, 170) if width == WIDE else (46, 126)
        box = (left / width, _UNDER / total, (width - left - right) / width, _TALL / total)
        axes = figure.add_axes(box)
        axes.set_xlim(0, end)
        axes.set_ylim(0, 1)
        areas(axes, table, end, words, _TALL)
        if confirmed < end:
            axes.axvline(confirmed, color="white", linewidth=2.6)
            axes.axvline(confirmed, color=INK, linewidth=1.2, linestyle=(0, (1.5, 1.5)))
        axes.set_xticks(*month_ticks(end, words))
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], [words.percent(rate) for rate in (0, 0.25, 0.5, 0.75, 1)])
        axes.tick_params(length=0, pad=5, labelsize=SMALL)
        axes.set_xlabel(words.say("figure.curve.axis"), fontsize=SMALL)

    svg, narrow = draw("situations", paint, lambda width: _TOP + _TALL + _UNDER)
    at = HEADLINE_HORIZON if HEADLINE_HORIZON in shares.index else end
    two = shares.loc[at].sort_values(ascending=False).head(2)
    numbers = words.listing(
        [f"{words.percent(share)} {words.label('state_in', state)}" for state, share in two.items()]
    )
    alt = words.say("figure.occupation.alt", months=words.months(end), at=words.months(at), numbers=numbers)
    caption = [words.say("figure.occupation.caption")]
    if confirmed < end:
        caption.append(words.say("figure.shares.caption_hearsay", months=words.months(confirmed)))
    return Drawing("situations", svg, narrow, alt, " ".join(caption))


def shares_of_states(occupation, scope: str) -> pd.DataFrame:
    """The displayed shares: a row a month, a column a state that somebody was in, those still there first."""
    names = {code: _HERE[scope] if code == CODES[0] else code for code in CODES}
    rows = frame_of(occupation)
    table = rows[rows["shown"]].pivot(index="month", columns="state", values="share")
    table = table.reindex(columns=[code for code in CODES if code in table]).rename(columns=names)
    return table[[state for state in table if (table[state] > 0).any()]]
