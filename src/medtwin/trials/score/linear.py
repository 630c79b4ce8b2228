"""A linear predictor: least squares, logistic, Poisson or Cox regression, as it is or with a ridge penalty.

    s = a + x'b      outcome | log odds | log rate | log hazard ratio (centred: zero for the average historical patient)

With ``ridge`` the columns are divided by their standard deviation and ``lambda n |b|^2 / 2`` is taken from the log
likelihood (Hoerl & Kennard 1970; le Cessie & van Houwelingen 1992; of Cox's partial one, Verweij & van Houwelingen 1994:
names from memory, equations derived), the constant free; of least squares it is taken from ``-|y - s|^2 / 2``.
lambda is the one with the least cross-validated loss among ``PENALTIES`` (of survival: partial likelihood). Columns that are
constant or, without a penalty, a linear function of those before them, have the coefficient zero.
"""

from __future__ import annotations

import msgspec
import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.analysis import glm
from medtwin.trials.analysis.cox import cox_fit
from medtwin.trials.score.history import History, Known, out_of_fold
from medtwin.trials.score.history import folds as dealt
from medtwin.trials.score.outcomes import losses

FAMILIES = {"continuous": "gaussian", "binary": "logistic", "count": "poisson"}
LINKS = {"continuous": "outcome", "binary": "log odds", "count": "log rate", "survival": "log hazard ratio"}
PENALTIES = tuple(float(x) for x in 10.0 ** np.linspace(-3.0, 2.0, 11))


