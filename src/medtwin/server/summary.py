"""What the worklist and a patient's head show: last datum, last change, headline, model, one line about the future."""

from __future__ import annotations

from datetime import datetime, timedelta

from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.server import words
from medtwin.server.belief import LEVEL, Z, latest
from medtwin.server.fresh import newest, quantities
from medtwin.server.fresh import recent as latest_of
from medtwin.server.living import Standing
from medtwin.server.shapes import (
    ForecastSummary,
    Headline,
    LastChange,
    LastDatum,
    ModelStatus,
    Recent,
    Value,
)

HORIZON = timedelta(minutes=60)
RECENT = timedelta(hours=3)
NEWS = ("carbohydrate_intake", "insulin_bolus", "insulin_long_acting", "insulin_basal_rate", "diagnosis", "medication")


def model(standing: Standing) -> ModelStatus:
    choice = standing.choice
    if choice.model is not None:
        return ModelStatus(kind="physiological", name=words.model_name(choice.model.name), reason=None)
    return ModelStatus(kind="statistical", name="Statistical forecast", reason=choice.reason)


def last_datum(standing: Standing, now: datetime) -> LastDatum | None:
    """The newest measurement: of the headline where there is one, else of any level."""
    own = newest(standing.record, (standing.choice.headline,), now)
    if own is None:
        own = newest(standing.record, (q for q in quantities(standing.record) if _level(q)), now)
    if own is None:
        return None
    return LastDatum(quantity=own.quantity, label=words.channel(own.quantity), time=own.instant)


def _level(quantity: str) -> bool:
    known = registry.find(quantity)
    return known is not None and known.kind is Kind.LEVEL


def last_change(standing: Standing, now: datetime) -> LastChange | None:
    """The newest fact that somebody would want to hear of: a meal, a dose, a diagnosis, the headline's reading."""
    found = newest(standing.record, (standing.choice.headline, *NEWS), now)
    if found is None:
        found = newest(standing.record, quantities(standing.record), now)
    return None if found is None else LastChange(time=found.instant, text=words.told(found), event=found.id)


def headline(standing: Standing, now: datetime) -> Headline | None:
    """The belief of the headline; the last measurement with its own error where no model holds one."""
    quantity = standing.choice.headline
    believed = latest(standing, quantity)
    if believed is not None:
        value = Value(
            value=believed.mean, lower=believed.lower, upper=believed.upper, level=LEVEL, unit=words.unit(quantity),
            time=believed.time,
        )  # fmt: skip
    else:
        own = newest(standing.record, (quantity,), now)
        if own is None or not isinstance(own.value, float):
            return None
        half = Z * (own.sd if own.sd is not None else registry.get(quantity).sd(own.value))
        value = Value(
            value=own.value, lower=own.value - half, upper=own.value + half, level=LEVEL, unit=words.unit(quantity),
            time=own.instant,
        )  # fmt: skip
    return Headline(
        quantity=quantity, label=words.label(quantity), value=value, display_units=words.display_units(quantity)
    )


def recent(standing: Standing, now: datetime) -> Recent | None:
    """The last three hours of the headline; None where there are fewer than two readings."""
    since = now - RECENT
    rows = [e for e in latest_of(standing.record, standing.choice.headline, now) if e.instant >= since]
    if len(rows) < 2:
        return None
    return Recent(
        times=[e.instant for e in rows],
        values=[e.value if isinstance(e.value, float) else None for e in rows],
        unit=words.unit(standing.choice.headline),
    )


def future(standing: Standing, effect: object) -> ForecastSummary:
    """One line about the next hour, or why there is none."""
    from medtwin.twin.forecast import Effect

    assert isinstance(effect, Effect)
    made = effect.baseline
    if made.withheld or not made.times:
        return ForecastSummary(withheld=True, reason=made.withheld or "nothing to forecast from")
    goal = made.made_at + HORIZON
    place = min(range(len(made.times)), key=lambda i: abs(made.times[i] - goal))
    lower, middle, upper = (float(made.at(q)[place]) for q in (0.05, 0.5, 0.95))
    begin = float(made.at(0.5)[0])
    change, width = middle - begin, upper - lower
    text = "steady" if abs(change) < 0.15 * width else "rising" if change > 0 else "falling"
    return ForecastSummary(
        withheld=False,
        horizon_minutes=round((made.times[place] - made.made_at).total_seconds() / 60.0),
        quantity=made.quantity,
        value=Value(
            value=middle, lower=lower, upper=upper, level=LEVEL, unit=words.unit(made.quantity), time=made.times[place]
        ),
        text=text,
        made_at=made.made_at,
    )
