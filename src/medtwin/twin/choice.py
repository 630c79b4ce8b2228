"""Which model speaks for which person, and which facts it is told.

A model that does not speak for a person is worse than none. Where none does, the person gets a statistical forecast,
labelled so, and the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from medtwin.errors import InferenceError
from medtwin.inference.update import Update
from medtwin.physiology.model import Model
from medtwin.record import Basis, Code, Event, Flag, Intent, Precision, Record

NONE_YET = "no physiological model for this person yet"
CONTRADICTED = f"{NONE_YET}: type 1 and type 2 diabetes are both recorded as current, which contradict each other"
SNOMED = ("http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96", "snomed")
#: ICD-10 and its national editions, which agree in the first three characters
ICD_10 = (
    "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm", "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
    "http://fhir.de/CodeSystem/dimdi/icd-10-gm", "urn:oid:2.16.840.1.113883.6.3", "urn:oid:2.16.840.1.113883.6.90",
)  # fmt: skip
TYPE_1 = (frozenset({"46635009", "313435000", "31321000119102"}), "E10")  #: SNOMED CT, ICD-10
TYPE_2 = (frozenset({"44054006", "313436004"}), "E11")
GLUCOSE = "glucose_insulin"  #: which structure speaks first for people who inject insulin
STRUCTURES = ("glucose_insulin", "glucose_meals")
BANKS = ("usual", "wide")  #: hypotheses that a filter runs side by side: those that ship, or more
PREDIABETES = (frozenset({"714628002", "15777000"}), "R73.03")
ANY_DIABETES = (frozenset({"73211009", "44054006", "46635009"}), "E1")
PREDIABETIC = 0.3  #: judgement: between health and type 2 diabetes, nearer to health
INSULIN = ("insulin_bolus", "insulin_basal_rate")
CUFF = ("systolic_pressure", "diastolic_pressure")


@dataclass(frozen=True)
class Choice:
    """``model`` and ``update`` are None when nothing physiological speaks for this person; ``reason`` says why."""

    headline: str  #: the quantity that the page shows first
    reason: str
    model: Model | None = None
    update: Update | None = None
    unused: tuple[str, ...] = ()  #: what the model accepts and this person does not take: no plan offers it

    @property
    def physiological(self) -> bool:
        return self.model is not None


def diagnosed(
    record: Record,
    kind: tuple[frozenset[str], str | tuple[str, ...]],
    at: datetime | None = None,
    *,
    since: datetime | None = None,
) -> bool:
    """Whether a diagnosis of ``kind`` is current at a moment (the newest fact's, where none is stated).

    It counts where it is confirmed, or stated without a word of verification; not where it is negated, suspected, or
    ended before, or begun before ``since``. Codes count within their systems
    only: a text or a code of some other system says nothing here.
    """
    at = at or next((e.instant for e in reversed(record.events) if _been(e)), None)
    return any(
        isinstance(event.value, Code)
        and not (event.value.negated or event.value.unconfirmed)
        and not (at is not None and _over(event, at))
        and _is(event.value, kind)
        for event in record.of("diagnosis", since=since)
    )


def _is(code: Code, kind: tuple[frozenset[str], str | tuple[str, ...]]) -> bool:
    concepts, category = kind
    if code.system in SNOMED:
        return code.code in concepts
    return code.system in ICD_10 and code.code.upper().startswith(category)


def _been(event: Event) -> bool:
    return event.intent is Intent.HAPPENED and Flag.FUTURE not in event.flags


def _over(event: Event, at: datetime) -> bool:
    last = event.until
    return last is not None and (last.end if last.precision <= Precision.DAY else last.instant) <= at


def choose(record: Record, at: datetime | None = None, model: str | None = None, bank: str = "usual") -> Choice:
    """The model for this person at a moment. A glucose model speaks for type 1 with insulin records; a circulation for
    a cuff. ``model`` names another structure for the same people (:data:`STRUCTURES`), ``bank`` another bank of hypotheses for
    those who inject insulin (:data:`BANKS`)."""
    if bank not in BANKS:
        raise InferenceError(f"the bank {bank[:40]!r}", expected=" or ".join(BANKS), where="the choice of hypotheses")
    if model is not None and model not in STRUCTURES:
        raise InferenceError(f"the model {model[:40]!r}", expected=" or ".join(STRUCTURES), where="the choice of model")
    held = {event.quantity for event in record.events}
    if "glucose" in held:
        if not diagnosed(record, TYPE_1, at):
            return _own_insulin(record, held, at)
        if diagnosed(record, TYPE_2, at):
            return Choice("glucose", CONTRADICTED)
        if not held & set(INSULIN):
            return Choice("glucose", f"{NONE_YET}: no insulin doses are recorded")
        return Choice("glucose", "type 1 diabetes with insulin records", *structure(model or GLUCOSE, bank))
    if held >= set(CUFF):
        return Choice("systolic_pressure", "cuff pressures", *circulation())
    numbers = [e for e in record.events if isinstance(e.value, float)]
    most = max(sorted({e.quantity for e in numbers}), key=lambda q: len(record.of(q)), default="glucose")
    return Choice(most, NONE_YET)


def _own_insulin(record: Record, held: set[str], at: datetime | None) -> Choice:
    """Of somebody without type 1 diabetes: the model with insulin secretion, where it is known who and what was eaten."""
    if held & {*INSULIN, "insulin_long_acting"}:
        return Choice("glucose", f"{NONE_YET}: insulin is injected and no diagnosis of type 1 diabetes is recorded")
    share = secretes(record, at)
    if share is None:
        return Choice("glucose", f"{NONE_YET}: no diagnosis says whether insulin is secreted as in health")
    if "carbohydrate_intake" not in held:
        return Choice("glucose", f"{NONE_YET}: no meals are recorded")
    known = {0.0: "no diabetes", PREDIABETIC: "prediabetes", 1.0: "type 2 diabetes"}[share]
    return Choice(
        "glucose", f"{known}, with meals and without injected insulin", *structure("glucose_type_2"), unused=INSULIN
    )


def secretes(record: Record, at: datetime | None = None) -> float | None:
    """How far secretion and action of insulin are those of type 2 diabetes: 1 with its diagnosis, 0 where diabetes is
    negated, in between with prediabetes; None where nothing is stated."""
    if diagnosed(record, TYPE_2, at):
        return 1.0
    if diagnosed(record, PREDIABETES, at):
        return PREDIABETIC
    for event in record.of("diagnosis"):
        if isinstance(event.value, Code) and event.value.negated and _is(event.value, ANY_DIABETES):
            return 0.0
    return None


@cache
def structure(name: str, bank: str = "usual") -> tuple[Model, Update]:
    """A glucose model for people who inject insulin, and its filter, made once; ``bank``: one of BANKS."""
    from medtwin.inference import shipped

    if bank == "wide":
        return structure(name)[0], shipped.wide_update(name)
    if name == "glucose_insulin":
        from medtwin.physiology.glucose_insulin import GlucoseInsulin

        return GlucoseInsulin(), shipped.glucose_update()
    if name == "glucose_meals":
        from medtwin.physiology.glucose_meals import GlucoseMeals

        return GlucoseMeals(), shipped.glucose_meals_update()
    if name == "glucose_type_2":
        from medtwin.physiology.glucose_type_2 import GlucoseType2

        return GlucoseType2(), shipped.glucose_type_2_update()
    raise InferenceError(f"the model {name[:40]!r}", expected="a model of glucose", where="the choice of model")


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
