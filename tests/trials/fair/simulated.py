"""Trials whose score is fair by construction, or unfair in a known way."""

import numpy as np
from scipy import special


def binary(rng, size=600, *, groups=("a", "b", "c"), shift=0.0, flatten=1.0):
    """Risks of which events are drawn; in group ``b`` the score says a risk off by ``shift`` and too extreme by 1/``flatten``."""
    group = rng.choice(groups, size)
    eta = rng.normal(-0.4, 1.0, size)
    y = (rng.random(size) < special.expit(eta)).astype(float)
    said = np.where(group == "b", eta / flatten - shift, eta)
    return {"y": y, "p": special.expit(said), "group": group.tolist()}


def continuous(rng, size=600, *, groups=("a", "b"), useless=False, noisy=1.0):
    """An outcome of a baseline and a score; for group ``b`` the score says nothing (``useless``), or all is ``noisy`` there."""
    group = rng.choice(groups, size)
    baseline, rest = rng.normal(size=size), rng.normal(size=size)
    arm = rng.integers(0, 2, size)
    twin = baseline + rest
    error = rng.normal(size=size) * np.where(group == "b", noisy, 1.0)
    y = baseline + np.where((group == "b") & useless, rng.normal(size=size), rest) + error
    return {
        "y": y + 0.5 * arm, "p": twin, "y0": baseline, "arm": arm, "group": group.tolist(), "subject": list(range(size)),
        "half": rng.integers(0, 2, size),
    }  # fmt: skip
