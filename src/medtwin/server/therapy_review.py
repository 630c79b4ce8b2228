"""GET /patients/{patient}/therapy-review: settings of insulin reviewed on the person's own days, for the page and as HTML.

It takes some seconds the first time; until the next piece of the twin's life (two hours) the same review is given again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from medtwin.server import context
from medtwin.server.http import PREFIX, Query, Refusal, answer, number, route
from medtwin.server.shapes import ReportFile, ReviewRow, TherapyReviewPage

if TYPE_CHECKING:
    from medtwin.applications.therapy_review.review import Review

FEWEST, USUAL, MOST = 7, 14, 60
ASKED = (Query(name="days", meaning=f"how many of the last days, {FEWEST} to {MOST}; default {USUAL}", kind="integer"),)
STATUSES = (400, 403, 404, 422)
PATH = "/patients/{patient}/therapy-review"


@route(
    PATH, "Settings of insulin reviewed on the person's own days, each step with its uncertainty.", TherapyReviewPage,
    query=ASKED, statuses=STATUSES,
)  # fmt: skip
async def therapy_review(request: Request) -> Response:
    here, made, days = await _made(request)
    return answer(_shown(here, made, days, request))


@route(f"{PATH}.html", "The review as one HTML file.", None, media="text/html", query=ASKED, statuses=STATUSES)
async def therapy_review_html(request: Request) -> Response:
    here, made, _ = await _made(request)

    def written() -> str:
        from medtwin.applications.therapy_review.write import document
        from medtwin.reports.html import page

        return page(document(made, here.clock()))

    return Response(await here.living.read(written), media_type="text/html")


async def _made(request: Request) -> tuple[context.Context, Review, int]:
    here, standing = await context.standing(request)
    found = (await context.entry(request))[1]
    days = int(number(request, "days", USUAL, FEWEST, MOST))
    if standing.twin is None or "insulin_bolus" not in standing.twin.facts.doses:
        raise Refusal(422, "No review for this person", standing.choice.reason)
    from medtwin.errors import InferenceError

    try:
        return here, await here.living.review(standing, days, found.synthetic), days
    except InferenceError as error:
        raise Refusal(422, "No review", f"found {error.found}; expected {error.expected}") from None


def _shown(here: context.Context, made: Review, days: int, request: Request) -> TherapyReviewPage:
    from medtwin.applications.therapy_review import write

    base = f"{PREFIX}{PATH.format(patient=request.path_params['patient'])}".lstrip("/")
    return TherapyReviewPage(
        now=here.clock(), patient=made.patient, synthetic=made.synthetic, at=made.at, days=made.days,
        summary=write.headline(made), together=write.together(made), withheld=made.withheld, limit=write.LIMIT,
        rows=[ReviewRow(**dict(zip(ReviewRow.__struct_fields__, row, strict=True))) for row in write.setting_rows(made)],
        files=[ReportFile(path=f"{base}.html?{urlencode({'days': days})}", label="The whole review (HTML)")],
        notes=list(made.notes),
    )  # fmt: skip
