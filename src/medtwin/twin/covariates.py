"""What a model's priors follow of a person: body weight, height, age, as known at a moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from medtwin.physiology.model import Model, covariates
from medtwin.record import Event, Record
from medtwin.twin.choice import secretes

YEAR = 365.25 * 86400.0  #: seconds


@lru_cache(maxsize=64)
def quantities(model: Model) -> frozenset[str]:
    """Quantities whose facts can change what the model's priors follow."""
    names = frozenset(_asked(model))
    names = names | {"sex"} if "age" in names else names
    return names | {"diagnosis"} if "type_2_diabetes" in names else names


def known(model: Model, record: Record) -> Callable[[datetime], dict[str, float]]:
    """The covariates that the model's priors ask for, as known at a moment: the last value before it, else the first.

    Age is counted on, in whole years, from the newest statement of it, else from the birth that a FHIR Patient states
    (its administrative gender is a fact that holds from then on).
    """
    names = _asked(model)
    series = {n: [(e.instant, float(e.value)) for e in record.of(n) if isinstance(e.value, float)] for n in names}
    births = [e.instant for e in record.of("sex") if _dated_at_birth(e)] if "age" in names else []

    def at(moment: datetime) -> dict[str, float]:
        found = {}
        for name, values in series.items():
            if name == "age":
                if (years := _age(values, births, moment)) is not None:
                    found[name] = years
            elif name == "type_2_diabetes":
                if (share := secretes(record, moment)) is not None:
                    found[name] = share
            elif values:
                before = [value for when, value in values if when <= moment]
                found[name] = before[-1] if before else values[0][1]
        return found

    return at


@lru_cache(maxsize=64)
def _asked(model: Model) -> tuple[str, ...]:
    return tuple(covariates(model))


def _dated_at_birth(event: Event) -> bool:
    return event.source.dialect.startswith("fhir") and event.key.endswith("#sex")


def _age(stated: list[tuple[datetime, float]], births: list[datetime], moment: datetime) -> float | None:
    anchors = stated or [(birth, 0.0) for birth in births]
    if not anchors:
        return None
    when, value = max((a for a in anchors if a[0] <= moment), default=anchors[0])
    years = value + (moment - when).total_seconds() / YEAR
    return float(int(years)) if years >= 0.0 else None
