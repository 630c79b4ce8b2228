"""A cohort from known parameters: irregular visits, missing outcomes."""

import numpy as np

from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.outcome import Outcome

OUTCOMES = (Outcome("first", "mg"), Outcome("second", "mmol"))
BETA = np.array([[1.0, 0.5, 0.8, -0.3], [-2.0, 0.2, 0.1, 0.4]])  # (outcome, 1 | time | c | c:time)
_ROOT = np.array([[0.9, 0, 0, 0], [0.2, 0.4, 0, 0], [0.3, 0.1, 0.7, 0], [0.1, 0.2, 0.05, 0.3]])
EFFECTS = _ROOT @ _ROOT.T
RESIDUAL = np.array([[0.5, 0.2], [0.2, 0.8]])


def cohort(seed, patients=150, visits=5, missing=0.15, regular=False):
    rng = np.random.default_rng(seed)
    c = rng.standard_normal(patients)
    effects = rng.standard_normal((patients, 4)) @ _ROOT.T
    count = np.full(patients, visits) if regular else rng.integers(1, visits + 1, patients)
    subject = np.repeat(np.arange(patients), count)
    time = np.concatenate([np.arange(k) + 1.0 if regular else np.sort(rng.uniform(0.1, 4.0, k)) for k in count])
    x = np.column_stack([np.ones(len(time)), time, c[subject], c[subject] * time])
    y = x @ BETA.T + effects[subject, 0::2] + effects[subject, 1::2] * time[:, None]
    y += rng.standard_normal(y.shape) @ np.linalg.cholesky(RESIDUAL).T
    y[rng.random(y.shape) < missing] = np.nan
    baseline = Baseline.of([f"p{k}" for k in range(patients)], c[:, None], ["c"])
    return Cohort.of(baseline, OUTCOMES, subject, time, y)
