"""Which model speaks for which person, and which facts it is told.

A model that does not speak for a person is worse than none. Where none does, the person gets a statistical forecast,
labelled so, and the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from medtwin.inference.update import Update
from medtwin.physiology.model import Model
from medtwin.record import Basis, Code, Event, Flag, Intent, Record

NONE_YET = "no physiological model for this person yet"
TYPE_1 = frozenset({"46635009", "313435000", "E10", "E10.9", "31321000119102"})
CUFF = ("systolic_pressure", "diastolic_pressure")


@dataclass(frozen=True)
class Choice:
    """``model`` and ``update`` are None when nothing physiological speaks for this person; ``reason`` says why."""

    headline: str  #: the quantity that the page shows first
    reason: str
    model: Model | None = None
    update: Update | None = None

    @property
    def physiological(self) -> bool:
        return self.model is not None


def has_type_1(record: Record) -> bool:
    """Whether a current, not negated diagnosis says type 1 diabetes (SNOMED CT 46635009 and kin, ICD-10 E10)."""
    return any(
        isinstance(event.value, Code) and not event.value.negated
        and (event.value.code in TYPE_1 or event.value.code.startswith("E10"))
        for event in record.of("diagnosis")
    )  # fmt: skip


def choose(record: Record) -> Choice:
    """The model for this person. A glucose model speaks for type 1 with insulin records; a circulation for a cuff."""
    held = {event.quantity for event in record.events}
    if "glucose" in held:
        if not has_type_1(record):
            return Choice("glucose", f"{NONE_YET}: the glucose model speaks for type 1 diabetes only")
        if not held & {"insulin_bolus", "insulin_basal_rate"}:
            return Choice("glucose", f"{NONE_YET}: no insulin doses are recorded")
        return Choice("glucose", "type 1 diabetes with insulin records", *glucose())
    if held >= set(CUFF):
        return Choice("systolic_pressure", "cuff pressures", *circulation())
    numbers = [e for e in record.events if isinstance(e.value, float)]
    most = max(sorted({e.quantity for e in numbers}), key=lambda q: len(record.of(q)), default="glucose")
    return Choice(most, NONE_YET)


@cache
def glucose() -> tuple[Model, Update]:
    """The glucose-insulin model and its filter, made once."""
    from medtwin.inference.shipped import glucose_update
    from medtwin.physiology.glucose_insulin import GlucoseInsulin

    return GlucoseInsulin(), glucose_update()


@cache
def circulation() -> tuple[Model, Update]:
    """The circulation on its daily clock and its filter, made once."""
    from medtwin.inference.shipped import circulation_update
    from medtwin.physiology.circulation_daily import CirculationDaily

    return CirculationDaily(), circulation_update()


def told(model: Model, record: Record) -> tuple[Event, ...]:
    """Facts that ``model`` is told: what it accepts and observes; observed, happened, numeric and plausible.

    A heart rate counts for a circulation only when it was read with a cuff (in the same group): a watch's heart rate on
    a walk says nothing of a resting pressure.
    """
    observes = set(model.observes) | {a.quantity for a in model.accepts}
    if "insulin_basal_rate" in observes:
        observes.add("insulin_long_acting")  # acts as a basal rate, see medtwin.twin.doses
    cuffs = {e.group for e in record.of(*CUFF) if e.group} if set(CUFF) <= observes else None
    return tuple(
        event
        for event in record.of(*observes)
        if event.basis is Basis.OBSERVED
        and event.intent is Intent.HAPPENED
        and isinstance(event.value, float)
        and Flag.IMPLAUSIBLE not in event.flags
        and not (cuffs is not None and event.quantity == "heart_rate" and event.group not in cuffs)
    )
