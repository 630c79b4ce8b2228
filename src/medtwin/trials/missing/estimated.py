"""From an estimand to its estimate: the trial's arms and events held against it, imputation as it says."""

from __future__ import annotations

from dataclasses import replace

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.result import Analysis
from medtwin.trials.estimand import Estimand
from medtwin.trials.missing.conditional import conditional_mean
from medtwin.trials.missing.delta import Delta
from medtwin.trials.missing.model import Specification
from medtwin.trials.missing.repeated import RepeatedTrial
from medtwin.trials.missing.samples import Samples


def estimated(
    trial: RepeatedTrial, estimand: Estimand, *, specification: Specification | None = None, samples: Samples | None = None,
    delta: Delta | None = None, confidence: float = 0.95,
) -> Analysis:  # fmt: skip
    """Conditional-mean imputation by the estimand's strategies, reference its control arm; its words are the first note.

    Of the visit in ``variable.at``, or of all visits if it names none. Raises :class:`AnalysisError` where arms, visit or
    reasons of events are not those of the estimand.
    """
    arms = (estimand.treatment.control, *estimand.treatment.treated)
    if set(arms) != set(trial.arm_names) or trial.arm_names[0] != arms[0]:
        raise AnalysisError(
            f"arms {list(trial.arm_names)}", expected=f"{list(arms)}, control first", where="estimand.treatment"
        )
    at = estimand.variable.at
    if at and at not in trial.visits:
        raise AnalysisError(f"no visit {at!r}", expected=f"one of {list(trial.visits)}", where="estimand.variable.at")
    done = conditional_mean(
        trial, strategy=estimand.imputation(), reference=arms[0], specification=specification, samples=samples, delta=delta,
        confidence=confidence, unit=estimand.variable.unit,
    )  # fmt: skip
    wanted = tuple(e for e in done.estimates if not at or e.name.endswith(f" at {at}"))
    return replace(done, estimates=wanted, notes=(estimand.text(), *done.notes))
