"""Assurance: power averaged over what is not known - the correlation of the score, and the effect.

``assurance = E[ power(correlation, effect) ]`` (O'Hagan, Stevens & Campbell 2005, Pharm. Stat. 4:187). The correlation has a
normal law on Fisher's scale, ``atanh(r) ~ N(atanh(r0), 1/(n - 3))`` after n historical patients, or with a standard error that
is stated; the effect a normal law. Gauss-Hermite sums, 15 nodes each; an effect on the wrong side of the null value counts
as no success.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.planning.checks import correlation, finite, positive

METHOD = "Gauss-Hermite average over a normal law of Fisher's z and of the effect"
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
SHARES = WEIGHTS / WEIGHTS.sum()


def fisher_spread(r: float, *, historical: int | None = None, standard_error: float | None = None) -> float:
    """Standard deviation of atanh(r): ``1/sqrt(n - 3)``, or ``se/(1 - r^2)``; 0 where neither is given."""
    correlation("correlation", r)
    if historical is not None:
        if historical < 4:
            raise AnalysisError(f"{historical} historical patients", expected="4 or more")
        return 1.0 / math.sqrt(historical - 3.0)
    return 0.0 if standard_error is None else positive("standard error", standard_error, zero=True) / (1.0 - r * r)


def assurance(power_of: Callable[[float, float], float], r: float, effect: float, null: float = 0.0, *, spread: float = 0.0,
              effect_sd: float = 0.0) -> float:  # fmt: skip
    """``power_of(correlation, effect)`` averaged; ``spread`` on Fisher's scale, ``effect_sd`` on the effect's own scale."""
    positive("spread", spread, zero=True)
    positive("standard deviation of the effect", effect_sd, zero=True)
    side = math.copysign(1.0, finite("effect", effect) - null)
    rs = (
        [(math.tanh(math.atanh(r) + spread * z), w) for z, w in zip(NODES, SHARES, strict=True)]
        if spread
        else [(r, 1.0)]
    )
    effects = (
        [(effect + effect_sd * z, w) for z, w in zip(NODES, SHARES, strict=True)] if effect_sd else [(effect, 1.0)]
    )
    return float(sum(wr * we * power_of(one, d) for one, wr in rs for d, we in effects if (d - null) * side > 1e-12))
