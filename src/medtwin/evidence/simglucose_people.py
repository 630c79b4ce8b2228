"""People of `simglucose` (UVA/Padova S2008, adults), as records: what they tell, and forks of their lives.

Each of simglucose's own patient objects is stepped minute by minute and read through its own Dexcom sensor error. A day has three
meals with scatter, of which ``UNTOLD`` are neither told nor dosed for; the person counts with a log error of ``COUNTING`` and
doses by the ratio and correction factor of simglucose's own table (Quest.csv), on a basal rate that holds their steady
state. All habits are assumptions. The patient is given its parameters as plain numbers rather than as a pandas row: the
same equations, about 15 times as fast. It knows no exercise.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medtwin.record import Code, Comparator, Event, Moment, Record, Source, SourcePatient

MEALS = ((7.5, 45.0, 12.0), (12.6, 65.0, 18.0), (19.1, 75.0, 20.0))  #: hour, g, sd of g; assumption, as in worlds.life
COUNTING, UNTOLD = 0.2, 0.05
TARGET, CORRECTED, LOW, RESCUE = 120.0, 150.0, 65.0, 15.0  #: mg/dL, mg/dL, mg/dL, g
BOUNDS = (39.0, 600.0)  #: what that sensor says at most
TYPE_1 = Code("http://snomed.info/sct", "46635009", "Diabetes mellitus type 1")


@dataclass(frozen=True)
class Adult:
    """One lived life: what was told, and the body at each moment that was asked for."""

    record: Record = field(repr=False)
    ratio: float  #: g/U
    bodies: dict[int, Any] = field(repr=False)  #: simglucose's patient as it was, by minute
    basal: float  #: U/min


def live(name: str, days: int, start: datetime, seed: int, stops: Sequence[int]) -> Adult:
    """An adult's life of ``days`` from ``start`` (UTC); ``stops``: minutes at which the body is kept for :func:`fork`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its package imports pkg_resources and gym
        import pandas as pd
        import simglucose
        from simglucose.patient.t1dpatient import Action
        from simglucose.sensor.cgm import CGMSensor
    folder = Path(simglucose.__file__).parent / "params"
    row = pd.read_csv(folder / "vpatient_params.csv").set_index("Name", drop=False).loc[name]
    quest = pd.read_csv(folder / "Quest.csv").set_index("Name").loc[name]
    rng = np.random.default_rng([seed, int(name[-3:])])
    body = _patient(SimpleNamespace(**row.to_dict()), row.iloc[2:15].to_numpy(float), 0.0)
    basal = float(row.u2ss) * float(row.BW) / 6000.0
    sensor = CGMSensor.withName("Dexcom", seed=int(rng.integers(1 << 30)))
    subject = SourcePatient("simglucose", name)
    source = Source("simglucose", "simglucose/0.2.11", "0" * 32, name)
    told: list[Event] = []

    def tell(quantity: str, value: float | Code, minute: int, comparator: Comparator | None = None) -> None:
        when = start + timedelta(minutes=minute)
        told.append(
            Event(
                subject=subject, quantity=quantity, value=value, time=Moment.of(when), available=when, source=source,
                key=f"{quantity}@{minute}", comparator=comparator,
            )
        )  # fmt: skip

    tell("diagnosis", TYPE_1, 0)
    tell("body_weight", float(row.BW), 0)
    tell("insulin_basal_rate", basal * 60.0, 0)
    meals = {}
    for day in range(days):
        for hour, grams, spread in MEALS:
            minute = day * 1440 + round(60.0 * (hour + 0.5 * rng.standard_normal()))
            meals[minute] = (max(15.0, grams + spread * rng.standard_normal()), rng.random(), rng.standard_normal())
    bodies: dict[int, Any] = {}
    shown, rescued = TARGET, -60
    for minute in range(days * 1440):
        if minute in stops:
            bodies[minute] = (body._params, _frozen(body))
        if body.t % sensor.sample_time == 0:
            shown = float(sensor.measure(body))
            bound = Comparator.AT_MOST if shown <= BOUNDS[0] else Comparator.AT_LEAST if shown >= BOUNDS[1] else None
            tell("glucose", float(round(shown)), minute, bound)
        grams, units = 0.0, 0.0
        if minute in meals:
            grams, luck, slip = meals[minute]
            if luck > UNTOLD:
                counted = 5.0 * max(1.0, round(grams * float(np.exp(COUNTING * slip)) / 5.0))
                correction = (shown - TARGET) / float(quest.CF) if shown > CORRECTED else 0.0
                units = round((counted / float(quest.CR) + correction) / 0.05) * 0.05
                tell("carbohydrate_intake", counted, minute)
                tell("insulin_bolus", units, minute)
        elif shown < LOW and minute - rescued > 25:
            grams, rescued = RESCUE, minute
            tell("carbohydrate_intake", RESCUE, minute)
        body.step(Action(insulin=basal + units, CHO=grams))
    record = Record(name, tuple(e.committed(i + 1, None) for i, e in enumerate(told)), "UTC")
    return Adult(record, float(quest.CR), bodies, basal)


def fork(adult: Adult, minute: int, later: int, minutes: int, grams: float, units: float) -> NDArray[np.float64]:
    """Interstitial glucose (mg/dL) of the ``minutes`` after ``minute`` of a body kept there, which eats and injects
    ``later`` minutes on, and nothing else."""
    from simglucose.patient.t1dpatient import Action

    parameters, (state, t, memory) = adult.bodies[minute]
    body = _patient(parameters, state.copy(), t)
    body.__dict__.update(memory)
    seen = np.empty(minutes)
    for m in range(minutes):
        body.step(Action(insulin=adult.basal + (units if m == later else 0.0), CHO=grams if m == later else 0.0))
        seen[m] = body.observation.Gsub
    return seen


def _patient(parameters: Any, state: NDArray[np.float64], t: float) -> Any:
    from simglucose.patient.t1dpatient import T1DPatient

    return T1DPatient(parameters, init_state=state, t0=t)


def _frozen(body: Any) -> tuple[NDArray[np.float64], float, dict[str, Any]]:
    """All that a patient remembers: its state, its time, and the meal that it is at."""
    names = ("_last_Qsto", "_last_foodtaken", "_last_action", "is_eating", "planned_meal")
    return np.array(body.state), float(body.t), {name: getattr(body, name) for name in names}
