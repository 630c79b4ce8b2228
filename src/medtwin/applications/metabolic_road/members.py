"""Possible persons behind a few measurements: drawn from the prior, lived to the present, weighted by what was measured.

Each draw was without diabetes ten years ago, gained weight to the present weight, untreated, and took the present drugs for
the last year. Who of them is like this person is told by the likelihood of the newest HbA1c and of the mean of the sensor.
What the drugs do is drawn too: the same HbA1c under strong drugs is another person than under none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from medtwin.errors import AnalysisError
from medtwin.physiology.beta_cells import BetaCells
from medtwin.physiology.haemoglobin import Haemoglobin, settled
from medtwin.physiology.metabolism import metabolism
from medtwin.physiology.model import draw
from medtwin.physiology.organ_fat import OrganFat, OrganFatParameters
from medtwin.physiology.organ_fat import settled as settled_fat

YEARS, FAT = BetaCells(), OrganFat()
DRAWN, WEEK = 12000, 7.0
SETTLING, BEFORE, TREATED = 52, 468, 52  #: weeks
LABORATORY, MODEL_HBA1C = 0.2, 0.2  #: points of HbA1c: a laboratory, and what the model leaves out. Judgement
SENSOR_MEAN = 12.0  #: mg/dL, a sensor's mean against a year's mean. Judgement
FEEDBACK, FEEDBACK_SPREAD = 95.0, 0.25  #: kcal/d per kg: Polidori2016, about 100; spread: judgement
#: Target sensitivity, between Yildirim2023's healthy (1.4) and at risk (.7 and below); spread: judgement
TARGET, TARGET_SPREAD = 0.9, 0.30
GAINED, GAINED_SPREAD = 12.0, 8.0  #: kg in the ten years before. Judgement
DIABETES = 126.0  #: mg/dL; nobody who counts had this at rest before that gain
DIAGNOSED = 140.0  #: mg/dL, mean glucose of an HbA1c of 6.5 % (Nathan2008)


@dataclass(frozen=True)
class Person:
    """What is known now: kg, %, mg/dL (nothing where no sensor), covariates of the priors, mg a day of each drug."""

    weight: float
    hba1c: float | None
    sensor_mean: float | None
    covariates: Mapping[str, float]
    daily: Mapping[str, float]


@dataclass(frozen=True)
class Members:
    """Equally likely persons: parameters of ``metabolism``, states of beta cells and of fat now; ``effective``: draws that
    count."""

    parameters: Any
    cells: Any
    fat: Any
    incretin: str
    effective: float


def members(person: Person, count: int = 400, seed: int = 0, drawn: int = DRAWN) -> Members:
    """Of this person. Raises :class:`AnalysisError` where no HbA1c and no sensor mean is known, or none of the draws fits."""
    if person.hba1c is None and person.sensor_mean is None:
        raise AnalysisError(
            "neither HbA1c nor sensor glucose", remedy="ingest or state one: medtwin state PATIENT hba1c '7.4 %'"
        )
    incretin = "tirzepatide" if "tirzepatide" in person.daily else "semaglutide"
    every = lived(person, incretin, drawn, seed)
    deviation = jnp.zeros(drawn)
    if person.hba1c is not None:
        deviation += ((every.hba1c - person.hba1c) / (LABORATORY**2 + MODEL_HBA1C**2) ** 0.5) ** 2
    if person.sensor_mean is not None:
        deviation += ((every.cells.glucose - person.sensor_mean) / SENSOR_MEAN) ** 2
    weight = np.where(
        every.healthy, np.exp(-0.5 * np.asarray(deviation, float)), 0.0
    )  # one that left the numbers is not healthy
    effective = float(weight.sum() ** 2 / max((weight**2).sum(), 1e-300))
    if effective < 20:
        raise AnalysisError(
            f"measurements that only {effective:.0f} of {drawn} drawn persons are near", expected="20 at least",
            remedy="look at HbA1c, sensor mean and drugs: they may not be of one time",
        )  # fmt: skip
    rank = (np.arange(count) + np.random.default_rng(seed).random()) / count
    chosen = jnp.asarray(np.minimum(np.searchsorted(np.cumsum(weight) / weight.sum(), rank), drawn - 1))
    picked, now, held = jax.tree.map(lambda x: x[chosen], (every.parameters, every.cells, every.fat))
    return Members(picked, now, held, incretin, effective)


@dataclass(frozen=True)
class Lived:
    """Draws before any weighting: parameters, beta cells and fat now, settled HbA1c now (%), whether healthy ten years ago,
    and weeks since diagnosis."""

    parameters: Any
    cells: Any
    fat: Any
    hba1c: Any
    healthy: Any
    weeks: Any


def lived(
    person: Person, incretin: str, count: int, seed: int, change: Callable[[Any], Any] = lambda drawn: drawn
) -> Lived:
    """So many draws, lived to the present. ``change`` may put other parameters into them."""
    coupled = metabolism(incretin)
    known = {**person.covariates, "body_weight": person.weight, "type_2_diabetes": 1.0}
    parameters = draw(coupled, jax.random.key(seed), count, known)
    normal = jax.random.normal(jax.random.key(seed + 1), (3, count))
    parameters = replace(
        parameters,
        **{name: value + jnp.zeros(count) for name, value in vars(parameters).items()},
    )
    parameters = change(
        replace(
            parameters,
            target_sensitivity=TARGET * jnp.exp(TARGET_SPREAD * normal[0]),
            appetite_feedback=FEEDBACK * jnp.exp(FEEDBACK_SPREAD * normal[1]),
        )
    )
    before = person.weight - jnp.maximum(GAINED + GAINED_SPREAD * normal[2], 0.0)
    effects = steady(coupled, parameters, person.daily)
    years, organs = of_cells(coupled, parameters), of_model(coupled, parameters, FAT)
    fat = settled_fat(organs, before)
    rest = YEARS.initial(replace(burdened(years, fat, organs), starting_weight=before))
    (rest, fat), _ = months((rest, fat), years, organs, jnp.broadcast_to(before, (SETTLING, count)))
    share = jnp.linspace(0.0, 1.0, BEFORE + TREATED)[:, None]
    path = before[None, :] + share * (person.weight - before)[None, :]
    now, untreated = months((rest, fat), years, organs, path[:BEFORE])
    treated = replace(
        years,
        production_factor=effects["glucose_production_factor"],
        excretion_clearance=effects["glucose_excretion_clearance"],
        secretion_factor=effects["incretin_secretion_factor"] * effects["sulfonylurea_secretion_factor"],
    )
    (cells, fat), _ = months(now, treated, organs, path[BEFORE:])
    red = of_model(coupled, parameters, Haemoglobin())
    hba1c = Haemoglobin().observe(jnp.asarray(0.0), settled(red, cells.glucose), red)["hba1c"]
    weeks = untreated + jnp.where(untreated > 0, TREATED, 0)  # treated is diagnosed, whatever the drugs reach
    return Lived(parameters, cells, fat, hba1c, rest.glucose < DIABETES, weeks)


def burdened(years: Any, fat: Any, organs: OrganFatParameters) -> Any:
    """The parameters of beta cells as fat of liver and pancreas moves them: the wires of ``metabolism``."""
    seen = FAT.observe(jnp.asarray(0.0), fat, organs)
    return replace(
        years,
        production_factor=years.production_factor * seen["hepatic_production_factor"],
        secretion_factor=years.secretion_factor * seen["awake_beta_cells"],
        function_loss=years.function_loss * seen["acid_loss_factor"],
        death_of_work=years.death_of_work * seen["cell_death_factor"],
    )


@eqx.filter_jit
def months(state: Any, years: Any, organs: OrganFatParameters, weight: Any) -> tuple[Any, Any]:
    """Beta cells and fat after weeks of these weights ``(weeks, members)``, and how many weeks were above ``DIAGNOSED``."""

    def week(carry: Any, held: Any) -> tuple[Any, None]:
        (cells, fat), above = carry
        zero, span, given = jnp.asarray(0.0), jnp.asarray(WEEK), {"body_weight": held}
        fat = FAT.step(zero, span, fat, organs, given)
        cells = YEARS.step(zero, span, cells, burdened(years, fat, organs), given)
        return ((cells, fat), above + (cells.glucose > DIAGNOSED).astype(above.dtype)), None

    return jax.lax.scan(week, (state, jnp.zeros(weight.shape[1])), weight)[0]


def of_model(coupled: Any, parameters: Any, model: Any) -> Any:
    """The parameters of one of the coupled models."""
    names = [m.name for m in coupled.models]
    return coupled._own(names.index(model.name), parameters)


def of_cells(coupled: Any, parameters: Any) -> Any:
    """Those of beta cells."""
    return of_model(coupled, parameters, YEARS)


def steady_states(coupled: Any, parameters: Any, daily: Mapping[str, float]) -> dict[str, Any]:
    """State of each drug's model after months of this dose a day, by the model's name."""
    found = {}
    for model in coupled.models:
        if model.name not in ("metformin", "dapagliflozin", "glimepiride", "semaglutide", "tirzepatide"):
            continue
        p, given = of_model(coupled, parameters, model), daily.get(model.name, 0.0)
        if hasattr(p, "offset_rate"):
            found[model.name] = model.State(acting=given / p.offset_rate)
            continue
        plasma = p.available * given / p.elimination_rate
        concentration = plasma / p.volume
        found[model.name] = model.State(
            depot=given / p.absorption_rate,
            plasma=plasma,
            tolerance=concentration / (concentration + p.half_concentration),
        )
    return found


def steady(coupled: Any, parameters: Any, daily: Mapping[str, float]) -> dict[str, Any]:
    """All effects of the drugs at these doses a day."""
    states = steady_states(coupled, parameters, daily)
    found: dict[str, Any] = {}
    for model in coupled.models:
        if model.name in states:
            found |= model.observe(jnp.asarray(0.0), states[model.name], of_model(coupled, parameters, model))
    return found
