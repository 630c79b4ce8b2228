"""How the page names quantities, parameters and hypotheses, and which units, targets and sliders it offers."""

from __future__ import annotations

from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.record.event import Code, Event, Flag
from medtwin.server.shapes import DisplayUnit, PlannableInput, Target, TimelineChoice

CHANNELS = {"glucose": "Glucose (CGM)", "blood_glucose": "Glucose (blood)"}
LABELS = {
    "glucose": "Glucose",
    "hba1c": "HbA1c",
    "carbohydrate_intake": "Meal, carbohydrate",
    "insulin_bolus": "Insulin bolus",
    "insulin_basal_rate": "Basal insulin",
    "insulin_long_acting": "Long-acting insulin",
    "nt_probnp": "NT-proBNP",
    "insulin_concentration": "Plasma insulin",
}
MODELS = {
    "glucose_insulin": "Glucose and insulin (S2008)",
    "glucose_meals": "Meals, insulin and exercise",
    "glucose_type_2": "Glucose with own insulin",
    "circulation_daily": "Closed-loop circulation",
    "circulation": "Closed-loop circulation",
    "body_weight": "Body weight",
}
TARGETS = {
    "glucose": Target(lower=70, upper=180, label="target 70 to 180 mg/dL"),
    "blood_glucose": Target(lower=70, upper=180, label="target 70 to 180 mg/dL"),
}
#: (quantity, scale, unit, decimals) of a second way to show a quantity, and decimals of its own unit
DECIMALS = {"glucose": 0, "blood_glucose": 0, "heart_rate": 0, "body_weight": 1, "hba1c": 1, "step_count": 0}
OTHERS = {
    "glucose": DisplayUnit(unit="mmol/L", scale=10 / 180.156, decimals=1),
    "blood_glucose": DisplayUnit(unit="mmol/L", scale=10 / 180.156, decimals=1),
    "body_weight": DisplayUnit(unit="[lb_av]", scale=1 / 0.45359237, decimals=1),
    "body_temperature": DisplayUnit(unit="[degF]", scale=1.8, offset=32.0, decimals=1),
}
#: sliders: smallest, largest, step, where it starts
SLIDERS = {
    "carbohydrate_intake": (0.0, 120.0, 5.0, 45.0),
    "insulin_bolus": (0.0, 20.0, 0.5, 4.0),
    "insulin_long_acting": (0.0, 40.0, 1.0, 12.0),
}
#: what people eat and are given, where no model says what it accepts
GIVEN = ("carbohydrate_intake", "insulin_bolus", "insulin_basal_rate", "insulin_long_acting")
FLAGS = {
    Flag.IMPLAUSIBLE: "implausible",
    Flag.FUTURE: "time in the future",
    Flag.OFFSET_UNKNOWN: "offset unknown",
    Flag.UNIT_ASSUMED: "unit assumed",
    Flag.TIME_ASSUMED: "time assumed",
    Flag.CONTRADICTED: "contradicted by the same source",
}
SOURCES = {
    "fhir": "FHIR R4",
    "dexcom": "Dexcom Clarity CSV",
    "apple_health": "Apple Health export",
    "libreview": "LibreView CSV",
    "open_mhealth": "Open mHealth",
    "hl7v2": "HL7v2",
    "ccda": "C-CDA",
    "medtwin-page": "Answers on this page",
}
HYPOTHESES = {
    "as_expected": "Nothing is amiss",
    "patient_change": "Something about the person changed",
    "missed_meal": "A meal was not announced",
    "sensor_low": "The sensor reads low, as when it is pressed",
    "sensor_bias": "The sensor's offset moved",
    "sensor_drift": "The sensor drifts",
    "missed_bolus": "A bolus was not recorded",
    "lost_bolus": "A recorded bolus did not arrive",
    "illness": "Insulin acts less, as in illness",
}


def label(quantity: str) -> str:
    """``glucose`` -> ``Glucose``; other names with their first letter raised."""
    return LABELS.get(quantity) or quantity.replace("_", " ").capitalize()


def channel(quantity: str) -> str:
    """The same, with the place of measurement where a person has several."""
    return CHANNELS.get(quantity) or label(quantity)


def words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def model_name(name: str) -> str:
    return MODELS.get(name) or words(name)


def source_name(system: str) -> str:
    return SOURCES.get(system) or system


def unit(quantity: str) -> str:
    known = registry.find(quantity)
    return known.unit if known is not None else ""


def display_units(quantity: str) -> list[DisplayUnit]:
    """The quantity's own unit first, then another that people use."""
    known = registry.find(quantity)
    decimals = DECIMALS.get(quantity)
    if decimals is None:
        decimals = 0 if known is not None and known.high >= 200 else 1
    own = DisplayUnit(unit=unit(quantity), scale=1.0, decimals=decimals)
    return [own, OTHERS[quantity]] if quantity in OTHERS else [own]


def spoken(number: float) -> str:
    """A number as people write it: 142, 0.85, 1.5."""
    return f"{number:.0f}" if abs(number) >= 100 or float(number).is_integer() else f"{number:.3g}"


_UNITS = {"[iU]": "U", "[iU]/h": "U/h", "mm[Hg]": "mmHg", "{steps}": "steps", "1": ""}


def coded(code: Code) -> str:
    """A coded statement: ``no known allergy``, ``Diabetes mellitus type 1 (unconfirmed)``."""
    doubt = " (unconfirmed)" if code.unconfirmed else ""
    return ("no " if code.negated else "") + (code.display or code.code) + doubt


def told(event: Event) -> str:
    """One fact in words: ``Glucose 142 mg/dL``."""
    name = words(event.quantity) if event.quantity not in ("hba1c",) else "HbA1c"
    if isinstance(event.value, Code):
        return f"{name}: {coded(event.value)}"
    if isinstance(event.value, float):
        written = unit(event.quantity)
        sign = event.comparator.value + " " if event.comparator else ""
        return f"{name} {sign}{spoken(event.value)} {_UNITS.get(written, written)}".strip()
    return name


def flags(event: Event) -> list[str]:
    return [FLAGS[flag] for flag in event.flags]


def is_rate(quantity: str) -> bool:
    known = registry.find(quantity)
    return known is not None and known.kind is Kind.RATE


def mark_label(quantity: str) -> str:
    """A short name for a row of the timeline."""
    short = {"carbohydrate_intake": "Meal", "insulin_bolus": "Bolus", "insulin_basal_rate": "Basal"}
    return short.get(quantity) or label(quantity)


def slider(quantity: str) -> PlannableInput | None:
    """The range that a scenario's slider offers for what a model accepts; None for what nobody plans by hand."""
    if quantity not in SLIDERS:
        return None
    low, high, step, start = SLIDERS[quantity]
    return PlannableInput(
        quantity=quantity, label=label(quantity), unit=unit(quantity), min=low, max=high, step=step, default=start
    )


WINDOWS = (3, 6, 12, 24, 72, 168, 720)  #: hours that a timeline can show


def shown_as_timeline(quantity: str, dozen_hours: float | None) -> TimelineChoice | None:
    """Levels have a timeline; amounts and codes are marks or rows of the record.

    ``dozen_hours``: how long the newest dozen readings took; None where there are none.
    """
    known = registry.find(quantity)
    if known is None or known.kind is not Kind.LEVEL:
        return None
    wanted = 12.0 if dozen_hours is None else max(12.0, dozen_hours)
    window = next((hours for hours in WINDOWS if hours >= wanted), WINDOWS[-1])
    return TimelineChoice(
        quantity=quantity, label=label(quantity), unit=known.unit, measured=dozen_hours is not None, window_hours=window
    )
