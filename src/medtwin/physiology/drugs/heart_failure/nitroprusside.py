"""Nitroprusside: arteries and veins widen alike, within minutes; into a vein, under watch."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import Agent, Drug, Effect
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="nitroprusside",
    meaning="Sodium nitroprusside, infused",
    agents=(
        Agent(name="nitroprusside", target=3.0, low=0.3, high=5.0, unit="ug/kg/min",
              source="0.3 to 5 ug/kg/min (European guideline as quoted at droracle.ai/articles/128435); 3 stands for titrated to full effect: judgement"),
    ),
    half_dose=LogNormal(0.3, 0.5),
    half_dose_source="judgement",
    effects=(
        Effect("systemic_resistance", -1, LogNormal(0.65, 0.3), 0.005, ("Guiha1974",),
               "cardiac output 2.98 to 5.2 L/min, mean arterial pressure -15 mm[Hg]: (90 - 15 - 8)/5.2 over (90 - 16)/2.98, the pressures 90, 16 and 8 judgement"),
        Effect("pulmonary_resistance", -1, LogNormal(0.55, 0.4), 0.005, ("Packer1982",),
               "a decrease of pulmonary arteriolar resistance quantitatively similar to the systemic one"),
        Effect("venous_capacity", -1, LogNormal(0.25, 0.4), 0.005, ("Risoe1992",),
               "intestinal blood volume +26 % while the hepatic wedge pressure fell from 10 to 5.9 mm[Hg]: 0.3 L gained and 0.25 L held at less pressure (61 mL/mm[Hg] "
               "of Ursino1998), of 2.5 L stressed volume; splanchnic volume and stressed volume: judgement"),
    ),
    references=(
        Reference(key="Guiha1974", text="Treatment of refractory heart failure with infusion of nitroprusside, 18 patients. N Engl J Med 1974;291:587-592 (abstract read)."),
        Reference(key="Packer1982", text="Packer M, Meller J, Medina N, Yushak M. Quantitative differences in the hemodynamic effects of captopril and nitroprusside in "
                  "severe chronic heart failure, 15 patients (abstract read; year from memory)."),
        Reference(key="Risoe1992", text="Nitroprusside and regional vascular capacitance in patients with severe congestive heart failure, 8 patients (abstract read at "
                  "scilit.com/publications/0cfa61ceed94e9574bcccefa8c624a11; author and year from memory)."),
    ),
    longest_days=3.0,
)  # fmt: skip
