"""The portrait: who settled where, from where, when and how, and what became of the rows.

Tidy tables of raw counts (`group`, `table`, `key`, `persons`, `households`; counting.py), of delays, of the stock by
month and of households beside targets. Nothing here may be shown before the room of disclosure has protected it.
"""

from ..households import HOUSEHOLD_TYPES, household_type
from .areas import AREA_KINDS, AREAS, area_kind, destination_area
from .counting import COLUMNS, counts_by_key
from .decisions import CONFLICT_RULES, DECISIONS_READ, KNOWN_TO, PAIRS, accounting, decisions
from .delays import delays
from .flows import FLOW, ORIGINS, flow_matrix, flows
from .migration import MIGRATIONS, migrations
from .services import services_before
from .settled import fiscal_years, portrait
from .since_arrival import establishment_curve, since_arrival
from .since_contact import contact_curve, since_contact
from .stock import stock, stock_counts
from .targets import targets
from .types import types_by_place
from .who import AGE_CLASSES, COUNTRY_GROUPS, DELAY_CLASSES, WHO, age_class, country_groups, country_of_birth, who
from .whole import PORTRAIT_READS, Portrait, whole_portrait

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
    "who",
    "whole_portrait",
]
