"""Prognostic twins: joint draws of a patient's outcomes at visits from what is known at baseline.

:func:`read_cohort` from a tidy table; :func:`fit_mixed` or :func:`fit_boosted`; :func:`draw`, given baseline or any visits so
far; ``evaluation`` judges any forecast that has draws.
"""
