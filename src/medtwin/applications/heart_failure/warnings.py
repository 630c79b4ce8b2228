"""What to fear of a plan: stated rules, each with its source. A rule warns; it neither forbids nor allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtwin.applications.heart_failure.limits import SQUARE_METRES
from medtwin.inference.drug_response import Followed, People
from medtwin.physiology.drugs.heart_failure.regimen import Regimen

LOW_PRESSURE, LOW_RATE = 90.0, 50.0  #: mm[Hg], /min
CHANCE = 0.05  #: above which a warning is given
CONGESTED, LOW_INDEX = 18.0, 2.0  #: mm[Hg], L/min/m2 (judgement)
SHOCKED = 0.2  #: chance of shock above which a warning is given
RENIN = ("ace_inhibitor", "angiotensin_receptor_blocker", "neprilysin_inhibitor")
RULES = {
    "hypotension": "Postgrad Med J, table 3 (pmj.bmj.com/highwire/markup/169703): systolic pressure below 90 mmHg",
    "start": "PARADIGM-HF took nobody with a systolic pressure below 100 mmHg at screening (acc.org journal scan, 2024-10-22)",
    "bradycardia": "Postgrad Med J, table 3: heart rate below 50/min",
    "hyperkalaemia": (
        "2013 guideline, table 17 (eguideline.guidelinecentral.com/i/244042): not ordinarily begun above 5.0 "
        "mmol/L; risk grows with ACE inhibitors"
    ),
    "renal": "2013 guideline, table 17: filtration above 30 mL/min/1.73 m2 is recommended",
    "glomerular": "ramipril, 11 patients (J Cardiovasc Pharmacol 1989, abstract): filtration fell 29 % after the first dose",
    "rank": "judgement of this project",
    "shock": "systolic pressure and cardiac index as in trials of cardiogenic shock, index 2.0 for caution (from memory)",
    "washout": "label of sacubitril/valsartan: 36 hours between it and an ACE inhibitor (from memory)",
    "decompensated": "guidelines begin a beta-blocker in stable people who are not congested (from memory)",
    "digoxin": "digoxin leaves by the kidneys: label (from memory); limit 50 mL/min/1.73 m2 is judgement",
    "ivabradine": "SHIFT took nobody below 70/min (from memory)",
    "sglt2": "EMBRACE-HF took nobody below 30 mL/min/1.73 m2 (acc.org)",
}


@dataclass(frozen=True, slots=True)
class Warning:
    """What, in a sentence with its number, and the rule's source."""

    kind: str
    sentence: str
    source: str


def chance_low(seen: np.ndarray, limit: float) -> float:
    """Share of people who are below ``limit`` at any time; ``seen`` is ``[day, person]``."""
    with np.errstate(invalid="ignore"):
        below = (seen < limit).any(axis=0)
    return float(np.asarray(below)[np.isfinite(seen).all(axis=0)].mean())


