"""Any Python as a controller, person by person: slow, and nothing to learn.

``make(settings)`` is called once for each person with their settings (basal U/h, carbohydrate_ratio g/U,
correction_factor mg/dL/U, target mg/dL, body_weight kg) and answers ``decide(seen) -> (basal U/h, bolus U)``, where ``seen``
has glucose (mg/dL), carbohydrate (g), delivered (U), bolus (U) and minute. Whatever it must remember it keeps itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback

from medtwin.population.controllers.controller import Controller, Dose, Seen
from medtwin.population.therapy import Therapy

Decide = Callable[[Mapping[str, float]], tuple[float, float]]
Make = Callable[[Mapping[str, float]], Decide]


class PythonController(Controller):
    """``label`` names it in results."""

    make: Make = eqx.field(static=True)
    label: str = eqx.field(static=True, default="python")
    name = "python"

    def begin(self, therapy: Therapy) -> Any:
        people: list[Decide] = []

        def made(*columns: np.ndarray) -> np.ndarray:
            names = [one.name for one in fields(Therapy)]
            rows = zip(*(np.asarray(column).tolist() for column in columns), strict=True)
            people[:] = [self.make(dict(zip(names, row, strict=True))) for row in rows]
            _HELD[id(self)] = people
            return np.zeros((), np.int32)

        return io_callback(made, jax.ShapeDtypeStruct((), jnp.int32), *jax.tree.leaves(therapy), ordered=True)

    def decide(self, state: Any, seen: Seen, therapy: Therapy) -> tuple[Any, Dose]:
        kind = jax.ShapeDtypeStruct(seen.glucose.shape, seen.glucose.dtype)

        def decided(glucose: Any, carbohydrate: Any, delivered: Any, bolus: Any, minute: Any) -> tuple[Any, Any]:
            columns = [np.asarray(one).tolist() for one in (glucose, carbohydrate, delivered, bolus)]
            answers = [
                person(dict(zip(_SEEN, (*row, float(minute)), strict=True)))
                for person, row in zip(_HELD[id(self)], zip(*columns, strict=True), strict=True)
            ]
            both = np.asarray(answers, kind.dtype)
            return both[:, 0], both[:, 1]

        given = (seen.glucose, seen.carbohydrate, seen.delivered, seen.bolus, seen.minute)
        basal, bolus = io_callback(decided, (kind, kind), *given, ordered=True)
        return state, Dose(basal=basal, bolus=bolus)


_SEEN = ("glucose", "carbohydrate", "delivered", "bolus", "minute")
_HELD: dict[int, list[Decide]] = {}  #: the people of each controller now running
