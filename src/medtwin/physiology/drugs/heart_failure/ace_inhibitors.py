"""ACE inhibitors: resistance falls, veins widen, the heart slows a little, and over months the ventricle shrinks."""

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import Agent, Drug
from medtwin.physiology.drugs.heart_failure.renin_system import EFFECTS, HALF_DOSE, HALF_OF_RENIN, REFERENCES, TABLE

DRUG = Drug(
    name="ace_inhibitor",
    meaning="Inhibitor of the angiotensin-converting enzyme",
    agents=(
        Agent(name="captopril", target=150.0, low=18.75, high=150.0, source=TABLE),
        Agent(name="enalapril", target=20.0, low=5.0, high=40.0, source=TABLE),
        Agent(name="lisinopril", target=30.0, low=2.5, high=40.0, source=f"{TABLE}: 20 to 40 mg"),
        Agent(name="ramipril", target=10.0, low=1.25, high=10.0, source=TABLE),
    ),
    half_dose=HALF_DOSE,
    half_dose_source=HALF_OF_RENIN,
    effects=EFFECTS,
    references=REFERENCES,
    family="renin",
    excludes=("angiotensin_receptor_blocker", "neprilysin_inhibitor"),
)
