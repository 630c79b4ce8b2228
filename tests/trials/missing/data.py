"""Simulated trials for the tests of this folder."""

import numpy as np

from medtwin.trials.missing import RepeatedTrial


def simulated(patients=80, visits=4, dropout=0.15, gaps=0.03, seed=0, arms=2, covariates=1, treated_drop=True):
    """Arm by visit means that part, one or more covariates, correlated visits; dropout that depends on what was seen."""
    rng = np.random.default_rng(seed)
    time = np.arange(visits)
    root = np.linalg.cholesky((0.3 + 0.7 * 0.6 ** abs(time[:, None] - time)) * np.outer(2 + 0.4 * time, 2 + 0.4 * time))
    arm, base = np.arange(patients) % arms, rng.normal(size=(patients, covariates)) * 3 + 50
    y = 10 + arm[:, None] * 0.9 * time + 0.2 * base.sum(1)[:, None] + rng.normal(size=(patients, visits)) @ root.T
    leaves = rng.random(y.shape) < dropout * (1 + (y > y.mean()))
    leaves[:, 0] = False
    if not treated_drop:
        leaves[arm > 0] = False
    gone = np.maximum.accumulate(leaves, 1)
    if gaps and treated_drop:
        gone[:, 1:-1] |= rng.random(y[:, 1:-1].shape) < gaps
    y[gone] = np.nan
    return RepeatedTrial.of(
        y, arm, visits=[f"week {4 * k + 4}" for k in time], covariates=base, covariate_names=["base", "b", "c"][:covariates]
    )  # fmt: skip


def model(trial, seed=1, by_arm=True):
    """Parameters that were not fitted."""
    from medtwin.trials.missing.model import Model

    rng = np.random.default_rng(seed)
    m, arms, q = len(trial.visits), len(trial.arm_names), trial.covariates.shape[1]
    a = rng.normal(size=(arms, m, m + 3))
    sigma = a @ np.swapaxes(a, 1, 2)
    if not by_arm:
        sigma = np.repeat(sigma[:1], arms, 0)
    return Model(rng.normal(size=(arms, m)) * 5, rng.normal(size=(q, m)), sigma)
