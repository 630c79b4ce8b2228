"""Each method of inference against its formula written out on dense matrices, or against what it must reduce to."""

import numpy as np
import pytest
from scipy import linalg

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm import STRUCTURES, fit
from trials.mmrm.data import dense, trial


def literal(y, x, s, v, sigma):
    y_, x_, cov = dense(y, x, s, v, sigma)
    phi = np.linalg.inv(x_.T @ np.linalg.solve(cov, x_))
    beta = phi @ x_.T @ np.linalg.solve(cov, y_)
    return x_, cov, phi, y_ - x_ @ beta, s[~np.isnan(y)], v[~np.isnan(y)]


@pytest.mark.parametrize(("kind", "power"), [("CR0", 0.0), ("CR2", -0.5), ("CR3", -1.0)])
@pytest.mark.parametrize("structure", ["unstructured", "spatial exponential"])
def test_sandwich(kind, power, structure):
    y, x, s, v, _, _ = trial(20, 3)
    more = {"coordinates": v} if structure.startswith("spatial") else {}
    own = fit(y, x, s, v, covariance=kind, degrees="satterthwaite", structure=structure, **more)
    sigma = own.sigma["all"]
    if more:
        sigma = sigma[0, 0] * (sigma[0, 1] / sigma[0, 0]) ** np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0)))
    x_, cov, phi, rest, who, _ = literal(y, x, s, v, sigma)
    root = linalg.cholesky(linalg.inv(cov), lower=True)  # block diagonal: W = root root'
    x_, rest = root.T @ x_, root.T @ rest
    hat = x_ @ phi @ x_.T
    meat, g = np.zeros_like(phi), []
    contrast = np.eye(7)[5] - np.eye(7)[2]
    for k in np.unique(who):
        mine = who == k
        values, vectors = np.linalg.eigh(np.eye(mine.sum()) - hat[np.ix_(mine, mine)])
        bend = vectors @ np.diag(values**power) @ vectors.T
        score = x_[mine].T @ bend @ rest[mine]
        meat += np.outer(score, score)
        g.append((np.eye(len(who)) - hat)[mine].T @ bend @ x_[mine] @ phi @ contrast)
    np.testing.assert_allclose(own.covariance, phi @ meat @ phi, rtol=1e-7, atol=1e-10)
    inner = np.array(g) @ np.array(g).T
    assert own.estimate(contrast, "c").df == pytest.approx(np.trace(inner) ** 2 / (inner**2).sum(), rel=1e-7)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize(
    "structure", ["unstructured", "toeplitz heterogeneous", "ante-dependence", "spatial exponential"]
)
def test_kenward_roger(structure, linear):
    """The sums of Kenward and Roger (1997), eq. 4, one pair of parameters after the other."""
    y, x, s, v, _, _ = trial(18, 3)
    spatial = structure.startswith("spatial")
    more = {"coordinates": v} if spatial else {}
    own = fit(y, x, s, v, structure=structure, degrees="kenward-roger linear" if linear else "kenward-roger", **more)
    theta, w, form, e = own.theta, own.theta_covariance, STRUCTURES[structure], 1e-4
    distance = np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0)))[None]

    def sigma(at):
        return form.curve(at, 3, distance).value.reshape(3, 3)

    units = np.eye(len(theta)) * e
    x_, cov, phi, _, who, when = literal(y, x, s, v, sigma(theta))

    def whole(matrix):
        return np.where(who[:, None] == who, matrix[np.ix_(when, when)], 0.0)

    inverse = np.linalg.inv(cov)
    first = [whole((sigma(theta + a) - sigma(theta - a)) / (2 * e)) for a in units]
    moved = [x_.T @ inverse @ d @ inverse @ x_ for d in first]
    inner = np.zeros_like(phi)
    for h, a in enumerate(units):
        for j, b in enumerate(units):
            q = x_.T @ inverse @ first[h] @ inverse @ first[j] @ inverse @ x_
            bend = sum(
                i * k * sigma(theta + i * a + k * b) for i in (1, -1) for k in (1, -1)
            )  # fmt: skip
            r = x_.T @ inverse @ whole(bend / (4 * e * e)) @ inverse @ x_
            inner += w[h, j] * (q - moved[h] @ phi @ moved[j] - (0.0 if linear else 0.25) * r)
    np.testing.assert_allclose(own.covariance, phi + 2 * phi @ inner @ phi, rtol=1e-5, atol=1e-8)
    c = np.eye(7)[5] - np.eye(7)[2]
    slope = np.array([c @ phi @ m @ phi @ c for m in moved])
    assert own.estimate(c, "c").df == pytest.approx(2 * (c @ phi @ c) ** 2 / (slope @ w @ slope), rel=1e-6)


