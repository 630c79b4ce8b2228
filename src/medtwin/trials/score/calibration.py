"""Whether a frozen score foretells the outcomes of a trial's controls: at large, and by its slope.

    continuous   mean(y - s);  slope of y on s (least squares, HC2)
    binary       constant of a logistic model with s as offset;  slope of s in one without
    count        log of events seen to foretold (Poisson, s as offset, its variance by the sandwich);  slope of log s
    survival     slope of s in Cox's model (a log hazard ratio has no level of its own);  of a martingale residual, slope of the
                 trial's own residuals on it

At large 0 and slope 1 are perfect. Both 95 % intervals are told; a flag says that one leaves it out.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import polars as pl
from scipy import stats

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import glm
from medtwin.trials.analysis.cox import cox_fit
from medtwin.trials.score.arms import outcomes_of
from medtwin.trials.score.figures import Figure
from medtwin.trials.score.outcomes import martingale, target
from medtwin.trials.score.score import TrainedScore

FEWEST = 30


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Of the controls; ``at_large`` in the unit of the score's scale."""

    patients: int
    at_large: Figure | None
    slope: Figure
    method: str

    @property
    def flags(self) -> tuple[str, ...]:
        """In words."""
        made = []
        if self.at_large is not None and not self.at_large.low <= 0.0 <= self.at_large.high:
            made.append(f"controls: seen less foretold {_shown(self.at_large)}")
        if not self.slope.low <= 1.0 <= self.slope.high:
            made.append(f"controls: slope of the outcome on the score {_shown(self.slope)}")
        return tuple(made)


def calibration(
    score: TrainedScore, table: pl.DataFrame, *, arm: str, control: Any, outcome: str | None = None,
    event: str | None = None, exposure: str | None = None,
) -> Calibration | None:  # fmt: skip
    """Among the controls of a trial; None where fewer than ``FEWEST`` have an outcome."""
    history, labels = outcomes_of(score, table, arm=arm, outcome=outcome, event=event, exposure=exposure)
    mine = history.complete & (labels == str(control))
    if not (labels == str(control)).any():
        raise AnalysisError(f"no patient of arm {control!r}", expected=f"one of {sorted(set(labels))[:10]}", where=arm)
    if mine.sum() < FEWEST:
        return None
    history, s = history.rows(np.flatnonzero(mine)), score.predict(table)[mine]
    y, scale, n = target(history), score.model.scale, int(mine.sum())
    if np.ptp(s) <= 0.0:
        raise AnalysisError(
            "a score that is the same for every control", expected="one that varies", where="calibration"
        )
    if scale == "log hazard ratio":
        assert history.event is not None
        held = cox_fit(history.outcome, history.event, s[:, None], names=["score"])
        slope = _normal(float(held.coefficients[0]), math.sqrt(float(held.covariance[0, 0])))
        return Calibration(patients=n, at_large=None, slope=slope, method="Cox")
    if scale == "log odds":
        large = glm.fit(np.ones((n, 1)), y, "logistic", s)
        both = glm.fit(np.column_stack([np.ones(n), s]), y, "logistic")
        return Calibration(
            patients=n, at_large=_normal(float(large.coefficients[0]), math.sqrt(float(large.covariance[0, 0]))),
            slope=_normal(float(both.coefficients[1]), math.sqrt(float(both.covariance[1, 1]))), method="logistic",
        )  # fmt: skip
    if scale == "log rate" or (scale == "rate" and (s > 0.0).all()):
        foretold = s if scale == "log rate" else np.log(s)
        shift = foretold + (0.0 if history.exposure is None else np.log(history.exposure))
        events = history.outcome
        large, one = glm.fit(np.ones((n, 1)), events, "poisson", shift), np.ones((n, 1))
        x = np.column_stack([np.ones(n), foretold])
        both = glm.fit(x, events, "poisson", None if history.exposure is None else np.log(history.exposure))
        return Calibration(
            patients=n, at_large=_normal(float(large.coefficients[0]), _sandwich(one, events, large)[0]),
            slope=_normal(float(both.coefficients[1]), _sandwich(x, events, both)[1]), method="Poisson, sandwich",
        )  # fmt: skip
    if history.endpoint == "survival":
        assert history.event is not None
        y = martingale(history.outcome, history.event)
    slope = _line(s, y)
    large_ = None
    if history.endpoint != "survival":
        away = y - s
        large_ = _t(float(away.mean()), float(away.std(ddof=1)) / math.sqrt(n), n - 1)
    return Calibration(patients=n, at_large=large_, slope=slope, method="least squares, HC2")


def _line(s: np.ndarray, y: np.ndarray) -> Figure:
    x = np.column_stack([np.ones(len(s)), s])
    orthonormal, triangle = np.linalg.qr(x)
    beta = np.linalg.solve(triangle, orthonormal.T @ y)
    leverage = (orthonormal**2).sum(axis=1)
    weight = (orthonormal @ np.linalg.inv(triangle).T)[:, 1]
    error = math.sqrt(float((weight**2 * (y - x @ beta) ** 2 / (1.0 - leverage)).sum()))
    return _t(float(beta[1]), error, len(y) - 2)


def _sandwich(x: np.ndarray, events: np.ndarray, held: glm.Fit) -> np.ndarray:
    bread = np.linalg.inv(x.T @ (held.mean[:, None] * x))
    meat = x.T @ ((events - held.mean)[:, None] ** 2 * x)
    return np.sqrt(np.diag(bread @ meat @ bread))


def _normal(value: float, error: float) -> Figure:
    return _t(value, error, math.inf)


def _t(value: float, error: float, df: float) -> Figure:
    reach = float(stats.t.ppf(0.975, df)) * error
    return Figure(value=value, low=value - reach, high=value + reach)


def _shown(figure: Figure) -> str:
    return f"{figure.value:.3g} ({figure.low:.3g} to {figure.high:.3g})"
