"""Sacubitril/valsartan: an angiotensin receptor blocker, and what neprilysin's inhibition adds to it.

What studies saw was the change from an ACE inhibitor or a blocker to the combination. The effects of the blocker come first; the
rest is what the change adds.
"""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import REMODELLING, Agent, Drug, Effect
from medtwin.physiology.drugs.heart_failure.renin_system import EFFECTS, HALF_DOSE, HALF_OF_RENIN, REFERENCES, TABLE
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="neprilysin_inhibitor",
    meaning="Angiotensin receptor and neprilysin inhibitor",
    agents=(
        Agent(name="sacubitril/valsartan", target=400.0, low=100.0, high=400.0, source=f"{TABLE}: 97/103 mg twice, 400 mg/d of both"),
    ),
    half_dose=HALF_DOSE,
    half_dose_source=HALF_OF_RENIN,
    effects=(
        *EFFECTS,
        Effect("systemic_resistance", -1, LogNormal(0.083, 0.5), 1.0, ("PressureVolume2023",),
               "arterial elastance 1.76 to 1.62 mm[Hg]/mL in six months after the change: its logarithm"),
        Effect("blood_volume", -1, LogNormal(0.03, 0.7), 5.0, ("PressureVolume2023",),
               "judgement: natriuretic peptides act longer; end-diastolic pressure fell"),
        Effect("contractility", 1, LogNormal(0.087, 0.6), REMODELLING, ("PressureVolume2023",),
               "end-systolic elastance 0.66 to 0.78 mm[Hg]/mL, +0.167 in logarithm, of which half is taken for size: judgement"),
        Effect("ventricular_size", -1, LogNormal(0.08, 0.6), REMODELLING, ("PressureVolume2023",),
               "the other half of the change of elastance"),
    ),
    longest_days=183.0,  # PressureVolume2023: six months
    references=(
        *REFERENCES,
        Reference(key="PressureVolume2023", text="Sacubitril/valsartan and the pressure-volume relation, 117 patients, 102 followed for six months; "
                  "abstract read at discovery.researcher.life (ventricular-arterial coupling; authors and year not stated there)."),
    ),
    family="renin",
    excludes=("ace_inhibitor", "angiotensin_receptor_blocker"),
)  # fmt: skip
