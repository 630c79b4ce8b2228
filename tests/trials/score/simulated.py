"""Historical patients whose R2 and partial R2 are known, and specifications to learn from them."""

import numpy as np
import polars as pl

from medtwin.trials.score import Context, ScoreSpecification

CONTEXT = Context(
    population="simulated adults", endpoint="y", time="week 12", unit="points", intended_use="covariate", not_for="care"
)
#: y = 0.6 base + 0.4 x + e, all of variance one: R2 = 0.52; of x beyond base 0.16/0.64; of base alone 0.36
SLOPES, R2, PARTIAL, BASELINE_R = (0.6, 0.4), 0.52, 0.16 / 0.64, 0.6


def patients(n, seed, *, effect=0.0, arms=1, shift=0.0):
    """Patients with base, x, noise columns, words, an arm and y (variance one)."""
    rng = np.random.default_rng(seed)
    base, x, idle = rng.normal(size=(3, n)) + np.array([shift, 0.0, 0.0])[:, None]
    y = SLOPES[0] * base + SLOPES[1] * x + np.sqrt(1.0 - R2) * rng.normal(size=n)
    arm = rng.permutation(np.arange(n) % arms)
    site = rng.choice(["north", "south", "west"], size=n)
    return pl.DataFrame({"id": np.arange(n), "base": base, "x": x, "idle": idle, "site": site, "arm": arm,
                         "y": y + effect * arm})  # fmt: skip


def asked(kind="linear", **more):
    """A specification of the simulated endpoint."""
    given = {
        "name": "simulated", "kind": kind, "endpoint": "continuous", "outcome": "y", "context": CONTEXT, "baseline": "base",
        "covariates": ["base", "x", "idle"], "folds": 5,
    }  # fmt: skip
    return ScoreSpecification(**{**given, **more})
