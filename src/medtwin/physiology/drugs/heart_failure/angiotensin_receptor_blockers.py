"""Angiotensin receptor blockers: as ACE inhibitors at the same share of the target dose."""

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import Agent, Drug
from medtwin.physiology.drugs.heart_failure.renin_system import EFFECTS, HALF_DOSE, HALF_OF_RENIN, REFERENCES, TABLE

DRUG = Drug(
    name="angiotensin_receptor_blocker",
    meaning="Blocker of the angiotensin II type 1 receptor",
    agents=(
        Agent(name="losartan", target=150.0, low=12.5, high=150.0, source=TABLE),
        Agent(name="valsartan", target=320.0, low=40.0, high=320.0, source=TABLE),
        Agent(name="candesartan", target=32.0, low=4.0, high=32.0, source=TABLE),
    ),
    half_dose=HALF_DOSE,
    half_dose_source=HALF_OF_RENIN,
    effects=EFFECTS,
    references=REFERENCES,
    family="renin",
    excludes=("ace_inhibitor", "neprilysin_inhibitor"),
)
