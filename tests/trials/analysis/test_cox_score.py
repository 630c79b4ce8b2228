"""Robust variance of Cox's model: sums that must hold, brute-force jackknife, and the weighted model of ones."""

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.cox import cox, cox_fit
from medtwin.trials.analysis.cox_score import RiskSets, robust_covariance
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.external.weighted_cox import weighted_cox_fit


def drawn(random, patients=80, ties=False):
    arm, x = np.arange(patients) % 2, random.standard_normal(patients)
    time = random.exponential(np.exp(-x))
    time = np.ceil(4.0 * time) if ties else time
    event = random.random(patients) < 0.8
    return time, event, np.column_stack([arm, x]).astype(float), (np.arange(patients) % 3 == 0).astype(int)


def robust(time, event, design, fitted, **options):
    return robust_covariance(time, event, design, fitted.coefficients, covariance=fitted.covariance, **options)


@pytest.mark.parametrize("method", ["efron", "breslow"])
@pytest.mark.parametrize("ties", [False, True])
def test_residuals_sum_to_the_slope_and_what_patients_carry_to_the_information(ties, method):
    time, event, design, _ = drawn(np.random.default_rng(1), ties=ties)
    fitted = cox_fit(time, event, design, ties=method)
    weights = np.random.default_rng(2).uniform(0.5, 2.0, 80)
    _, _, information, residual, carried = RiskSets(time, event, design, np.ones(80), method).at(fitted.coefficients)
    assert residual.sum(axis=0) == pytest.approx(0.0, abs=1e-8)
    assert np.linalg.inv(information) == pytest.approx(fitted.covariance, rel=1e-8)
    assert carried.sum(axis=0) == pytest.approx(information, rel=1e-9)
    if method == "breslow" or not ties:
        sets = RiskSets(time, event, design, weights, method)
        _, slope, information, residual, carried = sets.at(np.array([0.3, 0.8]))
        assert sets.weights @ residual == pytest.approx(slope, abs=1e-9)
        assert np.einsum("i,ipq->pq", sets.weights, carried) == pytest.approx(information, rel=1e-9)


@pytest.mark.parametrize("ties", [False, True])
def test_lin_and_wei_is_the_weighted_model_of_ones(ties):
    time, event, design, strata = drawn(np.random.default_rng(3), ties=ties)
    found = robust(time, event, design, cox_fit(time, event, design), variance="HC0")
    assert found == pytest.approx(weighted_cox_fit(time, event, design, np.ones(80)).covariance, rel=1e-8)
    inside = cox_fit(time, event, design, strata=strata)
    residuals = np.vstack([
        RiskSets(time[rows], event[rows], design[rows], np.ones(rows.sum()), "efron").at(inside.coefficients)[3]
        for rows in (strata == 0, strata == 1)
    ])  # fmt: skip
    moved = residuals @ inside.covariance
    found = robust(time, event, design, inside, strata=strata, variance="HC0")
    assert found == pytest.approx(moved.T @ moved, rel=1e-9)


def test_hc3_is_near_the_jackknife():
    time, event, design, _ = drawn(np.random.default_rng(4), patients=120)
    whole = cox_fit(time, event, design)
    rest = [np.delete(np.arange(120), k) for k in range(120)]
    away = np.array([cox_fit(time[r], event[r], design[r]).coefficients for r in rest]) - whole.coefficients
    jackknife = np.sqrt(np.diag(away.T @ away))
    errors = {k: np.sqrt(np.diag(robust(time, event, design, whole, variance=k))) for k in ("HC0", "HC2", "HC3")}
    assert (errors["HC0"] < errors["HC2"]).all()
    assert (errors["HC2"] < errors["HC3"]).all()
    assert errors["HC3"] == pytest.approx(jackknife, rel=0.03)
    assert (errors["HC0"] < 0.97 * jackknife).all()


def test_options_of_cox():
    time, event, design, strata = drawn(np.random.default_rng(5))
    trial = TrialData.of(time, design[:, 0].astype(int), event=event, covariates=design[:, 1:], strata=strata)
    made = {v: cox(trial, variance=v).estimates[0] for v in ("robust", "HC3", "HC0", "model")}
    assert made["robust"] == made["HC3"]
    assert made["HC0"].standard_error < made["HC3"].standard_error
    assert made["HC3"].df == 80 - 2 - 2
    assert made["model"].df == np.inf
    assert "HC3 variance, t(n-p)" in made["robust"].method
    assert cox(trial, stratified=False).estimates[0].df == np.inf
    assert cox(trial, stratified=False, df="residual").estimates[0].df == 80 - 2 - 1
    assert cox(trial, df="normal").estimates[0].df == np.inf
    with pytest.raises(AnalysisError, match="HC4"):
        cox(trial, variance="HC4")


def test_a_column_of_one_patient_has_a_variance():
    time, arm = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), np.array([0, 1, 0, 1, 0, 1])
    lone = (np.arange(6) == 2).astype(float)
    trial = TrialData.of(time, arm, event=np.ones(6), covariates=lone[:, None])
    assert cox(trial, variance="model").estimates[0].standard_error > 0.0
    made = cox(trial).estimates[0]
    assert np.isfinite(made.standard_error)
