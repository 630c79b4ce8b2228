"""The likelihood of the variance parameters, with exact first and second derivatives.

For subject i with outcomes ``y_i``, design ``X_i``, and ``Σ_i(θ)`` the rows and columns of its group's ``Σ`` that it was
measured at (divided by the square roots of its weights), ``S_i = Σ_i^-1``, ``Φ = (Σ X_i' S_i X_i)^-1``, ``r_i`` the
residuals at the generalised least-squares coefficients::

    -2 log L_REML = (N - p) log 2π + Σ log|Σ_i| + log|Φ^-1| + Σ r_i' S_i r_i          (ML: N log 2π, without log|Φ^-1|)

(Patterson and Thompson, Biometrika 58 (1971): 545; Harville, JASA 72 (1977): 320; the constant ``-log|X'X|`` that
some add is left out). With ``V_h = ∂Σ/∂θ_h`` and, summed over a pattern's subjects,
``Q = Σ S (X Φ X' + r r') S`` (ML: ``S r r' S``)::

    ∂(-2 log L)/∂θ_h       = <V_h, n S - Q>
    ∂²(-2 log L)/∂θ_h∂θ_l = <∂²Σ/∂θ_h∂θ_l, n S - Q> + tr(V_l S V_h (2 Q - n S)) - 2 a_h' Φ a_l - tr(Φ A_h Φ A_l)
    A_h = Σ X_i' S_i V_h S_i X_i        a_h = Σ X_i' S_i V_h S_i r_i                  (ML: without the last term)

(Lindstrom and Bates, JASA 83 (1988): 1014; Wolfinger, Tobias and Sall, SIAM J. Sci. Comput. 15 (1994): 1294). All sums
over subjects are matrix products: of ``F_i = S_i [X_i Φ^½, r_i]``, laid out on the grid of visits with zeros where a
visit is missing, ``T = Σ F_i ⊗ F_i`` gives every ``A_h`` and ``a_h`` at once, and ``Σ_k S_k ⊗ (2 Q_k - n_k S_k)`` over
the patterns the second term. In the basis ``Φ^½``, Φ is the identity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from medtwin.trials.mmrm.layout import Block, Layout
from medtwin.trials.mmrm.structures.curve import Array, Curve
from medtwin.trials.mmrm.structures.scaled import Structure


@dataclass(frozen=True)
class Solved:
    """The model at one θ: coefficients in the layout's orthonormal basis, and what the derivatives are made of."""

    theta: Array
    reml: bool
    log_likelihood: float
    gamma: Array  #: (p,)
    root: Array  #: Φ^½ (p, p): Φ = root root'
    curves: tuple[Curve, ...]  #: one for each group
    inverses: tuple[Array, ...]  #: S of each pattern, (k, m, m), zeros at missing visits
    weighted: tuple[Array, ...]  #: S_i [X_i, y_i], (n, m, p + 1)


@dataclass(frozen=True)
class Slopes:
    """Derivatives of ``-log L``, ``h`` parameters in all, and of ``Φ^-1`` in the basis in which Φ is the identity."""

    gradient: Array  #: (h,)
    hessian: Array  #: (h, h)
    information: Array  #: (h, h) expected, of ML: ½ Σ tr(S V_h S V_l)
    moved: Array  #: A_h, (h, p, p)
    factors: tuple[Array, ...]  #: F_i of each group, (n, m, p + 1)


def solve(layout: Layout, structure: Structure, theta: Array, *, reml: bool) -> Solved | None:
    """Generalised least squares at ``theta``; none where a matrix is not positive definite."""
    p = len(layout.names)
    cross, log_det = np.zeros((p + 1, p + 1)), -layout.log_weights
    curves, inverses, weighted = [], [], []
    for block, own in zip(layout.blocks, split(layout, theta), strict=True):
        visits = block.present.shape[1]
        curve = structure.curve(own, visits, block.distance)
        done = invert(block, curve.value)
        if done is None:
            return None
        inverse, pattern_log_det = done
        n, q = len(block.pattern), p + 1
        solved = np.matmul(inverse[block.pattern], block.values)
        cross += block.values.reshape(n * visits, q).T @ solved.reshape(n * visits, q)
        log_det += float(block.counts @ pattern_log_det)
        curves.append(curve)
        inverses.append(inverse)
        weighted.append(solved)
    try:
        lower = linalg.cholesky(cross[:p, :p], lower=True)
    except (linalg.LinAlgError, ValueError):
        return None
    root = linalg.solve_triangular(lower, np.eye(p), lower=True).T
    gamma = root @ (root.T @ cross[:p, p])
    quadratic = float(cross[p, p] - gamma @ cross[:p, p])
    degrees = layout.observations - (p if reml else 0)
    design = 2.0 * float(np.log(np.diag(lower)).sum()) - 2.0 * log_root(layout) if reml else 0.0
    log_likelihood = -0.5 * (degrees * math.log(2.0 * math.pi) + log_det + design + quadratic)
    if not math.isfinite(log_likelihood):
        return None
    return Solved(theta, reml, log_likelihood, gamma, root, tuple(curves), tuple(inverses), tuple(weighted))


