"""POST /trials/plan: a trial planned from stated assumptions.

Who may: whoever holds a grant of the policy's present epoch that may read anything at all, the least that a grant can allow.
No patient is concerned, nothing is asked of the store, nothing is written and nothing is kept; a grant that covers some
patients only is enough, one that may only write (a device) is not. As everywhere, the login and the page's header are asked
for before. What is asked is of bounded size; the work itself is bounded in ``planner.py``.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from medtwin.errors import AnalysisError
from medtwin.governance.grant import Action, Grant
from medtwin.server import context
from medtwin.server.http import Refusal, answer, content, route
from medtwin.server.planner import refusal
from medtwin.server.shapes import (
    PlanFigure,
    PlanInput,
    PlanLook,
    PlanMethod,
    PlannedNumber,
    PlanSaving,
    TrialPlan,
)

BYTES = 64 * 1024  #: of a plan
LETTERS = 200  #: of one word of it
LARGEST = 1e9  #: size of a number
MOST = {"looks": 20, "futility_z": 19}  #: entries; every other list goes over visits
VISITS = 30
COVARIATES = 1000


@route(
    "/trials/plan", "A trial planned from stated assumptions: numbers by each method, savings, looks, curves, words.",
    TrialPlan, method="POST", takes=PlanInput, statuses=(400, 403, 413, 422, 503),
)  # fmt: skip
async def plan(request: Request) -> Response:
    here = context.of(request)
    allowed(here.living.grant, await here.living.read(here.store.epoch))
    asked = read(await content(request, BYTES))
    made = await here.planner.plan(asked, request)
    return answer(_shown(here, made))


def allowed(grant: Grant, epoch: int) -> None:
    """Raise AccessDenied for a grant that may read nothing."""
    grant.require(Action.READ, min(grant.patients) if grant.patients else None, epoch)


def read(body: bytes) -> PlanInput:
    """The plan of a body. Refusals: 400 where it is no plan, 422 where it cannot be one; ``field`` names what is at fault."""
    from medtwin.trials.planning.faults import field_of
    from medtwin.trials.planning.inputs import plan_input

    try:
        given = msgspec.json.decode(body, type=dict[str, Any])
        typed = msgspec.convert(given, PlanInput, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        words = f"found {str(error)[:300]}; expected a plan"
        raise Refusal(400, "Not a plan", words, field=field_of(str(error), "")) from None
    for name, value in given.items():
        _bounded(name, value)
    try:
        return plan_input(given)
    except AnalysisError as error:
        raise refusal(error, typed.endpoint) from None


def _bounded(name: str, value: object) -> None:
    """Refuse what would be too much work, or no number."""
    if isinstance(value, str) and len(value) > LETTERS:
        raise _too_much(name, f"{len(value)} letters", f"at most {LETTERS}")
    if isinstance(value, list):
        most = MOST.get(name, VISITS)
        if len(value) > most:
            raise _too_much(name, f"{len(value)} entries", f"at most {most}")
        for one in value:
            _bounded(name, one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        largest = COVARIATES if name == "covariates" else LARGEST
        if not abs(value) <= largest:
            raise _too_much(name, f"{value:.3g}" if isinstance(value, float) else "such size", f"at most {largest:g}")


def _too_much(name: str, found: str, expected: str) -> Refusal:
    return Refusal(422, "Cannot be planned", f"found {name} of {found}; expected {expected}", field=name)


def _shown(here: context.Context, made: dict[str, Any]) -> TrialPlan:
    n0, n1 = made["n_control"], made["n_treated"]
    numbers = msgspec.convert(made["numbers"], list[PlannedNumber])
    enrolled = next((n.value for n in numbers if n.name.startswith("enrolled")), n0 + n1)
    return TrialPlan(
        now=here.clock(), method=made["method"], n_control=n0, n_treated=n1, enrolled=round(enrolled),
        power=made["power"], methods=msgspec.convert(made["methods"], list[PlanMethod]), numbers=numbers,
        savings=[_saving(one) for one in made["savings"]], looks=msgspec.convert(made["looks"], list[PlanLook]),
        boundary=made["boundary"], figures=msgspec.convert(made["figures"], list[PlanFigure]), notes=list(made["notes"]),
        text=made["text"], file=made["file"],
    )  # fmt: skip


def _saving(one: dict[str, Any]) -> PlanSaving:
    n0, n1 = one["without"]
    kept = one["treated_kept"]
    return PlanSaving(
        against=one["against"], without_control=n0, without_treated=n1,
        total_saved=n0 + n1 - sum(one["same_allocation"]), controls_saved=None if kept is None else n0 - kept,
        method=one["method"],
    )  # fmt: skip
