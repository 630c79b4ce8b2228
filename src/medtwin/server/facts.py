"""GET /patients/{patient}/events and /events/{event}: the record, with provenance; POST /facts: more of it."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from medtwin.record import ArtifactId, Code, Event, Precision
from medtwin.record.event import version
from medtwin.record.sql import SqlStore
from medtwin.server import context, words
from medtwin.server.belief import LEVEL, Z
from medtwin.server.http import Query, Refusal, answer, content, missing, number, route
from medtwin.server.living import Standing
from medtwin.server.shapes import (
    Accepted,
    Coded,
    EventDetail,
    EventPage,
    EventRow,
    Provenance,
    QuantityCount,
    SurpriseShown,
    Value,
)

_PRECISION = {
    Precision.YEAR: "year", Precision.MONTH: "month", Precision.DAY: "day", Precision.MINUTE: "minute",
    Precision.SECOND: "instant", Precision.FRACTION: "instant",
}  # fmt: skip


@route(
    "/patients/{patient}/events", "The record, newest true time first, superseded facts included.", EventPage,
    query=(
        Query(name="offset", meaning="how many to skip", kind="integer"),
        Query(name="limit", meaning="1 to 500; default 100", kind="integer"),
        Query(name="quantity", meaning="only facts of this quantity"),
    ),
    statuses=(400, 403, 404),
)  # fmt: skip
async def events(request: Request) -> Response:
    here, standing = await context.standing(request)
    offset = int(number(request, "offset", 0, 0, 1e9))
    limit = int(number(request, "limit", 100, 1, 500))
    quantity = request.query_params.get("quantity")
    history = standing.record.history
    counts = Counter(event.quantity for event in history)
    chosen = [event for event in history if not quantity or event.quantity == quantity]
    chosen.sort(key=lambda event: (event.instant, event.recorded), reverse=True)
    page = chosen[offset : offset + limit]
    rows = await here.living.read(_rows, here.store, standing, page)
    return answer(
        EventPage(
            now=here.clock(), patient=standing.patient, total=len(chosen), offset=offset, limit=limit,
            quantities=[
                QuantityCount(quantity=name, label=words.channel(name), count=count)
                for name, count in counts.most_common()
            ],
            events=rows,
        )
    )  # fmt: skip


@route(
    "/patients/{patient}/events/{event}", "One fact: its versions, its group, what the twin made of it.", EventDetail
)
async def event(request: Request) -> Response:
    here, standing = await context.standing(request)
    wanted = request.path_params["event"]
    history = standing.record.history
    found = next((one for one in history if one.id == wanted), None)
    if found is None:
        raise missing("such fact of this patient")
    chain = sorted((one for one in history if _slot(one) == _slot(found)), key=version)
    group = [
        one
        for one in history
        if found.group and one.group == found.group and one.subject == found.subject and _slot(one) != _slot(found)
    ]
    rows = await here.living.read(_rows, here.store, standing, [found, *chain, *group])
    return answer(
        EventDetail(
            now=here.clock(), patient=standing.patient, event=rows[0], chain=rows[1 : 1 + len(chain)],
            group=rows[1 + len(chain) :], surprise=_surprise(standing, found),
        )
    )  # fmt: skip


@route(
    "/facts", "Facts in any dialect that medtwin reads; answers after the commit is durable.", Accepted, method="POST",
    takes_any=True,
    query=(
        Query(name="patient", meaning="whose they are, where they name nobody"),
        Query(name="timezone", meaning="IANA zone of times without an offset"),
        Query(name="source", meaning="name of the sending system"),
        Query(name="file", meaning="name of the file, for people"),
    ),
    statuses=(403, 413, 422, 503),
)  # fmt: skip
async def facts(request: Request) -> Response:
    here = context.of(request)
    sent = await content(request)
    if not sent.strip():
        raise Refusal(422, "Nothing was sent", "found an empty body; expected a FHIR resource, a Bundle or a file")
    told = {name: request.query_params.get(name) or None for name in ("patient", "timezone", "source")}
    name = (request.query_params.get("file") or "message").rpartition("/")[2][:200]
    done = await asyncio.get_running_loop().run_in_executor(here.living.intake, _take, here, sent, name, told)
    here.follower.wake()
    return answer(done)


def _take(here: context.Context, sent: bytes, name: str, told: dict[str, str | None]) -> Accepted:
    from medtwin.sources.ingest import ingest_bytes

    with here.noting.noting() as ids:
        report = ingest_bytes(
            sent, name, here.noting, here.living.grant, patient=told["patient"],
            zone=told["timezone"], source=told["source"],
        )  # fmt: skip
    contradicted = [n.reason for n in report.not_stored if not n.again]
    if contradicted:
        raise Refusal(422, "Another person's", contradicted[0], "Name the person whose they are, or nobody.")
    if report.not_stored:
        raise Refusal(503, "Not stored", "; ".join(n.reason for n in report.not_stored)[:400], "Send it again.")
    rows = report.sources
    return Accepted(
        events=list(dict.fromkeys(ids)), new=report.new, duplicate=sum(r.duplicate for r in rows),
        superseded=sum(r.superseded for r in rows), unassigned=sum(r.unassigned for r in rows),
        quarantined=sum(r.quarantined for r in rows), reasons=sorted({x for r in rows for x in r.reasons})[:20],
        patients=list(report.patients), sequence=report.sequence,
    )  # fmt: skip


def _slot(one: Event) -> tuple[str, str, str, str]:
    return one.subject.system, one.subject.value, one.source.system, one.key


def _rows(store: SqlStore, standing: Standing, chosen: Sequence[Event]) -> list[EventRow]:
    times = recorded_times(store, [one.recorded for one in chosen])
    current = {one.id for one in standing.record.events}
    newest: dict[tuple[str, str, str, str], Event] = {}
    wanted = {_slot(one) for one in chosen if one.id not in current}
    if wanted:
        for one in sorted(standing.record.history, key=version):
            if _slot(one) in wanted:
                newest[_slot(one)] = one
    return [_row(one, times[one.recorded], newest.get(_slot(one))) for one in chosen]


def _row(one: Event, recorded_at: datetime, newest: Event | None) -> EventRow:
    number_ = one.value if isinstance(one.value, float) else None
    code = one.value if isinstance(one.value, Code) else None
    return EventRow(
        id=one.id, quantity=one.quantity, label=words.channel(one.quantity), value=number_,
        code=None if code is None else Coded(
            system=code.system, code=code.code, display=words.coded(code)
        ),
        artifact=one.value.hash if isinstance(one.value, ArtifactId) else None,
        unit=words.unit(one.quantity) if number_ is not None else None, sd=one.sd,
        comparator=one.comparator.value if one.comparator is not None else None, text=one.text, time=one.instant,
        until=one.until.instant if one.until is not None else None, precision=_PRECISION[one.time.precision],  # type: ignore[arg-type]
        offset_known=one.time.offset_known, available=one.available, recorded=one.recorded, recorded_at=recorded_at,
        intent=one.intent.value, status=one.status.value, basis=one.basis.value, flags=words.flags(one),
        group=one.group,
        source=Provenance(
            system=words.source_name(one.source.system), file=one.source.file or None,
            locator=one.source.locator or None, raw_hash=one.source.raw or None,
        ),
        superseded_by=newest.id if newest is not None and newest.id != one.id else None,
    )  # fmt: skip


def recorded_times(store: SqlStore, sequences: Sequence[int]) -> dict[int, datetime]:
    """The wall time of the commits that brought these sequences."""
    from medtwin.record.codec import moment

    if not sequences:
        return {}
    with store.access.database.reading() as connection:
        upper = connection.rows("SELECT MIN(sequence) FROM batch WHERE sequence >= ?", (max(sequences),))[0][0]
        rows = connection.rows(
            "SELECT sequence, time FROM batch WHERE sequence BETWEEN ? AND ? ORDER BY sequence",
            (min(sequences), max(sequences) if upper is None else int(upper)),
        )
    ends = [int(row[0]) for row in rows]
    return {one: moment(int(rows[min(bisect_left(ends, one), len(rows) - 1)][1])) for one in set(sequences)}


def _surprise(standing: Standing, one: Event) -> SurpriseShown | None:
    """How the reading met its prediction; None where it was not assimilated."""
    if standing.twin is None or not isinstance(one.value, float):
        return None
    from medtwin.twin.choice import told
    from medtwin.twin.columns import surprises

    if one not in told(standing.twin.model, standing.record):
        return None
    boundary = standing.twin.axis.boundary(one.instant)
    names = tuple(h.name for h in getattr(standing.choice.update, "bank", ()))
    for piece in standing.twin.pieces:
        known = piece.columns["boundary"]
        if not len(known) or not known[0] <= boundary <= known[-1]:
            continue
        for found in surprises(piece, standing.twin.axis, names):
            if found.quantity == one.quantity and standing.twin.axis.boundary(found.time) == boundary:
                expected = one.value - found.innovation
                why = None if found.explanation == "as_expected" else words.HYPOTHESES.get(found.explanation)
                return SurpriseShown(
                    expected=Value(
                        value=expected, lower=expected - Z * found.sd, upper=expected + Z * found.sd, level=LEVEL,
                        unit=words.unit(one.quantity), time=one.instant,
                    ),
                    log_density=found.log_density, rank=found.rank, explanation=why,
                )  # fmt: skip
    return None
