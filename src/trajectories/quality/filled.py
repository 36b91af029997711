"""How often the columns that the portrait needs are left blank, where a row should have them."""

from __future__ import annotations

import pandas as pd

from ..observations import is_departure
from .given import Given
from .tidy import counted

FILLED = "blank"
# In the order in which they count; each with the column that shows whether it is filled.
COLUMNS = {
    "birth_date": "birth_date_earliest", "given_name": "given_name", "family_name": "family_name",
    "file_number": "file_number", "household_number": "household_number", "residence": "residence_match",
    "service_date": "service_date_latest", "destination": "destination",
    "establishment_date": "establishment_date_latest", "follow_up_status": "follow_up_status",
    "follow_up_date": "follow_up_date_latest", "exit_date": "exit_date_latest", "exit_destination": "exit_destination",
    "exit_reason": "exit_reason", "arrival_date": "arrival_date_latest", "immigration_category": "immigration_category",
}  # fmt: skip


def blank_cells(given: Given) -> list[pd.DataFrame]:
    """Per organisation and column, the rows that lack it, of those that should have it."""
    records = given.records
    asked = _asked(records)
    return [
        counted(records.loc[asked[name], typed].isna(), records.loc[asked[name], "organisation_id"], FILLED, name)
        for name, typed in COLUMNS.items()
        if asked[name].any()
    ]


def _asked(records: pd.DataFrame) -> dict[str, pd.Series]:
    """Which rows should have a column: all, or those that tell of what the column is about."""
    every = pd.Series(True, index=records.index)
    status, departs = records["follow_up_status"], is_departure(records)
    settles = (records["destination"].notna() | records["establishment_date_latest"].notna()) & ~departs
    follows = status.notna() | records["follow_up_date_latest"].notna()
    serves = records["service"].notna() & ~follows & ~departs
    own = {
        "service_date": serves, "destination": settles, "establishment_date": settles, "follow_up_status": follows,
        "follow_up_date": follows, "exit_date": departs, "exit_destination": departs, "exit_reason": departs,
    }  # fmt: skip
    return {name: own.get(name, every) for name in COLUMNS}
