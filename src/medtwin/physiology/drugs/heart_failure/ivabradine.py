"""Ivabradine: the sinus node slows, nothing else."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import REMODELLING, Agent, Drug, Effect
from medtwin.physiology.drugs.heart_failure.renin_system import TABLE, YANCY
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="ivabradine",
    meaning="Inhibitor of the funny current of the sinus node",
    agents=(Agent(name="ivabradine", target=15.0, low=5.0, high=15.0, source=f"{TABLE}: at most 7.5 mg twice a day"),),
    half_dose=LogNormal(0.4, 0.4),
    half_dose_source="judgement",
    effects=(
        Effect("heart_rate", -1, LogNormal(0.13, 0.4), 0.5, ("BEAUTIFUL2008", "DeFerrari2008"),
               "-6/min against placebo at 12 months in a trial whose rate was at least 60/min (judged 72: -0.09), -27 % from 93/min by vein: the more the faster; between them"),
        Effect("ventricular_size", -1, LogNormal(0.03, 0.8), REMODELLING, ("BEAUTIFUL2008",), "judgement: no study beside the one that tests it was found"),
    ),
    references=(
        YANCY,
        Reference(key="BEAUTIFUL2008", text="Fox K, Ford I, Steg PG, Tendera M, Ferrari R. Ivabradine for patients with stable coronary artery disease and left-ventricular "
                  "systolic dysfunction. Lancet 2008;372:807-816 (summary read)."),
        Reference(key="DeFerrari2008", text="De Ferrari GM et al. Favourable effects of heart rate reduction with intravenous administration of ivabradine in patients with "
                  "advanced heart failure, 10 patients (abstract read; year from memory)."),
    ),
    limits="People in sinus rhythm at 70/min or more.",
)  # fmt: skip
