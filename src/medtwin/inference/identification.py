"""Identify: the parameters of people from days or weeks of readings, doses, meals and heart rate, all people at once.

The model is replayed without noise from the beginning of the window; what it misses is left to :mod:`medtwin.inference.mismatch`.
Over the deviates z of all parameters that have a prior, and of one that moves the glucose at the start::

    log p(z | readings) = log N(z; prior) - 1/2 |whitened(readings - replay(z))|^2 + constant

The mode is found by Gauss-Newton with Levenberg's damping from the prior's mean and from draws of the prior, the covariance
is Laplace's with the same curvature, over what the mismatch may be (:func:`medtwin.inference.mismatch.spread`). Slopes are
forward: parameters are few, steps are thousands, nothing is stored. Between climbs the mismatch is learnt (three numbers for
each person), outliers are given less weight, and what stands for bounds ("Low", "High") is found anew. Where starts ended is
kept: a posterior with several modes of weight is said, and its intervals are those of the mixture (Laplace weights; MacKay
2003 ch. 27).

On people drawn from the prior two things make such intervals too short. A climb may end on a lesser mode, mostly where the
white error is small: of 16 people begun at two starts three ended 70 to 100 below the log density at their truth, while climbs
begun there had 88.5 % of truths in their 90 % intervals (looked at once; no command
makes these figures). So :data:`STARTS` are taken. What remains (Gauss-Newton's curvature,
climbs that are cut off, another sensor than assumed) is met by drawing what is told of a person :data:`WIDER`, a judgement from
those 88.5 %; it is scored on other people (``docs/evidence/identification.md``).

Everything has the shape ``[..., starts, people]``, so that one compiled function serves all starts of all people of a size class;
an iteration costs (parameters + 1) x starts x people replays in one loop over time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpy.typing import NDArray

from medtwin.errors import InferenceError
from medtwin.inference.algebra import few
from medtwin.inference.mismatch import (
    Gains,
    Linear,
    Mismatch,
    bounds,
    elapsed_of,
    gains,
    inflation,
    learn,
    spread,
    whiten,
)
from medtwin.inference.problem import FAR, Problem
from medtwin.inference.tape import EXACT, LOWER, UPPER, Tape

START, START_SPREAD = "start", 0.4  #: log-normal factor on the states that are read: nobody need be at rest
#: Climbs: iterations at most, and by how much errors are taken for smaller than they are: the first, blurred ones lead past the
#: lesser modes. The mismatch is learnt between them.
ROUNDS = ((15, 6.0), (15, 2.5), (25, 1.0), (8, 1.0))
GAIN = 1e-3  #: log density: a smaller promise ends a climb


class Window(NamedTuple):
    """People's days as arrays ``[..., people]``; made by :func:`window`."""

    inputs: dict[str, Array]  #: ``[step, people]``
    start: Array
    place: Array  #: ``[reading, people]``: the step at whose end it was taken
    value: Array
    kind: Array
    present: Array
    elapsed: Array


class Identified(NamedTuple):
    """What was found of each person; deviates are of ``names``, the last of which is ``start``."""

    names: tuple[str, ...]
    mode: NDArray[np.float64]  #: ``[named, people]``
    covariance: NDArray[np.float64]  #: ``[people, named, named]``
    ends: NDArray[np.float64]  #: ``[named, starts, people]``: where each start ended
    heights: NDArray[np.float64]  #: ``[starts, people]``: log density there, up to a constant of the person
    covariances: NDArray[np.float64]  #: ``[starts, people, named, named]``
    settled: NDArray[np.bool_]  #: ``[starts, people]``: whether that climb came to its end
    log_evidence: NDArray[np.float64]  #: ``[people]``, of the best mode; compares models on the same readings
    mismatch: NDArray[np.float64]  #: ``[3, people]``: slow_sd, slow_time, white_sd
    rmse: NDArray[np.float64]  #: of the replay at the mode, in the observable's unit
    mard: NDArray[np.float64]  #: mean absolute relative difference, %
    readings: NDArray[np.int64]
    outliers: NDArray[np.float64]  #: share of readings that were given less weight


