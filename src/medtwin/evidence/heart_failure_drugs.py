"""Published haemodynamic changes under heart-failure drugs beside the twin's: ``python -m medtwin.evidence.heart_failure_drugs``.

Writes ``docs/evidence/heart-failure-drugs.md`` (a CPU minute). The studies stand in ``heart_failure_drugs.yaml``, each with
its sentence and its address; none of them set an effect of a drug (a test holds the two lists apart). Of each the circulation
is personalised to what the study states of its patients, as if the group's means were one person; the drug acts on draws of
that belief, and the change is compared in the published unit. No model error is added here: this page is where it is measured.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import jax
import numpy as np
import yaml

from medtwin.errors import FormatError
from medtwin.inference.drug_response import MODEL_ERROR, People, follow, people
from medtwin.inference.haemodynamics import personalise
from medtwin.physiology.circulation_sets import values_of
from medtwin.physiology.drugs.heart_failure import DRUGS
from medtwin.physiology.drugs.heart_failure.regimen import combination
from medtwin.quantities import registry
from medtwin.statistics.binomial import exact_interval

PAGE = Path("docs/evidence/heart-failure-drugs.md")
COMMAND = "python -m medtwin.evidence.heart_failure_drugs"
ERRORS = 0.33  #: the error of a group mean against that of one reading, as for the parameter sets
LEAK = ("mitral_leak_reference", "mitral_leak_growth", "mitral_leak_area")
SEED = 7
SEEN_BEFORE = (
    "Two things were changed after a first look at this table (56 changes, 50 signs, 33 sizes), so that the rows that they "
    "concern are no clean tests: the "
    "circulations with a mitral leak did not leak, since nothing held their ventricles wide (now 250 mL and half the wedge "
    "pressure in the right atrium are "
    "assumed; this moved flow under nitroprusside into its intervals); and ACE inhibitors and receptor blockers had sizes of "
    "their own, so that mean "
    "pressure rose from enalapril to sacubitril/valsartan (now they share one size; EVALUATE2021, CardioMEMS2021, "
    "Losartan1995 and CaptoprilExercise). Afterwards, for reasons that no row gave: a beat has 375 steps and not 125, draws are "
    "weighed by the readings of their group, and CandesartanAddOn was taken out, since its candesartan was added to an ACE "
    "inhibitor, which the twin does not combine. No size was fitted to a row."
)
TOUCHED = frozenset({"EVALUATE2021", "CardioMEMS2021", "Losartan1995", "CaptoprilExercise"})  #: beside those that leak
SEARCHED = (
    "Stored web pages were searched for each class of drug with its name and words such as haemodynamic effects, wedge "
    "pressure, cardiac index, systemic "
    "vascular resistance, heart failure, remodelling, end-systolic volume, and for the trials by name. Left out, since no "
    "number was found in what could be read: PROVE-HF, "
    "SUGAR-DM-HF, lisinopril (12 weeks, 19 patients), enalapril (eight patients), valsartan (116 patients), CandHeart. Empire "
    "HF's fall of wedge pressure is of the trial that sets "
    "the blood volume of SGLT2 inhibitors and is therefore no test."
)


@dataclass(frozen=True, slots=True)
class Change:
    """A published change of one quantity, in its unit; ``none``: reported as no (significant) change."""

    quantity: str
    change: float
    sd: float | None = None
    none: bool = False


@dataclass(frozen=True, slots=True)
class Study:
    """One entry of the file."""

    study: str
    drug: str
    population: str
    address: str
    grade: str
    sentence: str
    baseline: Mapping[str, float]
    assumed: Mapping[str, float]
    leak: bool
    plan: tuple[str, ...]
    taking: tuple[str, ...]
    days: float
    changes: tuple[Change, ...]
    square_metres: float | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A published change and the twin's: median, 5 and 95 %, in the quantity's unit; draws that were used."""

    study: Study
    published: Change
    low: float
    median: float
    high: float
    draws: int
    leak: float  #: regurgitant fraction of the mitral valve before the drug, %

    @property
    def sign(self) -> bool:
        """Whether the direction agrees; of no change, whether the twin's is below one error of a reading or its interval holds
        zero."""
        if self.published.none:
            small = abs(self.median) < registry.get(self.published.quantity).sd(0.0) or self.low <= 0.0 <= self.high
            return small
        return bool(np.sign(self.median) == np.sign(self.published.change))

    @property
    def size(self) -> bool:
        """Whether the published change lies in the twin's 90 % interval."""
        return self.low <= self.published.change <= self.high


