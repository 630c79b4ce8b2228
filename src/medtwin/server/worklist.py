"""GET /patients: who changed, who is stale, who disagrees. GET /patients/{patient}: one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from medtwin.evidence import calibrated
from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.record import Event
from medtwin.record.store import PatientEntry
from medtwin.server import asking, context, fresh, summary, words
from medtwin.server.http import answer, route
from medtwin.server.living import Standing
from medtwin.server.shapes import (
    Channel,
    ForecastSummary,
    Identifier,
    LastChange,
    LastDatum,
    ModelDetail,
    ModelStatus,
    PatientDetail,
    PatientSummary,
    TimelineChoice,
    Withheld,
    Worklist,
    Zone,
)
from medtwin.server.sources import of_patient
from medtwin.twin.scenario import plannable

WARMING = "the models are still being compiled"
MAKING = "the twin of this person is being made from the record"
PATIENCE = 3.0  #: seconds that a worklist waits for a forecast


@route("/patients", "The worklist: questions first, then who is stale, then the newest change.", Worklist)
async def worklist(request: Request) -> Response:
    here = context.of(request)
    entries = await here.living.read(here.store.patients, here.living.grant)
    now = here.clock()
    patients = list(await asyncio.gather(*(_summary(here, entry, now) for entry in entries)))
    return answer(Worklist(now=now, patients=sorted(patients, key=_urgency)))


def _urgency(patient: PatientSummary) -> tuple[bool, int, float]:
    worst = {"silent": 0, "late": 1, "fresh": 2, None: 3}
    state = min((worst[c.state] for c in patient.channels[:1]), default=3)
    changed = patient.last_change.time.timestamp() if patient.last_change else 0.0
    return patient.open_disagreements == 0, state, -changed


async def _summary(here: context.Context, entry: PatientEntry, now: datetime) -> PatientSummary:
    standing = here.living.held(entry.id)
    if standing is None and not here.living.warm:
        told = await here.living.read(here.store.newest, entry.id, here.living.grant, now)
        return _waiting(entry, [event for event in told if fresh.happened(event, now)])
    standing = await here.living.standing(entry.id)
    try:
        effect = await asyncio.wait_for(asyncio.shield(here.living.effect(standing, 6.0)), PATIENCE)
        future = summary.future(standing, effect)
    except TimeoutError:
        future = ForecastSummary(withheld=True, reason=WARMING)
    count = await here.living.read(asking.open_count, standing, here.store, here.living.grant)
    return PatientSummary(
        id=entry.id, name=entry.name or entry.id, synthetic=entry.synthetic,
        last_datum=summary.last_datum(standing, now), last_change=summary.last_change(standing, now),
        channels=_promised(fresh.channels(standing.record, now, standing.choice.headline)), open_disagreements=count,
        model=summary.model(standing), headline=summary.headline(standing, now), forecast=future,
        recent=summary.recent(standing, standing.present(now)), as_of=standing.at if standing.silent else None,
    )  # fmt: skip


def _promised(channels: list[Channel]) -> list[Channel]:
    """The headline's channel and those that promise to speak; a yearly laboratory value is never late."""
    return [c for number, c in enumerate(channels) if number == 0 or c.expected_every_s is not None]


def _waiting(entry: PatientEntry, newest: Sequence[Event]) -> PatientSummary:
    """A patient whose twin is not here yet: the page need not wait for it, and shows what the record holds."""
    return PatientSummary(
        id=entry.id, name=entry.name or entry.id, synthetic=entry.synthetic, last_datum=_datum(newest),
        last_change=_change(newest), channels=[], open_disagreements=0,
        model=ModelStatus(kind="statistical", name="Twin being made", reason=MAKING),
        headline=None, forecast=ForecastSummary(withheld=True, reason=WARMING), recent=None,
        as_of=None,
    )  # fmt: skip


