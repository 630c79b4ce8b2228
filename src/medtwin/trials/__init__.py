"""Trials: prognostic scores, planning, analyses and external controls, on any tidy table, with or without a twin.

Formulas, sources and reference results stand in each file; see ``docs/architecture.md`` for what belongs where.
"""
