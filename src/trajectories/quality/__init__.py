"""What the deposits of each organisation lack, from the tables of a build: for the organisation itself to mend.

given (whose is which row) → received (files, quarters, rows) · cells (rows set aside, cells, places) · filled (columns)
· following (contacts, late news, transfers) · who (identities, conflicts) → levels (one light a subject). Numbers are
exact: an organisation's own data, for itself alone. Of the others it is told no more than a median of five or more.
"""

from .levels import SUBJECTS, levels
from .whole import Quality, organisation_quality

__all__ = ["SUBJECTS", "Quality", "levels", "organisation_quality"]
