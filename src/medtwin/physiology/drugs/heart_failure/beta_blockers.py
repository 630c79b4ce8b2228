"""Beta-blockers: the heart slows, its muscle weakens for days and strengthens over months, the reflex is blunted, the ventricle shrinks."""

# ruff: noqa: E501  (an effect, with its size, its source and what was read, stands on one line)

from __future__ import annotations

from medtwin.physiology.drugs.heart_failure.drug import REMODELLING, Agent, Drug, Effect
from medtwin.physiology.drugs.heart_failure.renin_system import TABLE, YANCY
from medtwin.physiology.model import Reference
from medtwin.physiology.prior import LogNormal

DRUG = Drug(
    name="beta_blocker",
    meaning="Blocker of beta-adrenergic receptors",
    agents=(
        Agent(name="metoprolol succinate", target=200.0, low=12.5, high=200.0, source=TABLE, other_names=("metoprolol",)),
        Agent(name="bisoprolol", target=10.0, low=1.25, high=10.0, source=TABLE),
        Agent(name="carvedilol", target=50.0, low=6.25, high=100.0, source=f"{TABLE}: 25 mg twice below 85 kg"),
    ),
    half_dose=LogNormal(0.25, 0.5),
    half_dose_source="judgement: half of the greatest effect at a quarter of the target dose",
    effects=(
        Effect("heart_rate", -1, LogNormal(0.15, 0.35), 2.0, ("Gullestad2005",),
               "net change -8 of 71 to -14 of 98/min in fifths of MERIT-HF, -0.13 to -0.16 in logarithm with 159 mg on average"),
        Effect("contractility", -1, LogNormal(0.08, 0.5), 1.0, ("Hall1995",),
               "day 1: end-systolic volume rose, ejection fraction fell; size: judgement"),
        Effect("contractility", 1, LogNormal(0.28, 0.5), REMODELLING, ("RESOLVD2000", "Metra2000"),
               "ejection fraction +7.2 and +10.9 points after a year or more of metoprolol and carvedilol (uncontrolled): the greater part of it"),
        Effect("ventricular_size", -1, LogNormal(0.08, 0.5), REMODELLING, ("RESOLVD2000",),
               "against placebo, 24 weeks: end-diastolic -17 and end-systolic volume -21 mL, of 220 mL (judgement), slower beats filling more"),
        Effect("reflex", -1, LogNormal(0.5, 0.4), 2.0, (), "gains times 0.5 to 0.7: judgement"),
    ),
    references=(
        YANCY,
        Reference(key="Gullestad2005", text="What resting heart rate should one aim for when treating patients with heart failure with a beta-blocker? "
                  "MERIT-HF. J Am Coll Cardiol 2005;45:252-259 (abstract read; first author from memory)."),
        Reference(key="Hall1995", text="Time course of improvement in ventricular function with metoprolol, 26 men with dilated cardiomyopathy (abstract "
                  "read, synapsesocial.com/papers/6a0933a50d00267143bfdce0; author and year from memory)."),
        Reference(key="RESOLVD2000", text="Effects of metoprolol CR in patients with ischemic and dilated cardiomyopathy, 426 patients. Circulation "
                  "2000;101:378-384 (abstract read)."),
        Reference(key="Metra2000", text="Differential effects of beta-blockers in patients with heart failure, 150 patients (abstract read at "
                  "scilit.net/publications/56bd8f838028870c749352dd021947a6; author and year from memory)."),
    ),
    limits="People in sinus rhythm. Metoprolol means the succinate; the tartrate is not answered. The first days' weakening is not a titration's: doses rise over weeks.",
)  # fmt: skip
