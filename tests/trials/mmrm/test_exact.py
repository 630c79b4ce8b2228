"""Where another method gives the exact answer, the model gives the same."""

import numpy as np
import pytest
from scipy import stats

from medtwin.trials.mmrm import fit
from trials.mmrm.data import trial


def complete(subjects=24, visits=3, seed=1):
    y, x, s, v, a, _ = trial(subjects, visits, 0.0, seed)
    return y, x[:, :-1], s, v, a


def test_unstructured_complete_data_is_multivariate_least_squares():
    y, x, s, v, _ = complete()
    own = fit(y, x, s, v, degrees="satterthwaite")
    table, arm = y.reshape(24, 3), np.arange(24) % 2
    means = np.concatenate([table[arm == j].mean(0) for j in (0, 1)])
    rest = table - table[arm == 1].mean(0) * arm[:, None] - table[arm == 0].mean(0) * (1 - arm[:, None])
    np.testing.assert_allclose(own.coefficients, means, rtol=1e-10)
    np.testing.assert_allclose(own.sigma["all"], rest.T @ rest / 22, rtol=1e-7)
    ml = fit(y, x, s, v, reml=False, degrees="satterthwaite")
    np.testing.assert_allclose(ml.sigma["all"], rest.T @ rest / 24, rtol=1e-7)
    # a difference at one visit is the two-sample t test
    t = stats.ttest_ind(table[arm == 1][:, 2], table[arm == 0][:, 2])
    mine = own.estimate([0, 0, -1, 0, 0, 1], "last visit")
    assert mine.df == pytest.approx(22.0, rel=1e-7)
    assert mine.statistic == pytest.approx(t.statistic, rel=1e-8)


def test_unstructured_kenward_roger_is_hotelling():
    """Kenward and Roger (1997), section 3: the approximation is exact here, in its linear form."""
    y, x, s, v, _ = complete()
    own = fit(y, x, s, v)
    np.testing.assert_allclose(own.covariance, own.model_covariance, rtol=1e-8, atol=1e-14)
    mine = own.test(np.hstack([-np.eye(3), np.eye(3)]), "no difference")
    table, arm = y.reshape(24, 3), np.arange(24) % 2
    apart = table[arm == 1].mean(0) - table[arm == 0].mean(0)
    pooled = sum(11 * np.cov(table[arm == j].T) for j in (0, 1)) / 22
    exact = apart @ np.linalg.solve(pooled, apart) / (2 / 12) * (22 - 3 + 1) / (3 * 22)
    assert mine.denominator == pytest.approx(20.0, rel=1e-7)
    assert mine.statistic == pytest.approx(exact, rel=1e-8)
    assert mine.p_value == pytest.approx(stats.f.sf(exact, 3, 20), rel=1e-7)


@pytest.mark.parametrize("degrees", ["satterthwaite", "kenward-roger", "kenward-roger linear"])
def test_compound_symmetry_is_the_split_plot_analysis_of_variance(degrees):
    y, x, s, v, _ = complete(20, 4, 3)
    table, arm = y.reshape(20, 4), np.arange(20) % 2
    own = fit(y, x, s, v, structure="compound symmetry", degrees=degrees)
    cell = np.array([table[arm == j].mean(0) for j in (0, 1)])
    subject = table.mean(1)
    between = sum(((subject[arm == j] - subject[arm == j].mean()) ** 2).sum() for j in (0, 1)) * 4 / 18
    rest = table - subject[:, None] - cell[arm] + cell.mean(1)[arm][:, None]
    within = (rest**2).sum() / (18 * 3)
    interaction = cell - cell.mean(0) - cell.mean(1)[:, None] + cell.mean()
    f = 10 * (interaction**2).sum() / 3 / within
    contrasts = np.zeros((3, 8))
    for k in range(3):
        contrasts[k, [0, k + 1, 4, 5 + k]] = 1, -1, -1, 1
    mine = own.test(contrasts, "arm by visit")
    exact = degrees != "kenward-roger"  # its second-order term depends on the parametrisation
    assert mine.denominator == pytest.approx(54.0, rel=1e-6)
    assert mine.statistic == pytest.approx(f, rel=1e-7 if exact else 0.05)
    arms = own.estimate(np.repeat([-0.25, 0.25], 4), "arm")
    assert arms.df == pytest.approx(18.0, rel=1e-6)
    assert arms.standard_error**2 == pytest.approx(2 * between / 40, rel=1e-7 if exact else 0.05)


