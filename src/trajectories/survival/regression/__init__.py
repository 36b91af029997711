"""Models with covariates: Cox, Fine–Gray, discrete-time hazard, mixture cure."""

from __future__ import annotations
