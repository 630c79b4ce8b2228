"""A column with the twin's own forecast of the endpoint, for the people of a record home, each as of their baseline.

Nothing that became known after a person's baseline is looked at: the record is cut by ``Record.known_by`` on the clock
``available`` (when it could have been known) or ``recorded`` (when this home held it), and the twin, its residual and its
forecast are made of what is left. A forecast that the twin withholds is empty, with its reason: nobody is dropped.
Importing this file imports JAX.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from medtwin.errors import AnalysisError
from medtwin.governance.grant import Grant
from medtwin.record.record import Clock
from medtwin.record.store import Store
from medtwin.twin.forecast import HORIZONS
from medtwin.twin.patients import Patients

COLUMNS = ("forecast", "forecast_low", "forecast_high", "forecast_by", "forecast_withheld")


def twin_forecasts(
    store: Store, grant: Grant, table: pl.DataFrame, *, quantity: str, hours: float, patient: str = "patient",
    baseline: str = "baseline", clock: Clock = "available", progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:  # fmt: skip
    """The table with :data:`COLUMNS` added: median, 5 and 95 % quantile in the quantity's unit, by whom, and why not.

    ``patient`` is the column of the ids that the home knows, ``baseline`` that of the moments as of which each forecast is made
    (with an offset; ISO 8601 where they are text); ``hours`` after it lies the endpoint. Raises for an unknown person and for a
    moment without offset.
    """
    if not 0.0 < hours * 3600.0 <= float(HORIZONS[-1]):
        raise AnalysisError(f"a forecast over {hours:g} h", expected=f"at most {HORIZONS[-1] / 3600.0:g} h",
                            remedy="the twin foretells hours; for weeks take another kind of score")  # fmt: skip
    for name in (patient, baseline):
        if name not in table.columns:
            raise AnalysisError(f"no column {name!r}", expected=f"one of {table.columns[:30]}")
    if taken := set(COLUMNS) & set(table.columns):
        raise AnalysisError(f"columns {sorted(taken)} already", expected="a table without forecasts")
    people = Patients(store, grant)
    rows = []
    for done, (who, when) in enumerate(zip(table[patient].to_list(), table[baseline].to_list(), strict=True)):
        if isinstance(when, str):
            try:
                when = datetime.fromisoformat(when)
            except ValueError:
                raise AnalysisError(
                    f"the moment {when[:30]!r}", expected="ISO 8601 with an offset", where=baseline
                ) from None
        if not isinstance(when, datetime) or when.utcoffset() is None:
            raise AnalysisError("a baseline that is no moment with an offset", expected="a column of moments in a time zone",
                                where=baseline)  # fmt: skip
        rows.append(_one(people, str(who), when, quantity, hours, clock))
        if progress is not None:
            progress(done + 1, table.height)
    kinds = [pl.Float64] * 3 + [pl.String] * 2
    return table.with_columns(
        pl.Series(name, [row[k] for row in rows], dtype=kinds[k]) for k, name in enumerate(COLUMNS)
    )


def _one(
    people: Patients, who: str, when: datetime, quantity: str, hours: float, clock: Clock
) -> tuple[float | None, float | None, float | None, str, str | None]:
    life = people.as_of(who, when, clock)
    if life.choice.headline != quantity:
        return None, None, None, "", f"the twin speaks of {life.choice.headline}, not of {quantity}"
    made = people.forecast(who, life, hours=hours).baseline
    if made.withheld is not None or not made.times:
        return None, None, None, made.label, made.withheld or "no time in reach"
    wanted = when + timedelta(hours=hours)
    if made.times[-1] < wanted - timedelta(minutes=5):
        return None, None, None, made.label, f"it reaches to {made.times[-1]:%Y-%m-%d %H:%M} only"
    away = np.array([abs((time - wanted).total_seconds()) for time in made.times])
    k = int(np.argmin(away))
    low, middle, high = (float(made.at(level)[k]) for level in (0.05, 0.5, 0.95))
    if not all(math.isfinite(v) for v in (low, middle, high)):
        return None, None, None, made.label, "a forecast that is no number"
    return middle, low, high, made.label, None
