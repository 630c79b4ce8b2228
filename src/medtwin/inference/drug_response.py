"""A belief over a circulation, carried through a plan of heart-failure drugs: the same people with and without it.

Each person is a draw of the belief (mode and Laplace covariance of :mod:`medtwin.inference.haemodynamics`), of the size of
each drug's effects (:mod:`medtwin.physiology.drugs.heart_failure`) and of the strength of the baroreflex; the first is the
mode, with drawn effects. A draw whose beat does not close is left out and counted. A class of drugs has the same sizes in
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
from medtwin.inference.haemodynamics import Personalised, parameters_of
from medtwin.physiology.baroreflex import RESETTING_DAYS, STRENGTH_IN_HEART_FAILURE
from medtwin.physiology.circulation_beat import OBSERVED, settled
from medtwin.physiology.circulation_reflex import STEPS, rest
from medtwin.physiology.drugs.heart_failure import DRUGS
from medtwin.physiology.drugs.heart_failure.regimen import Regimen
from medtwin.physiology.drugs.heart_failure.response import Draw, changes, deviates, draw, log_factors, moved

Vector = NDArray[np.float64]

PEOPLE = 64  #: draws of a belief
BLOCK = 128  #: circulations settled side by side
OPEN, ADRIFT = (
    1e-2,
    0.5,
)  #: a beat that closes: greatest change of a state in units of its scale, and of the reflex's pressure in mm[Hg]
MODEL_ERROR = 0.7  #: sd of the logarithm of that factor (evidence page)


class People(NamedTuple):
    """Draws of a belief, settled without a plan; arrays are ``[person]``."""

    parameters: Any
    state: Any
    seen: Mapping[str, Vector]
    strength: Array
    drawn: int  #: how many were drawn; those whose beat did not close are not here


@dataclass(frozen=True, slots=True)
class Followed:
    """People under a plan. ``seen`` and ``change`` (against the same people without it) by quantity, ``[day, person]``.

    ``lost`` and ``held``: mL of stressed blood that left the body or went into wider veins. ``sound``: beats that closed,
    ``[day, person]``; where not, all
    else is NaN.
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


def people(belief: Personalised, held: Mapping[str, float], key: Array, *, count: int = PEOPLE) -> People:
    """Draws of a belief; ``held`` as it was personalised with. Raises InferenceError where there is no belief or hardly a beat
    closes."""
    if belief.withheld is not None or belief.covariance is None:
        raise InferenceError(f"no belief over the circulation: {belief.withheld}", remedy="measure more")
    spread, reflex = jax.random.split(key)
    z = np.asarray(belief.deviates)[:, None] + np.linalg.cholesky(belief.covariance) @ np.asarray(
        jax.random.normal(spread, (len(belief.deviates), count))
    )
    z[:, 0] = belief.deviates
    known = {name: jnp.full(count, value) for name, value in held.items()}
    parameters = parameters_of(jnp.asarray(z), known)
    parameters = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count,)), parameters)
    strength = STRENGTH_IN_HEART_FAILURE.sample(reflex, (count,))
    middle = _settled()(jax.tree.map(lambda leaf: leaf[:1], parameters)).state
    found = at_rest(middle, parameters, jnp.full(count, 90.0), jnp.zeros(count))
    sound = closed(found)
    if not sound[0] or sound.sum() < count / 2:
        raise InferenceError(
            f"{int(sound.sum())} of {count} circulations of this belief with a beat that closes",
            expected="most of them",
        )
    keep = np.flatnonzero(sound)
    own, state = jax.tree.map(lambda leaf: jnp.asarray(leaf)[keep], (parameters, found.state))
    return People(
        own, state,
        {name: np.asarray(found.seen[name])[keep] for name in OBSERVED}, strength[keep], count,
    )  # fmt: skip


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
        one, jax.tree.map(jnp.asarray, found.state), {n: np.asarray(found.seen[n]) for n in OBSERVED}, median, 1
    )
