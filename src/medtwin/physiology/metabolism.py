"""Ready-made assemblies for months and years: weight, drugs, beta cells and HbA1c, wired together.

``metabolism()`` has days: weight (Hall 2011 with appetite's answer), one incretin drug, metformin, an SGLT2 inhibitor, a
sulfonylurea, red cells; beside them the stiff years of beta cells, which exchange with the days once a week.

``treated_day()`` has minutes: glucose and insulin of a day with meals, with the same drugs on its hooks, which step once a day.
"""

from __future__ import annotations

from medtwin.physiology.beta_cells import BetaCells
from medtwin.physiology.body_weight import BodyWeight
from medtwin.physiology.coupled import Coupled
from medtwin.physiology.drugs.incretins import Semaglutide, Tirzepatide
from medtwin.physiology.drugs.metformin import Metformin
from medtwin.physiology.drugs.sglt2_inhibitors import Dapagliflozin
from medtwin.physiology.drugs.sulfonylureas import Glimepiride
from medtwin.physiology.exposures import DAY, Exposure
from medtwin.physiology.glucose_type_2 import GlucoseType2
from medtwin.physiology.haemoglobin import Haemoglobin
from medtwin.physiology.model import Scenario
from medtwin.physiology.organ_fat import OrganFat
from medtwin.physiology.wires import Wire

ENERGY_OF_GLUCOSE = 3.75  #: kcal/g, monosaccharide
WEEK = 7.0  #: days between exchanges

#: (effect that drugs cause on appetite, feedback) of interventions other than drugs, kcal/d and kcal/d per kg; Hall 2024, both
#: from memory. They are ``appetite_effect`` and ``appetite_feedback`` of ``body_weight``.
INTERVENTIONS = {"calorie_restriction": (810.0, 83.0), "gastric_bypass": (3600.0, 58.0)}


TWELVE_WEEKS = Scenario(
    duration=84 * DAY,
    given=(
        Exposure(quantity="energy_intake", time=14 * DAY, amount=-500.0 * 70, until=84 * DAY),
        Exposure(quantity="metformin", time=0.0, amount=2000.0 * 84, until=84 * DAY),
        Exposure(quantity="dapagliflozin", time=28 * DAY, amount=10.0 * 56, until=84 * DAY),
    ),
)


def metabolism(incretin: str = "semaglutide", exchange: float = WEEK) -> Coupled:
    """Weight, drugs, beta cells and HbA1c. ``incretin``: semaglutide or tirzepatide; ``exchange`` in days."""
    drug = {"semaglutide": Semaglutide, "tirzepatide": Tirzepatide}[incretin]()
    return Coupled(
        models=(BodyWeight(), drug, Metformin(), Dapagliflozin(), Glimepiride(), OrganFat(), Haemoglobin(), BetaCells()),
        wires=(
            Wire(source=f"{incretin}.appetite_effect", target="body_weight.appetite_effect"),
            Wire(
                source=f"{incretin}.appetite_feedback_factor", target="body_weight.appetite_feedback", scales=True
            ),
            Wire(
                source="beta_cells.glucose_excretion", target="body_weight.energy_lost",
                factor=ENERGY_OF_GLUCOSE, unit="kcal/g",
            ),
            Wire(source="body_weight.body_weight", target="beta_cells.starting_weight"),
            Wire(source="body_weight.body_weight", target="beta_cells.body_weight"),
            Wire(source="body_weight.body_weight", target="organ_fat.starting_weight"),
            Wire(source="body_weight.body_weight", target="organ_fat.body_weight"),
            Wire(source="organ_fat.hepatic_production_factor", target="beta_cells.production_factor"),
            Wire(source="organ_fat.awake_beta_cells", target="beta_cells.secretion_factor"),
            Wire(source="organ_fat.acid_loss_factor", target="beta_cells.function_loss", scales=True),
            Wire(source="organ_fat.cell_death_factor", target="beta_cells.death_of_work", scales=True),
            Wire(source="metformin.glucose_production_factor", target="beta_cells.production_factor", scales=True),
            Wire(source="dapagliflozin.glucose_excretion_clearance", target="beta_cells.excretion_clearance"),
            Wire(source=f"{incretin}.incretin_secretion_factor", target="beta_cells.secretion_factor", scales=True),
            Wire(source="glimepiride.sulfonylurea_secretion_factor", target="beta_cells.secretion_factor", scales=True),
            Wire(source="beta_cells.blood_glucose", target="haemoglobin.habitual_glucose"),
            Wire(source="beta_cells.blood_glucose", target="haemoglobin.blood_glucose"),
        ),
        exchange=exchange,
        shown=TWELVE_WEEKS,
    )  # fmt: skip


def treated_day(incretin: str = "semaglutide") -> Coupled:
    """Glucose by the minute under drugs. Doses are stated per minute: one of 10 mg a day as 10/1440 mg/min."""
    drug = {"semaglutide": Semaglutide, "tirzepatide": Tirzepatide}[incretin]()
    return Coupled(
        models=(GlucoseType2(), drug, Metformin(), Dapagliflozin(), Glimepiride()),
        wires=(
            Wire(source="metformin.glucose_production_factor", target="glucose_type_2.production_factor"),
            Wire(source="dapagliflozin.glucose_excretion_clearance", target="glucose_type_2.excretion_clearance"),
            Wire(source="glimepiride.sulfonylurea_added_secretion", target="glucose_type_2.added_secretion"),
            Wire(source=f"{incretin}.incretin_secretion_factor", target="glucose_type_2.secretion_factor"),
            Wire(source=f"{incretin}.gastric_emptying_factor", target="glucose_type_2.emptying_factor"),
        ),
    )