def test_kenward_roger_linear_does_not_depend_on_the_parametrisation():
    """Two visits: unstructured and heterogeneous compound symmetry are the same matrix in other parameters."""
    y, x, s, v, _, _ = trial(20, 2, 0.2)
    one, two = (fit(y, x, s, v, structure=k) for k in ("unstructured", "compound symmetry heterogeneous"))
    np.testing.assert_allclose(one.covariance, two.covariance, rtol=1e-7, atol=1e-11)
    assert one.test(np.eye(5)[2:4], "b").p_value == pytest.approx(two.test(np.eye(5)[2:4], "b").p_value, rel=1e-6)


def test_counted():
    y, x, s, v, a, _ = trial(30, 4)
    x = np.column_stack([np.ones(len(y)), a, x[:, -1], *((v == k) for k in (1, 2, 3))])
    n, rows = 30, int((~np.isnan(y)).sum())
    own = fit(y, x, s, v, degrees="between-within")
    inner, outer = rows - n - 3, n - 1 - 2
    assert [own.estimate(c, "c").df for c in np.eye(6)] == [inner, outer, outer, inner, inner, inner]
    assert own.estimate([1, 1, 0, 1, 0, 0], "mean").df == min(inner, outer)
    assert own.test(np.eye(6)[3:], "visits").denominator == inner
    assert fit(y, x, s, v, degrees="residual").estimate(np.eye(6)[1], "c").df == rows - 6
    empirical = fit(y, x, s, v, degrees="residual", covariance="CR2")
    assert empirical.method.endswith("CR2, residual df")
    np.testing.assert_allclose(
        empirical.covariance, fit(y, x, s, v, degrees="satterthwaite", covariance="CR2").covariance
    )  # fmt: skip


@pytest.mark.parametrize("degrees", ["satterthwaite", "kenward-roger", "kenward-roger linear", "residual"])
def test_an_f_test_of_one_contrast_is_its_t_test(degrees):
    y, x, s, v, _, _ = trial(20, 3)
    own, c = fit(y, x, s, v, degrees=degrees), np.eye(7)[5] - np.eye(7)[2]
    estimate, test = own.estimate(c, "c"), own.test(c, "c")
    assert test.statistic == pytest.approx(estimate.statistic**2)
    assert test.p_value == pytest.approx(estimate.p_value)


@pytest.mark.parametrize("covariance", ["model", "CR0", "CR2", "CR3"])
def test_an_f_test_does_not_depend_on_how_it_is_written(covariance):
    y, x, s, v, _, _ = trial(24, 3)
    own = fit(y, x, s, v, degrees="satterthwaite", covariance=covariance)
    c = np.hstack([-np.eye(3), np.eye(3), np.zeros((3, 1))])
    turned = linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0] @ c
    assert own.test(turned, "a").p_value == pytest.approx(own.test(c, "a").p_value, rel=1e-7)


@pytest.mark.parametrize(
    "given",
    [
        {"degrees": "kenward-roger", "covariance": "CR2"},
        {"degrees": "kenward-roger", "reml": False},
        {"degrees": "containment"},
        {"covariance": "CR1"},
    ],
)
def test_what_does_not_go_together(given):
    y, x, s, v, _, _ = trial(20, 3)
    with pytest.raises(AnalysisError, match="expected"):
        fit(y, x, s, v, **given)


@pytest.mark.parametrize("wrong", [[0.0] * 7, [1.0], [np.nan] * 7])
def test_a_wrong_contrast(wrong):
    y, x, s, v, _, _ = trial(20, 3)
    with pytest.raises(AnalysisError, match="7 finite numbers"):
        fit(y, x, s, v).estimate(wrong, "c")


def test_dependent_contrasts():
    y, x, s, v, _, _ = trial(20, 3)
    with pytest.raises(AnalysisError, match="independent"):
        fit(y, x, s, v).test([np.eye(7)[0], 2 * np.eye(7)[0]], "c")
