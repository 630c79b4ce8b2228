"""Named hypotheses about why data and model disagree, as data.

A bank is a short tuple of hypotheses; the first is "as expected". Each one says how often it begins, how long it lasts,
and what it does to a belief while it holds: it *opens* an accepted input (carbohydrate that nobody told of enters the
state that it would have entered), *shifts* the readings of an observable (a compressed sensor reads low), *widens*
deviates when it begins (a sensor bias jumps), or multiplies the random *walk* of the shown parameters (the person
changes). A filter runs all
of them side by side and scores them by predictive likelihood (see :mod:`medtwin.inference.unscented`).

Hypotheses begin only from "as expected" and end into it. Over an interval of ``m`` minutes hypothesis ``j`` begins with
probability ``m * per_day_j / 1440`` and ends with ``1 - exp(-m / minutes_j)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.errors import InferenceError
from medtwin.physiology.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Opens:
    """An accepted input of which an unknown amount, N(mean, sd) in the input's unit, arrives unrecorded."""

    quantity: str
    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifts:
    """Readings of an observable are off by N(mean, sd), in its unit, anew at each reading."""

    quantity: str
    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One explanation. ``question`` may name ``{amount}``, ``{unit}`` and ``{time}``."""

    name: str
    meaning: str
    question: str = ""
    per_day: float = 0.0
    minutes: float = math.inf
    opens: Opens | None = None
    shifts: Shifts | None = None
    widens: tuple[tuple[str, float], ...] = ()  #: (inferred parameter, sd of its deviate's jump)
    walk: float = 1.0  #: times the random walk of the shown parameters
    steady: tuple[str, ...] = ()  #: shown parameters that do not take part in that


Bank = tuple[Hypothesis, ...]

AS_EXPECTED = Hypothesis(name="as_expected", meaning="inputs are complete, the sensor is sound, the person is the same")
PATIENT_CHANGE = Hypothesis(
    name="patient_change",
    meaning="the person's own parameters are moving",
    question="Has something changed since about {time}: illness, stress, exercise, a new infusion site?",
    per_day=0.1,
    minutes=12 * 60.0,
    walk=5.0,
    steady=("sensor_bias", "meal_absorption"),
)
MISSED_MEAL = Hypothesis(
    name="missed_meal",
    meaning="carbohydrate was eaten that nobody recorded",
    question="Did you eat about {amount:.0f} {unit} of carbohydrate near {time}?",
    per_day=0.5,
    minutes=4 * 60.0,
    opens=Opens(quantity="carbohydrate_intake", mean=40.0, sd=30.0),
)
SENSOR_LOW = Hypothesis(
    name="sensor_low",
    meaning="the sensor reads low, as when somebody lies on it",
    question="Was the sensor pressed from about {time}? Its readings are lower than they can be.",
    per_day=0.5,
    minutes=25.0,
    shifts=Shifts(quantity="glucose", mean=-45.0, sd=18.0),
)
SENSOR_BIAS = Hypothesis(
    name="sensor_bias",
    meaning="the sensor's offset has moved",
    question="Can you check with a finger-prick? Since about {time} the sensor seems to be off.",
    per_day=0.1,
    minutes=12 * 60.0,
    widens=(("sensor_bias", 3.0),),
)
SINGLE: Bank = (AS_EXPECTED,)
WALKS: Bank = (AS_EXPECTED, PATIENT_CHANGE)
GLUCOSE: Bank = (AS_EXPECTED, PATIENT_CHANGE, MISSED_MEAL, SENSOR_LOW, SENSOR_BIAS)


def check(bank: Bank, model: Model) -> None:
    """Raise InferenceError when a hypothesis names something that the model does not have."""
    if not bank or bank[0].opens or bank[0].shifts or bank[0].widens:
        raise InferenceError("a bank whose first hypothesis acts", expected="'as expected' first, which does nothing")
    accepted = {a.quantity: a for a in model.accepts}
    for hypothesis in bank:
        if hypothesis.opens and (
            hypothesis.opens.quantity not in accepted or not accepted[hypothesis.opens.quantity].states
        ):
            found, expected = hypothesis.opens.quantity, "an accepted quantity that enters a state"
        elif hypothesis.shifts and hypothesis.shifts.quantity not in model.observes:
            found, expected = hypothesis.shifts.quantity, f"one of {model.observes}"
        elif {name for name, _ in hypothesis.widens} - set(model.inferred):
            found, expected = str(hypothesis.widens), f"inferred parameters {model.inferred}"
        else:
            continue
        raise InferenceError(found, expected=expected, where=f"hypothesis {hypothesis.name!r} for {model.name}")


def stationary(bank: Bank) -> tuple[float, ...]:
    """Long-run share of each hypothesis when no data speak: the probabilities to start from."""
    shares = [1.0] + [h.per_day / 1440.0 * h.minutes for h in bank[1:]]
    if not all(math.isfinite(share) for share in shares):  # one that never ends: as likely as it begins in a day
        shares = [1.0] + [h.per_day / 1440.0 * min(h.minutes, 1440.0) for h in bank[1:]]
    return tuple(share / sum(shares) for share in shares)


def transition(bank: Bank, minutes: Float[Array, "..."]) -> Float[Array, "from to ..."]:
    """Probability to go from one hypothesis to another in so many ``minutes``."""
    zero = jnp.zeros_like(minutes)
    begins = [minutes * (h.per_day / 1440.0) for h in bank[1:]]
    stays = [jnp.exp(-minutes / h.minutes) for h in bank[1:]]
    rows = [[1.0 - sum(begins, zero), *begins]]
    for j, stay in enumerate(stays):
        rows.append([1.0 - stay, *(stay if i == j else zero for i in range(len(stays)))])
    return jnp.stack([jnp.stack(row) for row in rows])
