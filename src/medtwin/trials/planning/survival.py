"""Planning a time to an event under proportional hazards: events, patients, and what a score saves.

- Schoenfeld 1981 (Biometrika 68:316): ``events = (z_alpha + z_power)^2 / (pi0 pi1 log(HR/HR_null)^2)``
- Freedman 1982 (Stat. Med. 1:121), phi treated patients a control: ``events = (z_alpha + z_power)^2 (1 + phi HR)^2 /
  (phi (1 - HR)^2)``
- score: covariate adjustment of the log-rank test leaves ``1 - r^2`` of its variance, r the correlation of the score with the
  martingale residuals, so ``1 - r^2`` of the events (Ye, Shao & Yi 2024, Biometrika 111:691; arXiv 2605.27711)
- log-rank integral: mean, estimated and true variance of the log-rank statistic over the planned accrual, follow-up and
  drop-out, at the alternative itself (Yung & Liu 2020, Biometrics 76:939). With ``a = pi1 y1``, ``b = pi0 y0`` the shares at
  risk, p = a/(a+b), ``h = (a h1 + b h0)/(a + b)``::

      mean = integral ab/(a+b) (h1 - h0) dt          estimated = integral p (1-p) (a h1 + b h0) dt
      true = variance of a patient's own term, w(T) event - integral_0^T w h dt, w = (treated) - p

  power = ``Phi((|mean| sqrt(n) - z sqrt(estimated)) / sqrt(true))``.

Hazards are constant; accrual is uniform over ``accrual``, follow-up ends ``followup`` after it, drop-out has a constant hazard.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.integrate import cumulative_simpson, simpson
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import arms, correlation, detectable, level, positive, share, target
from medtwin.trials.planning.variance import shares
from medtwin.trials.planning.wald import Power, z_power

INTEGRAL = "log-rank integral at the alternative"
SCHOENFELD = "Schoenfeld"
FREEDMAN = "Freedman"
POINTS = 1001  #: of each of the two parts of follow-up


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """Two hazards, and how long patients are watched. All times in one unit."""

    hazard0: float  #: control, per unit of time
    hazard_ratio: float  #: treated over control
    accrual: float  #: duration of accrual
    followup: float  #: after the last patient came in
    dropout_hazard0: float = 0.0
    dropout_hazard1: float = 0.0
    correlation: float = 0.0  #: of the score with the martingale residuals
    margin: float = 1.0  #: null value of the hazard ratio
    alpha: float = 0.05
    sides: int = 2

    def __post_init__(self) -> None:
        if self.hazard0 == 0.0:
            raise AnalysisError(
                "a control hazard of 0", expected="events", remedy="without events no hazard ratio is shown"
            )
        for name in ("hazard0", "hazard_ratio", "accrual", "margin"):
            positive(name, getattr(self, name))
        for name in ("followup", "dropout_hazard0", "dropout_hazard1"):
            positive(name, getattr(self, name), zero=True)
        correlation("correlation with the martingale residuals", self.correlation)
        detectable(math.log(self.hazard_ratio), math.log(self.margin), "log hazard ratio")
        level(self.alpha, self.sides)

    @property
    def away(self) -> float:
        """Distance of the log hazard ratio from its null value."""
        return math.log(self.hazard_ratio / self.margin)

    def event_share(self, treated: bool, calendar: float | None = None) -> float:
        """Share of an arm's patients with an observed event by ``calendar`` time since the first came in (default: the end)."""
        end = self.accrual + self.followup if calendar is None else calendar
        hazard = self.hazard0 * (self.hazard_ratio if treated else 1.0)
        all_ends = hazard + (self.dropout_hazard1 if treated else self.dropout_hazard0)
        entered = min(end, self.accrual)
        if entered <= 0.0:
            return 0.0
        lost = (math.exp(-all_ends * (end - entered)) - math.exp(-all_ends * end)) / all_ends
        return hazard / all_ends * (entered - lost) / self.accrual

    def events(self, n0: float, n1: float, calendar: float | None = None) -> float:
        """Expected events."""
        return n0 * self.event_share(False, calendar) + n1 * self.event_share(True, calendar)

    def time_of(self, n0: float, n1: float, events: float) -> float:
        """Calendar time since the first patient at which ``events`` are expected; AnalysisError where they never are."""
        high = self.accrual + self.followup
        while self.events(n0, n1, high) < events:
            high *= 2.0
            if high > 1e6 * (self.accrual + 1.0 / self.hazard0):
                raise AnalysisError(
                    f"{events:.0f} events of {n0 + n1:.0f} patients", expected="fewer than ever come",
                    remedy="add patients: drop-out ends the others",
                )  # fmt: skip
        return float(brentq(lambda t: self.events(n0, n1, t) - events, 0.0, high, xtol=1e-12))

    def schoenfeld(self, n0: float, n1: float) -> float:
        """Power of the expected events by Schoenfeld's formula."""
        arms(n0, n1)
        pi0, pi1 = shares(n1 / n0)
        informative = self.events(n0, n1) * pi0 * pi1 / (1.0 - self.correlation**2)
        return z_power(self.away, 1.0 / math.sqrt(informative), self.alpha, self.sides)

    def freedman(self, n0: float, n1: float) -> float:
        """Power of the expected events by Freedman's formula."""
        arms(n0, n1)
        phi = n1 / n0
        left = self.events(n0, n1) / (1.0 - self.correlation**2)
        shift = math.sqrt(left * phi) * abs(1.0 - self.hazard_ratio) / (1.0 + phi * self.hazard_ratio)
        return z_power(shift, 1.0, self.alpha, self.sides)

    def integral(self, n0: float, n1: float) -> float:
        """Power by the log-rank integral (null hazard ratio 1)."""
        arms(n0, n1)
        mean, estimated, true = self.log_rank(n1 / n0)
        z, left = float(ndtri(1.0 - level(self.alpha, self.sides))), 1.0 - self.correlation**2
        return float(ndtr((abs(mean) * math.sqrt(n0 + n1) - z * math.sqrt(estimated * left)) / math.sqrt(true * left)))

    def log_rank(self, allocation: float = 1.0) -> tuple[float, float, float]:
        """(mean, estimated variance, true variance) of the log-rank statistic, a patient."""
        pi0, pi1 = shares(allocation)
        hazards = (self.hazard0, self.hazard0 * self.hazard_ratio)
        ends = (hazards[0] + self.dropout_hazard0, hazards[1] + self.dropout_hazard1)
        edges = [(0.0, self.followup)] if self.followup > 0.0 else []
        mean = estimated = 0.0
        own, squares, carried = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
        for start, stop in [*edges, (self.followup, self.followup + self.accrual)]:
            t = np.linspace(start, stop, POINTS)
            watched = np.clip((self.followup + self.accrual - t) / self.accrual, 0.0, 1.0)
            free = [np.exp(-end * t) for end in ends]
            odds = pi1 * free[1] / (pi0 * free[0])  # the share watched cancels
            p = odds / (1.0 + odds)
            pooled = p * hazards[1] + (1.0 - p) * hazards[0]
            at_risk = (pi0 * free[0] + pi1 * free[1]) * watched
            mean += simpson(p * (1.0 - p) * at_risk * (hazards[1] - hazards[0]), x=t)
            estimated += simpson(p * (1.0 - p) * at_risk * pooled, x=t)
            passed = []
            for arm in (0, 1):
                w = arm - p
                # an integral an arm: what a patient of it has gathered by t
                gathered = cumulative_simpson(w * pooled, x=t, initial=0.0) + carried[arm]
                passed.append(float(gathered[-1]))
                lived, hazard, lost = free[arm] * watched, hazards[arm], ends[arm] - hazards[arm]
                ending = free[arm] / self.accrual if start >= self.followup else np.zeros_like(t)
                own[arm] += simpson(lived * w * (hazard - pooled), x=t)
                squares[arm] += simpson(
                    lived * hazard * (w - gathered) ** 2 + (lived * lost + ending) * gathered**2, x=t
                )
            carried = passed
        true = pi0 * (squares[0] - own[0] ** 2) + pi1 * (squares[1] - own[1] ** 2)
        return float(mean), float(estimated), float(true)

    def methods(self) -> dict[str, Power]:
        """Power functions of (n0, n1) by method; the first is the one to plan by."""
        made: dict[str, Power] = {SCHOENFELD: self.schoenfeld}
        if self.margin == 1.0:
            made = {INTEGRAL: self.integral, SCHOENFELD: self.schoenfeld, FREEDMAN: self.freedman}
        return made


