"""Angiotensin receptor blockers: as ACE inhibitors, somewhat weaker at the doses that were compared."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import REMODELLING, Agent, Drug, Effect
from medtwin.physiology.drugs.heart_failure.targets import HALF_OF_RENIN, TABLE, YANCY
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="angiotensin_receptor_blocker",
    meaning="Blocker of the angiotensin II type 1 receptor",
    agents=(
        Agent(name="losartan", target=150.0, low=12.5, high=150.0, source=TABLE),
        Agent(name="valsartan", target=320.0, low=40.0, high=320.0, source=TABLE),
        Agent(name="candesartan", target=32.0, low=4.0, high=32.0, source=TABLE),
    ),
    half_dose=LogNormal(0.10, 0.5),
    half_dose_source=HALF_OF_RENIN,
    effects=(
        Effect("systemic_resistance", -1, LogNormal(0.16, 0.45), 0.15, ("Crozier2000",),
               "systolic pressure -4.8 % after 12.5 mg of losartan where captopril made -10.7 % and a resistance of -16.4 %"),
        Effect("venous_capacity", -1, LogNormal(0.11, 0.6), 0.15, ("Crozier2000",),
               "that of ACE inhibitors in the same proportion: judgement"),
        Effect("heart_rate", -1, LogNormal(0.03, 0.7), 0.15, ("Crozier2000",),
               "that of ACE inhibitors in the same proportion: judgement"),
        Effect("ventricular_size", -1, LogNormal(0.11, 0.5), REMODELLING, ("Crozier2000",),
               "that of ACE inhibitors: no substantial differences were found: judgement"),
    ),
    references=(
        YANCY,
        Reference(key="Crozier2000", text="Losartan and captopril in 18 elderly people with heart failure, double-blind; abstract read, "
                  "pubmed 10937952 (authors not stated in what was read)."),
    ),
    family="renin",
    excludes=("ace_inhibitor", "neprilysin_inhibitor"),
)  # fmt: skip
