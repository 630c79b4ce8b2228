"""The verb ``forecast``: what comes next, and what if, with bands that are calibrated on the person's own past.

Three parts add up. The *centre and band without plans* come from the calibrated residual (:mod:`medtwin.twin.residual`), in which
physiology is one column. The *effect of plans* is physiology alone: the same members of the belief run twice, with the
scenario's planned doses and without, and are compared member by member. The band with plans is the band without, shifted
by the effect's median and widened by the effect's own spread. Where no model speaks for the person the first part stands
alone, labelled statistical, and plans cannot be judged. Where the person's own past is too short to calibrate, a
physiological forecast shows the members' own spread with the reading's error, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from medtwin.inference.forecasts import forecast_members
from medtwin.quantities import registry
from medtwin.record import Event, Intent, Record
from medtwin.twin import residual as residuals
from medtwin.twin.choice import Choice
from medtwin.twin.effects import most, with_model_error
from medtwin.twin.fit import misfit
from medtwin.twin.population import shipped
from medtwin.twin.readings import exact_readings
from medtwin.twin.residual import LEVELS, Readings, Residual
from medtwin.twin.rolling import changes
from medtwin.twin.twin import Twin

HORIZONS = np.array([15.0, 30, 45, 60, 90, 120, 180, 240, 300, 360, 420]) * 60.0
MEMBERS = 200
THIN = 300.0  #: least seconds between the origins that a residual learns from
FOLLOWED = 255  #: origins at most since it was learnt, that the bands follow
LATE, SILENT = timedelta(minutes=20), timedelta(hours=3)
SHOWN = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


@dataclass(frozen=True)
class Forecast:
    """Quantiles of a future: ``quantiles (times, levels)`` in the quantity's unit; withheld ones are empty."""

    patient: str
    quantity: str
    made_at: datetime
    physiological: bool
    label: str
    times: tuple[datetime, ...] = field(repr=False)
    levels: np.ndarray = field(repr=False)
    quantiles: np.ndarray = field(repr=False)
    withheld: str | None = None
    widened: str | None = None
    coverage: tuple[float, int, float] | None = None  #: (coverage of 90 % bands on held-out days, outcomes, minutes)

    @property
    def unit(self) -> str:
        return registry.get(self.quantity).unit

    def at(self, level: float) -> np.ndarray:
        """The quantile of that level over ``times``."""
        return np.array([np.interp(level, self.levels, row) for row in self.quantiles])


@dataclass(frozen=True)
class Effect:
    """What plans change: scenario minus baseline, member by member; ``quantiles (times, SHOWN)``."""

    baseline: Forecast
    scenario: Forecast
    quantiles: np.ndarray = field(repr=False)


def learn(twin: Twin | None, choice: Choice, record: Record, at: datetime) -> Residual | None:
    """The calibrated residual of this person from all that was known at ``at``; None when the past is too short."""
    readings, start = exact_readings(record, choice.headline, at)
    if len(readings.time) < residuals.FEWEST:
        return None
    index, population = _origins(readings), shipped(choice.headline)
    if twin is None:
        return residuals.fit(readings, index, HORIZONS, population=population)
    moments = [start + timedelta(seconds=float(s)) for s in readings.time[index]]
    origins = np.array([twin.axis.boundary(m) for m in moments])
    ends = (HORIZONS / twin.axis.length).astype(int)
    physiology = changes(twin, choice.headline, origins, ends)
    kept = np.isfinite(physiology).all(1)
    return residuals.fit(readings, index[kept], HORIZONS, physiology[kept], population)


