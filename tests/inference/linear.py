"""Linear-Gaussian models whose exact answers are known, written as Models, and the exact answers in NumPy."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from medtwin.physiology.model import Accepts, Clock, Model, parameter, state
from medtwin.physiology.prior import Normal

MINUTE = Clock(unit=60.0, step=1.0)


class ScalarParameters(eqx.Module):
    drift: object = parameter(unit="1", prior=Normal(0.1, 0.5), source="test", meaning="what is added each step")


class ScalarState(eqx.Module):
    level: object = state(unit="1", meaning="the level", scale=2.0)


class Scalar(Model):
    """level' = 0.9 level + drift + input, observed as it is."""

    name = "scalar"
    clock = MINUTE
    Parameters, State = ScalarParameters, ScalarState
    accepts = (Accepts(quantity="push", enters="level"),)
    observes = ("level",)
    inferred = ("drift",)
    references = ()
    noise_sd: float = 0.3

    def initial(self, parameters):
        return ScalarState(level=10.0 * parameters.drift)

    def rates(self, t, state, parameters, inputs):
        raise NotImplementedError("a discrete map: see step")

    def step(self, t, dt, state, parameters, inputs):
        return ScalarState(level=0.9 * state.level + parameters.drift + inputs["push"])

    def observe(self, t, state, parameters):
        return {"level": state.level}

    def noise(self, state, parameters):
        return ScalarState(level=self.noise_sd * jnp.ones_like(state.level))


class TripleParameters(eqx.Module):
    source_rate: object = parameter(unit="1", prior=Normal(1.0, 0.4), source="test", meaning="enters the first")
    offset: object = parameter(unit="1", prior=Normal(0.0, 1.5), source="test", meaning="of the reading")


class TripleState(eqx.Module):
    first: object = state(unit="1", meaning="first", scale=1.0)
    second: object = state(unit="1", meaning="second", scale=5.0)
    third: object = state(unit="1", meaning="third", scale=0.5)


A = np.array([[0.8, 0.1, 0.0], [0.2, 0.7, 0.15], [0.0, 0.2, 0.85]])


class Triple(Model):
    """Three coupled levels; two observables, one with an unknown offset; correlated priors."""

    name = "triple"
    clock = MINUTE
    Parameters, State = TripleParameters, TripleState
    accepts = (Accepts(quantity="push", enters="second", per=1.0),)
    observes = ("second", "third")
    inferred = ("source_rate", "offset")
    references = ()
    correlations = (("source_rate", "offset", 0.4),)

    def initial(self, parameters):
        return TripleState(
            first=2.0 * parameters.source_rate, second=parameters.source_rate, third=0.5 * parameters.source_rate
        )

    def rates(self, t, state, parameters, inputs):
        raise NotImplementedError("a discrete map: see step")

    def step(self, t, dt, state, parameters, inputs):
        x = (state.first, state.second, state.third)
        row = [sum(float(A[i, j]) * x[j] for j in range(3)) for i in range(3)]
        return TripleState(first=row[0] + 0.3 * parameters.source_rate, second=row[1] + inputs["push"], third=row[2])

    def observe(self, t, state, parameters):
        return {"second": state.second + parameters.offset, "third": state.third}

    def noise(self, state, parameters):
        one = jnp.ones_like(state.first)
        return TripleState(first=0.2 * one, second=0.1 * one, third=0.05 * one)


class Exact:
    """An affine-Gaussian system in the filter's own coordinates: mean, covariance; Kalman's equations."""

    def __init__(self, transition, push, drift, noise, rows, offsets):
        self.transition, self.push, self.drift = transition, push, drift
        self.noise, self.rows, self.offsets = noise, rows, offsets

    def predict(self, mean, covariance, push):
        mean = self.transition @ mean + self.drift + self.push * push
        return mean, self.transition @ covariance @ self.transition.T + self.noise

    def correct(self, mean, covariance, k, value, sd):
        row = self.rows[k]
        variance = row @ covariance @ row + sd**2
        innovation = value - row @ mean - self.offsets[k]
        gain = covariance @ row / variance
        density = -0.5 * innovation**2 / variance - 0.5 * np.log(2 * np.pi * variance)
        return mean + gain * innovation, covariance - np.outer(gain, row @ covariance), density, innovation, variance


def exact(problem, model) -> Exact:
    """The affine system of a linear model, found by differentiating the model's own verbs in scaled coordinates."""
    import jax

    n, states = problem.size, len(problem.states)

    def one(vector, push):
        v = vector[:, None]
        parameters = problem.parameters(problem.values(v[states:]), v[0])
        after = model.step(
            jnp.asarray(0.0),
            jnp.asarray(1.0),
            problem.unpack(v[:states], jnp.zeros((0, 1))),
            parameters,
            {"push": push[None]},
        )
        return jnp.concatenate([problem.pack(after, (1,))[:, 0], vector[states:]])

    def seen(vector):
        v = vector[:, None]
        parameters = problem.parameters(problem.values(v[states:]), v[0])
        return problem.observe(jnp.asarray(0.0), problem.unpack(v[:states], jnp.zeros((0, 1))), parameters, (1,))[:, 0]

    zero, still = jnp.zeros(n), jnp.asarray(0.0)
    sd = problem.noise_sd(
        problem.unpack(jnp.zeros((states, 1)), jnp.zeros((0, 1))),
        problem.parameters(problem.values(jnp.zeros((n - states, 1))), jnp.zeros(1)),
        (1,),
    )[:, 0]
    decay = np.exp(-0.5 * np.asarray(problem.walk) ** 2)  # of one minute, towards the prior
    keeps = np.concatenate([np.ones(states), decay])
    noise = np.diag(np.concatenate([np.asarray(sd) ** 2, 1 - decay**2]))
    return Exact(
        keeps[:, None] * np.asarray(jax.jacobian(one)(zero, still)), np.asarray(jax.jacobian(one, 1)(zero, still)),
        keeps * np.asarray(one(zero, still)), noise, np.asarray(jax.jacobian(seen)(zero)), np.asarray(seen(zero)),
    )  # fmt: skip


def prior(problem):
    """Exact mean and covariance of the start, by differentiating ``initial``."""
    import jax

    k = len(problem.inferred)

    def rest(z):
        parameters = problem.parameters(problem.values(z[:, None]), jnp.zeros(1))
        return problem.pack(problem.model.initial(parameters), (1,))[:, 0]

    slope = np.asarray(jax.jacobian(rest)(jnp.zeros(k)))
    stacked = np.concatenate([slope, np.eye(k)])
    root = np.asarray(problem.prior_root)
    spread = np.diag(np.concatenate([np.asarray(problem.spread) ** 2, np.zeros(k)]))
    mean = np.concatenate([np.asarray(rest(jnp.zeros(k))), np.zeros(k)])
    return mean, stacked @ root @ root.T @ stacked.T + spread
