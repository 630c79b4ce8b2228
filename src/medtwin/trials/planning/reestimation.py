"""Sample size once more, in the course of the trial: from the blinded variance, or from conditional power.

- blinded: the variance of all outcomes together, arms unknown, less what the assumed effect adds to it:
  ``s^2 = S^2 - n0 n1 / ((n0 + n1) (n0 + n1 - 1)) effect^2`` (Gould & Shih 1992; Kieser & Friede 2003, Stat. Med. 22:3571);
  with a score, S^2 is the residual variance of the regression on the score.
- conditional power at an interim Z (information fraction t, final bound z, drift = expected final Z)::

      CP = Phi( (Z sqrt(t) + drift (1 - t) - z) / sqrt(1 - t) )

  the drift is the planned one, or the current trend ``Z / sqrt(t)``.
- promising zone (Mehta & Pocock 2011, Stat. Med. 30:3267): where CP under the trend lies between a lower limit and the
  target, the number is raised until CP is the target, at most ``most`` times the planned. The final bound is adjusted so that
  the level holds for any rule (Gao, Ware & Mehta 2008): the conditional level of the planned trial is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
from scipy.special import ndtr, ndtri

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import finite, level, positive, share
from medtwin.trials.planning.inputs import PlanInput


def blinded_variance(pooled: float, n0: int, n1: int, effect: float) -> float:
    """Variance within the arms from the blinded one, in the outcome's unit squared. ``n0``, ``n1``: seen so far."""
    n = n0 + n1
    if n0 < 1 or n1 < 1 or n < 3:
        raise AnalysisError(f"{n0} controls and {n1} treated patients so far", expected="at least 3, and 1 in each arm")
    found = positive("blinded variance", pooled) - n0 * n1 / (n * (n - 1.0)) * finite("effect", effect) ** 2
    if found <= 0.0:
        raise AnalysisError(
            f"a blinded variance of {pooled:g} with an assumed effect of {effect:g}", expected="more than the effect makes",
            remedy="the assumed effect is larger than these data allow; plan anew",
        )  # fmt: skip
    return found


def conditional_power(z: float, fraction: float, final: float, drift: float | None = None) -> float:
    """Probability to cross ``final`` at the end; ``drift`` None: the current trend."""
    share("information fraction", fraction)
    ahead = finite("Z", z) / math.sqrt(fraction) if drift is None else drift
    return float(ndtr((z * math.sqrt(fraction) + ahead * (1.0 - fraction) - final) / math.sqrt(1.0 - fraction)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reestimated:
    """What an interim look says about the number of patients."""

    zone: str  #: unfavourable | promising | favourable
    conditional_power: float  #: with the planned number, under the current trend
    n: float  #: patients in all from now on
    reached: float  #: conditional power with that number
    final: float  #: Z bound of the last look that keeps the level with that number
    method: str = "promising zone, conditional power under the current trend"


def promising_zone(z: float, n_interim: float, n_planned: float, *, power: float = 0.9, lowest: float = 0.3,
                   most: float = 1.5, alpha: float = 0.025) -> Reestimated:  # fmt: skip
    """One-sided level ``alpha``, effect in the planned direction positive. ``lowest``: CP at which promise begins."""
    positive("patients at the interim look", n_interim)
    if not n_planned > n_interim:
        raise AnalysisError(f"{n_interim:g} of {n_planned:g} patients", expected="an interim look before the end")
    if most < 1.0:
        raise AnalysisError(f"at most {most:g} times the plan", expected="1 or more")
    critical = float(ndtri(1.0 - level(alpha, 1)))
    now = conditional_power(z, n_interim / n_planned, critical)
    zone = (
        "unfavourable"
        if now < share("lowest", lowest)
        else "promising"
        if now < share("power", power)
        else "favourable"
    )
    planned = n_planned - n_interim
    # the planned second stage alone must reach this Z; any other second stage keeps the conditional level with it
    second = (critical * math.sqrt(n_planned) - z * math.sqrt(n_interim)) / math.sqrt(planned)
    n = n_planned
    if zone == "promising" and z > 0.0:
        needed = n_interim / z**2 * (second + float(ndtri(power))) ** 2
        n = min(max(n_planned, n_interim + needed), most * n_planned)
    more = n - n_interim
    final = (z * math.sqrt(n_interim) + second * math.sqrt(more)) / math.sqrt(n)
    reached = float(ndtr(z * math.sqrt(more / n_interim) - second))
    return Reestimated(zone=zone, conditional_power=now, n=n, reached=reached, final=final)


def planned_anew(plan: PlanInput, blinded_sd: float, n0: int, n1: int, *, residual: bool = False) -> PlanInput:
    """The plan with the standard deviation that the blinded data show; a continuous endpoint.

    ``blinded_sd``: of all outcomes together, arms unknown; ``residual``: of their residuals on the score, from which the
    outcome's own follows by the planned correlation.
    """
    if plan.endpoint != "continuous" or plan.effect is None:
        raise AnalysisError(f"endpoint {plan.endpoint}", expected="continuous", where="blinded re-estimation")
    within = blinded_variance(positive("blinded standard deviation", blinded_sd) ** 2, n0, n1, plan.effect)
    if residual:
        within /= 1.0 - plan.correlation**2
    return msgspec.structs.replace(plan, sd=math.sqrt(within), sd_treated=None)
