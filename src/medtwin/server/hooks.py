"""POST /hooks/{name}: what a registered sender pushes, signed with its own secret (:mod:`medtwin.record.webhooks`)."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from medtwin.errors import AccessDenied
from medtwin.governance.grant import Purpose, Role
from medtwin.record import webhooks
from medtwin.record.webhooks import Webhook
from medtwin.server import context
from medtwin.server.http import Refusal, answer, content

LIMIT = 16 * 1024 * 1024  #: bytes of one delivery


class Taken(msgspec.Struct, kw_only=True):
    """What came of a delivery; it names nobody."""

    new: int
    duplicate: int
    superseded: int
    unassigned: int
    quarantined: int


async def hook(request: Request) -> Response:
    """Answers 200 when all of it is durable, facts or quarantine; anything else says: send it again."""
    here = context.of(request)
    sent = await content(request, LIMIT)
    folder = here.store.access.folder
    found = webhooks.find(folder, request.path_params["name"])
    # an unknown name is checked against a secret that nobody has: its answer tells no more than a wrong signature's
    secret = webhooks.secret_of(found or Webhook(name="", number=0, created=here.clock()), here.store.access.master)
    try:
        webhooks.check(secret, request.headers, sent, here.clock())
    except AccessDenied as error:
        raise Refusal(
            401, "Not signed", f"found {error.found}; expected {error.expected}", error.remedy or None
        ) from None
    if found is None:
        raise Refusal(401, "Not signed", "found a signature that is not this sender's")
    if not sent.strip():
        raise Refusal(422, "Nothing was sent", "found an empty body; expected facts in a dialect that medtwin reads")
    done = await asyncio.get_running_loop().run_in_executor(here.living.intake, _take, here, sent, found)
    here.follower.wake()
    return answer(done)


def _take(here: context.Context, sent: bytes, of: Webhook) -> Taken:
    from medtwin.sources.ingest import ingest_bytes

    # writes and nothing else; to say whose facts are takes the home's own grant
    grant = (
        here.store.issue_grant(who=f"webhook {of.name}", role=Role.DEVICE, purpose=Purpose.OPERATIONS)
        if of.patient is None else here.living.grant
    )  # fmt: skip
    with here.noting.noting():
        report = ingest_bytes(
            sent, of.name, here.noting, grant, patient=of.patient, zone=of.timezone, source=of.source or of.name
        )
    if report.not_stored:
        raise Refusal(503, "Not stored", "; ".join(n.reason for n in report.not_stored)[:400], "Send it again.")
    rows = report.sources
    return Taken(
        new=report.new, duplicate=sum(r.duplicate for r in rows), superseded=sum(r.superseded for r in rows),
        unassigned=sum(r.unassigned for r in rows), quarantined=sum(r.quarantined for r in rows),
    )  # fmt: skip