def _datum(newest: Sequence[Event]) -> LastDatum | None:
    """The newest measurement, else nothing; ``newest`` begins with the newest fact."""
    for event in newest:
        known = registry.find(event.quantity)
        if known is not None and known.kind is Kind.LEVEL:
            return LastDatum(quantity=event.quantity, label=words.channel(event.quantity), time=event.instant)
    return None


def _change(newest: Sequence[Event]) -> LastChange | None:
    return LastChange(time=newest[0].instant, text=words.told(newest[0]), event=newest[0].id) if newest else None


@route(
    "/patients/{patient}",
    "One patient: sources, models, channels, what is withheld, what can be planned.",
    PatientDetail,
)
async def patient(request: Request) -> Response:
    here, entry = await context.entry(request)
    standing = await here.living.standing(entry.id)
    told = await here.living.read(here.store.demographics, entry.id, here.living.grant)
    now = here.clock()
    choice = standing.choice
    known = {(key.system, key.value) for key in (*told.identifiers, *entry.keys)}
    return answer(
        PatientDetail(
            now=now, as_of=standing.at if standing.silent else None, id=entry.id,
            name=entry.name or entry.id, synthetic=entry.synthetic,
            identifiers=[Identifier(system=system, value=value) for system, value in sorted(known)],
            sex=told.sex or None, birth=told.birth_date or None,
            zone=Zone(name=standing.record.zone, offset_known=_offset_known(standing)),
            sources=await here.living.read(of_patient, here, standing, now),
            models=[_model(standing)],
            channels=fresh.channels(standing.record, now, choice.headline),
            withheld=[
                Withheld(parameter=name, label=words.words(name), reason=reason)
                for name in (choice.model.inferred if choice.model is not None else ())
                if (reason := calibrated.withheld(choice.model.name, name, standing.twin)) is not None  # type: ignore[union-attr]
            ],
            timelines=_timelines(standing),
            planned_inputs=[s for a in _accepted(standing) if (s := words.slider(a)) is not None],
            what_if_reason=_why_not(standing),
            last_datum=summary.last_datum(standing, now), headline=summary.headline(standing, now),
            open_disagreements=await here.living.read(asking.open_count, standing, here.store, here.living.grant),
            belief_hash=standing.twin.snapshot if standing.twin is not None else None,
        )
    )  # fmt: skip


def _offset_known(standing: Standing) -> bool:
    """Whether the newest facts are instants on the world's time line."""
    newest = standing.record.events[-50:]
    return standing.record.zone is not None or all(event.time.offset_known for event in newest)


def _accepted(standing: Standing) -> tuple[str, ...]:
    return plannable(standing.choice) if standing.twin is not None else ()


def _why_not(standing: Standing) -> str | None:
    if standing.choice.model is None:
        return standing.choice.reason
    if standing.twin is None:
        return "nothing that the model can use is recorded yet"
    if not any(words.slider(quantity) for quantity in _accepted(standing)):
        return "this model has no input that can be planned"
    return None


def _model(standing: Standing) -> ModelDetail:
    status = summary.model(standing)
    model = standing.choice.model
    return ModelDetail(
        kind=status.kind, name=status.name, reason=status.reason,
        quantities=list(model.observes) if model is not None else [standing.choice.headline],
        references=[f"{r.text} {r.doi}".strip() for r in model.references] if model is not None else [],
    )  # fmt: skip


def _timelines(standing: Standing) -> list[TimelineChoice]:
    """What a timeline can show: the headline, what the twin believes, what was measured."""
    believed = list(standing.choice.model.observes) if standing.twin is not None and standing.choice.model else []
    measured = sorted({e.quantity for e in standing.record.events if isinstance(e.value, float)})
    names = dict.fromkeys([standing.choice.headline, *believed, *measured])
    return [c for name in names if (c := words.shown_as_timeline(name, _dozen_hours(standing, name))) is not None]


def _dozen_hours(standing: Standing, quantity: str) -> float | None:
    newest = standing.record.of(quantity)[-12:]
    return (newest[-1].instant - newest[0].instant) / timedelta(hours=1) if newest else None
