"""The error models of ``physiology/sensor_errors``, reading by reading, as a controller meets them.

The models, their sources and their numbers are there; here is only their law step by step, with the same parameters: a sensor
that starts from its stationary law, steps every five minutes, and is put on anew at the end of its life. The tests hold one to
the other. Memory has the people's shape; ``age`` counts readings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from medtwin.errors import ModelError
from medtwin.physiology.sensor_errors.autoregression import Autoregression
from medtwin.physiology.sensor_errors.breton import SPACING, Breton, dexcom, johnson
from medtwin.physiology.sensor_errors.compression import Compression, pressed
from medtwin.physiology.sensor_errors.drifting import Drifting
from medtwin.physiology.sensor_errors.facchinetti import g5, seven_plus
from medtwin.physiology.sensor_errors.vettoretti import g6
from medtwin.population.days import SLOT, SLOTS
from medtwin.population.sensor import Autoregressive, Exact, Number, Sensor

Normals = Float[Array, "draws n"]


class Labelled(Sensor):
    """Of a device: called as it is."""

    label: str = eqx.field(static=True)

    @property
    def name(self) -> str:
        """As the command line calls it."""
        return self.label


class Knots(Labelled):
    """Breton: an autoregression every 15 min through a Johnson law, on a line in between."""

    law: Breton

    @property
    def draws(self) -> int:
        """Of the knot, and of the first one."""
        return 2

    def begin(self, like: Number) -> Any:
        zero = jnp.zeros_like(like)
        return zero, zero, zero

    def read(self, state: Any, glucose: Number, normal: Normals) -> tuple[Any, Number]:
        left, right, age = state
        r, every = self.law.persistence, SPACING / SLOT
        phase = jnp.mod(age, every)
        left = jnp.where(age < 0.5, r / (1.0 - r**2) ** 0.5 * normal[1], jnp.where(phase < 0.5, right, left))
        right = jnp.where(phase < 0.5, r * (left + normal[0]), right)
        share = phase / every
        error = (1.0 - share) * johnson(self.law, left) + share * johnson(self.law, right)
        return (left, right, age + 1.0), jnp.clip(glucose + error, self.law.low, self.law.high)


class Drifts(Labelled):
    """Drifting: gain and offset of a sensor's age, and two autoregressions of second order."""

    law: Drifting

    @property
    def draws(self) -> int:
        """Two noises, and gain and offset of a new sensor."""
        return 4

    def begin(self, like: Number) -> Any:
        return tuple(jnp.zeros_like(like) for _ in range(7))

    def read(self, state: Any, glucose: Number, normal: Normals) -> tuple[Any, Number]:
        own, own_before, common, common_before, gain, offset, age = state
        law = self.law
        life = law.lifetime * SLOTS
        worn = jnp.mod(age, life)
        gain = jnp.where(worn < 0.5, law.gain_sd * normal[2], gain)
        offset = jnp.where(worn < 0.5, law.offset_sd * normal[3], offset)
        own, own_before = _next(law.own, own, own_before, normal[0], age), own
        common, common_before = _next(law.common, common, common_before, normal[1], age), common
        a, b = law.calibration(worn / SLOTS)
        reading = (a + gain) * glucose + b + offset + own + common
        state = own, own_before, common, common_before, gain, offset, age + 1.0
        return state, jnp.clip(reading, law.low, law.high)


def _next(law: Autoregression, last: Number, before: Number, normal: Number, age: Number) -> Number:
    """The first two values are of the stationary law."""
    spread, near = law.variance**0.5, law.correlation
    first, second = spread * normal, near * last + spread * (1.0 - near**2) ** 0.5 * normal
    later = law.first * last + law.second * before + law.innovation**0.5 * normal
    return jnp.where(age < 0.5, first, jnp.where(age < 1.5, second, later))


class Pressed(Labelled):
    """Compression lows of the night on the readings of ``under``; time starts at midnight."""

    law: Compression
    under: Sensor

    @property
    def draws(self) -> int:
        """Those of the sensor below, and whether, when, how long and how deep."""
        return self.under.draws + 4

    def begin(self, like: Number) -> Any:
        zero = jnp.zeros_like(like)
        return self.under.begin(like), zero, zero, zero, zero

    def read(self, state: Any, glucose: Number, normal: Normals) -> tuple[Any, Number]:
        beneath, begins, lasts, depth, age = state
        below = self.under.draws
        beneath, seen = self.under.read(beneath, glucose, normal[0] if below == 1 else normal[:below])
        law, minute = self.law, jnp.mod(age * SLOT - self.law.night_from, 1440.0)  # since the night began
        evening = (minute < SLOT) | (age < 0.5)
        happens, when, long, deep = normal[below:]
        at = _uniform(when) * (law.night_hours * 60.0 - law.duration)
        falls = jnp.where(_uniform(happens) < law.per_night, law.depth * jnp.exp(law.depth_spread * deep), 0.0)
        begins = jnp.where(evening, at, begins)
        lasts = jnp.where(evening, law.duration * jnp.exp(law.duration_spread * long), lasts)
        depth = jnp.where(evening, falls, depth).astype(glucose.dtype)
        low = depth * pressed(minute - begins, lasts, law.time_constant)
        held = jnp.where(low > 0.0, jnp.maximum(jnp.minimum(law.low, seen), seen - low), seen)
        return (beneath, begins, lasts, depth, age + 1.0), held


def _uniform(normal: Number) -> Number:
    return norm.cdf(normal)


#: By the names of the command line.
SENSORS: Mapping[str, Callable[[], Sensor]] = {
    "autoregressive": Autoregressive,
    "exact": Exact,
    "breton": lambda: Knots("breton", dexcom()),
    "seven-plus": lambda: Drifts("seven-plus", seven_plus()),
    "g5": lambda: Drifts("g5", g5()),
    "g6": lambda: Drifts("g6", g6()),
    "g6-compression": lambda: Pressed("g6-compression", Compression(g6()), Drifts("g6", g6())),
}


def sensor_of(name: str) -> Sensor:
    """Raises :class:`ModelError` where no sensor has that name."""
    if name not in SENSORS:
        raise ModelError(f"the sensor {name!r}", expected=f"one of {', '.join(SENSORS)}")
    return SENSORS[name]()