def window(tape: Tape, quantity: str = "glucose", *, dt: float, readings: int | None = None) -> Window:
    """The window of a tape of batch ``(people,)``. ``readings``: pad to so many (default: the most of anybody).

    Raises InferenceError where nobody has a reading, or somebody more than fit.
    """
    held = tape.readings[quantity]
    steps, people = np.asarray(held.value).shape
    valid = np.asarray(held.present) & np.isfinite(held.value) & (np.arange(steps)[:, None] < np.asarray(tape.valid))
    most = int(valid.sum(0).max(initial=0))
    size = most if readings is None else readings
    if most == 0 or most > size:
        raise InferenceError(f"{most} readings of {quantity}", expected=f"1 to {size}", where="inference.window")
    place = np.zeros((size, people), np.int64)
    present = np.zeros((size, people), bool)
    for j in range(people):
        at = np.flatnonzero(valid[:, j])
        place[: len(at), j], present[: len(at), j] = at, True
        place[len(at) :, j] = at[-1] if len(at) else 0
    value = np.where(present, np.take_along_axis(np.asarray(held.value, float), place, 0), 1.0)
    return Window(
        {name: jnp.asarray(given, float) for name, given in tape.inputs.items()},
        jnp.asarray(tape.start, float),
        jnp.asarray(place),
        jnp.asarray(value),
        jnp.asarray(np.take_along_axis(np.asarray(held.kind), place, 0), jnp.int32),
        jnp.asarray(present),
        jnp.asarray(elapsed_of(place, dt)),
    )


def _seen_states(problem: Problem, quantity: str) -> tuple[str, ...]:
    """States that are read: those on which ``quantity``, or what it delays (``blood_`` quantity), depends."""
    z = jnp.zeros((len(problem.inferred), 1, 1))
    parameters = problem.parameters(problem.values(z), jnp.zeros((1, 1)))
    rest = problem.model.initial(parameters)
    looked = [q for q in (quantity, f"blood_{quantity}") if q in problem.model.observes]

    def total(state: Any) -> Array:
        seen = problem.model.observe(jnp.asarray(0.0), state, parameters)
        return sum((jnp.sum(seen[q]) for q in looked), jnp.zeros(()))

    slope = jax.grad(total)(jax.tree.map(lambda x: jnp.asarray(x, float), rest))
    return tuple(n for n in problem.states if float(np.abs(np.asarray(getattr(slope, n))).max()) > 0.0)


class Replay(eqx.Module):
    """The model as a function of deviates; make it with :func:`replay_of`."""

    problem: Problem
    quantity: str = eqx.field(static=True)
    seen: tuple[str, ...] = eqx.field(static=True)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.problem.inferred, START)

    def prior(self) -> tuple[Array, Array]:
        """Prior mean ``[named, 1 or people]`` and covariance of the deviates."""
        mean, root = self.problem.prior_mean, self.problem.prior_root
        mean = mean if mean.ndim == 2 else mean[:, None]
        covariance = jnp.eye(len(self.names)).at[:-1, :-1].set(root @ root.T)
        return jnp.concatenate([mean, jnp.zeros_like(mean[:1])]), covariance

    def __call__(self, held: Window, z: Float[Array, "named starts people"]) -> Float[Array, "steps starts people"]:
        """The observable after each step."""
        model, like = self.problem.model, z[0]
        dt = jnp.asarray(model.clock.step, z.dtype)
        state, parameters = started(self, z)

        def step(carry: tuple[Any, Array], now: Mapping[str, Array]) -> tuple[tuple[Any, Array], Array]:
            before, t = carry
            given = {name: jnp.broadcast_to(value[None], like.shape) for name, value in now.items()}
            after = model.step(t, dt, before, parameters, given)
            read = model.observe(t + dt, after, parameters)[self.quantity]
            return (after, t + dt), jnp.broadcast_to(read, like.shape)

        return jax.lax.scan(step, (state, held.start), held.inputs)[1]


def started(replay: Replay, z: Float[Array, "named starts people"]) -> tuple[Any, Any]:
    """The state at the start of the window and the parameters at these deviates, of shape ``[starts, people]``."""
    problem, like = replay.problem, z[0]

    def wide(x: Array) -> Array:
        return jnp.broadcast_to(x, like.shape).astype(z.dtype)

    parameters = jax.tree.map(wide, problem.parameters(problem.values(z[:-1]), like))
    state = problem.model.initial(parameters)
    factor = jnp.exp(START_SPREAD * z[-1])
    moved = {name: getattr(state, name) * factor for name in replay.seen}
    state = dataclasses.replace(state, **moved)
    return jax.tree.map(wide, state), parameters


