"""Joint draws of patients' outcomes at visits: what a prognostic twin gives.

``working[d, v, o]``: draw d, visit v, outcome o, on the outcomes' working scales. One draw is one world: in it all patients
share one set of model parameters, so a mean over patients of a draw carries what is not known of the model. Draws of a
patient are the same alone and in company. They are made up: the table says so in every row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.prognostic.outcome import Outcome

Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """``D`` draws of ``V`` visits (each of one patient) by ``q`` outcomes."""

    working: Array  #: (D, V, q)
    outcomes: tuple[Outcome, ...]
    subjects: tuple[str, ...]
    subject: Array  #: (V,) place in ``subjects``
    time: Array  #: (V,)
    time_unit: str
    generator: str  #: what drew them
    conditions: tuple[str, ...]  #: what they hold under, and what they leave out
    present: Array | None = None  #: (D, V) whether the draw's patient is still there, where leaving is drawn
    log_staying: Array | None = None  #: (D, V) log chance of that, given the draw

    @property
    def values(self) -> Array:
        """(D, V, q) in the outcomes' units."""
        return np.stack([one.natural(self.working[:, :, k]) for k, one in enumerate(self.outcomes)], 2)

    @property
    def mean(self) -> Array:
        """(V, q) on the working scale."""
        return np.asarray(self.working.mean(0))

    @property
    def sd(self) -> Array:
        """(V, q) on the working scale."""
        return np.asarray(self.working.std(0, ddof=1))

    def interval(self, probability: float = 0.9) -> tuple[Array, Array]:
        """Central intervals (V, q), (V, q) on the working scale, from the draws' order statistics."""
        tail = (1.0 - probability) / 2.0
        low, high = np.quantile(self.working, [tail, 1.0 - tail], axis=0, method="weibull")
        return low, high

    def of(self, patient: str) -> Array:
        """(D, visit, outcome) of one patient, in the outcomes' units."""
        if patient not in self.subjects:
            raise AnalysisError("a patient of whom nothing was drawn", expected="one of the draws' patients")
        return np.asarray(self.values[:, self.subject == self.subjects.index(patient)])

    def take(self, visits: Array) -> Draws:
        """Some visits, by mask or place."""
        return replace(
            self, working=self.working[:, visits], subject=self.subject[visits], time=self.time[visits],
            present=None if self.present is None else self.present[:, visits],
            log_staying=None if self.log_staying is None else self.log_staying[:, visits],
        )  # fmt: skip

    def table(self) -> pl.DataFrame:
        """Tidy: draw, subject, time, outcome, value, unit, present, synthetic.

        ``present`` is null where leaving is not drawn; ``synthetic`` is true in every row.
        """
        d, v, q = self.working.shape
        shape = (d, v, q)
        names = np.array(self.subjects)[self.subject]
        return pl.DataFrame({
            "draw": np.broadcast_to(np.arange(d)[:, None, None], shape).ravel(),
            "subject": np.broadcast_to(names[None, :, None], shape).ravel().tolist(),
            "time": np.broadcast_to(self.time[None, :, None], shape).ravel(),
            "outcome": [one.name for one in self.outcomes] * (d * v),
            "value": self.values.ravel(),
            "unit": [one.unit for one in self.outcomes] * (d * v),
            "present": pl.repeat(None, d * v * q, dtype=pl.Boolean, eager=True) if self.present is None
            else np.repeat(self.present[:, :, None], q, 2).ravel(),
            "synthetic": np.ones(d * v * q, bool),
        })  # fmt: skip
