"""Parkes' consensus error grid, for type 1 and for type 2 diabetes.

Parkes et al., Diabetes Care 23 (2000): 1143; corners of the zones: Pfützner et al., J Diabetes Sci Technol 7 (2013):
1275, as the project's notes and ega 2.0.0 (CRAN) hold them. An upper zone holds what lies on its line or above, a
lower one what lies right of its first corner and on its line or below; the last stretch of a line goes on without
end; of several zones the worst counts, so a point on an edge belongs to the worse zone.

ega draws the lower edge of zone D of type 1 with the slope of another corner (410, 110), which is of type 2: this is
not copied. The line here is (250, 40) to (550, 150). Of the reference's 5,072 pairs one differs for it, and two of
type 2 that lie exactly on the lower edge of B, which ega gives to A and here belong to B.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from medtwin.statistics.glucose.clarke import ZONES

Corners = tuple[tuple[float, float], ...]

#: (zone, upper line, lower line), corners as (reference, estimate) in mg/dL.
LINES: Mapping[int, tuple[tuple[str, Corners, Corners | None], ...]] = {
    1: (
        ("B", ((0, 50), (30, 50), (140, 170), (280, 380), (430, 550)), ((50, 30), (170, 145), (385, 300), (550, 450))),
        ("C", ((0, 60), (30, 60), (50, 80), (70, 110), (260, 550)), ((120, 30), (260, 130), (550, 250))),
        ("D", ((0, 100), (25, 100), (50, 125), (80, 215), (125, 550)), ((250, 40), (550, 150))),
        ("E", ((0, 150), (35, 155), (50, 550)), None),
    ),
    2: (
        ("B", ((0, 50), (30, 50), (230, 330), (440, 550)), ((50, 30), (90, 80), (330, 230), (550, 450))),
        ("C", ((0, 60), (30, 60), (280, 550)), ((90, 0), (260, 130), (550, 250))),
        ("D", ((0, 80), (25, 80), (35, 90), (125, 550)), ((250, 40), (410, 110), (550, 160))),
        ("E", ((0, 200), (35, 200), (50, 550)), None),
    ),
}  # fmt: skip


def parkes(reference: ArrayLike, estimate: ArrayLike, diabetes: Literal[1, 2] = 1) -> np.ndarray:
    """Zone A to E of each pair (N,)."""
    r, e = np.asarray(reference, float), np.asarray(estimate, float)
    zone = np.zeros(np.broadcast_shapes(r.shape, e.shape), np.int64)
    for number, (_, upper, lower) in enumerate(LINES[diabetes], start=1):
        inside = e >= _height(upper, r)
        if lower is not None:
            inside |= (r >= lower[0][0]) & (e <= _height(lower, r))
        zone[inside] = number
    return ZONES[zone]


def _height(corners: Corners, x: np.ndarray) -> np.ndarray:
    """Of a line at ``x``, its last stretch without end."""
    at, up = np.array(corners, float).T
    slope = (up[-1] - up[-2]) / (at[-1] - at[-2])
    return np.where(x > at[-1], up[-1] + slope * (x - at[-1]), np.interp(x, at, up))
