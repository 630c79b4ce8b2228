"""Loop diuretics: blood volume falls within hours to a new set point that lasts as long as the dose is taken each day."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import Agent, Drug, Effect
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

_ORAL = "half of an oral dose is absorbed (40 to 80 %, review PMC6159465)"
DRUG = Drug(
    name="loop_diuretic",
    meaning="Loop diuretic",
    agents=(
        Agent(name="furosemide-iv", target=100.0, low=20.0, high=200.0, source="Francis1985: 1.3 mg/kg into a vein", longest_days=1.0),
        Agent(name="furosemide", target=200.0, low=20.0, high=240.0, source=f"Francis1985; {_ORAL}"),
        Agent(name="torasemide", target=50.0, low=5.0, high=60.0, source="a quarter of furosemide by mouth: judgement", other_names=("torsemide",)),
        Agent(name="bumetanide", target=5.0, low=0.5, high=6.0, source="a fortieth of furosemide by mouth: judgement"),
    ),
    half_dose=LogNormal(0.5, 0.4),
    half_dose_source="judgement",
    effects=(
        Effect("blood_volume", -1, LogNormal(0.30, 0.5), 0.1, ("Francis1985",),
               "3.5 h after 1.3 mg/kg filling pressure fell from 28 to 22 mm[Hg] with 2.1 L of urine: the stressed volume that makes this fall in a median "
               "severe failure; blood is refilled from tissue"),
    ),
    references=(
        Reference(key="Francis1985", text="Francis GS, Siegel R, Goldsmith SR, Olivari MT, Levine TB, Cohn JN. Acute vasoconstrictor response to intravenous "
                  "furosemide in patients with chronic congestive heart failure. Ann Intern Med 1985 (abstract read)."),
    ),
    longest_days=84.0,  # judgement: tablets go on, yet the source looked for hours
    limits="Measured for hours, carried on to 12 weeks by judgement. The constriction of the first 20 minutes, and resistance to diuretics, are not in it.",
)  # fmt: skip
