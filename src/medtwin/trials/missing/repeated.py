"""A trial of one continuous outcome at several visits, with what is missing left missing, checked once.

:meth:`RepeatedTrial.of` takes arrays, :func:`~medtwin.trials.missing.table.read_repeated` a tidy table. ``before`` says how
many visits of a patient lie before the intercurrent event; where nobody says, the event is dropping out: what follows the
last observed visit. A gap between observed visits is no event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData

#: The reason of an event that the data do not name.
DROPOUT = "dropout"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RepeatedTrial:
    """``n`` patients, ``m`` visits in their order, ``q`` covariates. Made by :meth:`of`, which checks it."""

    outcome: np.ndarray  #: (n, m), NaN where missing, in the outcome's unit
    arm: np.ndarray  #: (n,) 0 is control
    arm_names: tuple[str, ...]  #: control first
    visits: tuple[str, ...]  #: in the order of time
    covariates: np.ndarray  #: (n, q) known before randomisation
    covariate_names: tuple[str, ...]
    before: np.ndarray  #: (n,) visits before the intercurrent event, m where there is none
    reason: tuple[str, ...]  #: (n,) of the event, "" where there is none
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, outcome: Any, arm: Any, *, visits: Sequence[Any], control: Any = 0, covariates: Any = None,
        covariate_names: Sequence[str] = (), before: Any = None, reason: Sequence[str] | None = None,
        notes: Sequence[str] = (),
    ) -> RepeatedTrial:  # fmt: skip
        """From ``outcome (n, m)`` with NaN where missing; the columns stand in the order of time.

        ``before``: see the class; none: dropping out after the last observed visit. ``reason``: of the events, one for each
        patient, none or empty: "dropout". A patient with nothing observed has his event before the first visit, unless
        ``before`` says otherwise. Raises :class:`AnalysisError`: infinite outcomes, missing covariates, an unknown control
        arm, a visit named twice, or one without any outcome.
        """
        y = np.asarray(outcome, float)
        names = tuple(str(visit) for visit in visits)
        if y.ndim != 2 or y.shape[1] != len(names) or not names or not len(y):
            raise AnalysisError(f"outcomes of shape {y.shape}", expected=f"(patients, {len(names)}), a column a visit")
        if len(set(names)) < len(names):
            raise AnalysisError(f"visits {list(names)}", expected="each once, in the order of time", where="visits")
        if np.isinf(y).any():
            raise AnalysisError("infinite outcomes", expected="finite, or NaN where missing", where="outcome")
        seen = np.isfinite(y)
        empty = [name for name, some in zip(names, seen.any(0), strict=True) if not some]
        if empty:
            raise AnalysisError(f"no outcome at visits {empty}", expected="some at every visit", where="outcome",
                                remedy="leave the visit out of the analysis by name")  # fmt: skip
        if covariates is not None and not np.isfinite(np.asarray(covariates, float)).all():
            lost = int((~np.isfinite(np.asarray(covariates, float))).any(axis=-1).sum())
            raise AnalysisError(
                f"{lost} patients without a baseline value", expected="every covariate of every patient", where="covariates",
                remedy="fill it in by a rule that sees neither arm nor outcome, such as missing_covariate='mean'",
            )  # fmt: skip
        flat = TrialData.of(
            np.zeros(len(y)), arm, control=control, covariates=covariates, covariate_names=covariate_names
        )
        held, causes = _events(seen, before, reason)
        told = list(notes)
        if nothing := Counter(flat.arm_names[a] for a in flat.arm[~seen.any(1)]):
            told.append(
                f"{nothing.total()} patients with no outcome observed ({_counted(nothing)}): they say nothing about the "
                "imputation model and are imputed from their covariates and the means of their strategy alone"
            )
        return cls(
            outcome=y, arm=flat.arm, arm_names=flat.arm_names, visits=names, covariates=flat.covariates,
            covariate_names=flat.covariate_names, before=held, reason=causes, notes=tuple(told),
        )  # fmt: skip

    @property
    def observed(self) -> np.ndarray:
        """(n, m) bool."""
        return np.isfinite(self.outcome)

    @property
    def after(self) -> np.ndarray:
        """(n, m) bool: at or after the intercurrent event."""
        return np.arange(len(self.visits)) >= self.before[:, None]

    @property
    def patients(self) -> dict[str, int]:
        """How many, by arm."""
        return {name: int((self.arm == code).sum()) for code, name in enumerate(self.arm_names)}

    def arm_code(self, name: str, what: str = "reference") -> int:
        """Place of an arm. Raises :class:`AnalysisError` for one that is not of the trial."""
        if name not in self.arm_names:
            raise AnalysisError(f"{what} arm {name!r}", expected=f"one of {list(self.arm_names)}", where=what)
        return self.arm_names.index(name)

    def imputed(self) -> tuple[str, ...]:
        """Sentences for the report: how many values are missing, by arm, by visit, and by reason."""
        gone = ~self.observed
        if not gone.any():
            return ("no outcome is missing: nothing was imputed",)
        by_arm = Counter({name: int(gone[self.arm == code].sum()) for code, name in enumerate(self.arm_names)})
        by_visit = "; ".join(
            f"{visit}: "
            + _counted(
                Counter({name: int(gone[self.arm == code, j].sum()) for code, name in enumerate(self.arm_names)})
            )
            for j, visit in enumerate(self.visits)
            if gone[:, j].any()
        )
        later = gone & self.after
        causes = Counter({"gap or missing without an event": int((gone & ~later).sum())})
        for row, reason in zip(later, self.reason, strict=True):
            causes[reason] += int(row.sum())
        return (
            f"{int(gone.sum())} of {gone.size} outcomes were imputed, of {int(gone.any(1).sum())} patients, {_counted(by_arm)}",
            f"imputed by visit and arm: {by_visit}",
            f"imputed by reason: {_counted(Counter({k: v for k, v in causes.items() if v}))}",
        )


def _events(seen: np.ndarray, before: Any, reason: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    n, m = seen.shape
    if before is None:
        held = np.where(seen.any(1), m - np.argmax(seen[:, ::-1], axis=1), 0)
    else:
        given = np.asarray(before, float)
        if given.shape != (n,) or not (np.isin(given, np.arange(m + 1))).all():
            raise AnalysisError("visits before the event that are missing, not whole or out of range", where="before",
                                expected=f"0 to {m} for each patient, {m} where there is no event")  # fmt: skip
        held = given.astype(int)
    causes = [""] * n if reason is None else [str(one or "") for one in reason]
    if len(causes) != n:
        raise AnalysisError(f"{len(causes)} reasons", expected=f"{n}, one for each patient", where="reason")
    return held, tuple((cause or DROPOUT) if k < m else "" for k, cause in zip(held, causes, strict=True))


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
