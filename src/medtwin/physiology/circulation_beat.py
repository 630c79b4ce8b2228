"""What a cuff, an echocardiogram and a catheter see of one settled beat of the four-chamber circulation.

The beat is periodic (:func:`medtwin.physiology.periodic.shoot`); one more turn of it gives means, extremes and the values at its
beginning, which is the end of diastole. Quantities and their units are those of :mod:`medtwin.quantities`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from medtwin.physiology import valves
from medtwin.physiology.circulation_four_chambers import (
    CirculationFourChambers,
    Drive,
    leaks,
    pressures,
)
from medtwin.physiology.cycle import stride, table
from medtwin.physiology.periodic import Periodic, shoot

Number = Float[Array, "..."]

LOOP = CirculationFourChambers()
STEPS = 250  #: of a beat
#: What a beat shows, by the name of its quantity.
OBSERVED = (
    "heart_rate",
    "systolic_pressure",
    "diastolic_pressure",
    "mean_arterial_pressure",
    "stroke_volume",
    "cardiac_output",
    "left_ventricular_ejection_fraction",
    "left_ventricular_end_diastolic_volume",
    "left_ventricular_end_systolic_volume",
    "left_ventricular_end_diastolic_pressure",
    "left_atrial_mean_pressure",
    "left_atrial_volume",
    "pulmonary_wedge_pressure",
    "right_atrial_mean_pressure",
    "right_ventricular_systolic_pressure",
    "right_ventricular_end_diastolic_pressure",
    "pulmonary_artery_systolic_pressure",
    "pulmonary_artery_diastolic_pressure",
    "pulmonary_artery_mean_pressure",
    "mitral_regurgitant_fraction",
    "aortic_regurgitant_fraction",
    "aortic_valve_mean_gradient",
)


class Beat(NamedTuple):
    """One turn: where it ends, and what was seen."""

    after: Any
    seen: dict[str, Number]


def turn(state: Any, parameters: Any, *, steps: int = STEPS) -> Beat:
    """One beat from ``state`` at phase 0, in sum."""
    p = parameters
    rows = table(LOOP, steps, jnp.result_type(*jax.tree.leaves(state)), p)
    period = LOOP.period(p)

    def look(drive: Drive, s: Any) -> tuple[dict[str, Number], dict[str, Number]]:
        """What is summed over the beat, and whose extremes are kept."""
        at = pressures(drive, s, p)
        back = leaks(at, s, p)
        out = valves.forward(s.aortic_valve_flow)
        jet = p.orifice_loss * out * out / (p.aortic_valve_area * p.aortic_valve_area)
        summed = {
            "aorta": at.aortic_root,
            "lungs": at.pulmonary_root,
            "left_atrium": at.left_atrium,
            "right_atrium": at.right_atrium,
            "ejected": out,
            "net": out - back.aortic,
            "mitral_back": back.mitral,
            "jet": jet,
            "open": jnp.where(out > 0.0, jnp.ones_like(out), 0.0),
        }
        kept = {
            "aorta": at.aortic_root,
            "lungs": at.pulmonary_root,
            "left_ventricle": s.left_ventricular_volume,
            "left_atrium": s.left_atrial_volume,
            "right_ventricle": at.right_ventricle,
        }
        return summed, kept

    first = tuple(value[0, 0] for value in rows)
    at_start = pressures(first, state, p)
    nothing, kept = look(first, state)

    def step(carry: Any, drive: Any) -> tuple[Any, None]:
        current, total, low, high = carry
        after = stride(LOOP, drive, period / steps, current, p)
        summed, seen = look(tuple(value[2] for value in drive), after)
        total = jax.tree.map(jnp.add, total, summed)
        return (after, total, jax.tree.map(jnp.minimum, low, seen), jax.tree.map(jnp.maximum, high, seen)), None

    start = (state, jax.tree.map(jnp.zeros_like, nothing), kept, kept)
    (after, total, low, high), _ = jax.lax.scan(step, start, rows)
    mean = {name: value / steps for name, value in total.items()}
    volume_out = high["left_ventricle"] - low["left_ventricle"]
    ejected = mean["ejected"] * period
    seen = {
        "heart_rate": p.heart_rate * jnp.ones_like(ejected),
        "systolic_pressure": high["aorta"],
        "diastolic_pressure": low["aorta"],
        "mean_arterial_pressure": mean["aorta"],
        "stroke_volume": mean["net"] * period,
        "cardiac_output": 0.06 * mean["net"],
        "left_ventricular_ejection_fraction": 100.0 * volume_out / high["left_ventricle"],
        "left_ventricular_end_diastolic_volume": high["left_ventricle"],
        "left_ventricular_end_systolic_volume": low["left_ventricle"],
        "left_ventricular_end_diastolic_pressure": at_start.left_ventricle,
        "left_atrial_mean_pressure": mean["left_atrium"],
        "left_atrial_volume": high["left_atrium"],
        "pulmonary_wedge_pressure": mean["left_atrium"],
        "right_atrial_mean_pressure": mean["right_atrium"],
        "right_ventricular_systolic_pressure": high["right_ventricle"],
        "right_ventricular_end_diastolic_pressure": at_start.right_ventricle,
        "pulmonary_artery_systolic_pressure": high["lungs"],
        "pulmonary_artery_diastolic_pressure": low["lungs"],
        "pulmonary_artery_mean_pressure": mean["lungs"],
        "mitral_regurgitant_fraction": 100.0 * mean["mitral_back"] / (mean["mitral_back"] + mean["ejected"]),
        "aortic_regurgitant_fraction": 100.0 * (mean["ejected"] - mean["net"]) / mean["ejected"],
        "aortic_valve_mean_gradient": mean["jet"] / jnp.maximum(mean["open"], 1.0 / steps),
    }
    return Beat(after, seen)


def settled(parameters: Any, *, steps: int = STEPS, newton: int = 10) -> Periodic:
    """The periodic beat of these parameters at phase 0, with their stressed blood volume."""
    wanted = parameters.stressed_blood_volume
    return shoot(LOOP, LOOP.initial(parameters), parameters, wanted=wanted, steps=steps, newton=newton)


def observed(parameters: Any, *, steps: int = STEPS) -> dict[str, Number]:
    """What is seen of the settled beat of these parameters, by quantity."""
    return turn(settled(parameters, steps=steps).state, parameters, steps=steps).seen
