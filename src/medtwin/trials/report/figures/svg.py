"""Moved to :mod:`medtwin.reports.figures.svg`; kept here for those who import it by this name."""

from medtwin.reports.figures.svg import dark_rules, svg

__all__ = ["dark_rules", "svg"]
