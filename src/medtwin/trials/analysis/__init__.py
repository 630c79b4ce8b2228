"""Analyses of a randomised trial: a :class:`TrialData` in, an :class:`Analysis` of estimates and notes out.

``linear`` (continuous), ``marginal`` (continuous, binary, count), ``logrank``, ``cox``, ``kaplan`` and
``survival_adjusted`` (time to event); ``concordance`` says how well a score orders event times;
``batch`` holds the fast kernels that a simulator of whole trials stands on.
"""

from medtwin.trials.analysis.data import TrialData, read_trial
from medtwin.trials.analysis.result import Analysis

__all__ = ["Analysis", "TrialData", "read_trial"]
