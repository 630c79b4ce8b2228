"""The thirty reference subjects of the published simulator, read from a file that the user has.

medtwin ships none of them: their numbers come from a licensed simulator. Who has ``vpatient_params.csv`` (it is part of
an installed ``simglucose``) can check the equations against it, or run them.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp

from medtwin.errors import FormatError
from medtwin.physiology.glucose_insulin import GlucoseInsulinParameters

#: Published letters that are a parameter of ours under another name.
SAME = {
    "body_weight": "BW",
    "fasting_glucose": "Gb",
    "basal_insulin": "Ib",
    "endogenous_production": "EGPb",
    "basal_disposal": "EGPb",
    "insulin_sensitivity": "Vmx",
    "glucose_on_production": "kp2",
    "half_uptake": "Km0",
    "plasma_to_tissue": "k1",
    "tissue_to_plasma": "k2",
    "remote_insulin_rate": "p2u",
    "production_delay_rate": "ki",
    "brain_uptake": "Fsnc",
    "renal_rate": "ke1",
    "renal_threshold": "ke2",
    "glucose_volume": "Vg",
    "meal_absorption": "kabs",
    "emptying_slows_at": "b",
    "emptying_recovers_at": "d",
    "absorbed_share": "f",
    "insulin_volume": "Vi",
    "liver_release": "m1",
    "liver_extraction": "HEb",
    "fast_depot_rate": "ka1",
    "slow_depot_rate": "ka2",
    "depot_passage_rate": "kd",
    "sensor_delay_rate": "ksc",
}


def parameters_of(row: Mapping[str, float]) -> GlucoseInsulinParameters:
    """Parameters of one reference subject, given its row by published letter."""
    by_liver = row["HEb"] * row["m2"]
    cleared = by_liver + row["m4"]
    values = {name: row[letter] for name, letter in SAME.items()} | {
        "liver_sensitivity": row["kp3"] / row["Vmx"],
        "fastest_emptying": row["kmax"] / row["kabs"],
        "slowest_emptying": row["kmin"] / row["kabs"],
        "insulin_clearance": cleared * row["Vi"],
        "liver_share": by_liver / cleared,
        "sensor_bias": 0.0,
    }
    return GlucoseInsulinParameters(**{name: jnp.asarray(value, dtype=float) for name, value in values.items()})


def read_subjects(path: Path) -> dict[str, dict[str, float]]:
    """Rows of ``vpatient_params.csv`` by subject name, as numbers by published letter."""
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    if not rows or "Name" not in rows[0] or "EGPb" not in rows[0]:
        raise FormatError(
            f"{path.name} without the columns Name and EGPb",
            expected="vpatient_params.csv as an installed simglucose has it",
        )
    return {row["Name"]: {key: float(value) for key, value in row.items() if key != "Name"} for row in rows}
