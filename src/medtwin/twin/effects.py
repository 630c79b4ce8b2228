"""How wrong a model is about what a plan changes.

Members of a belief differ in parameters; all of them obey the model's equations, which are not the body's. So their spread
alone promises too much: on people of other equations their 90 % intervals held fewer than half of the truths
(``docs/evidence/what-if.md``). A member's effect is therefore multiplied by ``exp(sd e)`` with one normal ``e`` a member. ``sd``
is the root mean square of log(true effect / median effect) in people of another world, by time since the plan; it was
estimated for each model in one set of people and is scored in others (:mod:`medtwin.evidence.what_if`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: hours since the first planned event; sd of the logarithm of the effect
HOURS = (2 / 3, 5 / 3, 8 / 3, 11 / 3, 17 / 3)
ERROR = {
    "glucose_insulin": (0.64, 0.46, 0.41, 0.42, 0.79),
    "glucose_meals": (0.76, 0.64, 0.80, 1.06, 1.14),
}  # fmt: skip
#: of a model that was not measured: at each time the greatest of those that were
UNMEASURED = tuple(max(column) for column in zip(*ERROR.values(), strict=True))


def model_error(hours: ArrayLike, model: str) -> NDArray[np.float64]:
    """The sd of the logarithm of an effect that is this old; constant before and after the knots."""
    return np.interp(np.asarray(hours, float), HOURS, ERROR.get(model, UNMEASURED))


def with_model_error(
    change: NDArray[np.float64], hours: ArrayLike, model: str, scale: float = 1.0
) -> NDArray[np.float64]:
    """``change (times, members)`` with the own error of ``model`` (its name) in it; ``hours (times,)`` since the first
    planned event."""
    e: NDArray[np.float64] = np.asarray(np.random.default_rng(1).standard_normal(change.shape[1]))
    e = (e - e.mean()) / e.std()  # the median stays where the members have it
    return change * np.exp(scale * model_error(hours, model)[:, None] * e[None])
