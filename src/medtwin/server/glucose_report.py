"""GET /patients/{patient}/glucose-report: the one-page report of sensor glucose, for the page, as HTML, PDF and SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from medtwin.server import context
from medtwin.server.http import PREFIX, Query, Refusal, answer, moment, number, route
from medtwin.server.shapes import GlucoseReportPage, ReportFigure, ReportFile, ReportRow

if TYPE_CHECKING:
    from medtwin.applications.glucose_report.report import GlucoseReport

LONGEST = 366
ASKED = (
    Query(name="days", meaning="length of the period; default 14", kind="integer"),
    Query(name="until", meaning="its end; default: the newest reading", kind="date-time"),
    Query(name="unit", meaning="mg/dL (default) or mmol/L"),
    Query(name="goals", meaning="adult (default) or older"),
)
STATUSES = (400, 403, 404, 422)
PATH = "/patients/{patient}/glucose-report"
FIGURES = ("overview", "profile", "days")


@route(
    PATH, "The one-page report of sensor glucose (AGP), in words.", GlucoseReportPage, query=ASKED, statuses=STATUSES
)
async def glucose_report(request: Request) -> Response:
    here, made = await _made(request)
    return answer(await here.living.read(_shown, here, made, request))


@route(f"{PATH}.html", "The report as one HTML file.", None, media="text/html", query=ASKED, statuses=STATUSES)
async def glucose_report_html(request: Request) -> Response:
    here, made = await _made(request)

    def written() -> str:
        from medtwin.applications.glucose_report.write import document
        from medtwin.reports.html import page

        return page(document(made, here.clock()))

    return Response(await here.living.read(written), media_type="text/html")


@route(f"{PATH}.pdf", "The report as PDF.", None, media="application/pdf", query=ASKED, statuses=STATUSES)
async def glucose_report_pdf(request: Request) -> Response:
    here, made = await _made(request)

    def written() -> bytes:
        from medtwin.applications.glucose_report.write import document
        from medtwin.reports.pdf import paginated

        return paginated(document(made, here.clock()))

    headers = {"Content-Disposition": 'inline; filename="glucose-report.pdf"'}
    return Response(await here.living.read(written), media_type="application/pdf", headers=headers)


@route(
    f"{PATH}/figures/{{figure}}", "A figure of the report: overview, profile or days.", None, media="image/svg+xml",
    query=ASKED, statuses=STATUSES,
)  # fmt: skip
async def glucose_report_figure(request: Request) -> Response:
    wanted = request.path_params["figure"]
    if wanted not in FIGURES:
        raise Refusal(404, "No such figure", f"found {wanted[:40]!r}; expected {', '.join(FIGURES)}")
    here, made = await _made(request)

    def drawn() -> str:
        from medtwin.applications.glucose_report.write import figures
        from medtwin.reports.figures.svg import svg

        return svg(figures(made)[FIGURES.index(wanted)].scene, wanted)

    return Response(await here.living.read(drawn), media_type="image/svg+xml")


async def _made(request: Request) -> tuple[context.Context, GlucoseReport]:
    here, standing = await context.standing(request)
    found = (await context.entry(request))[1]
    days = int(number(request, "days", 14, 1, LONGEST))
    until = moment(request, "until")
    unit = request.query_params.get("unit") or "mg/dL"
    goals = request.query_params.get("goals") or "adult"

    def work() -> GlucoseReport:
        from medtwin.applications.glucose_report.report import glucose_report
        from medtwin.errors import AnalysisError

        try:
            record = standing.record.known_by(here.clock())
            return glucose_report(record, until, days, goals=goals, synthetic=found.synthetic, unit=unit)
        except AnalysisError as error:
            raise Refusal(422, "No report", f"found {error.found}; expected {error.expected or 'readings'}") from None

    return here, await here.living.read(work)


def _shown(here: context.Context, made: GlucoseReport, request: Request) -> GlucoseReportPage:
    from medtwin.applications.glucose_report.rows import rows
    from medtwin.applications.glucose_report.sentences import change, sufficiency
    from medtwin.applications.glucose_report.unit import UNITS
    from medtwin.applications.glucose_report.write import figures

    base = f"{PREFIX}{PATH.format(patient=request.path_params['patient'])}".lstrip("/")
    # the end is named, so that the files show the same period though readings go on coming in
    asked = urlencode(
        {"days": made.days, "until": made.now.until.isoformat(), "unit": made.unit.name, "goals": made.goals}
    )
    return GlucoseReportPage(
        now=here.clock(), patient=made.patient, synthetic=made.synthetic, since=made.now.since, until=made.now.until,
        days=made.days, unit=made.unit.name, units=list(UNITS), active=made.now.active, summary=change(made),
        rule=sufficiency(made) or None,
        rows=[
            ReportRow(name=name, value=value, unit=unit, interval=interval, goal=goal, before=before)
            for name, value, unit, interval, goal, before in rows(made)
        ],
        figures=[
            ReportFigure(
                path=f"{base}/figures/{name}?{asked}", title=one.scene.title, description=one.scene.description,
                caption=one.caption, width=one.scene.width, height=one.scene.height,
            )
            for name, one in zip(FIGURES, figures(made), strict=True)
        ],
        files=[
            ReportFile(path=f"{base}.html?{asked}", label="One page to print (HTML)"),
            ReportFile(path=f"{base}.pdf?{asked}", label="PDF"),
        ],
        notes=list(made.notes),
    )  # fmt: skip
