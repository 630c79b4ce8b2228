"""Empirical ("sandwich") covariance by subjects, and Bell and McCaffrey's degrees of freedom for it.

In coordinates in which a subject's outcomes have unit covariance (``x̃_i = K_i' X_i``, ``r̃_i = K_i' r_i``, ``Σ_i^-1 = K_i
K_i'``), with ``H_ii = x̃_i Φ x̃_i'``::

    cov = Φ { Σ_i x̃_i' B_i r̃_i r̃_i' B_i x̃_i } Φ
    CR0: B = I        CR2, bias-reduced: B = (I - H_ii)^-½        CR3, jackknife: B = (I - H_ii)^-1

Degrees of freedom of a contrast ``c``: with ``g_i = (I - H)_i' B_i x̃_i Φ c`` and ``G_ij = g_i' g_j``, ``df = tr(G)² / Σ G_ij²``
under the fitted model. A direction in which a subject alone decides (an eigenvalue of ``I - H_ii`` that is zero) is given
none of the weight, as with a Moore-Penrose inverse. Sources: Liang and Zeger, Biometrika 73 (1986): 13 (CR0); Mancl and
DeRouen, Biometrics 57 (2001): 126 (CR3 form); Bell and McCaffrey, Survey Methodology 28 (2002): 169; Pustejovsky and Tipton,
J. Business and Economic Statistics 36 (2018): 672, section 2 and eq. 11.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.trials.mmrm.inference.method import Ground, by_directions, positive
from medtwin.trials.mmrm.likelihood import roots
from medtwin.trials.mmrm.structures.curve import Array

POWERS = {"CR0": 0.0, "CR2": -0.5, "CR3": -1.0}
#: An eigenvalue of I - H_ii below this is zero.
SMALL = 1e-10


@dataclass(frozen=True)
class Sandwich:
    """A sandwich with its own degrees of freedom; ``e_i = x̃_i Φ^½``."""

    name: str
    covariance: Array
    root: Array  #: J, (p, p)
    bent: Array  #: e_i' B_i e_i, (n, p, p)
    pushed: Array  #: B_i e_i, (n, m, p)

    def df(self, contrast: Array) -> float:
        """``G_ij = δ_ij |B_i e_i c|² - (e_i' B_i e_i c)'(e_j' B_j e_j c)``: no matrix of subjects by subjects is built."""
        own = self.root.T @ contrast
        length = ((self.pushed @ own) ** 2).sum(1)
        drawn = self.bent @ own
        shared = (drawn**2).sum(1)
        trace = float((length - shared).sum())
        squares = float((length**2 - 2.0 * length * shared).sum() + ((drawn.T @ drawn) ** 2).sum())
        return positive(trace**2 / squares if squares > 0.0 else np.inf, self.name)

    def denominator(self, contrasts: Array) -> tuple[float, float]:
        """By independent directions."""
        return by_directions(self, contrasts)


def sandwich(ground: Ground, kind: str) -> Sandwich:
    """``kind``: CR0, CR2 or CR3."""
    layout, solved = ground.layout, ground.optimum.solved
    p, power = len(layout.names), POWERS[kind]
    change = np.zeros((p + 1, p + 1))
    change[:p, :p], change[:p, p], change[p, p] = solved.root, -solved.gamma, 1.0
    meat, bent, pushed = np.zeros((p, p)), [], []
    for block, curve in zip(layout.blocks, solved.curves, strict=True):
        done = roots(block, curve.value)
        assert done is not None  # it was positive definite at the maximum
        white = np.matmul(np.swapaxes(done[0], 1, 2)[block.pattern], block.values) @ change
        e, rest = white[:, :, :p], white[:, :, p]
        moved = e
        if power:
            values, vectors = np.linalg.eigh(np.eye(e.shape[1]) - np.matmul(e, np.swapaxes(e, 1, 2)))
            size = np.where(values > SMALL, np.maximum(values, SMALL) ** power, 0.0)
            moved = np.matmul(vectors * size[:, None, :], np.matmul(np.swapaxes(vectors, 1, 2), e))
        score = np.einsum("nmp,nm->np", moved, rest)
        meat += score.T @ score
        bent.append(np.matmul(np.swapaxes(e, 1, 2), moved))
        pushed.append(np.pad(moved, ((0, 0), (0, _widest(ground) - moved.shape[1]), (0, 0))))
    covariance = ground.root @ meat @ ground.root.T
    return Sandwich(f"{kind}, Bell-McCaffrey df", covariance, ground.root, np.concatenate(bent), np.concatenate(pushed))


def _widest(ground: Ground) -> int:
    return max(block.present.shape[1] for block in ground.layout.blocks)
