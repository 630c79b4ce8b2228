"""Moved to :mod:`medtwin.reports.figures.pdf`; kept here for those who import it by this name."""

from medtwin.reports.figures.pdf import BOLD, FACE, drawing, fonts, printable

__all__ = ["BOLD", "FACE", "drawing", "fonts", "printable"]
