"""Decision curves: hand-made values, limits, and their standard errors."""

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.fair.decision import decision_curve


def test_net_benefit_by_hand():
    y, p = np.array([1.0, 1.0, 0.0, 0.0, 0.0]), np.array([0.8, 0.3, 0.5, 0.2, 0.1])
    ours = decision_curve(y, p, (0.2, 0.5))
    assert ours.model == pytest.approx([2 / 5 - 2 / 5 * 0.25, 1 / 5 - 1 / 5])
    assert ours.treat_all == pytest.approx([2 / 5 - 3 / 5 * 0.25, 2 / 5 - 3 / 5])
    assert ours.treat_none == (0.0, 0.0)
    assert ours.over_all == pytest.approx(np.subtract(ours.model, ours.treat_all).tolist())
    assert ours.useful == (0.2,)


def test_everybody_above_a_threshold_is_treat_all():
    rng = np.random.default_rng(1)
    y, p = (rng.random(50) < 0.4).astype(float), rng.uniform(0.3, 0.9, 50)
    ours = decision_curve(y, p, (0.1, 0.2))
    assert ours.model == ours.treat_all
    assert ours.over_all_error == (0.0, 0.0)


def test_standard_errors_are_those_of_repeats():
    rng = np.random.default_rng(2)
    values, errors, gains, gain_errors = [], [], [], []
    for _ in range(800):
        p = rng.beta(2.0, 4.0, 200)
        one = decision_curve((rng.random(200) < p).astype(float), p, (0.25,))
        values.append(one.model[0])
        errors.append(one.model_error[0])
        gains.append(one.over_all[0])
        gain_errors.append(one.over_all_error[0])
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)
    assert np.mean(gain_errors) == pytest.approx(np.std(gains), rel=0.1)


@pytest.mark.parametrize("grid", [(), (0.0,), (0.2, 1.0)])
def test_refused(grid):
    with pytest.raises(AnalysisError, match="thresholds"):
        decision_curve(np.ones(5), np.ones(5), grid)
