"""The road against the DiRECT trial, and what any person of the model can gain by losing weight.

Run: ``python -m medtwin.applications.metabolic_road.study``; writes ``docs/evidence/road.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from medtwin.applications.metabolic_road.members import (
    DIABETES,
    LABORATORY,
    YEARS,
    Person,
    lived,
    months,
    of_cells,
    of_model,
)
from medtwin.applications.metabolic_road.road import DIRECT, REMISSION, STEADY, wilson
from medtwin.physiology.haemoglobin import Haemoglobin, settled
from medtwin.physiology.metabolism import metabolism
from medtwin.physiology.model import parameters_at

TRIED = (2.5, 7.5, 12.5, 18.0)  #: kg lost, one for each class of DiRECT that lost weight
HBA1C, SPREAD = 7.6, 1.2  #: %, on treatment (Taylor 2018)
LONGEST = 6 * 52  #: weeks since diagnosis, of those whom DiRECT took
DRAWN = 10000
PER_KILOGRAM = 0.1  #: points of HbA1c for each kg lost, Gummesson 2017
LIVED = 30 * 52  #: weeks


def remissions(seed: int = 5) -> list[tuple[float, float]]:
    """Share below 6.5 % by class, and by how many draws."""
    coupled = metabolism()
    got: dict[float, list[tuple[np.ndarray, np.ndarray]]] = {lost: [] for lost in TRIED}
    for part, daily in ((0.25, {}), (0.75, {"metformin": 2000.0})):
        person = Person(100.0, HBA1C, None, {"age": 54.0, "body_height": 169.0, "female": 0.41}, daily)
        parameters, cells, hba1c, likely = lived(person, "semaglutide", DRAWN, seed, longest=LONGEST)
        now, likely = np.asarray(hba1c), np.asarray(likely)
        # drawn persons made like the recruited: their own density is taken out, theirs put in
        density, edges = np.histogram(now[likely], bins=40, range=(4.0, 14.0), density=True)
        own = density[np.clip(np.digitize(now, edges) - 1, 0, 39)]
        weight = np.exp(-0.5 * ((now - HBA1C) / SPREAD) ** 2) / np.maximum(own, 1e-3)
        weight *= likely & (now > (6.0 if daily else 6.5))
        weight *= part / weight.sum()
        years = of_cells(coupled, parameters)
        red = of_model(coupled, parameters, Haemoglobin())
        for lost in TRIED:
            end = months(cells, years, diet(jnp.full((DRAWN,), 100.0), lost))[0]
            seen = np.asarray(read(red, end.glucose))
            noise = LABORATORY * np.random.default_rng(seed).standard_normal(DRAWN)
            got[lost].append((seen + noise < REMISSION, weight))
    shares = []
    for parts in got.values():
        reached, weight = (np.concatenate(one) for one in zip(*parts, strict=True))
        shares.append((float((reached * weight).sum()), float(weight.sum() ** 2 / (weight**2).sum())))
    return shares


def diet(weight: Any, lost: float) -> Any:
    """A year of weeks: ``lost`` kg in 20 weeks, then kept."""
    return weight - lost * jnp.minimum(jnp.arange(1, 53) / 20.0, 1.0)[:, None]


def read(red: Any, glucose: Any) -> Any:
    """Settled HbA1c (%)."""
    return Haemoglobin().observe(jnp.asarray(0.0), settled(red, glucose), red)["hba1c"]


def ceiling() -> Iterator[tuple[float, float, int, float, float, float, float]]:
    """By class of HbA1c (at median red cells) and weight lost: persons, greatest fall of HbA1c, shares that reach 6.5 %
    and glucose below 126, and the latter's least start. Of every person of a grid, at every half year of diabetes up to six."""
    target, gain, slow, heavy = (
        axis.ravel()
        for axis in np.meshgrid(
            np.linspace(0.4, 1.6, 61), (6.0, 12.0, 20.0, 30.0), (3.0, 10.0, 20.0), (88.0, 100.0, 114.0), indexing="ij"
        )
    )
    known = {"body_weight": 100.0, "body_height": 169.0, "age": 54.0}
    p = jax.tree.map(lambda x: x + jnp.zeros(len(target)), parameters_at(YEARS, {}, known))
    p = replace(p, target_sensitivity=jnp.asarray(target), starting_weight=jnp.asarray(heavy - gain))
    rest = YEARS.initial(p)
    path = heavy - gain + np.minimum(np.arange(LIVED)[:, None] / (52 * slow), 1.0) * gain
    whole = _path(rest, p, jnp.asarray(path))
    glucose = np.asarray(whole.glucose)
    onset = np.argmax(glucose > DIABETES, axis=0)
    fine = (np.asarray(rest.glucose) < DIABETES) & (glucose.max(0) > DIABETES)
    when, who = [], []
    for weeks in range(26, LONGEST + 1, 26):
        held = np.flatnonzero(fine & (onset + weeks < LIVED))
        when.append(onset[held] + weeks)
        who.append(held)
    at, of = np.concatenate(when), np.concatenate(who)
    start = jax.tree.map(lambda x: jnp.asarray(np.asarray(x)[at, of]), whole)
    own = jax.tree.map(lambda x: x[of], p)
    red = parameters_at(Haemoglobin(), {}, {})
    before = np.asarray(read(red, start.glucose))
    for lost in TRIED[1::2]:
        end = months(start, own, diet(jnp.asarray(path[at, of]), lost))[0]
        after = np.asarray(read(red, end.glucose))
        for low in (6.5, 7.0, 7.5, 8.0):
            inside = (before >= low) & (before < low + 0.5)
            if not inside.any():
                continue
            yield (
                low, lost, int(inside.sum()), float((before - after)[inside].max()), float((after[inside] < REMISSION).mean()),
                float((np.asarray(end.glucose)[inside] < DIABETES).mean()), float(np.asarray(start.glucose)[inside].min()),
            )  # fmt: skip


