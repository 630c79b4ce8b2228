"""The analysis plan of a trial as a file: read, locked before the outcomes are seen, carried out, reported.

One file of ``methods/`` for each method that a plan may name.
"""
