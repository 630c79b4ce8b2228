"""ACE inhibitors: resistance falls, veins widen, the heart slows a little, and over months the ventricle shrinks."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import REMODELLING, Agent, Drug, Effect
from medtwin.physiology.drugs.heart_failure.targets import HALF_OF_RENIN, TABLE, YANCY
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="ace_inhibitor",
    meaning="Inhibitor of the angiotensin-converting enzyme",
    agents=(
        Agent(name="captopril", target=150.0, low=18.75, high=150.0, source=TABLE),
        Agent(name="enalapril", target=20.0, low=5.0, high=40.0, source=TABLE),
        Agent(name="lisinopril", target=30.0, low=2.5, high=40.0, source=f"{TABLE}: 20 to 40 mg"),
        Agent(name="ramipril", target=10.0, low=1.25, high=10.0, source=TABLE),
    ),
    half_dose=LogNormal(0.10, 0.5),
    half_dose_source=HALF_OF_RENIN,
    effects=(
        Effect("systemic_resistance", -1, LogNormal(0.29, 0.35), 0.1, ("Crozier2000",),
               "-16.4 % after 6.25 mg of captopril, that is a share of 0.125 of 150 mg/d, 0.61 of the effect at target"),
        Effect("venous_capacity", -1, LogNormal(0.20, 0.5), 0.1, ("Packer1982",),
               "right atrial pressure -3.1 mm[Hg], which wider arteries alone would raise: what makes it in a median severe failure"),
        Effect("heart_rate", -1, LogNormal(0.07, 0.6), 0.1, ("Packer1982",), "-7/min with captopril, at a rate judged to be 90"),
        Effect("ventricular_size", -1, LogNormal(0.11, 0.5), REMODELLING, ("Konstam1992",),
               "end-diastolic volume 140 to 127 mL/m2 in a year (placebo: 136 to 151)"),
    ),
    references=(
        YANCY,
        Reference(key="Crozier2000", text="Losartan and captopril in 18 elderly people with heart failure, double-blind; abstract read, "
                  "pubmed 10937952 (authors not stated in what was read)."),
        Reference(key="Packer1982", text="Packer M, Meller J, Medina N, Yushak M. Quantitative differences in the hemodynamic effects of "
                  "captopril and nitroprusside in severe chronic heart failure. 15 patients; abstract read (year from memory)."),
        Reference(key="Konstam1992", text="Effects of the ACE inhibitor enalapril on the long-term progression of left ventricular "
                  "dysfunction, SOLVD, 56 patients; abstract read, experts.mcmaster.ca/display/publication1389942 (first author from memory)."),
    ),
    family="renin",
    excludes=("angiotensin_receptor_blocker", "neprilysin_inhibitor"),
)  # fmt: skip
