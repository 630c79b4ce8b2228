"""The kinds of people a world can make, and how each lives, doses and is measured.

| kind | body | dosing | devices |
|---|---|---|---|
| ``type_1`` | Hovorka | pump, announces nearly all | CGM, pump, watch, now and then scale and cuff |
| ``type_1_unannounced`` | Hovorka | pump, 30 % of meals untold | the same; compression lows, a bias now and then |
| ``type_2`` | Hovorka with impaired secretion, 0.55 of the sensitivity | none | CGM, now and then scale and cuff |
| ``type_2_logging`` | the same | none | the same, and a diary of nearly all meals |
| ``no_diabetes`` | Hovorka with healthy secretion | none | the same |
| ``heart_failure`` | Windkessel that retains water | tablets | cuff, scale and watch, no CGM |

Secretion is a simple stand-in (proportional and derivative, see ``hovorka``) that keeps the person plausible; it is not
a model of beta cells. Codes: SNOMED CT, LOINC and RxNorm ingredients as commonly used, from memory except insulin
lispro, aspart and glargine (seen in public code).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from medtwin.worlds.circulation import Haemodynamics
from medtwin.worlds.life import Habits


@dataclass(frozen=True)
class Kind:
    """What is common to all people of a kind."""

    habits: Habits
    conditions: tuple[tuple[str, str], ...]  # SNOMED CT code, display
    medications: tuple[tuple[str, str], ...] = ()  # RxNorm code, display
    haemodynamics: Haemodynamics = field(default_factory=Haemodynamics)
    glucose: bool = True  # the world has a glucose body
    pump: bool = False
    watch: bool = True
    diary: bool = False  # meals are told though no pump asks for them
    secretion: str = "none"  # none | impaired | healthy
    fasting: float = 7.3  # mmol/L
    sensitivity: float = 1.0  # multiplies all three insulin sensitivities
    heavier: float = 0.0  # kg added to the drawn weight
    body_mass_index: float = 25.0  # kg/m2, of the middle person; gives the height
    compression: float = 0.0  # chance a night
    bias: float = 0.0  # chance a day
    dropout: float = 0.0  # chance a day


HYPERTENSION = ("38341003", "Hypertensive disorder, systemic arterial (disorder)")
TYPE_1 = ("46635009", "Diabetes mellitus type 1 (disorder)")
TYPE_2 = ("44054006", "Diabetes mellitus type 2 (disorder)")
HEART_FAILURE = ("84114007", "Heart failure (disorder)")

KINDS: dict[str, Kind] = {
    "type_1": Kind(
        habits=Habits(unannounced=0.02, unlogged=0.02, late=0.15, counting_sd=0.15),
        conditions=(TYPE_1,),
        medications=(("86009", "insulin lispro"),),
        pump=True,
        compression=0.04,
        dropout=0.05,
    ),
    "type_1_unannounced": Kind(
        habits=Habits(unannounced=0.30, unlogged=0.10, late=0.25, counting_sd=0.25, shift=0.7),
        conditions=(TYPE_1,),
        medications=(("51428", "insulin aspart"),),
        pump=True,
        compression=0.20,
        bias=0.04,
        dropout=0.10,
    ),
    "type_2": Kind(
        habits=Habits(doses=False, unannounced=1.0, appetite=1.1, walks=0.5, readings_per_week=4.0),
        conditions=(TYPE_2, HYPERTENSION),
        medications=(("6809", "metformin"),),
        haemodynamics=Haemodynamics(stroke_volume=78.0, resistance=1.2, compliance=1.1, heart_rate=70.0),
        watch=False,
        secretion="impaired",
        fasting=7.4,
        sensitivity=0.55,
        heavier=15.0,
        body_mass_index=30.0,
    ),
    "no_diabetes": Kind(
        habits=Habits(doses=False, unannounced=1.0),
        conditions=(),
        watch=False,
        secretion="healthy",
        fasting=5.0,
    ),
    "heart_failure": Kind(
        habits=Habits(doses=False, walks=0.5, walk_rise=22.0, resting_heart_rate=72.0, readings_per_week=14.0),
        conditions=(HEART_FAILURE, HYPERTENSION),
        medications=(("4603", "furosemide"), ("19484", "bisoprolol"), ("29046", "lisinopril")),
        haemodynamics=Haemodynamics(
            stroke_volume=52.0, resistance=1.30, compliance=1.0, heart_rate=80.0, weight=84.0, retention=0.35
        ),
        glucose=False,
        body_mass_index=29.0,
    ),
}
KINDS["type_2_logging"] = replace(
    KINDS["type_2"], habits=replace(KINDS["type_2"].habits, unannounced=0.08, late=0.1), diary=True
)
