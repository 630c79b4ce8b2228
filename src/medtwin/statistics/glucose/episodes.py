"""Episodes of hypo- and hyperglycaemia by the international consensus, on the even grid, gaps cut.

Danne et al., Diabetes Care 40 (2017): 1631, and Battelino et al., Lancet Diabetes Endocrinol 11 (2023): 42: an
episode begins with at least 15 min beyond its limit and ends before at least 15 min back within; extended
hypoglycaemia lasts more than 120 min. Counted as iglu 4.3.0 does (``episode_calculation``): each run of points is
looked at within a stretch without a gap of more than 45 min; a day of recording is a day of known points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medtwin.statistics.glucose.trace import Trace, runs

#: (limit in mg/dL, whether below it, the least minutes)
KINDS: Mapping[str, tuple[float, bool, float]] = {
    "hypo_1": (70.0, True, 15.0),
    "hypo_2": (54.0, True, 15.0),
    "hypo_extended": (70.0, True, 120.0),
    "hyper_1": (180.0, False, 15.0),
    "hyper_2": (250.0, False, 15.0),
}
END = 15.0  #: minutes back within


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """``start``: seconds since 1970 on the clock of the trace's first reading; ``minutes`` long; mean of glucose and the
    worst value, mg/dL."""

    start: float
    minutes: float
    mean: float
    worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes:
    """Of one kind. ``per_day``: of known glucose."""

    found: tuple[Episode, ...]
    per_day: float

    @property
    def mean_minutes(self) -> float:
        """Zero where there is none."""
        return float(np.mean([one.minutes for one in self.found])) if self.found else 0.0


def episodes(trace: Trace) -> dict[str, Episodes]:
    """Every kind by its name."""
    line, step = trace.grid.line, trace.grid.step
    days = float(np.isfinite(line).sum()) * step / 1440.0
    stretches = runs(line)
    made = {}
    for name, (limit, below, least) in KINDS.items():
        # the extended one lasts more than its minutes: one point more, as that many steps have passed then
        points = least / step + 1.0 if name == "hypo_extended" else float(np.ceil(least / step))
        found = []
        for start, end in stretches:
            value = line[start:end]
            for a, b in _episodes(value < limit if below else value > limit, points, float(np.ceil(END / step))):
                part = value[a:b]
                found.append(
                    Episode(
                        start=trace.grid.start + 60.0 * step * (start + a + 1), minutes=(b - a) * step,
                        mean=float(part.mean()), worst=float(part.min() if below else part.max()),
                    )
                )  # fmt: skip
        made[name] = Episodes(found=tuple(found), per_day=len(found) / days if days else 0.0)
    return made


def _episodes(beyond: np.ndarray, least: float, end: float) -> list[tuple[int, int]]:
    """(start, end) of each within one stretch: from a long enough run beyond to before a long enough run within."""
    edge = np.concatenate([[0], np.flatnonzero(beyond[1:] != beyond[:-1]) + 1, [beyond.size]])
    made: list[tuple[int, int]] = []
    begun = -1
    for a, b in zip(edge[:-1].tolist(), edge[1:].tolist(), strict=True):
        if beyond[a] and begun < 0 and b - a >= least:
            begun = a
        elif not beyond[a] and begun >= 0 and b - a >= end:
            made.append((begun, a))
            begun = -1
    return [*made, (begun, beyond.size)] if begun >= 0 else made


def exclusive(level_1: Episodes, level_2: Episodes) -> int:
    """Episodes of level 1 that hold none of level 2."""
    starts = np.array([one.start for one in level_2.found])
    return sum(not ((starts >= one.start) & (starts < one.start + 60.0 * one.minutes)).any() for one in level_1.found)
