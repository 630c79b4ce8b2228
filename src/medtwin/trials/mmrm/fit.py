"""The mixed model for repeated measures: generalised least squares with an estimated covariance of each subject's visits.

::

    y_i ~ N(X_i β, W_i^-½ Σ_i W_i^-½)        Σ_i the rows and columns of Σ_g(i)(θ) at the subject's visits

θ by restricted (or full) maximum likelihood; valid where outcomes are missing at random given what was observed. Sources:
Jennrich and Schluchter, Biometrics 42 (1986): 805; Mallinckrodt et al., Drug Information Journal 42 (2008): 303.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg, stats

from medtwin.errors import AnalysisError
from medtwin.trials.estimate import Estimate
from medtwin.trials.mmrm.inference.counted import between_within, residual
from medtwin.trials.mmrm.inference.kenward_roger import kenward_roger
from medtwin.trials.mmrm.inference.method import Ground, Method, ground
from medtwin.trials.mmrm.inference.sandwich import POWERS, sandwich
from medtwin.trials.mmrm.inference.satterthwaite import Satterthwaite
from medtwin.trials.mmrm.layout import Layout, lay_out
from medtwin.trials.mmrm.optimise import Optimum, maximise
from medtwin.trials.mmrm.structures import Structure, structure
from medtwin.trials.mmrm.structures.curve import Array

#: The linear form of Kenward-Roger is the default: it does not depend on how a structure is parametrised, and of complete
#: data with an unstructured covariance it is Hotelling's exact test.
DEGREES = ("kenward-roger linear", "kenward-roger", "satterthwaite", "between-within", "residual")
COVARIANCES = ("model", *POWERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class FTest:
    """``λ F`` of ``C β = 0`` with ``F = (Cβ)'(C cov C')^-1 (Cβ) / c``, against F(numerator, denominator)."""

    name: str
    statistic: float  #: λ F
    numerator: int  #: c, the rank of the contrasts
    denominator: float
    method: str

    @property
    def p_value(self) -> float:
        """Upper tail."""
        return float(stats.f.sf(self.statistic, self.numerator, self.denominator))


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted model. Coefficients are in the outcome's unit per unit of their column, ``Σ`` in its square."""

    names: tuple[str, ...]  #: of the coefficients, (p,)
    coefficients: Array  #: β, (p,)
    covariance: Array  #: of β, by the chosen method (adjusted, or empirical), (p, p)
    model_covariance: Array  #: (Σ X' S X)^-1, (p, p)
    sigma: dict[str, Array]  #: Σ of each group, (m, m); of a spatial structure at distance one, (2, 2)
    theta: Array  #: variance parameters of the groups, one after the other
    theta_covariance: Array  #: inverse observed information of θ
    log_likelihood: float  #: restricted where ``reml``
    aic: float  #: -2 log L + 2 k, k the number of variance parameters (compare only fits with the same mean model)
    bic: float  #: -2 log L + k log(subjects)
    subjects: int  #: with at least one measurement used
    observations: int
    visits: tuple[str, ...]
    structure: str
    reml: bool
    method: str  #: a sentence part: structure, likelihood, variance and degrees of freedom
    iterations: int
    decrement: float  #: Newton decrement at the end: twice what another step could add to log L
    converged: bool  #: true: what does not converge raises
    notes: tuple[str, ...]  #: rows and subjects not used, fall-backs taken
    inference: Method = field(repr=False)

    @property
    def standard_errors(self) -> Array:
        """(p,)."""
        return np.sqrt(np.diag(self.covariance))

    def estimate(
        self, contrast: ArrayLike, name: str, *, confidence: float = 0.95, unit: str = "1", null: float = 0.0
    ) -> Estimate:
        """``contrast @ β`` with its standard error and degrees of freedom; contrast (p,)."""
        c = self._contrasts(contrast)[0]
        return Estimate(
            name=name,
            value=float(c @ self.coefficients),
            standard_error=float(np.sqrt(max(c @ self.covariance @ c, 0.0))),
            method=self.method,
            df=self.inference.df(c),
            unit=unit,
            confidence=confidence,
            null=null,
        )

    def coefficient(self, name: str, **more: Any) -> Estimate:
        """One coefficient by its name; ``more`` as for :meth:`estimate`."""
        if name not in self.names:
            raise AnalysisError(f"coefficient {name!r}", expected=f"one of {self.names}")
        return self.estimate(np.eye(len(self.names))[self.names.index(name)], name, **more)

    def test(self, contrasts: ArrayLike, name: str) -> FTest:
        """F test that all ``contrasts @ β``, contrasts (c, p), are zero; linearly dependent rows are an error."""
        c = self._contrasts(contrasts)
        if np.linalg.matrix_rank(c) < len(c):
            raise AnalysisError(
                f"{len(c)} contrasts of rank {np.linalg.matrix_rank(c)}", expected="independent rows", where=name
            )
        value = c @ self.coefficients
        df, scale = self.inference.denominator(c)
        statistic = float(value @ linalg.solve(c @ self.covariance @ c.T, value, assume_a="pos")) / len(c)
        return FTest(name=name, statistic=scale * statistic, numerator=len(c), denominator=df, method=self.method)

    def _contrasts(self, contrasts: ArrayLike) -> Array:
        c = np.atleast_2d(np.asarray(contrasts, float))
        if c.shape[1] != len(self.names) or not np.isfinite(c).all() or not np.abs(c).max(1, initial=0.0).all():
            raise AnalysisError(
                f"contrast of shape {c.shape}", expected=f"{len(self.names)} finite numbers, not all zero"
            )
        return c