@cache
def studies() -> tuple[Study, ...]:
    """All entries. Raises FormatError for another dialect."""
    said = yaml.safe_load(files("medtwin.evidence").joinpath("heart_failure_drugs.yaml").read_text())
    if said.get("dialect") != "medtwin-haemodynamic-studies/1":
        raise FormatError("studies of another dialect", expected="medtwin-haemodynamic-studies/1")
    return tuple(
        Study(
            one["study"], one["drug"], one["population"], one["address"], one["grade"], one["sentence"],
            one["baseline"], one["assumed"], one["leak"] == "severe", tuple(one["plan"]), tuple(one.get("taking", ())),
            float(one["days"]), tuple(Change(**change) for change in one["changes"]), one.get("square_metres"),
        )
        for one in said["studies"]
    )  # fmt: skip


def held(study: Study) -> dict[str, float]:
    """The mitral leak that is taken for known."""
    return {name: float(values_of("severe_heart_failure")[name]) for name in LEAK} if study.leak else {}


def groups(those: Sequence[Study]) -> list[People]:
    """Draws of the belief over each group."""
    readings = [{k: float(v) for k, v in {**one.assumed, **one.baseline}.items()} for one in those]
    known = [held(one) for one in those]
    if not all(known):  # people side by side hold the same parameters: a valve that holds leaks nothing
        known = [
            one or {"mitral_leak_reference": 230.0, "mitral_leak_growth": 0.0, "mitral_leak_area": 0.0} for one in known
        ]
    beliefs = personalise(readings, held=known, errors=ERRORS)
    return [
        people(belief, leak, jax.random.key(SEED), readings=own, errors=ERRORS)
        for belief, leak, own in zip(beliefs, known, readings, strict=True)
    ]


def compare(those: Sequence[Study], model_error: float = 0.0, drawn: Sequence[People] | None = None) -> list[Compared]:
    """Every published change beside the twin's; ``drawn`` as :func:`groups` makes them."""
    made = []
    for study, who in zip(those, drawn if drawn is not None else groups(those), strict=True):
        key = jax.random.key(SEED)
        seen = follow(
            who, combination(study.plan), combination(study.taking), (study.days,), key, model_error=model_error
        )
        for change in study.changes:
            values = seen.change[change.quantity][0]
            values = values[np.isfinite(values)]
            low, median, high = (float(v) for v in np.quantile(values, (0.05, 0.5, 0.95)))
            leaking = float(np.median(who.seen["mitral_regurgitant_fraction"]))
            made.append(Compared(study, change, low, median, high, len(values), leaking))
    return made


def spread(made: Sequence[Compared]) -> float:
    """Robust sd of the logarithm of published over modelled change (median of its size over 0.6745), of those with the right
    sign."""
    return float(np.median(np.abs(_logs(made))) / 0.6745)


def _logs(made: Sequence[Compared]) -> np.ndarray:
    return np.array([np.log(one.published.change / one.median) for one in made if not one.published.none and one.sign])


