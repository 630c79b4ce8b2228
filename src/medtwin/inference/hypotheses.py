"""Named hypotheses about why data and model disagree, as data.

A bank is a short tuple of hypotheses; the first is "as expected". Each one says how often it begins, how long it lasts,
and what it does to a belief while it holds: it *opens* an accepted input (carbohydrate that nobody told of enters the
state that it would have entered), *shifts* the readings of an observable (a compressed sensor reads low), *widens*
deviates when it begins (a sensor bias jumps) or *moves* them (illness lowers the action of insulin), lets them *drift*
while it holds (a sensor ages), or multiplies the random *walk* of the shown parameters (the person
changes). A filter runs all
of them side by side and scores them by predictive likelihood (see :mod:`medtwin.inference.unscented`).

:data:`GLUCOSE` is the bank that ships. :func:`wide` adds four to it: insulin that nobody recorded, recorded insulin that did not
arrive, a sensor that drifts, illness. It is asked for by name (:func:`medtwin.twin.choice.structure`), since the shipped
filter is the one that forecasts and parameters were calibrated with; ``docs/evidence/planted-causes-wide.md`` has what it
names, what it asks in vain, and what it costs. Rates, lengths and sizes are judgement.

Hypotheses begin only from "as expected" and end into it. Over an interval of ``m`` minutes hypothesis ``j`` begins with
probability ``m * per_day_j / 1440`` and ends with ``1 - exp(-m / minutes_j)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

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


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Hypothesis:
    """One explanation. ``question`` may name ``{amount}``, ``{unit}`` and ``{time}``.

    Its ``repr`` names what it does: filters are known by it (snapshots, the calibration page), so ``moves`` and ``drifts``
    stand in it only where they do something.
    """

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
    moves: tuple[tuple[str, float, float], ...] = ()  #: (inferred parameter, mean and sd of its deviate's jump)
    drifts: tuple[tuple[str, float], ...] = ()  #: (inferred parameter, sd of its deviate's own walk in an hour)

    def __repr__(self) -> str:
        told = [f.name for f in fields(self) if f.name not in ("moves", "drifts") or getattr(self, f.name)]
        return f"Hypothesis({', '.join(f'{name}={getattr(self, name)!r}' for name in told)})"


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
MISSED_BOLUS = Hypothesis(
    name="missed_bolus",
    meaning="insulin was injected that nobody recorded",
    question="Did you inject about {amount:.0f} {unit} of rapid insulin near {time} that nobody wrote down?",
    per_day=0.2,
    minutes=4 * 60.0,
    opens=Opens(quantity="insulin_bolus", mean=4.0, sd=2.5),
)
LOST_BOLUS = Hypothesis(
    name="lost_bolus",
    meaning="insulin that is recorded did not arrive: it was forgotten, it leaked, or the set is blocked",
    question="Was the insulin near {time} really given? About {amount:.0f} {unit} that are recorded seem not to act: "
    "look at the pen or pump, the site and the set, and at ketones where glucose stays high.",
    per_day=0.2,
    minutes=4 * 60.0,
    opens=Opens(quantity="insulin_bolus", mean=-4.0, sd=2.5),
)
SENSOR_DRIFT = Hypothesis(
    name="sensor_drift",
    meaning="the sensor drifts away, hour by hour",
    question="Can you check with a finger-prick? Since about {time} the sensor seems to drift.",
    per_day=0.1,
    minutes=12 * 60.0,
    drifts=(("sensor_bias", 0.5),),  # 4 mg/dL in an hour, 14 in twelve
)
#: parameters that illness lowers, by model; deviates in sds of the prior
SENSITIVITIES = {
    "glucose_insulin": ("insulin_sensitivity",),
    "glucose_meals": ("breakfast_sensitivity", "lunch_sensitivity", "dinner_sensitivity"),
}


def illness(parameters: tuple[str, ...]) -> Hypothesis:
    """Insulin acts less for days: about two thirds of what it did, with a prior's log sd of 0.45.

    Three times a year, for three days: adults have two to three colds a year (judgement).
    """
    return Hypothesis(
        name="illness",
        meaning="insulin acts less, as with a fever or an infection",
        question="Are you unwell, or under stress or steroids? Since about {time} insulin acts less than it did: "
        "take your temperature, and look at ketones where glucose stays high.",
        per_day=0.01,
        minutes=3 * 1440.0,
        moves=tuple((name, -0.9, 0.5) for name in parameters),
    )


def wide(model: str) -> Bank:
    """The shipped bank and four more for a model that knows injected insulin; raises InferenceError for another."""
    if model not in SENSITIVITIES:
        raise InferenceError(f"the model {model[:40]!r}", expected=" or ".join(SENSITIVITIES), where="the wide bank")
    return (*GLUCOSE, MISSED_BOLUS, LOST_BOLUS, SENSOR_DRIFT, illness(SENSITIVITIES[model]))


def check(bank: Bank, model: Model) -> None:
    """Raise InferenceError when a hypothesis names something that the model does not have."""
    if not bank or bank[0].opens or bank[0].shifts or _named(bank[0]):
        raise InferenceError("a bank whose first hypothesis acts", expected="'as expected' first, which does nothing")
    accepted = {a.quantity: a for a in model.accepts}
    for hypothesis in bank:
        if hypothesis.opens and (
            hypothesis.opens.quantity not in accepted or not accepted[hypothesis.opens.quantity].states
        ):
            found, expected = hypothesis.opens.quantity, "an accepted quantity that enters a state"
        elif hypothesis.shifts and hypothesis.shifts.quantity not in model.observes:
            found, expected = hypothesis.shifts.quantity, f"one of {model.observes}"
        elif unknown := _named(hypothesis) - set(model.inferred):
            found, expected = ", ".join(sorted(unknown)), f"inferred parameters {model.inferred}"
        else:
            continue
        raise InferenceError(found, expected=expected, where=f"hypothesis {hypothesis.name!r} for {model.name}")


def _named(hypothesis: Hypothesis) -> set[str]:
    """Parameters whose deviates a hypothesis acts on by name."""
    moved = {name for name, _, _ in hypothesis.moves}
    return moved | {name for name, _ in (*hypothesis.widens, *hypothesis.drifts)}


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
