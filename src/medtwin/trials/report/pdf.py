"""The report of a trial as a PDF: see :mod:`medtwin.reports.pdf`."""

from __future__ import annotations

from medtwin.reports.pdf import PAGES, paginated
from medtwin.trials.analysis_plan.analysed import Analysed
from medtwin.trials.report.write import document

__all__ = ["PAGES", "paginated", "pdf"]


def pdf(analysed: Analysed, page: str = "A4") -> bytes:
    """The whole file; ``page``: A4 or Letter."""
    return paginated(document(analysed), page)
