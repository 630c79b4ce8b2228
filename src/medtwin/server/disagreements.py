"""GET /patients/{patient}/disagreements and the answers to them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from medtwin.server import asking, context
from medtwin.server.http import Refusal, answer, body, missing, route
from medtwin.server.living import Standing
from medtwin.server.shapes import AnswerRequest, Disagreement, DisagreementMessage, Disagreements


@route(
    "/patients/{patient}/disagreements", "Where measurements and twin disagree: open questions first.", Disagreements
)
async def disagreements(request: Request) -> Response:
    here, standing = await context.standing(request)
    found = await here.living.read(asking.listed, here.store, here.living.grant, standing)
    return answer(Disagreements(now=here.clock(), patient=standing.patient, disagreements=found))


@route(
    "/patients/{patient}/disagreements/{disagreement}/answer",
    "Answer a question; the answer is a fact, and a meal that was owned up to is one too.", Disagreement, method="POST",
    takes=AnswerRequest, statuses=(400, 403, 404, 409),
)  # fmt: skip
async def reply(request: Request) -> Response:
    here, standing = await context.standing(request)
    said = await body(request, AnswerRequest)
    wanted = request.path_params["disagreement"]
    listed = await here.living.read(asking.listed, here.store, here.living.grant, standing)
    about = next((one for one in listed if one.id == wanted), None)
    if about is None:
        raise missing("such question")
    if about.status == "answered":
        raise Refusal(409, "Already answered", f"It was answered {about.answered.label!r}." if about.answered else "")
    if said.answer not in [choice.answer for choice in about.answers]:
        raise Refusal(400, "Not an answer", f"found {said.answer[:40]!r}; expected one of those that were offered")
    after = await here.living.read(_keep, here, standing, about, said.answer)
    left = sum(one.status == "open" and one.id != wanted for one in listed)
    here.hub.publish(
        "disagreement",
        DisagreementMessage(patient=standing.patient, id=wanted, status="answered", question=about.question, open=left),
    )
    here.follower.asked.setdefault(standing.patient, {})[wanted] = "answered"
    here.follower.wake()
    return answer(after)


def _keep(here: context.Context, standing: Standing, about: Disagreement, said: str) -> Disagreement:
    grant = here.living.grant
    with here.noting.noting():
        events, shown = asking.facts(standing, about, said, grant.who, here.clock(), here.store, grant)
        here.noting.append(events, grant)
    return shown