def replay_of(problem: Problem, quantity: str = "glucose") -> Replay:
    """The replay of a problem; raises InferenceError where the model does not observe ``quantity``."""
    if quantity not in problem.model.observes:
        raise InferenceError(
            f"{quantity} to be identified from", expected=f"among {', '.join(problem.model.observes)}",
            where=f"model {problem.model.name}",
        )  # fmt: skip
    return Replay(problem, quantity, _seen_states(problem, quantity))


def errors(
    replay: Replay, held: Window, z: Float[Array, "named starts people"]
) -> Float[Array, "readings starts people"]:
    """Values minus replay, 0 where there is none; of bounds too, for which :func:`identify` puts values that stand for them."""
    path = replay(held, z)
    at = jnp.take_along_axis(path, held.place[:, None, :], axis=0)
    return jnp.where(held.present[:, None, :], held.value[:, None, :] - at, 0.0)


def _linearised(replay: Replay, held: Window, z: Array) -> tuple[Array, Array]:
    """Errors ``[reading, starts, people]`` and slopes of the replay ``[reading, named, starts, people]``."""
    ways = jnp.eye(z.shape[0], dtype=z.dtype)[:, :, None, None]
    error, fall = jax.vmap(
        lambda way: jax.jvp(lambda at: errors(replay, held, at), (z,), (jnp.broadcast_to(way, z.shape),)),
        out_axes=(None, 1),
    )(ways)
    return error, -fall


class _Climb(NamedTuple):
    z: Array
    cost: Array  #: ``[starts, people]``
    curve: Array  #: ``[starts, people, named, named]``
    pull: Array
    tried: Array
    damping: Array
    done: Array
    iterations: Array
    error: Array  #: ``[reading, starts, people]``
    slopes: Array  #: ``[reading, named, starts, people]``


@eqx.filter_jit
def _climb(replay: Replay, held: Window, z: Array, found: Gains, most: Array, blur: Array) -> _Climb:
    """From each start to its mode."""
    mean, covariance = replay.prior()
    precision = jnp.linalg.inv(covariance)
    named, starts, people = z.shape

    def body(c: _Climb) -> _Climb:
        error, slopes = _linearised(replay, held, c.tried)
        white, bent = whiten(found, error) / blur, whiten(found, slopes) / blur
        apart = c.tried - mean[:, None, :]
        cost = 0.5 * jnp.sum(white**2, axis=0) + 0.5 * jnp.einsum("krp,kl,lrp->rp", apart, precision, apart)
        better = jnp.isfinite(cost) & (cost < c.cost)
        curve = jnp.einsum("nkrp,nlrp->rpkl", bent, bent) + precision[None, None]
        pull = jnp.einsum("nkrp,nrp->rpk", bent, white) - jnp.einsum("kl,lrp->rpk", precision, apart)
        gained = c.cost - cost
        error, slopes = jnp.where(better, error, c.error), jnp.where(better, slopes, c.slopes)
        z = jnp.where(better, c.tried, c.z)
        cost = jnp.where(better, cost, c.cost)
        curve = jnp.where(better[..., None, None], curve, c.curve)
        pull = jnp.where(better[..., None], pull, c.pull)
        damping = jnp.where(better, jnp.maximum(c.damping / 5.0, 1e-6), c.damping * 5.0)
        diagonal = jnp.diagonal(curve, axis1=2, axis2=3)
        damped = curve + damping[..., None, None] * diagonal[..., None] * jnp.eye(named)[None, None]
        step = few(jnp.linalg.solve, damped.reshape(-1, named, named), pull.reshape(-1, named)).reshape(pull.shape)
        length = jnp.linalg.norm(step, axis=-1, keepdims=True)
        step = step * jnp.minimum(1.0, 2.5 / jnp.maximum(length, 1e-12))
        promised = 0.5 * jnp.sum(step * pull, axis=-1)
        done = c.done | (better & (promised < GAIN)) | (damping > 1e5) | (better & (gained < GAIN))
        tried = jnp.clip(z + jnp.moveaxis(step, -1, 0), -FAR, FAR)
        tried = jnp.where(done[None], z, tried)
        return _Climb(z, cost, curve, pull, tried, damping, done, c.iterations + 1, error, slopes)

    nothing = jnp.zeros((starts, people))
    begin = _Climb(
        z, nothing + jnp.inf, jnp.broadcast_to(jnp.eye(named), (starts, people, named, named)),
        jnp.zeros((starts, people, named)), z, nothing + 0.05, nothing > 1.0, jnp.asarray(0, jnp.int32),
        jnp.zeros((len(held.value), starts, people)), jnp.zeros((len(held.value), named, starts, people)),
    )  # fmt: skip
    return jax.lax.while_loop(lambda c: (c.iterations < most) & ~jnp.all(c.done), body, begin)


