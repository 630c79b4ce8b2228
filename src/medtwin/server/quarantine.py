"""GET /quarantine: what could not be understood, and why. POST /quarantine/{item}/replay: try again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from medtwin.errors import MedtwinError
from medtwin.record import SourcePatient
from medtwin.record.store import Quarantined
from medtwin.server import context
from medtwin.server.http import answer, missing, route
from medtwin.server.raw import place
from medtwin.server.shapes import Quarantine, QuarantineItem, QuarantineReason, ReplayResult

EXCERPT = 600  #: bytes


@route("/quarantine", "What could not be understood, why, and what to do.", Quarantine, statuses=(403,))
async def quarantine(request: Request) -> Response:
    here = context.of(request)
    return answer(Quarantine(now=here.clock(), items=await here.living.read(_items, here)))


@route(
    "/quarantine/{item}/replay", "Read quarantined bytes again with the present readers.", ReplayResult, method="POST",
    statuses=(403, 404),
)  # fmt: skip
async def replay(request: Request) -> Response:
    here = context.of(request)
    wanted = request.path_params["item"]
    known = {str(item.id): item.id for item in await here.living.read(here.store.quarantined, here.living.grant)}
    if wanted not in known:
        raise missing("such item in quarantine")
    loop = asyncio.get_running_loop()
    result = await loop.run_in_executor(here.living.intake, _replay, here, known[wanted])
    here.follower.wake()
    return answer(result)


def _replay(here: context.Context, number: int) -> ReplayResult:
    from medtwin.sources.ingest import replay as again

    with here.noting.noting():
        report = again([number], here.noting, here.living.grant)
    still = next((item for item in _items(here) if item.id == str(number)), None)
    return ReplayResult(
        id=str(number), resolved=still is None, new_facts=report.new,
        duplicates=sum(row.duplicate for row in report.sources), still=still,
    )  # fmt: skip


def _items(here: context.Context) -> list[QuarantineItem]:
    grant = here.living.grant
    owners = {key: entry.id for entry in here.store.patients(grant) for key in entry.keys}
    return [_item(here, item, owners) for item in reversed(here.store.quarantined(grant))]


def _item(here: context.Context, item: Quarantined, owners: Mapping[SourcePatient, str]) -> QuarantineItem:
    excerpt, replays, patient = None, 0, None
    try:
        about = here.store.raw_entry(None, item.raw, here.living.grant)
        patient, replays = owners.get(about.owner), max(about.times - 1, 0)
        content = here.store.raw_range(None, item.raw, 0, min(about.size, 1 << 20), here.living.grant)
        begin, end = place(content, item.locator) if item.locator else (0, 0)
        excerpt = content[begin : begin + min(max(end - begin, 0) or EXCERPT, EXCERPT)].decode("utf-8", "replace")
    except MedtwinError:
        pass  # erased meanwhile: the reason still stands
    return QuarantineItem(
        id=str(item.id), time=item.received, file=item.file.rpartition("/")[2], size=item.size, dialect=item.dialect,
        patient=patient,
        reason=QuarantineReason(
            found=item.found, expected=item.expected, where=item.locator,
            todo=item.remedy or "mend the file and send it again, or ask for a reader of this format",
        ),
        excerpt=excerpt, replays=replays,
    )  # fmt: skip
