"""The report of a trial as one HTML file that needs nothing else: see :mod:`medtwin.reports.html`."""

from __future__ import annotations

from medtwin.reports.html import page
from medtwin.trials.analysis_plan.analysed import Analysed
from medtwin.trials.report.write import document

__all__ = ["html", "page"]


def html(analysed: Analysed) -> str:
    """The whole file."""
    return page(document(analysed))
