"""GET /patients/{patient}/timeline: measurements, belief and inputs of a window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import zip_longest

from starlette.requests import Request
from starlette.responses import Response

from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.record import Event, Intent
from medtwin.server import asking, belief, context, words
from medtwin.server.http import Query, Refusal, answer, moment, route
from medtwin.server.living import Standing
from medtwin.server.shapes import Disagreement, InputMark, Measurements, PlausibleRange, Timeline

USUAL = timedelta(hours=12)
LONGEST = timedelta(days=60)
AHEAD = timedelta(hours=12)  #: how far after the window planned inputs are sent
MOST = 10_000  #: measurements; a month of a sensor's


@route(
    "/patients/{patient}/timeline", "Measurements, belief and inputs of one quantity in a window.", Timeline,
    query=(
        Query(name="quantity", meaning="default: the patient's headline"),
        Query(name="since", meaning="default: 12 h before until", kind="date-time"),
        Query(name="until", meaning="default: now", kind="date-time"),
    ),
    statuses=(400, 403, 404),
)  # fmt: skip
async def timeline(request: Request) -> Response:
    here, standing = await context.standing(request)
    now = here.clock()
    until = moment(request, "until") or standing.present(now)
    since = moment(request, "since") or until - USUAL
    if since >= until:
        raise Refusal(400, "An empty window", f"found since {since.isoformat()} not before until {until.isoformat()}")
    since = max(since, until - LONGEST)
    quantity = request.query_params.get("quantity") or standing.choice.headline
    known = registry.find(quantity)
    if known is None or known.kind is not Kind.LEVEL:
        raise Refusal(404, "No such timeline", f"found the quantity {quantity[:60]!r}; expected one that is measured")
    questions = await here.living.read(asking.listed, here.store, here.living.grant, standing)
    return answer(
        Timeline(
            now=now, patient=standing.patient, quantity=quantity, label=words.label(quantity), unit=known.unit,
            display_units=words.display_units(quantity), plausible=PlausibleRange(lower=known.low, upper=known.high),
            target=words.TARGETS.get(quantity), since=since, until=until,
            measurements=_measurements(standing, quantity, since, until, questions),
            belief=belief.band(standing, quantity, since, until), inputs=_inputs(standing, since, until, questions),
        )
    )  # fmt: skip


def _measurements(
    standing: Standing, quantity: str, since: datetime, until: datetime, questions: Sequence[Disagreement]
) -> Measurements:
    every = [
        e
        for e in standing.record.of(quantity, since=since, until=until + timedelta(microseconds=1))
        if isinstance(e.value, float) and e.intent is Intent.HAPPENED
    ]
    events = every[-MOST:]
    suspected = {
        event: "sensor suspected low" if one.winner == "sensor_low" else "sensor suspected off"
        for one in questions
        if one.winner in ("sensor_low", "sensor_bias") and (one.answered is None or one.answered.answer != "no")
        for event in one.events
    }
    known = registry.get(quantity)
    return Measurements(
        times=[e.instant for e in events],
        values=[float(e.value) for e in events],  # type: ignore[arg-type]
        sd=[e.sd if e.sd is not None else known.sd(float(e.value)) for e in events],  # type: ignore[arg-type]
        flags=[next(iter(words.flags(e)), None) or suspected.get(e.id) for e in events],
        events=[e.id for e in events],
        omitted=len(every) - len(events),
    )


def _inputs(standing: Standing, since: datetime, until: datetime, questions: Sequence[Disagreement]) -> list[InputMark]:
    """What the model accepts, or what people give and eat where there is none."""
    model = standing.choice.model
    quantities = [a.quantity for a in model.accepts] if model is not None else list(words.GIVEN)
    if "insulin_basal_rate" in quantities and "insulin_long_acting" not in quantities:
        quantities.append("insulin_long_acting")
    marks = []
    for quantity in quantities:
        events = [e for e in standing.record.of(quantity) if isinstance(e.value, float)]
        rate = words.is_rate(quantity)
        for event, following in zip_longest(events, events[1:]):
            end = event.until.instant if event.until is not None else None
            if end is None and rate:
                end = following.instant if following is not None else until
            if (end or event.instant) < since or event.instant > until + AHEAD:
                continue
            marks.append(_mark(event, end))
    for one in questions:
        marks.extend(_inferred(standing, one, since, until))
    return sorted(marks, key=lambda m: (m.time, m.quantity))


def _mark(event: Event, end: datetime | None) -> InputMark:
    assert isinstance(event.value, float)
    return InputMark(
        event=event.id, quantity=event.quantity, label=words.mark_label(event.quantity), time=event.instant, until=end,
        value=event.value, unit=words.unit(event.quantity), intent=event.intent.value, inferred=False,
    )  # fmt: skip


def _inferred(standing: Standing, one: Disagreement, since: datetime, until: datetime) -> list[InputMark]:
    """A meal that the twin infers and nobody has denied or told yet."""
    if one.status == "answered" or one.winner != "missed_meal":
        return []
    found = asking.inferred(standing, one)
    if found is None or not since <= found.time <= until:
        return []
    return [
        InputMark(
            event=None, quantity=found.quantity, label=words.mark_label(found.quantity), time=found.time, until=None,
            value=round(found.mean), unit=words.unit(found.quantity), intent="happened", inferred=True,
        )
    ]  # fmt: skip
