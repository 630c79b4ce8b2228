"""A decision as it is kept: the question, two promised futures, and what somebody decided about it.

It is a fact like any other: a note whose raw bytes hold all of it under the patient's key (system ``medtwin-decision``), so
that it is audited, exported, erased and never edited. What was promised is kept as it was shown then: judging it later needs
no model, and a newer model cannot make an old promise look better.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

import msgspec

from medtwin.errors import FormatError, InferenceError, MedtwinError
from medtwin.governance.grant import Grant
from medtwin.quantities import registry
from medtwin.record import Code, Event, Moment, Record, Source, SourcePatient
from medtwin.record.store import RawKept, Store

if TYPE_CHECKING:
    from medtwin.twin.forecast import Effect, Forecast

SYSTEM, DIALECT = "medtwin-decision", "medtwin-decision/1"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
LONGEST = 500  #: characters of a reason
Verdict = Literal["accepted", "changed", "refused"]


class PlannedDose(msgspec.Struct, kw_only=True, frozen=True):
    """What was planned: a quantity, how much, when; of what lasts (a walk's heart rate, a basal rate) until when."""

    quantity: str
    value: float
    unit: str
    time: datetime
    until: datetime | None = None


class Promise(msgspec.Struct, kw_only=True, frozen=True):
    """One future as it was shown: quantiles ``[time][level]`` at LEVELS, in the quantity's unit."""

    label: str
    times: list[datetime]
    quantiles: list[list[float]]


class Decision(msgspec.Struct, kw_only=True, frozen=True):
    """What the raw bytes hold."""

    dialect: str
    id: str
    question: str
    suggested_by: str  #: what made the suggestion: "what-if", "therapy review", or a person
    made_at: datetime  #: as of when the futures were made
    decided_at: datetime
    by: str
    verdict: Verdict
    because: str
    quantity: str
    unit: str
    snapshot: str  #: of the twin that promised, empty where none did
    suggested: list[PlannedDose]  #: what the suggestion was
    planned: list[PlannedDose]  #: what was decided: the suggestion, what it was changed to, or nothing
    without: Promise  #: the future if nothing of it is done
    scenario: Promise  #: the future with what was decided, or, of a refusal, with what was suggested


def decide(
    record: Record, effect: Effect, suggested: Sequence[Event], verdict: Verdict, by: str, now: datetime, *,
    planned: Sequence[Event] | None = None, because: str = "", snapshot: str = "", suggested_by: str = "what-if",
) -> Decision:  # fmt: skip
    """A decision about ``effect``, which is that of ``planned`` (of a refusal: of ``suggested``).

    Raises :class:`FormatError` where nothing was promised, or a change or a refusal states no reason, and
    :class:`InferenceError` where no physiological model speaks, so that both futures are the same.
    """
    because = " ".join(because.split())
    if effect.baseline.withheld or not effect.baseline.times:
        raise FormatError(
            "a forecast that was withheld", expected="two futures to decide between", where=f"patient {record.patient}",
            remedy="decide when the twin can answer",
        )  # fmt: skip
    if not effect.baseline.physiological:
        raise InferenceError(
            "a person for whom no model speaks, so that a plan cannot be judged", expected="a physiological model",
            where=f"patient {record.patient}", remedy="see `medtwin show` for the reason",
        )  # fmt: skip
    if verdict != "accepted" and not because:
        raise FormatError(f"a decision that is {verdict!r} without a reason", expected="why, in a few words")
    if len(because) > LONGEST:
        raise FormatError(f"a reason of {len(because)} characters", expected=f"at most {LONGEST}")
    done = [] if verdict == "refused" else list(suggested if planned is None else planned)
    quantity = effect.baseline.quantity
    doses, chosen = [_dose(e) for e in suggested], [_dose(e) for e in done]
    mark = blake2b(msgspec.json.encode([record.patient, now, doses, chosen, verdict]), digest_size=6).hexdigest()
    return Decision(
        dialect=DIALECT, id=f"{now:%Y%m%dT%H%M%S}-{mark}", question=_question(doses), suggested_by=suggested_by,
        made_at=effect.baseline.made_at, decided_at=now, by=by, verdict=verdict, because=because, quantity=quantity,
        unit=registry.get(quantity).unit, snapshot=snapshot, suggested=doses, planned=chosen,
        without=_promise(effect.baseline), scenario=_promise(effect.scenario),
    )  # fmt: skip


def facts(store: Store, grant: Grant, patient: str, decision: Decision) -> list[Event]:
    """Keep the raw bytes of a decision; the note that it is, to be appended."""
    owner = SourcePatient(SYSTEM, patient)
    kept: RawKept = store.keep_raw(
        msgspec.json.encode(decision), owner, grant, media_type="application/json", file="decision.json", source=SYSTEM
    )
    store.link(owner, patient, grant)
    words = f"{decision.question}: {decision.verdict}" + (f" ({decision.because})" if decision.because else "")
    return [
        Event(
            subject=owner, quantity="note", value=Code("urn:medtwin:decision", decision.verdict, words), text=words,
            time=Moment.of(decision.decided_at), available=decision.decided_at, key=decision.id, group=decision.id,
            source=Source(system=SYSTEM, dialect=DIALECT, raw=kept.hash, locator="decision", file="decision.json"),
        )
    ]  # fmt: skip


def decisions(store: Store, grant: Grant, record: Record) -> list[Decision]:
    """Of a record, newest first."""
    found = []
    for event in record.of("note"):
        if event.source.system == SYSTEM and event.source.dialect == DIALECT:
            try:
                found.append(msgspec.json.decode(store.raw(record.patient, event.source.raw, grant), type=Decision))
            except (MedtwinError, msgspec.DecodeError):
                continue  # bytes of another version: the note stands in the record all the same
    return sorted(found, key=lambda one: one.decided_at, reverse=True)


def _dose(event: Event) -> PlannedDose:
    assert isinstance(event.value, float)
    unit = registry.get(event.quantity).unit
    until = event.until.instant if event.until else None
    return PlannedDose(quantity=event.quantity, value=event.value, unit=unit, time=event.instant, until=until)


def _promise(forecast: Forecast) -> Promise:
    rows = zip(*(forecast.at(level) for level in LEVELS), strict=True)
    return Promise(
        label=forecast.label, times=list(forecast.times), quantiles=[[round(float(v), 3) for v in row] for row in rows]
    )


def _question(doses: Sequence[PlannedDose]) -> str:
    if not doses:
        return "Leave everything as it is?"
    said = ", ".join(_said(one) for one in doses)
    return f"{said[0].upper()}{said[1:]}?"


def _said(dose: PlannedDose) -> str:
    unit = dose.unit.replace("[iU]", "U")
    if dose.quantity == "heart_rate" and dose.until is not None:
        return f"a walk of {(dose.until - dose.time).total_seconds() / 60:.0f} min at a heart rate of {dose.value:g} {unit}"
    return f"{dose.value:g} {unit} {registry.get(dose.quantity).meaning.lower()}"
