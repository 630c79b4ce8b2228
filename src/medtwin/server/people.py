"""GET /people/matches: who may be one person; POST /people/link, /people/unlink, /people/refuse: what a person says of it."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from medtwin.errors import StoreError
from medtwin.record.event import SourcePatient
from medtwin.record.identity import spoken
from medtwin.record.identity.side_by_side import lines
from medtwin.record.identity_verbs import Match, Side
from medtwin.server import context, shapes
from medtwin.server.http import Refusal, answer, body, route
from medtwin.server.shapes import Matches, MatchField, MatchSide, PeopleDecided, PeopleRequest

STATUSES = (400, 403, 404, 409)


@route(
    "/people/matches",
    "Two keys that may be one person's, field by field, and why nobody decided.",
    Matches,
    statuses=(403,),
)
async def matches(request: Request) -> Response:
    here = context.of(request)
    waiting = await here.living.read(here.store.matches, here.living.grant)
    return answer(Matches(now=here.clock(), matches=[_match(one) for one in waiting]))


@route(
    "/people/link", "Say that two are one person: the other's keys belong to the one.", PeopleDecided, method="POST",
    takes=PeopleRequest, statuses=STATUSES,
)  # fmt: skip
async def link(request: Request) -> Response:
    here, asked = context.of(request), await body(request, PeopleRequest)
    grant = here.living.grant
    return await _decided(
        here, asked, lambda: here.store.merge(
            spoken.patient(here.store, grant, asked.one), _whom(here, asked.other), grant, why=asked.why
        ),
    )  # fmt: skip


@route(
    "/people/unlink", "Undo a link: the keys that the one has from the other go back.", PeopleDecided, method="POST",
    takes=PeopleRequest, statuses=STATUSES,
)  # fmt: skip
async def unlink(request: Request) -> Response:
    here, asked = context.of(request), await body(request, PeopleRequest)
    grant = here.living.grant
    return await _decided(
        here, asked, lambda: here.store.separate(
            spoken.patient(here.store, grant, asked.one), _whom(here, asked.other), grant, why=asked.why
        ),
    )  # fmt: skip


@route(
    "/people/refuse", "Say that two are not one person: the match waits no more.", PeopleDecided, method="POST",
    takes=PeopleRequest, statuses=STATUSES,
)  # fmt: skip
async def refuse(request: Request) -> Response:
    here, asked = context.of(request), await body(request, PeopleRequest)
    grant = here.living.grant
    return await _decided(
        here, asked, lambda: here.store.refuse(_whom(here, asked.one), _whom(here, asked.other), grant, why=asked.why)
    )  # fmt: skip


async def _decided(here: context.Context, asked: PeopleRequest, decide: Callable[[], int]) -> Response:
    try:
        keys = await here.living.read(decide)
    except StoreError as error:  # nothing to undo, or one patient on both sides
        if error.expected in ("two patients", "a link that can be undone"):
            raise Refusal(409, "Not as it stands", str(error), "Read the matches again.") from None
        raise
    await here.living.read(here.living.check)
    return answer(PeopleDecided(one=asked.one, other=asked.other, keys=keys))


def _whom(here: context.Context, said: str) -> str | SourcePatient:
    return spoken.whom(here.store, here.living.grant, said)


def _match(one: Match) -> shapes.Match:
    return shapes.Match(
        id=str(one.number), time=one.time, probability=one.probability, reasons=list(one.reasons), older=_side(one.older),
        newer=_side(one.newer),
        fields=[
            MatchField(field=line.field, older=line.older, newer=line.newer, level=line.level, bits=line.bits)
            for line in lines(one.older.said, one.newer.said, one.parts)
        ],
    )  # fmt: skip


def _side(side: Side) -> MatchSide:
    key = spoken.name(side.key)
    return MatchSide(
        name=side.patient or key, patient=side.patient, key=key, facts=side.events, first=side.first, last=side.last
    )
