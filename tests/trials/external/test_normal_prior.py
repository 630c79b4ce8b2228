"""Normal mixtures: conjugate truths, brute force, and no borrowing under drift for a continuous outcome."""

import numpy as np
import pytest
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.normal_prior import NormalMixture, normal_map_prior, normal_power_prior
from medtwin.trials.external.tipping import check_no_borrowing, drift_tipping_point


def test_power_prior_is_precision_weighting():
    after = normal_power_prior(10.0, 1.0, 0.25).updated(12.0, 2.0)
    assert after.mean() == pytest.approx(11.0)
    assert after.standard_deviation() == pytest.approx(2.0**0.5)
    assert after.quantile(0.9) == pytest.approx(stats.norm(11.0, 2.0**0.5).ppf(0.9))


def test_map_by_brute_force():
    y, s = np.array([1.0, 1.6, 0.7]), np.array([0.3, 0.4, 0.5])
    found = normal_map_prior(y, s, heterogeneity_scale=0.5, mean=0.0, standard_deviation=3.0)
    tau = (np.arange(1500) + 0.5) * 0.002
    beta = np.linspace(-8.0, 10.0, 1801)[:, None]
    log = -0.5 * (beta / 3.0) ** 2 - 0.5 * (tau / 0.5) ** 2
    for one, error in zip(y, s, strict=True):
        log = log + stats.norm.logpdf(one, beta, (error**2 + tau**2) ** 0.5)
    mass = np.exp(log - log.max())
    mass = mass / mass.sum()
    mean = float((mass * beta).sum())
    assert found.mean() == pytest.approx(mean, abs=1e-5)
    assert found.standard_deviation() ** 2 == pytest.approx(
        float((mass * ((beta - mean) ** 2 + tau**2)).sum()), rel=1e-4
    )
    below = float((mass * stats.norm.cdf((0.5 - beta) / tau)).sum())
    assert found.cdf(0.5) == pytest.approx(below, abs=1e-5)
    assert found.cdf(found.quantile(0.2)) == pytest.approx(0.2)


def test_robust_prior_lets_go():
    robust = NormalMixture.of(0.0, 0.2).mixed(0.2, NormalMixture.of(0.0, 5.0))
    assert robust.updated(0.1, 0.3).weight[0] > 0.9
    far = robust.updated(3.0, 0.3)
    assert far.weight[0] < 1e-6
    assert far.mean() == pytest.approx(3.0, abs=0.02)


def hybrid(prior):
    """Treated 5 (0.8) against own controls 3 (1.0), history at 3 + drift (0.5)."""

    def analyse(drift):
        control = prior(3.0 + drift).updated(3.0, 1.0)
        return Estimate(
            name="difference", value=5.0 - control.mean(), standard_error=float(np.hypot(0.8, control.standard_deviation())),
            method="hybrid",
        )  # fmt: skip

    return analyse


def test_no_borrowing_ignores_drift_and_borrowing_tips():
    check_no_borrowing(hybrid(lambda history: NormalMixture.of(0.0, 1e3)), np.linspace(-5.0, 5.0, 11))
    analyse = hybrid(lambda history: normal_power_prior(history, 0.5, 1.0))
    with pytest.raises(AnalysisError, match="no borrowing"):
        check_no_borrowing(analyse, (0.0, 1.0))
    tip = drift_tipping_point(analyse, (-1.0, 2.0))
    assert analyse(tip).p_value == pytest.approx(0.05, abs=1e-6)
    robust = hybrid(lambda history: normal_power_prior(history, 0.5, 1.0).mixed(0.5, NormalMixture.of(3.0, 10.0)))
    assert abs(robust(30.0).value - 2.0) < 0.05


def test_bad_input():
    for wrong in (
        lambda: NormalMixture.of(0.0, 0.0), lambda: NormalMixture.of(0.0, 1.0).updated(1.0, 0.0),
        lambda: normal_power_prior(1.0, 1.0, 0.0), lambda: NormalMixture.of(0.0, 1.0).quantile(1.0),
        lambda: normal_map_prior([], [], heterogeneity_scale=1.0, mean=0.0, standard_deviation=1.0),
        lambda: normal_map_prior([1.0], [1.0], heterogeneity_scale=0.0, mean=0.0, standard_deviation=1.0),
        lambda: NormalMixture.of(0.0, 1.0).mixed(2.0, NormalMixture.of(0.0, 5.0)),
    ):  # fmt: skip
        with pytest.raises(AnalysisError):
            wrong()
