"""From a plan's words to the endpoint that is planned, with another correlation or effect where one is asked for."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from medtwin.errors import AnalysisError
from medtwin.trials.planning.ancova import Continuous
from medtwin.trials.planning.binary import Binary
from medtwin.trials.planning.counts import Counts
from medtwin.trials.planning.discount import Discount
from medtwin.trials.planning.inputs import PlanInput
from medtwin.trials.planning.repeated import Repeated, covariance_of
from medtwin.trials.planning.survival import Survival, hazard_of
from medtwin.trials.planning.variance import Arms

Model = Continuous | Binary | Counts | Survival | Repeated


def model(plan: PlanInput, *, correlation: float | None = None, effect: float | None = None) -> Model:
    """The endpoint. ``correlation``: instead of the plan's, before deflation; ``effect``: on the scale of ``effect_of``."""
    discount = Discount(inflation=plan.inflation, deflation=plan.deflation, convention=plan.convention)
    r = plan.correlation if correlation is None else correlation
    scale = r / plan.correlation if plan.correlation else 1.0
    r0 = discount.correlation(r)
    own = r if plan.correlation_treated is None else plan.correlation_treated * scale
    r1 = discount.correlation(max(min(own, 0.999), -0.999) if scale > 1.0 else own)
    q = 1 if r else 0
    if plan.covariates is not None and (r or correlation is None):
        q = plan.covariates
    both: dict[str, Any] = {"alpha": plan.alpha, "sides": plan.sides}
    at = effect_of(plan) if effect is None else effect
    if plan.endpoint == "continuous":
        assert plan.sd is not None
        sd0, sd1 = discount.sd(plan.sd), discount.sd(plan.sd_treated or plan.sd)
        return Continuous(
            effect=at, arms=Arms(sd0=sd0, sd1=sd1, correlation0=r0, correlation1=r1), covariates=q,
            margin=plan.margin or 0.0, heterogeneity=plan.heterogeneity if r else None, **both,
        )  # fmt: skip
    if plan.endpoint == "binary":
        assert plan.risk_control is not None
        return Binary(
            risk0=plan.risk_control, risk1=min(max(plan.risk_control + at, 1e-6), 1.0 - 1e-6) if effect is not None
            else plan.risk_treated or 0.0, scale=plan.scale, correlation0=r0, correlation1=r1, covariates=q,
            margin=plan.margin, heterogeneity=plan.heterogeneity if r else None, **both,
        )  # fmt: skip
    if plan.endpoint == "count":
        assert plan.rate_control is not None
        return Counts(
            rate0=plan.rate_control, ratio=math.exp(at), exposure=plan.exposure, dispersion=plan.dispersion,
            dropout_hazard=plan.dropout_hazard, correlation0=r0, correlation1=r1, covariates=q,
            margin=1.0 if plan.margin is None else plan.margin, heterogeneity=plan.heterogeneity if r else None, **both,
        )  # fmt: skip
    if plan.endpoint == "survival":
        assert plan.accrual is not None
        assert plan.followup is not None
        if (plan.hazard_control is None) == (plan.median_control is None):
            raise AnalysisError(
                "no control hazard, or two", expected="hazard_control or median_control, in the time unit"
            )
        hazard = hazard_of(median=plan.median_control) if plan.hazard_control is None else plan.hazard_control
        return Survival(
            hazard0=hazard, hazard_ratio=math.exp(at), accrual=plan.accrual, followup=plan.followup,
            dropout_hazard0=plan.dropout_hazard, dropout_hazard1=plan.dropout_hazard, correlation=r0,
            margin=1.0 if plan.margin is None else plan.margin, **both,
        )  # fmt: skip
    return _repeated(plan, discount, at, scale if r else 0.0, r0, q, both)


def _repeated(plan: PlanInput, discount: Discount, at: float, scale: float, r0: float, q: int,
              both: dict[str, Any]) -> Repeated:  # fmt: skip
    assert plan.retention is not None
    if plan.covariance is not None:
        factor = discount.sd(1.0) ** 2
        matrix = tuple(tuple(v * factor for v in row) for row in plan.covariance)
    elif plan.sds is not None and plan.visit_correlation is not None:
        sds = tuple(discount.sd(s) for s in plan.sds)
        matrix = covariance_of(plan.covariance_kind, sds, plan.visit_correlation)
    else:
        raise AnalysisError("no covariance of the visits", expected="covariance, or sds with visit_correlation")
    if any(len(row) != len(matrix) for row in matrix):
        raise AnalysisError("a covariance with rows of unequal length", expected="a square matrix, a row a visit")
    each = [discount.correlation(r * scale) for r in plan.correlations] if plan.correlations else [r0] * len(matrix)
    return Repeated(
        effect=at, covariance=matrix, retention0=tuple(plan.retention),
        retention1=tuple(plan.retention_treated or plan.retention), correlations=tuple(each) if scale else (),
        covariates=q, margin=plan.margin or 0.0, **both,
    )  # fmt: skip


def effect_of(plan: PlanInput) -> float:
    """The effect on the scale on which it is uncertain: its unit, risk difference, log of a ratio."""
    if plan.endpoint == "binary":
        return (plan.risk_treated or 0.0) - (plan.risk_control or 0.0)
    if plan.endpoint in ("count", "survival"):
        ratio = plan.rate_ratio if plan.endpoint == "count" else plan.hazard_ratio
        if ratio is None or not (math.isfinite(ratio) and ratio > 0.0):
            raise AnalysisError(f"a ratio of {ratio}", expected="more than 0", remedy="0.7 is 30 % fewer")
        return math.log(ratio)
    return plan.effect or 0.0


def null_of(plan: PlanInput) -> float:
    """The null value on the same scale."""
    if plan.endpoint in ("count", "survival"):
        return math.log(plan.margin) if plan.margin else 0.0
    if plan.endpoint == "binary" and plan.scale != "risk-difference":
        risk0, margin = plan.risk_control or 0.0, plan.margin or 1.0
        if plan.scale == "risk-ratio":
            return risk0 * (margin - 1.0)
        odds = margin * risk0 / (1.0 - risk0)
        return odds / (1.0 + odds) - risk0
    return plan.margin or 0.0


def replace_covariates(plan: PlanInput, other: float) -> PlanInput:
    """The plan adjusted for the baseline alone (correlation ``other``) has one covariate less."""
    if not other or plan.covariates is None or plan.covariates < 2:
        return plan
    return msgspec.structs.replace(plan, covariates=plan.covariates - 1)
