"""Prognostic scores: trained on historical patients, frozen with their hash, applied to a trial that they never saw.

``train`` a :class:`ScoreSpecification` on a table, ``freeze`` it, ``read_score`` it; then ``score.predict(table)``. Kinds are
sibling files: ``linear``, ``boosting``, ``mixed_model``, ``physiology``, ``ensemble``. ``drift`` compares populations, ``leak``
finds a score that saw what it is to predict, ``within_arms`` says what it is worth in a trial.
"""

from medtwin.trials.score.score import Applied, TrainedScore, freeze, read_score
from medtwin.trials.score.specification import Context, ScoreSpecification, read_specification, specification
from medtwin.trials.score.train import train

__all__ = [
    "Applied", "Context", "ScoreSpecification", "TrainedScore", "freeze", "read_score", "read_specification", "specification",
    "train",
]  # fmt: skip
