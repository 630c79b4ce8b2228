"""Hydralazine: arteries widen, veins do not."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import Agent, Drug, Effect
from medtwin.physiology.drugs.heart_failure.renin_system import TABLE, YANCY
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="hydralazine",
    meaning="Hydralazine",
    agents=(Agent(name="hydralazine", target=225.0, low=75.0, high=400.0, source=f"{TABLE}: 75 mg three times a day"),),
    half_dose=LogNormal(0.5, 0.5),
    half_dose_source="judgement: patients needed 100 to 800 mg at once for a response (Packer, 45 patients, abstract read)",
    effects=(
        Effect("systemic_resistance", -1, LogNormal(0.45, 0.3), 0.1, ("Massie1981",),
               "-39 % after 24 h of 200 to 400 mg a day, 1.1 times the effect at target"),
        Effect("pulmonary_resistance", -1, LogNormal(0.2, 0.6), 0.1, ("Massie1981",), "judgement: no size was stated"),
    ),
    longest_days=253.0,  # Massie1981: 8.3 months
    references=(
        YANCY,
        Reference(key="Massie1981", text="Oral hydralazine in 11 patients with chronic heart failure, 24 h and 8.3 months (abstract read at "
                  "scilit.com/publications/435539a5ab41dd402b2a9026eafb7125; author and year from memory)."),
    ),
)  # fmt: skip
