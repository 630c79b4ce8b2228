"""GET /sources: which systems send, how much, and how fresh they are. GET /metrics: the same of all for Prometheus."""

from __future__ import annotations

import asyncio
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from medtwin.record import Event
from medtwin.server import context, fresh, words
from medtwin.server.facts import recorded_times
from medtwin.server.http import answer, route
from medtwin.server.living import Standing
from medtwin.server.shapes import SourceOfAll, Sources, SourceStatus
from medtwin.sources.metrics import MEDIA, exposition

RECENT = 500  #: facts of a source from which its pace is read

LIVE = 20  #: newest facts, half of which come in messages of their own where a source is live


@route("/sources", "Which systems send, how much, how fresh.", Sources, statuses=(403,))
async def sources(request: Request) -> Response:
    here = context.of(request)
    entries = await here.living.read(here.store.patients, here.living.grant)
    standings = await asyncio.gather(*(here.living.standing(entry.id) for entry in entries))
    now = here.clock()
    rows = await here.living.read(_all, here, standings, now)
    waiting = await here.living.read(_unassigned, here)
    return answer(Sources(now=now, sources=rows, unassigned=waiting))


@route("/metrics", "Counts and times of each system that sends, for Prometheus.", None, media=MEDIA, statuses=(403,))
async def metrics(request: Request) -> Response:
    here = context.of(request)
    found = await here.living.read(here.store.systems, here.living.grant, here.clock())
    return Response(exposition(found), media_type=MEDIA)


def _unassigned(here: context.Context) -> int:
    """Facts whose person is not known."""
    with here.store.access.database.reading() as connection:
        return int(connection.rows("SELECT COALESCE(SUM(events), 0) FROM owner WHERE patient IS NULL")[0][0])


def of_patient(here: context.Context, standing: Standing, now: datetime) -> list[SourceStatus]:
    """The sources of one patient, the newest first."""
    waiting = _quarantined(here)
    by_system: dict[str, list[Event]] = {}
    for event in standing.record.events:
        by_system.setdefault(event.source.system, []).append(event)
    newest = {system: max(e.recorded for e in events) for system, events in by_system.items()}
    times = recorded_times(here.store, list(newest.values()))
    rows = []
    for system, events in by_system.items():
        been = [e for e in events[-RECENT:] if fresh.happened(e, now)]
        numbers = (e.instant for e in events if isinstance(e.value, float))
        every = _promise(been)
        last = been[-1].instant if been else None
        raws = {e.source.raw for e in events} if waiting else set()
        rows.append(
            SourceStatus(
                system=system, label=words.source_name(system), first=next(numbers, None), last=last,
                received=min(times[newest[system]], now), facts=len(events),
                quarantined=sum(count for raw, count in waiting.items() if raw in raws), expected_every_s=every,
                latency_s=_latency(been), state=fresh.state(last, every, now, _pace(been)),
            )
        )  # fmt: skip
    return sorted(rows, key=lambda row: -(row.last.timestamp() if row.last else 0.0))


def _promise(events: list[Event]) -> float | None:
    """The shortest promise of any of the source's channels; what came as a file or two has promised nothing."""
    if len({event.source.raw for event in events[-LIVE:]}) < LIVE // 2:
        return None
    by_quantity: dict[str, list[datetime]] = {}
    for event in events:
        if isinstance(event.value, float):
            by_quantity.setdefault(event.quantity, []).append(event.instant)
    found = [every for moments in by_quantity.values() if (every := fresh.interval(moments)) is not None]
    return min(found, default=None)


def _pace(events: list[Event]) -> float | None:
    """The pace of the source's readings, whichever channels they are of."""
    return fresh.pace(sorted(event.instant for event in events if isinstance(event.value, float)))


def _latency(events: list[Event]) -> float | None:
    """Usual seconds between a fact's true time and when it could be known, of the newest ones."""
    newest = events[-200:]
    if not newest:
        return None
    spans = sorted(max((e.available - e.instant).total_seconds(), 0.0) for e in newest)
    return float(round(spans[len(spans) // 2]))


def _quarantined(here: context.Context) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in here.store.quarantined(here.living.grant):
        counts[item.raw] = counts.get(item.raw, 0) + 1
    return counts


def _all(here: context.Context, standings: list[Standing], now: datetime) -> list[SourceOfAll]:
    joined: dict[str, SourceOfAll] = {}
    worst = {None: -1, "fresh": 0, "late": 1, "silent": 2}
    for standing in standings:
        for row in of_patient(here, standing, now):
            held = joined.get(row.system)
            if held is None:
                joined[row.system] = SourceOfAll(
                    **{name: getattr(row, name) for name in row.__struct_fields__}, patients=1
                )
                continue
            held.patients += 1
            held.facts += row.facts
            held.quarantined += row.quarantined
            held.first = min((t for t in (held.first, row.first) if t), default=None)
            held.last = max((t for t in (held.last, row.last) if t), default=None)
            held.received = max((t for t in (held.received, row.received) if t), default=None)
            held.state = max(held.state, row.state, key=lambda state: worst[state])
            held.expected_every_s = held.expected_every_s or row.expected_every_s
    return sorted(joined.values(), key=lambda row: -row.facts)
