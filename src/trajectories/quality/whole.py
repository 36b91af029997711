"""Every measure of every organisation, from the tables of a build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..study import Study
from . import cells, filled, following, received, who
from .given import Given, read_given
from .levels import MEND, WATCH, levels
from .tidy import MEASURES, PLACES, joined, with_medians

# Measures whose shares are held beside the median of the others.
COMPARED = (filled.FILLED, following.DUE, following.UNREACHED, following.TOLD_LATE, following.LEFT_LATE)


@dataclass(frozen=True)
class Quality:
    """
    What the deposits of each organisation lack.

    Attributes
    ----------
    organisations : DataFrame
        One line each: what was received (received.py), n_mend and n_watch; those with the most to mend first.
    measures, places : DataFrame
        How many of how many, and where (tidy.py).
    quarters : DataFrame
        Quarters missing or late.
    typed : DataFrame
        Places as they were typed.
    levels : DataFrame
        One light a subject.
    files : DataFrame
        Those that could not be read: file, owner (None: nobody knows whose), message.
    absent : tuple of str
        Tables that the build has not, of which nothing is said.
    cutoff : Timestamp
    follow_up_months : tuple of int
        When contacts are due.
    """

    organisations: pd.DataFrame
    measures: pd.DataFrame
    places: pd.DataFrame
    quarters: pd.DataFrame
    typed: pd.DataFrame
    levels: pd.DataFrame
    files: pd.DataFrame
    absent: tuple[str, ...]
    cutoff: pd.Timestamp
    follow_up_months: tuple[int, ...]


def organisation_quality(derived: Path | str | Given, study: Study | None = None) -> Quality:
    """
    Measure the deposits of every organisation.

    Parameters
    ----------
    derived : path or Given
        The folder of a build, or its tables.
    study : Study, optional
        Its `follow_up_months` say when contacts are due.

    Raises
    ------
    StaleTableError
        The build has no `records` or no `files`; another table that is missing is left out, and named.

    Examples
    --------
    >>> study = Study.read("study.toml")
    >>> found = organisation_quality(study.paths.derived, study)
    >>> int(found.organisations["n_mend"].sum())  # measures to mend, of twelve organisations
    3
    """
    given = derived if isinstance(derived, Given) else read_given(Path(derived))
    study = study or Study()
    found = received.organisations(given)
    late, expected = received.quarters(given)
    expected = expected.assign(measure="quarter", key=None, column=None)
    measured = [
        cells.set_aside(given), cells.cells(given), following.contacts(given, study), following.late_news(given),
        who.identities(given), who.conflicts(given), who.old_addresses(given),
    ]  # fmt: skip
    measures = [frame for frames, _ in measured for frame in frames]
    places = [frame for _, frames in measured for frame in frames]
    for more in (
        cells.unsettled_places(given), cells.doubtful_dates(given), filled.blank_cells(given),
        following.unreached(given), following.transfers(given), who.undecided(given),
    ):  # fmt: skip
        measures += more
    table = with_medians(joined([*measures, expected], MEASURES), found.set_index("organisation_id")["zone"])
    table["median"] = table["median"].where(table["measure"].isin(COMPARED))
    table = table[table["organisation_id"].notna()]
    lit = levels(table, found["organisation_id"])
    for name, level in (("n_mend", MEND), ("n_watch", WATCH)):
        n = lit["level"].eq(level).groupby(lit["organisation_id"]).sum()
        found[name] = found["organisation_id"].map(n).fillna(0).astype("int64")
    unread = given.files.loc[given.files["status"].eq("unreadable"), ["file", "owner", "message"]]
    order = ["n_mend", "n_watch", "n_read", "organisation_id"]
    return Quality(
        organisations=found.sort_values(order, ascending=[False, False, False, True], ignore_index=True),
        measures=table, places=joined(places, PLACES), quarters=late, typed=cells.typed_places(given), levels=lit,
        files=unread, absent=given.absent, cutoff=given.cutoff, follow_up_months=study.follow_up_months,
    )  # fmt: skip
