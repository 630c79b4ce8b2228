"""Marginal likelihood of the multivariate mixed model, with its gradient in both covariance matrices.

A visit j of patient i has outcomes y_j (q), of which some may be missing; with z_j = 1 or (1, t_j)::

    y_j = X_j β + (I_q ⊗ z_j') b_i + e_j       b_i ~ N(0, G)  (a q, outcome by outcome),  e_j ~ N(0, R)  (q), independent

W_j is the inverse of R's rows and columns of what was measured at the visit, zero elsewhere. Of a patient::

    A = Σ_j Z_j'W_jZ_j,  B = Σ_j Z_j'W_jX_j,  c = Σ_j Z_j'W_j(y_j - X_jβ),   G = LL',   H = (G⁻¹ + A)⁻¹ = L(I + L'AL)⁻¹L'
    log|V| = Σ_j log|R_j| + log|I + L'AL|         r'V⁻¹r = Σ_j r_j'W_jr_j - c'Hc         (Woodbury)

Nothing inverts G, so it may be singular. β is by generalised least squares, C = (Σ X'V⁻¹X)⁻¹. ::

    ML    -½ [ N log 2π + log|V| + r'V⁻¹r ]
    REML  -½ [ (N - p) log 2π + log|V| + r'V⁻¹r + log|Σ X'V⁻¹X| ]     without the constant ½ log|X'X| that some add

Gradients by Fisher's identity: that of the expected complete-data log density (derived here; checked against differences)::

    ∂ℓ/∂G = ½ Σ_i [ u u' - (A - AHA) + (F C F') ]            u = c - AHc = Z'V⁻¹r,   F = B - AHB;   (...) in REML only
    ∂ℓ/∂R = ½ Σ_j [ W_j S_j W_j - W_j ]                      S_j = E[e_j e_j' | y]

and the EM step of Laird and Ware (Biometrics 38 (1982): 963, from memory; that it never goes down is tested), with the missing
outcomes of a visit as missing data too::

    G ← G + (2/n) G (∂ℓ/∂G) G         R ← R + (2/J) R (∂ℓ/∂R) R         n patients, J visits
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from medtwin.errors import AnalysisError

Array = np.ndarray
LOG_2_PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """Visits sorted by patient, checked by whoever makes it; ``z`` is (1) or (1, time).

    Sums that no parameter changes are made once: over the visits of a patient with one pattern of what was measured (a cell),
    and over all visits with a pattern.
    """

    y: Array  #: (J, q), 0 where missing
    x: Array  #: (J, q, d), 0 where missing
    z: Array  #: (J, a)
    starts: Array  #: (n,) first visit of each patient
    pattern: Array  #: (J,) place in ``patterns``
    patterns: Array  #: (k, q) bool, what is measured
    cells: Array  #: (n,) first cell of each patient
    cell_pattern: Array  #: (cells,)
    zz: Array  #: (cells, a, a)
    zx: Array  #: (cells, a, q, d)
    zy: Array  #: (cells, a, q)
    xx: Array  #: (k, q, d, q, d)
    xy: Array  #: (k, q, d, q)

    @classmethod
    def of(cls, y: Array, x: Array, z: Array, subject: Array) -> Layout:
        """From values with NaN where missing; ``subject`` ascends."""
        seen = np.isfinite(y)
        patterns, pattern = np.unique(seen, axis=0, return_inverse=True)
        pattern = pattern.ravel()
        starts = np.flatnonzero(np.diff(subject, prepend=subject[0] - 1))
        full, held = np.where(seen, y, 0.0), np.where(seen[:, :, None], x, 0.0)
        owner = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(y))))
        code = owner * len(patterns) + pattern
        order = np.argsort(code, kind="stable")
        first = np.flatnonzero(np.diff(code[order], prepend=-1))
        cells = np.flatnonzero(np.diff(owner[order][first], prepend=-1))

        def gathered(of_visits: Array) -> Array:
            return np.asarray(np.add.reduceat(of_visits[order], first, axis=0))

        q, d = x.shape[1:]
        xx, xy = np.empty((len(patterns), q, d, q, d)), np.empty((len(patterns), q, d, q))
        for k in range(len(patterns)):
            mine = held[pattern == k].reshape(-1, q * d)
            xx[k] = (mine.T @ mine).reshape(q, d, q, d)
            xy[k] = (mine.T @ full[pattern == k]).reshape(q, d, q)
        return cls(
            y=full, x=held, z=z, starts=starts, pattern=pattern, patterns=patterns, cells=cells,
            cell_pattern=pattern[order][first], zz=gathered(z[:, :, None] * z[:, None, :]),
            zx=gathered(z[:, :, None, None] * held[:, None]), zy=gathered(z[:, :, None] * full[:, None]), xx=xx, xy=xy,
        )  # fmt: skip

    @property
    def measured(self) -> int:
        """Number of measurements."""
        return int(self.patterns[self.pattern].sum())

    def over(self, cells: Array) -> Array:
        """Sum over the cells of each patient."""
        whole = len(self.cells) == len(cells)
        return cells if whole else np.asarray(np.add.reduceat(cells, self.cells, axis=0))

    def crossed(self, weight: Array) -> Array:
        """A of each patient (n, a q, a q), of ``weight`` (k, q, q) by pattern."""
        w = weight[self.cell_pattern]
        q, a = w.shape[1], self.z.shape[1]
        each = w[:, :, None, :, None] * self.zz[:, None, :, None, :]
        return self.over(each.reshape(len(w), q * a, q * a))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """The model at one pair of covariance matrices."""

    log_likelihood: float
    coefficients: Array  #: β, (q, d)
    covariance: Array  #: C, (q d, q d)
    effects: Array  #: E[b | y], (n, a q), at β
    spread: Array  #: H, (n, a q, a q)
    gradient: tuple[Array, Array] | None  #: of G and R


def precision(residual: Array, patterns: Array) -> tuple[Array, Array]:
    """Of each pattern the padded inverse (k, q, q) and the log determinant (k,). Raises ``LinAlgError``."""
    weight, logs = np.zeros((len(patterns), len(residual), len(residual))), np.zeros(len(patterns))
    for k, seen in enumerate(patterns):
        lower = np.linalg.cholesky(residual[np.ix_(seen, seen)])
        half = linalg.solve_triangular(lower, np.eye(len(lower)), lower=True)
        weight[k][np.ix_(seen, seen)] = half.T @ half
        logs[k] = 2.0 * np.log(np.diag(lower)).sum()
    return weight, logs


def solve(layout: Layout, lower: Array, residual: Array, *, reml: bool = True, gradient: bool = True) -> Solved:
    """At G = ``lower`` ``lower``' and R = ``residual``. Raises ``LinAlgError`` where R or X'V⁻¹X has no Cholesky factor."""
    j, q, d = layout.x.shape
    a, n, p = layout.z.shape[1], len(layout.starts), q * d
    r = a * q
    weight, logs = precision(residual, layout.patterns)
    w, cell = weight[layout.pattern], weight[layout.cell_pattern]
    big_a = layout.crossed(weight)
    big_b = layout.over((cell[:, :, None, :, None] * layout.zx[:, None]).reshape(-1, r, p))
    cy = layout.over(np.einsum("iop,iap->ioa", cell, layout.zy).reshape(-1, r))
    xwx = np.einsum("kop,kodpe->odpe", weight, layout.xx)
    xwy = np.einsum("kop,kodp->od", weight, layout.xy).ravel()
    inner = np.linalg.cholesky(np.eye(r) + lower.T @ big_a @ lower)
    packed = np.linalg.solve(inner, lower.T @ np.concatenate([big_b, cy[:, :, None]], 2))  # (n, r, p + 1)
    flat = packed[:, :, :p].reshape(n * r, p)
    information = xwx.reshape(p, p) - flat.T @ flat
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    half = linalg.cholesky(information / np.outer(scale, scale), lower=True)
    root = linalg.solve_triangular(half, np.diag(1.0 / scale), lower=True)
    covariance = root.T @ root
    score = xwy - flat.T @ packed[:, :, p].ravel()
    beta = covariance @ score
    rest = layout.y - np.einsum("jod,od->jo", layout.x, beta.reshape(q, d))
    c = cy - big_b @ beta
    away = np.linalg.solve(inner, (lower.T @ c[:, :, None]))
    quadratic = float(np.einsum("jo,jop,jp->", rest, w, rest) - np.sum(away**2))
    log_v = float(logs[layout.pattern].sum()) + 2.0 * float(np.log(np.diagonal(inner, axis1=1, axis2=2)).sum())
    log_x = 2.0 * float(np.log(np.diag(half)).sum() + np.log(scale).sum())
    total = layout.measured
    value = -0.5 * ((total - p if reml else total) * LOG_2_PI + log_v + quadratic + (log_x if reml else 0.0))
    outer = np.linalg.solve(inner, np.broadcast_to(lower.T, inner.shape))
    spread = np.swapaxes(outer, 1, 2) @ outer
    effects = (spread @ c[:, :, None])[:, :, 0]
    slopes = None
    if gradient:
        u = c - (big_a @ effects[:, :, None])[:, :, 0]
        ah = big_a @ spread
        of_g = u.T @ u - (big_a - ah @ big_a).sum(0)
        hb = spread @ big_b
        owner = np.repeat(np.arange(n), np.diff(np.append(layout.starts, j)))
        left = rest - np.einsum("joa,ja->jo", effects[owner].reshape(j, q, a), layout.z)
        s = left[:, :, None] * left[:, None, :]
        s += np.einsum("ja,joapb,jb->jop", layout.z, spread[owner].reshape(j, q, a, q, a), layout.z)
        if reml:
            f = (big_b - big_a @ hb) @ root.T
            of_g = of_g + np.einsum("irk,isk->rs", f, f, optimize=True)
            reach = -np.einsum("joak,ja->jok", (hb @ root.T)[owner].reshape(j, q, a, p), layout.z)
            for o in range(q):
                reach[:, o] += layout.x[:, o] @ root[:, o * d : (o + 1) * d].T
            s += reach @ np.swapaxes(reach, 1, 2)
        slopes = 0.5 * of_g, 0.5 * (w @ s @ w - w).sum(0)
    return Solved(
        log_likelihood=value, coefficients=beta.reshape(q, d), covariance=covariance, effects=effects, spread=spread,
        gradient=slopes,
    )  # fmt: skip


def check_design(x: Array, seen: Array, names: tuple[str, ...], outcomes: tuple[str, ...]) -> None:
    """Raises :class:`AnalysisError`, with the columns, where the coefficients of an outcome cannot be told apart."""
    for o, outcome in enumerate(outcomes):
        part = x[seen[:, o], o]
        if len(part) <= part.shape[1]:
            raise AnalysisError(
                f"{len(part)} measurements of {outcome} for {part.shape[1]} coefficients", expected="more measurements",
                where="mean of the mixed model", remedy="leave covariates out of the mean",
            )  # fmt: skip
        scale = np.sqrt((part**2).mean(0))
        _, r, pivot = linalg.qr(part / np.where(scale > 0.0, scale, 1.0), mode="economic", pivoting=True)
        lost = np.abs(np.diag(r)) < 1e-9 * abs(r[0, 0])
        if lost.any():
            raise AnalysisError(
                f"columns {[names[k] for k in pivot[lost]]} that others determine", expected="columns of full rank",
                where=f"mean of {outcome}", remedy="leave a constant or collinear covariate out",
            )  # fmt: skip
