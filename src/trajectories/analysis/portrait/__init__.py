"""The portrait: who settled where, from where, when and how, and what became of the rows.

Tidy tables of raw counts (`group`, `table`, `key`, `persons`, `households`; counting.py), of delays, of the stock by
month and of households beside targets. Nothing here may be shown before the room of disclosure has protected it.
"""

from __future__ import annotations

from ...stays.cohort import HOUSEHOLD_TYPES, household_type
from .counting import AREA_KINDS, AREAS, COLUMNS, area_kind, counts_by_key, destination_area
from .decisions import CONFLICT_RULES, DECISIONS_READ, KNOWN_TO, PAIRS, accounting, decisions
from .delays import contact_curve, delays, establishment_curve, since_arrival, since_contact
from .demographics import (
    AGE_CLASSES,
    COUNTRY_GROUPS,
    DELAY_CLASSES,
    WHO,
    age_class,
    country_groups,
    country_of_birth,
    demographics,
)
from .flows import FLOW, MIGRATIONS, ORIGINS, flow_matrix, flows, migrations, services_before
from .settlement import fiscal_years, portrait, stock, stock_counts, targets, types_by_place
from .tables import PORTRAIT_READS, Portrait, whole_portrait

__all__ = [
    "AGE_CLASSES",
    "AREAS",
    "AREA_KINDS",
    "COLUMNS",
    "CONFLICT_RULES",
    "COUNTRY_GROUPS",
    "DECISIONS_READ",
    "DELAY_CLASSES",
    "FLOW",
    "HOUSEHOLD_TYPES",
    "KNOWN_TO",
    "MIGRATIONS",
    "ORIGINS",
    "PAIRS",
    "PORTRAIT_READS",
    "WHO",
    "Portrait",
    "accounting",
    "age_class",
    "area_kind",
    "contact_curve",
    "country_groups",
    "country_of_birth",
    "counts_by_key",
    "decisions",
    "delays",
    "demographics",
    "destination_area",
    "establishment_curve",
    "fiscal_years",
    "flow_matrix",
    "flows",
    "household_type",
    "migrations",
    "portrait",
    "services_before",
    "since_arrival",
    "since_contact",
    "stock",
    "stock_counts",
    "targets",
    "types_by_place",
    "whole_portrait",
]
