"""Lives on which identification is calibrated: a model's own people, a mismatch drawn from its priors, a closed loop.

The truth is what :mod:`medtwin.inference.identification` assumes and no more: all parameters from the joint prior, the start, the
sizes of the slow and of the white error. Doses follow announced carbohydrate and readings by one rule for everybody, as in
:mod:`medtwin.evidence.lives`: a dose must tell nothing of a person beyond what readings tell. Heart rate is at rest but for a
bout on three days of five; readings have gaps.

With ``sensor="breton"`` readings err as Breton2008 describes instead (an autoregression through a Johnson law: skewed, with
long tails), which the method does not assume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from medtwin.evidence.lives import DAY, TARGET, eaten, meal_plan
from medtwin.inference import tape as tapes
from medtwin.inference.identification import Replay, replay_of, started
from medtwin.inference.mismatch import Mismatch
from medtwin.inference.problem import problem
from medtwin.inference.tape import Tape
from medtwin.physiology.model import Model

RESCUE_BELOW, RESCUE = 70.0, 1.0  #: mg/dL; g/min of fast carbohydrate while a reading is lower, and told
WEIGHT, WEIGHT_SPREAD, RESTING, RESTING_SPREAD = (
    75.0,
    0.18,
    70.0,
    0.1,
)  #: kg and /min: adults, judgement; known to the twin
# Breton & Kovatchev 2008 as simglucose has it: AR(1) on 15 min, then a Johnson SU law
BRETON = {"pacf": 0.7, "xi": -5.471, "lambda": 15.9574, "gamma": -0.5444, "delta": 1.6898}


@dataclass(frozen=True)
class Lived:
    """What a twin sees of ``n`` people, and the truth."""

    replay: Replay  #: with body weight and resting heart rate known
    tape: Tape
    truth: NDArray[np.float64]  #: ``[named, n]``, deviates of ``replay.names``


@eqx.filter_jit
def _live(replay: Replay, z: Array, told: Array, rate: Array, heart: Array, error: Array, start: Array) -> Any:
    """Minutes of a closed loop: readings, basal rate, bolus, carbohydrate ``(minutes, n)``."""
    model = replay.problem.model
    dt = jnp.asarray(model.clock.step, z.dtype)
    state, parameters = started(replay, z[:, None, :])
    state, parameters = (jax.tree.map(lambda x: x[0], each) for each in (state, parameters))
    weight = parameters.body_weight / WEIGHT
    names = {a.quantity for a in model.accepts}

    def minute(carry: tuple[Any, Array, Array], now: tuple[Array, ...]) -> tuple[Any, tuple[Array, ...]]:
        state, last, t = carry
        announced, eats, beats, wrong, reads = now
        basal = 0.9 * weight * jnp.clip(1.0 + (last - TARGET) / 90.0, 0.0, 3.0)
        correction = jnp.where(announced > 0, jnp.maximum(last - 150.0, 0.0) / 50.0, 0.0)
        bolus = weight * (announced / 14.0 + correction)
        eats = eats + jnp.where(last < RESCUE_BELOW, RESCUE, 0.0)
        given = {"carbohydrate_intake": eats, "insulin_bolus": bolus, "insulin_basal_rate": basal, "heart_rate": beats}
        after = model.step(t, dt, state, parameters, {k: v for k, v in given.items() if k in names})
        reading = model.observe(t + dt, after, parameters)["glucose"] + wrong
        return (after, jnp.where(reads, reading, last), t + dt), (reading, basal, bolus, eats)

    begin = (state, jnp.full(told.shape[1], TARGET), start)
    return jax.lax.scan(minute, begin, (told, rate, heart, error, jnp.arange(told.shape[0]) % 5 == 4))[1]


def slow(rng: np.random.Generator, minutes: int, sd: NDArray[Any], time: NDArray[Any]) -> NDArray[np.float64]:
    """A stationary Ornstein-Uhlenbeck process by the minute ``(minutes, n)``."""
    keep = np.exp(-1.0 / time)
    shocks = rng.standard_normal((minutes, len(sd))) * np.sqrt(1.0 - keep**2)
    made = np.empty_like(shocks)
    last = rng.standard_normal(len(sd))
    for i in range(minutes):
        last = keep * last + shocks[i]
        made[i] = last
    return made * sd


def breton(rng: np.random.Generator, minutes: int, n: int) -> NDArray[np.float64]:
    """Sensor error by the minute (mg/dL), held between its quarter hours by interpolation."""
    k = minutes // 15 + 2
    e = np.empty((k, n))
    e[0] = rng.standard_normal(n)
    for i in range(1, k):
        e[i] = BRETON["pacf"] * (e[i - 1] + rng.standard_normal(n))
    at = np.arange(minutes) / 15.0
    low = at.astype(int)
    smooth = e[low] + (at - low)[:, None] * (e[low + 1] - e[low])
    return np.asarray(BRETON["xi"] + BRETON["lambda"] * np.sinh((smooth - BRETON["gamma"]) / BRETON["delta"]))


def live(
    model: Model, n: int, days: int, seed: int, *, sensor: str = "assumed", mismatch: Mismatch | None = None
) -> Lived:
    """``n`` people of the model for ``days`` days from midnight, a reading every five minutes."""
    mismatch = Mismatch() if mismatch is None else mismatch
    rng = np.random.default_rng(seed)
    known = {"body_weight": WEIGHT * np.exp(WEIGHT_SPREAD * rng.standard_normal(n))}
    rest = RESTING * np.exp(RESTING_SPREAD * rng.standard_normal(n))
    posed = problem(model)
    if "resting_heart_rate" in posed.inferred:
        known["resting_heart_rate"] = rest
    replay = replay_of(posed.at(**{k: jnp.asarray(v) for k, v in known.items() if k in posed.inferred}))
    mean, covariance = (np.asarray(x) for x in replay.prior())
    z = mean + np.linalg.cholesky(covariance) @ rng.standard_normal((len(replay.names), n))
    z = np.clip(z, -3.0, 3.0)
    minutes = days * DAY
    plan = meal_plan(rng, days, n)
    heart = np.tile(rest, (minutes, 1))
    for day in range(days):
        begins = (day * DAY + 60 * (9.0 + 10.0 * rng.random(n))).astype(int)
        lasts, rises = rng.integers(25, 60, n), 25.0 + 30.0 * rng.random(n)
        for i in np.flatnonzero(rng.random(n) < 0.6).tolist():
            heart[begins[i] : begins[i] + lasts[i], i] += rises[i]
    sizes = [
        m * np.exp(s * rng.standard_normal(n)) for m, s in (mismatch.slow_sd, mismatch.slow_time, mismatch.white_sd)
    ]
    if sensor == "breton":
        error = slow(rng, minutes, sizes[0], sizes[1]) + breton(rng, minutes, n)
    else:
        error = slow(rng, minutes, sizes[0], sizes[1]) + sizes[2] * rng.standard_normal((minutes, n))
    rate = eaten(plan)
    z_, plan_, rate_, heart_, error_ = (jnp.asarray(x) for x in (z, plan, rate, heart, error))
    told = _live(replay, z_, plan_, rate_, heart_, error_, jnp.zeros(()))
    reading, basal, bolus, rate = (np.asarray(x) for x in told)
    tape = tapes.blank(model, minutes, (n,))
    given = {"carbohydrate_intake": rate, "insulin_bolus": bolus, "insulin_basal_rate": basal, "heart_rate": heart}
    for name, value in given.items():
        if name in tape.inputs:
            tape.inputs[name][...] = value
    seen = tape.readings["glucose"]
    seen.value[...] = np.clip(reading, 40.0, 400.0)
    seen.kind[...] = np.where(reading < 40.0, tapes.UPPER, np.where(reading > 400.0, tapes.LOWER, tapes.EXACT))
    seen.present[4::5] = rng.random((len(reading[4::5]), n)) > 0.02
    for i in range(n):
        for gap in (int(one) for one in rng.integers(0, minutes, max(1, days // 3))):
            seen.present[gap : gap + rng.integers(60, 360), i] = False
    return Lived(replay, tape, z)
