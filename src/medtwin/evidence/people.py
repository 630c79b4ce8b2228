"""Real people's readings and what is known beside them, ready to be forecast, and the plain methods a forecast must beat.

Every method learns once, from outcomes known before the first reading that it is tested on, and meets the same origins: real
readings that have the two hours of their lags within one wear period, and a real reading at the horizon.

``persistence``       the reading itself
``ridge``             the reading and its 24 lags of 5 min, ridge-penalised
``ridge with meals``  the same with carbohydrate and bolus of the last 30, 60, 120, 180 and 240 min and the time of day
``conformal ridge``   that ridge with bands from forecasts of days that its weights had not seen; the others' bands come from
                      the errors on what they learnt from
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medtwin.evidence.as_known import Readings as Origins
from medtwin.evidence.as_known import changes_as_known
from medtwin.evidence.evaluation import mean, prompt_readings
from medtwin.record import Record
from medtwin.twin import residual as residuals
from medtwin.twin.choice import choose
from medtwin.twin.features import LAGS, Array, Readings, columns, outcomes, settled
from medtwin.twin.population import Population
from medtwin.twin.readings import exact_readings
from medtwin.twin.residual import LEVELS, Residual, followed, weighted_quantiles

BASELINES = ("persistence", "ridge", "ridge with meals")
RIDGE = 1.0  #: penalty of the ridge baselines on standardised columns
WINDOWS = ((0, 30), (30, 60), (60, 120), (120, 180), (180, 240))  #: minutes
SENSOR = (40.0, 400.0)  #: mg/dL, what a sensor can show: each method's quantiles are held within


@dataclass(frozen=True)
class Person:
    """One person: readings, the type of diabetes (0: none known), and physiology's change ``(n, horizons)`` if a model speaks."""

    name: str
    data_set: str
    readings: Readings = field(repr=False)
    diabetes: int
    physiology: Array | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Made:
    """Forecasts of one method: ``quantiles (n, LEVELS)`` at the readings ``index``, and the outcomes ``after (n,)``."""

    index: NDArray[np.int64] = field(repr=False)
    quantiles: Array = field(repr=False)
    after: Array = field(repr=False)

    @property
    def errors(self) -> Array:
        """Of the mean of each forecast's distribution."""
        return mean(self.quantiles) - self.after


def read(folders: Mapping[str, Path], mappings: Path) -> dict[str, list[Record]]:
    """Records by data set: each folder ingested by the mapping of its name into a home that is thrown away."""
    import tempfile

    from medtwin.record.home import open_store
    from medtwin.sources.ingest import ingest

    found = {}
    for name, folder in folders.items():
        with tempfile.TemporaryDirectory() as home, open_store(home) as store:
            grant = store.issue_grant()
            report = ingest([folder], store, grant, mapping=mappings / f"{name}.yaml")
            found[name] = [store.record(patient, grant) for patient in sorted(report.patients)]
    return found


def person(record: Record, data_set: str, horizons: Array, split: float, *, physiology: bool = True) -> Person:
    """Readings that were available before their successors, what was eaten and injected, and physiology as known then.

    Whether a model speaks is decided by what was known at the share ``split`` of the readings.
    """
    events, _ = prompt_readings(record, "glucose")
    readings, _ = exact_readings(
        Record(record.patient, events, record.zone, record.epoch), "glucose", events[-1].instant
    )
    given, _ = exact_readings(record, "glucose", events[-1].instant)  # what was eaten stands beside all readings
    readings = replace(readings, eaten=given.eaten, injected=given.injected)
    kind = {"46635009": 1, "44054006": 2}
    codes = [getattr(e.value, "code", "") for e in record.of("diagnosis") if not getattr(e.value, "negated", False)]
    diabetes = next((kind[c] for c in codes if c in kind), 0)
    made = Person(record.patient, data_set, readings, diabetes)
    available = {e.instant: e.available for e in events}
    origins = Origins(tuple(sorted(available)), tuple(available[m] for m in sorted(available)))
    choice = choose(record.known_by(origins.available[int(split * len(events))]))
    if not physiology or not choice.physiological or choice.headline != "glucose":
        return made
    changes, _, _ = changes_as_known(record.patient, choice, record, "glucose", origins, list(horizons))
    return replace(made, physiology=changes)


