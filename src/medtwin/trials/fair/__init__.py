"""Fair use of a score: what it does for each group of patients, with intervals, and what must not be said of small groups.

========================  ==========================================================================
``fair``                  the verb ``fair_use``, and the report it hands back
``calibration``           in the large, slope, intercept, O:E of events (profile likelihood)
``calibration_continuous``  the same of measured outcomes
``calibration_survival``  O:E of censored outcomes, by Kaplan-Meier and by time at risk
``smooth``                integrated calibration index, beside that of a perfect score
``discrimination``        AUC (DeLong), Brier score, RMSE
``parity``                selection, true and false positive rates; parity and odds measures
``conformal``             split and group-conditional (Mondrian) intervals and sets
``decision``              net benefit by threshold
``benefit``               correlation, partial correlation, what they save
``representativeness``    trial against target, by covariate; ``overlap``: as a whole
``compare``               heterogeneity, group against rest, Holm and Benjamini-Hochberg
``rules``                 minimum numbers, small cells, what is compared; ``flags``: sentences
``groups``, ``inputs``    reading of a table; ``figures``: every figure of one group
========================  ==========================================================================
"""

from medtwin.trials.fair.fair import FairUse, GroupRow, fair_use
from medtwin.trials.fair.representativeness import Margin
from medtwin.trials.fair.rules import Rules

__all__ = ["FairUse", "GroupRow", "Margin", "Rules", "fair_use"]
