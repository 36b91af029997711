"""How: the services that those who came from the metropole had received there before they settled.

A person may have received several, so services do not part a population: each service is a table of its own, with the
keys yes and no. What a person received from organisations of the regions, or after the establishment, does not count.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..study import Study
from ..tables import METROPOLE, SERVICES
from .counting import counts_by_key
from .flows import SECONDARY
from .settled import stays_of

YES, NO = "yes", "no"
# Tables: any service at all, then one for each kind.
ANY_SERVICE = "service_any"
SERVICE_TABLES = (ANY_SERVICE, *(f"service_{name}" for name in SERVICES))


def services_before(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study | None = None,
    groups: Iterable[str] | None = None,
) -> pd.DataFrame:
    """
    Persons and households who came from the metropole, by whether they had received each service there before.

    Parameters
    ----------
    cohort, records, persons : DataFrame
        The tables of those names.
    study : Study, optional
        Its groups are used; of the stays only the secondary ones are counted.
    groups : iterable of str, optional
        As in `groups.members`.

    Returns
    -------
    DataFrame
        group, table (`SERVICE_TABLES`), key (yes, no), persons, households; each person by the first secondary stay
        in the group. A service counts where an organisation of the metropole gave it, surely not after the
        establishment (its latest day is not after the latest day of the establishment).

    Examples
    --------
    >>> from trajectories.services.example import example_tables
    >>> table = services_before(*example_tables(), groups=["05"])
    >>> table.query("key == 'yes' and persons > 0")[["table", "persons"]].values.tolist()
    [['service_any', 2], ['service_personal_support', 2]]
    """
    stays = stays_of(cohort, study)
    stays = stays[stays["pathway"].eq(SECONDARY)].reset_index(drop=True)
    rows = records[records["organisation_zone"].eq(METROPOLE) & records["service"].notna()]
    given = rows[["record_id", "service", "service_date_latest"]].merge(
        persons[["record_id", "person_id"]], on="record_id"
    )
    first = given.groupby(["person_id", "service"], observed=True)["service_date_latest"].min().unstack()
    first = first.reindex(index=stays["person_id"], columns=list(SERVICES)).to_numpy(dtype="datetime64[ns]")
    # of a missing date every comparison is False
    had = first <= stays["establishment_latest"].to_numpy(dtype="datetime64[ns]")[:, None]
    told = {ANY_SERVICE: had.any(axis=1), **{f"service_{name}": had[:, i] for i, name in enumerate(SERVICES)}}
    keys = {table: np.where(values, YES, NO).astype(object) for table, values in told.items()}
    return counts_by_key(
        stays.assign(**keys), dict.fromkeys(SERVICE_TABLES, (YES, NO)), study=study, groups=groups
    )  # fmt: skip
