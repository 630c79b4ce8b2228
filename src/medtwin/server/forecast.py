"""GET /patients/{patient}/forecast: what comes next, or why nothing can be said."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from medtwin.server import context, summary, words
from medtwin.server.http import Query, Refusal, answer, moment, number, route
from medtwin.server.living import Standing
from medtwin.server.shapes import Coverage, Forecast, ForecastBasis, Future

if TYPE_CHECKING:
    from medtwin.twin import forecast as verb

QUANTILES = {"median": 0.5, "lower50": 0.25, "upper50": 0.75, "lower90": 0.05, "upper90": 0.95}


@route(
    "/patients/{patient}/forecast", "What comes next: median, 50 % and 90 % intervals, or why it is withheld.", Forecast,
    query=(
        Query(name="quantity", meaning="default: the patient's headline"),
        Query(name="hours", meaning="1 to 24; default 6", kind="number"),
        Query(name="as_of", meaning="the forecast that could have been made at that moment", kind="date-time"),
    ),
    statuses=(400, 403, 404, 422),
)  # fmt: skip
async def forecast(request: Request) -> Response:
    here, standing = await context.standing(request)
    hours = number(request, "hours", 6.0, 0.25, 24.0)
    past = moment(request, "as_of")
    now = here.clock()
    quantity = request.query_params.get("quantity") or standing.choice.headline
    if quantity != standing.choice.headline:
        return answer(_none(standing, quantity, now))
    if past is not None:
        if past > now:
            raise Refusal(400, "In the future", f"found as_of {past.isoformat()}; expected a moment before now")
        loop = asyncio.get_running_loop()
        standing = await loop.run_in_executor(here.living.forecasts, here.living.as_of, standing.patient, past)
    effect = await here.living.effect(standing, hours)
    return answer(shown(effect.baseline, now))


def shown(made: verb.Forecast, now: datetime) -> Forecast:
    """A forecast as the page reads it."""
    future = futures(made)
    return Forecast(
        now=now, patient=made.patient, quantity=made.quantity, label=words.label(made.quantity), unit=made.unit,
        display_units=words.display_units(made.quantity), made_at=made.made_at, basis=basis(made),
        withheld=made.withheld, widened=made.widened, times=[] if made.withheld else list(made.times),
        median=future.median, lower50=future.lower50, upper50=future.upper50, lower90=future.lower90,
        upper90=future.upper90,
        calibration=None if made.coverage is None else Coverage(
            coverage90=made.coverage[0], n=made.coverage[1], horizon_minutes=made.coverage[2]
        ),
    )  # fmt: skip


def basis(made: verb.Forecast) -> ForecastBasis:
    named = made.label[:1].upper() + made.label[1:]
    for model, label in words.MODELS.items():
        if re.match(rf"{model}\b(?!_)", made.label):
            named = label + made.label[len(model) :]
    return ForecastBasis(kind="physiological" if made.physiological else "statistical", label=named)


def futures(made: verb.Forecast) -> Future:
    if made.withheld or not made.times:
        return Future(median=[], lower50=[], upper50=[], lower90=[], upper90=[])
    return Future(**{name: [float(v) for v in made.at(level)] for name, level in QUANTILES.items()})


def _none(standing: Standing, quantity: str, now: datetime) -> Forecast:
    """Only the headline has a forecast; another quantity says so."""
    status = summary.model(standing)
    return Forecast(
        now=now, patient=standing.patient, quantity=quantity, label=words.label(quantity), unit=words.unit(quantity),
        display_units=words.display_units(quantity), made_at=standing.at,
        basis=ForecastBasis(kind=status.kind, label=status.name),
        withheld=f"only {words.label(standing.choice.headline).lower()} is forecast for this person", widened=None,
        times=[], median=[], lower50=[], upper50=[], lower90=[], upper90=[], calibration=None,
    )  # fmt: skip
