"""Profiles of insulin preparations in plasma against published ones that were not used to set them.

Run: ``python -m medtwin.evidence.insulins``; writes ``docs/evidence/insulins.md`` (ten seconds).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from medtwin.physiology.drugs.insulins import PREPARATIONS, injection
from medtwin.physiology.exposures import DAY, MINUTE, Exposure, Grid, inputs
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.model import parameters_at

MODEL = GlucoseInsulin()
WEIGHT = 75.0  #: kg
DAILY = 8  #: days of one dose a day before the profile is read, as Becker 2015
END_OF_NPH = 14.0  #: h, Lepore 2000: it sets the concentration at which action ends


@eqx.filter_jit
def _run(parameters: Any, given: dict[str, Any]) -> Any:
    """Insulin in plasma, pmol/kg, each minute."""

    def step(state: Any, now: dict[str, Any]) -> tuple[Any, Any]:
        after = MODEL.step(jnp.asarray(0.0), jnp.asarray(1.0), state, parameters, now)
        return after, after.plasma_insulin

    return jax.lax.scan(step, MODEL.initial(parameters), given)[1]


def concentration(name: str, per_kilogram: float, hours: int, doses: int = 1) -> np.ndarray:
    """Insulin in plasma above rest (pmol/kg), each minute after the last of ``doses`` (one a day), at the median of the prior."""
    parameters = parameters_at(MODEL, {}, {"body_weight": WEIGHT})
    given: list[Exposure] = []
    for day in range(doses):
        given += injection(name, day * DAY, per_kilogram * WEIGHT)
    before = int((doses - 1) * DAY / MINUTE)
    grid = Grid(start=0.0, step=MINUTE, count=before + 60 * hours)
    asked = inputs(given, MODEL.accepts, grid, unit=MINUTE)
    rest = MODEL.resting(parameters)
    held = {quantity: jnp.asarray(asked[quantity]) + rest[quantity] for quantity in rest}
    plasma = np.asarray(_run(parameters, held)) - float(MODEL.initial(parameters).plasma_insulin)
    return np.asarray(plasma[before:], float)


@dataclass(frozen=True)
class Line:
    """One comparison: what, published value and its range, the model's, and where it was read."""

    what: str
    published: float
    low: float
    high: float
    found: float
    source: str

    @property
    def within(self) -> bool:
        """Whether the model's value is in the published range."""
        return self.low <= self.found <= self.high


def half_time(curve: np.ndarray, hours: float) -> float:
    """Hours after which half of the area up to ``hours`` has passed."""
    area = np.cumsum(curve[: int(60 * hours)])
    return float(np.searchsorted(area, area[-1] / 2) / 60.0)


def early(curve: np.ndarray) -> float:
    """Minutes until half of the greatest concentration."""
    return float(np.argmax(curve >= curve.max() / 2) + 1)


def peak(curve: np.ndarray) -> float:
    """Hours until the greatest concentration."""
    return float((np.argmax(curve) + 1) / 60.0)


def end(curve: np.ndarray, level: float) -> float:
    """Hours after the peak's rise until the concentration falls below ``level`` for good."""
    above = np.flatnonzero(curve >= level)
    return float((above[-1] + 1) / 60.0) if len(above) else 0.0


def lines() -> tuple[Line, ...]:
    """All comparisons; none of the published values set a number of ``physiology/drugs/insulins.py``."""
    return (*glargines(), *rapid(), *slow(), *degludec())


@cache
def glargines() -> tuple[Line, ...]:
    """Both strengths of glargine at steady state."""
    made = []
    steady = {name: concentration(name, 0.4, 36, DAILY) for name in ("glargine_100", "glargine_300")}
    published = {
        "glargine_100": (9.6, 9, 10, 10.9, 10, 12, 1.8, 1.3, 2.3),
        "glargine_300": (10.4, 10, 11, 14.0, 12, 15, 0.8, 0.6, 1.0),
    }
    for name, curve in steady.items():
        day, day_low, day_high, long, long_low, long_high, swing, swing_low, swing_high = published[name]
        becker = "Becker 2015, table 1, at steady state; range: between quartiles"
        made += [
            Line(f"{name}: half of the area of 24 h, h", day, day_low, day_high, half_time(curve, 24), becker),
            Line(f"{name}: half of the area of 36 h, h", long, long_low, long_high, half_time(curve, 36), becker),
            Line(
                f"{name}: (greatest - that of 24 h)/that of 24 h", swing, swing_low, swing_high,
                float(curve[:1440].max() / curve[1439] - 1), becker,
            ),
        ]  # fmt: skip
    return tuple(made)


