"""Simulated trials and slow, literal formulas, for the tests of this folder."""

import numpy as np


def trial(subjects=60, visits=4, missing=0.15, seed=0, arms=2):
    """(response, design, subject, visit, arm, covariate): arm by visit and a covariate; missing at random."""
    rng = np.random.default_rng(seed)
    time = np.arange(visits)
    root = np.linalg.cholesky((0.3 + 0.7 * 0.6 ** abs(time[:, None] - time)) * np.outer(2 + 0.4 * time, 2 + 0.4 * time))
    arm, covariate = np.arange(subjects) % arms, rng.normal(size=subjects) * 3 + 50
    y = 10 + arm[:, None] * 0.5 * time + 0.2 * covariate[:, None] + rng.normal(size=(subjects, visits)) @ root.T
    y[rng.random(y.shape) < missing] = np.nan
    y[0] = np.where(np.isnan(y[0]), 20.0, y[0])
    s, v, a = np.repeat(np.arange(subjects), visits), np.tile(time, subjects), np.repeat(arm, visits)
    x = np.column_stack([(v == k) & (a == j) for j in range(arms) for k in time] + [np.repeat(covariate, visits)])
    return y.ravel(), x.astype(float), s, v, a, np.repeat(covariate, visits)


def dense(y, x, subject, visit, sigma, weights=None):
    """(y, X, V) of the rows with an outcome, V the whole covariance matrix."""
    seen = ~np.isnan(y)
    y, x, subject, visit = y[seen], x[seen], subject[seen], visit[seen]
    v = np.where(subject[:, None] == subject, sigma[np.ix_(visit, visit)], 0.0)
    if weights is not None:
        v = v / np.sqrt(np.outer(weights[seen], weights[seen]))
    return y, x, v