@eqx.filter_jit
def _path(state: Any, parameters: Any, weight: Any) -> Any:
    def week(now: Any, held: Any) -> tuple[Any, Any]:
        after = YEARS.step(jnp.asarray(0.0), jnp.asarray(7.0), now, parameters, {"body_weight": held})
        return after, after

    return jax.lax.scan(week, state, weight)[1]


def page(found: list[tuple[float, float]], grid: list[tuple[float, float, int, float, float, float, float]]) -> str:
    """The page."""
    lines, inside = [], 0
    for (name, _, reached, people), lost, (share, count) in zip(DIRECT[1:], TRIED, found, strict=True):
        low, high = wilson(reached / people, people)
        within = low <= share <= high
        inside += within
        mine = wilson(share, count)
        lines.append(
            f"| {name} | {lost:g} | {reached}/{people} = {100 * reached / people:.0f} % ({100 * low:.0f} to {100 * high:.0f}) "
            f"| {100 * share:.0f} % ({100 * mine[0]:.0f} to {100 * mine[1]:.0f}) | {'yes' if within else '**no**'} |"
        )
    tops = [
        f"| {low:g} to {low + 0.5:g} | {lost:g} | {count} | {fall:.2f} | {PER_KILOGRAM * lost:.2f} | {100 * reached:.0f} % "
        f"| {start:.0f} | {100 * rest:.0f} % |"
        for low, lost, count, fall, reached, rest, start in grid
    ]
    most = max(fall / lost for _, lost, _, fall, *_ in grid)
    return PAGE.format(
        lines="\n".join(lines), inside=inside, classes=len(lines), tops="\n".join(tops), per=PER_KILOGRAM, most=most,
        ratio=PER_KILOGRAM / most, steady=STEADY, count=min(count for _, count in found),
    )  # fmt: skip


PAGE = """# The road against DiRECT

Generated by `python -m medtwin.applications.metabolic_road.study`; do not edit.

## Remission by weight lost

Persons as DiRECT recruited them (Taylor 2018: 54 years, body mass index 35, HbA1c 7.6 %, sd 1.2, diabetes for less than six
years, counted here from a mean glucose of 140 mg/dL, that of 6.5 % in Nathan 2008; three in four on metformin, judgement)
are drawn as for anybody, lose the middle of each class of weight in 20 weeks, keep it to week 52, and take no drug: who of
them is below 6.5 %? Intervals: 95 % (Wilson); the model's are of its draws only ({count:.0f} count). HbA1c is the settled
one of week 52.

| weight lost | tried, kg | DiRECT, remission at 1 year | model | within the trial's interval |
|---|---|---|---|---|
{lines}

{inside} of {classes} classes are within the trial's interval.

## Is it the prior? No

A grid instead of a prior: target sensitivity .4 to 1.6, a gain of 6 to 30 kg in 3, 10 or 20 years to 88, 100 or 114 kg at
1.69 m, untreated, looked at every half year from the first week above 126 mg/dL to six years later. Each loses weight as
above. Falls are of HbA1c, in points. The last two columns read the model's glucose as fasting glucose instead of the day's
mean: the least of it at the start, and who ends below 126 mg/dL.

| HbA1c before, % | lost, kg | persons | greatest fall of any | fall in trials | below 6.5 % | least glucose, mg/dL | below 126 |
|---|---|---|---|---|---|---|---|
{tops}

Fall in trials: {per:g} points for each kg (Gummesson 2017: 58 articles, 17204 people). No person of the grid gains more than
{most:.3f} points for each kg, {ratio:.1f} times less. A prior, a duration or another reading of glucose cannot mend that: in the
equations as coded, once glucose is high, lost weight moves insulin sensitivity, but function stays suppressed by glucose and
fatty acids together (fatty acids are high because insulin is low), and what mass is lost comes back with a turnover of five
years. The code agrees with another program of the same note of the paper (`tests/physiology/test_beta_cell_years.py`);
whether the paper's own program differs from that note was not checked. Fat of liver and pancreas, the usual explanation of
DiRECT, is not in the equations.

## What follows

`medtwin road` shows weight under every plan; HbA1c and the model's chance only while the median weight is within {steady:g} kg
of today's, where what the model misses ({per:g} points for each kg) is as large as a laboratory's error; and, beyond, DiRECT's
own share of the class of weight, as the trial's.

How the prior came about: target sensitivity, gain of weight and laboratory error are judgement; the number of draws was raised,
and HbA1c's density taken out, so that enough draws count, with this table in view. No parameter was fitted to the trial's
outcomes. Age, body mass index, HbA1c and the limit of six years are the trial's baseline.

Lean MEJ et al., Lancet 2018;391:541-551 (counts as its abstract states them). Taylor R et al., Diabetologia 2018;61:589-598
(abstract read). Gummesson A et al., Effect of weight
reduction on glycated haemoglobin in weight loss trials, 2017 (abstract read). Nathan DM et al., Diabetes Care 2008;31:1473-1478.
"""

if __name__ == "__main__":
    made = page(remissions(), list(ceiling()))
    Path("docs/evidence/road.md").write_text(made)
    sys.stdout.write(made)