def origins(
    one: Person, seconds: float, window: tuple[float, float]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Origins to learn from, to test on, and the outcomes of the latter. ``window``: shares of the readings tested on."""
    readings = one.readings
    begin, end = (int(share * len(readings.time)) for share in window)
    index = np.flatnonzero(settled(readings)[:end])
    if one.physiology is not None:
        index = index[np.isfinite(one.physiology[index]).all(1)]
    learn, _ = _known(readings.until(begin), index[index < begin], seconds)
    test, after = _known(readings.until(end), index[index >= begin], seconds)
    return learn, test, after


def _known(readings: Readings, index: NDArray[np.int64], seconds: float) -> tuple[NDArray[np.int64], Array]:
    known, after = outcomes(readings, index, seconds)
    return index[known], after[known]


def twin(
    one: Person, horizon: int, horizons: Array, window: tuple[float, float], population: Population | None, *,
    prefixes: tuple[int, ...] = residuals.PREFIXES, physiology: bool = True, follow: bool = True,
    every: float | None = None, thin: int = 1,
) -> Made:  # fmt: skip
    """The shipped forecast. ``every``: seconds after which it is learnt anew; None: once. It learns from every ``thin``-th."""
    seconds, readings = float(horizons[horizon]), one.readings
    learn, test, after = origins(one, seconds, window)
    told = one.physiology[:, horizon] if physiology and one.physiology is not None else None

    def learnt(index: NDArray[np.int64], end: int) -> Residual:
        index = index[::thin]
        physiological = None if told is None else told[index][:, None]
        only = np.array([seconds])
        made = residuals.fit(readings.until(end), index, only, physiological, population, prefixes=prefixes)
        assert made is not None, one.name
        return made

    parts = []
    block = np.zeros(len(test)) if every is None else (readings.time[test] - readings.time[test[0]]) // every
    for number in np.unique(block):
        now = test[block == number]
        end = int(window[0] * len(readings.time)) if every is None else int(now[0])
        index = learn if every is None else np.concatenate([learn, test[test < end]])
        chosen = learnt(index, end).horizons[0]
        x = columns(readings, now, None if told is None else told[now])
        value, true = readings.value[now], after[block == number]
        width = followed(chosen, x, value, true, readings.time[now])[:-1] if follow else None
        parts.append(np.clip(np.sort(chosen.predict(x, value, width)[1], axis=1), *SENSOR))
    return Made(test, np.concatenate(parts), after)


def plain(one: Person, seconds: float, window: tuple[float, float]) -> dict[str, Made]:
    """The baselines by name."""
    readings = one.readings
    learn, test, after = origins(one, seconds, window)
    known, then = outcomes(readings.until(int(window[0] * len(readings.time))), learn, seconds)
    change = (then - readings.value[learn])[known]
    learn, now = learn[known], readings.value[test]
    made = {"persistence": now[:, None] + _bands(change)[None]}
    few = [columns(readings, index)[:, :LAGS] for index in (learn, test)]
    more = [np.column_stack([x, _recent(readings, index)]) for x, index in zip(few, (learn, test), strict=True)]
    for name, (x, new) in {"ridge": few, "ridge with meals": more}.items():
        made[name] = (now + _ridge(x, change, new))[:, None] + _bands(change - _ridge(x, change, x))[None]
    day = ((readings.time[learn] - readings.time[learn[0]]) // 86400.0).astype(int)
    held = np.empty(len(change))
    for fold in np.unique(day % 7):
        out = day % 7 == fold
        away = np.abs(readings.time[learn][:, None] - readings.time[learn][out][None]).min(1) > seconds
        held[out] = change[out] - _ridge(more[0][away], change[away], more[0][out])
    made["conformal ridge"] = (now + _ridge(more[0], change, more[1]))[:, None] + _bands(held)[None]
    return {name: Made(test, np.clip(bands, *SENSOR), after) for name, bands in made.items()}


def _bands(errors: Array) -> Array:
    return weighted_quantiles(errors, np.ones(len(errors)), LEVELS)


def _recent(readings: Readings, index: NDArray[np.int64]) -> Array:
    at = readings.time[index]
    day = 2.0 * np.pi * ((at - readings.midnight) % 86400.0) / 86400.0
    found = [wave(cycles * day) for cycles in (1, 2) for wave in (np.sin, np.cos)]
    for given in (readings.eaten, readings.injected):
        ago = (at[:, None] - given[None, :, 0]) / 60.0
        known = given[None, :, 1] <= at[:, None]
        found += [(((ago >= low) & (ago < high) & known) * given[None, :, 2]).sum(1) for low, high in WINDOWS]
    return np.stack(found, 1)


def _ridge(x: Array, y: Array, new: Array) -> Array:
    centre, spread = x.mean(0), x.std(0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    z, middle = (x - centre) / scale, float(y.mean())
    solved = np.linalg.solve(z.T @ z + RIDGE * np.eye(z.shape[1]), z.T @ (y - middle))
    return np.asarray(middle + (new - centre) / scale @ solved)


def day_sums(one: Person, made: Sequence[Made]) -> tuple[Array, Array]:
    """Squared errors summed by local day ``(methods, days)``, and their number ``(days,)``."""
    day = ((one.readings.time[made[0].index] - one.readings.midnight) // 86400.0).astype(int)
    _, day = np.unique(day, return_inverse=True)
    return np.array([np.bincount(day, np.square(m.errors)) for m in made]), np.bincount(day).astype(float)
