"""A person's circulation from whatever was measured: cuff, echocardiogram, catheter, in any subset.

The beat of :mod:`medtwin.physiology.circulation_four_chambers` is periodic at every step of the climb
(:mod:`medtwin.inference.levenberg_marquardt`): from the state that the last step left, moved as its slopes say, one turn of the
beat and a Newton step on the one-beat map. That turn gives what is seen and, by the implicit function theorem on the same
bordered system (:mod:`medtwin.physiology.periodic`), the slopes of all of it by all deviates of the prior. A parameter whose
posterior is at least :data:`UNKNOWN` times as wide as its prior is called unknown.

People go in blocks of one size, so that one compiled function serves all; what is known of valves (an orifice or a leak from
an echocardiogram, a parameter set) is given as parameters that are held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from medtwin.errors import InferenceError
from medtwin.inference.haemodynamic_contradictions import Contradiction, contradictions
from medtwin.inference.levenberg_marquardt import Mode, Seen, mode
from medtwin.physiology.circulation_beat import LOOP, OBSERVED, turn
from medtwin.physiology.circulation_four_chambers import CirculationFourChambersParameters
from medtwin.physiology.model import parameters_at, priors, variables
from medtwin.physiology.periodic import conserved, frame, newton_step, shorten, slopes
from medtwin.physiology.prior import Fixed
from medtwin.quantities import registry

QUANTILES = (-1.6448536269514722, 0.0, 1.6448536269514722)  #: deviates of 5, 50 and 95 %
UNKNOWN = 0.8  #: posterior over prior sd from which a parameter is unknown (science page, section 12)
STEPS = 125  #: of a beat: EDV within 0.05 % without stenosis, 1 % with an aortic valve of 0.9 cm2 (tests)
ITERATIONS = 20  #: of each climb
BLURRED = (4.0,)  #: factors on the errors in the climbs before the last
BLOCK = 32  #: people side by side
CLOSED = 0.05  #: greatest Newton step of a state, in units of its scale, from which what the beat shows is corrected linearly

#: Standard deviation of each reading about the model: the way of measuring and the moments between measurements together.
#: Source: section 12 of the science page for nine of them; else the quantity's own error.
ERRORS: Mapping[str, float] = {
    "systolic_pressure": 4.0,
    "diastolic_pressure": 4.0,
    "cardiac_output": 0.4,
    "left_ventricular_ejection_fraction": 4.0,
    "pulmonary_artery_systolic_pressure": 3.0,
    "pulmonary_artery_diastolic_pressure": 2.0,
    "pulmonary_wedge_pressure": 2.0,
    "right_atrial_mean_pressure": 1.5,
    "right_ventricular_systolic_pressure": 3.0,
}


def inferred() -> tuple[str, ...]:
    """Names of the parameters that have a prior, in the order of the deviates."""
    return tuple(name for name, prior in priors(LOOP).items() if not isinstance(prior, Fixed))


@dataclass(frozen=True, slots=True)
class Parameter:
    """What was learnt of one parameter: median and the 90 % interval in its unit; ``ratio`` of posterior to prior sd."""

    name: str
    unit: str
    median: float
    low: float
    high: float
    ratio: float

    @property
    def unknown(self) -> bool:
        """Whether the data say nothing of it: never show its value as the person's."""
        return self.ratio >= UNKNOWN


@dataclass(frozen=True, slots=True)
class Expected:
    """An observable of the person's beat: the belief's mean and sd, and the sd of a new measurement of it."""

    name: str
    unit: str
    mean: float
    sd: float
    measured_sd: float


@dataclass(frozen=True)
class Personalised:
    """One person. ``withheld`` says why there is no belief; then parameters and observables are empty."""

    withheld: str | None
    contradictions: tuple[Contradiction, ...]
    parameters: tuple[Parameter, ...] = ()
    observables: tuple[Expected, ...] = ()
    misfit: float = float("nan")  #: mean squared standardised error of the readings
    readings: int = 0
    settled: bool = False
    deviates: tuple[float, ...] = ()
    covariance: NDArray[np.float64] | None = None

    def expected(self, quantity: str) -> Expected:
        """What is expected of a quantity."""
        return next(o for o in self.observables if o.name == quantity)


class Block(NamedTuple):
    """People side by side: readings and weights ``[quantity, person]``, held parameters ``[person]`` each."""

    reading: Float[Array, "seen people"]
    weight: Float[Array, "seen people"]
    held: dict[str, Float[Array, "people"]]


