"""A belief over a circulation, carried through a plan of heart-failure drugs: the same people with and without it.

Each person is a draw of the belief, of the size of each drug's effects (:mod:`medtwin.physiology.drugs.heart_failure`) and
of the strength of the baroreflex. The belief's mode and Laplace covariance (:mod:`medtwin.inference.haemodynamics`) are where
draws begin: the beat bends within them, so that most lie below a measured pressure. Draws are therefore weighed by importance
(likelihood times prior over the density they were drawn from), moved to the weighted middle, drawn again and resampled:
population Monte Carlo (Cappe et al. 2004, from memory), its weights raised to a power where few draws would carry all.
A draw whose beat does not close is left out and counted. A class of drugs has the same sizes in
every plan, so that plans are compared pair by pair.

``model_error`` widens what a plan changes by what no prior holds, the error of the equations themselves: the sizes of a
class's effects are multiplied in each person by one log-normal factor, so that every future remains a beat of this
circulation. How wide it must be was measured where published changes stand beside this twin's
(``docs/evidence/heart-failure-drugs.md``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from medtwin.errors import InferenceError
from medtwin.inference.haemodynamics import Personalised, parameters_of, sd_of
from medtwin.physiology.baroreflex import RESETTING_DAYS, STRENGTH_IN_HEART_FAILURE
from medtwin.physiology.circulation_beat import OBSERVED, settled
from medtwin.physiology.circulation_reflex import STEPS, rest
from medtwin.physiology.drugs.heart_failure import DRUGS
from medtwin.physiology.drugs.heart_failure.regimen import Regimen
from medtwin.physiology.drugs.heart_failure.response import Draw, changes, deviates, draw, log_factors, moved

Vector = NDArray[np.float64]

PEOPLE = 64  #: draws of a belief
WEIGHED, LOOKS = 4, 2  #: draws that are weighed for each that is kept, and how often
BLOCK = 128  #: circulations settled side by side
#: a beat that closes: greatest change of a state in units of its scale, and of the reflex's pressure in mm[Hg]
OPEN, ADRIFT = 1e-2, 0.5
MODEL_ERROR = 0.7  #: sd of the logarithm of that factor (evidence page)


class People(NamedTuple):
    """Draws of a belief, settled without a plan; arrays are ``[person]``."""

    parameters: Any
    state: Any
    seen: Mapping[str, Vector]
    strength: Array
    drawn: int  #: how many were weighed
    closed: int  #: of how many of them the beat closed; the others are not here


@dataclass(frozen=True, slots=True)
class Followed:
    """People under a plan. ``seen`` and ``change`` (against the same people without it) by quantity, ``[day, person]``.

    ``lost`` and ``held``: mL of stressed blood that left the body or went into wider veins. ``sound``: beats that closed,
    ``[day, person]``; where not, all else is NaN.
    """

    days: tuple[float, ...]
    seen: Mapping[str, Vector]
    change: Mapping[str, Vector]
    lost: Vector
    held: Vector
    stressed: Vector
    sound: NDArray[np.bool_]


@cache
def _rest() -> Any:
    return jax.jit(lambda near, parameters, usual, strength: rest(near, parameters, usual, strength, steps=STEPS))


@cache
def _settled() -> Any:
    return jax.jit(lambda parameters: settled(parameters, steps=STEPS))


def at_rest(near: Any, parameters: Any, usual: Array, strength: Array) -> Any:
    """:func:`medtwin.physiology.circulation_reflex.rest` of any number of people, in blocks of one size; NumPy leaves."""
    count = len(usual)
    padded = -(-count // BLOCK) * BLOCK
    take = np.minimum(np.arange(padded), count - 1)

    def row(leaf: Any) -> Vector:  # of NumPy, so that every call has the types of the first
        return np.broadcast_to(np.asarray(leaf, np.float64), (count,))[take]

    everything = jax.tree.map(row, (near, parameters, usual, strength))
    blocks = [
        jax.tree.map(np.asarray, _rest()(*jax.tree.map(lambda leaf, i=i: leaf[i : i + BLOCK], everything)))
        for i in range(0, padded, BLOCK)
    ]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:count], *blocks)


def closed(found: Any) -> NDArray[np.bool_]:
    """Which of them closed."""
    finite = np.isfinite(np.stack([found.seen[name] for name in OBSERVED])).all(axis=0)
    return np.asarray(finite & (found.open_by < OPEN) & (found.adrift < ADRIFT))


def people(
    belief: Personalised,
    held: Mapping[str, float],
    key: Array,
    *,
    readings: Mapping[str, float],
    errors: float = 1.0,
    count: int = PEOPLE,
) -> People:
    """Draws of a belief; ``held``, ``readings`` and ``errors`` as it was personalised with. Raises InferenceError where there is
    no belief or hardly a beat closes."""
    if belief.withheld is not None or belief.covariance is None:
        raise InferenceError(f"no belief over the circulation: {belief.withheld}", remedy="measure more")
    spread, reflex, chosen = jax.random.split(key, 3)
    many = WEIGHED * count
    middle, covariance = np.asarray(belief.deviates), np.asarray(belief.covariance)
    known = {name: jnp.full(many, value) for name, value in held.items()}
    near = _mode(belief, held)

    def weighed(look: int, middle: Vector, covariance: Vector) -> tuple[Any, Any, Vector, Vector, int]:
        own = np.asarray(jax.random.normal(jax.random.fold_in(spread, look), (len(middle), many)))
        z = middle[:, None] + np.linalg.cholesky(covariance) @ own
        parameters = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (many,)), parameters_of(jnp.asarray(z), known))
        found = at_rest(near, parameters, jnp.full(many, 90.0), jnp.zeros(many))
        sound = closed(found)
        if sound.sum() < many / 2:
            raise InferenceError(
                f"{int(sound.sum())} of {many} circulations of this belief with a beat that closes",
                expected="most of them",
            )
        misfit = np.zeros(many)
        for name, value in readings.items():
            misfit = misfit + ((found.seen[name] - value) / (errors * sd_of(name, value))) ** 2
        logarithm = -0.5 * (misfit + (z**2).sum(axis=0) - (own**2).sum(axis=0))
        return parameters, found, z, tempered(np.where(sound, logarithm, -np.inf), count), int(sound.sum())

    for look in range(LOOKS - 1):
        *_, z, weights, _ = weighed(look, middle, covariance)
        middle = z @ weights
        apart = z - middle[:, None]
        covariance = 0.5 * (covariance + (apart * weights) @ apart.T)
    parameters, found, _, weights, sound = weighed(LOOKS - 1, middle, covariance)
    at = (np.arange(count) + float(jax.random.uniform(chosen))) / count  # systematic resampling
    keep = np.minimum(np.searchsorted(np.cumsum(weights), at), int(np.flatnonzero(weights)[-1]))
    kept, state = jax.tree.map(lambda leaf: jnp.asarray(leaf)[keep], (parameters, found.state))
    return People(
        kept, state, {name: np.asarray(found.seen[name])[keep] for name in OBSERVED},
        STRENGTH_IN_HEART_FAILURE.sample(reflex, (count,)), many, sound,
    )  # fmt: skip


def _mode(belief: Personalised, held: Mapping[str, float]) -> Any:
    """The settled state at the belief's mode, ``[1]``."""
    one = parameters_of(
        jnp.asarray(belief.deviates)[:, None], {name: jnp.full(1, value) for name, value in held.items()}
    )
    return _settled()(jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (1,)), one)).state


