"""Which name of a plan an error speaks of, so that a form can say it beside the field.

Errors speak of what they found in the words of the mathematics ("control risk 0"); a form needs the name that the plan file
has for it ("risk_control").
"""

from __future__ import annotations

import re

from medtwin.trials.planning.inputs import PlanInput

_EFFECT = {"continuous": "effect", "repeated": "effect", "binary": "risk_treated", "count": "rate_ratio",
           "survival": "hazard_ratio"}  # fmt: skip
_SPREAD = {"continuous": "sd", "repeated": "sds"}
#: what an error begins with: the plan's name for it (by endpoint where it differs); the first that fits is taken
_WORDS: tuple[tuple[str, str | dict[str, str]], ...] = (
    (r"endpoint ", "endpoint"),
    (r"-?\d+ covariates|\S+ patients for \d+ covariates|a correlation without covariates", "covariates"),
    (r"\S+ patients in the control arm|the size of one arm|\S+ degrees of freedom", "n_control"),
    (r"\S+ patients in the treated arm", "n_treated"),
    (r"\S+ events of ", "n_control"),
    (r"no control hazard, or two|median |hazard0 |a control hazard", "median_control"),
    (r"no covariance|a covariance", "visit_correlation"),
    (r"standard deviation \(treated\)", "sd_treated"),
    (r"standard deviation of the effect", "effect_sd"),
    (r"standard deviation", _SPREAD),
    (r"standard error", "correlation_se"),
    (r"\d+ historical|an uncertain correlation", "historical"),
    (r"control risk", "risk_control"),
    (r"treated risk", "risk_treated"),
    (r"a control rate|rate0 |a mean count", "rate_control"),
    (r"dropout_hazard\d? ", "dropout_hazard"),
    (r"retention \(control\)", "retention"),
    (r"retention \(treated\)", "retention_treated"),
    (r"\d+ correlations", "correlations"),
    (r"correlation of visits", "visit_correlation"),
    (r"covariance ", "covariance_kind"),
    (r"correlation_treated ", "correlation_treated"),
    (r"correlation", "correlation"),
    (r"baseline[ _]correlation", "baseline_correlation"),
    (r"cost ratio", "cost_ratio"),
    (r"margin", "margin"),
    (r"a power of |effect \S+ at |log hazard ratio|hazard ratio|hazard_ratio|ratio |a ratio of|distance", _EFFECT),
    (r"information rates|an information fraction", "looks"),
    (r"boundary |interim bounds|bounds that no trial", "boundary"),
    (r"spending function", "spending"),
    (r"exponent ", "parameter"),
    (r"futility bounds in|a beta-spending function|binding ", "futility"),
    (r"\d+ futility bounds", "futility_z"),
)  # fmt: skip
_NAMES = frozenset(PlanInput.__struct_fields__)


def field_of(found: str, endpoint: str) -> str | None:
    """The plan's name for what an error ``found``; None where it speaks of no one name."""
    if quoted := re.search(r"unknown field `([^`]*)`|at `\$\.(\w+)|required field `(\w+)`", found):
        return next(name for name in quoted.groups() if name is not None)
    if missing := re.match(r"no (\w+)(?:, \w+)*$", found):
        return missing[1]
    for words, name in _WORDS:
        if re.match(words, found):
            return name if isinstance(name, str) else name.get(endpoint)
    first = re.match(r"\w+", found)
    return first[0] if first is not None and first[0] in _NAMES else None
