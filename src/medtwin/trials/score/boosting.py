"""Gradient boosted trees (Friedman 2001), fitted with scikit-learn and kept as arrays.

    s = start + rate sum_k tree_k(x)

Least squares on the outcome (continuous), on the rate with exposure as weight (count), on the martingale residual of the
null model (survival: Zhou et al. 2026, arXiv:2605.27711); log loss on the event (binary: s is the log odds). Depth and number of
trees are those with the least cross-validated loss of the grid ``DEPTHS`` x ``TREES``, learning rate ``RATE``, leaves of at
least ``max(5, n/50)`` patients; every random choice follows from the seed.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.score.history import History, Known
from medtwin.trials.score.history import folds as dealt
from medtwin.trials.score.outcomes import losses, target
from medtwin.trials.score.trees import Tree, frozen

DEPTHS = (1, 2, 3)
TREES = (10, 20, 40, 80, 120)
RATE = 0.1
LINKS = {"continuous": "outcome", "binary": "log odds", "count": "rate", "survival": "martingale residual"}


class BoostingModel(msgspec.Struct, tag="boosting", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Frozen."""

    scale: str
    start: float
    rate: float
    trees: tuple[Tree, ...]
    depth: int
    cross_validated: float  #: loss of this choice

    def predict(self, known: Known) -> np.ndarray:
        """(patient,)."""
        single = known.design.astype(np.float32)
        made = np.full(len(single), self.start)
        for tree in self.trees:
            made = made + self.rate * tree.evaluate(single)
        return made

    def check(self, columns: int) -> str:
        """What is wrong with it as a model of so many columns, or nothing."""
        return next((fault for tree in self.trees if (fault := tree.check(columns))), "")


def fit(history: History, *, folds: int = 10, seed: int = 0) -> tuple[BoostingModel, tuple[str, ...]]:
    """The model, and notes."""
    history = history.rows(np.flatnonzero(history.complete))
    if history.size < 20:
        raise AnalysisError(f"{history.size} patients", expected="at least 20", where="boosted score",
                            remedy="take a linear score")  # fmt: skip
    if not history.known.design.shape[1]:
        raise AnalysisError("no covariates", expected="some", where="boosted score")
    few = min(folds, 5)
    fold = dealt(history, few, seed)
    made = np.empty((len(DEPTHS), len(TREES), history.size))
    for i, depth in enumerate(DEPTHS):
        for k in range(few):
            held, rest = np.flatnonzero(fold == k), history.rows(np.flatnonzero(fold != k))
            machine = _machine(rest, depth, max(TREES), seed)
            stages = list(_staged(machine, history.known.design[held]))
            for j, trees in enumerate(TREES):
                made[i, j, held] = stages[trees - 1]
    scale = LINKS[history.endpoint]
    loss = np.array([[losses(history, scale, values).mean() for values in row] for row in made])
    i, j = divmod(int(np.argmin(loss)), len(TREES))
    machine = _machine(history, DEPTHS[i], TREES[j], seed)
    grown = tuple(frozen(estimator.tree_) for estimator in machine.estimators_[:, 0])
    start = float(target(history).mean()) if history.exposure is None else float(
        history.outcome.sum() / history.exposure.sum()
    )  # fmt: skip
    if history.endpoint == "binary":
        start = math.log(start / (1.0 - start))
    note = (
        f"boosting: {TREES[j]} trees of depth {DEPTHS[i]}, cross-validated loss {loss[i, j]:.6g} of {loss.size} tried"
    )
    return BoostingModel(
        scale=scale, start=start, rate=RATE, trees=grown, depth=DEPTHS[i], cross_validated=float(loss[i, j])
    ), (note,)  # fmt: skip


def _machine(history: History, depth: int, trees: int, seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    kind = GradientBoostingClassifier if history.endpoint == "binary" else GradientBoostingRegressor
    machine = kind(
        n_estimators=trees, learning_rate=RATE, max_depth=depth, random_state=seed,
        min_samples_leaf=max(5, history.size // 50),
    )  # fmt: skip
    y = target(history)
    if history.endpoint == "binary" and len(np.unique(y)) < 2:
        raise AnalysisError("outcomes that are all the same", expected="some of each", where="boosted score")
    return machine.fit(history.known.design, y, sample_weight=history.exposure)


def _staged(machine: Any, design: np.ndarray) -> Any:
    if hasattr(machine, "staged_decision_function"):
        return (np.asarray(values).ravel() for values in machine.staged_decision_function(design))
    return machine.staged_predict(design)
