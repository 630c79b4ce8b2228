"""A pump's bolus wizard, used by a person who looks at meals and now and then between them.

::

    meal       = carbohydrate/ratio
    correction = (glucose - target)/factor
    bolus      = max(0, meal + (max(0, correction - on board) if correction > 0 else correction))

Insulin on board is that of boluses. It lowers a correction and never the meal's part, as wizards of pumps do (from
memory). Between meals the wizard is asked when glucose is above ``look_above``, at most every ``look_every`` minutes.
"""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp

from medtwin.population.controllers.controller import Controller, Dose, Number, Seen
from medtwin.population.controllers.insulin_on_board import nothing, on_board, remember
from medtwin.population.days import SLOT
from medtwin.population.therapy import Therapy


def wizard(carbohydrate: Number, glucose: Number, board: Number, therapy: Therapy) -> Number:
    """The bolus, U, of the formula above."""
    correction = (glucose - therapy.target) / therapy.correction_factor
    part = jnp.where(correction > 0.0, jnp.maximum(correction - board, 0.0), correction)
    return jnp.maximum(carbohydrate / therapy.carbohydrate_ratio + part, 0.0)


class BolusWizard(Controller):
    """Basal rate as set; boluses by the wizard."""

    name: ClassVar[str] = "bolus-wizard"
    look_above: float = 200.0  #: mg/dL
    look_every: float = 180.0  #: min, judgement

    def begin(self, therapy: Therapy) -> Any:
        return nothing(therapy.basal), jnp.full_like(therapy.basal, self.look_every)

    def decide(self, state: Any, seen: Seen, therapy: Therapy) -> tuple[Any, Dose]:
        memory, since = state
        memory = remember(memory, seen.bolus)
        asked = (seen.carbohydrate > 0.0) | ((seen.glucose > self.look_above) & (since >= self.look_every))
        bolus = wizard(seen.carbohydrate, seen.glucose, on_board(memory), therapy)
        since = jnp.where(asked, jnp.zeros_like(since), since) + SLOT
        return (memory, since), Dose(basal=therapy.basal, bolus=jnp.where(asked, bolus, jnp.zeros_like(bolus)))
