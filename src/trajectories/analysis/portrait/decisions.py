"""What the line decided and what became of the rows: counts of decisions, of rows and of places (province only).

Tables of rows of data (`rows`, `places`) and of decisions of the line (`links`, `conflicts`) have no households.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...linkage.clusters import BELOW, LINKED
from ...linkage.review import DOUBTFUL
from ...study import Study
from ...tables import NO_NEWS, PROVINCE, WHOSE
from .counting import COLUMNS

# What is read of the largest tables.
DECISIONS_READ = {"records": ("record_id", "organisation_id"), "persons": WHOSE, "links": ("same", "decision")}
# Known to one organisation, to two, to three or more: what the linkage is for.
KNOWN_TO = ("one", "two", "three_or_more")
# The pairs of files worth a word; those that nobody would take for one person are not counted.
PAIRS, _FAR = ("linked", "refused", "doubtful"), "far"
# The rules of addresses.py, stays/start_dates.py and stays/departures.py, in the order in which a person meets them.
CONFLICT_RULES = (
    *NO_NEWS,
    "establishment_dates",
    "presence_before_establishment",
    "departure_before_presence",
    "departure_already_known",
)


def decisions(
    records: pd.DataFrame, persons: pd.DataFrame, links: pd.DataFrame, conflicts: pd.DataFrame, *, study: Study
) -> pd.DataFrame:
    """
    What the line decided of who is who and of sources that disagree (province only), as the same kind of table.

    Returns
    -------
    DataFrame
        Tables `linkage` (persons and households by the number of organisations that know the person: one, two,
        three_or_more), `links` (pairs of files: linked, refused for what is known of them or by a reviewer, doubtful
        for a human to look at) and `conflicts` (decisions by rule); the last two have no households.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> from trajectories.tables import CONFLICTS, LINKS, stack
    >>> _, records, persons = example_tables()
    >>> records["organisation_id"] = ["M1", "M1", "R1"]  # the third tells of the person of the first
    >>> table = decisions(records, persons, stack([], LINKS), stack([], CONFLICTS), study=Study())
    >>> table.query("table == 'linkage'")[["key", "persons"]].values.tolist()
    [['one', 1], ['two', 1], ['three_or_more', 0]]
    """
    persons_of_records = records[["record_id", "organisation_id"]].merge(persons, on="record_id")
    of_person = persons_of_records.groupby("person_id").agg(
        n=("organisation_id", "nunique"), household_id=("household_id", "first")
    )
    of_person["key"] = of_person["n"].clip(upper=len(KNOWN_TO)).map(dict(enumerate(KNOWN_TO, start=1)))
    linkage = of_person.reset_index().groupby("key")[["person_id", "household_id"]].nunique()
    linkage = linkage.reindex(list(KNOWN_TO), fill_value=0)
    below = links["decision"].eq(BELOW)
    # sure enough for the threshold, and yet not linked: a reviewer said that they are two
    decided = below & links["same"].ge(study.match_threshold)
    became = np.select(
        [links["decision"].eq(LINKED), ~below | decided, links["same"].ge(DOUBTFUL[0])], PAIRS, default=_FAR
    )
    tables = [linkage.rename(columns={"person_id": "persons", "household_id": "households"}).assign(table="linkage")]
    for table, values, always in (
        ("links", pd.Series(became), PAIRS),
        ("conflicts", conflicts["rule"], CONFLICT_RULES),
    ):
        counted = values[values.ne(_FAR)].value_counts().sort_index()
        order = [*always, *(key for key in counted.index if key not in always)]
        tables.append(counted.reindex(order, fill_value=0).to_frame("persons").assign(households=pd.NA, table=table))
    all_rows = pd.concat([frame.rename_axis("key").reset_index() for frame in tables], ignore_index=True)
    return all_rows.assign(group=PROVINCE)[list(COLUMNS)]


def accounting(files: pd.DataFrame, records: pd.DataFrame, n_excluded: int) -> pd.DataFrame:
    """
    What became of the rows read and of the places typed (province only), as the same kind of table.

    `excluded` rows (persons left out by request) are taken from the accepted ones.

    Examples
    --------
    >>> files = pd.DataFrame({"n_accepted": [8], "n_quarantined": 1, "n_superseded": 0, "n_duplicate": 2})
    >>> typed = pd.DataFrame({"residence": ["Laval", None], "residence_match": ["exact", None],
    ...                       "destination": ["Gaspé", "Nord"], "destination_match": ["exact", "none"]})
    >>> table = accounting(files, typed, n_excluded=3).set_index("key")["persons"]
    >>> table[["accepted", "excluded", "total", "resolved", "none"]].tolist()
    [5, 3, 11, 2, 1]
    """
    rows = {
        "accepted": int(files["n_accepted"].sum()) - n_excluded,
        "quarantined": int(files["n_quarantined"].sum()),
        "superseded": int(files["n_superseded"].sum()),
        "duplicate": int(files["n_duplicate"].sum()),
        "excluded": n_excluded,
    }
    typed = pd.concat([records[f"{place}_match"][records[place].notna()] for place in ("residence", "destination")])
    outcome = typed.where(typed.isin(["ambiguous", "area_only", "none"]), "resolved").value_counts()
    places = {key: int(outcome.get(key, 0)) for key in ("resolved", "ambiguous", "area_only", "none")}
    lines = [("rows", key, n) for key, n in rows.items()] + [("rows", "total", sum(rows.values()))]
    lines += [("places", key, n) for key, n in places.items()]
    table = pd.DataFrame(lines, columns=["table", "key", "persons"])
    return table.assign(group=PROVINCE, households=pd.NA)[list(COLUMNS)]
