"""What the score saves, against regression and the planning formula."""

import math

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.fair.benefit import benefit


@pytest.fixture(scope="module")
def trial():
    rng = np.random.default_rng(1)
    baseline = rng.normal(size=(150, 2))
    arm = rng.integers(0, 3, 150)
    score = baseline[:, 0] + rng.normal(size=150)
    y = 2.0 * arm + baseline @ np.array([1.0, -0.5]) + 0.7 * score + rng.normal(size=150)
    return y, score, baseline, arm


def left(values, columns):
    return values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]


def test_against_residual_sums_of_squares(trial):
    """Variance removed is the fall of the residual sum of squares when the score joins the model."""
    y, score, baseline, arm = trial
    arms = (arm[:, None] == np.arange(3)).astype(float)
    found = {number.name: number for number in benefit(y, score, baseline=baseline, arm=arm)}
    for name, before in (("variance removed", arms), ("variance removed beyond baseline", np.hstack([arms, baseline]))):
        after = np.column_stack([before, score])
        fall = 1.0 - float(left(y, after) @ left(y, after)) / float(left(y, before) @ left(y, before))
        assert found[name].value == pytest.approx(fall, rel=1e-9)
    partial = found["partial correlation beyond baseline"]
    assert partial.scaled_error == pytest.approx(1.0 / math.sqrt(150 - 3 - 4), rel=1e-12)  # two arms more, two columns
    precision = np.linalg.inv(np.cov(np.column_stack([y, score, baseline, arms[:, 1:]]).T))
    assert partial.value == pytest.approx(-precision[0, 1] / math.sqrt(precision[0, 0] * precision[1, 1]), rel=1e-9)


def test_half_of_the_controls_at_one_over_the_root_of_three():
    """The claim of half the controls, the treated arm kept; the same r saves a third of all patients, allocation kept."""
    rng = np.random.default_rng(2)
    a, b = np.linalg.qr(np.column_stack([np.ones(40), rng.normal(size=(40, 2))]))[0][:, 1:].T
    y = math.sqrt(1.0 / 3.0) * a + math.sqrt(2.0 / 3.0) * b
    found = {number.name: number for number in benefit(y, a)}
    assert found["correlation"].value == pytest.approx(math.sqrt(1.0 / 3.0))
    assert found["controls saved"].value == pytest.approx(0.5)
    assert found["patients saved"].value == pytest.approx(1.0 / 3.0)


def test_collinear_baselines_count_once(trial):
    y, score, baseline, arm = trial
    once = benefit(y, score, baseline=baseline, arm=arm)
    twice = benefit(y, score, baseline=np.column_stack([baseline, baseline[:, 0], np.ones(150), arm]), arm=arm)
    for a, b in zip(once, twice, strict=True):
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), rel=1e-8)


def test_ends_of_a_square_hold_zero_where_the_correlation_does():
    rng = np.random.default_rng(3)
    found = {number.name: number for number in benefit(rng.normal(size=50), rng.normal(size=50))}
    assert found["correlation"].low < 0.0 < found["correlation"].high
    assert found["variance removed"].low == 0.0
    assert found["variance removed"].high == pytest.approx(
        max(found["correlation"].low ** 2, found["correlation"].high ** 2)
    )


def test_a_score_that_is_the_baseline_is_refused(trial):
    y, _, baseline, arm = trial
    with pytest.raises(AnalysisError, match="told by arm and baseline"):
        benefit(y, 3.0 * baseline[:, 0] + 1.0, baseline=baseline, arm=arm)
    with pytest.raises(AnalysisError, match="told by arm"):
        benefit(y, arm.astype(float), arm=arm)
