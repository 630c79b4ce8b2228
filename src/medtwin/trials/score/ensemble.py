"""The best of several kinds: the discrete super learner, which is the candidate with the least cross-validated loss.

(van der Laan, Polley & Hubbard 2007: name from memory; the rule is that of R's ``targeted::metalearner_discrete``.) The loss
of each endpoint stands in :mod:`medtwin.trials.score.outcomes`; every candidate sees the same folds. What was chosen, and the
losses of all, are kept; so are the predictions of the chosen one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.score.boosting import BoostingModel
from medtwin.trials.score.history import History, Known, out_of_fold
from medtwin.trials.score.linear import LinearModel
from medtwin.trials.score.mixed_model import MixedModel
from medtwin.trials.score.outcomes import losses
from medtwin.trials.score.physiology import PhysiologyModel

Single = LinearModel | BoostingModel | MixedModel | PhysiologyModel
Fitter = Callable[[History], tuple[Single, tuple[str, ...]]]


class EnsembleModel(msgspec.Struct, tag="ensemble", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Frozen."""

    scale: str
    chosen: str
    cross_validated: dict[str, float]  #: loss by candidate
    model: Single

    def predict(self, known: Known) -> np.ndarray:
        """(patient,)."""
        return self.model.predict(known)

    def check(self, columns: int) -> str:
        """What is wrong with it as a model of so many columns, or nothing."""
        if self.chosen not in self.cross_validated or self.scale != self.model.scale:
            return "an ensemble that does not know what it chose"
        return self.model.check(columns)


def fit(
    history: History, candidates: Mapping[str, Fitter], *, folds: int = 10, seed: int = 0
) -> tuple[EnsembleModel, tuple[str, ...]]:
    """The chosen model, and notes: a candidate that could not be fitted is named with its reason."""
    seen = np.flatnonzero(history.complete)
    found: dict[str, float] = {}
    notes = []
    for name, fitter in candidates.items():
        scales: set[str] = set()

        def made(part: History, fitter: Fitter = fitter, scales: set[str] = scales) -> Callable[[Known], np.ndarray]:
            model = fitter(part)[0]
            scales.add(model.scale)
            return model.predict

        try:
            values = out_of_fold(history, made, folds, seed)
        except AnalysisError as error:
            notes.append(f"{name} could not be fitted in every fold and is no candidate: {error.found}")
            continue
        found[name] = float(losses(history.rows(seen), scales.pop(), values[seen]).mean())
    if not found:
        raise AnalysisError("no candidate that could be fitted", expected="at least one", where="ensemble score",
                            remedy="; ".join(notes))  # fmt: skip
    chosen = min(found, key=lambda name: found[name])
    model, more = candidates[chosen](history)
    table = ", ".join(f"{name} {loss:.6g}" for name, loss in found.items())
    return EnsembleModel(scale=model.scale, chosen=chosen, cross_validated=found, model=model), (
        *notes, f"{chosen} has the least cross-validated loss: {table}", *more,
    )  # fmt: skip