def sd_of(quantity: str, value: float) -> float:
    """The error that is assumed of a reading, in the quantity's unit."""
    return ERRORS.get(quantity) or registry.get(quantity).sd(value)


def parameters_of(z: Float[Array, "deviate ..."], held: Mapping[str, Array]) -> CirculationFourChambersParameters:
    """Parameters at deviates, those that are held replaced."""
    deviates = dict(zip(inferred(), z, strict=True))
    parameters = parameters_at(LOOP, deviates)
    names = list(held)
    return (
        eqx.tree_at(lambda p: [getattr(p, n) for n in names], parameters, [held[n] for n in names])
        if names
        else parameters
    )


class Found(NamedTuple):
    """The state that a beat was found to repeat, at which deviates, and how it moves with them."""

    x: Float[Array, "state people"]
    z: Float[Array, "deviate people"]
    by_z: Float[Array, "state deviate people"]


def seen_at(z: Float[Array, "deviate people"], near: Found, held: Mapping[str, Array], *, steps: int) -> Seen:
    """What the periodic beat at ``z`` shows, found from that of deviates near by: one turn and its Newton step."""
    at, amount = frame(LOOP), conserved(LOOP)
    n = len(near.x)
    apart = {name: value[None] for name, value in held.items()}  # beside the axis of the differences
    expected = jnp.sum(near.by_z * (z - near.z)[None], axis=1)
    x = near.x + shorten(near.x, expected, at.signed)

    def both(joint: Array) -> tuple[Array, Array, Array]:
        here = parameters_of(joint[n:], apart)
        state = at.unstack(joint[:n])
        beat = turn(state, here, steps=steps)
        missing = here.stressed_blood_volume - amount(state, here)
        return at.stack(beat.after), jnp.stack([beat.seen[name] for name in OBSERVED]), missing[None]

    (ended, seen, short), (moved, shown, shorter) = slopes(both, jnp.concatenate([x, z]))
    normal = -shorter[:n, 0]
    unit = normal / jnp.sum(normal * normal, axis=0, keepdims=True)
    pushed = jnp.swapaxes(moved[n:], 0, 1) + unit[:, None] * jnp.swapaxes(shorter[n:], 0, 1)
    solved = newton_step(x, ended, moved[:n], normal, short[0], pushed)  # columns: dx, then dx/dz
    value = seen + jnp.sum(shown[:n] * solved[:, :1], axis=0)
    slope = jnp.swapaxes(shown[n:], 0, 1) + jnp.einsum("ksp,kzp->szp", shown[:n], solved[:, 1:])
    closer = x + shorten(x, solved[:, 0], at.signed)
    good = jnp.max(jnp.abs(solved[:, 0]), axis=0) < CLOSED
    good = good & jnp.isfinite(value).all(axis=0) & jnp.isfinite(slope).all(axis=(0, 1))
    whole = jnp.isfinite(closer).all(axis=0)
    return Seen(
        value, slope,
        Found(jnp.where(whole[None], closer, ended), z, jnp.where((whole & good)[None, None], solved[:, 1:], 0.0)),
        good,
    )  # fmt: skip


@cache
def _compiled(iterations: int, steps: int) -> Any:
    def climb(block: Block, z: Array, near: Found) -> Mode:
        model = lambda z, near: seen_at(z, near, block.held, steps=steps)  # noqa: E731
        return mode(model, z, near, block.reading, block.weight, iterations=iterations)

    return jax.jit(climb)


def _climbed(block: Block, iterations: int) -> Mode:
    """Climbs with errors that are taken for greater first: they lead past lesser modes and long valleys."""
    z = jnp.zeros((len(inferred()), block.reading.shape[1]))
    x = frame(LOOP).stack(LOOP.initial(parameters_of(z, block.held)))
    near = Found(x, z, jnp.zeros((len(x), *z.shape)))
    climb = _compiled(iterations, STEPS)
    for blurred in BLURRED:
        last = climb(block._replace(weight=block.weight / blurred), z, near)
        z, near = last.z, last.seen.carried
    return climb(block, z, near)


