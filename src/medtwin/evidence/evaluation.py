"""Rolling retrospective forecasts of this very pipeline on people's own data: how good, beside what, without looking ahead.

For each reading of the test part (the last of the person's time) and each horizon, a forecast is made as it would have
been made when that reading became available. Beliefs come from :mod:`medtwin.evidence.as_known`; the residual
(:mod:`medtwin.twin.residual`) is learnt anew at the beginning of each day of the test part, from readings and outcomes that
were known by then. Future meals and doses are unknown to it. Only readings are scored, never values between them.

Beside it, in the same run, on the same origins and outcomes:

``statistical``  the same machine without the column that physiology adds
``ridge``        the reading and its 24 lags of 5 min, ridge-penalised; bands from the training part's own errors
``persistence``  the reading itself; bands from the changes seen in the training part, weighted by recency

RMSE is of the means of the forecasts' distributions, MAE of their medians: each is what that score asks for. CRPS is the
integral of the quantile score over 101 levels (:func:`medtwin.statistics.scores.crps`). Intervals of coverage are exact
binomial ones; since forecasts of neighbouring origins share most of their outcome's past, they know less than their number
says, and the true intervals are wider.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from medtwin.errors import FormatError, InferenceError
from medtwin.evidence.as_known import Readings as Origins
from medtwin.evidence.as_known import changes_as_known
from medtwin.quantities import registry
from medtwin.record import Basis, Event, Flag, Intent, Record
from medtwin.statistics.binomial import exact_interval
from medtwin.statistics.scores import crps, rmse
from medtwin.twin import residual as residuals
from medtwin.twin.choice import Choice, choose
from medtwin.twin.forecast import THIN
from medtwin.twin.population import Population, shipped
from medtwin.twin.readings import exact_readings
from medtwin.twin.residual import LEVELS, Horizon, Readings

DIALECT = "medtwin-evaluation/1"
HORIZONS = (timedelta(minutes=30), timedelta(minutes=60))
METHODS = ("medtwin", "statistical", "ridge", "persistence")
DAY = 86400.0
RIDGE = 1.0  #: penalty of the ridge baseline on standardised columns
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Score:
    """One method at one horizon on one person. Errors in the quantity's unit; intervals are exact binomial, 95 %."""

    method: str
    n: int
    rmse: float
    mae: float
    crps: float
    coverage50: float
    coverage50_interval: tuple[float, float]
    coverage90: float
    coverage90_interval: tuple[float, float]
    width90: float  #: mean width of the 90 % interval


@dataclass(frozen=True)
class Result:
    """One person at one horizon."""

    patient: str
    quantity: str
    unit: str
    horizon_minutes: float
    physiological: bool
    reason: str  #: why a model speaks for this person, or none
    scores: tuple[Score, ...]

    def of(self, method: str) -> Score:
        return next(score for score in self.scores if score.method == method)


@dataclass(frozen=True)
class Evaluation:
    """All that a run found."""

    quantity: str
    train: float
    results: tuple[Result, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)
    dialect: str = DIALECT

    def builtins(self) -> dict[str, object]:
        return asdict(self)


def evaluate(
    records: Sequence[Record], quantity: str = "glucose", horizons: Sequence[timedelta] = HORIZONS, *,
    train: float = 0.7, progress: Progress | None = None, population: Population | None = None,
) -> Evaluation:  # fmt: skip
    """Evaluate each person's record by itself. ``train`` is the share of time before the test part.

    ``population``: towards which weights are drawn. It must not have been learnt from these people, so none is taken unasked.
    ``progress`` is called with (patient, origins done, origins in all). Raises :class:`InferenceError` for a person with
    too few readings, and :class:`FormatError` for a share or horizon that makes no sense.
    """
    if not 0.1 <= train <= 0.95:
        raise FormatError(f"a training share of {train:g}", expected="0.1 to 0.95")
    seconds = np.array(sorted({h.total_seconds() for h in horizons}))
    if not len(seconds) or seconds[0] < 300.0 or seconds[-1] > 6 * 3600.0:
        raise FormatError("a horizon outside the range of forecasts", expected="5 min to 6 h")
    registry.get(quantity)
    results: list[Result] = []
    notes: list[str] = []
    for record in records:
        found, said = _person(record, quantity, seconds, train, progress, population)
        results.extend(found)
        notes.extend(said)
    return Evaluation(quantity, train, tuple(results), tuple(notes))


