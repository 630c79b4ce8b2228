"""Adjusted, stratified log-rank tests, hazard ratios, survival and restricted means of many trials say what each says."""

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.analysis.batch import logrank_batch
from medtwin.trials.analysis.batch_kaplan import survival_batch
from medtwin.trials.analysis.batch_logrank import adjusted_logrank_batch
from medtwin.trials.analysis.kaplan import survival_effects
from medtwin.trials.analysis.logrank import logrank


def trials(ties=False, size=5, patients=72, columns=2):
    rng = np.random.default_rng(8)
    x, z = rng.normal(1.0, 2.0, (size, columns, patients)), rng.integers(0, 3, (size, patients))
    arm = rng.permuted(np.tile([0, 1, 1], (size, patients // 3)), axis=-1)
    time = rng.exponential(np.exp(0.3 * arm - 0.2 * x[:, 0] - 0.2 * z))
    event = rng.random(time.shape) < 0.7
    return (np.ceil(time * 5) if ties else time), event, arm, x, z


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("small_sample", [False, True])
@pytest.mark.parametrize("adjusted", [False, True])
def test_logrank_and_hazard_ratio(ties, stratified, small_sample, adjusted):
    time, event, arm, x, z = trials(ties)
    got = adjusted_logrank_batch(
        time,
        event,
        arm,
        x if adjusted else None,
        z if stratified else None,
        small_sample=small_sample,
        hazard_ratio=True,
    )
    for k in range(len(time)):
        data = TrialData.of(time[k], arm[k], covariates=x[k].T, event=event[k], strata=z[k])
        alone = logrank(data, adjusted=adjusted, stratified=stratified, small_sample=small_sample).estimates
        assert got.excess[k] == pytest.approx(alone[0].value, rel=1e-9, abs=1e-10)
        assert got.variance[k] ** 0.5 == pytest.approx(alone[0].standard_error, rel=1e-9)
        assert got.log_ratio[k] == pytest.approx(alone[1].value, rel=1e-9, abs=1e-10)
        assert got.ratio_error[k] == pytest.approx(alone[1].standard_error, rel=1e-9)


def test_plain_is_the_other_kernel_and_arms_may_be_shared():
    time, event, _, x, _ = trials()
    arm = np.arange(72) % 2
    plain, other = adjusted_logrank_batch(time, event, arm), logrank_batch(time, event, arm)
    assert plain.excess == pytest.approx(other.excess, abs=1e-10)
    assert plain.variance == pytest.approx(other.variance)
    shared = adjusted_logrank_batch(time, event, arm, x)
    spread = adjusted_logrank_batch(time, event, np.broadcast_to(arm, time.shape), x)
    assert np.array_equal(shared.excess, spread.excess)


def test_what_says_nothing_is_nan():
    time, event, arm, x, _ = trials()
    event[0] = False
    x[1, 1] = x[1, 0]
    event[2] = event[2] & (arm[2] == 1)
    got = adjusted_logrank_batch(time, event, arm, x, hazard_ratio=True)
    assert np.isnan(got.variance).tolist() == [True, True, False, False, False]
    assert np.isnan(got.log_ratio).tolist() == [True, True, True, False, False]
    with pytest.raises(AnalysisError, match="negative"):
        adjusted_logrank_batch(-time, event, arm)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("end", [0.3, 1.0, 2.0])
def test_survival_and_restricted_mean(ties, end):
    time, event, arm, _, _ = trials(ties)
    end = end * (4 if ties else 1)
    at, mean = survival_batch(time, event, arm, at=end), survival_batch(time, event, arm, tau=end)
    for k in range(len(time)):
        alone = survival_effects(
            TrialData.of(time[k], arm[k], event=event[k]), times=(end,), tau=end, variance="greenwood"
        )
        for got, one in ((at, alone[f"survival at {end:g} 1 - 0"]), (mean, alone[f"RMST to {end:g} 1 - 0"])):
            assert got[0][k] == pytest.approx(one.value, rel=1e-9, abs=1e-12)
            assert got[1][k] == pytest.approx(one.standard_error, rel=1e-9)


def test_beyond_the_last_follow_up():
    time, event, arm = (
        np.array([[1.0, 2.0, 3.0, 4.0]] * 2),
        np.array([[1, 1, 1, 0], [1, 1, 1, 1]]),
        np.array([0, 1, 0, 1]),
    )
    value, error = survival_batch(time, event, arm, at=5.0)
    assert np.isnan(value).tolist() == np.isnan(error).tolist() == [True, False]
    assert value[1] == 0.0
    with pytest.raises(AnalysisError, match="one of them"):
        survival_batch(time, event, arm)