def _origins(readings: Readings) -> np.ndarray:
    """Readings with two hours of past, thinned to one in ``THIN`` seconds."""
    time = readings.time
    first = np.searchsorted(time, time[0] + residuals.LAG * residuals.LAGS)
    slot = (time[first:] // THIN).astype(np.int64)
    return first + np.flatnonzero(np.diff(slot, prepend=-1) > 0)


def forecast(
    twin: Twin | None,
    choice: Choice,
    record: Record,
    residual: Residual | None,
    at: datetime,
    *,
    hours: float = 6.0,
    planned: tuple[Event, ...] = (),
    every: timedelta = timedelta(minutes=5),
    patient: str = "",
    model_error: float = 1.0,
) -> Effect:
    """The future of the headline quantity from ``at``, without and with ``planned`` events.

    ``model_error`` multiplies the model's own error of an effect (:mod:`medtwin.twin.effects`); 0 for the members' spread alone.
    ``record`` is what was known at ``at`` (planned facts in it count as plans); ``residual`` comes from :func:`learn`.
    """
    plans = (*(e for e in record.events if e.intent is Intent.PLANNED and e.instant > at), *planned)
    count = int(timedelta(hours=hours) / every)
    times = tuple(at + every * (i + 1) for i in range(count))
    baseline = _baseline(twin, choice, record, residual, at, times, patient)
    if not plans or twin is None or baseline.withheld:
        return Effect(baseline, baseline, np.zeros((len(baseline.times), len(SHOWN))))
    steps = _size(int(np.ceil(timedelta(hours=hours).total_seconds() / twin.axis.length)))
    first = twin.step
    without = {q: d.held(first, steps, begun_by=first) for q, d in twin.facts.doses.items()}
    planned_too = {q: d.with_plans(plans, first, steps, begun_by=first) for q, d in twin.facts.doses.items()}
    key = jax.random.key(0)
    times = baseline.times
    ends = np.array([twin.axis.boundary(t) - first for t in times]) - 1
    runs = [
        np.asarray(_futures(twin, choice.headline, given, key, steps))[np.clip(ends, 0, steps - 1)]
        for given in (without, planned_too)
    ]
    since = [(t - min(e.instant for e in plans)) / timedelta(hours=1) for t in times]
    known = registry.get(baseline.quantity)
    change = with_model_error(
        runs[1] - runs[0], since, twin.model.name, model_error, least=np.minimum(known.low - runs[0], 0.0),
        most=limit(twin, choice.headline, plans, times),
    )  # fmt: skip
    effect = np.quantile(change, SHOWN, axis=1).T
    centre = np.median(change, axis=1)[:, None]
    apart = baseline.quantiles - baseline.at(0.5)[:, None]
    own = np.quantile(change, LEVELS, axis=1).T - centre
    shifted = baseline.at(0.5)[:, None] + centre + np.sign(apart) * np.hypot(apart, own)
    doubt = misfit(twin)
    scenario = Forecast(
        baseline.patient, baseline.quantity, at, True, baseline.label, times, baseline.levels,
        np.clip(np.sort(shifted, axis=1), known.low, known.high), None, None, None,
    )  # fmt: skip
    fallen = bottom(scenario)
    beyond = fallen and (
        f"with this plan the median falls to {known.low:g} {known.unit}, the lowest that is shown, at {fallen:%H:%M} UTC: from "
        "there on no number is a forecast"
    )
    caution = "; ".join(
        part for part in (baseline.widened, doubt and f"take the effect as a direction: {doubt}", beyond) if part
    )
    return Effect(baseline, replace(scenario, widened=caution or None), effect)


def limit(twin: Twin, quantity: str, added: Sequence[Event], times: Sequence[datetime]) -> np.ndarray:
    """The greatest rise of ``quantity`` ``(times, 1)`` that added events can make in this body; infinite where none is known."""
    if quantity not in ("glucose", "blood_glucose"):
        return np.full((len(times), 1), np.inf)
    told = [(e.quantity, e.value, e.instant) for e in added if isinstance(e.value, float)]
    return most(told, times, twin.covariates.get("body_weight"))[:, None]


def bottom(made: Forecast) -> datetime | None:
    """When the median first lies at the lowest value that is plausible at all: there the model has nothing more to say."""
    low = np.flatnonzero(made.at(0.5) <= registry.get(made.quantity).low) if made.times else np.zeros(0, int)
    return made.times[int(low[0])] if len(low) else None


def _futures(twin: Twin, quantity: str, inputs: dict[str, np.ndarray], key: Array, steps: int) -> Array:
    """Members' futures ``(steps, members)`` of one observable under these inputs ``(steps,)``."""
    given = {q: jnp.asarray(v, float) for q, v in inputs.items()}
    return forecast_members(
        twin.problem,
        twin.belief,
        given,
        MEMBERS,
        key,
        steps=steps,
        t0=jnp.asarray(twin.axis.since_midnight(twin.step), float),
    )[quantity]


def _baseline(
    twin: Twin | None, choice: Choice, record: Record, residual: Residual | None, at: datetime,
    times: tuple[datetime, ...], patient: str,
) -> Forecast:  # fmt: skip
    quantity = choice.headline
    label = _label(choice, residual)

    def withhold(reason: str) -> Forecast:
        empty = np.zeros((0, len(LEVELS)))
        return Forecast(patient, quantity, at, choice.physiological, label, (), LEVELS, empty, reason)

    readings, start = exact_readings(record, quantity, at)
    if not len(readings.time):
        return withhold(f"no reading of {registry.get(quantity).meaning.lower()} yet")
    last = start + timedelta(seconds=float(readings.time[-1]))
    age = at - last
    usual = timedelta(seconds=readings.interval)
    widened = f"the last reading is {_span(age)} old" if age > max(LATE, 2 * usual) else None
    if residual is None:
        if twin is None:
            return withhold(f"fewer than {residuals.FEWEST} readings with a known outcome to calibrate on")
        if age > max(SILENT, 12 * usual):
            return withhold(f"the last reading is {_span(age)} old")
        return _uncalibrated(twin, quantity, at, times, label, widened, patient)
    if age > SILENT:
        return withhold(f"the last reading is {_span(age)} old")
    # the origins since it was learnt, whose outcomes move the width of the bands, and the present one
    since = np.flatnonzero(residuals.settled(readings)[:-1] & (readings.time[:-1] > residual.until))[-FOLLOWED:]
    index = np.append(since, len(readings.time) - 1)
    reach = np.array([h.seconds for h in residual.horizons])
    physiology = None
    if residual.physiological:
        assert twin is not None
        moments = [start + timedelta(seconds=float(s)) for s in readings.time[index]]
        ends = (reach / twin.axis.length).astype(int)
        physiology = changes(twin, quantity, np.array([twin.axis.boundary(m) for m in moments]), ends)
        believed = np.isfinite(physiology).all(1)
        if not believed[-1]:
            return withhold("the filter has no belief at the last reading")
        index, physiology = index[believed], physiology[believed]
    rows = []
    for j, horizon in enumerate(residual.horizons):
        x = residuals.columns(readings, index, None if physiology is None else physiology[:, j])
        real, after = residuals.outcomes(readings, index, horizon.seconds)
        value, time = readings.value[index], readings.time[index]
        width = residuals.followed(horizon, x[real], value[real], after[real], time[real])[-1:]
        rows.append(horizon.predict(x[-1:], value[-1:], width)[1][0])
    now = np.full(len(LEVELS), readings.value[-1])
    grid, bands = np.concatenate([[0.0], reach]), np.vstack([now, rows])
    wanted = np.array([(t - last).total_seconds() for t in times])
    inside = wanted <= reach[-1]
    kept = tuple(t for t, ok in zip(times, inside, strict=True) if ok)
    quantiles = np.stack([np.interp(wanted[inside], grid, bands[:, k]) for k in range(len(LEVELS))], axis=1)
    known = registry.get(quantity)
    hour = min(residual.horizons, key=lambda h: abs(h.seconds - 3600.0))
    return Forecast(
        patient, quantity, at, residual.physiological, label, kept, LEVELS,
        np.clip(np.sort(quantiles, axis=1), known.low, known.high), None, widened,
        (hour.coverage90, hour.outcomes, hour.seconds / 60.0),
    )  # fmt: skip


def _uncalibrated(
    twin: Twin, quantity: str, at: datetime, times: tuple[datetime, ...], label: str, widened: str | None, patient: str
) -> Forecast:
    """The members' own spread with the reading's error, for a person whose past is too short to calibrate."""
    known = registry.get(quantity)
    first = twin.step
    ends = np.array([twin.axis.boundary(t) - first for t in times])
    steps = _size(int(ends.max()))
    given = {q: d.held(first, steps, begun_by=first) for q, d in twin.facts.doses.items()}
    futures = np.asarray(_futures(twin, quantity, given, jax.random.key(0), steps))[np.clip(ends - 1, 0, steps - 1)]
    # one error for each member, the same at all times: bands of sampled noise would flicker from one to the next
    noise = np.random.default_rng(0).standard_normal(futures.shape[1]) * known.sd(float(np.median(futures)))
    quantiles = np.quantile(futures + noise[None], LEVELS, axis=1).T
    reason = "bands are the model's own, not yet calibrated on this person"
    return Forecast(
        patient, quantity, at, True, label, times, LEVELS, np.clip(quantiles, known.low, known.high), None,
        f"{widened}; {reason}" if widened else reason,
    )  # fmt: skip


def _size(steps: int) -> int:
    """The next of a few sizes, so that few functions are compiled."""
    return next((size for size in (6, 24, 60, 120, 360, 720) if size >= steps), 1440)


def _label(choice: Choice, residual: Residual | None) -> str:
    if not choice.physiological:
        return "statistical forecast"
    assert choice.model is not None
    if residual is None:
        return f"{choice.model.name}, uncalibrated"
    return f"{choice.model.name} with calibrated residual" if residual.physiological else "statistical forecast"


def _span(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return (
        f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
    )
