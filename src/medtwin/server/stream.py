"""GET /stream: live messages as Server-Sent Events, resumable by ``Last-Event-ID``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from medtwin import __version__
from medtwin.server import context
from medtwin.server.http import route
from medtwin.server.shapes import HelloMessage


@route("/stream", "Live messages: hello, event, belief, disagreement, quarantine.", None, statuses=(403,))
async def stream(request: Request) -> Response:
    here = context.of(request)
    hello = HelloMessage(now=here.clock(), version=__version__)
    last = request.headers.get("last-event-id")
    return StreamingResponse(
        here.hub.stream(hello, last), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )
