"""Differences of Kaplan-Meier survival, and of the restricted mean, of many two-arm trials at once.

As :func:`medtwin.trials.analysis.kaplan.survival_effects`, patients along the last axis. Patients are sorted by time, events
before who is censored then; an arm's curve is the running product over all patients of 1 or (Y-1)/Y, which for d tied events
multiplies up to (Y-d)/Y, as Greenwood's terms 1/(Y (Y-1)) add up to d/(Y (Y-d)): ties need no care.
"""

from __future__ import annotations

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import batch

CHUNK = 4 * batch.CHUNK


def survival_batch(
    time: np.ndarray, event: np.ndarray, arm: np.ndarray, *, at: float | None = None, tau: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(treated - control, standard error), each (...): of survival ``at`` a time, or of the mean up to ``tau``.

    nan where an arm is empty or was not followed so far.
    """
    if (at is None) == (tau is None):
        raise AnalysisError(f"at {at}, tau {tau}", expected="one of them", where="survival effects")
    end = float(at if tau is None else tau)  # type: ignore[arg-type]
    if not end > 0.0:
        raise AnalysisError(f"a time of {end:g}", expected="above 0", where="survival effects")
    time = np.asarray(time, dtype=float)
    shape, patients = time.shape[:-1], time.shape[-1]
    flat = time.reshape(-1, patients)
    if not (flat >= 0.0).all() or not np.isfinite(flat).all():
        raise AnalysisError("times that are negative or missing", expected="at least 0", where="survival effects")
    seen = batch.broadcast(np.asarray(event, dtype=bool), shape, (patients,))
    groups = batch.broadcast(np.asarray(arm).astype(bool), shape, (patients,))
    value, variance = np.zeros(len(flat)), np.zeros(len(flat))
    step = max(1, CHUNK // patients)
    for begin in range(0, len(flat), step):
        rows = slice(begin, min(begin + step, len(flat)))
        t = flat[rows]
        d = np.broadcast_to(seen[rows] if len(seen) > 1 else seen, t.shape)
        a = np.broadcast_to(groups[rows] if len(groups) > 1 else groups, t.shape)
        order = np.argsort(~d, axis=-1, kind="stable")
        order = np.take_along_axis(order, np.argsort(np.take_along_axis(t, order, -1), axis=-1, kind="stable"), -1)
        t, d, a = (np.take_along_axis(one, order, -1) for one in (t, d, a))
        for mine, sign in ((a, 1.0), (~a, -1.0)):
            of, error2 = _arm(t, d & mine, mine, end, tau is not None)
            value[rows] += sign * of
            variance[rows] += error2
    return value.reshape(shape), np.sqrt(variance).reshape(shape)


def _arm(t: np.ndarray, d: np.ndarray, mine: np.ndarray, end: float, area: bool) -> tuple[np.ndarray, np.ndarray]:
    """One arm's number and its variance; nan where it was not followed until ``end``."""
    held = mine.astype(float)
    risk = np.cumsum(held[:, ::-1], axis=-1)[:, ::-1]
    survival = np.cumprod(np.where(d, (risk - 1.0) / np.maximum(risk, 1.0), 1.0), axis=-1)
    each = np.where(d & (risk > 1.0), 1.0 / np.maximum(risk * (risk - 1.0), 1.0), 0.0)
    inside = t <= end
    each = each * inside
    followed = np.where(mine, t, -np.inf).max(axis=-1)
    lost = (followed < end) & (survival[:, -1] > 0.0)
    if area:
        edge = np.minimum(t, end)
        before = np.concatenate([np.ones((len(t), 1)), survival[:, :-1]], axis=-1)
        upto = np.cumsum(before * np.diff(edge, axis=-1, prepend=0.0), axis=-1)
        number = upto[:, -1] + survival[:, -1] * (end - edge[:, -1])
        variance = ((number[:, None] - upto) ** 2 * each).sum(axis=-1)
    else:
        number = np.where(inside, survival, 1.0).min(axis=-1)
        variance = number**2 * each.sum(axis=-1)
    number[lost], variance[lost] = np.nan, np.nan
    return number, variance
