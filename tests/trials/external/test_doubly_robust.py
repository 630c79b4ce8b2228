"""AIPW and TMLE: exact where they must agree, right when either model is, with standard errors that cover."""

import numpy as np
import pytest
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import TrialData
from medtwin.trials.external.doubly_robust import aipw, tmle
from medtwin.trials.external.effect import weighted_effect
from medtwin.trials.external.propensity import propensity_score, propensity_weights


def draw(random, size, binary, bent=False):
    """External controls and a trial whose patients are older; the true effect in the treated is 1, or drawn by risk."""
    x = random.normal(size=size)
    arm = (random.uniform(size=size) < special.expit(0.8 * x - 0.4)).astype(int)
    risk = -0.3 + 0.9 * x + (0.5 * x**2 if bent else 0.0)
    if binary:
        y = (random.uniform(size=size) < special.expit(risk + 0.7 * arm)).astype(float)
        truth = (special.expit(risk + 0.7) - special.expit(risk))[arm == 1].mean()
        return x, arm, y, truth
    return x, arm, risk + arm + random.normal(size=size), 1.0


@pytest.mark.parametrize("method", [aipw, tmle])
def test_saturated_models_are_standardisation(method):
    """One indicator: mean of the treated less the controls' means by stratum, at the treated's shares."""
    random = np.random.default_rng(3)
    x = np.repeat([0.0, 1.0, 0.0, 1.0], [40, 20, 15, 25])
    arm = np.repeat([0, 1], [60, 40])
    y = (random.uniform(size=100) < 0.3 + 0.3 * x).astype(float)
    controls = [y[(arm == 0) & (x == level)].mean() for level in (0.0, 1.0)]
    mean_0 = (15 * controls[0] + 25 * controls[1]) / 40
    for family in ("gaussian", "logistic"):
        found = method(TrialData.of(y, arm, covariates=x[:, None]), family)
        assert found.means == pytest.approx([mean_0, y[arm == 1].mean()], abs=1e-9)
        n1 = 40.0
        within = sum(
            (n / n1) ** 2 * m * (1 - m) / size for n, size, m in ((15, 40, controls[0]), (25, 20, controls[1]))
        )
        between = (15 * controls[0] ** 2 + 25 * controls[1] ** 2) / n1 - mean_0**2
        assert found.covariance[0, 0] == pytest.approx((within + between / n1) * 100 / 99, rel=1e-6)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("method", [aipw, tmle])
@pytest.mark.parametrize("wrong", ["neither", "outcome", "score"])
def test_double_robustness(method, wrong, binary):
    """Bias below three Monte Carlo errors although one model leaves out the square of x (or x); coverage near 95 %."""
    random = np.random.default_rng(11)
    errors, hits = [], []
    for _ in range(250):
        x, arm, y, truth = draw(random, 500, binary, bent=wrong != "neither")
        both = np.column_stack([x, x**2])
        score = both if wrong != "score" else np.column_stack([x**2])
        outcome = both if wrong != "outcome" else np.zeros((500, 0))
        found = method(
            TrialData.of(y, arm, covariates=score), "logistic" if binary else "gaussian", outcome_covariates=outcome
        ).estimates[0]
        errors.append(found.value - truth)
        hits.append(abs(found.value - truth) <= 1.96 * found.standard_error)
    # the truth of a binary outcome is the drawn treated's own: their spread is in the standard error, so coverage is above
    assert abs(np.mean(errors)) < 3.0 * np.std(errors) / 250**0.5 + 0.004
    assert np.mean(hits) > 0.905


def test_without_outcome_model_it_is_weighting_with_its_own_error():
    """AIPW with an intercept alone is the ATT-weighted difference; its standard error knows that weights were estimated."""
    random = np.random.default_rng(9)
    values, narrow, wide = [], [], []
    for _ in range(200):
        x = random.normal(size=(300, 1))
        arm = (random.uniform(size=300) < special.expit(0.8 * x[:, 0] - 0.4)).astype(int)
        trial = TrialData.of(2.0 * x[:, 0] + random.normal(size=300), arm, covariates=x)
        own = aipw(trial, "gaussian", outcome_covariates=np.zeros((300, 0))).estimates[0]
        plain = weighted_effect(trial, propensity_weights(propensity_score(trial).score, arm)).estimates[0]
        assert own.value == pytest.approx(plain.value, abs=1e-9)
        values.append(own.value)
        narrow.append(own.standard_error)
        wide.append(plain.standard_error)
    assert np.mean(narrow) == pytest.approx(np.std(values), rel=0.2)
    assert np.mean(wide) > 1.2 * np.std(values)


def test_measures_and_bad_input():
    random = np.random.default_rng(5)
    x, arm, y, _ = draw(random, 400, True)
    trial = TrialData.of(y, arm, covariates=x[:, None])
    found = tmle(trial, "logistic", measures=("difference", "ratio", "odds ratio"))
    low, high = found.means
    assert found["ratio"].reported[0] == pytest.approx(high / low)
    assert found["odds ratio"].reported[0] == pytest.approx(high * (1 - low) / (low * (1 - high)))
    assert any("effective patients" in note for note in found.notes)
    both = [
        aipw(trial, "logistic", variance=variance).estimates[0].standard_error for variance in ("stacked", "influence")
    ]
    assert both[0] == pytest.approx(both[1], rel=0.1)
    with pytest.raises(AnalysisError, match="expected one of"):
        aipw(trial, "poisson")
    with pytest.raises(AnalysisError, match="no overlap"):
        aipw(
            TrialData.of(y, arm, covariates=arm[:, None].astype(float) + 0.1 * random.uniform(size=(400, 1))),
            "gaussian",
        )


def test_tmle_stays_within_the_possible():
    """Few events and uneven weights: a probability remains one."""
    random = np.random.default_rng(8)
    x, arm, _, _ = draw(random, 120, True)
    y = (random.uniform(size=120) < 0.05).astype(float)
    y[np.flatnonzero(arm == 0)[:2]] = 1.0
    found = tmle(TrialData.of(y, arm, covariates=x[:, None]), "logistic")
    assert 0.0 < found.means[0] < 1.0
