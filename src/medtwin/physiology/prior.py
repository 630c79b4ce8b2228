"""Priors of parameters. Every prior is a map from a standard normal deviate: ``value = prior.from_deviate(z)``.

In the coordinate ``z`` each prior is N(0, 1), whatever its shape in the parameter's own unit. Filters, Laplace
approximations, NUTS and virtual populations all work in ``z``; a joint prior is a correlation of deviates (a Gaussian
copula), declared on the model. A prior may depend on covariates (age, sex, weight, genotype, diagnosis):
:meth:`Prior.given` resolves it.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Float

Covariates = Mapping[str, float]
Level = Any  #: a number, or a function of covariates that :meth:`Prior.given` resolves to one
Number = Float[Array, "..."]


def _resolve(level: Level, covariates: Covariates) -> float:
    return float(level(covariates)) if callable(level) else level


class Prior(eqx.Module):
    """Abstract: a distribution over one real number."""

    @abc.abstractmethod
    def from_deviate(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """Value (in the parameter's unit) at standard normal deviate ``z``; strictly increasing, elementwise."""

    @abc.abstractmethod
    def to_deviate(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """Inverse of :meth:`from_deviate`."""

    @abc.abstractmethod
    def given(self, covariates: Covariates) -> Prior:
        """The prior of a person with these covariates."""

    def quantile(self, probability: float) -> float:
        """Value below which the prior puts ``probability``."""
        return float(self.from_deviate(jnp.asarray(ndtri(jnp.asarray(probability)))))

    def sample(self, key: Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
        """Draws of that shape, in the parameter's unit."""
        return self.from_deviate(jax.random.normal(key, shape))


class Normal(Prior):
    """Normal with ``mean`` and ``sd`` in the parameter's unit."""

    mean: Level = eqx.field(static=True)
    sd: Level = eqx.field(static=True)

    def from_deviate(self, z: Number) -> Number:
        return self.mean + self.sd * z

    def to_deviate(self, value: Number) -> Number:
        return (value - self.mean) / self.sd

    def given(self, covariates: Covariates) -> Prior:
        return Normal(_resolve(self.mean, covariates), _resolve(self.sd, covariates))


class LogNormal(Prior):
    """Log-normal with ``median`` in the parameter's unit and ``sigma``, the sd of its natural logarithm."""

    median: Level = eqx.field(static=True)
    sigma: Level = eqx.field(static=True)

    def from_deviate(self, z: Number) -> Number:
        return self.median * jnp.exp(self.sigma * z)

    def to_deviate(self, value: Number) -> Number:
        return jnp.log(value / self.median) / self.sigma

    def given(self, covariates: Covariates) -> Prior:
        return LogNormal(_resolve(self.median, covariates), _resolve(self.sigma, covariates))


class Uniform(Prior):
    """Uniform between ``low`` and ``high``."""

    low: Level = eqx.field(static=True)
    high: Level = eqx.field(static=True)

    def from_deviate(self, z: Number) -> Number:
        return self.low + (self.high - self.low) * ndtr(z)

    def to_deviate(self, value: Number) -> Number:
        return ndtri((value - self.low) / (self.high - self.low))

    def given(self, covariates: Covariates) -> Prior:
        return Uniform(_resolve(self.low, covariates), _resolve(self.high, covariates))


class Fixed(Prior):
    """A constant: nothing is inferred. A number of the equations that nobody varies, or an exactly known covariate."""

    value: Level = eqx.field(static=True)

    def from_deviate(self, z: Number) -> Number:
        return jnp.full_like(z, self.value)

    def to_deviate(self, value: Number) -> Number:
        return jnp.zeros_like(value)

    def given(self, covariates: Covariates) -> Prior:
        return Fixed(_resolve(self.value, covariates))


class Covariate(Prior):
    """Known from the record when it is there (``name`` is a quantity), else drawn from ``otherwise``."""

    name: str = eqx.field(static=True)
    otherwise: Prior

    def from_deviate(self, z: Number) -> Number:
        return self.otherwise.from_deviate(z)

    def to_deviate(self, value: Number) -> Number:
        return self.otherwise.to_deviate(value)

    def given(self, covariates: Covariates) -> Prior:
        return Fixed(covariates[self.name]) if self.name in covariates else self.otherwise.given(covariates)
