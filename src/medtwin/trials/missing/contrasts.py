"""Each visit's ANCOVA as a linear function of the completed outcomes: what imputation feeds, thousands of times.

Least squares of a visit's outcome on arms and covariates; with complete data it is the saturated mixed model at that
visit. Its estimates, arm less control and each arm's mean at the covariates' mean, are ``L y`` with ``L`` free of ``y``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from medtwin.errors import AnalysisError
from medtwin.trials.missing.repeated import RepeatedTrial

Array = np.ndarray


@dataclass(frozen=True)
class Contrasts:
    """Names of the ``e`` estimates, at each visit the same."""

    trial: RepeatedTrial
    adjusted: bool  #: for the covariates

    @property
    def names(self) -> tuple[str, ...]:
        """Without the visit: ``DRUG - PLACEBO``, ``mean PLACEBO``; (e,)."""
        control, *others = self.trial.arm_names
        return (*(f"{arm} - {control}" for arm in others), *(f"mean {arm}" for arm in self.trial.arm_names))

    def weights(self, rows: Array | None = None) -> Array:
        """``L (e, k)`` of the patients ``rows`` (everybody). Raises :class:`AnalysisError` where an arm has nobody."""
        who = np.arange(len(self.trial.arm)) if rows is None else rows
        arm, arms = self.trial.arm[who], len(self.trial.arm_names)
        if len(np.unique(arm)) < arms:
            raise AnalysisError(
                "an arm without patients", expected="some in each", where="a sample of the jackknife or bootstrap"
            )
        cells = (arm[:, None] == np.arange(arms)).astype(float)
        design = cells
        if self.adjusted:
            covariates = self.trial.covariates[who]
            design = np.hstack([cells, covariates - covariates.mean(0)])
        means = linalg.pinv(design)[:arms]
        return np.concatenate([means[1:] - means[0], means])

    def named(self, visits: tuple[str, ...]) -> list[str]:
        """``DRUG - PLACEBO at 7``, visit after visit, (m e,)."""
        return [f"{name} at {visit}" for visit in visits for name in self.names]