def tempered(logarithm: Vector, least: float) -> Vector:
    """Weights from their logarithms, that sum to one: raised to the greatest power up to one at which they count for ``least``
    draws (one over the sum of their squares)."""

    def at(power: float) -> Vector:
        weights = np.exp(power * (logarithm - logarithm.max()))
        return np.asarray(weights / weights.sum())

    low, high = 0.0, 1.0
    if 1.0 / (at(1.0) ** 2).sum() >= least:
        return at(1.0)
    for _ in range(40):
        power = 0.5 * (low + high)
        low, high = (power, high) if power == 0.0 or 1.0 / (at(power) ** 2).sum() > least else (low, power)
    return at(max(low, 1e-9))


def follow(
    who: People,
    planned: Sequence[Regimen],
    taking: Sequence[Regimen],
    days: Sequence[float],
    key: Array,
    *,
    model_error: float = MODEL_ERROR,
) -> Followed:
    """``who`` under a plan, at each of ``days`` after it began. ``taking``: what they took when they were measured."""
    count = len(who.strength)
    draws = {name: _drawn(name, key, count, model_error) for name in changes(planned, taking)}
    usual = jnp.asarray(who.seen["mean_arterial_pressure"])
    every = [moved(who.parameters, log_factors(planned, taking, draws, day)) for day in days]
    joined = jax.tree.map(
        lambda *leaves: jnp.concatenate([jnp.broadcast_to(leaf, (count,)) for leaf in leaves]), *every
    )
    fading = jnp.repeat(jnp.exp(-jnp.asarray(days) / RESETTING_DAYS), count)
    again = lambda leaf: jnp.tile(leaf, len(days))  # noqa: E731
    found = at_rest(
        jax.tree.map(again, who.state), joined.parameters, again(usual), again(who.strength) * joined.reflex * fading
    )
    sound = closed(found).reshape(len(days), count)
    shape = lambda leaf: np.where(sound, np.asarray(leaf).reshape(len(days), count), np.nan)  # noqa: E731
    seen = {name: shape(found.seen[name]) for name in OBSERVED}
    change = {name: values - who.seen[name] for name, values in seen.items()}
    return Followed(
        tuple(days), seen, change, shape(joined.lost), shape(joined.held), shape(joined.parameters.stressed_blood_volume), sound
    )  # fmt: skip


def _drawn(name: str, key: Array, count: int, model_error: float) -> Draw:
    """The sizes of a class's effects in each person, all times one factor: the model's error."""
    drawn = draw(DRUGS[name], key, count)
    z = deviates(f"error of {DRUGS[name].family or name}", key, count)
    return drawn._replace(size=drawn.size * jnp.exp(model_error * z)[None])


def alone(parameters: Any) -> People:
    """One circulation that is known, with the median reflex: for tests and sets."""
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], parameters)
    state = _settled()(one).state
    found = at_rest(state, one, jnp.full(1, 90.0), jnp.zeros(1))
    median = STRENGTH_IN_HEART_FAILURE.from_deviate(jnp.zeros(1))
    return People(
        one, jax.tree.map(jnp.asarray, found.state), {n: np.asarray(found.seen[n]) for n in OBSERVED}, median, 1, 1
    )
