"""Moved to :mod:`medtwin.reports.figures.text`; kept here for those who import it by this name."""

from medtwin.reports.figures.text import LONGEST, clean, fitted, one_line, width, wrapped

__all__ = ["LONGEST", "clean", "fitted", "one_line", "width", "wrapped"]
