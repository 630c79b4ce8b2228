"""Drugs: each keeps the contract, steady states by hand, and doses answer as the published figures that set them."""

import jax.numpy as jnp
import pytest

from medtwin.physiology.check import check_model
from medtwin.physiology.drugs.incretins import Semaglutide, Tirzepatide
from medtwin.physiology.drugs.metformin import Metformin
from medtwin.physiology.drugs.sglt2_inhibitors import Dapagliflozin
from medtwin.physiology.drugs.sulfonylureas import Glimepiride
from medtwin.physiology.model import parameters_at, simulate

EVERY = (Metformin, Dapagliflozin, Glimepiride, Semaglutide, Tirzepatide)


def settled(drug, daily, days=200):
    """What the model shows after months of so many milligrams a day, as one infusion."""
    model, p = drug(), parameters_at(drug(), {})
    held = {drug.name: jnp.full((days,), daily)}
    return {name: float(value[-1]) for name, value in simulate(model, model.initial(p), p, held)[1].items()}


@pytest.mark.slow
def test_the_contract_is_kept():
    """All of them: ``test_check``, slow."""
    report = check_model(Glimepiride())
    assert report.passed, report.failed


@pytest.mark.parametrize("drug", EVERY, ids=lambda drug: drug.name)
def test_without_a_dose_nothing_happens(drug):
    for name, value in settled(drug, 0.0, days=5).items():
        assert value == (1.0 if name.endswith("_factor") else 0.0)


def test_dose_answers_are_those_of_their_equations():
    p = parameters_at(Metformin(), {})
    assert settled(Metformin, 2000.0)["glucose_production_factor"] == pytest.approx(
        1 - float(p.production_fall), rel=1e-3
    )
    p = parameters_at(Dapagliflozin(), {})
    most = float(p.filtration * p.efficacy)
    half = settled(Dapagliflozin, float(p.half_dose))["glucose_excretion_clearance"]
    assert half == pytest.approx(most / 2, rel=1e-3)
    four, eight = (settled(Glimepiride, dose)["sulfonylurea_secretion_factor"] - 1 for dose in (4.0, 8.0))
    assert eight / four == pytest.approx(
        (8 / 9) / (4 / 5), rel=1e-3
    )  # half dose of 1 mg: little more at 8 than at 4 mg
    added = settled(Glimepiride, 4.0)["sulfonylurea_added_secretion"]
    assert added == pytest.approx(4.0 * four, rel=1e-3)  # a share of 4 pmol/kg/min


def test_semaglutide_stays_for_weeks_and_the_stomach_gets_used_to_it():
    """Overgaard2019: a half-life of about a week, so that a tenth is left after 3.3 of them."""
    model, p = Semaglutide(), parameters_at(Semaglutide(), {})
    week = float(jnp.log(2.0) / p.elimination_rate)
    assert 5.5 < week < 8.5
    days = 300
    held = {"semaglutide": jnp.where(jnp.arange(days) < 150, 2.4 / 7, 0.0)}
    seen = simulate(model, model.initial(p), p, held)[1]
    effect = seen["appetite_effect"]
    assert float(effect[149]) == pytest.approx(float(p.diabetic_share * p.appetite_fall), rel=0.1)  # the reference dose
    assert float(effect[156]) > 0.6 * float(effect[149])
    assert float(effect[230]) < 0.1 * float(effect[149])
    emptying = seen["gastric_emptying_factor"]
    assert float(emptying.min()) < 0.95
    assert float(emptying[149]) == pytest.approx(1.0, abs=0.02)
