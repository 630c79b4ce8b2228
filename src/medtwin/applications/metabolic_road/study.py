"""The road against trials of weight loss: two numbers fitted to one of them, the others held out.

Run: ``python -m medtwin.applications.metabolic_road.study``; writes ``docs/evidence/road.md`` (two minutes). With ``--fit``:
the grid of those two numbers and its likelihood (five minutes), which the page's last table holds.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from medtwin.applications.metabolic_road.members import (
    FAT,
    LABORATORY,
    Person,
    lived,
    months,
    of_cells,
    of_model,
    steady,
)
from medtwin.applications.metabolic_road.road import MISSED, MOST, REMISSION, STEADY, TRIED_MONTHS, wilson
from medtwin.applications.metabolic_road.trials import DIRECT, FITTED, HELD_OUT, Arm, Recruited
from medtwin.physiology.haemoglobin import Haemoglobin, settled
from medtwin.physiology.metabolism import metabolism
from medtwin.physiology.model import variables
from medtwin.physiology.organ_fat import OrganFatParameters

DRAWN, SEED = 4000, 5
LOSING = 20  #: weeks in which weight is lost, as DiRECT's diet replacement took; then it is kept
YEAR = 52
WORST = 20.0  #: %, HbA1c beyond which a draw has left the equations
MEDIANS, SPREADS = (0.3, 0.6, 0.9, 1.2, 1.8), (0.3, 0.6, 0.9)  #: of half_fat, tried
Change = Callable[[Any], Any]


@dataclass(frozen=True)
class Found:
    """Of one arm: remission (share, draws that count) or mean HbA1c at the end; HbA1c before; fat before and at the end."""

    share: float
    effective: float
    before: float
    hba1c: float
    liver: tuple[float, float]
    pancreas: tuple[float, float]


def unchanged(drawn: Any) -> Any:
    """The draws as they are."""
    return drawn


def without_fat(drawn: Any) -> Any:
    """Draws in which fat of organs does nothing: the published years."""
    one, zero = jnp.ones_like(drawn.half_fat), jnp.zeros_like(drawn.half_fat)
    return replace(drawn, half_fat=1e6 * one, production_per_fat=zero, acid_factor=one, death_factor=one)


def half_fat(median: float, spread: float) -> Change:
    """Draws with another prior of ``half_fat``, and the same deviates."""
    own = next(v.prior for v in variables(OrganFatParameters) if v.name == "half_fat")

    def change(drawn: Any) -> Any:
        deviate = own.to_deviate(drawn.half_fat)  # type: ignore[union-attr]
        return replace(drawn, half_fat=median * jnp.exp(spread * deviate))

    return change


def cohort(people: Recruited, change: Change = unchanged) -> list[tuple[Any, np.ndarray, dict[str, float]]]:
    """Draws made like the recruited: for each set of drugs those who lived, their weight (which sums to the share), and the
    drugs. The draws' own density of HbA1c is taken out, the trial's put in."""
    made = []
    for share, daily in people.drugs:
        known = {"age": people.age, "body_height": people.height, "female": people.female}
        every = lived(Person(people.weight, people.hba1c, None, known, daily), "semaglutide", DRAWN, SEED, change)
        now, weeks = np.asarray(every.hba1c), np.asarray(every.weeks)
        fine = np.asarray(every.healthy) & np.isfinite(now)
        fine &= (weeks <= YEAR * people.longest) & (weeks >= YEAR * people.shortest) & (now > (6.0 if daily else 6.5))
        density, edges = np.histogram(now[fine], bins=40, range=(4.0, 14.0), density=True)
        own = density[np.clip(np.digitize(now, edges) - 1, 0, 39)]
        weight = np.exp(-0.5 * ((now - people.hba1c) / people.spread) ** 2) / np.maximum(own, 1e-3)
        weight = np.where(fine, weight, 0.0)
        made.append((every, share * weight / weight.sum(), dict(daily)))
    return made


def seen(arm: Arm, parts: list[tuple[Any, np.ndarray, dict[str, float]]]) -> Found:
    """What becomes of the recruited in this arm."""
    coupled, columns = metabolism(), []
    for every, weight, daily in parts:
        p = every.parameters
        years, organs, red = of_cells(coupled, p), of_model(coupled, p, FAT), of_model(coupled, p, Haemoglobin())
        given = ({**daily, **arm.begun}) if arm.kept else {}
        effects = steady(coupled, p, given)
        treated = replace(
            years,
            production_factor=effects["glucose_production_factor"],
            excretion_clearance=effects["glucose_excretion_clearance"],
            secretion_factor=effects["incretin_secretion_factor"] * effects["sulfonylurea_secretion_factor"],
        )
        random = np.random.default_rng(SEED)
        lost = arm.lost + arm.lost_spread * random.standard_normal(DRAWN)
        ramp = np.minimum(np.arange(1, arm.weeks + 1) / LOSING, 1.0)[:, None]
        start = np.asarray(coupled.models[0].observe(jnp.asarray(0.0), *_body(coupled, p))["body_weight"])
        cells, fat = months((every.cells, every.fat), treated, organs, jnp.asarray(start - lost * ramp))[0]
        after = np.asarray(read(red, cells.glucose))
        below = after + LABORATORY * random.standard_normal(DRAWN) < REMISSION
        columns.append(
            [weight, below, np.asarray(every.hba1c), after]
            + [np.asarray(x) for x in (every.fat.liver, fat.liver, every.fat.pancreas, fat.pancreas)]
        )
    weight, *rest = (np.concatenate(one) for one in zip(*columns, strict=True))
    held = (weight > 0) & np.isfinite(rest[2]) & (rest[2] < WORST)  # a step of a week fails for one draw in a thousand
    mean = [float(np.average(one[held], weights=weight[held])) for one in rest]
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    return Found(mean[0], effective, mean[1], mean[2], (mean[3], mean[4]), (mean[5], mean[6]))


def _body(coupled: Any, parameters: Any) -> tuple[Any, Any]:
    own = of_model(coupled, parameters, coupled.models[0])
    return coupled.models[0].initial(own), own


def read(red: Any, glucose: Any) -> Any:
    """Settled HbA1c (%)."""
    return Haemoglobin().observe(jnp.asarray(0.0), settled(red, glucose), red)["hba1c"]


def studied(arms: Sequence[Arm], change: Change = unchanged) -> list[Found]:
    """Every arm; those of the same people share their draws."""
    made: list[Found] = []
    held: tuple[Recruited, Any] | None = None
    for arm in arms:
        if held is None or held[0] is not arm.people:
            held = (arm.people, cohort(arm.people, change))
        made.append(seen(arm, held[1]))
    return made


def likelihood(found: Sequence[Found]) -> float:
    """Log likelihood of the fitted trial's counts, less that of its own shares."""
    total = 0.0
    for arm, one in zip(FITTED, found, strict=True):
        assert arm.remission is not None
        reached, people = arm.remission
        for count, mine, own in (
            (reached, one.share, reached / people),
            (people - reached, 1 - one.share, 1 - reached / people),
        ):
            total += count * (math.log(max(mine, 1e-6)) - math.log(own)) if count else 0.0
    return total


