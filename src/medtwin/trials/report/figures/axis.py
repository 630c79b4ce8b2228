"""Moved to :mod:`medtwin.reports.figures.axis`; kept here for those who import it by this name."""

from medtwin.reports.figures.axis import Axis, labels, linear_ticks, named, spread

__all__ = ["Axis", "labels", "linear_ticks", "named", "spread"]
