"""Figures of trials, one file each. A figure is a :class:`~medtwin.reports.figures.drawing.Scene` of lines, polygons
and words, which ``svg`` and ``pdf`` render alike.
"""
