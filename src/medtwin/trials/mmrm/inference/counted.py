"""Degrees of freedom that are counted: residual, and between and within subjects; with whichever covariance.

Between-within: ``n - 1 - (columns constant within every subject)`` for those columns (without the 1 where there is no
constant), and ``N - n - (columns that change within a subject)`` for those and the constant itself; a contrast takes the
least of the columns it involves. Sources: Schluchter and Elashoff, J. Statist. Comput. Simul. 37 (1990): 69 (not verified);
Gałecki and Burzykowski, Linear Mixed-Effects Models Using R (2013), section 5.8 (levels of grouping).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medtwin.trials.mmrm.inference.method import positive
from medtwin.trials.mmrm.layout import Layout
from medtwin.trials.mmrm.structures.curve import Array


@dataclass(frozen=True)
class Counted:
    """One number for each column; a contrast takes the least of those it involves."""

    name: str
    covariance: Array
    of_columns: Array  #: (p,)

    def df(self, contrast: Array) -> float:
        """The least of the columns involved."""
        involved = np.abs(contrast) > 1e-12 * np.abs(contrast).max(initial=0.0)
        return positive(float(self.of_columns[involved].min(initial=np.inf)), self.name)

    def denominator(self, contrasts: Array) -> tuple[float, float]:
        """The least of all contrasts."""
        return min(self.df(contrast) for contrast in contrasts), 1.0


def residual(layout: Layout, covariance: Array) -> Counted:
    """``N - p`` for everything."""
    p = len(layout.names)
    return Counted("residual df", covariance, np.full(p, float(layout.observations - p)))


def between_within(layout: Layout, covariance: Array) -> Counted:
    """See the file's docstring."""
    constant, within = layout.intercept, layout.within
    between = ~constant & ~within
    outer = layout.subjects - int(constant.any()) - int(between.sum())
    inner = layout.observations - layout.subjects - int(within.sum())
    return Counted("between-within df", covariance, np.where(between, float(outer), float(inner)))
