"""What comes next for many at once: the glucose that a fleet's beliefs expect some minutes ahead.

The model alone, nothing planned, and its own spread: no band here is calibrated on a person's past. On real people a
physiological filter alone forecasts worse than the last reading does at half an hour (``docs/evidence/forecast-people.md``);
it is good for ranking whom to look at first. For one person ask :mod:`medtwin.twin.forecast`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy.stats import norm

from medtwin.errors import InferenceError
from medtwin.quantities import registry
from medtwin.twin.fleet import Fleet

LOW = 70.0  #: mg/dL: level 1 of low glucose (Battelino et al., Diabetes Care 2019;42:1593)
LABEL = "the model alone, uncalibrated"


@dataclass(frozen=True, slots=True)
class Ahead:
    """One person's reading to come, N(``mean``, ``sd``²) in mg/dL with the sensor's error in it."""

    patient: str
    at: datetime  #: for when
    mean: float
    sd: float
    low: float  #: probability below :data:`LOW`


def ahead(
    fleet: Fleet, patients: Iterable[str], minutes: int, progress: Callable[[int], None] | None = None
) -> list[Ahead]:
    """The reading ``minutes`` after where each belief stands, likeliest low first; who has no belief is left out.

    Readings of these patients that wait for a later moment than the fleet's present are not in it. Raises InferenceError where
    ``minutes`` is no multiple of the filter's interval, or the model does not observe glucose.
    """
    model, interval = fleet.model, fleet.update.interval
    steps = round(minutes * 60.0 / fleet.like.length)
    if steps < interval or steps % interval or "glucose" not in model.observes:
        expected = f"a multiple of {interval * fleet.like.length / 60.0:g} minutes, and a model of glucose"
        raise InferenceError(f"{minutes} minutes ahead with {model.name}", expected=expected)
    members = [one for patient in patients if (one := fleet.members.get(patient)) is not None and one.row]
    mean, sd = fleet.fold.expected(members, steps, "glucose", progress)
    known = registry.get("glucose")
    made = []
    for member, middle, own in zip(members, mean.tolist(), sd.tolist(), strict=True):
        whole = float(np.hypot(own, known.sd(middle)))
        low = float(norm.cdf((LOW - middle) / whole))
        made.append(Ahead(member.patient, member.axis.moment(member.step + steps), middle, whole, low))
    return sorted(made, key=lambda one: -one.low)
