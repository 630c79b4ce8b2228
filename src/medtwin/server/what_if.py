"""POST /patients/{patient}/what-if: two futures side by side, without and with what is planned."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from medtwin.quantities import Kind, registry
from medtwin.record import Event, Intent, Moment, Source, SourcePatient
from medtwin.server import context, words
from medtwin.server.belief import LEVEL
from medtwin.server.forecast import basis, futures
from medtwin.server.http import Refusal, answer, body, route
from medtwin.server.living import Standing
from medtwin.server.shapes import Difference, Outcome, PlannedEvent, Value, WhatIf, WhatIfRequest
from medtwin.twin.scenario import plannable

if TYPE_CHECKING:
    from medtwin.twin import forecast as verb

MOST = 50  #: planned events
EARLY = timedelta(minutes=30)  #: a plan may lie this far back: the page's clock and a slow hand
LOW, HIGH = 70.0, 180.0


@route(
    "/patients/{patient}/what-if", "Two futures side by side: without and with planned meals and doses.", WhatIf,
    method="POST", takes=WhatIfRequest, statuses=(400, 403, 404, 422),
)  # fmt: skip
async def what_if(request: Request) -> Response:
    here, standing = await context.standing(request)
    asked = await body(request, WhatIfRequest)
    if not 1.0 <= asked.hours <= 24.0:
        raise Refusal(400, "Out of range", f"found hours {asked.hours:g}; expected 1 to 24")
    quantity = standing.choice.headline if asked.quantity is UNSET else asked.quantity
    if quantity != standing.choice.headline:
        raise Refusal(422, "Not forecast", f"found {quantity[:60]!r}; expected {standing.choice.headline}")
    planned = [event(standing, plan, asked.hours, number) for number, plan in enumerate(_plans(standing, asked))]
    effect = await here.living.effect(standing, asked.hours, planned)
    return answer(_shown(effect, standing, asked.planned, here.clock()))


def _plans(standing: Standing, asked: WhatIfRequest) -> list[PlannedEvent]:
    if len(asked.planned) > MOST:
        raise Refusal(400, "Too many plans", f"found {len(asked.planned)} planned events; expected at most {MOST}")
    return asked.planned


def event(standing: Standing, plan: PlannedEvent, hours: float, number: int) -> Event:
    """A planned event: a fact that has not happened yet."""
    model = standing.choice.model
    if model is None or standing.twin is None:
        raise Refusal(422, "No what-if for this person", standing.choice.reason)
    accepted = plannable(standing.choice)
    known = registry.find(plan.quantity)
    if plan.quantity not in accepted or known is None:
        raise Refusal(422, "Not an input", f"found {plan.quantity[:60]!r}; expected one of {', '.join(accepted)}")
    if plan.unit != known.unit:
        raise Refusal(422, "Not the unit", f"found {plan.unit[:40]!r}; expected {known.unit} for {known.name}")
    if not (math.isfinite(plan.value) and known.plausible(plan.value)):
        raise Refusal(
            422, "Not plausible", f"found {plan.value:g} {known.unit}; expected {known.low:g} to {known.high:g}"
        )
    if plan.time.tzinfo is None:
        raise Refusal(400, "Not an instant", "found a planned time without an offset; expected one ending in Z")
    if not standing.at - EARLY <= plan.time <= standing.at + timedelta(hours=hours):
        raise Refusal(
            422, "Not in the future", f"found a plan at {plan.time.isoformat()}; expected the next {hours:g} h"
        )
    begin = max(plan.time, standing.at + timedelta(seconds=1))
    if plan.until is None and known.kind is Kind.LEVEL:
        raise Refusal(422, "Not a plan", f"found {known.name} without an end; expected `until`, how long it lasts")
    if plan.until is not None and plan.until.tzinfo is None:
        raise Refusal(400, "Not an instant", "found an end without an offset; expected one ending in Z")
    if plan.until is not None and plan.until <= begin:
        raise Refusal(422, "Not a plan", f"found an end at {plan.until.isoformat()}; expected one after the beginning")
    return Event(
        subject=SourcePatient("medtwin-plan", standing.patient), quantity=plan.quantity, value=float(plan.value),
        time=Moment.of(begin), until=None if plan.until is None else Moment.of(plan.until), available=standing.at,
        intent=Intent.PLANNED, key=f"plan-{number}",
        source=Source(system="medtwin-plan", dialect="medtwin-what-if/1", raw="", locator=f"planned[{number}]"),
    )  # fmt: skip


def _shown(effect: verb.Effect, standing: Standing, planned: list[PlannedEvent], now: datetime) -> WhatIf:
    made = effect.baseline
    unit = made.unit
    none = bool(made.withheld) or not made.times
    return WhatIf(
        now=now, patient=standing.patient, quantity=made.quantity, label=words.label(made.quantity), unit=unit,
        display_units=words.display_units(made.quantity), made_at=made.made_at, basis=basis(made),
        withheld=made.withheld, widened=effect.scenario.widened, target=words.TARGETS.get(made.quantity),
        times=[] if none else list(made.times), baseline=futures(made), scenario=futures(effect.scenario),
        difference=Difference(
            median=[] if none else [float(v) for v in effect.quantiles[:, 2]],
            lower90=[] if none else [float(v) for v in effect.quantiles[:, 0]],
            upper90=[] if none else [float(v) for v in effect.quantiles[:, 4]],
        ),
        outcomes=[] if none else _outcomes(made, effect.scenario), planned=planned,
    )  # fmt: skip


def _outcomes(baseline: verb.Forecast, scenario: verb.Forecast) -> list[Outcome]:
    """The lowest and highest of each future, and for glucose the greatest chance at one moment to be out of range."""
    unit = baseline.unit
    span = baseline.times[-1] - baseline.made_at
    hours = f"{span.total_seconds() / 3600.0:.3g} h"

    def extreme(made: verb.Forecast, low: bool) -> Value:
        median = made.at(0.5)
        place = int(median.argmin() if low else median.argmax())
        lower, upper = float(made.at(0.05)[place]), float(made.at(0.95)[place])
        return Value(
            value=float(median[place]), lower=lower, upper=upper, level=LEVEL, unit=unit, time=made.times[place]
        )

    found = [
        Outcome(label=f"Lowest median in {hours}", baseline=extreme(baseline, True), scenario=extreme(scenario, True)),
        Outcome(
            label=f"Highest median in {hours}", baseline=extreme(baseline, False), scenario=extreme(scenario, False)
        ),
    ]
    if baseline.quantity == "glucose":
        for label, bound, below in (
            (f"Greatest chance below {LOW:.0f} mg/dL at one moment", LOW, True),
            (f"Greatest chance above {HIGH:.0f} mg/dL at one moment", HIGH, False),
        ):
            found.append(
                Outcome(label=label, baseline=_chance(baseline, bound, below), scenario=_chance(scenario, bound, below))
            )
    return found


def _chance(made: verb.Forecast, bound: float, below: bool) -> Value:
    """The greatest predictive probability over the times to lie below (or above) ``bound``, in %."""
    from medtwin.applications.doses.sweep import chances

    shares = chances(made, bound, below=below)
    place = int(shares.argmax())
    return Value(value=100.0 * float(shares[place]), unit="%", time=made.times[place])
