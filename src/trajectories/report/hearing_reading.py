"""« Comment les départs sont connus », in plain words: who finds out, how late, and who is missed.

The reading of a researcher's table (hearing.py), which is not protected: no report shows it, and it says so.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ..reported import CAUSES
from ..tables import PROVINCE
from .words import Words, words

_SOON, _LATE = 12, 24


def reading(table: pd.DataFrame, language: str = "fr") -> list[str]:
    """
    What `how_departures_become_known` found, as sentences.

    Parameters
    ----------
    table : DataFrame
        As that function returns it.
    language : str

    Returns
    -------
    list of str
        The whole first, then one sentence a group, then that this is not protected. Where too few stand behind a
        number, the sentence says “too few”.

    Examples
    --------
    >>> from trajectories.hearing import how_departures_become_known
    >>> from trajectories import Study
    >>> from trajectories.simulate import told_stays
    >>> table = how_departures_become_known(*told_stays(60, seed=1).tables(), study=Study(replicates=0))
    >>> print(reading(table)[0])
    Trop peu de départs connus (14) pour dire comment ils le sont.
    """
    w = words(language)
    warning = w.say("hearing.warning")
    if table.empty:
        return [w.say("hearing.nobody"), warning]
    whole = table[table["group"].eq(PROVINCE)]
    said = [_known_by(whole, w), _how_late(whole, w), *_hearing(whole, w), _failure(whole, w)]
    for name, rows in table[~table["group"].eq(PROVINCE)].groupby("group", sort=False):
        said.append(_group(str(name), rows, w))
    return [*filter(None, said), warning]


def group_label(name: str, w: Words) -> str:
    """The name of a group: a region's, a kind of organisation's, else as it is."""
    return w.region(name) if w.has(f"region.{name}") else w.label("hearing_of", name)


def value(rows: pd.DataFrame, measure: str, of: str, **which) -> pd.Series | None:
    """The row of one number, or None where there is none."""
    found = rows[rows["measure"].eq(measure) & rows["of"].eq(of)]
    for column, wanted in which.items():
        found = found[found[column].eq(wanted)]
    found = found.dropna(subset=["estimate"])
    return found.iloc[0] if len(found) else None


def _hundred(w: Words) -> Callable[[float], str]:
    return lambda share: w.number(round(100 * share))


def _limits(row: pd.Series, w: Words) -> str:
    """What follows a number that has limits; nothing after one that has none."""
    of = _hundred(w)
    if pd.isna(row["lower"]):
        return ""
    return " " + w.say("hearing.limits", lower=of(row["lower"]), upper=of(row["upper"]))


def _known_by(rows: pd.DataFrame, w: Words) -> str:
    of = _hundred(w)
    found = {name: value(rows, "known_by", name) for name in ("contact", "region", "elsewhere", "never")}
    if found["never"] is None:
        n = rows.loc[rows["measure"].eq("known_by"), "n"].max()
        return w.say("hearing.too_few", n=w.number(n))
    told = {name: of(row["estimate"]) for name, row in found.items()}
    return w.say("hearing.known_by", limits=_limits(found["never"], w), **told)


def _how_late(rows: pd.DataFrame, w: Words) -> str | None:
    late = value(rows, "months_to_known", "known")
    return None if late is None else w.say("hearing.half", months=w.months(max(round(late["estimate"]), 1)))


def _hearing(rows: pd.DataFrame, w: Words) -> list[str]:
    of = _hundred(w)
    soon = {c: value(rows, "heard", c, month=_SOON) for c in CAUSES}
    known = {c: row for c, row in soon.items() if row is not None}
    few = [w.label("exit_to", c) for c, row in soon.items() if row is None]
    said = []
    if known:
        each = [
            w.say("hearing.share", share=w.percent(row["estimate"]), destination=w.label("exit_to", c))
            for c, row in known.items()
        ]
        said.append(w.say("hearing.heard", months=w.months(_SOON), shares=w.listing(each)))
    late = {c: row for c in known if (row := value(rows, "heard", c, month=_LATE)) is not None}
    if len(late) > 1:
        least = min(late, key=lambda c: late[c]["estimate"])
        told = {"n": of(late[least]["estimate"]), "limits": _limits(late[least], w)}
        said.append(w.say("hearing.least", destination=w.label("exit_to", least), **told))
    if few:
        said.append(w.say("hearing.few_found", destinations=w.listing(few)))
    return said


def _failure(rows: pd.DataFrame, w: Words) -> str:
    of = _hundred(w)
    there, gone = (value(rows, "contact_failure", name, previous_failed=False) for name in ("there", "gone"))
    if there is None or gone is None:
        return w.say("hearing.few_contacts")
    said = {"there": of(there["estimate"]), "gone": of(gone["estimate"]), "limits": _limits(gone, w)}
    there, gone = (value(rows, "contact_failure", name, previous_failed=True) for name in ("there", "gone"))
    if there is None or gone is None:
        return w.say("hearing.contacts", **said)
    return w.say("hearing.contacts_again", again=of(there["estimate"]), gone_again=of(gone["estimate"]), **said)


def _group(name: str, rows: pd.DataFrame, w: Words) -> str:
    of, label = _hundred(w), group_label(name, w)
    there, gone = (value(rows, "contact_failure", p, previous_failed=False) for p in ("there", "gone"))
    never = value(rows, "known_by", "never")
    said = []
    if there is not None and gone is not None:
        said.append(w.say("hearing.group_contacts", there=of(there["estimate"]), gone=of(gone["estimate"])))
    if never is not None:
        lent = rows["reporting"].eq("borrowed").any()
        said.append(w.say("hearing.group_never_lent" if lent else "hearing.group_never", n=of(never["estimate"])))
    if not said:
        n = rows.loc[rows["measure"].eq("known_by"), "n"].max()
        return w.say("hearing.group_few", group=label, n=w.number(n))
    return w.say("hearing.group", group=label, said="; ".join(said))
