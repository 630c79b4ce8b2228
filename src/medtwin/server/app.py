"""The server as an ASGI app, made from a store, a grant and a clock::

app = make_app(store, store.issue_grant(), clock)
with TestClient(app, base_url="http://localhost") as client:
    client.get("/api/v1/patients").json()
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from medtwin import __version__
from medtwin.governance.grant import Grant
from medtwin.record.sql import SqlStore
from medtwin.server import (  # noqa: F401  (each registers its routes)
    decisions,
    disagreements,
    facts,
    forecast,
    glucose_report,
    hooks,
    openapi,
    parameters,
    people,
    quarantine,
    raw,
    sources,
    status,
    stream,
    therapy_review,
    timeline,
    trials,
    what_if,
    worklist,
)
from medtwin.server.context import Context
from medtwin.server.guard import HOOKS, Guard, Login
from medtwin.server.http import PREFIX, ROUTES, Handler, missing, refusal_of, refused
from medtwin.server.hub import Hub
from medtwin.server.intake_store import NotingStore
from medtwin.server.live import Follower
from medtwin.server.living import Living
from medtwin.server.page import Page
from medtwin.server.shapes import HelloMessage


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


def make_app(
    store: SqlStore,
    grant: Grant,
    clock: Callable[[], datetime] = now,
    *,
    renew: Callable[[], Grant] | None = None,
    hosts: Iterable[str] = (),
    token: str | None = None,
    warm_up: bool = True,
) -> Starlette:
    """The app. ``renew`` gives a new grant when the policy's epoch moves on (without it, requests are refused then);
    ``hosts`` are names beside the loopback ones that it answers to; ``token`` is asked for when it is given;
    ``warm_up`` compiles in the background at start."""
    living = Living(store, grant, clock, renew)
    hub = Hub()
    follower = Follower(living, hub)
    context = Context(store, living, hub, follower, NotingStore(store, follower.accept), clock)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(follower.run())
        if warm_up:
            loop = asyncio.get_running_loop()

            def made(patient: str, seconds: float) -> None:
                """Pages that showed a twin still being made read afresh."""
                loop.call_soon_threadsafe(hub.greet, HelloMessage(now=clock(), version=__version__))

            work = _quietly(lambda: living.warm_up(made))
            threading.Thread(target=work, name="medtwin-warm-up", daemon=True).start()
        yield
        hub.close()
        follower.stop()
        await following
        await asyncio.to_thread(context.planner.close)
        await asyncio.to_thread(living.close)

    routes = [
        Route(f"{PREFIX}{about.path}", _answering(handler, context), methods=[about.method])
        for about, handler in ROUTES.values()
    ]
    routes.append(Route(f"{PREFIX}/{{path:path}}", _nothing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]))
    routes.append(Route(f"{HOOKS}{{name}}", _answering(hooks.hook, context), methods=["POST"]))
    page = Page()
    routes.append(Route("/", page.answer))
    routes.append(Route("/{path:path}", page.answer))
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Guard, hosts=tuple(hosts), token=token), Middleware(Login, token=token)],
    )
    app.state.context = context
    return app


def _answering(handler: Handler, context: Context) -> Callable[[Request], Awaitable[Response]]:
    """The handler, with errors as ``Problem`` and the grant looked at before each answer."""

    async def answering(request: Request) -> Response:
        try:
            await context.living.read(context.living.check)
            return await handler(request)
        except Exception as error:
            refusal = refusal_of(error)
            if refusal.problem.status == 500:
                _tell(error)
            return refused(refusal)

    return answering


async def _nothing(request: Request) -> Response:
    return refused(missing("such route"))


def _tell(error: Exception) -> None:
    """Where medtwin's own code failed, without what it held: a log never carries a patient's data."""
    import sys

    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else "?"
    print(f"medtwin: {type(error).__name__} at {where}", file=sys.stderr, flush=True)


def _quietly(work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        with contextlib.suppress(RuntimeError):  # the server ended while it compiled
            work()

    return run
