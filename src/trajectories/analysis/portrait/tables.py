"""All tables of the portrait from the tables of a build, in one call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...groups import REGIONS
from ...study import Study
from ...tables import PROVINCE
from .counting import tidy_counts
from .delays import contact_curve, delays, establishment_curve, since_arrival, since_contact
from .demographics import demographics
from .flows import flows, migrations, services_before
from .settlement import portrait, stock, stock_counts, targets

# What is read of the largest tables: of a million persons each column more takes 60 MB or, of ids, half a gigabyte.
PORTRAIT_READS = {
    "contacts": ("person_id", "episode", "month", "kind"),
    "observations": ("person_id", "record_id", "kind", "zone", "latest"),
    "records": (
        "record_id", "organisation_zone", "fiscal_year", "quarter", "birth_country", "service", "service_date_latest",
    ),
    "persons": ("record_id", "person_id"),
}  # fmt: skip


@dataclass(frozen=True)
class Portrait:
    """
    Raw tables, none to be shown before protection.

    `counts` (group, table, key, persons, households: `portrait`, `demographics`, `migrations`, `services_before`,
    `stock_counts`), `flows` (of the same form; a run publishes it or the tables `origin` and `area`: flows.py),
    `delays`, `delay_curves` (counts by month of the delays since the arrival, province and regions), `contact_curves`
    (of what followed the first contact, province), `stock` (month by month) and `targets`.
    """

    counts: pd.DataFrame
    flows: pd.DataFrame
    delays: pd.DataFrame
    delay_curves: pd.DataFrame
    contact_curves: pd.DataFrame
    stock: pd.DataFrame
    targets: pd.DataFrame


def whole_portrait(  # noqa: PLR0913  # the tables that it reads
    cohort: pd.DataFrame,
    contacts: pd.DataFrame,
    spells: pd.DataFrame,
    moves: pd.DataFrame,
    observations: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    cutoff: pd.Timestamp,
    study: Study | None = None,
    groups: Iterable[str] | None = None,
) -> Portrait:
    """
    Every table of the portrait.

    Parameters
    ----------
    cohort, contacts, spells, moves, observations, records, persons : DataFrame
        The tables `cohort`, `contacts`, `spells`, `moves`, `observations`, `records` and `persons`; of the
        largest, the columns of PORTRAIT_READS are enough.
    cutoff : Timestamp
        The last day of observation.
    study : Study, optional
        Its pathway, horizons, support, targets and groups are used.
    groups : iterable of str, optional
        `province`, region codes, groups of the study; all of them where not given.

    Returns
    -------
    Portrait

    Examples
    --------
    >>> from trajectories import build_spells
    >>> from trajectories.analysis.services.example import example_tables
    >>> from trajectories.tables import CONTACTS, stack
    >>> cohort, records, persons = example_tables()
    >>> lived = build_spells(records, persons)
    >>> made = whole_portrait(cohort, stack([], CONTACTS), lived.spells, lived.moves, lived.observations, records,
    ...                       persons, cutoff=lived.cutoff, groups=["05"])
    >>> made.counts.query("table == 'stays'")[["group", "persons", "households"]].values.tolist()
    [['05', 2, 2]]
    >>> made.stock[["month", "persons_lower", "persons_upper"]].astype(str).values.tolist()
    [['2022-03-31', '0', '2']]
    """
    study = study or Study()
    groups = None if groups is None else tuple(groups)
    options: dict[str, Any] = {"study": study, "groups": groups}
    monthly = stock(spells, cutoff=cutoff, **options)
    adding_up = [group for group in (PROVINCE, *REGIONS) if groups is None or group in groups]
    places = None if groups is None else [group for group in groups if group != PROVINCE]
    return Portrait(
        counts=tidy_counts(
            [
                portrait(cohort, contacts, **options),
                demographics(cohort, records, persons, **options),
                migrations(cohort, moves, **options),
                services_before(cohort, records, persons, **options),
                stock_counts(monthly),
            ]
        ),
        flows=flows(moves, spells, study=study, groups=places),
        delays=delays(cohort, spells, observations, records, cutoff=cutoff, **options),
        delay_curves=establishment_curve(since_arrival(cohort, records), study=study, groups=adding_up),
        contact_curves=contact_curve(since_contact(cohort, spells, observations, records, cutoff)),
        stock=monthly,
        targets=targets(cohort, **options),
    )
