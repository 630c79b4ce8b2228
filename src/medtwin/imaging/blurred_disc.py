"""A disc seen through a Gaussian point spread: the share of the disc's brightness at a distance from its centre.

For a disc of radius r and a spread of one standard deviation s, at distance d::

    S(d; r, s) = P(X <= (r/s)²),   X ~ non-central chi-squared, 2 degrees of freedom, non-centrality (d/s)²

(the chance that a two-dimensional normal about d lies in the disc; 1 - Marcum's Q). Read from a table, to 1e-3.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ncx2

Array = NDArray[np.float64]
LARGEST, REACH, STEP = 12.0, 6.0, 0.05  #: radius over spread; distance from the edge over spread


@cache
def _table() -> Array:
    r = np.arange(0.0, LARGEST + STEP, STEP)[:, None]
    d = np.maximum(r + np.arange(-REACH, REACH + STEP, STEP)[None], 0.0)
    made = ncx2.cdf(np.maximum(r, 1e-9) ** 2, 2, np.maximum(d, 1e-9) ** 2)
    return np.nan_to_num(np.asarray(made, float))


def share(distance: Array, radius: Array, spread: Array) -> Array:
    """S for arrays that broadcast, mm; 1 in the middle of a wide disc, 0 far outside."""
    table = _table()
    r = np.clip(radius / spread, 0.0, LARGEST) / STEP
    t = np.clip((distance - radius) / spread + REACH, 0.0, 2.0 * REACH - 1e-9) / STEP
    r, t = np.broadcast_arrays(r, t)
    i, j = np.minimum(r.astype(np.intp), table.shape[0] - 2), np.minimum(t.astype(np.intp), table.shape[1] - 2)
    a, b = r - i, t - j
    flat, width = table.ravel(), table.shape[1]
    k = i * width + j
    low = flat[k] * (1.0 - b) + flat[k + 1] * b
    high = flat[k + width] * (1.0 - b) + flat[k + width + 1] * b
    return np.asarray(low * (1.0 - a) + high * a)
