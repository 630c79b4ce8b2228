"""Power priors of a response rate: history counted at a part a0 of its size, fixed or learnt; and the prior without history.

    fixed       Beta(a + a0 r0, b + a0 (n0 - r0))                                (Ibrahim & Chen 2000)
    normalised  integral over a0 ~ Beta(c, d) of the same, each normalised       (Neuenschwander, Branson & Spiegelhalter 2009)

As a prior the normalised one is the mixture of the fixed ones with the weights of a0; with current data, x of n, the weights
become those times ``B(a + a0 r0 + x, b + a0 (n0 - r0) + n - x) / B(a + a0 r0, b + a0 (n0 - r0))``: conjugate all the way. a0 has
no unit; history counts a0 n0 patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.external.rates import BetaMixture, counts_of


def no_borrowing(*, initial: tuple[float, float] = (1.0, 1.0)) -> BetaMixture:
    """Beta(a, b), whatever history says."""
    return BetaMixture.of(*initial)


def power_prior(
    responders: float, patients: float, discount: float, *, initial: tuple[float, float] = (1.0, 1.0)
) -> BetaMixture:
    """History of ``responders`` among ``patients`` counted at ``discount`` a0, 0 (not at all) to 1 (as if current)."""
    counts_of(responders, patients, "power prior")
    if not 0.0 <= discount <= 1.0:
        raise AnalysisError(f"a discount of {discount:g}", expected="0 to 1", where="power prior")
    first = BetaMixture.of(*initial)
    return BetaMixture(first.weight, first.a + discount * responders, first.b + discount * (patients - responders))


@dataclass(frozen=True, slots=True, eq=False)
class NormalisedPowerPrior:
    """The mixture, and the discount that each of its components stands for."""

    rate: BetaMixture
    discount: np.ndarray  #: (component,) a0

    @property
    def discount_mean(self) -> float:
        """Expected a0."""
        return float(self.rate.weight @ self.discount)

    def updated(self, responders: float, patients: float) -> NormalisedPowerPrior:
        """With current data, which also say how much of history to believe."""
        return NormalisedPowerPrior(self.rate.updated(responders, patients), self.discount)


def normalised_power_prior(
    responders: float, patients: float, *, initial: tuple[float, float] = (1.0, 1.0), discount: tuple[float, float] = (1.0, 1.0),
    nodes: int = 64,
) -> NormalisedPowerPrior:  # fmt: skip
    """``discount``: the Beta(c, d) of a0, uniform unless named; ``nodes`` of the Gauss-Jacobi quadrature over it."""
    counts_of(responders, patients, "normalised power prior")
    first, over = BetaMixture.of(*initial), BetaMixture.of(*discount)
    at, mass = special.roots_jacobi(nodes, float(over.b[0]) - 1.0, float(over.a[0]) - 1.0)
    a0 = (at + 1.0) / 2.0
    prior = BetaMixture(mass / mass.sum(), first.a + a0 * responders, first.b + a0 * (patients - responders))
    return NormalisedPowerPrior(prior, a0)
