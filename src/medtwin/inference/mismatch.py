"""What stands between a replay and its readings: a slow error of the model and a quick one of the sensor.

Five-minute readings are no independent witnesses: where a model is wrong, it is wrong for an hour or two. So the difference of
reading and replay is a slow, stationary process (Ornstein and Uhlenbeck) plus white noise, at whatever times readings came::

    y_i = g(t_i) + s_i + w_i      cov(s_i, s_j) = slow_sd^2 exp(-|t_i - t_j|/slow_time)      w_i ~ N(0, white_sd^2 inflation_i)

A scalar Kalman filter whitens it: its gains depend on times only, so that the same gains whiten residuals and their slopes.
An outlier (a pressed sensor) has its own inflation, so that no reading lies more than ``OUTLIER`` standard deviations off its
prediction (Huber's weights). A bound ("Low", "High") says no number: it is stood for by a reading and an inflation of its own
that have the slope and the bend of its log probability, log Phi, where it is met (a site of expectation propagation, Minka
2001). To count a bound that the replay keeps as an error of zero would be to know the slow error to the sensor's noise, and
to learn the offset from every entry into a low and every way out of it. The three numbers are found by the evidence of the
linearised model, parameters integrated out (restricted maximum likelihood, Patterson & Thompson 1971): a fit with many
parameters else takes its own error for small.

Shapes: ``[reading, ..., people]``; ``place`` and ``gains`` are ``[reading, people]``.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from medtwin.inference import readings
from medtwin.inference.algebra import few
from medtwin.inference.tape import EXACT

OUTLIER = 3.5  #: standard deviations
FAR = 4.0  #: deviates of the mismatch at most
REACH = 2.0  #: standard deviations from the likeliest mismatch to the others that are looked at
LEAST = (
    1e-4  #: share of its variance by which a bound narrows its prediction; one that says less counts as if it said this
)
LOG_2PI = 1.8378770664093453


class Mismatch(eqx.Module):
    """Log-normal priors (median, sigma) of the slow error's size and time (of the model's clock) and of the white one's size.

    Sizes are in the observable's unit. The defaults are for glucose in mg/dL and minutes: judgement, after personal fits to
    people of T1D-UOM, whose replays err for hours. ``settled``: nothing is learnt, the medians hold (for a comparison with
    methods that take errors for independent).
    """

    slow_sd: tuple[float, float] = eqx.field(static=True, default=(25.0, 0.5))
    slow_time: tuple[float, float] = eqx.field(static=True, default=(90.0, 0.5))
    white_sd: tuple[float, float] = eqx.field(static=True, default=(2.5, 0.5))
    settled: bool = eqx.field(static=True, default=False)

    def values(self, eta: Float[Array, "3 people"]) -> tuple[Array, Array, Array]:
        """``slow_sd``, ``slow_time``, ``white_sd`` at these deviates."""
        slow, time, white = (
            median * jnp.exp(sigma * eta[i])
            for i, (median, sigma) in enumerate((self.slow_sd, self.slow_time, self.white_sd))
        )
        return slow, time, white


class Gains(NamedTuple):
    """What whitens; all ``[reading, people]`` but ``log_det [people]``, the log determinant of the covariance."""

    passed: Array  #: by which the slow error decays since the last reading
    gain: Array
    sd: Array  #: predicted, of the reading; infinite where there is none
    slow: Array  #: variance of the slow error before the reading
    log_det: Array


def gains(
    mismatch: Mismatch,
    eta: Float[Array, "3 people"],
    elapsed: Float[Array, "readings people"],
    present: Bool[Array, "readings people"],
    inflation: Float[Array, "readings people"],
) -> Gains:
    """Gains of the filter; ``elapsed``: time since the reading before."""
    slow, time, white = mismatch.values(eta)
    size = slow**2

    def meet(variance: Array, now: tuple[Array, Array, Array]) -> tuple[Array, tuple[Array, ...]]:
        since, here, inflated = now
        decay = jnp.exp(-since / time)
        before = decay**2 * variance + size * (1.0 - decay**2)
        total = before + white**2 * inflated
        gain = jnp.where(here, before / total, 0.0)
        sd = jnp.where(here, jnp.sqrt(total), jnp.inf)
        return (1.0 - gain) * before, (decay, gain, sd, before, jnp.where(here, jnp.log(total), 0.0))

    _, (passed, gain, sd, before, logs) = jax.lax.scan(meet, size, (elapsed, present, inflation))
    return Gains(passed, gain, sd, before, jnp.sum(logs, axis=0))


def whiten(found: Gains, error: Float[Array, "readings ... people"]) -> Float[Array, "readings ... people"]:
    """Errors as independent ones of variance 1; linear in ``error``. Absent readings become 0."""

    def wide(x: Array) -> Array:
        return x.reshape(x.shape[:1] + (1,) * (error.ndim - 2) + x.shape[1:])

    def meet(mean: Array, now: tuple[Array, ...]) -> tuple[Array, Array]:
        seen, passed, gain, sd = now
        apart = seen - passed * mean
        return passed * mean + gain * apart, apart / sd

    columns = (error, wide(found.passed), wide(found.gain), wide(found.sd))
    return jax.lax.scan(meet, jnp.zeros_like(error[0]), columns)[1]


def inflation(mismatch: Mismatch, eta: Array, plain: Gains, error: Float[Array, "readings people"]) -> Array:
    """By how much the white variance of each reading must grow for it to lie within ``OUTLIER`` of its prediction.

    ``plain``: gains of the present inflation; outliers that follow each other settle as this is repeated.
    """
    _, _, white = mismatch.values(eta)
    apart = whiten(plain, error) * jnp.where(jnp.isfinite(plain.sd), plain.sd, 0.0)
    return jnp.maximum(1.0, ((apart / OUTLIER) ** 2 - plain.slow) / (white**2)[None])


class Bounds(NamedTuple):
    """What stands for bounds; ``[reading, people]``, but ``worth [people]``. Exact readings keep their error and inflation."""

    error: Array  #: reading minus replay
    inflation: Array
    worth: Array  #: log probability of the bounds, less the log density of what stands for them


def bounds(
    mismatch: Mismatch,
    eta: Float[Array, "3 people"],
    elapsed: Float[Array, "readings people"],
    present: Bool[Array, "readings people"],
    inflated: Float[Array, "readings people"],
    kind: Int[Array, "readings people"],
    error: Float[Array, "readings people"],
) -> Bounds:
    """Readings that stand for bounds; ``error``: values and bounds minus replay. One pass through time: each bound meets what
    the readings before it, and what stands for the bounds before it, predict.
    """
    slow, time, white = mismatch.values(eta)
    size = slow**2

    def meet(carry: tuple[Array, Array], now: tuple[Array, ...]) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
        mean, variance = carry
        since, here, wide, form, apart = now
        decay = jnp.exp(-since / time)
        mean, before = decay * mean, decay**2 * variance + size * (1.0 - decay**2)
        plain = before + white**2
        moved = readings.met(apart, form, mean, plain)
        bound = here & (form != EXACT)
        narrowed = jnp.maximum(1.0 - moved.ratio, LEAST)
        stands = jnp.where(bound, mean + moved.shift / narrowed, apart)
        wide = jnp.where(bound, 1.0 + plain * (1.0 / narrowed - 1.0) / white**2, wide)
        total = before + white**2 * wide
        density = -0.5 * ((stands - mean) ** 2 / total + jnp.log(total) + LOG_2PI)
        gain = jnp.where(here, before / total, 0.0)
        carry = (mean + gain * (stands - mean), (1.0 - gain) * before)
        return carry, (stands, wide, jnp.where(bound, moved.log_density - density, 0.0))

    begin = (jnp.zeros_like(size), size)
    _, (stands, wide, worth) = jax.lax.scan(meet, begin, (elapsed, present, inflated, kind, error))
    return Bounds(stands, wide, jnp.sum(worth, axis=0))


class Linear(NamedTuple):
    """People's replays near deviates that lie ``apart`` from their prior's mean, and their readings' times."""

    error: Float[Array, "readings people"]  #: readings minus replay
    slopes: Float[Array, "readings named people"]  #: of the replay
    apart: Float[Array, "named people"]
    precision: Float[Array, "named named"]  #: of the prior
    elapsed: Array
    present: Array
    inflated: Array


