"""What is assumed of a patient after an intercurrent event: the joint normal distribution of his visits.

``μ`` and ``A`` are mean and covariance of the patient's own arm at his covariates, ``ρ`` and ``R`` those of the reference
arm, and the event comes after ``p`` of ``m`` visits:

    missing at random (MAR)            μ_1 .. μ_m                                             A
    jump to reference (JR)             μ_1 .. μ_p, ρ_p+1 .. ρ_m                               spliced
    copy reference (CR)                ρ_1 .. ρ_m                                             R
    copy increments in reference (CIR) μ_1 .. μ_p, μ_p + ρ_p+1 - ρ_p .. μ_p + ρ_m - ρ_p       spliced
    last mean carried forward (LMCF)   μ_1 .. μ_p, μ_p .. μ_p                                 A

The spliced covariance has the own arm's at the visits before, and the reference arm's regression of the later visits on
them (1: visits before, 2: after):

    S11 = A11    S21 = R21 R11^-1 A11    S22 = R22 - R21 R11^-1 (R11 - A11) R11^-1 R12

A patient of the reference arm is his own reference. Before the first visit (p = 0) JR, CR and CIR are the reference arm's
distribution; LMCF has no mean to carry, and takes the reference arm's too.

Source: Carpenter, Roger and Kenward, J Biopharm Stat 23 (2013): 1352, section 3 and appendix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Strategy:
    """A row of the table in the file's docstring."""

    name: str
    #: own (k, m), reference (k, m), p -> mean (k, m)
    mean: Callable[[Array, Array, int], Array]
    #: own (m, m), reference (m, m), p -> covariance (m, m)
    covariance: Callable[[Array, Array, int], Array]
    at_random: bool = False  #: outcomes seen after the event follow the model too, and are used to fit it


def spliced(own: Array, reference: Array, before: int) -> Array:
    """The own arm's covariance before, the reference arm's regression after; (m, m)."""
    p = before
    slope = np.linalg.solve(reference[:p, :p], reference[:p, p:]).T  # R21 R11^-1
    out = own.copy()
    out[p:, :p] = slope @ own[:p, :p]
    out[:p, p:] = out[p:, :p].T
    out[p:, p:] = reference[p:, p:] - slope @ (reference[:p, :p] - own[:p, :p]) @ slope.T
    return out


def _jump(own: Array, reference: Array, before: int) -> Array:
    return np.concatenate([own[:, :before], reference[:, before:]], 1)


def _increments(own: Array, reference: Array, before: int) -> Array:
    if before == 0:
        return reference
    apart = own[:, before - 1 : before] - reference[:, before - 1 : before]
    return np.concatenate([own[:, :before], reference[:, before:] + apart], 1)


def _last(own: Array, reference: Array, before: int) -> Array:
    if before == 0:
        return reference
    return np.concatenate([own[:, :before], np.repeat(own[:, before - 1 : before], own.shape[1] - before, 1)], 1)


#: By the name that a plan says.
STRATEGIES = {
    "MAR": Strategy("missing at random", lambda own, _, p: own, lambda own, _, p: own, at_random=True),
    "JR": Strategy("jump to reference", _jump, spliced),
    "CR": Strategy("copy reference", lambda _, reference, p: reference, lambda _, reference, p: reference),
    "CIR": Strategy("copy increments in reference", _increments, spliced),
    "LMCF": Strategy("last mean carried forward", _last, lambda own, reference, p: own if p else reference),
}