_gains = eqx.filter_jit(gains)
_inflation = eqx.filter_jit(inflation)
_bounds = eqx.filter_jit(bounds)


def _of_best(x: Array, cost: Array) -> Array:
    """``x [..., starts, people]`` of each person's best start."""
    best = jnp.argmin(cost, axis=0).reshape((1,) * (x.ndim - 1) + (-1,))
    return jnp.take_along_axis(x, best, axis=x.ndim - 2)[..., 0, :]


def identify(
    replay: Replay,
    held: Window,
    key: PRNGKeyArray,
    *,
    starts: int = 4,
    mismatch: Mismatch | None = None,
) -> Identified:
    """The mode and Laplace's covariance for each person of the window, from ``starts`` starts each.

    Raises InferenceError where a person's replay is not finite from any start.
    """
    mismatch = Mismatch() if mismatch is None else mismatch
    people = held.value.shape[1]
    mean, covariance = replay.prior()
    precision = jnp.linalg.inv(covariance)
    root = jnp.linalg.cholesky(covariance)
    normal = jax.random.normal(key, (len(replay.names), starts, people), mean.dtype)
    drawn = jnp.einsum("kl,lrp->krp", root, normal.at[:, 0].set(0.0))
    z = jnp.clip(mean[:, None, :] + drawn, -2.5, 2.5)
    eta, inflated, worth = jnp.zeros((3, people)), jnp.ones_like(held.value), jnp.zeros(people)
    stated, bounded = held, bool((np.asarray(held.present) & (np.asarray(held.kind) != EXACT)).any())

    def climb(most: int, blur: float) -> tuple[_Climb, Gains, tuple[Array, ...]]:
        found = _gains(mismatch, eta, held.elapsed, held.present, inflated)
        end = _climb(replay, held, z, found, jnp.asarray(most, jnp.int32), jnp.asarray(blur, z.dtype))
        if not bool(jnp.isfinite(jnp.min(end.cost, axis=0)).all()):
            raise InferenceError("a replay that is not finite from any start", expected="finite inputs and readings")
        best = tuple(_of_best(x, end.cost) for x in (end.z, end.error, end.slopes))
        return end, found, best

    def linear(z: Array, error: Array, slopes: Array) -> Linear:
        return Linear(error, slopes, z - mean, precision, held.elapsed, held.present, inflated)

    for number, (most, blur) in enumerate(ROUNDS[:-1]):
        end, found, best = climb(most, blur)
        z = end.z
        if number > 0 and not mismatch.settled:
            outlying = _inflation(mismatch, eta, found, best[1])
            inflated = jnp.where(held.kind == EXACT, outlying, inflated)
            eta, _ = learn(mismatch, eta, linear(*best))
        if bounded:
            path = held.value - best[1]
            one = _bounds(
                mismatch,
                eta,
                held.elapsed,
                held.present,
                inflated,
                held.kind,
                jnp.where(held.present, stated.value - path, 0.0),
            )
            held = held._replace(value=jnp.where(held.present, path + one.error, held.value))
            inflated, worth = one.inflation, one.worth
    end, _, best = climb(*ROUNDS[-1])
    _, evidence = learn(mismatch, eta, linear(*best))
    every = [spread(mismatch, eta, linear(end.z[:, r], end.error[:, r], end.slopes[:, :, r])) for r in range(starts)]
    covariances = np.stack([np.asarray(one) for one in every])
    which = np.asarray(jnp.argmin(end.cost, axis=0))
    here, kind = np.asarray(held.present), np.asarray(held.kind)
    error = np.where(here, np.asarray(stated.value - held.value + best[1]), 0.0)
    error[((kind == UPPER) & (error > 0)) | ((kind == LOWER) & (error < 0))] = 0.0  # a bound that the replay keeps
    count = here.sum(0)
    return Identified(
        names=replay.names,
        mode=np.asarray(best[0]),
        covariance=covariances[which, np.arange(people)],
        ends=np.asarray(end.z),
        heights=-np.asarray(end.cost),
        covariances=covariances,
        settled=np.asarray(end.done),
        log_evidence=np.asarray(evidence + worth),
        mismatch=np.stack([np.broadcast_to(np.asarray(v), (people,)) for v in mismatch.values(eta)]),
        rmse=np.sqrt((error**2 * here).sum(0) / np.maximum(count, 1)),
        mard=100.0 * (np.abs(error) / np.asarray(stated.value) * here).sum(0) / np.maximum(count, 1),
        readings=count.astype(np.int64),
        outliers=((np.asarray(inflated) > 1.0) & (kind == EXACT)).sum(0) / np.maximum(count, 1),
    )