def _solved(mismatch: Mismatch, at: Float[Array, "3 people"], linear: Linear) -> tuple[Array, Array, Array]:
    """Log evidence ``[people]`` of the linear model at deviates of the mismatch, parameters integrated out; the root of their
    precision ``[people, named, named]``, and that root's inverse times what pulls at them ``[people, named]``.
    """
    found = gains(mismatch, at, linear.elapsed, linear.present, linear.inflated)
    white, bent = whiten(found, linear.error), whiten(found, linear.slopes)
    curve = jnp.einsum("nkp,nlp->pkl", bent, bent) + linear.precision[None]
    pull = jnp.einsum("nkp,np->pk", bent, white) - jnp.einsum("kl,lp->pk", linear.precision, linear.apart)
    root, way = few(_rooted, curve, pull, copies=len(at) ** 2)
    prior = jnp.einsum("kp,kl,lp->p", linear.apart, linear.precision, linear.apart)
    misfit = jnp.sum(white**2, axis=0) + prior - jnp.sum(way**2, axis=1)
    bend = 2.0 * jnp.sum(jnp.log(jnp.diagonal(root, axis1=1, axis2=2)), axis=1)
    sizes = jnp.linalg.slogdet(linear.precision)[1]
    count = jnp.sum(linear.present, axis=0).astype(white.dtype)
    evidence = -0.5 * (misfit + found.log_det + bend - sizes + count * LOG_2PI + jnp.sum(at**2, axis=0))
    return evidence, root, way


