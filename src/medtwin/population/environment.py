"""Gymnasium environments of one person and of many, for people who come from simglucose (extra ``gym``).

======================  ==================================================================================================
observation             what the sensor reads, mg/dL, ``(1,)``: 40 to 400, one every five minutes
action                  insulin, U/h as basal, ``(1,)``: 0 to 30 for five minutes; the pump's limits stand behind it
``info``                ``bg``, ``meal`` (g said now), ``eaten`` (g in the next five minutes), ``insulin`` (U given),
                        ``lbgi``, ``hbgi`` (risk of this reading), ``minute``, ``patient_name``
reward                  fall of the risk of plasma glucose: risk before less risk after (Kovatchev 1997)
terminated              plasma glucose below 10 or above 600 mg/dL
truncated               after ``days``
======================  ==================================================================================================

Meals and what is eaten against lows are the scenario's. :class:`CohortEnvironment` runs many people in one compiled step and
starts those whose episode ended again at their next step.

``register()`` makes ``gymnasium.make("medtwin/T1D-v0")`` work. Synthetic people only; nothing here doses anybody.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from medtwin.errors import ModelError
from medtwin.population.controllers.controller import Dose
from medtwin.population.controllers.open_loop import OpenLoop
from medtwin.population.days import SLOT, SLOTS, Scenario, day_of, eaten_in, said_in
from medtwin.population.metrics import risk
from medtwin.population.people import keys_of, virtual_people
from medtwin.population.sensor import HIGHEST, LOWEST, Sensor
from medtwin.population.simulate import Course, course_of, of_day

MOST = 30.0  #: U/h
ENDS = (10.0, 600.0)  #: mg/dL of plasma glucose
Floats = NDArray[np.float32]


def register() -> None:
    """Idempotent."""
    if "medtwin/T1D-v0" not in gymnasium.registry:
        gymnasium.register(
            id="medtwin/T1D-v0", entry_point="medtwin.population.environment:PersonEnvironment",
            vector_entry_point="medtwin.population.environment:CohortEnvironment",
        )  # fmt: skip


#: Gymnasium 1 asks for it; 0.29, which simglucose 0.2 wants, does not know it.
_MODE = getattr(gymnasium.vector, "AutoresetMode", None)


class Loop:
    """People, their bodies now, and one compiled step; shared by both environments."""

    def __init__(self, n: int, seed: int, scenario: Scenario | None, sensor: Sensor | None) -> None:
        self.people = virtual_people("t1d", n, seed)
        # the course needs a controller to know that insulin is given; the action takes its place
        self.course = course_of(self.people, OpenLoop(), scenario, sensor)
        with jax.enable_x64(False):
            self.parameters, self.therapy = jax.tree.map(jnp.asarray, (self.people.parameters, self.people.therapy))

    def start(self, seed: int) -> None:
        """Midnight, at rest; ``seed`` of the days and the noise."""
        with jax.enable_x64(False):
            self.keys = keys_of(seed, jnp.asarray(self.people.number), stream=1)
            self.slots = np.zeros(len(self.people), np.int64)
            self.body = self.course.start(self.parameters, self.therapy)
            self.body, self.seen = _look(
                self.course, self.body, self.parameters, self.keys, jnp.asarray(self.slots, jnp.int32)
            )

    def step(self, action: Any, again: NDArray[np.bool_] | None = None) -> dict[str, Floats]:
        """Give, eat, live five minutes, read. ``again``: people who start anew instead."""
        with jax.enable_x64(False):
            rate = jnp.asarray(action, jnp.float32).reshape(-1)
            slots = jnp.asarray(self.slots, jnp.int32)
            self.body, given, eaten = _live(
                self.course, self.body, self.seen, self.parameters, self.therapy, self.keys, slots, rate
            )
            self.slots += 1
            if again is not None and again.any():
                fresh = self.course.start(self.parameters, self.therapy)
                chosen = jnp.asarray(again)
                self.body = jax.tree.map(partial(_chosen, chosen), fresh, self.body)
                self.slots[again] = SLOTS * (-(-self.slots[again] // SLOTS))  # midnight of a day not yet lived
            slots = jnp.asarray(self.slots, jnp.int32)
            self.body, self.seen = _look(self.course, self.body, self.parameters, self.keys, slots)
        lived = np.ones(len(self.people)) if again is None else ~again  # who starts anew was given and ate nothing
        return {"insulin": np.asarray(given) * lived, "eaten": np.asarray(eaten) * lived}

    def told(self, what: str) -> Floats:
        """``reading``, ``bg``, ``meal``, ``lbgi``, ``hbgi``: (n,)."""
        return np.asarray(self.seen[what], np.float32)


def _chosen(again: Any, fresh: Any, held: Any) -> Any:
    return jnp.where(again, fresh, held)


@eqx.filter_jit
def _look(course: Course, body: Any, parameters: Any, keys: Any, slots: Any) -> Any:
    day = _days(course, keys, slots, parameters)
    at = jnp.mod(slots, SLOTS)
    normal = jnp.take_along_axis(day.noise, at.reshape(1, *(1,) * (day.noise.ndim - 2), -1), axis=0)[0]
    minute = SLOT * at.astype(normal.dtype)
    body, reading, plasma = course.read(body, parameters, normal, minute)
    low, high = risk(plasma)
    return body, {
        "reading": jnp.clip(reading, LOWEST, HIGHEST),
        "bg": plasma,
        "meal": said_in(day, minute),
        "lbgi": low,
        "hbgi": high,
    }


@eqx.filter_jit
def _live(course: Course, body: Any, seen: Any, parameters: Any, therapy: Any, keys: Any, slots: Any, rate: Any) -> Any:
    day = _days(course, keys, slots, parameters)
    minute = SLOT * jnp.mod(slots, SLOTS).astype(rate.dtype)
    s = course.scenario
    helped = (seen["reading"] < s.rescue_below) & (body.since >= s.rescue_every)
    helps = jnp.where(helped, s.rescue, 0.0).astype(rate.dtype)
    # more than the pump's greatest basal rate is given as a bolus: an action is an amount of insulin
    basal = jnp.minimum(rate, course.pump.most_basal * therapy.basal)
    asked = Dose(basal=basal, bolus=(rate - basal) * (SLOT / 60.0))
    dose, recent = course.pump.within(asked, body.recent, therapy)
    body = eqx.tree_at(
        lambda b: (b.recent, b.since), body, (recent, jnp.where(helped, 0.0, body.since).astype(rate.dtype))
    )
    food = eaten_in(day, minute) + helps / SLOT
    body = course.live(body, of_day(parameters, day), dose, food, jnp.zeros_like(rate), minute)
    return body, body.given, food * SLOT


def _days(course: Course, keys: Any, slots: Any, parameters: Any) -> Any:
    """Today of each person, who may be on different days."""
    one = jax.vmap(
        lambda key, number, weight: day_of(course.scenario, key[None], number, weight[None], course.sensor.draws)
    )
    made = one(keys, slots // SLOTS, parameters.body_weight)
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf[..., 0], 0, -1), made)


class PersonEnvironment(gymnasium.Env[Floats, Floats]):
    """One virtual person: ``person`` is their place in the cohort of ``people_seed``."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(
        self, person: int = 0, people_seed: int = 0, days: int = 1, scenario: Scenario | None = None,
        sensor: Sensor | None = None, render_mode: str | None = None,
    ) -> None:  # fmt: skip
        self.loop = Loop(person + 1, people_seed, scenario, sensor)
        loop = self.loop
        loop.people = loop.people.some(np.array([person]))
        loop.parameters, loop.therapy = jax.tree.map(
            lambda leaf: leaf[person : person + 1], (loop.parameters, loop.therapy)
        )
        self.days, self.render_mode, self.person = days, render_mode, person
        self.observation_space = spaces.Box(LOWEST, HIGHEST, (1,), np.float32)
        self.action_space = spaces.Box(0.0, MOST, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """Midnight, at rest."""
        super().reset(seed=seed)
        self.loop.start(int(self.np_random.integers(2**31)))
        return self.loop.told("reading"), self._info({"insulin": np.zeros(1), "eaten": np.zeros(1)})

    def step(self, action: Floats) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Five minutes."""
        before = float((self.loop.told("lbgi") + self.loop.told("hbgi"))[0])
        given = self.loop.step(np.clip(action, 0.0, MOST))
        after = float((self.loop.told("lbgi") + self.loop.told("hbgi"))[0])
        plasma = float(self.loop.told("bg")[0])
        ended = not ENDS[0] <= plasma <= ENDS[1]
        return (
            self.loop.told("reading"),
            before - after,
            ended,
            int(self.loop.slots[0]) >= self.days * SLOTS,
            self._info(given),
        )

    def _info(self, given: dict[str, Any]) -> dict[str, Any]:
        told = {name: float(self.loop.told(name)[0]) for name in ("bg", "meal", "lbgi", "hbgi")}
        minute = float(self.loop.slots[0] % SLOTS) * SLOT
        return told | {"insulin": float(given["insulin"][0]), "eaten": float(given["eaten"][0]), "minute": minute,
                       "patient_name": f"virtual t1d {self.loop.people.number[0]}"}  # fmt: skip


class CohortEnvironment(VectorEnv):
    """``num_envs`` virtual people side by side; an ended episode starts again at the person's next step."""

    metadata: ClassVar[dict[str, Any]] = {} if _MODE is None else {"autoreset_mode": _MODE.NEXT_STEP}

    def __init__(
        self, num_envs: int = 1, people_seed: int = 0, days: int = 1, scenario: Scenario | None = None,
        sensor: Sensor | None = None,
    ) -> None:  # fmt: skip
        self.loop, self.num_envs, self.days = Loop(num_envs, people_seed, scenario, sensor), num_envs, days
        self.single_observation_space = spaces.Box(LOWEST, HIGHEST, (1,), np.float32)
        self.single_action_space = spaces.Box(0.0, MOST, (1,), np.float32)
        self.observation_space = gymnasium.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, num_envs)
        self.closed, self.viewer, self.random = False, None, np.random.default_rng()
        self.ended = np.zeros(num_envs, bool)
        self.lived = np.zeros(num_envs, np.int64)  # slots of this episode

    def reset(self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None) -> Any:
        """All people at midnight, at rest. One seed draws everybody's days: a list of unequal ones is refused
        (:class:`ModelError`)."""
        seeds = [seed] if seed is None or isinstance(seed, int) else list(seed)
        if len(set(seeds)) != 1:
            raise ModelError(
                f"{len(set(seeds))} different seeds", expected="one seed, from which all people's days are drawn",
                where="CohortEnvironment.reset", remedy="give one number; everybody's days are different all the same",
            )  # fmt: skip
        if seeds[0] is not None:
            self.random = np.random.default_rng(seeds[0])
        self.loop.start(int(self.random.integers(2**31)))
        self.ended[:], self.lived[:] = False, 0
        return self.loop.told("reading")[:, None], self._info(np.zeros(self.num_envs))

    def step(self, actions: Floats) -> Any:
        """Five minutes of all."""
        before = self.loop.told("lbgi") + self.loop.told("hbgi")
        again = self.ended.copy()
        given = self.loop.step(np.clip(actions, 0.0, MOST), again)
        self.lived = np.where(again, 0, self.lived + 1)
        plasma = self.loop.told("bg")
        terminated = ~((plasma >= ENDS[0]) & (plasma <= ENDS[1]))
        truncated = self.lived >= self.days * SLOTS
        reward = np.where(again, 0.0, before - self.loop.told("lbgi") - self.loop.told("hbgi"))
        self.ended = terminated | truncated
        return self.loop.told("reading")[:, None], reward, terminated, truncated, self._info(given["insulin"])

    def _info(self, insulin: Any) -> dict[str, Any]:
        held = {name: self.loop.told(name) for name in ("bg", "meal", "lbgi", "hbgi")} | {
            "insulin": np.asarray(insulin)
        }
        return held | {f"_{name}": np.ones(self.num_envs, bool) for name in held}
