"""SGLT2 inhibitors: less stressed blood within two weeks, and a somewhat smaller ventricle over months."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import REMODELLING, Agent, Drug, Effect
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

_ONE_DOSE = "Omar2022 and its like: one dose, 10 mg"
DRUG = Drug(
    name="sglt2_inhibitor",
    meaning="Inhibitor of the sodium-glucose cotransporter 2",
    agents=(
        Agent(name="empagliflozin", target=10.0, low=10.0, high=25.0, source=_ONE_DOSE),
        Agent(name="dapagliflozin", target=10.0, low=5.0, high=10.0, source=_ONE_DOSE),
    ),
    half_dose=LogNormal(0.15, 0.3),
    half_dose_source="that of dapagliflozin's excretion of glucose, 1.5 of 10 mg (drugs/sglt2_inhibitors)",
    effects=(
        Effect("blood_volume", -1, LogNormal(0.094, 0.35), 7.0, ("Omar2022",),
               "stressed blood volume -198 mL (95 % -317 to -79) against placebo after 12 weeks, 9 %; within 14 days: judgement"),
        Effect("ventricular_size", -1, LogNormal(0.04, 0.7), REMODELLING, ("Lee2021",),
               "SUGAR-DM-HF: volumes fell against placebo in 36 weeks (its sentence read, not its numbers): size judgement"),
    ),
    longest_days=252.0,  # Lee2021: 36 weeks
    references=(
        Reference(key="Omar2022", text="Effect of empagliflozin on blood volume redistribution in patients with chronic heart failure and reduced ejection "
                  "fraction, Empire HF, 70 patients. Circ Heart Fail 2022;15:e009156 (abstract read).", doi="10.1161/CIRCHEARTFAILURE.121.009156"),
        Reference(key="Lee2021", text="SUGAR-DM-HF, 105 patients. Circulation 2021;143:516-525 (summary read at gla.ac.uk and the abstract's first half at "
                  "pubmed 33186500).", doi="10.1161/CIRCULATIONAHA.120.052186"),
    ),
)  # fmt: skip
