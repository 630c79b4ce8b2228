"""The figures of a plan: power against the controls, against the correlation of the score, and against drop-out.

Each has up to three curves: with the score, adjusted for the baseline alone, and without adjustment. Drop-out is what the
endpoint calls so, at the numbers *enrolled*:

- continuous, binary: the share d without an outcome; of n enrolled ``n (1 - d)`` count
- count, survival: the hazard of drop-out per unit of time; patients count until they leave
- repeated: the share lost before the last visit; the shares lost before the other visits grow with it in proportion (in equal
  steps where the plan loses nobody)
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from medtwin.errors import AnalysisError
from medtwin.trials.planning.curve import Curve, Figure
from medtwin.trials.planning.inputs import PlanInput
from medtwin.trials.planning.models import Model, model, replace_covariates

Reaches = Callable[
    [Model, float, float], tuple[float, str]
]  #: (endpoint, n0, n1) -> (power with interim looks, method)
WITH, BASELINE, WITHOUT = "with score", "baseline alone", "without score"


def figures_of(plan: PlanInput, n0: int, n1: int, least: float, reaches: Reaches) -> tuple[Figure, ...]:
    """Against ``controls``, ``correlation`` (unless the plan forbids covariates) and ``dropout``, in this order.

    ``least``: fewest controls for which every method has degrees of freedom.
    """
    made = [_controls(plan, n0, n1, least, reaches)]
    if plan.covariates != 0:
        made += _correlation(plan, n0, n1, reaches)
    return (*made, *_dropout(plan, n0, n1, reaches))


def _kinds(plan: PlanInput) -> list[tuple[str, float | None]]:
    """What is adjusted for, by name: the correlation instead of the plan's (None: the plan's own)."""
    if not plan.correlation:
        return [(WITHOUT, None)]
    base: list[tuple[str, float | None]] = [(BASELINE, plan.baseline_correlation)] if plan.baseline_correlation else []
    return [(WITH, None), *base, (WITHOUT, 0.0)]


def _endpoint(plan: PlanInput, other: float | None) -> Model:
    return model(plan) if other is None else model(replace_covariates(plan, other), correlation=other)


def _controls(plan: PlanInput, n0: int, n1: int, least: float, reaches: Reaches) -> Figure:
    low = max(math.ceil(least) + 3, round(0.25 * n0))
    high = max(1.75 * n0, low + 10)
    # closer together where the curve bends
    sizes = sorted(
        {round(low * (high / low) ** (i / 20.0)) for i in range(21)} | ({n0} if low <= n0 <= high else set())
    )
    curves = []
    for name, other in _kinds(plan):
        one = _endpoint(plan, other)
        found = [reaches(one, size, n1) for size in sizes]
        curves.append(Curve(name, tuple(map(float, sizes)), tuple(power for power, _ in found), found[0][1]))
    return Figure(
        kind="controls", title=f"Power with {n1} treated patients", across="controls", curves=tuple(curves),
        target=plan.power, marked=n0,
    )  # fmt: skip


def _correlation(plan: PlanInput, n0: int, n1: int, reaches: Reaches) -> list[Figure]:
    """From the baseline's own correlation on: that of baseline and score together cannot be less."""
    base, own = abs(plan.baseline_correlation), abs(plan.correlation)
    sign = math.copysign(1.0, plan.correlation)
    across, powers, how = [], [], ""
    for r in sorted({round(0.05 * i, 2) for i in range(19) if 0.05 * i > base} | {base, own}):
        try:
            power, method = reaches(model(plan, correlation=sign * r), n0, n1)
        except AnalysisError:  # a covariance, or a mean, that leaves no room for so good a score
            break
        across.append(r)
        powers.append(power)
        how = method if r else how or method
    if len(across) < 2:
        return []
    curves = [Curve(WITH, tuple(across), tuple(powers), how)]
    for name, other in ((BASELINE, plan.baseline_correlation), (WITHOUT, 0.0)):
        if other or name == WITHOUT:
            power, method = reaches(_endpoint(plan, other), n0, n1)
            curves.append(Curve(name, tuple(across), (power,) * len(across), method))
    return [Figure(
        kind="correlation", title=f"Power by the correlation of the score, {n0} controls and {n1} treated",
        across="correlation of score and outcome within an arm", curves=tuple(curves), target=plan.power, marked=own,
    )]  # fmt: skip


def _dropout(plan: PlanInput, n0: int, n1: int, reaches: Reaches) -> list[Figure]:
    now, top, across = _range(plan)
    lost = sorted({round(top * i / 12.0, 12) for i in range(13)} | {now})
    curves = []
    for name, other in _kinds(plan):
        found: list[tuple[float, float, str]] = []
        for d in lost:
            less, share = losing(plan, d)
            try:
                found.append((d, *reaches(_endpoint(less, other), n0 * share, n1 * share)))
            except AnalysisError:  # too few are left to test anything
                break
        if len(found) > 1:
            xs, powers, methods = zip(*found, strict=True)
            curves.append(Curve(name, tuple(xs), tuple(powers), methods[0]))
    enrolled = [math.ceil(n / (1.0 - plan.dropout) - 1e-9) for n in (n0, n1)]
    return [Figure(
        kind="dropout", title=f"Power by drop-out, {enrolled[0]} controls and {enrolled[1]} treated enrolled",
        across=across, curves=tuple(curves), target=plan.power, marked=now,
    )] if curves else []  # fmt: skip


def _range(plan: PlanInput) -> tuple[float, float, str]:
    """The plan's own drop-out, the most that is drawn, and what it is."""
    if plan.endpoint in ("continuous", "binary"):
        now = plan.dropout
        return now, max(0.5, min(0.95, 1.5 * now)), "share without an outcome"
    if plan.endpoint in ("count", "survival"):
        now = plan.dropout_hazard
        watched = plan.exposure if plan.endpoint == "count" else (plan.accrual or 0.0) / 2.0 + (plan.followup or 0.0)
        return now, max(math.log(2.0) / watched, 2.0 * now), "hazard of drop-out, per unit of time"
    now = round(1.0 - (plan.retention or [1.0])[-1], 12)
    return now, max(0.5, min(0.95, 1.5 * now)), "share lost before the last visit, control"


def losing(plan: PlanInput, lost: float) -> tuple[PlanInput, float]:
    """The plan with another drop-out at the same enrolment, and by what its analysed patients are multiplied."""
    if plan.endpoint in ("continuous", "binary"):
        return plan, (1.0 - lost) / (1.0 - plan.dropout)
    if plan.endpoint in ("count", "survival"):
        return msgspec.structs.replace(plan, dropout_hazard=lost), 1.0
    kept = plan.retention or [1.0]
    now = round(1.0 - kept[-1], 12)
    factor = lost / now if now > 0.0 else 0.0
    steps = max(len(kept) - 1, 1)

    def scaled(shares: list[float]) -> list[float]:
        if now > 0.0:
            return [max(1.0 - (1.0 - s) * factor, 1e-9) for s in shares]
        return [s * (1.0 - lost * (k / steps if len(shares) > 1 else 1.0)) for k, s in enumerate(shares)]

    treated = scaled(plan.retention_treated) if plan.retention_treated else None
    return msgspec.structs.replace(plan, retention=scaled(kept), retention_treated=treated), 1.0
