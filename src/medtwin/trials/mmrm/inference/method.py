"""What every method of inference answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.mmrm.layout import Layout
from medtwin.trials.mmrm.optimise import Optimum
from medtwin.trials.mmrm.structures.curve import Array


class Method(Protocol):
    """A covariance of the coefficients with degrees of freedom for what is made of them."""

    @property
    def name(self) -> str:
        """As it is printed: ``"Kenward-Roger"``."""

    @property
    def covariance(self) -> Array:
        """Of the coefficients, (p, p)."""

    def df(self, contrast: Array) -> float:
        """Degrees of freedom of ``contrast @ coefficients``, contrast (p,)."""

    def denominator(self, contrasts: Array) -> tuple[float, float]:
        """``(df, λ)`` of the F test of ``contrasts @ coefficients = 0``, contrasts (c, p): ``λ F`` is F(c, df)."""


@dataclass(frozen=True)
class Ground:
    """What the methods are made of: the maximum, and the root ``J (p, p)`` of the coefficients' covariance ``J J'``."""

    layout: Layout
    optimum: Optimum
    root: Array

    @property
    def covariance(self) -> Array:
        """``(Σ X_i' S_i X_i)^-1``, (p, p), in the design's own columns."""
        return self.root @ self.root.T


def ground(layout: Layout, optimum: Optimum) -> Ground:
    """``J = R^-1 Φ^½``."""
    return Ground(layout, optimum, layout.to_original @ optimum.solved.root)


def by_directions(method: Method, contrasts: Array) -> tuple[float, float]:
    """Denominator df of an F test from those of its independent directions ν_m (the eigenvectors of their covariance).

    ``E = Σ ν_m / (ν_m - 2)``, ``df = 2 E / (E - c)``, the F distribution with the same mean; equal ν give ν, and where one
    is not above 2, df = 2. Source: Fai and Cornelius, J. Statist. Comput. Simul. 54 (1996): 363, section 3.
    """
    covariance = contrasts @ method.covariance @ contrasts.T
    _, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    each = np.array([method.df(direction @ contrasts) for direction in vectors.T])
    if np.ptp(each) < 1e-8 * each.max():
        return float(each.mean()), 1.0
    if (each <= 2.0).any():
        return 2.0, 1.0
    expected = float((each / (each - 2.0)).sum())
    return 2.0 * expected / (expected - len(each)), 1.0


def positive(df: float, what: str) -> float:
    """Raises :class:`AnalysisError` where there are no degrees of freedom left."""
    if not (np.isfinite(df) and df > 0.0):
        raise AnalysisError(f"{df:g} degrees of freedom", expected="more than none", where=what,
                            remedy="more subjects or fewer covariates are needed, or another method")  # fmt: skip
    return float(df)
