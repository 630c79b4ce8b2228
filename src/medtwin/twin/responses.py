"""What identified models say a meal, a unit of insulin would do to this person: where two structures disagree.

From rest, at the hours of a breakfast, a lunch and a dinner: the change of glucose that 20 g of carbohydrate, or one unit of
rapid insulin, makes; its extreme over ``AHEAD`` hours, with the interval of the parameters' posterior. Two models that fit the
same days and differ here show what the days cannot decide: model-form uncertainty, which neither posterior holds.
"""

from __future__ import annotations

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
    import jax
    import jax.numpy as jnp

    from medtwin.inference.identification import Window, draws, started

    if found.withheld or found.replay is None:
        return ()
    replay, model = found.replay, found.model
    asked = [
        (quantity, amount, meal)
        for quantity, amount in (("carbohydrate_intake", GRAMS), ("insulin_bolus", UNITS))
        if any(a.quantity == quantity for a in model.accepts)
        for meal in HOURS
    ]
    length = model.clock.step * model.clock.unit / 60.0  # minutes a step
    steps = round((max(HOURS.values()) + AHEAD) * 60.0 / length)
    z = draws(found.identified, 0, DRAWS, seed)
    z[-1] = 0.0  # from rest, not from where the window began
    wide = jnp.broadcast_to(jnp.asarray(z)[:, :, None], (len(z), DRAWS, len(asked) + 1))
    _, parameters = started(replay, wide)
    rest: dict[str, Any] = {k: float(np.median(np.asarray(v))) for k, v in model.resting(parameters).items()}
    inputs = {k: np.full((steps, len(asked) + 1), v) for k, v in rest.items()}
    for j, (quantity, amount, meal) in enumerate(asked):
        begin = round(HOURS[meal] * 60.0 / length)
        lasts = max(1, round((4.0 if quantity == "carbohydrate_intake" else 1.0) / length))
        inputs[quantity][begin : begin + lasts, j] += amount / (lasts * model.clock.step)
    none = jnp.zeros((1, len(asked) + 1))
    held = Window({k: jnp.asarray(v) for k, v in inputs.items()}, jnp.asarray(0.0), *(none,) * 5)
    path = np.asarray(jax.jit(lambda z: replay(held, z))(wide))
    made = []
    for j, (quantity, amount, meal) in enumerate(asked):
        begin = round(HOURS[meal] * 60.0 / length)
        change = (path[..., j] - path[..., -1])[begin : begin + round(AHEAD * 60.0 / length)]
        extreme = change.max(0) if quantity == "carbohydrate_intake" else change.min(0)
        low, middle, high = (float(v) for v in np.quantile(extreme, [0.05, 0.5, 0.95]))
        what = f"{amount:g} g carbohydrate" if quantity == "carbohydrate_intake" else f"{amount:g} U rapid insulin"
        made.append(Response(what, f"{meal}, {HOURS[meal]:g} h", (low, middle, high)))
    return tuple(made)


def disagree(first: tuple[float, float, float], second: tuple[float, float, float]) -> bool:
    """Whether two intervals (5 %, median, 95 %) leave out each other's medians."""
    return not (first[0] <= second[1] <= first[2]) and not (second[0] <= first[1] <= second[2])
