"""Meta-analytic-predictive prior of a response rate from historical control arms, by quadrature instead of sampling.

    r_j ~ Binomial(n_j, expit theta_j),  theta_j ~ Normal(beta, tau^2),  beta ~ Normal(m, s^2),  tau ~ HalfNormal(scale)

(Neuenschwander et al. 2010; robust form Schmidli et al. 2014.) The prior of the next trial's rate is that of expit theta_*,
theta_* ~ Normal(beta, tau^2), given the data. For each tau (Gauss-Legendre nodes), each trial's likelihood in beta is its
binomial likelihood smoothed by a normal of width tau: a product with exp(-tau^2 k^2 / 2) after a Fourier transform, which is
exact at every tau. The same smoothing carries the posterior of beta to theta_*. beta and tau are log odds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import interpolate, special

from medtwin.errors import AnalysisError
from medtwin.trials.external.rates import BetaMixture, LogitGrid, Mixed, counts_of


@dataclass(frozen=True, slots=True, eq=False)
class MapPrior:
    """What the historical trials say of the next one."""

    rate: LogitGrid  #: of the next trial's rate
    beta: LogitGrid  #: mean log odds over trials, as a distribution of expit beta
    tau: np.ndarray  #: (node,) heterogeneity, log odds
    tau_mass: np.ndarray  #: (node,) posterior masses, sum to 1
    tau_density: np.ndarray  #: (node,) posterior density, per unit of log odds
    trials: int
    patients: int

    @property
    def tau_mean(self) -> float:
        """Expected heterogeneity, log odds."""
        return float(self.tau_mass @ self.tau)

    @property
    def beta_mean(self) -> float:
        """Expected mean log odds."""
        return float(self.beta.density @ self.beta.logit * (self.beta.logit[1] - self.beta.logit[0]))

    def tau_quantile(self, share: float) -> float:
        """Of the heterogeneity, log odds."""
        fine = np.linspace(0.0, float(self.tau[-1]), 20_001)
        density = np.exp(interpolate.CubicSpline(self.tau, np.log(np.maximum(self.tau_density, 1e-290)))(fine))
        until = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
        return float(np.interp(share, until / until[-1], fine))

    def robust(self, weight: float = 0.2, vague: BetaMixture | None = None) -> Mixed:
        """With ``weight`` of a vague part, Beta(1, 1) unless named, which wins where the new trial contradicts history."""
        if not 0.0 <= weight <= 1.0:
            raise AnalysisError(f"vague weight {weight:g}", expected="0 to 1", where="robust MAP prior")
        return Mixed(1.0 - weight, self.rate, vague or BetaMixture.of(1.0, 1.0))


def map_prior(
    responders: np.ndarray, patients: np.ndarray, *, heterogeneity_scale: float = 1.0, mean: float = 0.0,
    standard_deviation: float = 2.0, nodes: int = 80,
) -> MapPrior:  # fmt: skip
    """``responders``, ``patients`` (trial,) of historical controls; the three numbers are of the priors above, log odds.

    Cost: ``nodes`` times trials fast Fourier transforms of about 2^14 points.
    """
    hits, sizes = np.atleast_1d(np.asarray(responders, float)), np.atleast_1d(np.asarray(patients, float))
    if hits.shape != sizes.shape or hits.ndim != 1 or not len(hits):
        raise AnalysisError(f"{hits.shape} and {sizes.shape}", expected="one count and size a trial", where="MAP prior")
    for r, n in zip(hits, sizes, strict=True):
        counts_of(float(r), float(n), "MAP prior")
        if not n > 0.0:
            raise AnalysisError("a historical trial without patients", expected="some", where="MAP prior")
    if not (0.0 < heterogeneity_scale <= 2.0 and 0.0 < standard_deviation <= 5.0 and abs(mean) <= 10.0):
        raise AnalysisError(
            f"heterogeneity {heterogeneity_scale:g}, mean {mean:g}, standard deviation {standard_deviation:g}", where="MAP prior",
            expected="0 to 2, -10 to 10, 0 to 5, in log odds",
        )  # fmt: skip
    top = 5.0 * heterogeneity_scale
    reach = 7.0 * standard_deviation + abs(mean) + 8.0 * top + 10.0
    step = min(0.01, 0.3 / float(np.sqrt(sizes.max())))
    points = 2 ** int(np.ceil(np.log2(2.0 * reach / step)))
    theta = (np.arange(points) - points // 2) * (2.0 * reach / points)
    width = float(theta[1] - theta[0])
    log = hits[:, None] * theta - sizes[:, None] * np.logaddexp(0.0, theta)
    likelihood = np.fft.rfft(np.exp(log - log.max(axis=1, keepdims=True)), axis=1)
    frequency = 2.0 * np.pi * np.fft.rfftfreq(points, width)
    log_prior = -0.5 * ((theta - mean) / standard_deviation) ** 2
    node, share = np.polynomial.legendre.leggauss(nodes)
    # nodes denser near 0, where the posterior of tau is when the trials agree
    unit = (node + 1.0) / 2.0
    tau, share = top * unit**2, share * top * unit
    evidence = np.empty(nodes)
    beta, predictive = np.zeros(points), np.zeros(len(frequency), dtype=complex)
    smallest = np.finfo(float).tiny
    logs = []
    for number, width_of_tau in enumerate(tau):
        smooth = np.exp(-0.5 * (width_of_tau * frequency) ** 2)
        seen = np.fft.irfft(likelihood * smooth, points, axis=1)
        logs.append(log_prior + np.log(np.maximum(seen, smallest)).sum(axis=0))
        evidence[number] = special.logsumexp(logs[-1])
    log_mass = evidence + np.log(share) - 0.5 * (tau / heterogeneity_scale) ** 2
    mass = np.exp(log_mass - special.logsumexp(log_mass))
    for number, width_of_tau in enumerate(tau):
        part = np.exp(logs[number] - evidence[number]) * mass[number]
        beta += part
        predictive += np.fft.rfft(part) * np.exp(-0.5 * (width_of_tau * frequency) ** 2)
    density = np.maximum(np.fft.irfft(predictive, points), 0.0)
    keep = np.abs(theta) <= 36.0
    return MapPrior(
        LogitGrid.of(theta[keep], density[keep]),
        LogitGrid.of(theta[keep], beta[keep]),
        tau,
        mass,
        mass / share,
        len(hits),
        int(sizes.sum()),
    )
