"""What a pump never does, whatever a controller says.

A dose that is not a finite number becomes the basal rate without a bolus. A basal rate is 0 to ``most_basal`` times the
person's own; a bolus is 0 to ``most_bolus`` U/kg; and what is given within about an hour (a sum whose past fades with
a time of one hour) stays below ``most_in_an_hour`` U/kg. The limits are judgement: a meal of 100 g with a ratio of 5 g/U is 0.27
U/kg at 75 kg.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.population.controllers.controller import Dose
from medtwin.population.days import SLOT
from medtwin.population.therapy import Therapy

Number = Float[Array, "n"]


class Pump(eqx.Module):
    """Limits; ``within`` says what is given, and the new sum."""

    most_basal: float = 5.0  #: times the basal rate
    most_bolus: float = 0.35  #: U/kg
    most_in_an_hour: float = 0.5  #: U/kg

    def within(self, dose: Dose, recent: Number, therapy: Therapy) -> tuple[Dose, Number]:
        """``recent``: U of the last hour."""
        finite = jnp.isfinite(dose.basal) & jnp.isfinite(dose.bolus)
        basal = jnp.where(finite, dose.basal, therapy.basal)
        bolus = jnp.where(finite, dose.bolus, jnp.zeros_like(dose.bolus))
        basal = jnp.clip(basal, 0.0, self.most_basal * therapy.basal)
        bolus = jnp.clip(bolus, 0.0, self.most_bolus * therapy.body_weight)
        recent = recent * (1.0 - SLOT / 60.0)
        room = jnp.maximum(self.most_in_an_hour * therapy.body_weight - recent, 0.0)
        bolus = jnp.minimum(bolus, room)
        basal = jnp.minimum(basal, (room - bolus) * (60.0 / SLOT))
        return Dose(basal=basal, bolus=bolus), recent + bolus + basal * (SLOT / 60.0)