def grid() -> list[tuple[float, float, float, list[float]]]:
    """Median and spread of ``half_fat``, likelihood, remissions."""
    made = []
    for spread in SPREADS:
        for median in MEDIANS:
            found = studied(FITTED, half_fat(median, spread))
            made.append((median, spread, likelihood(found), [one.share for one in found]))
            sys.stderr.write(f"{made[-1]}\n")
    return made


def fit_page(tried: Sequence[tuple[float, float, float, list[float]]]) -> str:
    """The grid, best first."""
    lines = [
        f"| {median:g} | {spread:g} | {fit:.2f} | {' | '.join(f'{100 * one:.0f} %' for one in shares)} |"
        for median, spread, fit, shares in sorted(tried, key=lambda one: -one[2])
    ]
    own = " | ".join(f"{100 * arm.remission[0] / arm.remission[1]:.0f} %" for arm in FITTED if arm.remission)
    return FIT_PAGE.format(lines="\n".join(lines), own=own, drawn=DRAWN)


FIT_PAGE = """# The two fitted numbers of the fat of organs

Generated by `python -m medtwin.applications.metabolic_road.study --fit`; do not edit.

Median and spread (of the logarithm) of `half_fat` of `physiology/organ_fat.py` against remission in DiRECT at one year.
Likelihood: logarithm, binomial, less that of the trial's own shares (0 is a perfect fit). {drawn} draws for each set of drugs,
the same for all rows. The first row is what ships; several others fit as well: four shares do not tell them apart.

| median, % | spread | log likelihood | 0 to 5 kg | 5 to 10 kg | 10 to 15 kg | 15 kg and more |
|---|---|---|---|---|---|---|
| DiRECT | | 0 | {own} |
{lines}
"""


