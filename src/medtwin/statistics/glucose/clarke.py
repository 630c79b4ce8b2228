"""Clarke's error grid: what an error of glucose would do to treatment.

Clarke et al., Diabetes Care 10 (1987): 622; R reference, E estimate, mg/dL. The first line that holds decides::

    E  R <= 70 and E >= 180, or R >= 180 and E <= 70                       the opposite treatment
    A  |E - R| <= 0.2 R, or both below 70                                  right
    C  130 <= R <= 180 and E < 7/5 (R - 130), or R > 70, E > 180 and E > R + 110     overcorrected
    D  (R < 70 or R > 240) and 70 <= E < 180                               missed
    B  all others                                                          harmless

The paper draws lines and leaves points on them open; edges are given as ega 2.0.0 gives them, whose zones are the
tests' reference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

ZONES = np.array(list("ABCDE"))


def clarke(reference: ArrayLike, estimate: ArrayLike) -> np.ndarray:
    """Zone A to E of each pair (N,)."""
    r, e = np.asarray(reference, float), np.asarray(estimate, float)
    opposite = ((r <= 70.0) & (e >= 180.0)) | ((r >= 180.0) & (e <= 70.0))
    right = (np.abs(e - r) / r * 100.0 <= 20.0) | ((r < 70.0) & (e < 70.0))
    over = ((r >= 130.0) & (r <= 180.0) & (e < 7.0 / 5.0 * (r - 130.0))) | ((r > 70.0) & (e > 180.0) & (e > r + 110.0))
    missed = ((r < 70.0) | (r > 240.0)) & (e >= 70.0) & (e < 180.0)
    return np.select([opposite, right, over, missed], ZONES[[4, 0, 2, 3]], default=ZONES[1])
