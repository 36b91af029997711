"""Who settled where, from where, when, and what became of the rows: the counts that a report shows.

One tidy table of raw counts (`group`, `table`, `key`, `persons`, `households`). The keys of one table of one group
partition its population, so that disclosure.py can protect it; `total` is the margin. Tables of rows of data
(`rows`, `places`) and of decisions of the line (`links`, `conflicts`) exist for the province only and have no
households. Nothing here may be shown before `protect`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from .deposits import Deposits
from .persons.clusters import BELOW, LINKED
from .persons.review import DOUBTFUL
from .retention import observed_intervals, reported_groups
from .study import Study
from .tables import EXITS, LOST, OUTSIDE_QUEBEC, PATHWAYS, PROVINCE, UNKNOWN, first_known

COLUMNS = ("group", "table", "key", "persons", "households")


def portrait(cohort: pd.DataFrame, contacts: pd.DataFrame, *, study: Study | None = None) -> pd.DataFrame:
    """
    Counts of stays by group: persons and households settled, pathway, origin, fiscal year, exits, lost, excluded.

    Returns
    -------
    DataFrame
        group, table (stays, pathway, origin, fiscal_year, exit, lost, late_news, excluded), key, persons, households.
        A person with two stays in a group counts once per key.
    """
    study = study or Study()
    stays = cohort if study.pathway is None else cohort[cohort["pathway"].eq(study.pathway)]
    stays = stays.reset_index(drop=True)
    keys = stays.assign(**_keys(stays, contacts))
    found = []
    for group in reported_groups():
        members = keys if group == PROVINCE else keys[keys["region"].eq(group)]
        found.extend(_counts(members, group))
    return pd.concat(found, ignore_index=True)[list(COLUMNS)]


# What each table counts, and the keys it always has (a key with nobody is a 0, not an absence).
_TABLES = {
    "pathway": PATHWAYS,
    "origin": (),
    "fiscal_year": (),
    "exit": (*EXITS, "none_known"),
    "lost": (*LOST, "followed"),
    "late_news": ("late", "other"),
    "excluded": ("kept", "start_wider_than_3_months", "start_unbounded"),
}


def _keys(stays: pd.DataFrame, contacts: pd.DataFrame) -> dict[str, pd.Series]:
    zone = stays["origin_zone"]
    origin = first_known(stays["origin_region"].where(~zone.eq(OUTSIDE_QUEBEC), OUTSIDE_QUEBEC), UNKNOWN)
    return {
        "pathway": stays["pathway"],
        "origin": origin,
        "fiscal_year": fiscal_years(stays["establishment_latest"]),
        "exit": first_known(stays["exit"], "none_known"),
        "lost": first_known(stays["lost"], "followed"),
        "late_news": np.where(observed_intervals(stays, contacts)["late_news"], "late", "other"),
        "excluded": first_known(stays["excluded"], "kept"),
    }


def fiscal_years(dates: pd.Series) -> pd.Series:
    """
    The fiscal year (1 April to 31 March) of each date, as « 2021-2022 ».

    Examples
    --------
    >>> fiscal_years(pd.Series(pd.to_datetime(["2022-03-31", "2022-04-01"]))).tolist()
    ['2021-2022', '2022-2023']
    """
    start = dates.dt.year - (dates.dt.month < 4)
    years = {year: f"{int(year)}-{int(year) + 1}" for year in start.dropna().unique()}
    return start.map(years).fillna(UNKNOWN)


def _counts(members: pd.DataFrame, group: str) -> Iterator[pd.DataFrame]:
    total = {"persons": members["person_id"].nunique(), "households": members["household_id"].nunique()}
    yield pd.DataFrame([{"group": group, "table": "stays", "key": "total", **total}])
    for table, always in _TABLES.items():
        counted = members.groupby(members[table].astype(str))[["person_id", "household_id"]].nunique()
        order = [*always, *(key for key in counted.index if key not in always)]
        counted = counted.reindex(order, fill_value=0)
        yield pd.DataFrame(
            {
                "group": group,
                "table": table,
                "key": counted.index,
                "persons": counted["person_id"].to_numpy(),
                "households": counted["household_id"].to_numpy(),
            }
        )


# Known to one organisation, to two, to three or more: what the linkage is for.
KNOWN_TO = ("one", "two", "three_or_more")
# The pairs of files worth a word; those that nobody would take for one person are not counted.
PAIRS, _FAR = ("linked", "refused", "doubtful"), "far"
# The rules of conflicts.py and settling.py, in the order in which a person meets them.
CONFLICT_RULES = (
    "old_address", "establishment_dates", "presence_before_establishment", "departure_before_presence",
    "departure_already_known",
)  # fmt: skip


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
    """
    known = records[["record_id", "organisation_id"]].merge(persons, on="record_id")
    of_person = known.groupby("person_id").agg(n=("organisation_id", "nunique"), household_id=("household_id", "first"))
    of_person["key"] = of_person["n"].clip(upper=len(KNOWN_TO)).map(dict(enumerate(KNOWN_TO, start=1)))
    linkage = of_person.reset_index().groupby("key")[["person_id", "household_id"]].nunique()
    linkage = linkage.reindex(list(KNOWN_TO), fill_value=0)
    below = links["decision"].eq(BELOW)
    # sure enough for the threshold, and yet not linked: a reviewer said that they are two
    decided = below & links["same"].ge(study.match_threshold)
    became = np.select(
        [links["decision"].eq(LINKED), ~below | decided, links["same"].ge(DOUBTFUL[0])], PAIRS, default=_FAR
    )
    found = [linkage.rename(columns={"person_id": "persons", "household_id": "households"}).assign(table="linkage")]
    for table, values, always in (
        ("links", pd.Series(became), PAIRS),
        ("conflicts", conflicts["rule"], CONFLICT_RULES),
    ):
        counted = values[values.ne(_FAR)].value_counts().sort_index()
        order = [*always, *(key for key in counted.index if key not in always)]
        found.append(counted.reindex(order, fill_value=0).to_frame("persons").assign(households=pd.NA, table=table))
    whole = pd.concat([frame.rename_axis("key").reset_index() for frame in found], ignore_index=True)
    return whole.assign(group=PROVINCE)[list(COLUMNS)]


def accounting(deposits: Deposits, n_excluded: int) -> pd.DataFrame:
    """
    What became of the rows read and of the places typed (province only), as the same kind of table.

    `excluded` rows (persons left out by request) are taken from the accepted ones.
    """
    files = deposits.files
    rows = {
        "accepted": int(files["n_accepted"].sum()) - n_excluded,
        "quarantined": int(files["n_quarantined"].sum()),
        "superseded": int(files["n_superseded"].sum()),
        "duplicate": int(files["n_duplicate"].sum()),
        "excluded": n_excluded,
    }
    records = deposits.records
    typed = pd.concat([records[f"{place}_match"][records[place].notna()] for place in ("residence", "destination")])
    outcome = typed.where(typed.isin(["ambiguous", "area_only", "none"]), "resolved").value_counts()
    places = {key: int(outcome.get(key, 0)) for key in ("resolved", "ambiguous", "area_only", "none")}
    lines = [("rows", key, n) for key, n in rows.items()] + [("rows", "total", sum(rows.values()))]
    lines += [("places", key, n) for key, n in places.items()]
    found = pd.DataFrame(lines, columns=["table", "key", "persons"])
    return found.assign(group=PROVINCE, households=pd.NA)[list(COLUMNS)]