def page(made: Sequence[Compared], widened: Sequence[Compared]) -> str:
    """The page in Markdown; ``widened``: the same comparisons with the model's error."""
    those = list(dict.fromkeys(one.study.study for one in made))
    signs, sizes = sum(one.sign for one in made), sum(one.size for one in made)
    small = sum(not one.published.none and one.sign and abs(one.median) < abs(one.published.change) for one in made)
    judged = sum(not one.published.none and one.sign for one in made)
    least, greatest = exact_interval(sizes, len(made), 0.95)
    moving = [one for one in made if not one.published.none]
    wrong = sum(not one.sign for one in moving)
    still = [one for one in made if one.published.none]
    clean = [one for one in made if not one.study.leak and one.study.study not in TOUCHED]
    effects = [effect for drug in DRUGS.values() for effect in drug.effects]
    judgement = sum("judg" in effect.source for effect in effects)
    lines = [
        "# Heart-failure drugs on the four-chamber circulation", "",
        f"Generated by `{COMMAND}`; do not edit.", "",
        "Of each study the circulation is personalised to the means that it states of its patients (what it does not state is "
        "assumed and named), the drug acts on draws of that belief and of the priors of its effects, and the change stands "
        "beside the published one. **No study here set an effect.** Intervals are of the belief and of the effects' priors, "
        "without the model's own error. Grade A: the numbers were read in the study's own abstract; B: in a summary by others. "
        "Studies state means of groups, often the greatest change and of those who responded; the twin answers for one person.",
        "",
        f"**{len(those)} groups, {len(made)} changes: the sign agrees in {signs} (of {len(moving)} published as a change in "
        f"{len(moving) - wrong}; of {len(still)} published as none {signs - len(moving) + wrong} count as agreeing, since "
        f"the twin's change is below one "
        f"error of a reading or its interval holds zero), the published size lies in the twin's 90 % "
        f"interval in {sizes} ({100 * sizes / len(made):.0f} %; 95 % interval {100 * least:.0f} to {100 * greatest:.0f} %).** "
        f"**Only {len(clean)} of the {len(made)} were untouched by what was changed after a first look: "
        f"{sum(one.sign for one in clean)} signs and "
        f"{sum(one.size for one in clean)} sizes of these agree. "
        f"{judgement} of the {len(effects)} effects rest on judgement, in whole or in part.** "
        f"Of the {len(moving)} changes that were published as such {wrong} have the wrong direction. "
        f"Of {judged} with the right sign the twin's median is the smaller one in {small}; published "
        f"over "
        f"modelled change has a median of {np.exp(np.median(_logs(made))):.2f}, its logarithm a robust sd of {spread(made):.2f}: "
        "the twin answers too small where this is above one.", "",
        f"`medtwin what-if --drug` multiplies the sizes of each class in each person by a log-normal factor with sd "
        f"{MODEL_ERROR:g} "
        "of its logarithm, which was chosen here: with it "
        f"{sum(one.size for one in widened if not one.published.none)} of the {len(moving)} published changes lie in the 90 % "
        f"intervals, and {sum(one.size for one in widened)} of all {len(widened)}. A wrong direction is beyond any widening.", "",
        "| study | drug | quantity | unit | published (sd) | twin, median | 90 % | sign | size | grade |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_row(one) for one in made), "",
        "## Misses", "", *_misses(made), "",
        "## Each study", "",
        *[line for name in those for line in _study(next(one for one in made if one.study.study == name))],
        "## What was changed after a first look", "", SEEN_BEFORE, "",
        "## What was searched", "", SEARCHED, "",
        "## What set the effects", "",
        "| class | effect | what set it |", "|---|---|---|",
        *(
            f"| {drug.name} | {effect.target} {'+' if effect.direction > 0 else '-'}{float(effect.size.quantile(0.5)):.2g} "
            f"({_times(effect.days)}) | {', '.join(effect.studies)}: {effect.source} |"
            for drug in DRUGS.values() for effect in drug.effects
        ), "",
        "Sizes are the logarithm of the factor at the target dose, medians of their priors; in brackets the time constant.", "",
        "## Doses that are answered", "",
        "| class | drug | target | from | to | unit | source |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {drug.name} | {agent.name} | {agent.target:g} | {agent.low:g} | {agent.high:g} | {agent.unit} | {agent.source} |"
            for drug in DRUGS.values() for agent in drug.agents
        ), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _row(one: Compared) -> str:
    sd = f" ({one.published.sd:g})" if one.published.sd is not None else ""
    published = "no change" if one.published.none else f"{one.published.change:+g}{sd}"
    return (
        f"| {one.study.study} | {'; '.join(one.study.plan)} | {one.published.quantity} | "
        f"{registry.get(one.published.quantity).unit} | {published} | {one.median:+.2f} | "
        f"{one.low:+.2f} to {one.high:+.2f} | {'yes' if one.sign else '**no**'} | {'yes' if one.size else '**no**'} | "
        f"{one.study.grade} |"
    )


def _misses(made: Sequence[Compared]) -> list[str]:
    lines = []
    for one in made:
        if not one.sign and one.published.none:
            lines.append(
                f"- {one.study.study}, {one.published.quantity}: {one.median:+.2f} where no change was published."
            )
        elif not one.sign:
            lines.append(
                f"- {one.study.study}, {one.published.quantity}: wrong direction ({one.median:+.2f}, published "
                f"{one.published.change:+g})."
            )
        elif not one.size:
            ratio = "" if one.published.none else f", {one.median / one.published.change:.2f} of the published change"
            lines.append(f"- {one.study.study}, {one.published.quantity}: size outside the interval{ratio}.")
    return lines or ["None."]


def _study(row: Compared) -> list[str]:
    one = row.study
    assumed = ", ".join(f"{k} {v:g}" for k, v in one.assumed.items())
    stated = ", ".join(f"{k} {v:g}" for k, v in one.baseline.items()) or "nothing"
    per = f" Indices times {one.square_metres:g} m2." if one.square_metres else ""
    taking = f" Taking before: {'; '.join(one.taking)}." if one.taking else ""
    return [
        f"### {one.study}", "",
        f"{one.drug}. {one.population}. {one.address}.", "",
        f"> {one.sentence}", "",
        f"Stated before the drug: {stated}. Assumed: {assumed}.{per}{taking} "
        f"{'With' if one.leak else 'Without'} the functional mitral leak of the set `severe_heart_failure`; regurgitant fraction "
        f"{row.leak:.0f} %. At {_times(one.days)}.", "",
    ]  # fmt: skip


def _times(days: float) -> str:
    return f"{days * 24:.2g} h" if days < 2 else f"{days:.3g} days"


def main() -> int:
    drawn = groups(studies())
    made = compare(studies(), drawn=drawn)
    PAGE.write_text(page(made, compare(studies(), MODEL_ERROR, drawn)))
    for one in made:
        print(_row(one))
    print(f"model error {spread(made):.3f}")
    return 0


if __name__ == "__main__":
    import medtwin.twin  # noqa: F401 - 64 bit, and the compilation cache

    sys.exit(main())
