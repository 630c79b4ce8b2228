"""GET /status: version, store, counts, whether the models are compiled."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from medtwin import __version__
from medtwin.server import context
from medtwin.server.http import answer, route
from medtwin.server.shapes import Status

NOTICE = "Research software. Not a medical device: do not use it to decide on treatment."


@route("/status", "Version, store, counts, whether the models are compiled.", Status, statuses=(403,))
async def status(request: Request) -> Response:
    here = context.of(request)
    return answer(await here.living.read(_status, here))


def _status(here: context.Context) -> Status:
    grant = here.living.grant
    entries = here.store.patients(grant)
    kind = type(here.store.access.database).__name__
    return Status(
        now=here.clock(), version=__version__, warm=here.living.warm,
        store="PostgreSQL" if kind.startswith("Postgres") else "SQLite", patients=len(entries),
        events=sum(entry.events for entry in entries), quarantined=len(here.store.quarantined(grant)),
        research_notice=NOTICE,
    )  # fmt: skip