def fit(
    response: ArrayLike,
    design: ArrayLike,
    subject: Sequence[Any] | np.ndarray,
    visit: Sequence[Any] | np.ndarray,
    *,
    structure: str | Structure = "unstructured",
    group: Sequence[Any] | np.ndarray | None = None,
    weights: ArrayLike | None = None,
    coordinates: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    visits: Sequence[Any] | None = None,
    reml: bool = True,
    degrees: str = "kenward-roger linear",
    covariance: str = "model",
    fallbacks: Sequence[str | Structure] = (),
    notes: Sequence[str] = (),
) -> Fit:
    """Fit ``y = X β`` with correlated visits. One row for each measurement; ``N`` rows, ``p`` columns.

    ``response (N,)`` and ``design (N, p)``: rows with NaN are not used, and counted in the notes. ``subject``, ``visit``,
    ``group`` ``(N,)``: labels; visits are in the order of ``visits``, else sorted. ``structure``: a name in
    :data:`~medtwin.trials.mmrm.structures.STRUCTURES`. ``group``: each has a covariance of its own. ``weights (N,)``: the
    variance of a measurement is divided by its weight. ``coordinates (N,)`` or ``(N, d)``: of a spatial structure.
    ``degrees``: one of :data:`DEGREES`, ``covariance``: one of :data:`COVARIANCES`; with a sandwich "satterthwaite" means
    Bell and McCaffrey's. ``fallbacks``: structures to take, in order, where the one before has no maximum; the fit says so
    in its notes, after the ``notes`` given. Raises :class:`AnalysisError`.
    """
    _chosen(degrees, covariance, reml)
    wanted = [_named(one) for one in (structure, *fallbacks)]
    told = list(notes)
    for k, own in enumerate(wanted):
        layout = lay_out(
            response, design, subject, visit, group=group, weights=weights, coordinates=coordinates, names=names,
            visits=visits, spatial=own.shape.spatial,
        )  # fmt: skip
        try:
            optimum = maximise(layout, own, reml=reml)
        except AnalysisError as failed:
            if k + 1 == len(wanted):
                raise
            told.append(f"{own.name} covariance was given up ({failed.found}); {wanted[k + 1].name} was fitted instead")
            continue
        return _finish(layout, own, optimum, degrees, covariance, told)
    raise AssertionError("unreachable: the last structure returns or raises")


_named = structure


def _chosen(degrees: str, covariance: str, reml: bool) -> None:
    if degrees not in DEGREES or covariance not in COVARIANCES:
        raise AnalysisError(f"degrees {degrees!r}, covariance {covariance!r}",
                            expected=f"degrees one of {DEGREES}, covariance one of {COVARIANCES}")  # fmt: skip
    if degrees.startswith("kenward") and covariance != "model":
        raise AnalysisError(f"Kenward-Roger with a {covariance} covariance", expected="the model's covariance",
                            remedy='use degrees="satterthwaite" with a sandwich, or covariance="model"')  # fmt: skip
    if degrees.startswith("kenward") and not reml:
        raise AnalysisError("Kenward-Roger with full maximum likelihood", expected="REML",
                            remedy='set reml=True, or degrees="satterthwaite"')  # fmt: skip


def _method(base: Ground, degrees: str, covariance: str) -> Method:
    if degrees.startswith("kenward"):
        return kenward_roger(base, linear=degrees.endswith("linear"))
    if degrees == "satterthwaite":
        return sandwich(base, covariance) if covariance in POWERS else Satterthwaite(base)
    own = sandwich(base, covariance).covariance if covariance in POWERS else base.covariance
    return between_within(base.layout, own) if degrees == "between-within" else residual(base.layout, own)


def _finish(
    layout: Layout, structure: Structure, optimum: Optimum, degrees: str, covariance: str, notes: list[str]
) -> Fit:
    solved, base = optimum.solved, ground(layout, optimum)
    method = _method(base, degrees, covariance)
    k, deviance = len(solved.theta), -2.0 * solved.log_likelihood
    empirical = f"{covariance}, " if covariance in POWERS and covariance not in method.name else ""
    grouped = ", by group" if len(layout.blocks) > 1 else ""
    return Fit(
        names=layout.names,
        coefficients=layout.least_squares + layout.to_original @ solved.gamma,
        covariance=method.covariance,
        model_covariance=base.covariance,
        sigma={b.label: _shown(structure, theta, b) for b, theta in _groups(layout, solved.theta)},
        theta=solved.theta,
        theta_covariance=optimum.theta_covariance,
        log_likelihood=solved.log_likelihood,
        aic=deviance + 2.0 * k,
        bic=deviance + k * float(np.log(layout.subjects)),
        subjects=layout.subjects,
        observations=layout.observations,
        visits=layout.visits,
        structure=structure.name,
        reml=solved.reml,
        method=f"MMRM, {structure.name} covariance{grouped}, {'REML' if solved.reml else 'ML'}, {empirical}{method.name}",
        iterations=optimum.iterations,
        decrement=optimum.decrement,
        converged=True,
        notes=(*layout.notes, *notes, *optimum.notes),
        inference=method,
    )


def _groups(layout: Layout, theta: Array) -> list[tuple[Any, Array]]:
    return list(zip(layout.blocks, np.split(theta, len(layout.blocks)), strict=True))


def _shown(structure: Structure, theta: Array, block: Any) -> Array:
    if block.distance is None:
        return structure.curve(theta, block.present.shape[1]).value
    return structure.curve(theta, 2, np.array([[[0.0, 1.0], [1.0, 0.0]]])).value[0]
