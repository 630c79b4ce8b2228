"""What a scanner makes of an object: point spread, noise with texture, steps, motion, blooming.

None of the kernels is the Gaussian that :mod:`medtwin.imaging.radius` assumes. In the plane they are given by their transfer
function of spatial frequency f (1/mm) with cut-off or width ``f0``:

- ``airy``: that of a round aperture, 2/pi (acos(x) - x sqrt(1 - x²)), x = f/f0: a peak with rings (Goodman, Introduction to
  Fourier Optics, 6.3);
- ``sharp``: raised at middle frequencies, (1 + 1.2 x²) exp(-x² - x⁴/2): a negative lobe, as of edge-enhancing kernels;
- ``soft``: exp(-x^1.5): long tails.

Along z the sensitivity is a triangle whose width at half maximum is the slice's thickness. Noise has the spectrum of filtered
backprojection, f T(f)² (Riederer, Pelc & Chesler, Phys Med Biol 1978;23:446, from memory).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from medtwin.imaging.phantoms.render import Scene
from medtwin.imaging.volume import Volume

Array = NDArray[np.float64]


def _aperture(x: Array) -> Array:
    y = np.clip(x, 0.0, 1.0)
    return 2.0 / np.pi * (np.arccos(y) - y * np.sqrt(1.0 - y**2))


KERNELS: dict[str, tuple[float, Callable[[Array], Array]]] = {
    "airy": (1.35, _aperture),
    "sharp": (0.80, lambda x: (1.0 + 1.2 * x**2) * np.exp(-(x**2) - x**4 / 2.0)),
    "soft": (0.55, lambda x: np.exp(-(x**1.5))),
}


@dataclass(frozen=True)
class Scanner:
    """How a scan is made; 0 turns an artefact off."""

    kernel: str = "airy"
    thickness: float = 0.7  #: mm at half maximum along z
    noise: float = 25.0  #: HU, one standard deviation
    steps: tuple[float, ...] = ()  #: mm, sideways, of each slab against the first, from the feet up
    motion: tuple[float, float, float] = (0.0, 0.0, 0.0)  #: mm, way during the exposure, greatest at ``motion_at``
    motion_at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    motion_reach: float = 20.0  #: mm, one standard deviation of where things move
    blooming: float = 0.10  #: share of calcium's signal that is spread more widely
    blooming_width: float = 0.8  #: mm, one standard deviation


def width(kernel: str) -> float:
    """Full width of the kernel at half maximum in the plane, mm."""
    f0, transfer = KERNELS[kernel]
    f = np.linspace(0.0, 4.0 * f0, 4000)
    from scipy.special import j0

    r = np.linspace(0.0, 2.0, 800)
    spread = (transfer(f / f0) * f * j0(2 * np.pi * f * r[:, None])).sum(1)
    return float(2.0 * r[np.argmax(spread < 0.5 * spread[0])])


def scan(scene: Scene, scanner: Scanner, rng: np.random.Generator) -> Volume:
    """The volume that a scanner makes; whole HU."""
    values = scene.objects.values.astype(np.float32)
    spacing = scene.objects.spacing
    if scanner.blooming and scene.calcium.any():
        wide = ndimage.gaussian_filter(scene.calcium, scanner.blooming_width / spacing, truncate=3.0)
        values = values + scanner.blooming * (wide - scene.calcium)
    if any(scanner.motion):
        values = _moved(values, scene.objects, scanner)
    f0, transfer = KERNELS[scanner.kernel]
    frequency = _frequency(values.shape, spacing)
    plane = transfer(frequency / f0).astype(np.float32)
    values = _filtered(values, plane)
    slab = np.clip(1.0 - np.abs(np.arange(-3, 4) * spacing[2]) / scanner.thickness, 0.0, None)
    values = ndimage.convolve1d(values, slab / slab.sum(), axis=2, mode="nearest")
    if scanner.steps:
        values = _stepped(values, spacing, scanner.steps)
    if scanner.noise:
        noise = _filtered(
            rng.standard_normal(values.shape, dtype=np.float32), np.sqrt(frequency).astype(np.float32) * plane
        )
        noise = ndimage.convolve1d(noise, slab / slab.sum(), axis=2, mode="wrap")
        values += noise * (scanner.noise / float(noise.std()))
    return replace(scene.objects, values=np.round(values).astype(np.float32))


def slab_of(z: Array, volume: Volume, steps: tuple[float, ...]) -> NDArray[np.intp]:
    """Number of the slab of places z, mm."""
    height = volume.values.shape[2] * volume.spacing[2]
    return np.clip((z - volume.origin[2]) / height * len(steps), 0, len(steps) - 1).astype(np.intp)


def _frequency(shape: tuple[int, ...], spacing: Array) -> Array:
    fx, fy = fft.fftfreq(shape[0], spacing[0]), fft.rfftfreq(shape[1], spacing[1])
    return np.asarray(np.hypot(fx[:, None], fy[None]))


def _filtered(values: NDArray[np.float32], transfer: NDArray[np.float32]) -> NDArray[np.float32]:
    turned = fft.rfft2(values, axes=(0, 1))
    turned *= transfer[:, :, None]
    return np.asarray(fft.irfft2(turned, s=values.shape[:2], axes=(0, 1)), np.float32)


def _stepped(values: NDArray[np.float32], spacing: Array, steps: tuple[float, ...]) -> NDArray[np.float32]:
    made = values.copy()
    edges = np.linspace(0, values.shape[2], len(steps) + 1).astype(int)
    for begin, end, step in zip(edges[:-1], edges[1:], steps, strict=True):
        if step:
            made[:, :, begin:end] = ndimage.shift(
                values[:, :, begin:end], (step / spacing[0], 0, 0), order=1, mode="nearest"
            )
    return made


def _moved(values: NDArray[np.float32], frame: Volume, scanner: Scanner) -> NDArray[np.float32]:
    """Mean over the way, where things move; elsewhere as it was."""
    ways = np.linspace(-0.5, 0.5, 5)[:, None] * np.asarray(scanner.motion) / frame.spacing
    blurred = np.mean([ndimage.shift(values, way, order=1, mode="nearest") for way in ways], 0)
    points = [frame.origin[d] + frame.spacing[d] * np.arange(values.shape[d]) - scanner.motion_at[d] for d in range(3)]
    x, y, z = np.ix_(*points)
    weight = np.exp(-(x**2 + y**2 + z**2) / (2.0 * scanner.motion_reach**2)).astype(np.float32)
    return np.asarray(values + weight * (blurred - values), np.float32)
