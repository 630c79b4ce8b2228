"""Every figure of one group, or the reason why it is withheld. The rules decide on numbers of patients before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.statistics.conformal import quantile
from medtwin.trials.fair import calibration, calibration_continuous, calibration_survival, discrimination
from medtwin.trials.fair.benefit import benefit
from medtwin.trials.fair.censored import at_horizon, slope_by_cox
from medtwin.trials.fair.conformal import conformal, leave_one_out, mean_size, scores
from medtwin.trials.fair.groups import Group
from medtwin.trials.fair.inputs import Sample
from medtwin.trials.fair.number import Number, Withheld
from medtwin.trials.fair.parity import counted, rates
from medtwin.trials.fair.proportion import correlation
from medtwin.trials.fair.rules import Rules
from medtwin.trials.fair.smooth import CalibrationCurve, integrated_index

EVERY = "every figure of the score"
SPLIT, MONDRIAN = "coverage, one width for all", "coverage, a width of its own"


@dataclass(slots=True)
class Made:
    """Figures of a group as they come in."""

    group: Group
    numbers: list[Number]
    withheld: list[Withheld]
    curves: list[CalibrationCurve]

    def attempt(self, name: str, make: Callable[[], Number | Sequence[Number]]) -> None:
        """Take what ``make`` returns, or the words of its refusal."""
        try:
            made = make()
        except AnalysisError as error:
            self.refuse(name, str(error))
        else:
            self.numbers += [made] if isinstance(made, Number) else list(made)

    def refuse(self, name: str, reason: str) -> None:
        self.withheld.append(Withheld(column=self.group.column, level=self.group.level, name=name, reason=reason))


def figures_of(
    sample: Sample, group: Group, rules: Rules, *, thresholds: Sequence[float] = (), confidence: float = 0.95, draws: int = 200,
    seed: int = 0,
) -> Made:  # fmt: skip
    """All but conformal coverage; ``group`` is of the patients of ``sample``."""
    made = Made(group, [], [], [])
    mine = group.members & sample.untreated
    y, p = sample.outcome[mine], sample.predicted[mine]
    where = "patients" if sample.untreated.all() else "patients of the control arm"
    if len(y) < rules.min_patients:
        made.refuse(EVERY, f"fewer than {rules.min_patients} {where}")
    elif sample.kind == "continuous":
        _continuous(made, y, p, confidence, draws, seed)
    elif _enough_events(made, sample, mine, rules, where):
        if sample.kind == "binary":
            _binary(made, y, p, thresholds, confidence, draws, seed)
        else:
            _survival(made, sample, mine, confidence, draws, seed)
    _benefit(made, sample, group.members, rules, confidence)
    return made


def _enough_events(made: Made, sample: Sample, mine: np.ndarray, rules: Rules, where: str) -> bool:
    y = sample.outcome[mine]
    if sample.event is not None:
        had = int((sample.event[mine] & (y <= float(sample.horizon or 0.0))).sum())
        others = int((y >= float(sample.horizon or 0.0)).sum())
    else:
        had, others = int(y.sum()), int((1.0 - y).sum())
    for count, what in ((had, "with the event"), (others, "without the event")):
        if count < rules.min_events:
            made.refuse(EVERY, f"fewer than {rules.min_events} {where} {what}")
            return False
    return True


def _binary(
    made: Made, y: np.ndarray, p: np.ndarray, thresholds: Sequence[float], confidence: float, draws: int, seed: int
) -> None:
    made.attempt("calibration in the large", lambda: calibration.in_the_large(y, p, confidence))
    made.attempt("calibration slope", lambda: calibration.slope(y, p, confidence))
    made.attempt("calibration intercept", lambda: calibration.intercept(y, p, confidence))
    made.attempt("O:E", lambda: calibration.observed_expected(y, p, confidence))
    _smooth(made, y, p, True, confidence, draws, seed)
    made.attempt("AUC", lambda: discrimination.auc(y, p, confidence))
    made.attempt("Brier score", lambda: discrimination.brier(y, p, confidence))
    for threshold in thresholds:
        counts = counted(y, p, threshold)
        made.attempt(f"rates at {threshold:g}", lambda c=counts, t=threshold: rates(c, t, confidence))  # type: ignore[misc]


def _continuous(made: Made, y: np.ndarray, p: np.ndarray, confidence: float, draws: int, seed: int) -> None:
    made.attempt("calibration in the large", lambda: calibration_continuous.in_the_large(y, p, confidence))
    made.attempt("calibration slope", lambda: calibration_continuous.slope(y, p, confidence))
    made.attempt("calibration intercept", lambda: calibration_continuous.intercept(y, p, confidence))
    if min(y.min(), p.min()) >= 0.0:
        made.attempt("O:E", lambda: calibration.observed_expected(y, p, confidence))
    _smooth(made, y, p, False, confidence, draws, seed)
    made.attempt("RMSE", lambda: discrimination.root_mean_square_error(y, p, confidence))
    made.attempt("r", lambda: correlation("r", y, p, confidence=confidence))


def _smooth(made: Made, y: np.ndarray, p: np.ndarray, binary: bool, confidence: float, draws: int, seed: int) -> None:
    def both() -> tuple[Number, Number]:
        index, perfect, curve = integrated_index(
            y, p, binary=binary, confidence=confidence, draws=draws, seed=seed, unit="1" if binary else "outcome",
            column=made.group.column, level=made.group.level,
        )  # fmt: skip
        made.curves.append(curve)
        return index, perfect

    if draws:
        made.attempt("integrated calibration index", both)


def _survival(made: Made, sample: Sample, mine: np.ndarray, confidence: float, draws: int, seed: int) -> None:
    given = (sample.outcome[mine], sample.event[mine], sample.predicted[mine], float(sample.horizon or 0.0))  # type: ignore[index]
    made.attempt("calibration slope", lambda: slope_by_cox(*given, confidence))
    made.attempt("O:E at the horizon", lambda: calibration_survival.observed_expected_at(*given, confidence))
    made.attempt("O:E by time at risk", lambda: calibration_survival.observed_expected_by_exposure(*given, confidence))
    if draws:
        made.attempt("AUC at the horizon", lambda: at_horizon(*given, confidence=confidence, draws=draws, seed=seed))


def _benefit(made: Made, sample: Sample, members: np.ndarray, rules: Rules, confidence: float) -> None:
    if sample.kind == "survival":
        return  # said once for all groups, in the notes
    y, p = sample.outcome[members], sample.predicted[members]
    if len(y) < rules.min_patients:
        made.refuse("the score's benefit", f"fewer than {rules.min_patients} patients")
        return
    if sample.kind == "binary" and min(y.sum(), (1.0 - y).sum()) < rules.min_events:
        made.refuse("the score's benefit", f"fewer than {rules.min_events} patients with or without the event")
        return
    made.attempt("the score's benefit", lambda: benefit(
        y, p, baseline=None if sample.baseline is None else sample.baseline[members],
        arm=None if sample.arm is None else sample.arm[members], binary=sample.kind == "binary", confidence=confidence,
    ))  # fmt: skip


def coverage_of(
    sample: Sample, made: Made, column: np.ndarray, *, target: float, confidence: float = 0.95
) -> tuple[float | None, float | None]:
    """Adds the coverage of the group; (width for all, width of its own). ``column`` (patient,): those of any group of it."""
    if sample.kind == "survival" or any(one.name == EVERY for one in made.withheld):
        return None, None
    binary = sample.kind == "binary"
    usable = sample.untreated & column
    mine = made.group.members & usable
    score = scores(sample.outcome, sample.predicted, binary=binary)
    if sample.calibration is None:
        seen, sets = mine, (usable, mine)
        made.attempt(SPLIT, lambda: leave_one_out(
            score[usable], score[mine], name=SPLIT, target=target, confidence=confidence).coverage)  # fmt: skip
    else:
        seen, sets = mine & ~sample.calibration, (usable & sample.calibration, mine & sample.calibration)
        for name, within in zip((SPLIT, MONDRIAN), sets, strict=True):
            made.attempt(name, lambda name=name, within=within: conformal(  # type: ignore[misc]
                score[within], score[seen], name=name, target=target, confidence=confidence).coverage)  # fmt: skip
    reaches = [quantile(score[of], target) for of in sets]
    if not math.isfinite(reaches[1]):
        made.refuse("a width of its own", f"too few calibration patients to promise {target:.0%}")
    risks = sample.predicted[seen] if binary else None
    sizes = [mean_size(q, risks) if math.isfinite(q) and seen.any() else None for q in reaches]
    return sizes[0], sizes[1]
