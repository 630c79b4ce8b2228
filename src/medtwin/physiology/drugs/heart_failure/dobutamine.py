"""Dobutamine: stronger muscle, wider arteries, a somewhat faster heart; into a vein."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import Agent, Drug, Effect
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="dobutamine",
    meaning="Dobutamine, infused",
    agents=(Agent(name="dobutamine", target=10.0, low=2.0, high=15.0, unit="ug/kg/min", source="2.5 to 10 ug/kg/min: dose-response of 13 patients (abstract read)"),),
    half_dose=LogNormal(0.5, 0.5),
    half_dose_source="judgement: the response grew up to 10 ug/kg/min",
    effects=(
        Effect("contractility", 1, LogNormal(0.30, 0.4), 0.005, ("Dobutamine1977",),
               "at 5 to 7.5 ug/kg/min (0.83 of the effect at 10) cardiac output +33 %: what resistance leaves of it in median moderate and severe failure"),
        Effect("systemic_resistance", -1, LogNormal(0.31, 0.35), 0.005, ("Dobutamine1977",), "1858 to 1442 dyn.s/cm5 at 5 to 7.5 ug/kg/min"),
        Effect("heart_rate", 1, LogNormal(0.08, 0.6), 0.005, ("Dobutamine1977",), "unchanged at 5, +7/min at 7.5 ug/kg/min"),
        Effect("venous_capacity", -1, LogNormal(0.08, 0.7), 0.005, ("Dobutamine1977",), "judgement: end-diastolic pressure 21 to 14 mm[Hg], part of it by the muscle"),
    ),
    references=(
        Reference(key="Dobutamine1977", text="Haemodynamic effect of dobutamine in cardiac failure, 9 patients (abstract read at "
                  "stage.medifind.com/articles/publication/30592542; authors and year not stated there)."),
    ),
    limits="Weaker where beta-blockers are taken (not in it).",
    longest_days=3.0,
)  # fmt: skip
