"""Figures at a horizon: without censoring those of an event, with censoring unbiased."""

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.kaplan import kaplan_meier
from medtwin.trials.fair.censored import area, at_horizon, known_by, slope_by_cox
from medtwin.trials.fair.decision import decision_curve


def people(rng, size, censored=True):
    hazard = np.exp(rng.normal(-3.0, 0.8, size))
    time = rng.exponential(1.0 / hazard)
    left = rng.exponential(15.0, size) if censored else np.full(size, np.inf)
    return np.minimum(time, left), time <= left, 1.0 - np.exp(-10.0 * hazard), time


def test_without_censoring_they_are_those_of_the_event():
    time, event, risk, _ = people(np.random.default_rng(1), 300, censored=False)
    y = (time <= 10.0).astype(float)
    case, weight = known_by(time, event, 10.0)
    assert (case == (y == 1.0)).all()
    assert (weight == 1.0).all()
    auc, brier = at_horizon(time, event, risk, 10.0, draws=100)
    assert auc.value == pytest.approx(roc_auc_score(y, risk), rel=1e-12)
    assert brier.value == pytest.approx(brier_score_loss(y, risk), rel=1e-12)
    assert auc.low < auc.value < auc.high


def test_weights_make_up_for_the_lost():
    """The weighted share of cases is one less Kaplan-Meier, exactly (Satten & Datta 2001), ties and all."""
    rng = np.random.default_rng(2)
    time, event, *_ = people(rng, 400)
    time = np.ceil(time)
    case, weight = known_by(time, event, 10.0)
    assert (weight * case).mean() == pytest.approx(1.0 - kaplan_meier(time, event).at(10.0)[0], rel=1e-12)
    assert weight.mean() == pytest.approx(1.0, rel=1e-12)


def test_censored_figures_are_those_of_the_whole():
    rng = np.random.default_rng(3)
    time, event, risk, truth = people(rng, 60_000)
    assert event.mean() < 0.6
    case, weight = known_by(time, event, 10.0)
    y = (truth <= 10.0).astype(float)
    assert area(case, weight, risk) == pytest.approx(roc_auc_score(y, risk), abs=0.01)
    ours = decision_curve(case.astype(float), risk, (0.3,), weight=weight)
    whole = decision_curve(y, risk, (0.3,))
    assert ours.model[0] == pytest.approx(whole.model[0], abs=4.0 * ours.model_error[0])
    assert ours.treat_all[0] == pytest.approx(whole.treat_all[0], abs=4.0 * ours.treat_all_error[0])
    slope = slope_by_cox(time, event, risk, 10.0)
    assert slope.value == pytest.approx(1.0, abs=4.0 * slope.scaled_error)
    # a cumulative hazard to the power of 1.5 is too extreme; nobody's risk is then 1 to the last digit
    near = risk < 0.99
    steep = -np.expm1(-((-np.log1p(-risk[near])) ** 1.5))
    flat = slope_by_cox(time[near], event[near], steep, 10.0)
    assert flat.value == pytest.approx(1.0 / 1.5, abs=0.03)


def test_intervals_hold_their_level():
    rng = np.random.default_rng(4)
    _, _, risk, truth = people(rng, 200_000)
    whole = roc_auc_score(truth <= 10.0, risk), brier_score_loss(truth <= 10.0, risk)
    inside = np.zeros(2)
    for repeat in range(150):
        time, event, risk, _ = people(rng, 200)
        for place, number in enumerate(at_horizon(time, event, risk, 10.0, draws=60, seed=repeat)):
            inside[place] += number.low <= whole[place] <= number.high
    assert (np.abs(inside / 150 - 0.95) < 3.5 * math.sqrt(0.05 * 0.95 / 150)).all()


def test_refused():
    with pytest.raises(AnalysisError, match="risks of 0 or 1"):
        slope_by_cox(np.ones(2), np.ones(2), np.array([0.5, 1.0]), 1.0)
    time, event, *_ = people(np.random.default_rng(5), 50)
    with pytest.raises(AnalysisError, match="same prediction"):
        slope_by_cox(time, event, np.full(50, 0.3), 10.0)
    with pytest.raises(AnalysisError, match="AUC of"):
        at_horizon(time, event, 1.0 - time / 1000.0, time.max(), draws=20)
