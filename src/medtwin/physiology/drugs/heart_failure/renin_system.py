"""What drugs on the renin-angiotensin system share, and the table of target doses.

ACE inhibitors and receptor blockers have one set of effects: the one study that compared them in heart failure found no substantial
difference, its two arms stand on either side of the size that is taken, and what sacubitril adds was measured against either.
A person's answer is the same to all of them, so that a change from one to another at the same share of the target dose changes nothing.
"""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import REMODELLING, Effect
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

TABLE = "Yancy2018, table 1: target dose"
HALF_DOSE = LogNormal(0.10, 0.5)
HALF_OF_RENIN = (
    "judgement: lisinopril 2.5 to 10 mg (target 20 to 40) showed a dose-response in 55 patients, and losartan none beyond 25 mg "
    "of 150 in 66 (abstracts read), so that half lies near a tenth of the target"
)
EFFECTS = (
    Effect("systemic_resistance", -1, LogNormal(0.22, 0.4), 0.1, ("Crozier2000",),
           "captopril 6.25 mg (0.61 of the effect at target): -16.4 %, that is 0.29 at target; losartan 12.5 mg (0.50 of it): systolic pressure -4.8 % where captopril made -10.7 %, that is 0.16 at target; no substantial difference was found: their geometric mean"),
    Effect("venous_capacity", -1, LogNormal(0.15, 0.5), 0.1, ("Packer1982", "Crozier2000"),
           "right atrial pressure -3.1 mm[Hg] with captopril, which wider arteries alone would raise: 0.2 of the stressed volume makes it in a median severe failure; 0.11 for losartan in proportion to its pressure: their mean"),
    Effect("heart_rate", -1, LogNormal(0.05, 0.6), 0.1, ("Packer1982", "Crozier2000"), "-7/min with captopril, at a rate judged to be 90, 0.07; 0.03 for losartan in proportion: their mean"),
    Effect("ventricular_size", -1, LogNormal(0.11, 0.5), REMODELLING, ("Konstam1992",), "enalapril: end-diastolic volume 140 to 127 mL/m2 in a year (placebo: 136 to 151)"),
)  # fmt: skip
YANCY = Reference(
    key="Yancy2018",
    text="Starting and target doses of guideline-directed therapy, J Am Coll Cardiol 2018 (table read at "
    "onlinejacc.org/highwire/markup/111973; year and first author from memory).",
)
REFERENCES = (
    YANCY,
    Reference(
        key="Crozier2000",
        text="Losartan and captopril in 18 elderly people with heart failure, double-blind; abstract read, pubmed 10937952 (authors "
        "not stated in what was read).",
    ),
    Reference(
        key="Packer1982",
        text="Packer M, Meller J, Medina N, Yushak M. Quantitative differences in the hemodynamic effects of captopril and "
        "nitroprusside in severe chronic heart failure. 15 patients; abstract read (year from memory).",
    ),
    Reference(
        key="Konstam1992",
        text="Effects of the ACE inhibitor enalapril on the long-term progression of left ventricular dysfunction, SOLVD, 56 "
        "patients; abstract read, experts.mcmaster.ca/display/publication1389942 (first author from memory).",
    ),
)
