"""Nearest-neighbour matching on the propensity score: greedy, without replacement, within a caliper.

Treated patients choose in the order of falling score ("largest first": those hardest to match), each the nearest control
still free on ``scale`` (the probability itself or its logit) and no farther than ``caliper`` standard deviations of that
distance over all patients (Austin 2011 advises 0.2 of the logit). A tie goes to the control whose row comes first, so that
the set depends on the order of rows where scores are equal.

``side="below"`` is there to repeat old analyses, not for new ones: R's MatchIt 4.5.1 to 4.5.3 ignored the caliper on some
systems (its issue 163; 4.5.4 mended it). Run here, 4.5.1 gave each treated patient the nearest free control whose score was
not above the patient's own, however far: as if every difference had been cut to a whole number. The same version with the
logit times a million, where that does no harm, pairs as this file does, caliper and all (tests/trials/test_against_r.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.analysis.data import TrialData
from medtwin.trials.external.arms import two_arms


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Matched sets."""

    weights: np.ndarray  #: (patient,) 1 for the matched treated, 1/ratio for each of their controls, else 0
    matched_set: np.ndarray  #: (patient,) number of the set, -1 where unmatched; ``cluster`` of a robust variance
    distance: np.ndarray  #: (pair,) absolute difference of the score, on ``scale``
    notes: tuple[str, ...] = ()


def nearest_neighbours(
    trial: TrialData, score: np.ndarray, *, caliper: float | None = 0.2, ratio: int = 1, scale: str = "logit",
    order: str = "largest", side: str = "either",
) -> Matching:  # fmt: skip
    """Match ``ratio`` controls to each treated patient. ``score`` (patient,) in (0, 1).

    ``caliper`` in standard deviations of the distance (None: any distance). ``order``: ``largest``, ``smallest`` or
    ``data``. A treated patient without a full set is left out, and a note says how many: the estimate is then no longer
    that of all the treated. ``side``: ``either``, or ``below``: controls whose score is above the patient's are taken only
    where none is left below (see above).
    """
    controls, treated = two_arms(trial, "matching")
    if (
        scale not in ("logit", "probability")
        or order not in ("largest", "smallest", "data")
        or side not in ("either", "below")
    ):
        raise AnalysisError(
            f"scale {scale!r}, order {order!r}, side {side!r}",
            expected="logit or probability; largest, smallest, data; either or below",
        )
    held = np.asarray(score, dtype=float)
    if held.shape != trial.arm.shape or not ((held > 0.0) & (held < 1.0)).all():
        raise AnalysisError("scores", expected="one a patient, strictly between 0 and 1", where="matching")
    if ratio < 1 or (ratio * treated.sum() > controls.sum() and caliper is None):
        raise AnalysisError(
            f"{int(controls.sum())} controls for {int(treated.sum())} treated, {ratio} each", expected="enough controls",
            where="matching", remedy="lower the ratio, or weight instead",
        )  # fmt: skip
    place = special.logit(held) if scale == "logit" else held
    reach = np.inf if caliper is None else caliper * float(place.std(ddof=1))
    wanted = np.flatnonzero(treated)
    if order != "data":
        wanted = wanted[np.argsort(-place[wanted] if order == "largest" else place[wanted], kind="stable")]
    free = np.flatnonzero(controls)
    weights, sets, distances, number = np.zeros(len(held)), np.full(len(held), -1), [], 0
    for patient in wanted:
        away = np.abs(place[free] - place[patient])
        above = (place[free] > place[patient]) & (side == "below")
        chosen = np.lexsort((away, above))[:ratio]
        if len(chosen) < ratio or away[chosen].max() > reach:
            continue
        rows = free[chosen]
        weights[patient], weights[rows] = 1.0, 1.0 / ratio
        sets[patient] = sets[rows] = number
        distances.extend(away[chosen])
        free = np.delete(free, chosen)
        number += 1
    if not number:
        raise AnalysisError(
            "no treated patient with a control within the caliper", expected="some", where="matching: no overlap",
            remedy="restrict both arms to the eligibility they share, or widen the caliper",
        )  # fmt: skip
    left = len(wanted) - number
    notes = [f"{number} treated patients matched to {ratio * number} controls"]
    if side == "below":
        notes.append(
            "controls with a score above the treated patient's own were passed over: not the nearest neighbours"
        )
    if left:
        notes.append(f"{left} treated patients without a match: the estimate is not of all the treated")
    return Matching(weights, sets, np.asarray(distances), tuple(notes))
