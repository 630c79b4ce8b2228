"""Every trap of units that was measured: what is read, what is refused, and that our exact table agrees with UCUM."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.errors import UnitError
from medtwin.quantities import registry, ucum
from medtwin.quantities.quantity import Kind
from medtwin.quantities.units import conversion, convert, display, display_unit, readings, written

# (text, quantity, value as written, value in the house)
READ = [
    ("K/uL", "leukocytes", 7.2, 7.2),
    ("k/ul", "leukocytes", 7.2, 7.2),
    ("K/mcL", "platelets", 200, 200),
    ("K/cumm", "platelets", 200, 200),
    ("THOU/CMM", "platelets", 200, 200),
    ("thousand/microliter", "platelets", 200, 200),
    ("10*3/uL", "leukocytes", 7.2, 7.2),
    ("10+3/ul", "leukocytes", 7.2, 7.2),
    ("10^3/uL", "leukocytes", 7.2, 7.2),
    ("10E3/uL", "leukocytes", 7.2, 7.2),
    ("x10E3/uL", "leukocytes", 7.2, 7.2),
    ("X10*3/uL", "leukocytes", 7.2, 7.2),
    ("x 10^3/µL", "leukocytes", 7.2, 7.2),
    ("10**3/mm3", "leukocytes", 7.2, 7.2),
    ("10³/µL", "leukocytes", 7.2, 7.2),
    ("10^9/L", "leukocytes", 7.2, 7.2),
    ("x10^9/L", "leukocytes", 7.2, 7.2),
    ("G/L", "leukocytes", 7.2, 7.2),
    ("/uL", "leukocytes", 7200, 7.2),
    ("cells/uL", "leukocytes", 7200, 7.2),
    ("M/uL", "erythrocytes", 4.6, 4.6),
    ("10^12/L", "erythrocytes", 4.6, 4.6),
    ("T/L", "erythrocytes", 4.6, 4.6),
    ("million/uL", "erythrocytes", 4.6, 4.6),
    ("G/L", "haemoglobin", 140, 14.0),
    ("G/DL", "haemoglobin", 14, 14),
    ("gm/dL", "haemoglobin", 14, 14),
    ("MG/DL", "glucose", 95, 95),
    ("mg/100mL", "glucose", 95, 95),
    ("mmol/L", "glucose", 5.5, 99.0858),
    ("MMOL/L", "glucose", 5.5, 99.0858),
    ("umol/L", "creatinine", 88.4, 0.99998),
    ("µmol/L", "creatinine", 88.4, 0.99998),
    ("μmol/L", "creatinine", 88.4, 0.99998),
    ("mmol/L", "total_cholesterol", 5.0, 193.325),
    ("C", "body_temperature", 37, 37),
    ("°C", "body_temperature", 37, 37),
    ("F", "body_temperature", 98.6, 37),
    ("[degF]", "body_temperature", 98.6, 37),
    ("K", "body_temperature", 310.15, 37),
    ("mmHg", "systolic_pressure", 120, 120),
    ("MM HG", "systolic_pressure", 120, 120),
    ("kPa", "systolic_pressure", 16, 120.0098),
    ("lbs", "body_weight", 185, 83.91458845),
    ("[lb_av]", "body_weight", 185, 83.91458845),
    ("oz", "body_weight", 112, 3.17514659),
    ("st", "body_weight", 10, 63.5029318),
    ("in", "body_height", 70, 177.8),
    ("[in_us]", "body_height", 70, 177.8),
    ("m", "body_height", 1.78, 178),
    ("beats/min", "heart_rate", 60, 60),
    ("bpm", "heart_rate", 60, 60),
    ("Hz", "heart_rate", 1, 60),
    ("breaths per minute", "respiratory_rate", 14, 14),
    ("mcg", "sodium_intake", 2000, 2),
    ("MG", "sodium_intake", 2, 2),
    ("mEq/L", "potassium", 4.1, 4.1),
    ("meq/L", "calcium", 4.6, 9.21794),
    ("pmol/L", "insulin_concentration", 60, 10),
    ("mU/L", "insulin_concentration", 10, 10),
    ("µIU/mL", "insulin_concentration", 10, 10),
    ("U", "insulin_bolus", 4, 4),
    ("units", "insulin_bolus", 4, 4),
    ("IU", "insulin_bolus", 4, 4),
    ("U/h", "insulin_basal_rate", 0.7, 0.7),
    ("units/hr", "insulin_basal_rate", 0.7, 0.7),
    ("nmol/L", "c_peptide", 1, 3.0203),
    ("pg/mL", "nt_probnp", 125, 125),
    ("PG/ML", "nt_probnp", 125, 125),
    ("1", "oxygen_saturation", 0.97, 97),
    ("mL/min/{1.73_m2}", "glomerular_filtration_rate", 90, 90),
    ("mL/min/1.73 m2", "glomerular_filtration_rate", 90, 90),
    ("mL/min/1.73m²", "glomerular_filtration_rate", 90, 90),
    ("mmol/mol", "hba1c", 48, 6.54304),
    ("%", "hba1c", 6.5, 6.5),
    ("Cal", "energy_intake", 250, 250),
    ("kJ", "energy_intake", 1046, 250),
    ("min", "sleep_duration", 465, 7.75),
    ("5.min", "sleep_duration", 12, 1),
    ("steps", "step_count", 100, 100),
    ("count", "step_count", 100, 100),
    ("mi", "distance_travelled", 1, 1609.344),
    ("PG", "mean_corpuscular_haemoglobin", 30, 30),
    ("FL", "mean_corpuscular_volume", 85, 85),
    ("IU/L", "alanine_aminotransferase", 30, 30),
    ("ukat/L", "alanine_aminotransferase", 0.5, 30),
    ("µIU/mL", "thyrotropin", 2.1, 2.1),
    ("mmol/L", "magnesium", 0.8, 1.9444),
    ("mo", "age", 18, 1.5),
    ("dag", "body_weight", 7000, 70),
]


#: thousand per microlitre, as vendors' documents write it
THOUSANDS = (
    "10*3/ul", "10^3/ul", "10+3/ul", "10E3/ul", "x10*3/ul", "x10^3/ul", "X10E3/ul", "K/uL", "thou/ul", "thousand/uL", "10*9/L",
)  # fmt: skip
READ += [(spelling, "leukocytes", 7.2, 7.2) for spelling in THOUSANDS if (spelling, "leukocytes", 7.2, 7.2) not in READ]


@pytest.mark.parametrize(("text", "quantity", "value", "expected"), READ)
def test_what_people_write_is_read_as_they_mean_it(text: str, quantity: str, value: float, expected: float) -> None:
    assert convert(value, text, registry.get(quantity)) == pytest.approx(expected, rel=2e-5)


REFUSED = [
    ("PG", "haemoglobin"),  # a petagauss would be no mass either way; a picogram is no concentration
    ("K/uL", "body_temperature"),  # never kelvin per microlitre
    ("C", "body_weight"),  # a coulomb or a degree, but no mass
    ("m", "age"),  # metre, or "month" in documents: nobody knows
    ("mL/min", "glomerular_filtration_rate"),  # not per body surface
    ("mL/min/{1.73_m2}", "heart_rate"),
    ("[iU]", "oxygen_saturation"),  # an arbitrary unit is no number
    ("mg", "insulin_bolus"),  # no mass by activity without a molar mass
    ("g", "insulin_bolus"),
    ("{score}", "body_weight"),
    ("md/dL", "glucose"),
    ("UCUM_UNIT", "glucose"),
    ("mg/actuat", "glucose"),
    ("[arb'U]/mL", "glucose"),
    ("[pH]", "glucose"),
    ("mmol/mol", "glucose"),
    ("", "glucose"),
    ("   ", "glucose"),
    (None, "glucose"),
    ("mg/dL; drop", "glucose"),
    ("m" * 500, "body_height"),
    ("10*0/0", "leukocytes"),
    ("0", "oxygen_saturation"),
    ("\x00", "glucose"),
    ("mmol/L", "haemoglobin"),  # no molar mass is stated for it
]


@pytest.mark.parametrize(("text", "quantity"), REFUSED)
def test_what_cannot_be_meant_is_refused_with_a_remedy(text: str | None, quantity: str) -> None:
    with pytest.raises(UnitError) as refused:
        convert(1.0, text, registry.get(quantity))
    assert refused.value.found
    assert refused.value.expected
    assert refused.value.remedy


def test_traps_are_never_read_as_ucum_reads_them() -> None:
    assert readings("K/uL") == ("10*3/uL",)
    assert readings("PG") == ("pg",)
    assert readings("C") == ("Cel",)


def test_own_table_agrees_with_ucum_where_both_can_read() -> None:
    """ucumvert and pint are the witness for each atom and for the units of all quantities."""
    special = {"iU", "bsa", "eq"}
    terms = {"mg/dL", "mmol/L", "10*3/uL", "kg/m2", "cm[H2O]", "[in_i]", "[ft_i]", "[yd_i]", "[mi_i]", "[oz_av]",
             "[lb_av]", "mm[Hg]", "kPa", "bar", "kcal", "kJ", "W", "Hz", "wk", "mo", "a", "pmol/L", "ug/mL", "fL", "dag",
             "10*-3", "ukat/L", "14.[lb_av]", "5.min", "L/min", "/min"}  # fmt: skip
    terms |= {quantity.unit for quantity in registry.everything().values() if quantity.unit}
    checked = 0
    for term in sorted(terms):
        own = ucum._own(term)
        assert own is not None, term
        if special & {base for base, _ in own.dimension} or "{" in term or own.offset:
            continue
        witness = ucum._by_library(term)
        assert witness.dimension == own.dimension, term
        assert float(witness.factor) == pytest.approx(float(own.factor), rel=1e-6), term
        checked += 1
    assert checked > 25


def test_what_the_table_does_not_know_the_library_reads() -> None:
    assert ucum._own("[gr]") is None
    assert float(ucum.read("[gr]").factor) == pytest.approx(0.06479891)
    assert convert(1.0, "[stone_av]", registry.get("body_weight")) == pytest.approx(6.35029318)


def test_the_library_may_not_take_an_arbitrary_unit_for_a_number() -> None:
    for term in ("[arb'U]", "[USP'U]/mL", "[pH]", "mL/min/{1.73_m2}.[gr]", "{tablets}"):
        with pytest.raises(ucum.UnreadableUnit):
            ucum._by_library(term)


@pytest.mark.parametrize("quantity", registry.everything().values(), ids=lambda quantity: quantity.name)
def test_each_quantity_has_one_unit_that_is_read_exactly(quantity: registry.Quantity) -> None:
    if quantity.kind is Kind.CODE:
        assert quantity.unit == ""
        return
    same = conversion(quantity.unit, quantity)
    assert (same.factor, same.offset) == (1.0, 0.0)
    ucum.read(quantity.unit)
    for _, unit in quantity.display:
        back = conversion(unit, quantity)
        assert back(1.0) > back(0.0)


@given(st.floats(0.5, 30), st.sampled_from(["glucose", "blood_glucose", "creatinine", "triglycerides"]))
def test_mass_and_amount_convert_there_and_back(value: float, name: str) -> None:
    quantity = registry.get(name)
    there = conversion("mmol/L", quantity)
    assert there.factor == pytest.approx(quantity.molar_mass / 10)
    assert (there(value) - there.offset) / there.factor == pytest.approx(value)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    quantity = registry.get("glucose")
    try:
        found = conversion(text, quantity)
    except UnitError:
        return
    assert found.factor > 0


@given(st.sampled_from(["mg", "g", "mmol", "L", "uL", "min", "10*3", "%", "[iU]", "{x}"]), st.sampled_from("./"),
       st.sampled_from(["dL", "L", "h", "kg", "m2", "{1.73_m2}"]))  # fmt: skip
def test_a_quotient_is_the_quotient_of_its_parts(above: str, mark: str, below: str) -> None:
    left, right, whole = ucum.read(above), ucum.read(below), ucum.read(f"{above}{mark}{below}")
    assert whole.factor == (left.factor / right.factor if mark == "/" else left.factor * right.factor)
    assert isinstance(whole.factor, Fraction)


def test_display_follows_the_locale() -> None:
    glucose = registry.get("glucose")
    assert display_unit(glucose, "en-GB") == "mmol/L"
    assert display_unit(glucose, "fr-FR") == "mg/dL"
    value, unit = display(99.0858, glucose, "en-GB")
    assert (round(value, 4), unit) == (5.5, "mmol/L")
    value, unit = display(37.0, registry.get("body_temperature"), "en-US")
    assert (round(value, 3), unit) == (98.6, "°F")
    assert display(37.0, registry.get("body_temperature"), "de-DE") == (37.0, "°C")
    assert written("mm[Hg]") == "mmHg"


def test_hba1c_follows_the_master_equation() -> None:
    hba1c = registry.get("hba1c")
    assert convert(53, "mmol/mol", hba1c) == pytest.approx(0.09148 * 53 + 2.152)
    assert convert(53, "mmol/mol", hba1c) == pytest.approx(7.0, abs=0.01)
