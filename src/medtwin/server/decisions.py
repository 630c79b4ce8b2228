"""GET /patients/{patient}/decisions and POST of a new one: the loop from suggestion to surprise."""

from __future__ import annotations

from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from medtwin.applications.decisions.decision import Decision, PlannedDose, decide, decisions, facts
from medtwin.applications.decisions.outcome import COUNTED, Outcome, kept, outcome
from medtwin.quantities import registry
from medtwin.server import context
from medtwin.server.belief import LEVEL, Z
from medtwin.server.http import Refusal, answer, body, route
from medtwin.server.living import Standing
from medtwin.server.shapes import (
    DecisionRequest,
    Decisions,
    DecisionShown,
    OutcomePoint,
    PlannedEvent,
    PromisesKept,
    Value,
)
from medtwin.server.what_if import MOST, event

SHOWN = timedelta(days=90)


@route("/patients/{patient}/decisions", "What was decided, what happened then, and how promises were kept.", Decisions)
async def listed(request: Request) -> Response:
    here, standing = await context.standing(request)
    synthetic = (await context.entry(request))[1].synthetic
    return answer(await here.living.read(_list, here, standing, synthetic))


@route(
    "/patients/{patient}/decisions", "Keep a decision about a plan, with the two futures as they were promised.", Decisions,
    method="POST", takes=DecisionRequest, statuses=(400, 403, 404, 422),
)  # fmt: skip
async def keep(request: Request) -> Response:
    here, standing = await context.standing(request)
    synthetic = (await context.entry(request))[1].synthetic
    asked = await body(request, DecisionRequest)
    if not 1.0 <= asked.hours <= 24.0:
        raise Refusal(400, "Out of range", f"found hours {asked.hours:g}; expected 1 to 24")
    if len(asked.suggested) + len(asked.planned) > MOST:
        raise Refusal(400, "Too many plans", f"expected at most {MOST} planned events")
    if bool(asked.planned) != (asked.verdict == "changed"):
        raise Refusal(
            400, "Not a decision", "found a plan of its own; expected one with the verdict `changed` and only then"
        )
    suggested = [event(standing, plan, asked.hours, number) for number, plan in enumerate(asked.suggested)]
    changed = [event(standing, plan, asked.hours, number) for number, plan in enumerate(asked.planned)]
    effect = await here.living.effect(standing, asked.hours, changed or suggested)
    snapshot = standing.twin.snapshot if standing.twin is not None else ""
    made = decide(
        standing.record, effect, suggested, asked.verdict, here.living.grant.who, here.clock(),
        planned=changed or None, because=asked.because, snapshot=snapshot,
    )  # fmt: skip
    return answer(await here.living.read(_keep, here, standing, made, synthetic))


def _keep(here: context.Context, standing: Standing, made: Decision, synthetic: bool) -> Decisions:
    grant = here.living.grant
    with here.noting.noting():
        events = facts(here.store, grant, standing.patient, made)
        here.noting.append(events, grant)
    here.follower.wake()
    return _list(here, standing, synthetic)


def _list(here: context.Context, standing: Standing, synthetic: bool) -> Decisions:
    now = here.clock()
    record = here.store.record(standing.patient, here.living.grant)
    found = [outcome(record, one, now) for one in decisions(here.store, here.living.grant, record)]
    held = kept(found)
    return Decisions(
        now=now, patient=standing.patient, synthetic=synthetic,
        decisions=[_shown(one) for one in found if now - one.decision.decided_at <= SHOWN],
        kept=PromisesKept(
            decisions=held.decisions, counted=held.counted, inside=held.inside,
            lower=held.interval[0] if held.interval else None, upper=held.interval[1] if held.interval else None,
        ),
    )  # fmt: skip


def _shown(found: Outcome) -> DecisionShown:
    one = found.decision
    near = found.counted or (
        min(found.readings, key=lambda r: abs(r.time - one.made_at - COUNTED)) if found.readings else None
    )
    promised = measured = None
    if near is not None:
        promised = Value(
            value=near.median, unit=one.unit, time=near.time, lower=near.lower, upper=near.upper, level=LEVEL
        )
        own = Z * registry.get(one.quantity).sd(near.value)
        measured = Value(
            value=near.value, unit=one.unit, time=near.time, lower=near.value - own, upper=near.value + own, level=LEVEL
        )
    return DecisionShown(
        id=one.id, question=one.question, verdict=one.verdict, by=one.by, because=one.because, suggested_by=one.suggested_by,
        decided_at=one.decided_at, unit=one.unit, planned=[_planned(dose) for dose in one.planned], carried=found.carried,
        why=found.why, promised=promised, measured=measured, counted=found.counted is not None, inside=found.inside,
        readings=[
            OutcomePoint(time=r.time, measured=r.value, lower=r.lower, median=r.median, upper=r.upper, place=r.place)
            for r in found.readings
        ],
    )  # fmt: skip


def _planned(dose: PlannedDose) -> PlannedEvent:
    when: datetime = dose.time
    return PlannedEvent(quantity=dose.quantity, value=dose.value, unit=dose.unit, time=when, until=dose.until)
