"""Borrowing: conjugate truths, brute force, limits, and the test that no borrowing ignores the external controls."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import integrate, special, stats

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.commensurate import commensurate_prior
from medtwin.trials.external.effect import weighted_effect
from medtwin.trials.external.hybrid import hybrid_difference
from medtwin.trials.external.leap import leap_mixture, leap_prior
from medtwin.trials.external.map_prior import map_prior
from medtwin.trials.external.power_prior import no_borrowing, normalised_power_prior, power_prior
from medtwin.trials.external.rates import BetaMixture, LogitGrid, Mixed, exceeds, likelihood_grid
from medtwin.trials.external.tipping import (
    bias_tipping_point,
    check_no_borrowing,
    drift_table,
    drift_tipping_point,
    e_value,
    shifted,
)
from medtwin.trials.external.worth import effective_patients


def test_power_prior_is_beta_binomial():
    after = power_prior(30, 100, 0.4, initial=(0.5, 2.0)).updated(4, 20)
    assert (after.a[0], after.b[0]) == pytest.approx((0.5 + 12 + 4, 2 + 28 + 16))
    held = stats.beta(16.5, 46.0)
    assert after.mean() == pytest.approx(held.mean())
    assert after.standard_deviation() == pytest.approx(held.std())
    assert after.quantile(0.3) == pytest.approx(held.ppf(0.3))
    assert power_prior(30, 100, 0.0).updated(4, 20).mean() == no_borrowing().updated(4, 20).mean()
    assert power_prior(30, 100, 1.0).updated(4, 20).mean() == no_borrowing().updated(34, 120).mean()


@pytest.mark.parametrize("discount", [(1.0, 1.0), (2.0, 3.0), (0.5, 0.5)])
def test_normalised_power_prior_by_quadrature(discount):
    after = normalised_power_prior(9, 30, discount=discount).updated(7, 15)

    def weight(a0):
        return stats.beta.pdf(a0, *discount) * math.exp(
            special.betaln(1 + 9 * a0 + 7, 1 + 21 * a0 + 8) - special.betaln(1 + 9 * a0, 1 + 21 * a0)
        )

    total = integrate.quad(weight, 0, 1)[0]
    assert after.discount_mean == pytest.approx(integrate.quad(lambda a0: a0 * weight(a0), 0, 1)[0] / total, rel=1e-6)
    mean = integrate.quad(lambda a0: weight(a0) * (8 + 9 * a0) / (17 + 30 * a0), 0, 1)[0] / total
    assert after.rate.mean() == pytest.approx(mean, rel=1e-6)


def test_grid_is_the_beta_it_was_made_of():
    exact = BetaMixture.of(3.0, 7.0)
    rate, mass = exact.points()
    assert mass @ rate == pytest.approx(0.3, abs=1e-10)
    grid = LogitGrid.of(likelihood_grid(), mass)
    for ours, truth in ((grid, exact), (grid.updated(4, 9), exact.updated(4, 9)), (Mixed(0.3, grid, exact), exact)):
        assert ours.mean() == pytest.approx(truth.mean(), abs=1e-10)
        assert ours.standard_deviation() == pytest.approx(truth.standard_deviation(), abs=1e-9)
        assert ours.quantile(0.2) == pytest.approx(truth.quantile(0.2), abs=1e-5)
        assert ours.log_evidence(4, 9) == pytest.approx(truth.log_evidence(4, 9), abs=1e-9)
        assert effective_patients(ours) == pytest.approx(truth.a[0] + truth.b[0], rel=1e-3)
        assert effective_patients(ours, "moment") == pytest.approx(truth.a[0] + truth.b[0], rel=1e-6)
    mixed = BetaMixture(np.array([0.4, 0.6]), np.array([3.0, 3.0]), np.array([7.0, 7.0]))
    assert effective_patients(mixed) == pytest.approx(10.0, rel=1e-3)
    with pytest.raises(AnalysisError, match="grid resolves"):
        grid.updated(50_000, 100_000)
    with pytest.raises(AnalysisError, match="heavy tails"):
        effective_patients(commensurate_prior(30, 100, scale=1.4))


def test_exceeds():
    """P(Beta(1, 1) > Beta(2, 1)) = 1 - E Beta(2, 1) = 1/3."""
    assert exceeds(BetaMixture.of(1.0, 1.0), BetaMixture.of(2.0, 1.0)) == pytest.approx(1 / 3, abs=1e-8)


def test_map_by_brute_force():
    """Two trials; the integrals over theta by 200 Gauss-Hermite nodes, over beta and tau by fine sums."""
    hits, sizes = np.array([3, 9]), np.array([12, 30])
    found = map_prior(hits, sizes, heterogeneity_scale=0.5, mean=-0.5, standard_deviation=1.5)
    node, share = np.polynomial.hermite_e.hermegauss(200)
    share = share / share.sum()
    beta = np.linspace(-9.0, 8.0, 137)
    tau = (np.arange(280) + 0.5) * 0.01
    theta = beta[:, None, None] + tau[None, :, None] * node
    likelihood = np.ones((len(beta), len(tau)))
    for r, n in zip(hits, sizes, strict=True):
        likelihood *= np.exp(r * theta - n * np.logaddexp(0.0, theta)) @ share
    mass = likelihood * np.exp(-0.5 * ((beta[:, None] + 0.5) / 1.5) ** 2 - 0.5 * (tau / 0.5) ** 2)
    mass = mass / mass.sum()
    assert found.tau_mean == pytest.approx(float(mass.sum(axis=0) @ tau), abs=2e-5)
    assert found.beta_mean == pytest.approx(float(mass.sum(axis=1) @ beta), abs=1e-6)
    rate = special.expit(theta) @ share
    assert found.rate.mean() == pytest.approx(float((mass * rate).sum()), abs=1e-5)
    second = special.expit(theta) ** 2 @ share
    assert found.rate.standard_deviation() ** 2 == pytest.approx(
        float((mass * second).sum() - (mass * rate).sum() ** 2), abs=1e-5
    )
    until = np.cumsum(mass.sum(axis=0))
    assert found.tau_quantile(0.5) == pytest.approx(float(np.interp(0.5, until, tau + 0.005)), abs=1e-3)


def test_robust_prior_lets_go():
    robust = map_prior([23, 12, 19], [107, 44, 51]).robust(0.2)
    near, far = robust.updated(5, 20), robust.updated(20, 20)
    assert near.weight > 0.8
    assert far.weight < 0.2
    assert abs(far.mean() - 21 / 22) < 0.05
    assert robust.updated(0, 0).weight == pytest.approx(0.8)


def test_commensurate_limits():
    exact = power_prior(30, 100, 1.0)
    assert commensurate_prior(30, 100, scale=1e-4).standard_deviation() == pytest.approx(
        exact.standard_deviation(), rel=1e-4
    )
    wide = [commensurate_prior(30, 100, scale=scale).standard_deviation() for scale in (0.1, 0.5, 1.0)]
    assert wide == sorted(wide)
    sigma = np.abs(np.random.default_rng(1).normal(size=400_000)) * 0.5
    drawn = special.logit(np.random.default_rng(2).beta(31, 71, size=400_000)) + sigma * np.random.default_rng(
        3
    ).normal(size=400_000)
    assert commensurate_prior(30, 100, scale=0.5).mean() == pytest.approx(special.expit(drawn).mean(), abs=6e-4)


def test_leap_by_enumeration():
    """Three historical patients: every allocation by hand."""
    r0, n0, x, n = 1, 3, 2, 4
    total, mean = 0.0, 0.0
    for flags in product((0, 1), repeat=n0):
        s = flags[0]
        t = sum(flags[1:])
        k = sum(flags)
        weight = special.beta(1 + k, 1 + n0 - k) * special.beta(1 + r0 - s, 1 + n0 - r0 - t)
        weight *= special.beta(1 + s + x, 1 + t + n - x)
        total += weight
        mean += weight * (1 + s + x) / (2 + s + t + n)
    after = leap_mixture(r0, n0).updated(x, n)
    assert after.mean() == pytest.approx(mean / total, rel=1e-12)
    assert leap_prior(r0, n0).updated(x, n).mean() == pytest.approx(mean / total, abs=1e-9)
    assert leap_mixture(3, 10, exchangeable=(1e9, 1.0)).updated(2, 4).mean() == pytest.approx(6 / 16, rel=1e-6)
    with pytest.raises(AnalysisError, match="normalised power prior"):
        leap_mixture(1000, 3000)
    with pytest.raises(AnalysisError, match="whole counts"):
        leap_mixture(1.5, 3)


PRIORS = {
    "power": lambda r, n: power_prior(r, n, 0.5),
    "normalised": lambda r, n: normalised_power_prior(r, n).rate,
    "commensurate": commensurate_prior,
    "robust MAP": lambda r, n: map_prior([r], [n]).robust(0.2),
    "LEAP": leap_prior,
}


def hybrid(make):
    return lambda drift: hybrid_difference((14, 23), (6, 20), make(30 + round(drift), 100)).estimates[0]


def test_no_borrowing_ignores_external_drift():
    rows = check_no_borrowing(hybrid(lambda r, n: no_borrowing()), range(-30, 71, 10))
    assert len(rows) == 11
    check_no_borrowing(hybrid(lambda r, n: power_prior(r, n, 0.0)), (-20, 0, 50))
    own = TrialData.of(np.arange(40.0) % 7, np.repeat([0, 1], 20))
    check_no_borrowing(lambda drift: weighted_effect(own).estimates[0], (-1.0, 0.0, 1.0))


@pytest.mark.parametrize("name", list(PRIORS))
def test_borrowing_does_not(name):
    with pytest.raises(AnalysisError, match=r"at drift.*no borrowing"):
        check_no_borrowing(hybrid(PRIORS[name]), (0, 10))


@pytest.mark.parametrize("name", list(PRIORS))
def test_agreeing_history_narrows(name):
    own = hybrid(lambda r, n: no_borrowing())(0.0)
    found = hybrid(PRIORS[name])(0.0)
    assert found.standard_error < own.standard_error
    assert abs(found.value - own.value) < own.standard_error


def test_hybrid_says_what_a_reader_needs():
    found = hybrid_difference((14, 23), (1, 6), map_prior([23, 12], [107, 44]).robust(), name="robust MAP")
    assert found.patients == {"control": 6, "treated": 23}
    assert any("P(treated rate > control rate)" in note for note in found.notes)
    assert any("weight of the informative part" in note for note in found.notes)
    assert found["difference"].value == pytest.approx(found.means[1] - found.means[0])


def test_tipping_points():
    found = Estimate(name="difference", value=2.0, standard_error=0.5, method="hand")
    tip = bias_tipping_point(found)
    assert tip == pytest.approx(2.0 - 1.959964 * 0.5, abs=1e-6)
    assert shifted(found, tip).p_value == pytest.approx(0.05)
    assert bias_tipping_point(shifted(found, 4.0)) == pytest.approx(-tip)
    assert bias_tipping_point(shifted(found, 2.0)) == 0.0
    assert drift_tipping_point(lambda drift: shifted(found, drift), (0.0, 2.0)) == pytest.approx(tip, abs=1e-7)
    assert [row.estimate.value for row in drift_table(lambda drift: shifted(found, drift), (0.0, 1.0))] == [2.0, 1.0]
    with pytest.raises(AnalysisError, match="same conclusion"):
        drift_tipping_point(lambda drift: shifted(found, drift), (0.0, 0.1))
    ratio = Estimate(name="ratio", value=math.log(3.9), standard_error=0.4, method="hand", scale="log")
    assert e_value(ratio)[0] == pytest.approx(7.26, abs=0.005)
    assert e_value(shifted(ratio, ratio.value))[1] == 1.0
    with pytest.raises(AnalysisError, match="a ratio"):
        e_value(found)


def test_bad_counts():
    for wrong in (
        lambda: power_prior(5, 4, 0.5), lambda: power_prior(1, 4, 1.5), lambda: map_prior([5], [4]), lambda: map_prior([], []),
        lambda: map_prior([0], [0]), lambda: map_prior([1], [4], heterogeneity_scale=9.0), lambda: no_borrowing(initial=(0, 1)),
        lambda: commensurate_prior(1, 4, scale=0.0), lambda: BetaMixture.of(1, 1).quantile(0.0),
        lambda: no_borrowing().updated(3, 2), lambda: map_prior([1], [4]).robust(1.5),
    ):  # fmt: skip
        with pytest.raises(AnalysisError):
            wrong()
