"""A covariance matrix as scales times shape: ``Σ_ab = exp(τ_a + τ_b) C_ab(ρ)``.

The shape ``C`` is a correlation matrix, or for the unstructured form ``L L'``. Homogeneous: one τ for all visits;
heterogeneous: one for each. ``exp(τ)`` has the outcome's unit and τ is not bounded. Derivatives, with ``E (τ, m)`` the
matrix that spreads the scales over the visits (a row of ones, or the identity)::

    ∂Σ_ab/∂τ_t = (E_ta + E_tb) Σ_ab            ∂Σ/∂ρ_h = exp(τ_a + τ_b) ∂C/∂ρ_h
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from medtwin.trials.mmrm.structures.curve import Array, Curve


class Shape(Protocol):
    """What a new structure has to say: how many parameters, where to start, and its matrix."""

    @property
    def name(self) -> str:
        """One word or two, as it is printed."""

    @property
    def free(self) -> bool:
        """Every pair of visits has a parameter of its own, so every pair must have been seen together."""

    @property
    def spatial(self) -> bool:
        """The matrix depends on distances between the measurements' coordinates, not on the visits."""

    def size(self, visits: int) -> int:
        """Number of parameters for ``visits`` visits."""

    def start(self, correlation: Array, distance: Array | None) -> Array:
        """Parameters near an empirical correlation matrix ``(m, m)``, or for distances ``(pattern, m, m)``."""

    def curve(self, parameters: Array, visits: int, distance: Array | None) -> Curve:
        """The matrix ``(m, m)``, or of a spatial shape one for each pattern, with its derivatives."""


@dataclass(frozen=True)
class Structure:
    """A shape with its scales; parameters ``θ = (τ, ρ)``."""

    shape: Shape
    heterogeneous: bool

    @property
    def name(self) -> str:
        """As it is printed."""
        return f"heterogeneous {self.shape.name}" if self.heterogeneous and not self.shape.free else self.shape.name

    def scales(self, visits: int) -> int:
        """Number of τ."""
        return visits if self.heterogeneous else 1

    def size(self, visits: int) -> int:
        """Number of parameters."""
        return self.scales(visits) + self.shape.size(visits)

    def start(self, covariance: Array, distance: Array | None) -> Array:
        """Parameters near an empirical covariance matrix ``(m, m)``."""
        sd = np.sqrt(np.diag(covariance))
        rest = self.shape.start(covariance / np.outer(sd, sd), distance)
        if self.shape.free:  # C is L L', whose diagonal is not one: Σ = D L L' D with D the diagonal of the root
            sd = np.diag(np.linalg.cholesky(covariance))
        tau = np.log(sd) if self.heterogeneous else np.log(np.sqrt(np.mean(sd**2)))[None]
        return np.concatenate([tau, rest])

    def curve(self, theta: Array, visits: int, distance: Array | None = None) -> Curve:
        """``Σ`` with its derivatives."""
        count = self.scales(visits)
        spread = np.eye(visits) if self.heterogeneous else np.ones((1, visits))
        shape = self.shape.curve(theta[count:], visits, distance)
        scale = np.exp(theta[:count] @ spread)
        outer = np.outer(scale, scale)
        value = outer * shape.value
        both = spread[:, :, None] + spread[:, None, :]  # (τ, m, m)
        both = both.reshape(count, *(1,) * (value.ndim - 2), visits, visits)
        return Scaled(value, np.concatenate([both * value, outer * shape.first]), shape, spread, outer)


@dataclass(frozen=True)
class Scaled:
    """The :class:`Curve` of a :class:`Structure`."""

    value: Array
    first: Array
    shape: Curve
    spread: Array  #: E, (τ, m)
    outer: Array  #: exp(τ_a + τ_b), (m, m)

    def against(self, weight: Array) -> Array:
        """``ττ: 2 E (diag(K 1) + K) E'`` with ``K = weight ∘ Σ``; ``τρ: 2 E (weight ∘ ∂Σ/∂ρ) 1``; ``ρρ``: the shape's."""
        count, visits = self.spread.shape
        held = (weight * self.value).reshape(-1, visits, visits).sum(0)
        scales = 2.0 * self.spread @ (np.diag(held.sum(-1)) + held) @ self.spread.T
        moved = (weight * self.first[count:]).sum(-1)
        mixed = 2.0 * moved.reshape(len(moved), weight.size // visits**2, visits).sum(1) @ self.spread.T  # (ρ, τ)
        return np.block([[scales, mixed.T], [mixed, self.shape.against(self.outer * weight)]])

    def along(self, weight: Array) -> Array:
        """``(w_aa + w_bb + 2 w_ab) Σ_ab`` with ``w = E' weight_ττ E``, the mixed terms, and the shape's."""
        count = len(self.spread)
        w = self.spread.T @ weight[:count, :count] @ self.spread
        own = np.diag(w)
        mixed = self.spread.T @ weight[:count, count:]  # (m, ρ)
        pairs = np.moveaxis(mixed[:, None] + mixed[None], -1, 0)  # (ρ, m, m)
        pairs = pairs.reshape(len(pairs), *(1,) * (self.value.ndim - 2), *pairs.shape[1:])
        scales = (own[:, None] + own[None] + 2.0 * w) * self.value
        return (
            scales + 2.0 * (pairs * self.first[count:]).sum(0) + self.outer * self.shape.along(weight[count:, count:])
        )