def schoenfeld_events(hazard_ratio: float, allocation: float = 1.0, *, power: float, alpha: float = 0.05, sides: int = 2,
                      margin: float = 1.0, correlation: float = 0.0) -> float:  # fmt: skip
    """Events needed by Schoenfeld's formula; a score leaves ``1 - correlation^2`` of them."""
    target(power, alpha)
    pi0, pi1 = shares(allocation)
    away = detectable(
        math.log(positive("hazard ratio", hazard_ratio)), math.log(positive("margin", margin)), "log hazard ratio"
    )
    z = float(ndtri(1.0 - level(alpha, sides)) + ndtri(power))
    return z * z / (pi0 * pi1 * away**2) * (1.0 - correlation**2)


def freedman_events(hazard_ratio: float, allocation: float = 1.0, *, power: float, alpha: float = 0.05, sides: int = 2,
                    correlation: float = 0.0) -> float:  # fmt: skip
    """Events needed by Freedman's formula."""
    target(power, alpha)
    detectable(math.log(positive("hazard ratio", hazard_ratio)), 0.0, "log hazard ratio")
    z = float(ndtri(1.0 - level(alpha, sides)) + ndtri(power))
    ratio = (1.0 + allocation * hazard_ratio) / (1.0 - hazard_ratio)
    return z * z * ratio**2 / allocation * (1.0 - correlation**2)


def hazard_of(*, median: float | None = None, share_by: tuple[float, float] | None = None) -> float:
    """Constant hazard from a median time, or from (share with the event, by this time)."""
    if median is not None:
        return math.log(2.0) / positive("median", median)
    if share_by is None:
        raise AnalysisError("neither a median nor a share", expected="one of them")
    return -math.log1p(-share("share with an event", share_by[0])) / positive("time", share_by[1])
