"""Mineralocorticoid receptor antagonists: some volume over weeks, a smaller ventricle over months."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import REMODELLING, Agent, Drug, Effect
from medtwin.physiology.drugs.heart_failure.renin_system import TABLE, YANCY
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="mineralocorticoid_antagonist",
    meaning="Antagonist of the mineralocorticoid receptor",
    agents=(
        Agent(name="spironolactone", target=50.0, low=12.5, high=50.0, source=f"{TABLE}: 25 to 50 mg"),
        Agent(name="eplerenone", target=50.0, low=25.0, high=50.0, source=TABLE),
    ),
    half_dose=LogNormal(0.5, 0.4),
    half_dose_source="judgement: half of the greatest effect at 25 mg",
    effects=(
        Effect("blood_volume", -1, LogNormal(0.03, 0.7), 14.0, ("Cicoira2002",), "judgement: no measurement of blood volume was found"),
        Effect("ventricular_size", -1, LogNormal(0.05, 0.6), REMODELLING, ("Cicoira2002",),
               "end-systolic volume 188 to 171 mL, control 173 to 168, in a year: -6 % net"),
        Effect("contractility", 1, LogNormal(0.04, 0.7), REMODELLING, ("Cicoira2002",), "ejection fraction 33 to 36 %, control 34 to 34 %"),
    ),
    references=(
        YANCY,
        Reference(key="Cicoira2002", text="Long-term, dose-dependent effects of spironolactone on left ventricular function and exercise tolerance in "
                  "patients with chronic heart failure, 106 patients, 12.5 to 50 mg (abstract read, acemap.info/paper/7229377; author from memory)."),
    ),
)  # fmt: skip
