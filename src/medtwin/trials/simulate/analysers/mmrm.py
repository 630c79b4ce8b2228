"""The mixed model for repeated measures: treated - control at the last visit.

Of complete data with an unstructured covariance, where every covariate has a slope at each visit, restricted maximum
likelihood is least squares at each visit: the contrast at the last one, with the residual variance on n-p, and t(n-p) for the
linear form of Kenward-Roger and for Satterthwaite (the form of second order has another variance). Such batches go through
the kernel of ANCOVA (classical); all others are fitted one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medtwin.trials.analysis.batch import ancova_batch
from medtwin.trials.estimate import Estimate
from medtwin.trials.mmrm import fit
from medtwin.trials.simulate.batch import Batch
from medtwin.trials.simulate.fits import Fits, loop
from medtwin.trials.simulate.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Mmrm:
    """As :func:`medtwin.trials.mmrm.fit`, arm by visit and each covariate ``by_visit`` or with one slope."""

    adjust: str = "score"
    by_visit: bool = True
    structure: str = "unstructured"
    degrees: str = "kenward-roger linear"
    covariance: str = "model"
    endpoints: ClassVar[tuple[str, ...]] = ("repeated",)

    @property
    def name(self) -> str:
        """In words."""
        more = "" if self.by_visit or self.adjust == "none" else ", one slope"
        held = "" if self.covariance == "model" else f", {self.covariance}"
        return f"MMRM, {self.structure}, {self.degrees}{held}, {self.adjust}{more}"

    def fits(self, batch: Batch, scenario: Scenario) -> Fits:
        """Batched where that is exact."""
        saturated = (
            self.structure == "unstructured" and self.covariance == "model" and (self.by_visit or self.adjust == "none")
        )
        exact = self.degrees in ("kenward-roger linear", "satterthwaite")
        if not (saturated and exact) or not np.isfinite(batch.outcome).all():
            return loop(self.one, batch, scenario)
        made = ancova_batch(batch.outcome[:, -1], batch.arm, batch.covariates(self.adjust), variance="classical")
        return Fits(made.value, made.standard_error, made.df)

    def one(self, batch: Batch, number: int, scenario: Scenario) -> Estimate:
        """One trial."""
        y = batch.outcome[number]  # (visit, patient)
        visits, patients = y.shape
        table = batch.trials_at(number).covariates(self.adjust)
        rows = np.zeros((0, patients)) if table is None else table[0]
        columns = [np.ones(patients), batch.arm_of(number)]
        eye = np.eye(visits)
        blocks = [np.kron(eye, column[:, None]) for column in columns]
        blocks += [np.kron(eye if self.by_visit else np.ones((visits, 1)), row[:, None]) for row in rows]
        made = fit(
            y.ravel(), np.hstack(blocks), np.tile(np.arange(patients), visits), np.repeat(np.arange(visits), patients),
            structure=self.structure, degrees=self.degrees, covariance=self.covariance,
            coordinates=np.repeat(np.arange(visits, dtype=float), patients) if self.structure.startswith("spatial") else None,
        )  # fmt: skip
        contrast = np.zeros(len(made.names))
        contrast[2 * visits - 1] = 1.0
        return made.estimate(contrast, "treated - control at the last visit")

    def truth(self, scenario: Scenario) -> float | None:
        """The effect at the last visit."""
        return scenario.effect
