"""Nitrates: veins widen much, arteries little."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import Agent, Drug, Effect
from medtwin.physiology.drugs.heart_failure.renin_system import TABLE, YANCY
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="nitrate",
    meaning="Organic nitrate",
    agents=(Agent(name="isosorbide dinitrate", target=120.0, low=30.0, high=160.0, source=f"{TABLE}: 40 mg three times a day"),),
    half_dose=LogNormal(0.3, 0.5),
    half_dose_source="judgement: 20 mg acted fully in Williams1977",
    effects=(
        Effect("venous_capacity", -1, LogNormal(0.34, 0.4), 0.03, ("Williams1977",),
               "20 mg by mouth: wedge pressure 23 to 14 mm[Hg] at 1 h; the stressed volume that makes two thirds of this fall in a median severe failure, since "
               "veins of the lungs widen too: judgement"),
        Effect("systemic_resistance", -1, LogNormal(0.08, 0.6), 0.03, ("Williams1977",), "reductions of pressure and resistance were stated without size: judgement"),
        Effect("pulmonary_resistance", -1, LogNormal(0.12, 0.6), 0.03, ("Franciosa1980",), "pulmonary resistance fell and stayed lower for 12 weeks; size: judgement"),
    ),
    longest_days=84.0,  # Franciosa1980: 12 weeks
    references=(
        YANCY,
        Reference(key="Williams1977", text="Williams DO et al. Hemodynamic assessment of oral peripheral vasodilator therapy in chronic congestive heart failure: "
                  "prolonged effectiveness of isosorbide dinitrate, 25 patients. Am J Cardiol 1977;39:84-90 (abstract read).", doi="10.1016/s0002-9149(77)80016-7"),
        Reference(key="Franciosa1980", text="Isosorbide dinitrate for 12 weeks, 30 patients, tolerance of arteries but not of veins (abstract read at "
                  "scilit.com/publications/8628ae89802ad09ad4bc9a5ef77bbd1b; author and year from memory)."),
    ),
    limits="Tolerance of arteries within 12 weeks was seen and is not in it.",
)  # fmt: skip
