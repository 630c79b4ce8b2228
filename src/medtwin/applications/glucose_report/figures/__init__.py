"""Figures of the glucose report, one file each: scenes that are drawn to SVG and to PDF alike."""
