"""Mixed model for repeated measures: ``fit`` on arrays, ``fit_table`` on a tidy table.

``structures/`` holds the covariance structures, ``inference/`` the covariances and degrees of freedom, one file each.
"""

from medtwin.trials.mmrm.fit import COVARIANCES, DEGREES, Fit, FTest, fit
from medtwin.trials.mmrm.structures import STRUCTURES
from medtwin.trials.mmrm.table import TableFit, fit_table

__all__ = ["COVARIANCES", "DEGREES", "STRUCTURES", "FTest", "Fit", "TableFit", "fit", "fit_table"]
