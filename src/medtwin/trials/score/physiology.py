"""The platform's own physiology as the mean function: a forecast of the endpoint, recalibrated, its residual corrected.

    s = a + b f + g(x)      f the forecast, of continuous endpoints; g linear or boosted on what a + b f leaves

Of other endpoints the forecast is one column of the linear predictor (logistic, Poisson, Cox), beside the covariates where a
correction is asked for. The forecast is a column of the table: :mod:`medtwin.trials.score.twin_forecasts` makes it from a
home's records as of each one's baseline, :mod:`medtwin.trials.score.model_forecasts` from covariates alone. It must not have
seen what it forecasts; nothing in the numbers could show that.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.score import boosting, linear
from medtwin.trials.score.boosting import BoostingModel
from medtwin.trials.score.history import History, Known
from medtwin.trials.score.linear import LinearModel


class PhysiologyModel(msgspec.Struct, tag="physiology", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Frozen."""

    scale: str
    recalibration: LinearModel  #: of the forecast, with covariates only where the endpoint is not continuous
    correction: LinearModel | BoostingModel | None = None  #: of the residual

    def predict(self, known: Known) -> np.ndarray:
        """(patient,)."""
        made = self.recalibration.predict(known if self.recalibration.names != ("forecast",) else _alone(known))
        return made if self.correction is None else made + self.correction.predict(known)

    def check(self, columns: int) -> str:
        """What is wrong with it as a model of so many columns, or nothing."""
        if not self.recalibration.with_forecast:
            return "physiology without a forecast"
        alone = self.recalibration.names == ("forecast",)
        if isinstance(self.correction, LinearModel) and self.correction.with_forecast:
            return "a correction that takes the forecast again"
        own = "" if self.correction is None else self.correction.check(columns)
        return self.recalibration.check(0 if alone else columns) or own


def fit(
    history: History, *, correction: str = "linear", ridge: bool = False, folds: int = 10, seed: int = 0
) -> tuple[PhysiologyModel, tuple[str, ...]]:
    """The model, and notes."""
    history = history.rows(np.flatnonzero(history.complete))
    if history.known.forecast is None or np.ptp(history.known.forecast) <= 0.0:
        raise AnalysisError("a forecast that does not vary", expected="one of each patient", where="physiology score")
    alone = replace(history, known=_alone(history.known))
    if history.endpoint != "continuous":
        if correction == "boosting":
            raise AnalysisError(f"a boosted correction of a {history.endpoint} endpoint", expected="none or linear",
                                where="physiology score")  # fmt: skip
        made, notes = linear.fit(
            history if correction == "linear" else alone, ridge=ridge and correction == "linear", folds=folds, seed=seed,
            with_forecast=True,
        )  # fmt: skip
        return PhysiologyModel(scale=made.scale, recalibration=made), notes
    made, notes = linear.fit(alone, with_forecast=True)
    told = f"forecast recalibrated: {made.intercept:.6g} + {made.coefficients[0]:.6g} times the forecast"
    if correction == "none":
        return PhysiologyModel(scale="outcome", recalibration=made), (*notes, told)
    left = replace(history, outcome=history.outcome - made.predict(alone.known))
    own: LinearModel | BoostingModel
    if correction == "linear":
        own, more = linear.fit(left, ridge=ridge, folds=folds, seed=seed)
    else:
        own, more = boosting.fit(left, folds=folds, seed=seed)
    return PhysiologyModel(scale="outcome", recalibration=made, correction=own), (*notes, told, *more)


def _alone(known: Known) -> Known:
    return replace(known, design=np.zeros((len(known.design), 0)), names=())
