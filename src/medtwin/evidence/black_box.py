"""A forecaster that knows no physiology, asked what a plan changes: ridge regression on one person's own past.

From each origin t, one each five minutes, and for each horizon h of its own::

    y(t + h) - y(t) = w . x(t, h)

``x`` holds the level and its differences to five earlier ones (5 to 60 minutes), the clock as two harmonics, and of
carbohydrate, insulin boluses and heart rate above its median two kinds of decaying sums (``DECAYS``): of what was before
t, as seen at t, and of what comes in (t, t + h], as seen at t + h. So it is told what was really eaten and injected after
each past origin, which a forecast could not know, and its answer to a plan is the difference of two predictions: the weights
of the last kind, times the difference of the plans. The penalty is chosen, per horizon, by the last quarter of the person's
past; columns are standardised. It is a finite-impulse-response model, as black boxes of this task are; nothing tells it that
insulin lowers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from medtwin.record import Event, Record

Array = NDArray[np.float64]

STEP = timedelta(minutes=5)
INPUTS = ("carbohydrate_intake", "insulin_bolus", "heart_rate")
DECAYS = (30.0, 60.0, 120.0, 240.0)  #: minutes
LAGS = (1, 2, 4, 6, 12)  #: steps before the origin
PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)  #: added to the sum of squares of each standardised column
FEWEST = 200  #: origins


@dataclass(frozen=True)
class BlackBox:
    """One person's past on a grid of five minutes, and the weights of each horizon (steps)."""

    start: datetime
    weights: Mapping[int, Array] = field(repr=False)  #: of raw columns; the future inputs' columns come last
    inputs: Mapping[str, Array] = field(repr=False)
    rest: float  #: median heart rate, 1/min

    def contrast(self, at: datetime, plans: Sequence[Event], instead: Sequence[Event], minutes: float) -> float:
        """Predicted change of glucose (mg/dL), ``minutes`` (a horizon learnt) after ``at``, of ``instead`` against ``plans``."""
        steps = round(minutes * 60.0 / STEP.total_seconds())
        seen = []
        for given in (plans, instead):
            grid = _gridded(given, at, steps, self.rest)
            seen.append(np.concatenate([_ahead(grid[name], np.array([0]), steps)[0] for name in INPUTS]))
        return float((seen[1] - seen[0]) @ self.weights[steps][-len(seen[0]) :])


def learn(record: Record, until: datetime, horizons: Sequence[float]) -> BlackBox | None:
    """The black box of what ``record`` held by ``until``, for these horizons (minutes); None where the past is too short."""
    told = [e for e in record.of("glucose", *INPUTS, until=until) if isinstance(e.value, float)]
    readings = [e for e in told if e.quantity == "glucose" and e.comparator is None]
    if not readings:
        return None
    start = readings[0].instant
    count = int((until - start) / STEP) + 1
    glucose = np.full(count, np.nan)
    for e in readings:
        glucose[min(round((e.instant - start) / STEP), count - 1)] = float(e.value)  # type: ignore[arg-type]
    hearts = [float(e.value) for e in told if e.quantity == "heart_rate"]  # type: ignore[arg-type]
    rest = float(np.median(hearts)) if hearts else 0.0
    inputs = _gridded([e for e in told if e.quantity in INPUTS], start, count, rest)
    past = _past(glucose, inputs, start)
    weights = {}
    for minutes in horizons:
        steps = round(minutes * 60.0 / STEP.total_seconds())
        origin = np.arange(max(LAGS), count - steps)
        ahead = [_ahead(inputs[name], origin, steps) for name in INPUTS]
        x = np.column_stack([past[origin], *ahead])
        y = glucose[origin + steps] - glucose[origin]
        known = np.isfinite(x).all(1) & np.isfinite(y)
        if known.sum() < FEWEST:
            return None
        weights[steps] = _ridge(x[known], y[known], gap=steps)
    return BlackBox(start, weights, inputs, rest)


def _gridded(events: Sequence[Event], start: datetime, count: int, rest: float) -> dict[str, Array]:
    """Each input on the grid: amounts of each step; beats above ``rest`` of each, 0 where not known."""
    made = {name: np.zeros(count) for name in INPUTS}
    for e in events:
        first = int((e.instant - start) / STEP)
        if not 0 <= first < count:
            continue
        value = float(e.value)  # type: ignore[arg-type]
        if e.quantity == "heart_rate":
            last = first + 1 if e.until is None else int(np.ceil((e.until.instant - start) / STEP))
            made[e.quantity][first : max(last, first + 1)] = max(value - rest, 0.0)
        elif e.quantity in made:
            made[e.quantity][first] += value
    return made


def _decayed(values: Array) -> Array:
    """Decaying sums ``(count, decays)`` of all before each step."""
    keep = np.exp(-STEP.total_seconds() / 60.0 / np.array(DECAYS))
    out = np.zeros((len(values) + 1, len(DECAYS)))
    for k, value in enumerate(values):
        out[k + 1] = keep * (out[k] + value)
    return out


def _ahead(values: Array, origin: NDArray[np.int_], steps: int) -> Array:
    """Decaying sums ``(origins, decays)``, as seen at origin + steps, of what was given from the origin on."""
    sums = _decayed(values)
    keep = np.exp(-steps * STEP.total_seconds() / 60.0 / np.array(DECAYS))
    return np.asarray(sums[origin + steps] - keep * sums[origin])


def _past(glucose: Array, inputs: Mapping[str, Array], start: datetime) -> Array:
    """Columns ``(count, .)`` of what is known at each step."""
    count = len(glucose)
    lagged = [glucose - np.concatenate([np.full(k, np.nan), glucose[:-k]]) for k in LAGS]
    hour = (start.hour + start.minute / 60.0 + np.arange(count) * STEP.total_seconds() / 3600.0) * 2.0 * np.pi / 24.0
    clock = [f(k * hour) for k in (1, 2) for f in (np.sin, np.cos)]
    given = [_decayed(inputs[name])[:-1] for name in INPUTS]
    return np.column_stack([np.ones(count), glucose, *lagged, *clock, *given])


def _ridge(x: Array, y: Array, gap: int) -> Array:
    """Weights of raw columns; the first is the constant, whose column's weight takes up the centres."""
    learnt = len(y) - len(y) // 4
    fit = slice(0, max(learnt - gap, learnt // 2))  # outcomes of the last quarter's origins are not learnt from
    losses = [np.mean((y[learnt:] - x[learnt:] @ _solved(x[fit], y[fit], p)) ** 2) for p in PENALTIES]
    return _solved(x, y, PENALTIES[int(np.argmin(losses))])


def _solved(x: Array, y: Array, penalty: float) -> Array:
    centre, scale = x[:, 1:].mean(0), x[:, 1:].std(0)
    use = scale > 1e-9
    standard = np.where(use, (x[:, 1:] - centre) / np.where(use, scale, 1.0), 0.0)
    weights = np.linalg.solve(
        standard.T @ standard + penalty * np.eye(standard.shape[1]), standard.T @ (y - y.mean())
    ) / np.where(use, scale, np.inf)
    return np.concatenate([[y.mean() - centre @ weights], weights])
