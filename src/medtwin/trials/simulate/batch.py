"""Many simulated trials of one scenario, patients along the last axis; and each of them as data for any analysis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData

ADJUST = ("none", "score", "baseline", "score+baseline", "strata", "all")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """``t`` trials of ``p`` patients in the order in which they came in."""

    arm: np.ndarray  #: (p,) where every trial shares it, else (t, p); 0 control, 1 treated
    outcome: np.ndarray  #: (t, p), or (t, visit, p) of repeated measures; NaN where missing
    known: np.ndarray  #: (t, 1 + k, p) the score as the analysis sees it, then the baseline covariates
    strata: np.ndarray | None = None  #: (t, p)
    event: np.ndarray | None = None  #: (t, p)
    entry: np.ndarray | None = None  #: (t, p) calendar time of entry
    exposure: np.ndarray | None = None  #: (t, p) where it is not the same for all
    lost: np.ndarray | None = None  #: (t, p) true: no outcome
    external: Batch | None = None  #: external controls, as an arm 0 of their own

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def score(self) -> np.ndarray:
        """(t, p)."""
        return self.known[:, 0]

    @property
    def baseline(self) -> np.ndarray:
        """(t, k, p)."""
        return self.known[:, 1:]

    @property
    def patients(self) -> int:
        """In a trial."""
        return self.outcome.shape[-1]

    def covariates(self, adjust: str) -> np.ndarray | None:
        """(t, q, p) of what is adjusted for; none where that is nothing. ``adjust``: one of ``ADJUST``."""
        if adjust not in ADJUST:
            raise AnalysisError(f"adjust {adjust!r}", expected=f"one of {ADJUST}")
        first = 0 if adjust in ("score", "score+baseline", "all") else 1
        last = 1 if adjust in ("score", "strata", "none") else self.known.shape[1]
        parts = [self.known[:, first:last]] if last > first else []
        if adjust in ("strata", "all") and self.strata is not None:
            levels = np.arange(1, int(self.strata.max()) + 1)
            parts.append((self.strata[:, None, :] == levels[:, None]).astype(float))
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def first(self, count: int) -> Batch:
        """The first ``count`` patients of each trial."""

        def cut(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[..., :count]

        return replace(
            self, arm=self.arm[..., :count], outcome=self.outcome[..., :count], known=self.known[..., :count],
            strata=cut(self.strata), event=cut(self.event), entry=cut(self.entry),
            exposure=cut(self.exposure), lost=cut(self.lost),
        )  # fmt: skip

    def trials(self, count: int) -> Batch:
        """The first ``count`` trials."""

        def cut(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[:count]

        return replace(
            self, arm=self.arm if self.arm.ndim == 1 else self.arm[:count], outcome=self.outcome[:count],
            known=self.known[:count], strata=cut(self.strata), event=cut(self.event),
            entry=cut(self.entry), exposure=cut(self.exposure), lost=cut(self.lost),
            external=None if self.external is None else self.external.trials(count),
        )  # fmt: skip

    def at(self, calendar: np.ndarray) -> Batch:
        """What is known at ``calendar`` (t,): times cut there. Who has not come in yet has time 0 and no event."""
        assert self.entry is not None
        assert self.event is not None
        reach = np.clip(calendar[:, None] - self.entry, 0.0, None)
        return replace(self, outcome=np.minimum(self.outcome, reach), event=self.event & (self.outcome <= reach))

    def arm_of(self, trial: int) -> np.ndarray:
        """(p,)."""
        return self.arm if self.arm.ndim == 1 else self.arm[trial]

    def trial(self, number: int, adjust: str = "all") -> TrialData:
        """One trial with one row a patient: those who have an outcome. Strata come along, as strata."""
        keep = np.ones(self.patients, bool) if self.lost is None else ~self.lost[number]
        table = self.trials_at(number).covariates({"all": "score+baseline", "strata": "none"}.get(adjust, adjust))
        return TrialData.of(
            self.outcome[number][keep], self.arm_of(number)[keep].astype(int),
            covariates=None if table is None else table[0].T[keep],
            event=None if self.event is None else self.event[number][keep],
            strata=None if self.strata is None else self.strata[number][keep],
            exposure=None if self.exposure is None else self.exposure[number][keep],
        )  # fmt: skip

    def trials_at(self, number: int) -> Batch:
        """One trial as a batch."""

        def cut(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[number : number + 1]

        return replace(
            self, arm=self.arm_of(number), outcome=self.outcome[number : number + 1],
            known=self.known[number : number + 1], strata=cut(self.strata), event=cut(self.event),
            entry=cut(self.entry), exposure=cut(self.exposure), lost=cut(self.lost), external=None,
        )  # fmt: skip
