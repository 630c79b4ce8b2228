"""What drugs and the fat of organs do to the body: what one model shows and a wire carries to the models that accept it."""

from medtwin.quantities.quantity import Quantity

QUANTITIES = (
    Quantity(name="glucose_production_factor", meaning="Glucose production as a multiple of the untreated one", unit="1",
             low=0, high=2),
    Quantity(name="incretin_secretion_factor", meaning="Insulin secretion as a multiple of that without an incretin drug",
             unit="1", low=0, high=10),
    Quantity(name="sulfonylurea_secretion_factor", meaning="Insulin secretion as a multiple of that without a sulfonylurea",
             unit="1", low=0, high=10),
    Quantity(name="sulfonylurea_added_secretion", meaning="Insulin secretion that a sulfonylurea adds whatever the glucose",
             unit="pmol/kg/min", low=0, high=50),
    Quantity(name="gastric_emptying_factor", meaning="Speed of the stomach as a multiple of the untreated one", unit="1",
             low=0, high=5),
    Quantity(name="appetite_effect", meaning="Lasting fall of the energy eaten", unit="kcal/d", low=-5000, high=10000),
    Quantity(name="appetite_feedback_factor", meaning="Appetite's answer to weight lost as a multiple of the untreated one",
             unit="1", low=0, high=5),
    Quantity(name="glucose_excretion_clearance", meaning="Clearance of glucose by urine above a lowered threshold",
             unit="dL/kg/min", low=0, high=0.1),
    Quantity(name="glucose_excretion", meaning="Glucose lost with urine", unit="g/d", low=0, high=1000),
    Quantity(name="liver_fat_fraction", meaning="Fat of the liver, share of its signal in magnetic resonance", unit="%", low=0,
             high=70),
    Quantity(name="pancreas_fat_fraction", meaning="Fat of the pancreas, share of its signal in magnetic resonance", unit="%",
             low=0, high=70),
    Quantity(name="hepatic_production_factor", meaning="Glucose production as a multiple of that with little fat in the liver",
             unit="1", low=0, high=5),
    Quantity(name="awake_beta_cells", meaning="Share of the beta cells that secrete and do not sleep", unit="1", low=0, high=1),
    Quantity(name="acid_loss_factor", meaning="Loss of a beta cell's function by fatty acids and glucose, as a multiple of the "
             "published one", unit="1", low=0, high=5),
    Quantity(name="cell_death_factor", meaning="Death of beta cells that work hard, as a multiple of the published one", unit="1",
             low=0, high=5),
)  # fmt: skip