def _rooted(curve: Array, pull: Array) -> tuple[Array, Array]:
    """The root of one precision, and its inverse times what pulls."""
    root = jnp.linalg.cholesky(curve)
    return root, jax.scipy.linalg.solve_triangular(root, pull, lower=True)


def _bend(mismatch: Mismatch, at: Float[Array, "3 people"], linear: Linear) -> tuple[Array, Array, Array]:
    """Log evidence ``[people]``, its slope ``[3, people]`` and its second derivatives ``[3, 3, people]``."""
    ways = jnp.broadcast_to(jnp.eye(3, dtype=at.dtype)[:, :, None], (3, 3, at.shape[1]))

    def slope(at: Array) -> tuple[Array, Array]:
        value, first = jax.vmap(
            lambda way: jax.jvp(lambda x: _solved(mismatch, x, linear)[0], (at,), (way,)), out_axes=(None, 0)
        )(ways)
        return first, value

    (first, value), (second, _) = jax.vmap(lambda way: jax.jvp(slope, (at,), (way,)), out_axes=((None, None), (0, 0)))(
        ways
    )
    return value, first, second


@eqx.filter_jit
def learn(mismatch: Mismatch, eta: Float[Array, "3 people"], linear: Linear) -> tuple[Array, Array]:
    """The deviates of the mismatch that make the readings likeliest, and that log evidence ``[people]``.

    Damped Newton in three dimensions, everybody at once.
    """
    if mismatch.settled:
        return eta, _solved(mismatch, eta, linear)[0]

    def climb(carry: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], None]:
        best, height, first, second, tried, damping = carry
        value, new_first, new_second = _bend(mismatch, tried, linear)
        better = jnp.isfinite(value) & (value > height)
        best = jnp.where(better, tried, best)
        height = jnp.where(better, value, height)
        first = jnp.where(better, new_first, first)
        second = jnp.where(better, new_second, second)
        damping = jnp.where(better, damping / 4.0, damping * 4.0)
        values, frame = jnp.linalg.eigh(-jnp.moveaxis(second, -1, 0))
        lengths = jnp.einsum("pij,ip->pj", frame, first) / (jnp.abs(values) + damping[:, None])
        step = jnp.clip(jnp.einsum("pij,pj->ip", frame, lengths), -1.0, 1.0)
        return (best, height, first, second, jnp.clip(best + step, -FAR, FAR), damping), None

    people = eta.shape[1]
    begin: tuple[Array, ...] = (
        eta, jnp.full(people, -jnp.inf), jnp.zeros((3, people)), jnp.zeros((3, 3, people)) - jnp.eye(3)[:, :, None],
        eta, jnp.full(people, 0.1),
    )  # fmt: skip
    (best, height, *_), _ = jax.lax.scan(climb, begin, None, length=10)
    return best, height


