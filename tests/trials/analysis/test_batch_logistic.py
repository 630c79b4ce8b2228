"""Many binary trials at once say what each alone says; type I error of small ones."""

import numpy as np
import pytest
from scipy import special, stats

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.batch import normals
from medtwin.trials.analysis.batch_logistic import MEASURES, VARIANCES, logistic_batch
from medtwin.trials.analysis.marginal import marginal_effects


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("variance", VARIANCES)
def test_each_trial(measure, variance):
    rng = np.random.default_rng(0)
    x = rng.normal(2.0, 3.0, (2, 3, 2, 90))
    y = (rng.random((2, 3, 90)) < special.expit(0.2 * x.sum(axis=2) - 1.0)).astype(float)
    arm = rng.permuted(np.tile([0, 1, 1], (2, 3, 30)), axis=-1)
    got = logistic_batch(y, arm, x, measure=measure, variance=variance)
    assert got.failed == 0
    assert (got.df == 86.0).all()
    for place in np.ndindex(2, 3):
        data = TrialData.of(y[place], arm[place], covariates=x[place].T)
        alone = marginal_effects(data, family="logistic", measures=(measure,), variance=variance).estimates[0]
        assert got.value[place] == pytest.approx(alone.value, rel=1e-9)
        assert got.standard_error[place] == pytest.approx(alone.standard_error, rel=1e-8)


def test_unadjusted_is_two_proportions():
    arm, y = np.arange(60) % 3 > 0, np.arange(60) % 4 == 0
    got = logistic_batch(y, arm, variance="HC2")
    share = [y[arm == a].mean() for a in (0, 1)]
    assert float(got.value) == pytest.approx(share[1] - share[0])
    each = [share[a] * (1 - share[a]) / ((arm == a).sum() - 1) for a in (0, 1)]
    assert float(got.standard_error) ** 2 == pytest.approx(sum(each))


def test_trials_that_cannot_be_estimated_are_counted_not_hidden():
    rng = np.random.default_rng(1)
    y, x = (rng.random((7, 40)) < 0.5).astype(float), rng.normal(size=(7, 2, 40))
    arm = np.tile(np.arange(40) % 2, (7, 1))
    arm[0] = 0
    y[1] = arm[1]  # separated by the arm
    y[2] = x[2, 0] > 0  # separated by a covariate
    x[3, 1] = -2.0 * x[3, 0] + 1.0  # collinear
    x[4, 0] = 3.3  # constant
    y[5] = 0.0
    got = logistic_batch(y, arm, x)
    assert got.failed == 6
    assert np.isnan(got.value).tolist() == [True] * 6 + [False]
    assert np.isnan(got.standard_error).tolist() == [True] * 6 + [False]


@pytest.mark.parametrize(
    "given, words",
    [
        ({"variance": "HC4"}, "HC4"), ({"measure": "hazard ratio"}, "hazard"), ({"outcome": np.full(8, 0.5)}, "0 and 1"),
        ({"covariates": np.ones((6, 8))}, "8 patients for 8"),
    ],
)  # fmt: skip
def test_what_is_refused(given, words):
    with pytest.raises(AnalysisError, match=words):
        logistic_batch(**{"outcome": np.arange(8) % 2, "arm": np.arange(8) // 4, **given})


def rejected(rng, n0, n1, columns, variance, count):
    arm = np.arange(n0 + n1) >= n0
    x = rng.standard_normal((count, columns, n0 + n1))
    y = rng.random((count, n0 + n1)) < special.expit(0.8 * x.sum(axis=1) / columns**0.5)
    fit = logistic_batch(y, arm, x, variance=variance)
    limit = stats.norm.ppf(0.975) if variance == "influence" else stats.t.ppf(0.975, n0 + n1 - 2 - columns)
    good = np.isfinite(fit.standard_error)
    assert fit.failed == (~good).sum() < 0.001 * count
    return float((np.abs(fit.value[good]) > limit * fit.standard_error[good]).mean())


@pytest.mark.slow
@pytest.mark.parametrize("n0, n1, columns", [(15, 15, 1), (15, 30, 1), (30, 30, 1), (30, 60, 3), (100, 200, 2)])
def test_type_one_error(n0, n1, columns):
    rng = np.random.default_rng(5)
    assert 0.044 <= rejected(rng, n0, n1, columns, "HC2", 20_000) <= 0.056
    if n0 < 60:
        assert rejected(rng, n0, n1, columns, "influence", 20_000) > 0.056


def test_normals_are_normal():
    drawn = normals(np.random.default_rng(0), (3, 100_001))
    assert drawn.shape == (3, 100_001)
    flat = drawn.ravel()
    assert stats.kstest(flat, "norm").pvalue > 1e-3
    assert np.abs(stats.moment(flat, [1, 2, 3, 4]) - [0.0, 1.0, 0.0, 3.0]).max() < 0.05
    assert np.abs(flat).max() < 5.78
    assert abs(np.corrcoef(flat[:-1], flat[1:])[0, 1]) < 0.01
    assert abs(np.corrcoef(flat[:48_000] ** 2, flat[48_000:96_000] ** 2)[0, 1]) < 0.02