def prompt_readings(record: Record, quantity: str) -> tuple[tuple[Event, ...], int]:
    """Readings in order of time of which none was available only after a later one, and how many were left out so.

    A reading that came after its successors can serve no forecast at its own time, and would look ahead in lags.
    """
    usable = [
        e
        for e in record.of(quantity)
        if e.basis is Basis.OBSERVED and e.intent is Intent.HAPPENED and isinstance(e.value, float)
        and Flag.IMPLAUSIBLE not in e.flags
    ]  # fmt: skip
    kept: list[Event] = []
    first = datetime.max.replace(tzinfo=UTC)
    for event in reversed(usable):
        if event.available <= first:
            kept.append(event)
            first = event.available
    return tuple(reversed(kept)), len(usable) - len(kept)


def _person(
    record: Record,
    quantity: str,
    horizons: np.ndarray,
    train: float,
    progress: Progress | None,
    population: Population | None,
) -> tuple[list[Result], list[str]]:
    notes = []
    patient = record.patient
    events, left_out = prompt_readings(record, quantity)
    if left_out:
        notes.append(f"{patient}: {left_out} readings were known only after a later one, and were left out")
    if len(events) < 2 * residuals.FEWEST:
        raise InferenceError(
            f"{len(events)} readings of {quantity}", expected=f"at least {2 * residuals.FEWEST}",
            where=f"patient {patient}", remedy="a forecast must be learnt before it can be tested",
        )  # fmt: skip
    alone = Record(patient, events, record.zone, record.epoch)
    readings, start = exact_readings(alone, quantity, events[-1].instant)
    given, _ = exact_readings(record, quantity, events[-1].instant)
    readings = replace(readings, eaten=given.eaten, injected=given.injected)
    by_time = {e.instant: e.available for e in events}
    moments = tuple(start + timedelta(seconds=float(s)) for s in readings.time)
    # microseconds are lost in seconds since 1970: find the reading's own instant again
    instants = sorted(by_time)
    origins = Origins(tuple(instants), tuple(by_time[m] for m in instants))
    assert len(moments) == len(instants)
    split = readings.time[0] + train * (readings.time[-1] - readings.time[0])
    first = int(np.searchsorted(readings.time, split))
    choice = choose(record.known_by(origins.available[first]))
    physiology = None
    if choice.physiological and choice.headline == quantity:
        tell = None if progress is None else (lambda done, total: progress(patient, done, total))
        physiology, count, late = changes_as_known(patient, choice, record, quantity, origins, list(horizons), tell)
        notes.append(f"{patient}: {late} versions of facts came late; {count} eras of knowledge")
    elif choice.physiological:
        notes.append(f"{patient}: the model forecasts {choice.headline}; {quantity} is forecast statistically")
    known = np.array([a.timestamp() for a in origins.available])
    predicted = _rolled(readings, known, horizons, first, physiology, population)
    return [_result(patient, quantity, choice, h, *predicted[h]) for h in horizons], notes