@cache
def rapid() -> tuple[Line, ...]:
    """Aspart and faster aspart."""
    made = []
    quick, usual = (concentration(name, 0.2, 10) for name in ("faster_aspart", "aspart"))
    made.append(
        Line("aspart: greatest concentration, min", 69.7, 40.0, 90.0, 60 * peak(usual), "Heise 2015 (ref. in dme13525, table 1); "
             "range: 43.8 of Plank 2002 to 90 of Arnolds 2010")
    )  # fmt: skip
    for name, curve, minutes in (("aspart", usual, 31.6), ("faster aspart", quick, 20.7)):
        made.append(
            Line(f"{name}: half of the greatest, min", minutes, 0.8 * minutes, 1.2 * minutes, early(curve),
                 "Heise 2015, of which the onset set the lag; range: a fifth")
        )  # fmt: skip
    made.append(
        Line("faster aspart: greatest concentration, as a share of aspart's time", 62.9 / 69.7, 0.80, 1.0,
             peak(quick) / peak(usual), "62.9 against 69.7 min, the same table; range: judgement")
    )  # fmt: skip
    return tuple(made)


def slow() -> tuple[Line, ...]:
    """Regular, NPH, one dose of glargine, detemir."""
    made = []
    regular = concentration("regular", 0.2, 14)
    made.append(
        Line(
            "regular: greatest action after, h",
            2.5,
            2.0,
            4.0,
            peak(regular),
            "tables of reviews: 2 to 4 h, of action, which comes after concentration",
        )
    )
    nph = concentration("nph", 0.3, 30)
    made.append(
        Line("NPH: greatest concentration, h", 4.5, 3.5, 5.5, peak(nph), "Lepore 2000: 4.5 (se .5); range: two se")
    )
    level = float(nph[int(60 * END_OF_NPH)])
    glargine, detemir, low = (
        concentration("glargine_100", 0.3, 48),
        concentration("detemir", 0.29, 48),
        concentration("detemir", 0.2, 48),
    )
    made.append(
        Line(
            "glargine U100 .3 U/kg: end of action, h",
            22.0,
            18.0,
            26.0,
            end(glargine, level),
            "Lepore 2000: 22 (4); level: NPH's at 14 h",
        )
    )
    made.append(Line("detemir .29 U/kg: end of action as a multiple of NPH's", 16.9 / 12.7, 1.1, 1.6,
                     end(detemir, level) / END_OF_NPH,
                     "Plank 2005: 16.9 against 12.7 h; range: judgement"))  # fmt: skip
    made.append(
        Line("detemir .2 U/kg: end of action, h", 12.1, 9.0, 15.0, end(low, level), "Plank 2005; range: judgement")
    )
    return tuple(made)


def degludec() -> tuple[Line, ...]:
    """Day after day."""
    made = []
    troughs = [float(concentration("degludec", 0.4, 24, days)[1439]) for days in (1, 2, 3, 4, 12)]
    reached = next(days for days, trough in zip((1, 2, 3, 4, 12), troughs, strict=True) if trough > 0.9 * troughs[-1])
    made.append(
        Line(
            "degludec: days until the trough is above 90 % of its plateau",
            2.5,
            2.0,
            3.0,
            float(reached),
            "Heise 2016: 2 to 3 days",
        )
    )
    day = concentration("degludec", 0.4, 24, 12)
    quarters = [float(day[360 * k : 360 * (k + 1)].sum() / day.sum()) for k in range(4)]
    made.append(Line("degludec: greatest quarter of a day's exposure, %", 28.0, 25.0, 30.0, 100 * max(quarters),
                     "of its effect, at steady state: 28 % "
                     "(Haahr 2014, table 2)"))  # fmt: skip
    return tuple(made)


def page() -> str:
    """The page."""
    rows = "\n".join(
        f"| {one.what} | {one.published:.3g} ({one.low:g} to {one.high:g}) | {one.found:.3g} "
        f"| {'yes' if one.within else '**no**'} | {one.source} |"
        for one in lines()
    )
    kinds = "\n".join(
        f"| {one.name} | {one.half:g} | {one.stages} | {one.available:g} | {one.lag:g} | {one.source} |"
        for one in PREPARATIONS.values()
    )
    inside = sum(one.within for one in lines())
    return f"""# Insulin preparations in plasma

Generated by `python -m medtwin.evidence.insulins`; do not edit.

Injections of `physiology/drugs/insulins.py` into `glucose_insulin` at the median of its prior, {WEIGHT:g} kg: insulin in plasma
above that at rest. None of the published values of the first table set a number of the second.

| what | published (range) | model | within | source |
|---|---|---|---|---|
{rows}

{inside} of {len(lines())} are within.

| preparation | half-time, h | stages | available | lag, min | source |
|---|---|---|---|---|---|
{kinds}

Not in it: doses that last longer where they are larger (regular, detemir, NPH), sites, variation between days, mixtures (inject
two), icodec.
"""


if __name__ == "__main__":
    made = page()
    Path("docs/evidence/insulins.md").write_text(made)
    sys.stdout.write(made)
