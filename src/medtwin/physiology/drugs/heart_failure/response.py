"""What a plan of drugs does to the parameters of a circulation, day by day.

A plan is all that is taken from day 0 on; ``taking`` is what was taken when the circulation was measured, so that its effects
are in the measurements already. Of each class only the difference acts, and it comes with the time constants of its effects::

    ln factor = sum over classes and effects: direction size (r(planned) - r(taken)) (1 - exp(-t/days))
    r(d) = d (1 + h)/(d + h)

A taken class stays unless the plan holds another dose of it or a class that excludes it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Array, Float

from medtwin.physiology.circulation_four_chambers import CirculationFourChambersParameters
from medtwin.physiology.drugs.heart_failure import DRUGS
from medtwin.physiology.drugs.heart_failure.drug import TARGETS, Drug
from medtwin.physiology.drugs.heart_failure.regimen import Regimen

Number = Float[Array, "..."]


class Draw(NamedTuple):
    """Sizes of a class's effects in each person, ``[effect, person]``, and the half dose ``[person]``."""

    size: Float[Array, "effect person"]
    half_dose: Float[Array, "person"]


class Moved(NamedTuple):
    """A circulation under drugs, and where its stressed blood went, mL: ``lost`` from the body, ``held`` by wider veins.

    ``stressed + lost + held`` is what was there before. ``reflex`` multiplies the strength of the baroreflex.
    """

    parameters: CirculationFourChambersParameters
    lost: Number
    held: Number
    reflex: Number


def draw(drug: Drug, key: Array, people: int) -> Draw:
    """Sizes for each person: the same in every option, whatever else is taken, and of an effect that two classes share in
    both."""
    sizes = [
        effect.size.from_deviate(deviates(f"{effect.target} {effect.source}", key, people)) for effect in drug.effects
    ]
    return Draw(jnp.stack(sizes), drug.half_dose.from_deviate(deviates(f"half dose of {drug.name}", key, people)))


def deviates(what: str, key: Array, people: int) -> Number:
    """Standard normal deviates of ``what`` in each person, the same wherever it is asked for.

    One in each of as many equally likely parts, in random order (a Latin hypercube over all that is asked for): the middle of a
    few dozen people is that of the prior, and a single one has it.
    """
    own = jax.random.fold_in(key, zlib.crc32(what.encode()) & 0x7FFFFFFF)
    return ndtri(jax.random.permutation(own, (np.arange(people) + 0.5) / people))


def medians(drug: Drug) -> Draw:
    """The middle of every prior, for one person."""
    zero = jnp.zeros(1)
    return Draw(
        jnp.stack([effect.size.from_deviate(zero) for effect in drug.effects]), drug.half_dose.from_deviate(zero)
    )


def changes(planned: Sequence[Regimen], taking: Sequence[Regimen]) -> dict[str, tuple[float, float]]:
    """Of each class whose dose changes: shares of the target dose that were taken and are planned."""
    new, old = ({one.drug.name: one.share for one in plan} for plan in (planned, taking))
    out: dict[str, tuple[float, float]] = {}
    for name in sorted(new.keys() | old.keys()):
        stopped = any(name in DRUGS[other].excludes for other in new)
        after = new.get(name, 0.0 if stopped else old.get(name, 0.0))
        if after != old.get(name, 0.0):
            out[name] = (old.get(name, 0.0), after)
    return out


def log_factors(
    planned: Sequence[Regimen], taking: Sequence[Regimen], draws: Mapping[str, Draw], days: float
) -> dict[str, Number]:
    """Logarithm of the factor on each target that moves, ``[person]``, ``days`` after the plan began."""
    total: dict[str, Number] = {}
    for name, (before, after) in changes(planned, taking).items():
        drawn = draws[name]
        h = drawn.half_dose
        rise = after * (1.0 + h) / (after + h) - before * (1.0 + h) / (before + h)
        for size, effect in zip(drawn.size, DRUGS[name].effects, strict=True):
            come = 1.0 - jnp.exp(-jnp.asarray(days) / effect.days)
            total[effect.target] = total.get(effect.target, jnp.zeros_like(h)) + effect.direction * size * rise * come
    return total


def moved(parameters: CirculationFourChambersParameters, factors: Mapping[str, Number]) -> Moved:
    """The circulation under these factors; ``parameters`` of shape ``[person]``."""
    p = parameters
    for target, logarithm in factors.items():
        for name, power in TARGETS[target].items():
            p = eqx.tree_at(partial(_field, name), p, getattr(p, name) * jnp.exp(power * logarithm))
    none = jnp.zeros_like(p.stressed_blood_volume)
    stressed = parameters.stressed_blood_volume
    left = stressed * jnp.exp(factors.get("blood_volume", none))
    lost = stressed - left
    return Moved(p, lost, left - p.stressed_blood_volume, jnp.exp(factors.get("reflex", none)))


def _field(name: str, parameters: CirculationFourChambersParameters) -> Any:
    return getattr(parameters, name)
