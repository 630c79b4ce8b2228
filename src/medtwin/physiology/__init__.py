"""Physiology that a scientist can read: Model, priors, couplings, exposures; then one file per mechanism."""

from medtwin.physiology.model import (
    DAYS,
    MINUTES,
    Accepts,
    Clock,
    Ledger,
    Model,
    Population,
    Reference,
    Scenario,
    Sign,
    SmoothCase,
    Variable,
    draw,
    parameter,
    parameters_at,
    priors,
    simulate,
    state,
    variables,
)
from medtwin.physiology.prior import Covariate, Fixed, LogNormal, Normal, Prior, Uniform

__all__ = [
    "DAYS", "MINUTES", "Accepts", "Clock", "Covariate", "Fixed", "Ledger", "LogNormal", "Model", "Normal", "Population",
    "Prior", "Reference", "Scenario", "Sign", "SmoothCase", "Uniform", "Variable", "draw", "parameter", "parameters_at",
    "priors", "simulate", "state", "variables",
]  # fmt: skip
