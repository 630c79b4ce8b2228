"""How strongly the heart muscle is activated at each phase of the beat (0 to 1), the same curve for every person.

``ventricular(phase)`` is the 25-mode Fourier elastance of J. Tran's tuning framework as published in svZeroDSolver
(``ClosedLoopHeartPulmonary``, BSD-3-Clause), shifted and scaled so that its lowest value is 0 and its highest 1; the
least and the greatest elastance then are parameters of their own. ``atrial(phase)`` is a raised cosine that begins
before the end of the beat and wraps around into the next one. Both depend on the phase alone, so a beat's table is a
constant of the program.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

#: Cosine (first) and sine (second) coefficients of the published elastance: sum of c cos(2 pi i phase) - s sin(...).
FOURIER = np.array([
    (0.283748803, 0.000000000), (0.031830626, -0.374299825), (-0.209472400, -0.018127770),
    (0.020520047, 0.073971113), (0.008316883, -0.047249597), (-0.041677660, 0.003212163),
    (0.000867323, 0.019441411), (-0.001675379, -0.005565534), (-0.011252277, 0.003401432),
    (-0.000414677, 0.008376795), (0.000253749, -0.000071880), (-0.002584966, 0.001566861),
    (0.000584752, 0.003143555), (0.000028502, -0.000024787), (0.000022961, -0.000007476),
    (0.000018735, -0.000001281), (0.000015573, 0.000001781), (0.000013133, 0.000003494),
    (0.000011199, 0.000004507), (0.000009634, 0.000005117), (0.000008343, 0.000005481),
    (0.000007265, 0.000005687), (0.000006354, 0.000005789), (0.000005575, 0.000005821),
    (0.000004903, 0.000005805),
])  # fmt: skip

ATRIAL_SHARE = 0.40742  #: share of the beat for which the atria are activated
ATRIAL_END = 1.0 / 8.976868  #: phase at which their activation ends


def _published(phase: np.ndarray) -> np.ndarray:
    angle = 2.0 * np.pi * np.multiply.outer(phase, np.arange(len(FOURIER)))
    return np.cos(angle) @ FOURIER[:, 0] - np.sin(angle) @ FOURIER[:, 1]


def _extremes() -> tuple[float, float]:
    """Least and greatest value of the published curve: a fine grid, then a parabola through the three best points."""
    phase = np.arange(20000) / 20000
    curve = _published(phase)
    found = []
    for i, sign in ((curve.argmin(), 1.0), (curve.argmax(), -1.0)):
        a, b, c = sign * curve[(i - 1) % 20000], sign * curve[i], sign * curve[(i + 1) % 20000]
        found.append(sign * (b - (a - c) ** 2 / (8.0 * (a - 2.0 * b + c))))
    return found[0], found[1]


LOWEST, HIGHEST = _extremes()  #: of the published curve, before it is shifted and scaled


def ventricular(phase: Float[Array, "..."]) -> Float[Array, "..."]:
    """Activation of both ventricles: 0 at the least elastance, 1 at the greatest (Clenshaw's recurrence)."""
    cosine, sine = jnp.cos(2.0 * jnp.pi * phase), jnp.sin(2.0 * jnp.pi * phase)
    even, even_before = jnp.zeros_like(phase), jnp.zeros_like(phase)
    odd, odd_before = jnp.zeros_like(phase), jnp.zeros_like(phase)
    for c, s in FOURIER[:0:-1].tolist():
        even, even_before = c + 2.0 * cosine * even - even_before, even
        odd, odd_before = s + 2.0 * cosine * odd - odd_before, odd
    curve = float(FOURIER[0, 0]) + cosine * even - even_before - sine * odd
    return (curve - LOWEST) / (HIGHEST - LOWEST)


def atrial(phase: Float[Array, "..."]) -> Float[Array, "..."]:
    """Activation of both atria: a raised cosine over ``ATRIAL_SHARE`` of the beat that ends at ``ATRIAL_END``."""
    since = jnp.mod(phase - ATRIAL_END + ATRIAL_SHARE, 1.0)
    return jnp.where(since < ATRIAL_SHARE, 0.5 * (1.0 - jnp.cos(2.0 * jnp.pi * since / ATRIAL_SHARE)), 0.0)
