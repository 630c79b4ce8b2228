"""Every kind of score by its name."""

from __future__ import annotations

from collections.abc import Callable

from medtwin.errors import AnalysisError
from medtwin.trials.score import boosting, ensemble, linear, mixed_model, physiology
from medtwin.trials.score.ensemble import EnsembleModel, Single
from medtwin.trials.score.history import History
from medtwin.trials.score.specification import ScoreSpecification

Model = Single | EnsembleModel


def fitter(asked: ScoreSpecification, kind: str | None = None) -> Callable[[History], tuple[Model, tuple[str, ...]]]:
    """How a history becomes a model and notes, by the specification."""
    name = kind or asked.kind
    folds, seed = asked.folds, asked.seed
    if name == "linear":
        return lambda history: linear.fit(history, ridge=asked.ridge, folds=folds, seed=seed)
    if name == "boosting":
        return lambda history: boosting.fit(history, folds=folds, seed=seed)
    if name == "mixed_model":
        return lambda history: mixed_model.fit(history, structure=asked.structure)
    if name == "physiology":
        return lambda history: physiology.fit(
            history, correction=asked.correction, ridge=asked.ridge, folds=folds, seed=seed
        )
    if name == "ensemble":
        own = {one: fitter(asked, one) for one in asked.candidates}
        return lambda history: ensemble.fit(history, own, folds=folds, seed=seed)  # type: ignore[arg-type]
    raise AnalysisError(f"kind {name!r}", expected="linear, boosting, mixed_model, physiology or ensemble")
