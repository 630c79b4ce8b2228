"""What a running server holds, and how a route reaches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from starlette.requests import Request

from medtwin.record.sql import SqlStore
from medtwin.record.store import PatientEntry
from medtwin.server.http import missing
from medtwin.server.hub import Hub
from medtwin.server.intake_store import NotingStore
from medtwin.server.live import Follower
from medtwin.server.living import Living, Standing
from medtwin.server.planner import Planner


@dataclass
class Context:
    """One server: its store, twins, hub of live messages, follower of the log, clock, planner of trials."""

    store: SqlStore
    living: Living
    hub: Hub
    follower: Follower
    noting: NotingStore
    clock: Callable[[], datetime]
    planner: Planner = field(default_factory=Planner)


def of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


async def entry(request: Request) -> tuple[Context, PatientEntry]:
    """The context and the worklist's entry of the patient in the path; 404 for one who is not here."""
    context = of(request)
    wanted = request.path_params["patient"]
    for one in await context.living.read(context.store.patients, context.living.grant):
        if one.id == wanted:
            return context, one
    raise missing("such patient")


async def standing(request: Request) -> tuple[Context, Standing]:
    """The context and the patient of the path, brought up to date."""
    context, found = await entry(request)
    return context, await context.living.standing(found.id)
