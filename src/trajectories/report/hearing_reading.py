"""« Comment les départs sont connus », in plain French: who finds out, how late, and who is missed.

The reading of a researcher's table (hearing.py), in French only and not protected: its texts stand here and not in the
catalogue, which holds what may be published.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ..reported import CAUSES
from ..tables import PROVINCE
from .words import Words, french, words

WARNING = "Résultat de recherche, non protégé : à ne pas diffuser tel quel."
_ZONES = {
    "metropole": "Vus d’abord par un organisme de la métropole", "region": "Vus d’abord par un organisme d’une région",
}  # fmt: skip
_SOON, _LATE = 12, 24


def reading(table: pd.DataFrame) -> list[str]:
    """
    What `how_departures_become_known` found, as sentences.

    Parameters
    ----------
    table : DataFrame
        As that function returns it.

    Returns
    -------
    list of str
        The whole first, then one sentence a group, then that this is not protected. Where too few stand behind a
        number, the sentence says « trop peu ».

    Examples
    --------
    >>> from trajectories.hearing import how_departures_become_known, tables_of
    >>> from trajectories import Study
    >>> from trajectories.simulate import told_stays
    >>> table = how_departures_become_known(*tables_of(told_stays(60, seed=1)), study=Study(replicates=0))
    >>> print(reading(table)[0])
    Trop peu de départs connus (14) pour dire comment ils le sont.
    """
    w = words("fr")
    if table.empty:
        return [french("Aucun séjour."), french(WARNING)]
    whole = table[table["group"].eq(PROVINCE)]
    said = [_known_by(whole, w), _how_late(whole, w), *_hearing(whole, w), _failure(whole, w)]
    for name, rows in table[~table["group"].eq(PROVINCE)].groupby("group", sort=False):
        said.append(_group(str(name), rows, w))
    return [french(sentence) for sentence in [*filter(None, said), WARNING]]


def group_label(name: str, w: Words) -> str:
    """The name of a group: a region's, a kind of organisation's, else as it is."""
    return w.region(name) if w.has(f"region.{name}") else _ZONES.get(name, name)


def value(rows: pd.DataFrame, measure: str, of: str, **which) -> pd.Series | None:
    """The row of one number, or None where there is none."""
    found = rows[rows["measure"].eq(measure) & rows["of"].eq(of)]
    for column, wanted in which.items():
        found = found[found[column].eq(wanted)]
    found = found.dropna(subset=["estimate"])
    return found.iloc[0] if len(found) else None


def _hundred(w: Words) -> Callable[[float], str]:
    return lambda share: w.number(round(100 * share))


def _between(row: pd.Series, w: Words) -> str:
    of = _hundred(w)
    return "" if pd.isna(row["lower"]) else f" (de {of(row['lower'])} à {of(row['upper'])})"


def _known_by(rows: pd.DataFrame, w: Words) -> str:
    of = _hundred(w)
    found = {name: value(rows, "known_by", name) for name in ("contact", "region", "elsewhere", "never")}
    if found["never"] is None:
        n = rows.loc[rows["measure"].eq("known_by"), "n"].max()
        return f"Trop peu de départs connus ({w.number(n)}) pour dire comment ils le sont."
    contact, region, elsewhere, never = found.values()
    return (
        f"Sur 100 départs, {of(contact['estimate'])} sont trouvés par un suivi prévu, {of(region['estimate'])} sont "
        f"appris d’abord d’un organisme de la région, {of(elsewhere['estimate'])} d’un organisme d’ailleurs, et "
        f"environ {of(never['estimate'])}{_between(never, w)} ne sont jamais connus."
    )


def _how_late(rows: pd.DataFrame, w: Words) -> str | None:
    late = value(rows, "months_to_known", "known")
    return None if late is None else f"La moitié des départs connus le sont au plus {_months(late, w)} après le départ."


def _months(row: pd.Series, w: Words) -> str:
    return w.months(max(round(row["estimate"]), 1))


def _hearing(rows: pd.DataFrame, w: Words) -> list[str]:
    of = _hundred(w)
    soon = {c: value(rows, "heard", c, month=_SOON) for c in CAUSES}
    known = {c: row for c, row in soon.items() if row is not None}
    few = [w.label("exit_to", c) for c, row in soon.items() if row is None]
    said = []
    if known:
        each = [f"{w.percent(row['estimate'])} des départs vers {w.label('exit_to', c)}" for c, row in known.items()]
        said.append(f"Sans suivi, {_SOON} mois après, on a entendu parler de {w.listing(each)}.")
    late = {c: row for c in known if (row := value(rows, "heard", c, month=_LATE)) is not None}
    if len(late) > 1:
        least = min(late, key=lambda c: late[c]["estimate"])
        said.append(
            f"Les départs vers {w.label('exit_to', least)} échappent le plus : deux ans après, on a entendu parler "
            f"d’environ {of(late[least]['estimate'])} sur 100{_between(late[least], w)}."
        )
    if few:
        said.append(f"Vers {w.listing(few)}, trop peu de départs ont été trouvés par un suivi pour le dire.")
    return said


def _failure(rows: pd.DataFrame, w: Words) -> str:
    of = _hundred(w)
    there, gone = (value(rows, "contact_failure", name, previous_failed=False) for name in ("there", "gone"))
    if there is None or gone is None:
        return "Trop peu de suivis prévus pour dire combien échouent."
    said = (
        f"Un suivi prévu ne joint pas {of(there['estimate'])} personnes sur 100 qui habitent encore la région, et "
        f"{of(gone['estimate'])} sur 100{_between(gone, w)} de celles qui l’ont quittée"
    )
    there, gone = (value(rows, "contact_failure", name, previous_failed=True) for name in ("there", "gone"))
    if there is None or gone is None:
        return said + "."
    return said + f" ; après un suivi manqué, {of(there['estimate'])} et {of(gone['estimate'])} sur 100."


def _group(name: str, rows: pd.DataFrame, w: Words) -> str:
    of, label = _hundred(w), group_label(name, w)
    there, gone = (value(rows, "contact_failure", p, previous_failed=False) for p in ("there", "gone"))
    never = value(rows, "known_by", "never")
    said = []
    if there is not None and gone is not None:
        said.append(
            f"un suivi ne joint pas {of(there['estimate'])} personnes sur 100 de celles qui sont encore là et "
            f"{of(gone['estimate'])} sur 100 de celles qui sont parties"
        )
    if never is not None:
        lent = " si l’on en entend parler comme dans l’ensemble" if rows["reporting"].eq("borrowed").any() else ""
        said.append(f"environ {of(never['estimate'])} départs sur 100 ne sont jamais connus{lent}")
    if not said:
        n = rows.loc[rows["measure"].eq("known_by"), "n"].max()
        return f"{label} : trop peu de départs connus ({w.number(n)}) pour le dire."
    return f"{label} : {' ; '.join(said)}."