def slopes(layout: Layout, at: Solved) -> Slopes:
    """First and second derivatives of ``-log L`` at a solved model."""
    p = len(layout.names)
    change = np.zeros((p + 1, p + 1))
    change[:p, :p], change[:p, p], change[p, p] = at.root, -at.gamma, 1.0
    gradients, hessians, informations, moved, factors = [], [], [], [], []
    for block, curve, inverse, solved in zip(layout.blocks, at.curves, at.inverses, at.weighted, strict=True):
        n, m, q = solved.shape
        factor = (solved.reshape(n * m, q) @ change).reshape(n, m, q)  # F_i
        counted = factor if at.reml else factor[:, :, p:]
        square = np.add.reduceat(np.matmul(counted, np.swapaxes(counted, 1, 2)), block.begins)  # Q of each pattern
        scaled = block.counts[:, None, None] * inverse
        first = curve.first
        gap = scaled - square if block.distance is not None else (scaled - square).sum(0)
        gradients.append(0.5 * np.tensordot(first, gap, gap.ndim))
        bent = curve.against(gap)
        trace = _traces(first, inverse, scaled)
        if block.distance is None:
            tensor = _square(factor.reshape(n, m * q))  # T
            tensor = tensor.reshape(m, q, m, q).transpose(0, 2, 1, 3).reshape(m * m, q * q)
            mine = (first.reshape(len(first), m * m) @ tensor).reshape(-1, q, q)
        else:
            mine = np.stack([_quadratic(factor, v[block.pattern]) for v in first])
        hessians.append(0.5 * (bent + 2.0 * _traces(first, inverse, square) - trace))
        informations.append(0.5 * trace)
        moved.append(mine)
        factors.append(factor)
    every = np.concatenate(moved)
    hessian, information = linalg.block_diag(*hessians), linalg.block_diag(*informations)
    a, b = every[:, :p, :p].reshape(len(every), p * p), every[:, :p, p]
    hessian -= b @ b.T
    if at.reml:
        hessian -= 0.5 * a @ a.T
    return Slopes(np.concatenate(gradients), hessian, information, every[:, :p, :p], tuple(factors))


def split(layout: Layout, theta: Array) -> list[Array]:
    """Each group's own parameters."""
    return np.split(theta, len(layout.blocks))


def log_root(layout: Layout) -> float:
    """``log|R|`` of the design's ``Q R``: half of ``log|X'X|``, which changes ``|Φ^-1|`` between the bases."""
    return float(np.linalg.slogdet(layout.to_original)[1])


def invert(block: Block, sigma: Array) -> tuple[Array, Array] | None:
    """``S (k, m, m)`` with zeros at missing visits, and ``log|Σ_k|``; none where not positive definite."""
    root = roots(block, sigma)
    if root is None:
        return None
    turned, log_det = root
    return np.matmul(turned, np.swapaxes(turned, 1, 2)), log_det


def roots(block: Block, sigma: Array) -> tuple[Array, Array] | None:
    """``K (k, m, m)`` with ``S = K K'``, and ``log|Σ_k|``: missing visits stand apart as ones, and are then cut out."""
    both = block.present[:, :, None] & block.present[:, None, :]
    whole = np.where(both, sigma, np.eye(sigma.shape[-1]))
    try:
        lower = np.linalg.cholesky(whole)
    except np.linalg.LinAlgError:
        return None
    log_det = 2.0 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(1)
    return np.swapaxes(np.linalg.inv(lower), 1, 2) * both, log_det


def _square(flat: Array) -> Array:
    """``flat' flat``, by half."""
    upper = linalg.blas.dsyrk(1.0, flat.T)  # of the transpose, which is laid out as BLAS has it
    return np.asarray(upper + np.triu(upper, 1).T)


def _traces(first: Array, inverse: Array, other: Array) -> Array:
    """``Σ_k tr(V_l S_k V_h M_k)``, (h, h), for symmetric ``M (k, m, m)``."""
    h, k, m = len(first), len(inverse), inverse.shape[-1]
    if first.ndim == 3:
        pairs = inverse.reshape(k, m * m).T @ other.reshape(k, m * m)  # [ab, cd]
        pairs = pairs.reshape(m, m, m, m).transpose(3, 0, 1, 2).reshape(m * m, m * m)  # [da, bc]
        flat = first.reshape(h, m * m)
        return np.asarray(flat @ pairs @ flat.T)
    left, right = np.matmul(first, inverse), np.matmul(first, other)
    return np.asarray(np.einsum("lkab,hkba->lh", left, right))


def _quadratic(factor: Array, middle: Array) -> Array:
    """``Σ_i F_i' M_i F_i``."""
    n, m, q = factor.shape
    return np.asarray(factor.reshape(n * m, q).T @ np.matmul(middle, factor).reshape(n * m, q))