def personalise(
    people: Sequence[Mapping[str, float]],
    *,
    held: Sequence[Mapping[str, float]] | None = None,
    iterations: int = ITERATIONS,
    block: int = BLOCK,
    errors: float = 1.0,
) -> tuple[Personalised, ...]:
    """The belief over each person's circulation, from quantity -> value (in the quantity's unit; NaN is absent).

    ``held``: parameters known of each person (an orifice area), in their units. ``errors`` multiplies the sd of every reading
    (the mean of a group is surer than one person's reading). Raises InferenceError for a quantity that
    the beat does not show or a parameter that it does not have. Who has no reading at all, or readings that contradict each
    other, is withheld with the reason; readings that are merely odd are used and named.
    """
    known = [dict(one) for one in held] if held is not None else [{} for _ in people]
    readings = [{name: float(v) for name, v in one.items() if np.isfinite(v)} for one in people]
    declared = set(priors(LOOP))
    for i, one in enumerate(readings):
        if wrong := sorted(set(one) - set(OBSERVED)):
            raise InferenceError(f"readings of {wrong}", expected=f"of {', '.join(OBSERVED)}", where="personalise")
        if wrong := sorted(set(known[i]) - declared):
            raise InferenceError(f"held parameters {wrong}", expected=f"parameters of {LOOP.name}", where="personalise")
    against = [contradictions(one) for one in readings]
    stopped = [_withheld(one, found) for one, found in zip(readings, against, strict=True)]
    asked = [i for i, why in enumerate(stopped) if why is None]
    results: list[Personalised] = [Personalised(why, found) for why, found in zip(stopped, against, strict=True)]
    names = sorted({name for i in asked for name in known[i]})
    medians = {
        name: float(prior.from_deviate(jnp.asarray(0.0))) for name, prior in priors(LOOP).items() if name in names
    }
    for first in range(0, len(asked), block):
        here = asked[first : first + block]
        padded = here + [here[-1]] * (block - len(here))
        found = _climbed(_block([readings[i] for i in padded], [known[i] for i in padded], medians, errors), iterations)
        found = jax.tree.map(np.asarray, found)
        for k, i in enumerate(here):
            results[i] = _person(found, k, readings[i], against[i])
    return tuple(results)


def _withheld(readings: Mapping[str, float], found: Sequence[Contradiction]) -> str | None:
    impossible = [c.sentence for c in found if c.impossible]
    if impossible:
        return "; ".join(impossible)
    return None if readings else "nothing was measured"


def _block(
    readings: Sequence[Mapping[str, float]],
    held: Sequence[Mapping[str, float]],
    medians: Mapping[str, float],
    errors: float,
) -> Block:
    value = np.array([[one.get(name, 0.0) for one in readings] for name in OBSERVED])
    weight = np.array(
        [[1.0 / (errors * sd_of(name, one[name])) if name in one else 0.0 for one in readings] for name in OBSERVED]
    )
    fixed = {name: jnp.asarray([one.get(name, middle) for one in held]) for name, middle in medians.items()}
    return Block(jnp.asarray(value), jnp.asarray(weight), fixed)


def _person(found: Mode, k: int, readings: Mapping[str, float], against: tuple[Contradiction, ...]) -> Personalised:
    if not bool(found.seen.sound[k]) or not np.isfinite(found.covariance[k]).all():
        return Personalised("no periodic beat was found near these measurements", against, readings=len(readings))
    z, covariance = np.asarray(found.z)[:, k], np.asarray(found.covariance)[k]
    sds = np.sqrt(np.diagonal(covariance))
    resolved = priors(LOOP)
    units = {v.name: v.unit for v in variables(LOOP.Parameters)}
    spans = [
        [float(resolved[n].from_deviate(jnp.asarray(z[j] + d * sds[j]))) for d in QUANTILES]
        for j, n in enumerate(inferred())
    ]
    parameters = tuple(
        Parameter(name, units[name], median, low, high, float(sd))
        for name, (low, median, high), sd in zip(inferred(), spans, sds, strict=True)
    )
    slope = found.seen.slope[:, :, k]
    spread = np.sqrt(np.maximum(np.einsum("sz,zy,sy->s", slope, covariance, slope), 0.0))
    observables = []
    for j, name in enumerate(OBSERVED):
        mean, sd = float(found.seen.value[j, k]), float(spread[j])
        error = sd_of(name, mean)
        observables.append(Expected(name, registry.get(name).unit, mean, sd, float(np.hypot(sd, error))))
    return Personalised(
        None, against, parameters, tuple(observables), float(found.misfit[k]) / len(readings), len(readings),
        bool(found.settled[k]), tuple(float(v) for v in z), covariance,
    )  # fmt: skip
