"""Whether a volume is good enough: noise, contrast, slabs that do not fit, coverage. A finding stops nothing by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medtwin.imaging.aorta import Aorta
from medtwin.imaging.volume import Volume

Array = NDArray[np.float64]
LEAST_CONTRAST = 250.0  #: HU in the aorta; 300 and more are asked for (SCCT guidelines, from memory)
LEAST_RATIO = 8.0  #: contrast to noise
LARGEST_VOXEL = 0.8  #: mm; a coronary artery is 1.5 to 5 wide
LEAST_HEIGHT = 80.0  #: mm; a heart is 90 to 130 high
JUMP, LEAST_JUMP = 6.0, 0.25  #: robust standard deviations of the shift between neighbouring slices, and mm


@dataclass(frozen=True)
class Quality:
    """Figures, and what is said about them."""

    contrast: float  #: HU, in the aorta
    noise: float  #: HU, one standard deviation
    ratio: float  #: contrast above muscle over noise
    steps: tuple[float, ...]  #: mm along z, where slabs do not fit
    height: float  #: mm
    voxel: tuple[float, float, float]  #: mm
    findings: tuple[str, ...]


def judge(volume: Volume, aorta: Aorta | None, hu: float, noise: float) -> Quality:
    """Quality of a volume whose lumen has ``hu`` and whose noise is ``noise``."""
    height = float(volume.values.shape[2] * volume.spacing[2])
    steps = jumps(volume)
    ratio = (hu - 100.0) / max(noise, 1.0)
    said = []
    if hu < LEAST_CONTRAST:
        said.append(f"contrast in the aorta is {hu:.0f} HU; {LEAST_CONTRAST:.0f} and more are needed for small lumens")
    if ratio < LEAST_RATIO:
        said.append(f"contrast is {ratio:.1f} times the noise; {LEAST_RATIO:g} and more are needed")
    if float(volume.spacing.max()) > LARGEST_VOXEL:
        said.append(f"voxels are {volume.spacing.max():.2f} mm wide; {LARGEST_VOXEL:g} mm and less are needed")
    if height < LEAST_HEIGHT:
        said.append(
            f"the volume is {height:.0f} mm high; a whole heart needs {LEAST_HEIGHT:.0f} and more: vessels may be cut off"
        )
    said.extend(
        f"slabs do not fit at z = {z:.1f} mm: a step artefact, vessels crossing it look narrowed or shifted"
        for z in steps
    )
    if aorta is None:
        said.append("the aorta was not looked for, since seeds were given")
    x, y, z = (float(v) for v in volume.spacing)
    return Quality(hu, noise, ratio, tuple(steps), height, (x, y, z), tuple(said))


def jumps(volume: Volume) -> list[float]:
    """Where along the third axis a slice is moved sideways against the one before it, mm along z.

    The shift of a whole slice is the least-squares solution of ``I_next - I = -grad I . d`` (Lucas & Kanade 1981); anatomy
    changes from slice to slice, but does not move as one.
    """
    few = ndimage.gaussian_filter(np.clip(volume.values[::2, ::2], -300.0, 500.0), (1.0, 1.0, 0.0))
    if few.shape[2] < 12 or min(few.shape[:2]) < 16:
        return []
    gx, gy = np.gradient(few, 2 * float(volume.spacing[0]), 2 * float(volume.spacing[1]), axis=(0, 1))
    differ = np.diff(few, axis=2)
    # where a body begins or ends the difference is no shift
    weight = 1.0 / np.maximum(np.abs(differ) / 60.0, 1.0)
    gx, gy = 0.5 * (gx[:, :, 1:] + gx[:, :, :-1]), 0.5 * (gy[:, :, 1:] + gy[:, :, :-1])
    total = lambda x: (weight * x).sum((0, 1))  # noqa: E731
    xx, xy, yy, xd, yd = total(gx * gx), total(gx * gy), total(gy * gy), total(gx * differ), total(gy * differ)
    det = np.maximum(xx * yy - xy**2, 1e-9)
    shift = np.stack([-(yy * xd - xy * yd) / det, -(xx * yd - xy * xd) / det], 1)
    apart = np.linalg.norm(shift - ndimage.median_filter(shift, (7, 1), mode="nearest"), axis=1)
    size = 1.48 * float(np.median(apart))
    found = np.flatnonzero(apart > np.maximum(JUMP * size, LEAST_JUMP))
    return [float(volume.world(np.array([[0.0, 0.0, k + 0.5]]))[0, 2]) for k in found]
