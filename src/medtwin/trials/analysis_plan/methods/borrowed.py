"""``kind: borrowed``: own controls with history behind them through a prior; see :mod:`medtwin.trials.external.hybrid`.

History is either rows of the table (``external``: labels of the arm column, each a historical study) or published
(``history``). A binary outcome borrows a rate, a continuous one a mean. ``prior: none`` is checked each time it is used:
shifting the external patients must not move the answer (:func:`medtwin.trials.external.tipping.check_no_borrowing`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from medtwin.errors import AnalysisError
from medtwin.trials.analysis_plan.asked import Asked, Done
from medtwin.trials.analysis_plan.methods.history import Study, studies
from medtwin.trials.analysis_plan.methods.prior_of_mean import borrow_mean
from medtwin.trials.analysis_plan.methods.prior_of_rate import borrow_rate
from medtwin.trials.estimate import Estimate
from medtwin.trials.external.tipping import check_no_borrowing, drift_table

PRIORS = ("none", "power", "normalised-power", "map", "commensurate", "leap")


class Borrowed(msgspec.Struct, tag_field="kind", tag="borrowed", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Difference of rates or means, treated against own controls and what is borrowed."""

    prior: str  #: none | power | normalised-power | map | commensurate | leap
    external: list[str | int] = []  #: labels of the arm column: historical studies
    history: list[Study] = []  #: or as published
    discount: float = 0.5  #: power prior: what a historical patient counts
    vague_weight: float = 0.2  #: MAP: share of the vague part; 0 is not robust
    heterogeneity_scale: float | None = None  #: MAP: half-normal, log odds (1) or the outcome's unit
    scale: float = 0.5  #: commensurate: half-normal of the distance, log odds or the outcome's unit
    initial: tuple[float, float] = (1.0, 1.0)  #: Beta of a rate before any data
    drifts: list[
        float
    ] = []  #: shifts of the external outcomes, for the table; none: up to 0.1, of a mean half a deviation


def run(method: Borrowed, asked: Asked) -> Done:
    """The difference, what the prior is worth, and the answer over a drift of the external patients."""
    if method.prior not in PRIORS:
        raise AnalysisError(f"prior {method.prior!r}", where=asked.analysis.name, expected=", ".join(PRIORS))
    history = studies(method, asked)
    rate = asked.analysis.endpoint == "binary"
    borrow = borrow_rate if rate else borrow_mean
    made, further = borrow(method, asked, history)

    def drifted(drift: float) -> Estimate:
        return borrow(method, asked, [study.shifted(drift, rate=rate) for study in history])[0].estimates[0]

    width = 0.1 if rate else 0.5 * float(asked.trial().outcome.std())
    drifts = method.drifts or [share * width for share in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    rows = check_no_borrowing(drifted, drifts) if method.prior == "none" else drift_table(drifted, drifts)
    table: list[dict[str, Any]] = [
        {"drift": row.drift, "estimate": row.estimate.value, "standard error": row.estimate.standard_error,
         "p": row.estimate.p_value}
        for row in rows
    ]  # fmt: skip
    return Done(analysis=made, further={**further, "by drift of the external patients": table})
