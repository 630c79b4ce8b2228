"""``kind: borrowed``: own controls with history behind them through a prior; see :mod:`medtwin.trials.external.hybrid`.

History is either rows of the table (``external``: labels of the arm column, each a historical study) or published
(``history``). A binary outcome borrows a rate, a continuous one a mean. ``prior: none`` is checked each time it is used:
the analysis is made again with the external patients' outcomes moved, and its answer must stay the same
(:func:`medtwin.trials.external.tipping.check_no_borrowing`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.trials.analysis_plan.asked import Asked, Done, arm_word
from medtwin.trials.analysis_plan.methods.history import Study, studies
from medtwin.trials.analysis_plan.methods.prior_of_mean import borrow_mean
from medtwin.trials.analysis_plan.methods.prior_of_rate import borrow_rate
from medtwin.trials.analysis_plan.methods.weighted import named
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
    scale: float | None = (
        None  #: commensurate: half-normal of the distance; log odds (0.5), of a mean in its unit (needed)
    )
    initial: tuple[float, float] = (1.0, 1.0)  #: Beta of a rate before any data
    drifts: list[
        float
    ] = []  #: shifts of the external outcomes, for the table; none: up to 0.1, of a mean half a deviation


def run(method: Borrowed, asked: Asked) -> Done:
    """The difference, what the prior is worth, and the answer over a drift of the external patients."""
    if method.prior not in PRIORS:
        raise AnalysisError(f"prior {method.prior!r}", where=asked.analysis.name, expected=", ".join(PRIORS))
    history, notes = studies(method, asked)
    rate = asked.analysis.endpoint == "binary"
    borrow = borrow_rate if rate else borrow_mean
    made, further = borrow(method, asked, history)

    if method.prior == "none":
        check_no_borrowing(lambda away: _with_externals_moved(method, asked, away), (0.0, 1.0))

    def drifted(drift: float) -> Estimate:
        return borrow(method, asked, [study.shifted(drift, rate=rate) for study in history])[0].estimates[0]

    width = 0.1 if rate else 0.5 * float(asked.trial().outcome.std())
    drifts = method.drifts or [share * width for share in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    rows = drift_table(drifted, drifts)
    table: list[dict[str, Any]] = [
        {"drift": row.drift, "estimate": row.estimate.value, "standard error": row.estimate.standard_error,
         "p": row.estimate.p_value}
        for row in rows
    ]  # fmt: skip
    worth = further.get("prior worth, in patients (moment)", 0.0)
    if worth > (size := sum(study.patients for study in history)):
        notes += (
            f"the prior is worth {worth:.0f} patients, more than the {size:.0f} behind it: its parameters add information",
        )
    made = named(replace(made, notes=(*made.notes, *notes)), asked.trial())
    return Done(analysis=made, further={**further, "by drift of the external patients": table})


def _with_externals_moved(method: Borrowed, asked: Asked, away: float) -> Estimate:
    """The whole analysis once more, after the external patients' outcomes were moved (of a binary one: turned round)."""
    outside = [arm_word(label, asked.plan.labels) for label in method.external]
    rate, column = asked.analysis.endpoint == "binary", pl.col(asked.analysis.outcome).cast(pl.Float64)
    moved = (1.0 - column if away else column) if rate else column + 1e3 * away
    theirs = pl.col(asked.plan.arm).is_in(outside)
    everybody, frame = (
        held.with_columns(pl.when(theirs).then(moved).otherwise(column).alias(asked.analysis.outcome))
        for held in (asked.everybody, asked.frame)
    )
    again = replace(asked, everybody=everybody, frame=frame)
    return (borrow_rate if rate else borrow_mean)(method, again, studies(method, again)[0])[0].estimates[0]
