"""What identified models say a meal, a unit of insulin would do to this person: where two structures disagree.

From rest, at the hours of a breakfast, a lunch and a dinner: the change of glucose that 20 g of carbohydrate, or one unit of
rapid insulin, makes; its extreme over ``AHEAD`` hours, with the interval of the parameters' posterior. Two models that fit the
same days and differ here show what the days cannot decide: model-form uncertainty, which neither posterior holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medtwin.twin.identify import Identification

HOURS = {"breakfast": 8.0, "lunch": 13.0, "dinner": 19.0}
GRAMS, UNITS, AHEAD, DRAWS = 20.0, 1.0, 5.0, 64


@dataclass(frozen=True)
class Response:
    """The extreme change of glucose (mg/dL) after what is given at that hour: 5 %, median, 95 %."""

    given: str
    at: str
    change: tuple[float, float, float]


def responses(found: Identification, seed: int = 0) -> tuple[Response, ...]:
    """Responses to the inputs that the model accepts; empty where nothing was identified."""
    from medtwin.inference.identification import WIDER, draws

    if found.withheld or found.replay is None:
        return ()
    replay, model = found.replay, found.model
    asked = [
        (quantity, amount, meal)
        for quantity, amount in (("carbohydrate_intake", GRAMS), ("insulin_bolus", UNITS))
        if any(a.quantity == quantity for a in model.accepts)
        for meal in HOURS
    ]
    z = draws(found.identified, 0, DRAWS, seed, WIDER)
    z[-1] = 0.0  # from rest, not from where the window began
    path, length = paths(replay, z, asked)
    made = []
    for j, (quantity, amount, meal) in enumerate(asked):
        begin = round(HOURS[meal] * 60.0 / length)
        change = (path[..., j] - path[..., -1])[begin : begin + round(AHEAD * 60.0 / length)]
        extreme = change.max(0) if quantity == "carbohydrate_intake" else change.min(0)
        low, middle, high = (float(v) for v in np.quantile(extreme, [0.05, 0.5, 0.95]))
        what = f"{amount:g} g carbohydrate" if quantity == "carbohydrate_intake" else f"{amount:g} U rapid insulin"
        made.append(Response(what, f"{meal}, {HOURS[meal]:g} h", (low, middle, high)))
    return tuple(made)


def paths(replay: Any, z: np.ndarray, asked: Sequence[tuple[str, float, str]]) -> tuple[np.ndarray, float]:
    """(glucose ``[step, draw, asked + 1]`` in mg/dL, the last after nothing; minutes a step) for deviates ``z [named, draw]``.

    Each draw is given its own resting inputs (its own basal rate), so that nothing moves it but what is asked.
    """
    import jax
    import jax.numpy as jnp

    from medtwin.inference.identification import Window, started

    clock, count, many = replay.problem.model.clock, z.shape[1], len(asked) + 1
    length = clock.step * clock.unit / 60.0
    steps = round((max(HOURS.values()) + AHEAD) * 60.0 / length)
    wide = jnp.repeat(jnp.asarray(z), many, axis=1)[:, None, :]
    _, parameters = started(replay, wide)
    rest = {
        k: np.broadcast_to(np.asarray(v), (1, count * many))
        for k, v in replay.problem.model.resting(parameters).items()
    }
    inputs = {k: np.repeat(v, steps, axis=0).reshape(steps, count, many) for k, v in rest.items()}
    for j, (quantity, amount, meal) in enumerate(asked):
        begin = round(HOURS[meal] * 60.0 / length)
        lasts = max(1, round((4.0 if quantity == "carbohydrate_intake" else 1.0) / length))
        inputs[quantity][begin : begin + lasts, :, j] += amount / (lasts * clock.step)
    none = jnp.zeros((1, count * many))
    held = Window({k: jnp.asarray(v.reshape(steps, -1)) for k, v in inputs.items()}, jnp.asarray(0.0), *(none,) * 5)
    return np.asarray(jax.jit(lambda z: replay(held, z))(wide)).reshape(steps, count, many), length


def disagree(first: tuple[float, float, float], second: tuple[float, float, float]) -> bool:
    """Whether two intervals (5 %, median, 95 %) leave out each other's medians."""
    return not (first[0] <= second[1] <= first[2]) and not (second[0] <= first[1] <= second[2])