def rms(arms: Sequence[Arm], found: Sequence[Found]) -> float:
    """Root of the mean square of what was missed in the falls of mean HbA1c, points, over arms that have one."""
    missed = [one.before - one.hba1c - _fall(arm) for arm, one in zip(arms, found, strict=True) if arm.hba1c]
    return float(np.sqrt(np.mean(np.square(missed))))


def _fall(arm: Arm) -> float:
    assert arm.hba1c is not None
    return arm.people.hba1c - arm.hba1c[0]


def row(arm: Arm, one: Found, plain: Found) -> str:
    """A line of the page: trial, model with fat of organs, and without."""
    if arm.remission is not None:
        reached, people = arm.remission
        low, high = wilson(reached / people, people)
        trial = f"{reached}/{people} = {100 * reached / people:.0f} % ({100 * low:.0f} to {100 * high:.0f})"
        mine = wilson(one.share, one.effective)
        said = f"{100 * one.share:.0f} % ({100 * mine[0]:.0f} to {100 * mine[1]:.0f})"
        bare, fine = f"{100 * plain.share:.0f} %", low <= one.share <= high
    else:
        assert arm.hba1c is not None
        fall, most, least = _fall(arm), arm.people.hba1c - arm.hba1c[1], arm.people.hba1c - arm.hba1c[2]
        trial = f"HbA1c {-fall:+.1f} ({-most:+.2f} to {-least:+.2f}) from {arm.people.hba1c:g}"
        said = f"{one.hba1c - one.before:+.2f} from {one.before:.1f}"
        bare, fine = f"{plain.hba1c - plain.before:+.2f}", least <= one.before - one.hba1c <= most
    return f"| {arm.name} | {arm.lost:g} | {trial} | {said} | {'yes' if fine else '**no**'} | {bare} |"


def page() -> str:
    """The page."""
    *fitted, petersen = studied((*FITTED, Arm(name="8 kg", people=DIRECT, lost=8.0)))
    held = studied(HELD_OUT)
    bare_fitted, bare_held = studied(FITTED, without_fat), studied(HELD_OUT, without_fat)
    rows = [[row(*three) for three in zip(*one, strict=True)]
            for one in ((FITTED, fitted, bare_fitted), (HELD_OUT, held, bare_held))]  # fmt: skip
    first, last = fitted[0], fitted[-1]
    median = next(v.prior for v in variables(OrganFatParameters) if v.name == "half_fat")
    return PAGE.format(
        fitted="\n".join(rows[0]), held="\n".join(rows[1]), inside=sum("| yes |" in one for one in rows[0]), classes=len(rows[0]),
        within=sum("| yes |" in one for one in rows[1]), arms=len(rows[1]), missed=rms(HELD_OUT, held),
        bare=rms(HELD_OUT, bare_held), median=median.median, spread=median.sigma,  # type: ignore[union-attr]
        liver=(first.liver[0], last.liver[1]), pancreas=(first.pancreas[0], last.pancreas[1]), drawn=DRAWN,
        eight=100 * (1 - petersen.liver[1] / petersen.liver[0]), stated=MISSED, steady=STEADY, most=MOST,
        months=TRIED_MONTHS, count=min(one.effective for one in fitted),
        sources="\n".join(f"- {arm.name}: {arm.source}." for arm in (*FITTED[:1], *HELD_OUT)),
    )  # fmt: skip


GRID = "docs/evidence/road-fit.md"

