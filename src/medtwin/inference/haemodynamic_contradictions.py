"""Readings of a circulation that cannot all be true of one heart at one time, said in words and never repaired.

*Impossible*: no circulation has them (a systolic pressure below the diastolic one); a belief is withheld. *Odd*: they may come
from different moments or from an error of measurement (a wedge pressure above the diastolic pulmonary one); they are
used and named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from medtwin.quantities import registry

APART = 3.0  #: sds of their difference from which two ways to the same number disagree: odd
BEYOND = 6.0  #: from which they are impossible together


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Which quantities, whether no circulation can have them together, and the sentence that says so."""

    quantities: tuple[str, ...]
    impossible: bool
    sentence: str


def contradictions(readings: Mapping[str, float]) -> tuple[Contradiction, ...]:
    """What is wrong with these readings (quantity -> value in its unit), in the order of the rules; empty where nothing is."""
    return tuple(_all(readings))


def _all(r: Mapping[str, float]) -> Iterator[Contradiction]:
    for name, value in r.items():
        quantity = registry.get(name)
        if not quantity.plausible(value):
            yield Contradiction(
                (name,), True,
                f"{name} is {value:g} {quantity.unit}, possible are {quantity.low:g} to {quantity.high:g}",
            )  # fmt: skip
    yield from _ordered(r, "diastolic_pressure", "systolic_pressure", strictly=True)
    yield from _ordered(r, "diastolic_pressure", "mean_arterial_pressure")
    yield from _ordered(r, "mean_arterial_pressure", "systolic_pressure")
    yield from _ordered(r, "pulmonary_artery_diastolic_pressure", "pulmonary_artery_systolic_pressure", strictly=True)
    yield from _ordered(r, "pulmonary_artery_diastolic_pressure", "pulmonary_artery_mean_pressure")
    yield from _ordered(r, "pulmonary_artery_mean_pressure", "pulmonary_artery_systolic_pressure")
    yield from _ordered(
        r, "left_ventricular_end_systolic_volume", "left_ventricular_end_diastolic_volume", strictly=True
    )  # fmt: skip
    yield from _ordered(r, "stroke_volume", "left_ventricular_end_diastolic_volume", strictly=True)
    for filling in ("pulmonary_wedge_pressure", "left_atrial_mean_pressure"):
        yield from _ordered(r, filling, "pulmonary_artery_diastolic_pressure", impossible=False)
        yield from _ordered(r, filling, "pulmonary_artery_mean_pressure", impossible=False)
    yield from _ordered(
        r, "pulmonary_artery_systolic_pressure", "right_ventricular_systolic_pressure", impossible=False
    )  # fmt: skip
    yield from _two_ways(r)


def _ordered(
    r: Mapping[str, float], lesser: str, greater: str, *, strictly: bool = False, impossible: bool = True
) -> Iterator[Contradiction]:
    if lesser not in r or greater not in r:
        return
    low, high = r[lesser], r[greater]
    if low < high or (low == high and not strictly):
        return
    unit = registry.get(lesser).unit
    relation = "is not below" if strictly else "is above"
    yield Contradiction(
        (lesser, greater), impossible, f"{lesser} ({low:g} {unit}) {relation} {greater} ({high:g} {unit})"
    )  # fmt: skip


def _two_ways(r: Mapping[str, float]) -> Iterator[Contradiction]:
    """Two ways to the same number: flow, ejection fraction, stroke volume. Errors are the quantities' own, to first order."""
    if {"cardiac_output", "heart_rate", "stroke_volume"} <= set(r):
        flow, rate, stroke = r["cardiac_output"], r["heart_rate"], r["stroke_volume"]
        other = rate * stroke / 1000.0
        share = (_share("heart_rate", rate) ** 2 + _share("stroke_volume", stroke) ** 2) ** 0.5
        yield from _apart(
            ("cardiac_output", "heart_rate", "stroke_volume"), flow, _error("cardiac_output", flow), other, share * other,
            f"cardiac_output is {flow:g} L/min, but {rate:g} beats of {stroke:g} mL make {other:.2f}",
        )  # fmt: skip
    diastolic, systolic = "left_ventricular_end_diastolic_volume", "left_ventricular_end_systolic_volume"
    fraction = "left_ventricular_ejection_fraction"
    if {diastolic, systolic, fraction} <= set(r) and 0.0 < r[systolic] < r[diastolic]:
        other = 100.0 * (1.0 - r[systolic] / r[diastolic])
        share = (_share(diastolic, r[diastolic]) ** 2 + _share(systolic, r[systolic]) ** 2) ** 0.5
        yield from _apart(
            (fraction, diastolic, systolic), r[fraction], _error(fraction, r[fraction]), other,
            100.0 * r[systolic] / r[diastolic] * share,
            f"{fraction} is {r[fraction]:g} %, but volumes of {r[diastolic]:g} and {r[systolic]:g} mL make {other:.0f} %",
        )  # fmt: skip


def _apart(
    names: tuple[str, ...], value: float, error: float, other: float, other_error: float, sentence: str
) -> Iterator[Contradiction]:
    apart = abs(value - other) / (error**2 + other_error**2) ** 0.5
    if apart > APART:
        yield Contradiction(names, apart > BEYOND, f"{sentence}: {apart:.1f} sd of their errors apart")


def _error(name: str, value: float) -> float:
    return registry.get(name).sd(value)


def _share(name: str, value: float) -> float:
    return _error(name, value) / value if value > 0.0 else 1.0
