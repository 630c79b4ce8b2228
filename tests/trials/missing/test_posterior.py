"""Data augmentation against the posterior that complete data have in closed form."""

import numpy as np
import pytest

from medtwin.errors import AnalysisError
from medtwin.trials.missing import Assumption, Specification
from medtwin.trials.missing.bayes import posterior
from medtwin.trials.missing.model import design
from trials.missing.data import simulated


def test_complete_data_have_the_conjugate_posterior():
    """β about least squares, E Σ = S / (n - p - m - 1), Var β = (X'X)^-1 E Σ, each within Monte Carlo error."""
    trial = simulated(30, visits=2, dropout=0.0, gaps=0.0)
    draws = posterior(trial, Assumption.of(trial), draws=4000, seed=1, thin=1)
    x = np.column_stack([trial.arm == 0, trial.arm == 1, trial.covariates[:, 0]]).astype(float)
    beta = np.linalg.lstsq(x, trial.outcome, rcond=None)[0]
    rest = trial.outcome - x @ beta
    sigma = rest.T @ rest / (30 - 3 - 2 - 1)
    drawn = np.stack([d.sigma[0] for d in draws])
    np.testing.assert_allclose(drawn.mean(0), sigma, rtol=0.05)
    slopes = np.stack([d.slopes[0] for d in draws])
    spread = np.linalg.inv(x.T @ x)[2, 2] * np.diag(sigma)
    np.testing.assert_allclose(slopes.mean(0), beta[2], atol=4 * np.sqrt(spread.max() / 4000))
    np.testing.assert_allclose(slopes.var(0), spread, rtol=0.12)


def test_the_design_names_every_column():
    trial = simulated(10, visits=2, dropout=0.0, gaps=0.0)
    x, names = design(trial, by_visit=True)
    assert x.shape == (10, 2, len(names))
    assert names[0] == "mean of 0 at week 4"
    assert names[-1] == "base at week 8"


def test_other_structures_have_no_posterior():
    trial = simulated(20)
    with pytest.raises(AnalysisError, match="bootstrap"):
        posterior(trial, Assumption.of(trial), Specification(structure="toeplitz"), draws=2, seed=1)
