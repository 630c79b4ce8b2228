"""Counts of many trials at once say what each alone says."""

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.batch_count import VARIANCES, count_batch
from medtwin.trials.analysis.marginal import marginal_effects


def trials(size=6, patients=60, theta=1.5, columns=2):
    rng = np.random.default_rng(5)
    x = rng.normal(2.0, 3.0, (size, columns, patients))
    arm = rng.permuted(np.tile([0, 1, 1], (size, patients // 3)), axis=-1)
    mean = np.exp(0.4 - 0.4 * arm + 0.15 * x[:, 0])
    return (
        rng.poisson(mean * rng.gamma(theta, 1 / theta, mean.shape)).astype(float),
        arm,
        x,
        rng.uniform(0.3, 2.0, mean.shape),
    )


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("family", ["poisson", "negative-binomial"])
@pytest.mark.parametrize(("measure", "with_exposure"), [("ratio", False), ("difference", False), ("ratio", True)])
def test_each_trial(variance, family, measure, with_exposure):
    with_exposure &= variance != "influence"  # not derived for rates
    y, arm, x, time = trials()
    got = count_batch(
        y, arm, x, family=family, measure=measure, variance=variance, exposure=time if with_exposure else None
    )
    assert got.failed == 0
    for k in range(len(y)):
        data = TrialData.of(y[k], arm[k], covariates=x[k].T, exposure=time[k] if with_exposure else None)
        alone = marginal_effects(data, family=family, measures=(measure,), variance=variance).estimates[0]
        assert got.value[k] == pytest.approx(alone.value, rel=1e-9, abs=1e-9)
        assert got.standard_error[k] == pytest.approx(alone.standard_error, rel=1e-9)
        assert got.df[k] == alone.df


def test_counts_that_vary_no_more_than_poisson_and_no_covariates():
    y, arm, _, _ = trials(theta=1e9, columns=1)
    got, poisson = (count_batch(y, arm, family=family) for family in ("negative-binomial", "poisson"))
    for k in range(len(y)):
        alone = marginal_effects(TrialData.of(y[k], arm[k]), family="negative-binomial", measures=("ratio",)).estimates[
            0
        ]
        assert got.standard_error[k] == pytest.approx(alone.standard_error, rel=1e-9)
    assert np.isfinite(poisson.standard_error).all()


def test_what_cannot_be_estimated():
    y, arm, x, _ = trials()
    y[0][arm[0] == 1] = 0.0
    x[1, 1] = 2.0 * x[1, 0]
    x[2, 0] = 3.0
    got = count_batch(y, arm, x)
    assert got.failed == 3
    assert np.isnan(got.value).tolist() == [True, True, True, False, False, False]
    with pytest.raises(AnalysisError, match="not counts"):
        count_batch(y + 0.5, arm, x)
    with pytest.raises(AnalysisError, match="HC9"):
        count_batch(y, arm, x, variance="HC9")
