"""Kenward-Roger: a covariance with the uncertainty of θ in it, and df for it.

With ``Q_hl = Σ X' S V_h S V_l S X``, ``R_hl = Σ X' S ∂²Σ/∂θ_h∂θ_l S X``, ``W`` the inverse observed information::

    Φ_A = Φ + 2 Φ { Σ_hl W_hl (Q_hl - A_h Φ A_l - R_hl / 4) } Φ

(Kenward and Roger, Biometrics 53 (1997): 983, eq. 4). ``linear`` leaves out R; it then no longer depends on how the
structure is parametrised (as SAS's ``DDFM=KENWARDROGER(LINEAR)``). The F test of ``c`` contrasts, with
``Θ = C'(C Φ C')^-1 C``, ``A1 = Σ W_hl tr(ΘΦA_hΦ) tr(ΘΦA_lΦ)``, ``A2 = Σ W_hl tr(ΘΦA_hΦΘΦA_lΦ)``, is their section 3;
of one contrast it is Satterthwaite's df.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from medtwin.trials.mmrm.inference.method import Ground, positive
from medtwin.trials.mmrm.inference.satterthwaite import Satterthwaite
from medtwin.trials.mmrm.likelihood import split
from medtwin.trials.mmrm.structures.curve import Array


@dataclass(frozen=True)
class KenwardRoger:
    """See the file's docstring."""

    ground: Ground
    covariance: Array
    name: str = "Kenward-Roger"

    def df(self, contrast: Array) -> float:
        """Of one contrast: Satterthwaite's, by ``Φ``."""
        return Satterthwaite(self.ground, self.name).df(contrast)

    def denominator(self, contrasts: Array) -> tuple[float, float]:
        """``(m, λ)`` of Kenward and Roger (1997), section 3 and appendix."""
        c = len(contrasts)
        if c == 1:
            return self.df(contrasts[0]), 1.0
        basis, _ = linalg.qr(self.ground.root.T @ contrasts.T, mode="economic")  # Θ is basis basis' where Φ is one
        moved = np.einsum("ai,hab,bj->hij", basis, self.ground.optimum.slopes.moved, basis)
        weight = self.ground.optimum.theta_covariance
        trace = np.trace(moved, axis1=1, axis2=2)
        a1 = float(trace @ weight @ trace)
        a2 = float(np.einsum("hl,hij,lji->", weight, moved, moved, optimize=True))
        b = (a1 + 6.0 * a2) / (2.0 * c)
        g = ((c + 1.0) * a1 - (c + 4.0) * a2) / ((c + 2.0) * a2)
        under = 3.0 * c + 2.0 * (1.0 - g)
        c1, c2, c3 = g / under, (c - g) / under, (c + 2.0 - g) / under
        mean = 1.0 / (1.0 - a2 / c)
        variance = 2.0 / c * (1.0 + c1 * b) / ((1.0 - c2 * b) ** 2 * (1.0 - c3 * b))
        rho = variance / (2.0 * mean**2)
        df = positive(4.0 + (c + 2.0) / (c * rho - 1.0), self.name)
        return df, positive(df / (mean * (df - 2.0)), self.name)


def kenward_roger(ground: Ground, *, linear: bool) -> KenwardRoger:
    """The adjusted covariance. All sums over parameters are taken before those over subjects::

    Σ_hl W_hl Q_hl = Σ_i U_i' Z_i U_i     Z = Σ_hl W_hl V_h S V_l, linear in S     U_i = S_i X_i Φ^½
    """
    layout, optimum = ground.layout, ground.optimum
    p, weight = len(layout.names), optimum.theta_covariance
    moved = optimum.slopes.moved
    inner = -np.einsum("hab,hbc->ac", moved, np.tensordot(weight, moved, 1))
    sizes = [len(part) for part in split(layout, optimum.solved.theta)]
    ends = np.cumsum(sizes)
    for g, block in enumerate(layout.blocks):
        own = slice(ends[g] - sizes[g], ends[g])
        curve, inverse = optimum.solved.curves[g], optimum.solved.inverses[g]
        middle = _between(curve.first, weight[own, own], inverse)
        if not linear:
            middle = middle - 0.25 * curve.along(weight[own, own])
        factor = optimum.slopes.factors[g][:, :, :p]
        n, m, _ = factor.shape
        inner += factor.reshape(n * m, p).T @ np.matmul(middle[block.pattern], factor).reshape(n * m, p)
    adjusted = np.eye(p) + inner + inner.T  # 2 {...}, symmetric whatever the rounding
    covariance = ground.root @ adjusted @ ground.root.T
    return KenwardRoger(ground, covariance, "Kenward-Roger linear" if linear else "Kenward-Roger")


def _between(first: Array, weight: Array, inverse: Array) -> Array:
    """``Σ_hl W_hl V_h S_k V_l``, (k, m, m)."""
    h, k, m = len(first), len(inverse), inverse.shape[-1]
    if first.ndim == 3:
        flat = first.reshape(h, m * m)
        pairs = (flat.T @ weight @ flat).reshape(m, m, m, m)  # [ac, db]
        turned = pairs.transpose(1, 2, 0, 3).reshape(m * m, m * m)  # [cd, ab]
        return np.asarray((inverse.reshape(k, m * m) @ turned).reshape(k, m, m))
    return np.asarray(np.einsum("hl,hkac,kcd,lkdb->kab", weight, first, inverse, first, optimize=True))
