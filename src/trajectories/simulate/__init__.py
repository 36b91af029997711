"""Synthetic deposits with a known truth.

The real records are confidential; these stand in for them. Households, persons and organisations are invented,
live their true histories (`histories`, with the effects of `effects`), are seen by organisations (`reporting`,
`contacts`, `hearsay`), which type what they know by habit and with slips (`habits`, `defects`) into files
(`deposits`, `writing`). The truth is written beside (`truth`), so that every estimate can be held against it.
The layout is the proposed, non-official schema of the input contract.
"""

from .defects import DEFECTS, Defect
from .settings import Settings, SettingsError
from .simulation import simulate
from .truth import Truth

__all__ = ["DEFECTS", "Defect", "Settings", "SettingsError", "Truth", "simulate"]
