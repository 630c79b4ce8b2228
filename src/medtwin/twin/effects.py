"""How wrong a model is about what a plan changes.

Members of a belief differ in parameters; all of them obey the model's equations, which are not the body's. So their spread
alone promises too much: on people of other equations their 90 % intervals held fewer than half of the truths
(``docs/evidence/what-if.md``). A member's effect is therefore multiplied by ``exp(sd e)`` with one normal ``e`` a member. ``sd``
is the root mean square of log(true effect / median effect) in people of another world, by time since the plan; it was
estimated for each model in one set of people and is scored in others (:mod:`medtwin.evidence.what_if`).

Such an error knows no mass. Glucose cannot rise by more than all that was eaten in the volume that it spreads over, and not
fall below nothing: :func:`most` and ``least`` cut an effect off there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

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


#: dL/kg, of glucose: the smallest in the models that ship (Cappon 2023, VG; DallaMan 2007 has 1.88 in health, 1.49 in type 2)
VOLUME = 1.45
#: what may be added beside carbohydrate without that glucose rises by it
LOWERING = frozenset({"insulin_bolus", "insulin_long_acting", "heart_rate"})


def most(
    added: Iterable[tuple[str, float, datetime]], times: Sequence[datetime], weight: float | None
) -> NDArray[np.float64]:
    """The greatest rise of glucose ``(times,)``, mg/dL, that what was added (quantity, amount, when) can make in a body of
    ``weight`` kg: all carbohydrate eaten by then, none of it used, in :data:`VOLUME`. Infinite where the weight is not known or
    something else than carbohydrate and :data:`LOWERING` was added."""
    added = list(added)
    if weight is None or any(quantity not in LOWERING | {"carbohydrate_intake"} for quantity, _, _ in added):
        return np.full(len(times), np.inf)
    eaten = [[grams for quantity, grams, at in added if quantity == "carbohydrate_intake" and at <= t] for t in times]
    return np.array([1000.0 * sum(grams) for grams in eaten]) / (VOLUME * weight)


def with_model_error(
    change: NDArray[np.float64],
    hours: ArrayLike,
    model: str,
    scale: float = 1.0,
    *,
    least: NDArray[np.float64] | float = -np.inf,
    most: NDArray[np.float64] | float = np.inf,
) -> NDArray[np.float64]:
    """``change (times, members)`` with the own error of ``model`` (its name) in it; ``hours (times,)`` since the first
    planned event. The error moves no change beyond ``least`` and ``most``, which broadcast to ``change``; a change that was
    beyond without it stays."""
    e: NDArray[np.float64] = np.asarray(np.random.default_rng(1).standard_normal(change.shape[1]))
    e = (e - e.mean()) / e.std()  # the median stays where the members have it
    wide = change * np.exp(scale * model_error(hours, model)[:, None] * e[None])
    return np.clip(wide, np.minimum(change, least), np.maximum(change, most))