def warnings(
    planned: Sequence[Regimen],
    taking: Sequence[Regimen],
    who: People,
    seen: Followed,
    *,
    potassium: float | None,
    filtration: float | None,
) -> tuple[Warning, ...]:
    """All that the rules say of a plan. ``potassium`` mmol/L, ``filtration`` mL/min/1.73 m2; None where it is not known."""
    out: list[Warning] = []
    new = {one.drug.name for one in planned if one.dose > 0.0}
    ended = {one.drug.name for one in planned} | {name for one in planned for name in one.drug.excludes}
    before = {one.drug.name: one.share for one in taking}
    together = new | (before.keys() - ended)  # in force after the plan began
    index = np.median(who.seen["cardiac_output"]) / SQUARE_METRES

    def warn(kind: str, sentence: str, rule: str | None = None) -> None:
        out.append(Warning(kind, sentence, RULES[rule or kind]))

    low, was = (
        chance_low(one, LOW_PRESSURE) for one in (seen.seen["systolic_pressure"], who.seen["systolic_pressure"][None])
    )
    if low > CHANCE:
        warn(
            "hypotension",
            f"systolic pressure below {LOW_PRESSURE:g} mmHg at some time: chance {low:.0%}, now {was:.0%}",
        )
    now = float(np.median(who.seen["systolic_pressure"]))
    if "neprilysin_inhibitor" in new and now < 100.0:
        warn(
            "hypotension",
            f"sacubitril/valsartan at a systolic pressure of {now:.0f} mmHg: nobody was studied below 100",
            "start",
        )
    slow, was = (chance_low(one, LOW_RATE) for one in (seen.seen["heart_rate"], who.seen["heart_rate"][None]))
    if slow > CHANCE:
        warn("bradycardia", f"heart rate below {LOW_RATE:g}/min at some time: chance {slow:.0%}, now {was:.0%}")
    shock = (seen.seen["systolic_pressure"] < LOW_PRESSURE) & (seen.seen["cardiac_output"] / SQUARE_METRES < LOW_INDEX)
    shocked = float(np.any(shock, axis=0)[seen.sound.all(axis=0)].mean())
    if shocked > SHOCKED:
        warn(
            "shock",
            f"systolic pressure below {LOW_PRESSURE:g} mmHg with an index below {LOW_INDEX:g} L/min/m2: chance {shocked:.0%}",
        )
    if ("neprilysin_inhibitor" in new and "ace_inhibitor" in before) or (
        "ace_inhibitor" in new and "neprilysin_inhibitor" in before
    ):
        warn("washout", "36 hours must lie between an ACE inhibitor and sacubitril/valsartan: angioedema")
    share = next((one.share for one in planned if one.drug.name == "beta_blocker"), 0.0)
    wedge = float(np.median(who.seen["pulmonary_wedge_pressure"]))
    if share > before.get("beta_blocker", 0.0) and (wedge > CONGESTED or index < LOW_INDEX):
        warn(
            "decompensated",
            f"a beta-blocker begun or raised at a wedge pressure of {wedge:.0f} mmHg and {index:.1f} L/min/m2",
        )
    rate = float(np.median(who.seen["heart_rate"]))
    if "ivabradine" in new and rate < 70.0:
        warn("bradycardia", f"ivabradine at {rate:.0f}/min: nobody was studied below 70", "ivabradine")
    if "digoxin" in together and (filtration is None or filtration < 50.0):
        known = "not known" if filtration is None else f"{filtration:.0f} mL/min/1.73 m2"
        warn("renal", f"digoxin gathers where kidneys fail; filtration {known}", "digoxin")
    when = "before" if "mineralocorticoid_antagonist" in new else "beside"
    if "mineralocorticoid_antagonist" in together:
        if potassium is None:
            warn("hyperkalaemia", f"potassium is not known: measure it {when} an aldosterone antagonist (--potassium)")
        elif potassium > 5.0:
            warn("hyperkalaemia", f"potassium {potassium:.1f} mmol/L, above 5.0, {when} an aldosterone antagonist")
        if together & set(RENIN):
            warn("hyperkalaemia", "an aldosterone antagonist beside a drug on the renin-angiotensin system")
        if filtration is None:
            warn("renal", f"kidney function is not known: measure it {when} an aldosterone antagonist (--egfr)")
        elif filtration <= 30.0:
            warn("renal", f"filtration {filtration:.0f} mL/min/1.73 m2, at most 30, {when} an aldosterone antagonist")
    elif together & set(RENIN) and potassium is None:
        warn(
            "hyperkalaemia",
            "potassium is not known: measure it beside a drug on the renin-angiotensin system (--potassium)",
        )
    elif together & set(RENIN) and potassium is not None and potassium > 5.0:
        warn(
            "hyperkalaemia",
            f"potassium {potassium:.1f} mmol/L, above 5.0, beside a drug on the renin-angiotensin system",
        )
    if new & set(RENIN) - before.keys():
        known = "not known" if filtration is None else f"{filtration:.0f} mL/min/1.73 m2"
        warn(
            "renal", f"filtration falls where a drug on the renin-angiotensin system begins; now {known}", "glomerular"
        )
    if "sglt2_inhibitor" in together and filtration is None:
        warn("renal", "kidney function is not known: measure it before an SGLT2 inhibitor (--egfr)", "sglt2")
    elif "sglt2_inhibitor" in together and filtration is not None and filtration < 30.0:
        warn("renal", f"filtration {filtration:.0f} mL/min/1.73 m2: nobody was studied below 30", "sglt2")
    return tuple(out)
