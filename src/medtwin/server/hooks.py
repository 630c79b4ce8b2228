"""POST /hooks/{name}: what a registered sender pushes, signed with its own secret (:mod:`medtwin.record.webhooks`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from medtwin.errors import AccessDenied, StoreError
from medtwin.governance.grant import Purpose, Role
from medtwin.record import webhooks
from medtwin.record.webhooks import Webhook
from medtwin.server import context
from medtwin.server.http import Refusal, answer, content

if TYPE_CHECKING:
    from medtwin.sources.report import Report

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


def _ingest(here: context.Context, sent: bytes, of: Webhook) -> Report:
    from medtwin.sources.bound import bind
    from medtwin.sources.ingest import ingest_bytes

    source = of.source or of.name
    if of.patient is None:  # writes and nothing else
        grant = here.store.issue_grant(who=f"webhook {of.name}", role=Role.DEVICE, purpose=Purpose.OPERATIONS)
    else:
        own = here.living.grant
        grant = here.store.issue_grant(
            who=f"webhook {of.name}", role=own.role, purpose=Purpose.OPERATIONS, patients=[of.patient]
        )
        bind(sent, of.name, here.noting, own, grant, of.patient, zone=of.timezone, source=source)
    with here.noting.noting():
        return ingest_bytes(sent, of.name, here.noting, grant, patient=of.patient, zone=of.timezone, source=source)


def _take(here: context.Context, sent: bytes, of: Webhook) -> Taken:
    try:
        report = _ingest(here, sent, of)
    except AccessDenied as error:
        if of.patient is None:
            raise
        expected = error.expected or "a patient of this sender"
        raise Refusal(422, "Not this sender's", f"found {error.found}; expected {expected}", error.remedy) from None
    except StoreError:
        raise Refusal(503, "Not stored", "The home could not keep it.", "Send it again.") from None
    if any(one.again for one in report.not_stored):
        raise Refusal(503, "Not stored", "The home could not keep all of it.", "Send it again.")
    if report.not_stored:
        raise Refusal(422, "Not stored", "It contradicts what is known here.", "Sending it again does not help.")
    rows = report.sources
    return Taken(
        new=report.new, duplicate=sum(r.duplicate for r in rows), superseded=sum(r.superseded for r in rows),
        unassigned=sum(r.unassigned for r in rows), quarantined=sum(r.quarantined for r in rows),
    )  # fmt: skip
