"""The one-page glucose report: a record in, numbers with intervals, a page, a PDF out.

==================  ==============================================================================
``readings``        the trace of a record on the person's clock, and what had to be said of it
``report``          the numbers of a period, of the period before, and what changed
``sentences``       what changed, in words, with its uncertainty
``content``         the same as plain values for JSON
``write``           the same as a document
``figures/``        profile, days, ranges and risk
==================  ==============================================================================

The metrics are in :mod:`medtwin.statistics.glucose`. Error grids of pairs are in ``grids``.
"""
