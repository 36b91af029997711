"""Facts in an impossible order: named rules. The row is accepted as it is, and the issue says which rule it breaks.

A rule holds only when it is certain whatever the true days are: the whole of one interval lies before the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from ..tables import METROPOLE


class Rule(NamedTuple):
    """A stable code, the column the issue points at, what it says in French, and the rows it holds on."""

    code: str
    column: str
    sentence: str
    broken: Callable[[pd.DataFrame], pd.Series]


def _before(first: str, second: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda facts: facts[f"{first}_latest"] < facts[f"{second}_earliest"]


RULES = (
    Rule("service_before_arrival", "service_date", "Le service précède l'arrivée au Québec.",
         _before("service_date", "arrival_date")),
    Rule("arrival_before_birth", "arrival_date", "L'arrivée au Québec précède la naissance.",
         _before("arrival_date", "birth_date")),
    Rule("establishment_before_departure", "establishment_date", "L'établissement précède le départ de Montréal.",
         _before("establishment_date", "departure_date")),
    Rule("establishment_before_arrival", "establishment_date", "L'établissement précède l'arrivée au Québec.",
         _before("establishment_date", "arrival_date")),
    Rule("exit_before_establishment", "exit_date", "Le départ de la région précède l'établissement (séjour négatif).",
         _before("exit_date", "establishment_date")),
    Rule("service_after_deposit", "service_date", "Le service est daté d'après le dépôt.",
         lambda facts: facts["service_date_earliest"] > facts["known_until"]),
    Rule("establishment_in_metropole", "destination", "La destination de l'établissement est dans la métropole.",
         lambda facts: facts["establishment_date_earliest"].notna() & (facts["destination_zone"] == METROPOLE)),
)  # fmt: skip
