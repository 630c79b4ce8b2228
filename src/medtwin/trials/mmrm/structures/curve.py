"""A matrix that depends on parameters, with what its first and second derivatives are needed for.

Newton's method and Kenward-Roger need the second derivatives of a covariance matrix only in two contractions, so a
structure with many parameters never has to build all of them. A structure with few writes its formula once, in
:class:`Jet` numbers, which carry their derivatives along (forward mode, second order).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Curve(Protocol):
    """``M(θ)`` at one ``θ``: shapes ``(..., m, m)``, where ``...`` is empty or one matrix per pattern of coordinates."""

    @property
    def value(self) -> Array:
        """``M``, ``(..., m, m)``."""

    @property
    def first(self) -> Array:
        """``∂M/∂θ_h``, ``(h, ..., m, m)``."""

    def against(self, weight: Array) -> Array:
        """``Σ_ab weight_ab ∂²M_ab/∂θ_h∂θ_l``, ``(h, h)``, for a symmetric ``weight (..., m, m)``."""

    def along(self, weight: Array) -> Array:
        """``Σ_hl weight_hl ∂²M/∂θ_h∂θ_l``, ``(..., m, m)``, for a symmetric ``weight (h, h)``."""


@dataclass(frozen=True)
class Jet:
    """Numbers with their derivatives by ``h`` parameters; ``value`` has any shape ``s``.

    ``first`` is ``(h, *s)`` and ``second (h, h, *s)``. A Jet of matrices is a :class:`Curve`.
    """

    value: Array
    first: Array
    second: Array

    def __add__(self, other: Jet | float) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.first, self.second)
        return Jet(self.value + other.value, self.first + other.first, self.second + other.second)

    def __mul__(self, other: Jet | float | Array) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value * other, self.first * other, self.second * other)
        a, b = self, other
        cross = a.first[:, None] * b.first[None]
        return Jet(
            a.value * b.value,
            a.first * b.value + a.value * b.first,
            a.second * b.value + a.value * b.second + cross + np.swapaxes(cross, 0, 1),
        )

    def __neg__(self) -> Jet:
        return self * -1.0

    def __getitem__(self, index: Any) -> Jet:
        """Indexes the numbers, not the parameters."""
        at = index if isinstance(index, tuple) else (index,)
        return Jet(self.value[at], self.first[(slice(None), *at)], self.second[(slice(None), slice(None), *at)])

    def sum(self) -> Jet:
        """Over the last axis, which stays with length one."""
        return Jet(*(part.sum(-1, keepdims=True) for part in (self.value, self.first, self.second)))

    def through(self, f: Callable[[Array], tuple[Array, Array, Array]]) -> Jet:
        """``f`` of every number; ``f`` gives its value, first and second derivative, or of one number an array of them."""
        value, slope, bend = f(self.value)
        more = (1,) * (value.ndim - self.value.ndim)
        first, second = self.first.reshape(*self.first.shape, *more), self.second.reshape(*self.second.shape, *more)
        return Jet(value, slope * first, slope * second + bend * first[:, None] * first[None])

    def against(self, weight: Array) -> Array:
        """See :meth:`Curve.against`."""
        return np.asarray(np.tensordot(self.second, weight, weight.ndim))

    def along(self, weight: Array) -> Array:
        """See :meth:`Curve.along`."""
        return np.asarray(np.tensordot(weight, self.second, 2))


def variables(values: Array) -> Jet:
    """The parameters themselves, ``(h,)``."""
    h = len(values)
    return Jet(np.asarray(values, float), np.eye(h), np.zeros((h, h, h)))


def constant(value: Array, parameters: int) -> Jet:
    """Numbers that depend on none of the parameters."""
    none = np.zeros((parameters, *value.shape))
    return Jet(value, none, np.zeros((parameters, *none.shape)))


def join(jets: Sequence[Jet]) -> Jet:
    """One after the other along the last axis."""
    return Jet(
        np.concatenate([jet.value for jet in jets], -1),
        np.concatenate([jet.first for jet in jets], -1),
        np.concatenate([jet.second for jet in jets], -1),
    )


def correlation(x: Array) -> tuple[Array, Array, Array]:
    """``ρ = x / sqrt(1 + x²)``, any x to (-1, 1), with its derivatives ``(1+x²)^-3/2`` and ``-3x (1+x²)^-5/2``."""
    under = 1.0 + x * x
    return x / np.sqrt(under), under**-1.5, -3.0 * x * under**-2.5


def from_correlation(rho: Array, within: float = 0.95) -> Array:
    """The x of :func:`correlation`; ``rho`` is first held within ±``within``, so that a search can start there."""
    held = np.clip(rho, -within, within)
    return np.asarray(held / np.sqrt(1.0 - held * held))


def logistic(x: Array) -> tuple[Array, Array, Array]:
    """``p = 1 / (1 + exp(-x))``, any x to (0, 1), with its derivatives ``p(1-p)`` and ``p(1-p)(1-2p)``."""
    p = 0.5 * (1.0 + np.tanh(0.5 * x))
    return p, p * (1.0 - p), p * (1.0 - p) * (1.0 - 2.0 * p)
