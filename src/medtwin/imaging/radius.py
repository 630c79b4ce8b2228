"""The lumen's radius from a fit of its blurred profile in planes across the centreline.

Distance transforms and thresholds fail where the lumen is as small as the scanner's point spread. So each cross section is
fitted by what a scanner would make of it::

    I(p) = b(angle) (1 - T) + W (T - S) + L S        S = share(|p - c|; r(angle), s), T alike for r(angle) + w
                                                     (medtwin.imaging.blurred_disc)

- c: centre; r(angle) = r (1 + e1 cos 2a + e2 sin 2a + ...) / n, n so that pi r² is the area;
- L: the lumen's CT number, held near what wide sections of the same tree say (a small lumen cannot tell it from its size);
- b(angle): what lies around, a Fourier series to the second order: fat on one side and muscle on the other;
- W, w: wall and soft plaque: ``TISSUE`` HU, thickness free about ``THICKNESS``, which matters where fat lies around;
- s: the point spread across the section, from the wide sections, where it is free; it is Gaussian, which real kernels are not.

Voxels brighter than lumen by ``HARD`` and their neighbours are calcium and do not count, nor do those of other branches;
only that
there is no lumen where calcium is at least half as bright as it gets is held against a fit. All sections are solved at once
by damped Gauss-Newton steps. The standard error is that of least squares, times what correlated
noise and the wrong shape add (``INFLATION``, ``FLOOR``: set on phantoms, judged on other ones in
docs/evidence/coronary-geometry.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medtwin.imaging.blurred_disc import share
from medtwin.imaging.volume import Volume

Array = NDArray[np.float64]
ANGLES, RINGS = 24, 14
OUTSIDE = 1.5  #: mm beyond the lumen that are looked at
HARD = 120.0  #: HU above the lumen: calcium, or what it blooms
STONE = 0.12  #: mm, further error where a tenth of the section or more is calcium
APART = 150.0  #: HU that a lumen costs where calcium certainly is
INFLATION, FLOOR = 1.5, 0.025  #: of the standard error; mm
SMALLEST = 0.1  #: mm
SPREAD = (0.22, 0.60)  #: mm, one standard deviation, that scanners have
TISSUE = 50.0  #: HU, of wall and soft plaque
THICKNESS = 0.15  #: mm, about which it is looked for; set on phantoms whose walls have 0.15 to 0.4
(CX, CY, LOGR, E1, E2, LUMEN, WALL, B0), BACKGROUND, SIGMA = range(8), 5, 12


@dataclass(frozen=True)
class Sections:
    """Fitted cross sections; arrays ``(n,)`` unless it is said."""

    centre: Array  #: (n, 3), mm
    radius: Array  #: mm, of equal area
    sd: Array  #: mm, standard error of the radius
    lumen: Array  #: HU
    spread: Array  #: mm
    residual: Array  #: HU, one standard deviation
    seen: Array  #: share of the section that was no calcium and no other vessel
    calcium: Array  #: share that was calcium
    contrast: Array  #: HU of the lumen above what lies around


def frames(tangent: Array) -> tuple[Array, Array]:
    """Two unit normals ``(n, 3)`` of each tangent ``(n, 3)``."""
    helper = np.where(np.abs(tangent[:, 2:3]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    first = np.cross(helper, tangent)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return first, np.cross(tangent, first)


def fit(
    volume: Volume, points: Array, tangent: Array, guess: Array, *, lumen: Array, lumen_sd: float | Array,
    spread: Array, spread_free: bool = False, excluded: NDArray[np.bool_] | None = None, rounds: int = 14,
) -> Sections:  # fmt: skip
    """Fit all sections.

    Args:
        volume: the scan.
        points, tangent: ``(n, 3)``, mm: the centreline and its unit tangents.
        guess: ``(n,)``, mm, of the radius; sets how far out is looked.
        lumen, lumen_sd: ``(n,)``, HU: what the lumen's CT number should be, and how surely.
        spread: ``(n,)``, mm: the point spread, or where its search begins.
        spread_free: whether it is fitted.
        excluded: ``(n, RINGS, ANGLES)``: places of :func:`grid` that belong to something else.
    """
    at, u, v, rho = grid(points, tangent, guess)
    values = volume.sample(at, order=3 if min(volume.values.shape) > 8 else 1)
    hard = values > lumen[:, None, None] + HARD
    peak = values.max((1, 2))[:, None, None] - lumen[:, None, None]
    core = hard & (peak > 2.0 * HARD) & (values - lumen[:, None, None] > 0.5 * peak)
    for _ in range(2):
        hard = hard | np.roll(hard, 1, 2) | np.roll(hard, -1, 2)
        grown = hard.copy()
        grown[:, 1:] |= hard[:, :-1]
        grown[:, :-1] |= hard[:, 1:]
        hard = grown
    values = np.where(core, 0.0, values)
    weight = (core | ~hard).astype(float) * rho[:, :, None]
    if excluded is not None:
        weight = weight * ~excluded
    weight *= rho.shape[1] * ANGLES / np.maximum(weight.sum((1, 2), keepdims=True), 1e-9)
    count = len(points)
    size = 13 if spread_free else 12
    shape = (count, -1)
    p, q, i, w, stone = (np.asarray(x).reshape(shape) for x in (u, v, values, weight, core))
    angle = np.arctan2(q, p)
    basis = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)], -1)
    theta = np.zeros((count, size))
    theta[:, LOGR] = np.log(np.maximum(guess, 0.3))
    theta[:, LUMEN] = lumen
    outer = np.median(values[:, -4:, :].reshape(count, -1), axis=1)
    theta[:, B0] = np.minimum(outer, lumen - 60.0)
    theta[:, WALL] = np.log(THICKNESS)
    middle = theta.copy()
    # weak knowledge: the centreline is near, lumens are nearly round, what lies around is fat to muscle
    sd = np.zeros((count, size))
    sd[:, [CX, CY]] = 0.5
    sd[:, LOGR] = 3.0
    sd[:, [E1, E2]] = 0.12
    sd[:, LUMEN] = lumen_sd
    sd[:, WALL] = 0.4
    sd[:, B0 : B0 + BACKGROUND] = [200.0, 120.0, 120.0, 60.0, 60.0]
    if spread_free:
        theta[:, SIGMA] = middle[:, SIGMA] = np.log(spread)
        sd[:, SIGMA] = 0.3
    noise = np.full(count, 30.0)
    damping = np.full(count, 1e-2)

    def model(x: Array) -> Array:
        away_x, away_y = p - x[:, CX, None], q - x[:, CY, None]
        turn = np.arctan2(away_y, away_x)
        e1, e2 = x[:, E1, None], x[:, E2, None]
        r = np.exp(x[:, LOGR, None]) * (1.0 + e1 * np.cos(2 * turn) + e2 * np.sin(2 * turn))
        r = r / np.sqrt(1.0 + 0.5 * (e1**2 + e2**2))
        s = np.exp(x[:, SIGMA, None]) if spread_free else spread[:, None]
        away = np.hypot(away_x, away_y)
        inside, with_wall = share(away, r, s), share(away, r + np.exp(x[:, WALL, None]), s)
        around = (basis * x[:, None, B0 : B0 + BACKGROUND]).sum(-1)
        seen = around * (1.0 - with_wall) + TISSUE * (with_wall - inside) + x[:, LUMEN, None] * inside
        return np.where(stone, APART * inside, seen)

    def cost(x: Array, made: Array) -> Array:
        # Huber: what is foreign pulls no more than three deviations do
        z = (i - made) / noise[:, None]
        far = np.abs(z) > 3.0
        return np.asarray((w * np.where(far, 6.0 * np.abs(z) - 9.0, z**2)).sum(1) + (((x - middle) / sd) ** 2).sum(1))

    made = model(theta)
    now = cost(theta, made)
    information = np.zeros((count, size, size))
    for number in range(rounds):
        jacobian = np.empty((*p.shape, size))
        for k in range(size):
            step = 1.0 if k == LUMEN or B0 <= k < SIGMA else 1e-3
            moved = theta.copy()
            moved[:, k] += step
            jacobian[:, :, k] = (model(moved) - made) / step
        z = (i - made) / noise[:, None]
        pull = w / np.maximum(np.abs(z) / 3.0, 1.0) / noise[:, None] ** 2
        information = np.einsum("npk,np,npl->nkl", jacobian, pull, jacobian)
        gradient = np.einsum("npk,np->nk", jacobian, pull * (i - made)) - (theta - middle) / sd**2
        information += np.eye(size) / sd[:, None, :] ** 2
        damped = information + damping[:, None, None] * np.eye(size) * np.einsum("nkk->nk", information)[:, None, :]
        step_ = np.linalg.solve(damped, gradient[..., None])[..., 0]
        step_[:, LOGR] = np.clip(step_[:, LOGR], -0.4, 0.4)
        step_[:, [E1, E2]] = np.clip(step_[:, [E1, E2]], -0.1, 0.1)
        tried = theta + step_
        tried[:, LOGR] = np.clip(tried[:, LOGR], np.log(SMALLEST), np.log(8.0))
        tried[:, [E1, E2]] = np.clip(tried[:, [E1, E2]], -0.4, 0.4)
        tried[:, WALL] = np.clip(tried[:, WALL], np.log(0.05), np.log(1.5))
        if spread_free:
            tried[:, SIGMA] = np.clip(tried[:, SIGMA], np.log(SPREAD[0]), np.log(SPREAD[1]))
        there = model(tried)
        new = cost(tried, there)
        better = new < now
        theta[better], made[better], now[better] = tried[better], there[better], new[better]
        damping = np.where(better, damping * 0.3, damping * 4.0)
        if number == 2:
            noise = np.clip(
                np.sqrt((w * np.minimum((i - made) ** 2, 90.0**2)).sum(1) / np.maximum(w.sum(1), 1e-9)), 8.0, 80.0
            )
            now = cost(theta, made)
        if not better.any() and number > 3:
            break
    residual = np.sqrt((w * (i - made) ** 2).sum(1) / np.maximum(w.sum(1), 1e-9))
    covariance = np.linalg.inv(information)
    # samples lie closer than the noise's own length: as many count as there are areas of one voxel
    area = np.pi * rho[:, -1] ** 2
    each = np.cbrt(np.prod(volume.spacing)) ** 2
    crowded = np.maximum(p.shape[1] * each / area, 1.0)
    seen = (weight > 0).mean((1, 2))
    radius = np.exp(theta[:, LOGR])
    doubt = STONE * np.minimum(hard.mean((1, 2)) / 0.1, 1.0)
    error = radius * np.sqrt(np.maximum(covariance[:, LOGR, LOGR], 0.0) * crowded / np.maximum(seen, 0.05))
    first, second = frames(tangent)
    return Sections(
        centre=points + theta[:, CX, None] * first + theta[:, CY, None] * second,
        radius=radius,
        sd=np.sqrt((INFLATION * np.maximum(residual / noise, 1.0) * error) ** 2 + FLOOR**2 + doubt**2),
        lumen=theta[:, LUMEN],
        spread=np.exp(theta[:, SIGMA]) if spread_free else np.asarray(spread, float),
        residual=residual,
        seen=seen,
        calcium=hard[:, : RINGS - 3].mean((1, 2)),
        contrast=theta[:, LUMEN] - theta[:, B0],
    )


def grid(points: Array, tangent: Array, guess: Array) -> tuple[Array, Array, Array, Array]:
    """Sampled places ``(n, RINGS, ANGLES, 3)``, mm; their two coordinates in the section; the rings' radii ``(n, RINGS)``."""
    first, second = frames(tangent)
    rho = (guess[:, None] + OUTSIDE) * (np.arange(RINGS) + 0.5) / RINGS
    angle = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    u, v = rho[:, :, None] * np.cos(angle), rho[:, :, None] * np.sin(angle)
    at = points[:, None, None] + u[..., None] * first[:, None, None] + v[..., None] * second[:, None, None]
    return at, u, v, rho


def half_maximum(volume: Volume, points: Array, tangent: Array, lumen: Array) -> Array:
    """A first guess of the radius, mm: mean over the angles of where the profile falls to half."""
    at, _, _, rho = grid(points, tangent, np.full(len(points), 2.5))
    values = np.minimum(volume.sample(at), lumen[:, None, None])
    inner = np.maximum(values[:, :2].mean((1, 2)), 150.0)
    level = 0.5 * (inner[:, None] + np.minimum(values.min(1), 100.0).clip(-100.0))
    below = values < level[:, None, :]
    ring = np.where(below.any(1), below.argmax(1), RINGS - 1)
    width = rho[:, 1] - rho[:, 0]
    return np.clip((ring.mean(1)) * width, 0.4, 3.0)
