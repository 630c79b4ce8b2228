"""What a controller is: a pure function from what a pump knows to what it gives.

Write ``begin`` and ``decide`` with JAX, for arrays of people ``(n,)``, and a thousand people run in one compiled loop.
Every five minutes ``decide`` sees a :class:`Seen` and answers a :class:`Dose`; the pump's own limits
(``controllers/pump.py``) stand between the answer and the person, whatever a controller says. See
``docs/write-a-controller.md``.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Array, Float

from medtwin.population.therapy import Therapy

Number = Float[Array, "n"]


class Seen(eqx.Module):
    """What is known when a slot of five minutes begins."""

    glucose: Number  #: the sensor's reading, mg/dL
    carbohydrate: Number  #: said to the pump now, g; zero where nobody eats, or forgot to say it
    delivered: Number  #: insulin given in the slot before, basal and bolus, U
    bolus: Number  #: of it as a bolus, U
    minute: Float[Array, ""]  #: since midnight


class Dose(eqx.Module):
    """What is to be given in this slot."""

    basal: Number  #: U/h
    bolus: Number  #: U


class Controller(eqx.Module):
    """Abstract. Settings of a controller are fields with defaults; its memory is the ``state``."""

    name: ClassVar[str]

    @abc.abstractmethod
    def begin(self, therapy: Therapy) -> Any:
        """Memory at the start: arrays whose last axis is people."""

    @abc.abstractmethod
    def decide(self, state: Any, seen: Seen, therapy: Therapy) -> tuple[Any, Dose]:
        """The next memory, of the same shapes, and the dose."""
