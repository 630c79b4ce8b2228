"""People, days, sensor and controller in one loop: block by block in 32 bit, the same whatever the block.

Every five minutes: the sensor reads, the controller decides, the pump limits, somebody eats; then five one-minute steps of
the model with what is given held (a bolus is given evenly over its five minutes). Metrics run along on ``measured``:
plasma glucose by default, which only a simulation knows; or what the sensor reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from medtwin.errors import ModelError
from medtwin.physiology.model import Model
from medtwin.population.controllers.controller import Controller, Dose, Seen
from medtwin.population.controllers.pump import Pump
from medtwin.population.days import SLOT, SLOTS, Day, Scenario, day_of, eaten_in, said_in
from medtwin.population.metrics import Tally, add, begin
from medtwin.population.people import People, keys_of
from medtwin.population.sensor import Autoregressive, Sensor
from medtwin.population.therapy import Therapy, misjudged

BLOCK = 512  #: people side by side; their states stay in the cache of a core
MEASURED = ("blood_glucose", "glucose", "sensor")
#: Parameters that differ from day to day, where a model has them.
DAILY = (("insulin_sensitivity", "sensitivity"), ("meal_absorption", "absorption"))


@dataclass(frozen=True)
class Lived:
    """A block of people after their days. ``trace``: (readings, n), mg/dL, as measured."""

    people: slice
    tally: Tally
    trace: np.ndarray


class Body(eqx.Module):
    """Everything that a person carries from slot to slot."""

    model: Any
    controller: Any
    sensor: Any
    recent: Any  #: U of the last hour
    given: Any  #: U in the slot before, and of it as a bolus
    bolus: Any
    since: Any  #: minutes since something was eaten against a low


class Course(eqx.Module):
    """How people live and what doses them."""

    model: Model
    controller: Controller | None
    scenario: Scenario
    sensor: Sensor
    pump: Pump
    measured: str = eqx.field(static=True)

    def start(self, parameters: Any, therapy: Therapy | None) -> Body:
        """At rest, at midnight."""
        state = self.model.initial(parameters)
        like = self.model.observe(jnp.zeros(()), state, parameters)["glucose"]
        zero = jnp.zeros_like(like)
        memory = () if self.controller is None or therapy is None else self.controller.begin(therapy)
        return Body(state, memory, self.sensor.begin(like), zero, zero, zero, jnp.full_like(zero, 1e3))

    def read(self, body: Body, parameters: Any, normal: Any, minute: Any) -> tuple[Body, Any, Any]:
        """What the sensor reads, and what is measured."""
        seen = self.model.observe(minute, body.model, parameters)
        memory, reading = self.sensor.read(body.sensor, seen["glucose"], normal)
        measured = reading if self.measured == "sensor" else seen[self.measured]
        return eqx.tree_at(lambda b: b.sensor, body, memory), reading, measured

    def live(self, body: Body, parameters: Any, dose: Dose, eaten: Any, exercise: Any, minute: Any) -> Body:
        """Five minutes: ``eaten`` in g/min, the dose as the pump gives it."""
        given = {
            "carbohydrate_intake": eaten, "insulin_bolus": dose.bolus / SLOT, "insulin_basal_rate": dose.basal,
            "heart_rate": exercise,
        }  # fmt: skip
        held = {name: value for name, value in given.items() if any(a.quantity == name for a in self.model.accepts)}
        kind = eaten.dtype

        def advance(state: Any, more: Any) -> tuple[Any, None]:
            return self.model.step(minute + more, jnp.ones((), kind), state, parameters, held), None

        state, _ = jax.lax.scan(advance, body.model, jnp.arange(SLOT, dtype=kind))
        basal = dose.basal * (SLOT / 60.0)
        return eqx.tree_at(
            lambda b: (b.model, b.given, b.bolus, b.since),
            body,
            (state, basal + dose.bolus, dose.bolus, body.since + SLOT),
        )

    def slot(
        self, body: Body, tally: Tally, parameters: Any, therapy: Therapy | None, day: Day, i: Any, normal: Any
    ) -> Any:
        """One slot: read, decide, limit, eat, live."""
        minute = SLOT * i.astype(normal.dtype)
        body, reading, measured = self.read(body, parameters, normal, minute)
        food, said = eaten_in(day, minute), said_in(day, minute)
        zero = jnp.zeros_like(reading)
        s = self.scenario
        helps = jnp.zeros_like(reading)
        if therapy is None or self.controller is None:
            dose = Dose(basal=zero, bolus=zero)
        else:
            helped = (reading < s.rescue_below) & (body.since >= s.rescue_every)
            helps = jnp.where(helped, s.rescue, 0.0).astype(reading.dtype)
            seen = Seen(reading, said, body.given, body.bolus, minute)
            memory, dose = self.controller.decide(body.controller, seen, therapy)
            dose, recent = self.pump.within(dose, body.recent, therapy)
            since = jnp.where(helped, 0.0, body.since).astype(reading.dtype)
            body = eqx.tree_at(lambda b: (b.controller, b.recent, b.since), body, (memory, recent, since))
        heart = zero
        if s.exercise is not None:
            active = (minute >= s.exercise.at) & (minute < s.exercise.at + s.exercise.minutes)
            heart = day.exercises * jnp.where(active, s.exercise.heart_rate, 0.0).astype(reading.dtype)
        tally = add(tally, measured, dose.basal * (SLOT / 60.0), dose.bolus, food * SLOT + helps, helps)
        return self.live(body, parameters, dose, food + helps / SLOT, heart, minute), tally, measured


def of_day(parameters: Any, day: Day) -> Any:
    """Parameters with the factors of a day."""
    for name, factor in DAILY:
        if hasattr(parameters, name):
            changed = getattr(parameters, name) * getattr(day, factor)
            parameters = eqx.tree_at(attrgetter(name), parameters, changed)
    return parameters


@eqx.filter_jit
def _block(course: Course, parameters: Any, therapy: Therapy | None, keys: Any, days: Any, keep: bool) -> Any:
    weight = parameters.body_weight
    if therapy is not None:
        drawn = jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, 2**32 - 1), (3,), weight.dtype))(keys)
        therapy = misjudged(therapy, jnp.clip(drawn.T, -2.5, 2.5), course.scenario.settings_sd)

    def one_day(carry: Any, number: Any) -> Any:
        day = day_of(course.scenario, keys, number, weight)
        today = of_day(parameters, day)

        def one_slot(carry: Any, xs: Any) -> Any:
            (body, tally), (i, normal) = carry, xs
            body, tally, measured = course.slot(body, tally, today, therapy, day, i, normal)
            return (body, tally), (measured if keep else None)

        return jax.lax.scan(one_slot, carry, (jnp.arange(SLOTS), day.noise))

    start = (course.start(parameters, therapy), begin(jnp.zeros_like(weight)))
    (_, tally), trace = jax.lax.scan(one_day, start, days)
    return tally, trace.reshape(-1, weight.size) if keep else jnp.zeros((0, weight.size), weight.dtype)


def course_of(
    people: People, controller: Controller | None, scenario: Scenario | None = None, sensor: Sensor | None = None,
    measured: str = "blood_glucose",
) -> Course:  # fmt: skip
    """Raises :class:`ModelError` where the parts do not fit: exercise for a model without, a controller for nobody."""
    scenario, accepted = scenario or Scenario(), {one.quantity for one in people.model.accepts}
    if measured not in MEASURED:
        raise ModelError(f"{measured!r} to be measured", expected=f"one of {', '.join(MEASURED)}")
    if scenario.exercise is not None and "heart_rate" not in accepted:
        raise ModelError(
            f"exercise for {people.model.name}", expected="a model that accepts a heart rate: glucose_meals"
        )
    if controller is not None and people.therapy is None:
        raise ModelError(f"a controller of insulin for people of kind {people.kind}", expected="people of kind t1d")
    if controller is None and people.therapy is not None:
        raise ModelError(
            "people who need insulin, and nothing that gives it", expected="a controller, such as open-loop"
        )
    return Course(people.model, controller, scenario, sensor or Autoregressive(), Pump(), measured)


def simulate(
    people: People, course: Course, days: int, *, keep: bool = False, block: int = BLOCK,
    tell: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> Iterator[Lived]:  # fmt: skip
    """Each block in turn, numpy arrays; a block's people do not depend on the block. ``keep``: traces too."""
    if days < 1:
        raise ModelError(f"{days} days", expected="one or more")
    block = min(block, len(people))
    for first in range(0, len(people), block):
        chosen = np.minimum(np.arange(first, first + block), len(people) - 1)  # the last block is filled up
        some, held = people.some(chosen), min(block, len(people) - first)
        with jax.enable_x64(False):
            keys = keys_of(people.seed, jnp.asarray(some.number), stream=1)
            parameters, therapy = jax.tree.map(jnp.asarray, (some.parameters, some.therapy))
            made = _block(course, parameters, therapy, keys, jnp.arange(days), keep)
            tally, trace = jax.tree.map(lambda leaf, held=held: np.asarray(leaf)[..., :held], made)
        yield Lived(slice(first, first + held), tally, trace)
        tell("people", min(first + block, len(people)), len(people))
