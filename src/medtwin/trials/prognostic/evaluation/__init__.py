"""Judging forecasts that have draws, one question a file; arrays in, so that any forecast can be judged.

``draws (D, n)`` or ``(D, n, k)``, ``truth (n)`` or ``(n, k)`` with NaN where it was not measured, ``subject (n)``: patients are
the sample, not their visits.
"""
