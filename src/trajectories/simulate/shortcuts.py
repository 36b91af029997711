"""What shortcuts make of stays that are told of: the curves that a hasty reading of the contacts would print.

`main_curve` is the main estimate of the same stays. Each shortcut reads the contacts of told_stays.py as if they were
all that there is to know, and fits the plain interval-censored estimator. They are here for notebooks and tests that
show what a shortcut costs; the library's own companions, on tables, are in companions.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .told_stays import ToldStays

# plain: every exit ever heard of, stayers until their last presence. no_news_present: who is not known to have left is
# there until the cut-off. drop_unreached: contacts only, without whoever a contact failed to reach. last_contact:
# contacts only, the others until the last contact that found them.
SHORTCUTS = ("plain", "no_news_present", "drop_unreached", "last_contact")


def shortcut_curve(told: ToldStays, shortcut: str) -> pd.Series:
    """
    S by month as a shortcut has it.

    Parameters
    ----------
    told : ToldStays
    shortcut : str
        One of `SHORTCUTS`.

    Returns
    -------
    Series
        Index month; missing where nobody is followed any more.

    Raises
    ------
    ValueError
        Another name, or nobody whom the shortcut keeps.

    Examples
    --------
    >>> from trajectories.simulate import told_stays
    >>> told = told_stays(2000, seed=3)
    >>> curves = {name: shortcut_curve(told, name)[24] for name in ("drop_unreached", "no_news_present")}
    >>> {name: round(float(value - told.survival[24]), 1) for name, value in curves.items()}
    {'drop_unreached': 0.1, 'no_news_present': 0.1}
    """
    from trajectories.survival import interval_incidence  # scipy costs half a second: not with the simulator

    if shortcut not in SHORTCUTS:
        raise ValueError(f"shortcut {shortcut!r}: choose one of {', '.join(SHORTCUTS)}.")
    n, about = len(told), told.contacts
    kind = about["kind"]

    def month_of(kinds: tuple[str, ...], how: str) -> np.ndarray:
        return about[kind.isin(kinds)].groupby("stay")["month"].agg(how).reindex(range(n)).to_numpy(dtype=float)

    heard = ("left",) if shortcut in ("drop_unreached", "last_contact") else ("left", "news")
    first = np.ceil(month_of(heard, "min"))
    told_by = np.where(np.isnan(first), np.inf, first)
    present = about[kind.eq("present")]
    present = present[present["month"].to_numpy() < told_by[present["stay"]]]
    last = np.rint(present.groupby("stay")["month"].max().reindex(range(n)).to_numpy(dtype=float))
    entry = np.ceil(told.entry)
    lower = np.maximum(np.nan_to_num(last), entry)
    upper = np.where(np.isinf(told_by), np.inf, np.maximum(told_by, lower + 1))
    if shortcut == "no_news_present":
        lower = np.where(np.isinf(upper), np.maximum(np.floor(told.cutoff), lower), lower)
    keep = np.where(np.isinf(upper), lower, upper) > entry
    if shortcut == "drop_unreached":
        keep &= np.isnan(month_of(("failed",), "min"))
    if not keep.any():
        raise ValueError(f"shortcut {shortcut}: nobody is left of {n} stays.")
    cause = np.where(np.isinf(upper), 0, told.cause)
    table = interval_incidence(lower[keep], upper[keep], cause[keep], entry=entry[keep]).table
    whole = table[table["cause"].eq(0)].set_index("month")
    curve = whole["incidence"].where(whole["n_risk"] > 0).reindex(range(len(told.survival)))
    curve.loc[0] = 1.0
    return curve


def main_curve(told: ToldStays, **options) -> pd.Series:
    """
    S by month by the main estimate.

    Parameters
    ----------
    told : ToldStays
    **options
        Of `observed_incidence`; one in the place of what the stays say (`contacts=…`) takes its place.

    Returns
    -------
    Series
        Index month, up to the last of the fit.

    Examples
    --------
    >>> from trajectories.simulate import told_stays
    >>> told = told_stays(8000, seed=3)
    >>> bool(abs(main_curve(told)[24] - told.survival[24]) < 0.03)
    True
    """
    from trajectories.survival import observed_incidence

    curve = observed_incidence(**({"starts": 0} | told.arguments() | options)).survival
    return pd.concat([pd.Series({0: 1.0}), curve]).rename_axis("month")
