"""Every model that medtwin ships, by name. A new model is one line here; the checks, the methodology pages and the
command line find it."""

from __future__ import annotations

from functools import cache

from medtwin.errors import ModelError
from medtwin.physiology.beta_cell_years import BetaCellYears
from medtwin.physiology.body_weight import BodyWeight
from medtwin.physiology.circulation import Circulation
from medtwin.physiology.circulation_daily import CirculationDaily
from medtwin.physiology.circulation_four_chambers import CirculationFourChambers
from medtwin.physiology.coupled import Coupled
from medtwin.physiology.drugs.incretins import Semaglutide, Tirzepatide
from medtwin.physiology.drugs.metformin import Metformin
from medtwin.physiology.drugs.sglt2_inhibitors import Dapagliflozin
from medtwin.physiology.drugs.sulfonylureas import Glimepiride
from medtwin.physiology.glucose_counter_regulation import GlucoseCounterRegulation
from medtwin.physiology.glucose_insulin import GlucoseInsulin
from medtwin.physiology.glucose_meals import GlucoseMeals
from medtwin.physiology.glucose_type_2 import GlucoseType2
from medtwin.physiology.haemoglobin import Haemoglobin
from medtwin.physiology.hovorka import Hovorka
from medtwin.physiology.model import Model
from medtwin.physiology.organ_fat import OrganFat
from medtwin.physiology.wires import Wire


def weight_and_glucose() -> Coupled:
    """Minutes and days: weight sets the body that glucose and insulin spread in; carbohydrate eaten feeds weight.

    4 kcal per gram of carbohydrate, which makes half of the energy eaten (``carbohydrate_share``): 8 kcal per gram.
    """
    return Coupled(
        models=(GlucoseInsulin(), BodyWeight()),
        wires=(
            Wire(source="body_weight.body_weight", target="glucose_insulin.body_weight"),
            Wire(
                source="glucose_insulin.carbohydrate_intake",
                target="body_weight.energy_intake",
                factor=8.0,
                unit="kcal/g",
            ),
        ),
    )


@cache
def all_models() -> tuple[Model, ...]:
    """Every model, in the order in which they are shown."""
    return (
        GlucoseInsulin(),
        GlucoseCounterRegulation(),
        Hovorka(),
        GlucoseMeals(),
        GlucoseType2(),
        BodyWeight(),
        Haemoglobin(),
        BetaCellYears(),
        OrganFat(),
        Metformin(),
        Dapagliflozin(),
        Glimepiride(),
        Semaglutide(),
        Tirzepatide(),
        Circulation(),
        CirculationDaily(),
        CirculationFourChambers(),
        weight_and_glucose(),
    )


def by_name(name: str) -> Model:
    """The model of that name."""
    found = {model.name: model for model in all_models()}
    if name not in found:
        raise ModelError(f"the model {name!r}", expected=f"one of {', '.join(found)}")
    return found[name]
