"""Harrell's concordance (1982) of a risk score with event times: how often who has the event first had the higher risk.

    C = (concordant pairs + ties of the score / 2) / comparable pairs

A pair is comparable if the earlier time is an event; of equal times only an event with a censored one, which comes after.
"""

from __future__ import annotations

import numpy as np

from medtwin.errors import AnalysisError


def concordance(time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> float:
    """C, 0.5 by chance. ``risk`` (patient,): higher, sooner. ``time``, ``event`` (patient,). Raises :class:`AnalysisError`."""
    time, event, risk = np.asarray(time, float), np.asarray(event, bool), np.asarray(risk, float)
    if not (time.shape == event.shape == risk.shape and time.ndim == 1 and np.isfinite(risk).all()):
        raise AnalysisError(f"shapes {time.shape}, {event.shape}, {risk.shape}", expected="one finite number a patient each",
                            where="concordance")  # fmt: skip
    good = pairs = 0.0
    for patient in np.flatnonzero(event):
        later = (time > time[patient]) | ((time == time[patient]) & ~event)
        pairs += float(later.sum())
        good += float((risk[later] < risk[patient]).sum()) + 0.5 * float((risk[later] == risk[patient]).sum())
    if not pairs:
        raise AnalysisError(
            "no two patients who can be compared", expected="an event before another time", where="concordance"
        )
    return good / pairs
