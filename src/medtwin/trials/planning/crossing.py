"""Exact crossing probabilities of group-sequential boundaries by recursive numerical integration.

The score process ``S_k = Z_k sqrt(I_k)`` has independent increments ``N(theta (I_k - I_(k-1)), I_k - I_(k-1))``, so its
density among the trials that go on obeys::

    g_1(s) = phi((s - theta I_1) / sqrt(I_1)) / sqrt(I_1)
    g_k(s) = integral over the continuation region of g_(k-1)(u) phi((s - u - theta D_k) / sqrt(D_k)) / sqrt(D_k) du

and the probability to cross an upper bound b at look k is ``integral g_(k-1)(u) Phi((u + theta D_k - b sqrt(I_k)) /
sqrt(D_k)) du``. Integrals are composite Gauss-Legendre sums with panels no wider than 1.5 standard deviations of the
narrower increment: the integrands are smooth, so 12 nodes a panel leave about 1e-12.

Sources: Armitage, McPherson & Rowe 1969, JRSS A 132:235; Jennison & Turnbull 2000, Group Sequential Methods, chapter 19.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

REACH = 9.0  #: an open side is cut this many standard deviations away: 1e-19 is left out
PANEL = 1.5  #: widest panel, in standard deviations of an increment
NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)
ROWS = 1024  #: kernel rows made at once


@dataclass(frozen=True, slots=True)
class Going:
    """The trials that go on after a look: ``mass`` (density times weight) at ``nodes`` of the score process."""

    information: float
    nodes: Floats
    mass: Floats


START = Going(0.0, np.zeros(1), np.ones(1))


def above(going: Going, information: float, drift: float, bound: float) -> float:
    """Probability that the next look, at ``information``, finds Z >= ``bound`` among the trials that go on."""
    step = information - going.information
    shift = going.nodes + drift * step - bound * math.sqrt(information)
    return float(going.mass @ ndtr(shift / math.sqrt(step)))


def below(going: Going, information: float, drift: float, bound: float) -> float:
    """The same for Z < ``bound``."""
    return above(Going(going.information, -going.nodes, going.mass), information, -drift, -bound)


def advance(going: Going, information: float, drift: float, low: float, high: float, coming: float) -> Going:
    """The trials that go on after the look at ``information`` (low <= Z < high); ``coming`` is the next information."""
    root, step = math.sqrt(information), information - going.information
    middle = drift * root
    start, end = max(low, middle - REACH) * root, min(high, middle + REACH) * root
    if not start < end:
        return Going(information, np.zeros(1), np.zeros(1))
    spread = math.sqrt(min(step, max(coming - information, 1e-300)))
    edges = np.linspace(start, end, max(2, math.ceil((end - start) / (PANEL * spread)) + 1))
    half = np.diff(edges)[:, None] / 2.0
    nodes = ((edges[:-1] + edges[1:])[:, None] / 2.0 + half * NODES).ravel()
    density = np.empty_like(nodes)
    scale = 1.0 / math.sqrt(2.0 * math.pi * step)
    for first in range(0, len(nodes), ROWS):
        part = nodes[first : first + ROWS, None] - (going.nodes + drift * step)
        density[first : first + ROWS] = (np.exp(-0.5 * part * part / step) * scale) @ going.mass
    return Going(information, nodes, density * (half * WEIGHTS).ravel())


@dataclass(frozen=True, slots=True)
class Crossing:
    """Probability to stop at each look: at the upper bound, and at or below the lower one."""

    upper: Floats
    lower: Floats

    @property
    def stopping(self) -> Floats:
        """Probability that the trial ends at each look; the last look takes what is left."""
        ends = self.upper + self.lower
        ends[-1] = 1.0 - float(ends[:-1].sum())
        return ends


def crossing(information: Sequence[float] | Floats, drift: float, upper: Sequence[float] | Floats,
             lower: Sequence[float] | Floats | None = None) -> Crossing:  # fmt: skip
    """Crossing probabilities of Z bounds; ``E Z_k = drift sqrt(information_k)``. ``lower`` -inf (default): none."""
    info = np.asarray(information, dtype=np.float64)
    low = np.full(len(info), -np.inf) if lower is None else np.asarray(lower, dtype=np.float64)
    up, down = np.zeros(len(info)), np.zeros(len(info))
    going = START
    for k, i in enumerate(info):
        up[k] = above(going, i, drift, float(upper[k]))
        down[k] = below(going, i, drift, float(low[k]))
        if k + 1 < len(info):
            going = advance(going, i, drift, float(low[k]), float(upper[k]), info[k + 1])
    return Crossing(up, down)
