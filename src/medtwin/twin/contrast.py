"""What one plan does that another does not: half the bolus against all of it, lunch with a walk against lunch alone.

:func:`~medtwin.twin.forecast.forecast` compares a plan with none. Here two plans are compared: the same members of the belief
live both, with the same noise, and differ member by member. What both plans share cancels. The difference is widened by the
model's own error (:mod:`medtwin.twin.effects`), by the time since the plans part.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from medtwin.errors import InferenceError
from medtwin.inference.forecasts import forecast_members
from medtwin.quantities import registry
from medtwin.record import Event
from medtwin.twin.effects import with_model_error
from medtwin.twin.forecast import MEMBERS, limit
from medtwin.twin.twin import Twin

SIZE = 60  #: steps; futures are padded to a multiple, so that few functions are compiled


def contrast(
    twin: Twin,
    quantity: str,
    plans: Sequence[Event],
    instead: Sequence[Event],
    times: Sequence[datetime],
    *,
    levels: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
    model_error: float = 1.0,
) -> NDArray[np.float64]:
    """Quantiles ``(times, levels)`` of the change of ``quantity``, in its unit, if ``instead`` is done and not ``plans``.

    ``times`` lie after ``twin.at``. ``model_error`` multiplies the model's own error of an effect; 0 for the members' spread
    alone. Raises :class:`InferenceError` for a quantity that the twin's model does not observe, or a time that is past.
    """
    if quantity not in twin.model.observes:
        raise InferenceError(
            f"a contrast of {quantity}", expected=f"one of {', '.join(twin.model.observes)}", where=twin.model.name
        )
    first = twin.step
    ends = np.array([twin.axis.boundary(t) - first for t in times])
    if ends.min() < 1:
        raise InferenceError(
            f"the time {min(times):%Y-%m-%d %H:%M}", expected=f"times after the twin's, {twin.at:%Y-%m-%d %H:%M}"
        )
    apart = {_said(e) for e in plans} ^ {_said(e) for e in instead}
    if not apart:
        return np.zeros((len(times), len(levels)))
    steps = SIZE * int(np.ceil(ends.max() / SIZE))
    lives = [_lived(twin, quantity, given, steps)[ends - 1] for given in (plans, instead)]
    parting = min(begin for _, _, begin, _ in apart)
    since = [(t - parting) / timedelta(hours=1) for t in times]
    only = {_said(e) for e in plans} <= {
        _said(e) for e in instead
    }  # nothing is left out, so that only what is added raises
    added = [e for e in instead if _said(e) in apart]
    change = with_model_error(
        lives[1] - lives[0], since, twin.model.name, model_error,
        least=np.minimum(registry.get(quantity).low - lives[0], 0.0),
        most=limit(twin, quantity, added, times) if only else np.inf,
    )  # fmt: skip
    return np.asarray(np.quantile(change, levels, axis=1).T, float)


def _said(event: Event) -> tuple[str, float, datetime, datetime | None]:
    assert isinstance(event.value, float)
    return event.quantity, event.value, event.instant, event.until.instant if event.until else None


def _lived(twin: Twin, quantity: str, plans: Sequence[Event], steps: int) -> NDArray[np.float64]:
    """The members' futures ``(steps, members)`` under ``plans``; the same key, so the same people and noise."""
    first = twin.step
    given = {q: jnp.asarray(d.with_plans(plans, first, steps, first), float) for q, d in twin.facts.doses.items()}
    seen = forecast_members(
        twin.problem, twin.belief, given, MEMBERS, jax.random.key(0), steps=steps,
        t0=jnp.asarray(twin.axis.since_midnight(first), float),
    )  # fmt: skip
    return np.asarray(seen[quantity], float)
