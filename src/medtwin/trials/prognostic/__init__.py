"""Prognostic twins: joint draws of a patient's outcomes at visits from what is known at baseline.

:func:`read_cohort` from a tidy table; :func:`fit_mixed`, :func:`fit_boosted`, :func:`fit_linear` or :func:`fit_persistence`,
or :func:`choose` among them; :func:`fit_departure` for who leaves, and :class:`StillThere` for those who do not;
:func:`draw`, given baseline or, by the mixed model, any visits so far; :func:`prognostic_score`
as a covariate; :func:`synthetic_control_arm` to plan with; :func:`conformal` intervals; ``evaluation`` judges any forecast
that has draws. ``python -m medtwin.trials.prognostic.demonstration`` shows it on public data.
"""

from medtwin.trials.prognostic.boosting import fit_boosted
from medtwin.trials.prognostic.choose import Choice, choose
from medtwin.trials.prognostic.cohort import Baseline, Cohort
from medtwin.trials.prognostic.conformal import Conformal, conformal
from medtwin.trials.prognostic.departure import Departure, StillThere, draw_with_departure, fit_departure, given_present
from medtwin.trials.prognostic.draws import Draws
from medtwin.trials.prognostic.generator import Generator, draw, draw_visits
from medtwin.trials.prognostic.linear import fit_linear
from medtwin.trials.prognostic.mean import Mean
from medtwin.trials.prognostic.mixed import MixedModel, fit_mixed
from medtwin.trials.prognostic.outcome import Outcome
from medtwin.trials.prognostic.persistence import fit_persistence
from medtwin.trials.prognostic.resampled import ResampledTrajectories
from medtwin.trials.prognostic.table import read_cohort
from medtwin.trials.prognostic.use import PlanningValues, planning_values, prognostic_score, synthetic_control_arm

__all__ = [
    "Baseline",
    "Choice",
    "Cohort",
    "Conformal",
    "Departure",
    "Draws",
    "Generator",
    "Mean",
    "MixedModel",
    "Outcome",
    "PlanningValues",
    "ResampledTrajectories",
    "StillThere",
    "choose",
    "conformal",
    "draw",
    "draw_visits",
    "draw_with_departure",
    "fit_boosted",
    "fit_departure",
    "fit_linear",
    "fit_mixed",
    "fit_persistence",
    "given_present",
    "planning_values",
    "prognostic_score",
    "read_cohort",
    "synthetic_control_arm",
]  # fmt: skip