class LinearModel(msgspec.Struct, tag="linear", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Frozen. ``coefficients`` in the scale's unit per unit of each encoded column."""

    scale: str
    names: tuple[str, ...]
    coefficients: tuple[float, ...]
    intercept: float
    penalty: float = 0.0
    with_forecast: bool = False  #: the last column is the forecast

    def predict(self, known: Known) -> np.ndarray:
        """(patient,)."""
        return np.asarray(self.intercept + design(known, self.with_forecast) @ np.asarray(self.coefficients, float))

    def check(self, columns: int) -> str:
        """What is wrong with it as a model of so many columns, or nothing."""
        wanted = columns + self.with_forecast
        return (
            ""
            if len(self.coefficients) == len(self.names) == wanted
            else f"{len(self.coefficients)} coefficients for {wanted} columns"
        )


def design(known: Known, with_forecast: bool) -> np.ndarray:
    """The columns, with the forecast as the last one where it counts."""
    if not with_forecast:
        return known.design
    assert known.forecast is not None
    return np.column_stack([known.design, known.forecast])


def fit(
    history: History, *, ridge: bool = False, folds: int = 10, seed: int = 0, with_forecast: bool = False
) -> tuple[LinearModel, tuple[str, ...]]:
    """The model, and notes."""
    history = history.rows(np.flatnonzero(history.complete))
    if not ridge:
        return _fit(history, 0.0, with_forecast)

    def loss(penalty: float) -> float:
        if history.endpoint == "survival":
            return _left_out(history, penalty, with_forecast, folds, seed)
        values = out_of_fold(history, lambda part: _fit(part, penalty, with_forecast)[0].predict, folds, seed)
        return float(losses(history, LINKS[history.endpoint], values).mean())

    best, penalty = min((loss(penalty), penalty) for penalty in PENALTIES)
    made, notes = _fit(history, penalty, with_forecast)
    end = ", at the end of the grid" if penalty in (PENALTIES[0], PENALTIES[-1]) else ""
    told = f"ridge penalty {penalty:.3g} of {len(PENALTIES)} tried{end}, cross-validated loss {best:.6g}"
    return made, (*notes, told)


def _fit(history: History, penalty: float, with_forecast: bool) -> tuple[LinearModel, tuple[str, ...]]:
    whole = design(history.known, with_forecast)
    names = (*history.known.names, "forecast") if with_forecast else history.known.names
    kept, notes = independent(whole, names, constant_only=penalty > 0.0)
    x, y = whole[:, kept], history.outcome
    if penalty == 0.0 and len(y) <= len(kept) + 1:
        raise AnalysisError(f"{len(y)} patients for {len(kept) + 1} coefficients", expected="more patients",
                            where="linear score", remedy="name fewer covariates, or set ridge: true")  # fmt: skip
    if history.endpoint == "survival":
        assert history.event is not None
        if not kept:
            raise AnalysisError("no covariate that varies", expected="some", where="linear score")
        held = cox_fit(y, history.event, x, names=[names[k] for k in kept], ridge=penalty * len(y))
        beta, intercept = held.coefficients, -float(x.mean(axis=0) @ held.coefficients)
    else:
        shift = None if history.exposure is None else np.log(history.exposure)
        family = FAMILIES[history.endpoint]
        both = (
            _likeliest(x, y, family, shift)
            if penalty == 0.0
            else _penalised(x, y, family, np.zeros(len(y)) if shift is None else shift, penalty)
        )
        beta, intercept = both[1:], float(both[0])
    coefficients = np.zeros(len(names))
    coefficients[kept] = beta
    return LinearModel(
        scale=LINKS[history.endpoint], names=names, coefficients=tuple(float(b) for b in coefficients), intercept=intercept,
        penalty=penalty, with_forecast=with_forecast,
    ), notes  # fmt: skip


def _likeliest(x: np.ndarray, y: np.ndarray, family: str, shift: np.ndarray | None) -> np.ndarray:
    """(constant, coefficient...) of maximum likelihood."""
    try:
        return glm.fit(np.column_stack([np.ones(len(y)), x]), y, family, shift).coefficients
    except glm.SeparationError as error:
        raise AnalysisError(
            "covariates that tell events from none without an error, or a fold with one kind only", expected="overlap",
            where="linear score", remedy="set ridge: true, or name fewer covariates",
        ) from error  # fmt: skip


def _left_out(history: History, penalty: float, with_forecast: bool, count: int, seed: int) -> float:
    """What a fold adds to the partial log likelihood by a model that was fitted without it, negative, per patient.

    ``-sum_k [l(b_-k) of all - l(b_-k) of the others] / n`` (Verweij & van Houwelingen 1993: name from memory).
    """
    assert history.event is not None
    fold, gained = dealt(history, count, seed), 0.0
    for k in np.unique(fold):
        rest = fold != k
        values = _fit(history.rows(np.flatnonzero(rest)), penalty, with_forecast)[0].predict(history.known)
        gained += _partial(history.outcome, history.event, values)
        gained -= _partial(history.outcome[rest], history.event[rest], values[rest])
    return -gained / history.size


def _partial(time: np.ndarray, event: np.ndarray, values: np.ndarray) -> float:
    """Breslow's partial log likelihood of a log hazard."""
    order = np.argsort(-time, kind="stable")
    time, event, values = time[order], event[order], values[order]
    at_risk = np.logaddexp.accumulate(values)[np.searchsorted(-time, -time, side="right") - 1]
    return float((values - at_risk)[event].sum())


def independent(
    columns: np.ndarray, names: tuple[str, ...], *, constant_only: bool = False
) -> tuple[list[int], tuple[str, ...]]:
    """Numbers of the columns that vary and are no linear function of those before them; notes name the others.

    ``constant_only``: a penalty copes with linear functions.
    """
    basis = np.zeros((len(columns), 0))
    kept: list[int] = []
    notes = []
    for number, name in enumerate(names):
        column = columns[:, number] - columns[:, number].mean()
        length = float(np.linalg.norm(column))
        if length <= 1e-12 * (1e-300 + float(np.abs(columns[:, number]).max())) * len(column) ** 0.5:
            notes.append(f"{name} is the same for every historical patient: it has no part in the score")
            continue
        if constant_only:
            kept.append(number)
            continue
        rest = column / length
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        left = float(np.linalg.norm(rest))
        if left <= 1e-9:
            notes.append(f"{name} is a linear function of the columns before it: it has no part in the score")
            continue
        kept.append(number)
        basis = np.column_stack([basis, rest / left])
    return kept, tuple(notes)


def _penalised(x: np.ndarray, y: np.ndarray, family: str, shift: np.ndarray, penalty: float) -> np.ndarray:
    """Newton's method on the penalised log likelihood, canonical links; (constant, coefficient...)."""
    spread = x.std(axis=0)
    z = np.column_stack([np.ones(len(y)), (x - x.mean(axis=0)) / spread])
    lift = np.concatenate([[0.0], np.full(x.shape[1], penalty * len(y))])
    beta = np.zeros(z.shape[1])
    average = float(y.sum() / (np.exp(shift).sum() if family == "poisson" else len(y)))
    beta[0] = {"gaussian": average, "logistic": special.logit(np.clip(average, 1e-6, 1 - 1e-6)),
               "poisson": np.log(max(average, 1e-9))}[family]  # fmt: skip

    def value(b: np.ndarray) -> float:
        eta = z @ b + (shift if family == "poisson" else 0.0)
        if family == "gaussian":
            each = -((y - eta) ** 2) / 2.0
        else:
            each = y * eta - (np.logaddexp(0.0, eta) if family == "logistic" else np.exp(np.minimum(eta, 700.0)))
        return float(each.sum() - (lift * b**2).sum() / 2.0)

    best = value(beta)
    for _ in range(100):
        mean, weight = glm.inverse_link(family, z @ beta + (shift if family == "poisson" else 0.0))
        slope = z.T @ (y - mean) - lift * beta
        step = np.linalg.solve(z.T @ (weight[:, None] * z) + np.diag(lift + 1e-12), slope)
        reached = value(beta + step)
        for _halving in range(40):
            if reached >= best - 1e-10 * (1.0 + abs(best)):
                break
            step = step / 2.0
            reached = value(beta + step)
        beta, best = beta + step, reached
        if np.abs(step).max() <= 1e-10 * (1.0 + np.abs(beta).max()):
            break
    else:
        raise AnalysisError("no convergence after 100 steps", expected="convergence", where=f"ridge, {family}")
    slopes = beta[1:] / spread
    return np.concatenate([[beta[0] - x.mean(axis=0) @ slopes], slopes])
