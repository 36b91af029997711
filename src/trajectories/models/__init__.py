"""Models of leaving: what goes with staying longer, by several draws of what is not known.

terms         covariates as levels against a reference, each with enough exits
regressions   one model on every draw, joined
proportional  tests of proportional hazards, and what is done where they fail
person_months the discrete-time hazard with many terms
services      services as exposure that changes over time
fitting       `fit_models`, all models of a run; `Models`, their tables
joined        Rubin's rules for tables, D₂ for tests
chained       the chain from which completed.py draws
"""

from .fitting import Models, fit_models
from .services import services_in_stays

__all__ = ["Models", "fit_models", "services_in_stays"]