class WindowPosterior(eqx.Module):
    """The density of one person's deviates, the mismatch known: what NUTS samples to check Laplace's intervals."""

    replay: Replay
    held: Window
    gains: Gains

    @property
    def names(self) -> tuple[str, ...]:
        return self.replay.names

    def prior(self) -> tuple[Array, Array]:
        mean, covariance = self.replay.prior()
        return mean[:, 0], covariance

    def __call__(self, z: Float[Array, " named"]) -> Float[Array, ""]:
        mean, covariance = self.prior()
        apart = jax.scipy.linalg.solve_triangular(jnp.linalg.cholesky(covariance), z - mean, lower=True)
        white = whiten(self.gains, errors(self.replay, self.held, z[:, None, None]))
        return -0.5 * jnp.sum(apart**2) - 0.5 * jnp.sum(white**2)


class Mode(NamedTuple):
    """One mode of a person's posterior, with its share of the mass by Laplace's approximation."""

    weight: float
    z: NDArray[np.float64]
    covariance: NDArray[np.float64]
    starts: int  #: how many starts ended here


def modes(found: Identified, person: int, least: float = 0.01) -> tuple[Mode, ...]:
    """The modes of a person with at least that share, heaviest first: ends that lie more than a standard deviation apart."""
    order = [int(r) for r in np.argsort(-found.heights[:, person]) if np.isfinite(found.heights[r, person])]
    kept: list[int] = []
    starts: list[int] = []
    for r in order:
        if kept and not found.settled[r, person]:
            continue
        for i, k in enumerate(kept):
            sd = np.sqrt(np.diagonal(found.covariances[k, person]))
            if (np.abs(found.ends[:, r, person] - found.ends[:, k, person]) < sd).all():
                starts[i] += 1
                break
        else:
            kept.append(r)
            starts.append(1)
    logs = [found.heights[k, person] + 0.5 * np.linalg.slogdet(found.covariances[k, person])[1] for k in kept]
    weights = np.exp(np.array(logs) - max(logs))
    weights /= weights.sum()
    made = [
        Mode(float(w), found.ends[:, k, person], found.covariances[k, person], n)
        for w, k, n in zip(weights, kept, starts, strict=True)
        if w >= least
    ]
    return tuple(sorted(made, key=lambda mode: -mode.weight))


STARTS = 6  #: of a person's climbs: one from the prior's mean, the others from draws of the prior
WIDER = 1.1  #: times the sd of each deviate, nowhere beyond the prior's; see the module's docstring


def draws(found: Identified, person: int, count: int, seed: int = 0, wider: float = 1.0) -> NDArray[np.float64]:
    """Draws ``[named, count]`` of a person's deviates from the mixture of modes, each mode's sd ``wider`` times its own, but
    not beyond the prior's."""
    rng = np.random.default_rng(seed)
    several = modes(found, person)
    shares = np.array([mode.weight for mode in several])
    which = rng.choice(len(several), size=count, p=shares / shares.sum())
    normal = rng.standard_normal((len(found.names), count))
    made = np.empty_like(normal)
    for i, mode in enumerate(several):
        here = which == i
        sd = np.sqrt(np.diagonal(mode.covariance))
        factor = np.minimum(wider, np.maximum(1.0, 1.0 / sd))
        made[:, here] = mode.z[:, None] + factor[:, None] * (np.linalg.cholesky(mode.covariance) @ normal[:, here])
    return np.clip(made, -FAR, FAR)


NARROWER, AWAY = 0.7, 1.0  #: of the prior's sd: half of the variance is gone; or the mode lies one sd off. Judgement.


def moved(found: Identified, person: int, prior_sd: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the data moved each deviate: an interval at most NARROWER times the prior's, or a mode AWAY of its sds from 0."""
    sd = np.sqrt(np.diagonal(found.covariance[person]))
    return (sd < NARROWER * prior_sd) | (np.abs(found.mode[:, person]) > AWAY * prior_sd)
