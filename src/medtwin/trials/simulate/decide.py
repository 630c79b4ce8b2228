"""From fits to decisions: rejected or not in a fixed design, and look by look in a group-sequential one."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Analyser, Fits
from medtwin.trials.simulate.scenario import Scenario
from medtwin.trials.simulate.tally import Tally


def quantile(df: np.ndarray, p: float) -> np.ndarray | float:
    """Of t (normal where df is infinite); nan where df is."""
    first = float(df.flat[0]) if df.size else math.nan
    if math.isfinite(first) and (df == first).all():
        return float(stdtrit(first, p))
    out = np.full(df.shape, float(ndtri(p)))
    some = np.isfinite(df)
    out[some] = stdtrit(df[some], p)
    out[np.isnan(df)] = np.nan
    return out


def z_of(fits: Fits) -> np.ndarray:
    """The standard normal value of the same tail probability as ``value/error`` has under t(df)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t = fits.value / fits.error
    some = np.isfinite(fits.df)
    out = np.where(np.isnan(fits.df), np.nan, t)
    out[some] = -np.sign(t[some]) * ndtri(np.maximum(stdtr(fits.df[some], -np.abs(t[some])), 1e-300))
    return out


def tally(analyser: Analyser, scenario: Scenario, batch: Batch) -> Tally:
    """The sums of one chunk."""
    design = scenario.design
    if design is None:
        fits = analyser.fits(batch, scenario)
        with np.errstate(invalid="ignore"):
            limit = quantile(fits.df, 1.0 - scenario.alpha / scenario.sides)
            up = fits.value > limit * fits.error
            down = fits.value < -limit * fits.error
        benefit, harm = (up, down) if scenario.benefit == "higher" else (down, up)
        rejected = benefit | harm if scenario.sides == 2 else benefit
        events = 0.0 if batch.event is None else float(batch.event.sum())
        return _sums(analyser, scenario, fits, rejected, harm if scenario.sides == 2 else np.zeros_like(harm),
                     patients=float(len(batch) * batch.patients), events=events)  # fmt: skip
    return _looks(analyser, scenario, batch)


def _looks(analyser: Analyser, scenario: Scenario, batch: Batch) -> Tally:
    design = scenario.design
    assert design is not None
    t, last = len(batch), len(scenario.looks) - 1
    going = np.ones(t, bool)
    rejected, harm, failed = np.zeros(t, bool), np.zeros(t, bool), np.zeros(t, bool)
    value, error, df = np.full(t, np.nan), np.full(t, np.nan), np.full(t, np.nan)
    patients, events = np.zeros(t), np.zeros(t)
    reasons: dict[str, int] = {}
    sign = 1.0 if scenario.benefit == "higher" else -1.0
    times = _event_times(scenario, batch)
    stopped, stopped_rejected = [], []
    for k, share in enumerate(scenario.looks):
        if times is None:
            count = round(share * batch.patients)
            part, seen, came = batch.first(count), np.zeros(t), np.full(t, float(count))
        else:
            assert batch.entry is not None
            part = batch.at(times[k])
            assert part.event is not None
            seen, came = part.event.sum(axis=-1).astype(float), (batch.entry <= times[k][:, None]).sum(axis=-1)
        fits = analyser.fits(part, scenario)
        z = sign * z_of(fits)
        for words, many in fits.reasons.items():
            reasons[words] = reasons.get(words, 0) + many
        with np.errstate(invalid="ignore"):
            good, bad = going & (z >= design.upper[k]), going & (z <= -design.upper[k]) if scenario.sides == 2 else None
            futile = going & (z < design.lower[k]) if scenario.sides == 1 else np.zeros(t, bool)
        ends = good | futile | (bad if bad is not None else False)
        rejected |= good | (bad if bad is not None else False)
        harm |= bad if bad is not None else False
        if k == last:
            failed = going & ~np.isfinite(z)
            ends = going
        value[ends], error[ends], df[ends] = fits.value[ends], fits.error[ends], fits.df[ends]
        patients[ends], events[ends] = came[ends], seen[ends]
        stopped.append(int(ends.sum()))
        stopped_rejected.append(int((ends & rejected).sum()))
        going &= ~ends
    fits = Fits(np.where(failed, np.nan, value), error, df, reasons)
    return _sums(analyser, scenario, fits, rejected, harm, patients=float(patients.sum()), events=float(events.sum()),
                 stopped=tuple(stopped), stopped_rejected=tuple(stopped_rejected))  # fmt: skip


def _event_times(scenario: Scenario, batch: Batch) -> np.ndarray | None:
    """Calendar time of each look (look, t): of the planned share of the events that are ever seen."""
    if batch.event is None or batch.entry is None:
        return None
    calendar = np.where(batch.event, batch.entry + batch.outcome, np.inf)
    calendar.sort(axis=-1)
    total = batch.event.sum(axis=-1)
    out = []
    for share in scenario.looks:
        place = np.maximum(np.ceil(share * total - 1e-9).astype(int), 1) - 1
        out.append(np.take_along_axis(calendar, place[:, None], axis=-1)[:, 0])
    out[-1] = np.full(len(batch), np.inf)
    return np.stack(out)


def _sums(
    analyser: Analyser, scenario: Scenario, fits: Fits, rejected: np.ndarray, harm: np.ndarray, *, patients: float, events: float,
    stopped: tuple[int, ...] = (), stopped_rejected: tuple[int, ...] = (),
) -> Tally:  # fmt: skip
    truth = analyser.truth(scenario)
    good = np.isfinite(fits.value) & np.isfinite(fits.error) & ~np.isnan(fits.df)
    value, error = fits.value, fits.error
    reach = np.broadcast_to(quantile(fits.df, 0.975), good.shape)
    if not good.all():
        value, error, reach = value[good], error[good], reach[good]
    away, square = value - (truth or 0.0), error**2
    reasons = dict(fits.reasons)
    unnamed = int((~good).sum()) - sum(reasons.values())
    if unnamed > 0:
        reasons["not estimable (batched kernel)"] = unnamed
    return Tally(
        trials=len(good), failed=int((~good).sum()), rejected=int((rejected & good).sum()), against=int((harm & good).sum()),
        covered=int((np.abs(away) <= reach * error).sum()), away=float(away.sum()), away2=float(away @ away),
        variance=float(square.sum()), variance2=float(square @ square), patients=patients, events=events,
        stopped=stopped, stopped_rejected=stopped_rejected, reasons=reasons,
    )  # fmt: skip
