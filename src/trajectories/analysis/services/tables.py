"""All tables that describe services from the tables of a build, in one call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from ...groups import reported_groups
from ...study import Study
from ...tables import WHOSE
from .expected import observed_expected, transfers_expected
from .gaps import follow_up_coverage, needs_without_service, reasons_and_services
from .service_events import ANY_SERVICE, service_events
from .transfer import process_funnel, transfer
from .use import delay_to_first, number_of_services, reach

CATEGORY, PERIOD = "immigration_category", "period"
# What is compared with what the mix of the other groups would predict: a service, within so many months.
EXPECTED = (
    (ANY_SERVICE, 3), (ANY_SERVICE, 12), ("job_search", 12), ("housing_search", 12), ("francization", 12),
)  # fmt: skip

# What is read of the largest tables, as of the portrait (analysis/portrait/tables.py).
SERVICES_READ = {
    "contacts": ("person_id", "episode", "month", "kind"),
    "records": (
        "record_id", "file", "sheet", "row", "organisation_id", "organisation_zone", "programme", "fiscal_year",
        "quarter", "stream", "service", "needs", "follow_up_status", "job_found", "housing_found",
        *(f"{place}_{part}" for place in ("residence", "destination") for part in ("region", "zone")),
        *(f"{name}_{end}" for name in ("service_date", "follow_up_date", "exit_date")
          for end in ("earliest", "latest")),
        *(f"{name}_latest" for name in ("departure_date", "establishment_date", "job_date", "housing_date")),
        "arrival_date_earliest", "exit_destination", "exit_reason",
    ),
    "persons": WHOSE,
}  # fmt: skip


def describing_tables(
    cohort: pd.DataFrame,
    contacts: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    issues: pd.DataFrame | None = None,
    study: Study,
    groups: Iterable[str] | None = None,
) -> dict[str, pd.DataFrame]:
    """
    Every table of this room that describes, raw: none is to be shown before protection.

    Parameters
    ----------
    cohort, contacts, records, persons : DataFrame
        The tables `cohort`, `contacts`, `records` and `persons`; of the largest, the columns of SERVICES_READ
        are enough.
    issues : DataFrame, optional
        The table `issues`: tells a volet that was not understood from one that was not stated.
    study : Study
        Its pathway, schedule, support, disclosure.households and groups are used.
    groups : iterable of str, optional
        As in `groups.members`; those of `reported_groups` where not given, and where a table costs little the
        categories of immigration and the periods too.

    Returns
    -------
    dict of DataFrame
        `service_reach`, `service_delay`, `service_number`, `service_transfer`, `service_funnel`, `service_needs`,
        `service_reasons`, `service_follow_up`, `service_expected` (by region and by category, a service and a time
        after another, and transfers).

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables, one_household
    >>> from trajectories.tables import CONTACTS, stack
    >>> cohort, records, persons = example_tables()
    >>> contacts, study = stack([], CONTACTS), one_household()
    >>> made = describing_tables(cohort, contacts, records, persons, study=study, groups=["05"])
    >>> len(made), made["service_needs"].query("n_start > 0")["need"].tolist()
    (9, ['job', 'housing'])
    """
    places = reported_groups(study) if groups is None else tuple(groups)
    wider_groups = (*places, *_levels(cohort, CATEGORY), *_levels(cohort, PERIOD)) if groups is None else places
    tables = (cohort, records, persons)
    options: dict[str, Any] = {"study": study, "ready": service_events(*tables, study, issues)}
    expected = [
        observed_expected(*tables, by=by, service=service, months=months, **options)
        for by in ("region", CATEGORY)
        for service, months in EXPECTED
    ]
    expected += [transfers_expected(*tables, by=by, **options) for by in ("region", CATEGORY)]
    non_empty = [table for table in expected if len(table)]
    return {
        "service_reach": reach(*tables, groups=wider_groups, **options),
        "service_delay": delay_to_first(*tables, groups=places, **options),
        "service_number": number_of_services(*tables, groups=wider_groups, **options),
        "service_transfer": transfer(*tables, groups=places, **options),
        "service_funnel": process_funnel(*tables, groups=places, **options),
        "service_needs": needs_without_service(*tables, groups=wider_groups, **options),
        "service_reasons": reasons_and_services(*tables, groups=wider_groups, **options),
        "service_follow_up": follow_up_coverage(cohort, contacts, records, persons, study=study, groups=places),
        "service_expected": pd.concat(non_empty, ignore_index=True) if non_empty else expected[0],
    }


def _levels(cohort: pd.DataFrame, column: str) -> list[str]:
    """The groups of a column, as `groups.members` names them."""
    values = cohort.loc[cohort["excluded"].isna(), column].dropna().astype(str)
    return [f"{column}={name}" for name in sorted(values.unique())]
