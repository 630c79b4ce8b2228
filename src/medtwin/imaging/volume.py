"""A volume of CT numbers with its frame: where each voxel lies in the patient."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Volume:
    """CT numbers on a regular grid.

    ``values`` is ``(i, j, k)``, HU; a voxel's centre is ``origin + direction @ (spacing * (i, j, k))`` in the patient's frame as
    DICOM has it (x to the left, y to the back, z to the head; PS3.3 C.7.6.2.1.1), mm.
    """

    values: NDArray[np.float32]
    origin: Array  #: (3,), mm: centre of the first voxel
    spacing: Array  #: (3,), mm
    direction: Array  #: (3, 3), columns are the unit vectors of i, j, k

    def world(self, index: NDArray[np.generic]) -> Array:
        """Points ``(n, 3)``, mm, of indices ``(n, 3)``."""
        return np.asarray(self.origin + (np.asarray(index, float) * self.spacing) @ self.direction.T)

    def index(self, points: Array) -> Array:
        """Indices ``(n, 3)``, fractions of a voxel, of points ``(n, 3)``, mm."""
        return np.asarray((np.asarray(points, float) - self.origin) @ self.direction / self.spacing)

    def sample(self, points: Array, *, order: int = 1) -> Array:
        """CT numbers at points ``(..., 3)``, mm, by splines of ``order``; outside the nearest voxel's."""
        shape = points.shape[:-1]
        at = self.index(points.reshape(-1, 3)).T
        return np.asarray(ndimage.map_coordinates(self.values, at, order=order, mode="nearest")).reshape(shape)

    def inside(self, points: Array, margin: float = 0.0) -> NDArray[np.bool_]:
        """Which points ``(n, 3)`` lie in the volume, ``margin`` mm away from its border."""
        at = self.index(points)
        room = margin / self.spacing
        return np.asarray(((at >= room) & (at <= np.asarray(self.values.shape) - 1 - room)).all(-1))

    def coarse(self, size: float) -> Volume:
        """Means of blocks of voxels, about ``size`` mm wide; what is left over at the far border is dropped."""
        step = np.maximum(np.round(size / self.spacing).astype(int), 1)
        shape = np.asarray(self.values.shape) // step
        cut = self.values[tuple(slice(0, n * s) for n, s in zip(shape, step, strict=True))]
        blocks = cut.reshape(shape[0], step[0], shape[1], step[1], shape[2], step[2])
        means = blocks.mean((1, 3, 5), dtype=np.float32)
        return replace(self, values=means, origin=self.world((step[None] - 1) / 2.0)[0], spacing=self.spacing * step)
