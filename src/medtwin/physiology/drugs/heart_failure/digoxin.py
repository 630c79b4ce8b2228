"""Digoxin: somewhat stronger muscle, a slower heart; in sinus rhythm."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import Agent, Drug, Effect
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="digoxin",
    meaning="Digoxin",
    agents=(
        Agent(name="digoxin", target=0.25, low=0.0625, high=0.25, source="0.1 to 0.5 mg usual daily dose (PMC4107260, table I); above 0.25 mg not answered"),
        Agent(name="digoxin-iv", target=1.0, low=0.5, high=1.0, source="a loading dose of 1 mg: judgement, the level of long-term therapy", longest_days=1.0),
    ),
    half_dose=LogNormal(0.5, 0.5),
    half_dose_source="judgement",
    effects=(
        Effect("contractility", 1, LogNormal(0.14, 0.5), 0.2, ("Arnold1980",),
               "on withdrawal cardiac index 2.4 to 2.1 L/min/m2 and wedge pressure 21 to 29 mm[Hg] in nine patients: the former in a median severe failure"),
        Effect("heart_rate", -1, LogNormal(0.04, 0.6), 0.2, ("Arnold1980",), "rate tended to rise on withdrawal; size: judgement"),
        Effect("venous_capacity", -1, LogNormal(0.12, 0.7), 0.2, ("Arnold1980",), "judgement: what muscle alone leaves of the fall of wedge pressure"),
    ),
    longest_days=84.0,  # judgement: long-term therapy, its length not read
    references=(
        Reference(key="Arnold1980", text="Long-term digitalis therapy improves left ventricular function in heart failure, nine patients. N Engl J Med 1980 (abstract read at "
                  "scilit.net/publications/3d69b53a33790d1d7825b5096122664a; author and year from memory)."),
    ),
)  # fmt: skip
