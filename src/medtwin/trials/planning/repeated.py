"""Planning repeated measures: the contrast at the last visit of an MMRM, under a covariance and a drop-out pattern.

Of ``m`` visits let p_j be the share of an arm whose last observed visit is j and ``S_j`` the first j rows and columns of the
covariance of the outcome (what covariates leave of it). The information a patient brings about the arm's means is the
weighted sum of the inverses, each padded with zeros, and the last mean's variance its last diagonal element::

    phi = [ (sum_j p_j pad(S_j^-1))^-1 ]_mm,        n Var(contrast) = phi0/pi0 + phi1/pi1

Lu, Luo & Chen 2008, Int. J. Biostat. 4(1):9. A score with its own coefficient at each visit leaves ``S - c c'``, c_j the
covariance of (standardised) score and outcome at visit j. Degrees of freedom: patients seen at the last visit less two and
the covariates, which Satterthwaite's come near; chance imbalance of covariates by the same quadrature as in ``wald``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import arms, correlation, detectable, level, positive
from medtwin.trials.planning.variance import shares
from medtwin.trials.planning.wald import Power, quadrature_power, z_power

QUADRATURE = "Lu-Luo-Chen variance, quadrature over random normal covariates, df of patients at the last visit"
ASYMPTOTIC = "Lu-Luo-Chen variance, asymptotic normal"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """Difference of means at the last visit."""

    effect: float
    covariance: tuple[tuple[float, ...], ...]  #: of the outcome over visits, within an arm
    retention0: tuple[float, ...]  #: share of controls still observed at each visit
    retention1: tuple[float, ...]
    correlations: tuple[float, ...] = ()  #: of the score with the outcome at each visit; none: no score
    covariates: int = 1
    margin: float = 0.0
    alpha: float = 0.05
    sides: int = 2

    def __post_init__(self) -> None:
        detectable(self.effect, self.margin)
        level(self.alpha, self.sides)
        matrix = np.asarray(self.covariance, dtype=np.float64)
        m = len(matrix)
        if matrix.shape != (m, m) or not np.allclose(matrix, matrix.T, rtol=1e-10):
            raise AnalysisError(
                f"a covariance of shape {matrix.shape}", expected="a symmetric square matrix, a row a visit"
            )
        for name, kept in (("control", self.retention0), ("treated", self.retention1)):
            if len(kept) != m or any(not 0.0 < s <= 1.0 for s in kept) or any(np.diff(kept) > 0.0):
                raise AnalysisError(
                    f"retention ({name}) {', '.join(f'{s:g}' for s in kept)}",
                    expected=f"{m} shares above 0 that never rise",
                    remedy="give the share of patients still observed at each visit: 1, 0.9, 0.8",
                )  # fmt: skip
        if self.correlations and len(self.correlations) != m:
            raise AnalysisError(f"{len(self.correlations)} correlations", expected=f"{m}, one a visit")
        for r in self.correlations:
            correlation("correlation", r)
        if np.linalg.eigvalsh(self.left())[0] <= 0.0:
            raise AnalysisError(
                "a covariance that is not positive definite" + (" once the score is taken out" if self.correlations else ""),
                expected="a positive definite one", remedy="check standard deviations and correlations together",
            )  # fmt: skip

    @property
    def away(self) -> float:
        """Distance of the effect from the margin."""
        return self.effect - self.margin

    def left(self) -> Floats:
        """Covariance that the score leaves."""
        matrix = np.asarray(self.covariance, dtype=np.float64)
        if not self.correlations:
            return matrix
        c = np.asarray(self.correlations) * np.sqrt(np.diag(matrix))
        return matrix - np.outer(c, c)

    def last_variances(self) -> tuple[float, float]:
        """(phi0, phi1): variance of an arm's last mean times its patients."""
        matrix, m = self.left(), len(self.covariance)
        found = []
        for kept in (self.retention0, self.retention1):
            information = np.zeros((m, m))
            for j in range(1, m + 1):
                last = kept[j - 1] - (kept[j] if j < m else 0.0)
                information[:j, :j] += last * np.linalg.inv(matrix[:j, :j])
            found.append(float(np.linalg.inv(information)[-1, -1]))
        return found[0], found[1]

    def variance(self, allocation: float = 1.0) -> float:
        """n Var of the contrast."""
        pi0, pi1 = shares(allocation)
        phi0, phi1 = self.last_variances()
        return phi0 / pi0 + phi1 / pi1

    def asymptotic(self, n0: float, n1: float) -> float:
        """Normal."""
        arms(n0, n1)
        return z_power(self.away, math.sqrt(self.variance(n1 / n0) / (n0 + n1)), self.alpha, self.sides)

    def quadrature(self, n0: float, n1: float) -> float:
        """Non-central t averaged over the chance imbalance of covariates."""
        arms(n0, n1)
        seen = n0 * self.retention0[-1] + n1 * self.retention1[-1] - 2.0
        se = math.sqrt(self.variance(n1 / n0) / (n0 + n1))
        return quadrature_power(self.away, se, seen, self.covariates, self.alpha, self.sides)

    def methods(self) -> dict[str, Power]:
        """Power functions of (n0, n1) by method; the first is the one to plan by."""
        return {QUADRATURE: self.quadrature, ASYMPTOTIC: self.asymptotic}


def covariance_of(kind: str, sds: tuple[float, ...], rho: float) -> tuple[tuple[float, ...], ...]:
    """``compound-symmetry``: every pair of visits correlates by rho; ``ar1``: by rho to the power of their distance."""
    correlation("correlation of visits", rho)
    s = np.array([positive("standard deviation", x) for x in sds])
    visits = np.arange(len(s))
    if kind == "ar1":
        pairs = rho ** np.abs(visits[:, None] - visits).astype(float)
    elif kind == "compound-symmetry":
        pairs = np.where(visits[:, None] == visits, 1.0, rho)
    else:
        raise AnalysisError(f"covariance {kind!r}", expected="ar1, compound-symmetry or a matrix")
    return tuple(tuple(float(v) for v in row) for row in pairs * np.outer(s, s))
