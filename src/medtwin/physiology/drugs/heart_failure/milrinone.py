"""Milrinone: stronger muscle, wider arteries and veins; into a vein."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import Agent, Drug, Effect
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="milrinone",
    meaning="Milrinone, infused after a loading dose",
    agents=(Agent(name="milrinone", target=0.5, low=0.2, high=0.75, unit="ug/kg/min", source="Milrinone1991: 50 ug/kg, then 0.5 ug/kg/min"),),
    half_dose=LogNormal(0.4, 0.5),
    half_dose_source="judgement: cardiac index +12 % after 12.5 and +37 % after 75 ug/kg (18 patients, abstract read)",
    effects=(
        Effect("contractility", 1, LogNormal(0.10, 0.5), 0.02, ("Milrinone1991",),
               "cardiac index +38 %, stroke volume index +34 %: what resistance leaves of it in a median severe failure"),
        Effect("systemic_resistance", -1, LogNormal(0.28, 0.35), 0.02, ("Milrinone1994",), "-24 % in 10 patients"),
        Effect("pulmonary_resistance", -1, LogNormal(0.28, 0.4), 0.02, ("Milrinone1994",), "as the systemic one: judgement"),
        Effect("venous_capacity", -1, LogNormal(0.28, 0.4), 0.02, ("Milrinone1994", "Milrinone1991"),
               "venous volume of the legs +17 %; wedge pressure -28 % (105 patients), -51 % (10 patients): the former in a median severe failure"),
        Effect("heart_rate", 1, LogNormal(0.03, 0.7), 0.02, ("Milrinone1991",), "what index and stroke volume leave"),
    ),
    references=(
        Reference(key="Milrinone1991", text="A Canadian multicentre study of a 48 h infusion of milrinone in patients with severe heart failure, 105 patients. Can J Cardiol 1991 "
                  "(abstract read)."),
        Reference(key="Milrinone1994", text="Intravenous milrinone and lower limb capacitance vessels, 10 patients with severe chronic heart failure (abstract read at "
                  "discovery.researcher.life; authors and year not stated there)."),
    ),
    longest_days=3.0,
)  # fmt: skip
