"""Random numbers of a seed and of the values themselves: the same for every order of rows and every name of a group.

Values are sorted before lots are drawn. With the seed alone, every trial of one size would draw the same places of the sorted
order, which are then no lots at all over trials: so the values take part in the seed.
"""

from __future__ import annotations

import hashlib

import numpy as np


def lots(seed: int, *values: np.ndarray) -> np.random.Generator:
    """A generator for ``values``, which must be in their sorted order."""
    told = hashlib.sha256()
    for column in values:
        told.update(np.ascontiguousarray(column, dtype=float).tobytes())
    return np.random.default_rng([seed, int.from_bytes(told.digest()[:8], "little")])