PAGE = """# The road against trials of weight loss

Generated by `python -m medtwin.applications.metabolic_road.study`; do not edit.

Weight that is lost lowers HbA1c through fat of liver and pancreas (`physiology/organ_fat.py`), which moves the years of beta
cells. Two of its numbers, the median ({median:g} %) and the spread ({spread:g}) of the fat of the pancreas that a person's cells
bear, were fitted to the four shares of the first table and to nothing else (`--fit`; `road-fit.md`). All others come from studies
of the mechanism or are judgement, as the file says. The other trials were held out.

Persons are drawn as for anybody ({drawn} for each set of drugs), untreated for nine years and treated for one, and made like the
recruited by weight, age, HbA1c and years of diabetes (from a mean glucose of 140 mg/dL). They lose what the arm lost (the middle
of each class, or with the arm's spread) in 20 weeks, and keep it. Unless drugs were kept, they take none then. HbA1c is the
settled one at the end; remission is below 6.5 %. Intervals: 95 %, the model's of its draws only ({count:.0f} count). "Without
fat": the same persons with the published years alone.

## Fitted: DiRECT at one year

| arm | lost, kg | trial | model | within the trial's interval | without fat |
|---|---|---|---|---|---|
{fitted}

{inside} of {classes} classes are within.

## Held out

| arm | lost, kg | trial | model | within the trial's interval | without fat |
|---|---|---|---|---|---|
{held}

{within} of {arms} are within. Of the falls of mean HbA1c the model missed {missed:.2f} points (root of the mean square), without
fat {bare:.2f}. What to know of single rows:

- Usual care in DIADEM-I: the model takes all drugs away, as the definition of remission asks; in usual care hardly anybody
  stopped them. It is no like with like, and shown because it is a miss.
- In Look AHEAD and STEP 2 drugs were stepped down as HbA1c fell; the model keeps them, which makes its fall larger.
- Counterbalance: HbA1c of week 8, of red cells that are mostly older, against the model's settled one of week 26.
- Diabetes of more than ten years is not in the draws. STAMPEDE and other surgery: a bypass does more than weight; not tried.
- Gummesson 2017 (58 articles): 0.1 points for each kg, drugs stepped down or not; the rows with drugs kept above are of that
  size or larger.

Fat, of DiRECT's people in the model: liver {liver[0]:.1f} to {liver[1]:.1f} % with 18 kg (Taylor 2018: 16.0 to 3.1 % with about
15: its number went in), pancreas {pancreas[0]:.1f} to {pancreas[1]:.1f} % (Lim 2011: 8.0 to 6.2: its slope went in). 8 kg take
{eight:.0f} % of liver fat; Petersen 2005 saw 81 % in eight people (held out), so the model's liver empties too slowly.

## What follows

`medtwin road` states HbA1c, and the chance of less than 6.5 % without drugs, while the median weight is between {steady:g} kg
above and {most:g} kg below today's, and for {months} months once it has moved; beyond, it withholds them and says why. Where
weight has moved, bands hold a miss of {stated:g} points beside the laboratory's error and what differs between persons, and the
interval of the chance holds that all members are off by it. What DiRECT saw in the class of weight stands beside it. Weight
gain, surgery, insulin, and diabetes of more than ten years are not covered.

## Numbers and where they were read

{sources}

Taylor R et al., Diabetologia 2018;61:589-598 (abstract read): whom DiRECT took. Lean MEJ et al., Lancet 2018;391:541-551. Lean
MEJ et al., Lancet Diabetes Endocrinol 2019;7:344-355 and 2024;12:233-246. Taheri S et al., ibid. 2020;8:477-489. Steven S,
Taylor R, Diabet Med 2015;32:1149-1155. Look AHEAD Research Group, Diabetes Care 2007;30:1374-1383. Davies M et al., Lancet
2021;397:971-984.
Gummesson A et al., 2017. All by their abstracts.
"""

if __name__ == "__main__":
    if "--fit" in sys.argv:
        Path(GRID).write_text(fit_page(grid()))
    else:
        made = page()
        Path("docs/evidence/road.md").write_text(made)
        sys.stdout.write(made)
