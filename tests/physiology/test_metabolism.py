"""Weight, drugs, beta cells and HbA1c together; and the minutes of a day under drugs."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from medtwin.physiology.check_equations import conservation
from medtwin.physiology.coupled import exchange_error
from medtwin.physiology.metabolism import metabolism, treated_day
from medtwin.physiology.model import parameters_at, simulate

OBESE = {"body_weight": 105.0, "body_height": 168.0, "age": 46.0, "female": 0.74, "type_2_diabetes": 0.0}
DAY = 1440


def plan(model, days, known, **daily):
    """Median person, resting inputs, and these changes of amounts a day."""
    p = parameters_at(model, {}, known)
    p = eqx.tree_at(lambda q: q.appetite_feedback, p, jnp.asarray(95.0))
    held = {name: jnp.full((days,), value) for name, value in model.resting(p).items()}
    return p, {name: value + daily.get(name, 0.0) for name, value in held.items()}


def test_what_is_conserved_stays():
    result, fine = conservation(metabolism())
    assert fine, result


@pytest.mark.slow
def test_the_exchange_error_falls_with_its_step():
    known = {**OBESE, "type_2_diabetes": 1.0}
    errors = []
    for days in (8.0, 4.0):
        model = metabolism(exchange=days)
        p, held = plan(model, 96, known, energy_intake=-800.0, dapagliflozin=10.0)
        errors.append(exchange_error(model, p, held, every=8))
    for name in ("blood_glucose", "body_weight"):
        assert 0 < errors[1][name] < 0.7 * errors[0][name]
    assert errors[0]["blood_glucose"] < 2.0  # mg/dL, eight days


@pytest.mark.slow
def test_a_diet_plateaus_within_a_year_and_a_drug_within_two():
    """Hall 2024: about 12 months under a diet against full feedback, longer under a drug that weakens it."""
    when = {}
    for name, daily in (("diet", {"energy_intake": -700.0}), ("drug", {"semaglutide": 2.4 / 7})):
        model = metabolism()
        p, held = plan(model, 1092, OBESE, **daily)
        weight = np.asarray(simulate(model, model.initial(p), p, held)[1]["body_weight"])
        lost = weight[0] - weight
        when[name] = int(np.argmax(lost > 0.95 * lost[-1])) / 30.4  # months until 95 % of what is lost in the end
        assert lost[-1] > 5.0
    assert when["diet"] < 13
    assert when["diet"] < when["drug"] < 24


@pytest.fixture(scope="module")
def day():
    """A settled second day of three meals under a drug: a person as in List 2009 (HbA1c about 7.9 %)."""
    model = treated_day()
    p = parameters_at(model, {}, {"type_2_diabetes": 1.0, "body_weight": 90.0})
    p = dataclasses.replace(p, fasting_glucose=jnp.asarray(150.0))
    rest = model.initial(p)
    meals = np.zeros(2 * DAY)
    for start in (420, 720, 1080, DAY + 420, DAY + 720, DAY + 1080):
        meals[start : start + 15] = 60.0 / 15
    resting = model.resting(p)
    run = eqx.filter_jit(lambda state, held: simulate(model, state, p, held)[1])

    def lived(acting=(), **daily):
        held = {name: jnp.full(2 * DAY, resting[name] + daily.get(name, 0.0) / DAY) for name in resting}
        held["carbohydrate_intake"] = jnp.asarray(meals)
        start = dataclasses.replace(rest, **{name: jnp.asarray(value) for name, value in dict(acting).items()})
        return {name: np.asarray(value)[DAY:] for name, value in run(start, held).items()}

    return p, lived


def rise(seen):
    """Of glucose with breakfast, mg/dL."""
    return seen["blood_glucose"][420:660].max() - seen["blood_glucose"][419]


def test_drugs_act_on_the_minutes_of_a_day(day):
    p, lived = day
    plain = lived()
    assert 165 < plain["blood_glucose"].mean() < 190  # HbA1c 7.4 to 8.2 by Nathan 2008

    gliflozin = lived({"dapagliflozin_acting": 10.0 / p.dapagliflozin_offset_rate}, dapagliflozin=10.0)
    above = np.maximum(gliflozin["blood_glucose"] - 90.0, 0.0)
    urine = float((gliflozin["glucose_excretion_clearance"] * above).sum() * p.body_weight) / 1000.0
    assert 60 < urine < 100  # g/d; List 2009: 52 to 85 from 2.5 to 50 mg
    assert rise(gliflozin) < 0.9 * rise(plain)

    metformin = lived({"metformin_acting": 2000.0 / p.metformin_offset_rate}, metformin=2000.0)
    assert metformin["blood_glucose"][419] < plain["blood_glucose"][419] - 10  # the liver's share: fasting falls

    sulfonylurea = lived({"glimepiride_acting": 4.0 / p.glimepiride_offset_rate}, glimepiride=4.0)
    assert sulfonylurea["insulin_concentration"].mean() > plain["insulin_concentration"].mean()
    assert sulfonylurea["blood_glucose"].mean() < plain["blood_glucose"].mean() - 10

    plasma = p.available * (1.0 / 7) / p.elimination_rate
    incretin = lived({"plasma": plasma, "depot": 1.0 / 7 / p.absorption_rate}, semaglutide=1.0 / 7)
    assert rise(incretin) < 0.9 * rise(plain)