def test_two_visits_one_group_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(9, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]]) + [0.0, 0.5]
    x = np.tile(np.eye(2), (9, 1))
    t = stats.ttest_rel(table[:, 1], table[:, 0])
    for structure in ("unstructured", "compound symmetry", "ar1"):
        own = fit(table.ravel(), x, np.repeat(np.arange(9), 2), np.tile([0, 1], 9), structure=structure)
        mine = own.estimate([-1, 1], "change")
        assert mine.statistic == pytest.approx(t.statistic, rel=1e-7)
        assert mine.df == pytest.approx(8.0, rel=1e-6)


def test_one_visit_is_least_squares():
    y, x, s, v, _, _ = trial(30, 1, 0.0)
    own = fit(y, x, s, v)
    beta, rss, *_ = np.linalg.lstsq(x, y, rcond=None)
    np.testing.assert_allclose(own.coefficients, beta, rtol=1e-9)
    assert own.sigma["all"][0, 0] == pytest.approx(rss[0] / 27)
    assert own.estimate([0, 0, 1], "slope").df == pytest.approx(27.0)


def test_order_and_names_do_not_matter():
    y, x, s, v, a, _ = trial(40)
    own = fit(y, x, s, v, group=a)
    order = np.random.default_rng(0).permutation(len(y))
    mixed = fit(y[order], x[order], s[order], v[order], group=a[order])
    np.testing.assert_allclose(mixed.coefficients, own.coefficients, rtol=1e-8)
    np.testing.assert_allclose(mixed.covariance, own.covariance, rtol=1e-7, atol=1e-12)
    named = np.array(["week 2", "week 10", "week 24", "week 100"])[v]
    other = fit(y, x, [f"person {k}" for k in s], named, group=np.array(["b", "a"])[a])
    assert other.visits == ("week 2", "week 10", "week 24", "week 100")
    np.testing.assert_allclose(other.sigma["b"], own.sigma["0"], rtol=1e-7)
    # another order of the visits is the same unstructured model, but for the second-order term of Kenward-Roger
    turned = fit(y, x, s, np.array([2, 0, 3, 1])[v], group=a)
    np.testing.assert_allclose(turned.covariance, own.covariance, rtol=1e-6, atol=1e-11)
    assert turned.log_likelihood == pytest.approx(own.log_likelihood, abs=1e-9)


def test_spatial_on_whole_numbers_is_ar1():
    y, x, s, v, _, _ = trial(40)
    own = fit(y, x, s, v, structure="ar1", degrees="kenward-roger linear")
    other = fit(y, x, s, v, structure="spatial exponential", coordinates=v.astype(float))
    np.testing.assert_allclose(other.coefficients, own.coefficients, rtol=1e-7)
    np.testing.assert_allclose(other.covariance, own.covariance, rtol=1e-6, atol=1e-10)
    c = np.eye(9)[7] - np.eye(9)[3]
    assert other.estimate(c, "d").df == pytest.approx(own.estimate(c, "d").df, rel=1e-6)


def test_weights_of_four_halve_the_standard_deviation():
    y, x, s, v, _, _ = trial(30)
    own, four = fit(y, x, s, v), fit(y, x, s, v, weights=np.full(len(y), 4.0))
    np.testing.assert_allclose(four.sigma["all"] / 4.0, own.sigma["all"], rtol=1e-6)
    np.testing.assert_allclose(four.covariance, own.covariance, rtol=1e-6, atol=1e-12)


def test_intervals_cover():
    """200 trials of 24 subjects, a fifth missing: 95 % intervals by Kenward-Roger cover as they should (3 sd: ±4.6 %)."""
    hits = 0
    for seed in range(200):
        y, x, s, v, _, _ = trial(24, 3, 0.2, 1000 + seed)
        low, high = fit(y, x, s, v).estimate([0, 0, -1, 0, 0, 1, 0], "last visit").interval
        hits += low <= 1.0 <= high
    assert 0.904 <= hits / 200 <= 0.996
