"""GET /patients/{patient}/parameters: what the twin knows of this person, prior against posterior."""

from __future__ import annotations

import asyncio
import math

from starlette.requests import Request
from starlette.responses import Response

from medtwin.evidence import calibrated
from medtwin.server import context, words
from medtwin.server.belief import LEVEL, Z
from medtwin.server.http import answer, route
from medtwin.server.living import Standing
from medtwin.server.shapes import IntervalEstimate, ParameterBelief, Parameters

LEARNT = 0.1  #: shrinkage from which something was learnt


@route(
    "/patients/{patient}/parameters", "What the twin knows, prior against posterior, and what is withheld.", Parameters
)
async def parameters(request: Request) -> Response:
    here, standing = await context.standing(request)
    found = await asyncio.get_running_loop().run_in_executor(here.living.forecasts, _all, standing)
    return answer(Parameters(now=here.clock(), patient=standing.patient, parameters=found))


def _all(standing: Standing) -> list[ParameterBelief]:
    if standing.twin is None:
        return []
    from medtwin.physiology.model import priors, variables
    from medtwin.physiology.prior import LogNormal

    twin = standing.twin
    resolved = priors(twin.model, twin.covariates)
    updated = twin.facts.last
    found = []
    for variable in variables(twin.model.Parameters):
        if variable.name not in twin.model.inferred:
            continue
        prior = resolved[variable.name]
        mean, sd = _deviate(standing, variable.name)
        reason = calibrated.withheld(twin.model.name, variable.name, twin)
        known = reason is None and mean is not None and sd is not None
        shrinkage = 1.0 - sd * sd if known and sd is not None else None
        found.append(
            ParameterBelief(
                name=variable.name, label=words.words(variable.name), meaning=variable.meaning, unit=variable.unit,
                model=words.model_name(twin.model.name), scale="log" if isinstance(prior, LogNormal) else "linear",
                source=variable.source, level=LEVEL, prior=_interval(prior, 0.0, 1.0),
                posterior=_interval(prior, mean, sd) if known and mean is not None and sd is not None else None,
                shrinkage=shrinkage,
                state="withheld" if not known else "learnt" if (shrinkage or 0.0) >= LEARNT else "unknown",
                reason=reason if reason is not None else None if known else "the filter holds no belief of it",
                calibration=calibrated.evidence(twin.model.name, variable.name),
                updated=twin.axis.moment(updated) if updated is not None else None,
            )
        )  # fmt: skip
    return found


def _deviate(standing: Standing, name: str) -> tuple[float | None, float | None]:
    """Mean and sd of the parameter's standard normal deviate, at the newest belief."""
    assert standing.twin is not None
    for piece in reversed(standing.twin.pieces):
        columns = piece.columns
        if len(columns["boundary"]) and f"z:{name}" in columns:
            mean, sd = float(columns[f"z:{name}"][-1]), float(columns[f"zsd:{name}"][-1])
            if math.isfinite(mean) and math.isfinite(sd):
                return mean, sd
    return None, None


def _interval(prior: object, mean: float, sd: float) -> IntervalEstimate:
    """The interval of the deviate, carried through the prior's map."""
    import jax.numpy as jnp

    lower, middle, upper = (
        float(prior.from_deviate(jnp.asarray(z)))  # type: ignore[attr-defined]
        for z in (mean - Z * sd, mean, mean + Z * sd)
    )
    return IntervalEstimate(median=middle, lower=lower, upper=upper)
