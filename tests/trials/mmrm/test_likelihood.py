"""The likelihood against one dense multivariate normal, its derivatives against finite differences."""

import numpy as np
import pytest
from scipy import stats

from medtwin.trials.mmrm import STRUCTURES, fit
from medtwin.trials.mmrm.layout import lay_out
from medtwin.trials.mmrm.likelihood import slopes, solve
from medtwin.trials.mmrm.optimise import start
from trials.mmrm.data import dense, trial

NONE = {"weights": None, "coordinates": None, "names": None, "visits": None, "spatial": False}


def laid(name, seed=0, grouped=False, weights=None):
    y, x, s, v, a, _ = trial(30, seed=seed)
    more = {"coordinates": v + 0.3 * (s % 3), "spatial": True} if STRUCTURES[name].shape.spatial else {}
    return lay_out(y, x, s, v, group=a if grouped else None, **{**NONE, **more, "weights": weights})


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize(("reml", "grouped"), [(True, False), (False, False), (True, True), (False, True)])
def test_derivatives(name, reml, grouped):
    layout, own, step = laid(name, grouped=grouped), STRUCTURES[name], 1e-5
    theta = start(layout, own)
    theta = theta + 0.1 * np.random.default_rng(0).normal(size=len(theta))
    here = slopes(layout, solve(layout, own, theta, reml=reml))
    near = [[solve(layout, own, theta + d * step * unit, reml=reml) for d in (1, -1)] for unit in np.eye(len(theta))]
    first = [-(up.log_likelihood - down.log_likelihood) / (2 * step) for up, down in near]
    second = [(slopes(layout, up).gradient - slopes(layout, down).gradient) / (2 * step) for up, down in near]
    np.testing.assert_allclose(here.gradient, first, atol=1e-6)
    np.testing.assert_allclose(here.hessian, second, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_against_one_dense_normal(weighted):
    y, x, s, v, _, _ = trial(25)
    weights = np.random.default_rng(5).uniform(0.5, 2.0, len(y)) if weighted else None
    for reml in (False, True):
        own = fit(y, x, s, v, weights=weights, reml=reml, degrees="satterthwaite")
        y_, x_, cov = dense(y, x, s, v, own.sigma["all"], weights)
        inverse = np.linalg.inv(cov)
        information = x_.T @ inverse @ x_
        beta = np.linalg.solve(information, x_.T @ inverse @ y_)
        np.testing.assert_allclose(own.coefficients, beta, rtol=1e-9)
        np.testing.assert_allclose(own.covariance, np.linalg.inv(information), rtol=1e-7, atol=1e-12)
        whole = stats.multivariate_normal.logpdf(y_, x_ @ beta, cov)
        if reml:
            whole += 0.5 * x_.shape[1] * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(information)[1]
        assert own.log_likelihood == pytest.approx(whole, abs=1e-8)


def test_it_is_the_maximum():
    y, x, s, v, _, _ = trial(40)
    own = fit(y, x, s, v)
    layout = lay_out(y, x, s, v, group=None, **NONE)
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = solve(layout, STRUCTURES["unstructured"], own.theta + 0.05 * rng.normal(size=len(own.theta)), reml=True)
        assert other.log_likelihood < own.log_likelihood
    np.testing.assert_allclose(own.theta_covariance, own.theta_covariance.T)
    assert own.decrement < 1e-16


def test_hard_starts_reach_the_same_place():
    """Many visits missing, few subjects: the optimum does not depend on the order or scale of anything."""
    for seed in range(6):
        y, x, s, v, _, _ = trial(30, visits=5, missing=0.3, seed=seed)
        own, other = fit(y, x, s, v), fit(1e6 * y + 1e3, np.column_stack([x[:, :-1], 1e-3 * x[:, -1] + 7]), s, v)
        np.testing.assert_allclose(other.sigma["all"] / 1e12, own.sigma["all"], rtol=1e-6)
        np.testing.assert_allclose(other.coefficients[-1] / 1e9, own.coefficients[-1], rtol=1e-6)


def test_of_two_maxima_the_higher_is_taken_and_the_other_is_told():
    """Twenty subjects an arm and two fifths missing: the first start alone ends 3.69 lower."""
    y, x, s, v, a, _ = trial(40, 6, 0.4, 3)
    own = fit(y, x, s, v, structure="ante-dependence heterogeneous", group=a)
    assert own.log_likelihood == pytest.approx(-274.392957, abs=1e-5)
    assert "more than one maximum" in own.notes[-1]