@eqx.filter_jit
def spread(mismatch: Mismatch, eta: Float[Array, "3 people"], linear: Linear) -> Float[Array, "people named named"]:
    """Covariance of the deviates about where they are, with what is not known of the mismatch in it.

    Two days hold few slow errors, so their size is itself uncertain, and a smaller one would make everything else surer. The
    posterior is the mixture over seven places of the mismatch: the likeliest, and ``REACH`` standard deviations off along each
    of its three axes, weighted by their evidence (an integrated Laplace approximation: Rue, Martino, Chopin 2009).
    """
    if mismatch.settled:
        return _inverted(*_solved(mismatch, eta, linear)[1:])[0]
    values, frame = jnp.linalg.eigh(-jnp.moveaxis(_bend(mismatch, eta, linear)[2], -1, 0))
    sd = 1.0 / jnp.sqrt(jnp.maximum(values, 0.25))  # at most twice the prior's
    ways = jnp.moveaxis(frame * sd[:, None, :], 0, -1)  # [component, axis, people]
    places = jnp.concatenate([eta[:, None], eta[:, None] + REACH * ways, eta[:, None] - REACH * ways], axis=1)
    places = jnp.moveaxis(jnp.clip(places, -FAR, FAR), 1, 0)
    evidence, root, way = jax.lax.map(lambda at: _solved(mismatch, at, linear), places)
    share = jnp.asarray(
        [1.0 - 3.0 / REACH**2, *[0.5 / REACH**2] * 6]
    )  # exact for the moments of a Gaussian up to the third
    density = jnp.asarray([0.0, *[-0.5 * REACH**2] * 6])
    weight = jax.nn.softmax(jnp.log(share)[:, None] + evidence - density[:, None], axis=0)
    covariance, mean = _inverted(root, way)
    apart = mean - mean[:1]  # about the likeliest
    return jnp.einsum("ap,apkl->pkl", weight, covariance + apart[..., :, None] * apart[..., None, :])


def _inverted(root: Array, way: Array) -> tuple[Array, Array]:
    """Covariance and mean of N(precision^-1 pull, precision^-1), from the precision's root and ``way`` of :func:`_solved`."""
    unit = jnp.eye(root.shape[-1], dtype=root.dtype)
    n = root.shape[-1]
    flat = few(lambda one: jax.scipy.linalg.solve_triangular(one, unit, lower=True), root.reshape(-1, n, n))
    turned = jnp.swapaxes(flat.reshape(root.shape), -1, -2)
    return turned @ jnp.swapaxes(turned, -1, -2), (turned @ way[..., None])[..., 0]


def elapsed_of(place: np.ndarray, dt: float) -> np.ndarray:
    """Time since the reading before, of readings at these steps ``[reading, people]``."""
    return np.diff(place, axis=0, prepend=place[:1]) * dt
