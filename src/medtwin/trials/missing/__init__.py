"""Missing outcomes of a trial with several visits: missing at random, reference-based, and delta-adjusted imputation.

:class:`RepeatedTrial` in (or :func:`read_repeated` from a table), an :class:`~medtwin.trials.analysis.result.Analysis`
out: :func:`conditional_mean` with jackknife or bootstrap, or :func:`complete` and :func:`multiple_imputation` with Rubin's
rules; :func:`tipping_point` of either; :func:`estimated` from an estimand. :func:`binary`, :func:`count` and
:func:`survival` take a :class:`~medtwin.trials.analysis.data.TrialData`. A binary or count outcome at several visits is
not here.
"""

from medtwin.trials.missing.binary import binary
from medtwin.trials.missing.conditional import conditional_mean
from medtwin.trials.missing.count import count
from medtwin.trials.missing.delta import Delta
from medtwin.trials.missing.estimated import estimated
from medtwin.trials.missing.impute import Assumption
from medtwin.trials.missing.model import Specification
from medtwin.trials.missing.multiple import Completed, complete, multiple_imputation
from medtwin.trials.missing.repeated import RepeatedTrial
from medtwin.trials.missing.rubin import pool
from medtwin.trials.missing.samples import Samples, bootstrap, jackknife
from medtwin.trials.missing.strategies import STRATEGIES
from medtwin.trials.missing.survival import survival
from medtwin.trials.missing.table import read_repeated
from medtwin.trials.missing.tipping import TippingPoint, conditionally, multiply, tipping_point

__all__ = [
    "STRATEGIES", "Assumption", "Completed", "Delta", "RepeatedTrial", "Samples", "Specification", "TippingPoint", "binary",
    "bootstrap", "complete", "conditional_mean", "conditionally", "count", "estimated", "jackknife", "multiple_imputation",
    "multiply", "pool", "read_repeated", "survival", "tipping_point",
]  # fmt: skip