def _rolled(
    readings: Readings,
    known: np.ndarray,
    horizons: np.ndarray,
    first: int,
    physiology: np.ndarray | None,
    population: Population | None = None,
) -> dict[float, tuple[dict[str, np.ndarray], np.ndarray]]:
    """By horizon: quantiles ``(n, levels)`` of each method and the outcomes ``(n,)``, over the test part."""
    collected: dict[float, tuple[dict[str, list[np.ndarray]], list[np.ndarray]]] = {
        h: ({m: [] for m in METHODS}, []) for h in horizons
    }
    enough = int(np.searchsorted(readings.time, readings.time[0] + residuals.LAG * residuals.LAGS))
    starts = np.arange(readings.time[first], readings.time[-1] + 1.0, DAY)
    for begin in starts:
        low, high = np.searchsorted(readings.time, [begin, begin + DAY])
        if low == high:
            continue
        # what was known when the day's first reading was
        end = int(np.searchsorted(known, known[low], side="right"))
        past = readings.until(end)
        slots = (past.time[enough:] // THIN).astype(np.int64)
        index = enough + np.flatnonzero(np.diff(slots, prepend=-1) > 0)
        today = np.arange(low, high)
        for j, seconds in enumerate(horizons):
            real, after = residuals.outcomes(readings, today, float(seconds))
            ahead = None if physiology is None else physiology[:, j]
            if ahead is not None:
                real &= np.isfinite(ahead[today])
            if not real.any():
                continue
            made = _methods(past, index, readings, today[real], float(seconds), ahead, population)
            if made is None:
                continue
            into, outcomes = collected[float(seconds)]
            for method, quantiles in made.items():
                into[method].append(quantiles)
            outcomes.append(after[real])
    empty = np.zeros((0, len(LEVELS)))
    return {
        h: (
            {m: np.concatenate(parts) if parts else empty for m, parts in made.items()},
            np.concatenate(outcomes) if outcomes else np.zeros(0),
        )
        for h, (made, outcomes) in collected.items()
    }


def _methods(
    past: Readings, index: np.ndarray, readings: Readings, today: np.ndarray, seconds: float,
    physiology: np.ndarray | None, population: Population | None,
) -> dict[str, np.ndarray] | None:  # fmt: skip
    """Quantiles of each method for the origins ``today``, learnt from ``index`` of ``past``; None: too little past."""
    only = np.array([seconds])
    now = readings.value[today]
    without = residuals.fit(past, index, only, population=population)
    if without is None or not without.horizons:
        return None
    statistical = _bands(without.horizons[0], readings, today, None)
    best = statistical
    if physiology is not None:
        mine = index[np.isfinite(physiology[index])]
        with_it = residuals.fit(past, mine, only, physiology[mine][:, None], population)
        if with_it is not None and with_it.horizons:
            best = _bands(with_it.horizons[0], readings, today, physiology[today])
    real, after = residuals.outcomes(past, index, seconds)
    origins, change = index[real], after[real] - past.value[index][real]
    weight = 0.5 ** ((past.time[-1] - past.time[origins]) / residuals.HALF_LIFE)
    steady = now[:, None] + residuals.weighted_quantiles(change, weight, LEVELS)[None]
    return {
        "medtwin": best, "statistical": statistical, "persistence": steady,
        "ridge": _ridge(residuals.columns(past, origins)[:, : residuals.LAGS], change,
                        residuals.columns(readings, today)[:, : residuals.LAGS], now, weight),
    }  # fmt: skip


def _bands(horizon: Horizon, readings: Readings, index: np.ndarray, physiology: np.ndarray | None) -> np.ndarray:
    quantiles = horizon.predict(residuals.columns(readings, index, physiology), readings.value[index])[1]
    return np.sort(quantiles, axis=1)


def _ridge(x: np.ndarray, y: np.ndarray, new: np.ndarray, now: np.ndarray, weight: np.ndarray) -> np.ndarray:
    centre, scale = x.mean(0), x.std(0) + 1e-9
    z = np.column_stack([(x - centre) / scale, np.ones(len(x))])
    gram = z.T @ z
    gram[np.diag_indices(x.shape[1])] += RIDGE
    solved = np.linalg.solve(gram, z.T @ y)
    middle = now + np.column_stack([(new - centre) / scale, np.ones(len(new))]) @ solved
    return middle[:, None] + residuals.weighted_quantiles(y - z @ solved, weight, LEVELS)[None]


def _result(
    patient: str, quantity: str, choice: Choice, seconds: float, made: dict[str, np.ndarray], outcomes: np.ndarray
) -> Result:
    if len(outcomes) < 20:
        raise InferenceError(
            f"{len(outcomes)} outcomes to score at {seconds / 60:.0f} min", expected="at least 20",
            where=f"patient {patient}", remedy="more readings, or a smaller share to train on",
        )  # fmt: skip
    known = registry.get(quantity)
    physiological = choice.physiological and choice.headline == quantity
    scores = tuple(
        score(method, np.clip(made[method], known.low, known.high), outcomes)
        for method in METHODS
        if method != "statistical" or physiological
    )
    return Result(patient, quantity, known.unit, seconds / 60.0, physiological, choice.reason, scores)


def mean(quantiles: np.ndarray) -> np.ndarray:
    """Mean ``(n,)`` of distributions ``quantiles (n, LEVELS)``, by the trapezoid rule over the levels."""
    inner = ((quantiles[:, 1:] + quantiles[:, :-1]) / 2.0) @ np.diff(LEVELS)
    return np.asarray(inner + quantiles[:, 0] * LEVELS[0] + quantiles[:, -1] * (1.0 - LEVELS[-1]))


def score(method: str, quantiles: np.ndarray, outcomes: np.ndarray) -> Score:
    """The scores of forecasts ``quantiles (n, LEVELS)`` against ``outcomes``."""

    def held(low: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = [int(np.argmin(np.abs(LEVELS - p))) for p in (low, high)]
        lower, upper = quantiles[:, at[0]], quantiles[:, at[1]]
        return lower, upper, (outcomes >= lower) & (outcomes <= upper)

    n = len(outcomes)
    errors, of_mean = quantiles[:, len(LEVELS) // 2] - outcomes, mean(quantiles) - outcomes
    inner, (lower, upper, outer) = held(0.25, 0.75)[2], held(0.05, 0.95)
    return Score(
        method, n, rmse(of_mean), float(np.mean(np.abs(errors))), float(np.mean(crps(quantiles, LEVELS, outcomes))),
        float(inner.mean()), exact_interval(int(inner.sum()), n), float(outer.mean()),
        exact_interval(int(outer.sum()), n), float(np.mean(upper - lower)),
    )  # fmt: skip


def markdown(evaluation: Evaluation, title: str, command: str) -> str:
    """The run as a page: a table per horizon, graded against what is aimed at."""
    lines = [
        f"# {title}", "", f"Generated by `{command}`; do not edit.", "",
        f"Rolling forecasts of {evaluation.quantity} on each person's own data: trained on the first "
        f"{evaluation.train:.0%} of the time, learnt anew each day from what was known by then, scored on the readings of "
        "the rest. Future meals and doses are unknown. Every method sees the same origins and outcomes. How it is done: "
        "`medtwin/evidence/evaluation.py`.", "",
    ]  # fmt: skip
    for minutes in sorted({r.horizon_minutes for r in evaluation.results}):
        part = [r for r in evaluation.results if r.horizon_minutes == minutes]
        lines += [
            f"## {minutes:.0f} minutes ({part[0].unit})", "",
            "| person | method | n | RMSE | MAE | CRPS | in 50 % | in 90 % (95 % interval) | width of 90 % |",
            "|---|---|---|---|---|---|---|---|---|",
        ]  # fmt: skip
        for result in part:
            for s in result.scores:
                low, high = s.coverage90_interval
                lines.append(
                    f"| {result.patient} | {s.method} | {s.n} | {s.rmse:.1f} | {s.mae:.1f} | {s.crps:.2f} "
                    f"| {s.coverage50:.1%} | {s.coverage90:.1%} ({low:.1%} to {high:.1%}) | {s.width90:.0f} |"
                )
        lines.append("")
    lines += ["## Against the aims", "", *grades(evaluation), ""]
    if evaluation.notes:
        lines += ["## Notes", "", *(f"- {note}" for note in evaluation.notes), ""]
    lines += [
        "`medtwin` is the shipped forecast (with `--alone`: drawn towards no other people's weights); `statistical` is the same "
        "machine without the column that physiology adds. "
        "Intervals of coverage take outcomes for independent; neighbouring ones are not, so the true intervals are wider.",
        "",
    ]
    return "\n".join(lines)


def grades(evaluation: Evaluation) -> list[str]:
    """Each aim, met or not, for each person and horizon, as lines of a list."""
    said = []
    for r in evaluation.results:
        own, steady = r.of("medtwin"), r.of("persistence")
        met = "met" if 0.85 <= own.coverage90 <= 0.95 else "MISSED"
        at = f"{r.patient}, {r.horizon_minutes:.0f} min"
        said.append(f"- {at}: 90 % intervals cover 85 to 95 %: {own.coverage90:.1%}, {met}")
        if r.horizon_minutes >= 60.0:
            met = "met" if own.rmse < steady.rmse else "MISSED"
            said.append(f"- {at}: RMSE below persistence: {own.rmse:.1f} against {steady.rmse:.1f}, {met}")
        if r.physiological:
            other = r.of("statistical")
            met = "met" if own.crps <= other.crps * 1.005 else "MISSED"
            said.append(
                f"- {at}: physiology does no harm: CRPS {own.crps:.2f} with, {other.crps:.2f} without it, {met}"
            )
    return said


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m medtwin.evidence.evaluation FOLDER --mapping FILE``: ingest into a home of its own, evaluate, write a page."""
    import tempfile

    from medtwin.record.home import open_store
    from medtwin.sources.ingest import ingest

    parser = argparse.ArgumentParser(prog="python -m medtwin.evidence.evaluation", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mapping", type=Path, required=True)
    parser.add_argument("--quantity", default="glucose")
    parser.add_argument("--train", type=float, default=0.7)
    parser.add_argument("--alone", action="store_true", help="draw no weights towards other people's: for those that the "
                        "shipped population was learnt from")  # fmt: skip
    parser.add_argument("--title", default="Forecasts of people's own data")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home, open_store(home) as store:
        grant = store.issue_grant()
        report = ingest([given.folder], store, grant, mapping=given.mapping)
        records = [store.record(patient, grant) for patient in sorted(report.patients)]
    population = None if given.alone else shipped(given.quantity)
    found = evaluate(records, given.quantity, train=given.train, population=population)
    command = f"python -m medtwin.evidence.evaluation {given.folder.name}/ --mapping {given.mapping}"
    command += " --alone" if given.alone else ""
    page = markdown(found, given.title, command)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(page)
    sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
