"""Units at the door: what a source wrote becomes the quantity's own unit, or an error that says what to do.

1. An alias table and a small grammar of counts per volume give the readings that people mean. They come *first*, since
   UCUM reads some common spellings silently as something else: ``K/uL`` as kelvin, ``PG`` as petagauss, ``C`` as
   coulomb.
2. The text as UCUM (:mod:`medtwin.quantities.ucum`).
3. The first reading whose *dimension* fits the quantity is taken, so that a petagauss cannot pass for a picogram, and
   ``G/L`` is giga per litre for a count but gram per litre for a mass.

Mass and amount of substance are bridged by the quantity's molar mass, equivalents by its valence, international units
by its stated activity only. Nothing else is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from medtwin.errors import UnitError
from medtwin.quantities import ucum
from medtwin.quantities.quantity import Quantity


@dataclass(frozen=True, slots=True)
class Conversion:
    """``value in the quantity's unit = value * factor + offset``; ``ucum`` is how the text was read."""

    factor: float
    offset: float
    ucum: str

    def __call__(self, value: float) -> float:
        return value * self.factor + self.offset


# Whole spellings, compared without case and spaces. Several readings are tried in turn against the dimension.
_ALIASES: dict[str, tuple[str, ...]] = {
    "c": ("Cel",), "°c": ("Cel",), "degc": ("Cel",), "celsius": ("Cel",), "cel": ("Cel",), "deg.c": ("Cel",),
    "f": ("[degF]",), "°f": ("[degF]",), "degf": ("[degF]",), "fahrenheit": ("[degF]",), "[degf]": ("[degF]",),
    "mmhg": ("mm[Hg]",), "mm(hg)": ("mm[Hg]",), "mmofhg": ("mm[Hg]",), "mm[hg]": ("mm[Hg]",), "torr": ("mm[Hg]",),
    "cmh2o": ("cm[H2O]",),
    "lb": ("[lb_av]",), "lbs": ("[lb_av]",), "pound": ("[lb_av]",), "pounds": ("[lb_av]",), "[lb_av]": ("[lb_av]",),
    "oz": ("[oz_av]",), "ounce": ("[oz_av]",), "ounces": ("[oz_av]",), "stone": ("14.[lb_av]",), "st": ("14.[lb_av]",),
    "in": ("[in_i]",), "inch": ("[in_i]",), "inches": ("[in_i]",), "[in_us]": ("[in_i]",), "[in_i]": ("[in_i]",),
    "ft": ("[ft_i]",), "feet": ("[ft_i]",), "mi": ("[mi_i]",), "mile": ("[mi_i]",), "miles": ("[mi_i]",),
    "meter": ("m",), "metre": ("m",), "meters": ("m",), "metres": ("m",), "kilometer": ("km",), "km": ("km",),
    "kg": ("kg",), "kilogram": ("kg",), "kilograms": ("kg",), "kgs": ("kg",), "g": ("g",), "gram": ("g",),
    "grams": ("g",), "gm": ("g",), "gms": ("g",), "mg": ("mg",), "mcg": ("ug",), "µg": ("ug",), "ug": ("ug",),
    "ng": ("ng",), "pg": ("pg",), "fl": ("fL",), "cm": ("cm",), "mm": ("mm",),
    "bpm": ("/min",), "beats/min": ("/min",), "beats/minute": ("/min",), "beatsperminute": ("/min",),
    "{beats}/min": ("/min",), "breaths/min": ("/min",), "breaths/minute": ("/min",), "breathsperminute": ("/min",),
    "{breaths}/min": ("/min",), "count/min": ("/min",), "counts/min": ("/min",), "/minute": ("/min",),
    "1/min": ("/min",), "perminute": ("/min",), "rpm": ("/min",), "{counts}/min": ("/min",),
    "percent": ("%",), "pct": ("%",), "%": ("%",), "vol%": ("%",), "%ofhemoglobin": ("%",), "%totalhgb": ("%",),
    "steps": ("1",), "step": ("1",), "count": ("1",), "{count}": ("1",), "counts": ("1",), "{steps}": ("1",),
    "kcal": ("kcal",), "cal": ("cal", "kcal"), "calories": ("kcal",), "kilocalories": ("kcal",), "[cal]": ("kcal",),
    "kj": ("kJ",), "j": ("J",),
    "sec": ("s",), "secs": ("s",), "second": ("s",), "seconds": ("s",), "s": ("s",), "ms": ("ms",),
    "minute": ("min",), "minutes": ("min",), "mins": ("min",), "min": ("min",), "hr": ("h",), "hrs": ("h",),
    "hour": ("h",), "hours": ("h",), "h": ("h",), "day": ("d",), "days": ("d",), "d": ("d",), "week": ("wk",),
    "weeks": ("wk",), "wk": ("wk",), "month": ("mo",), "months": ("mo",), "mo": ("mo",), "y": ("a",), "yr": ("a",),
    "yrs": ("a",), "year": ("a",), "years": ("a",), "a": ("a",),
    "u": ("[iU]",), "iu": ("[iU]",), "ui": ("[iU]",), "unit": ("[iU]",), "units": ("[iU]",), "[iu]": ("[iU]",),
    "unt": ("[iU]",), "{units}": ("[iU]",), "{unit}": ("[iU]",), "i.u.": ("[iU]",), "ie": ("[iU]",),
    "kg/m2": ("kg/m2",), "kg/m^2": ("kg/m2",), "kg/m²": ("kg/m2",), "kg/m**2": ("kg/m2",), "kg/sqm": ("kg/m2",),
    "ml/min/1.73m2": ("mL/min/{1.73_m2}",), "ml/min/1.73m^2": ("mL/min/{1.73_m2}",),
    "ml/min/1.73m²": ("mL/min/{1.73_m2}",), "ml/min/1.73_m2": ("mL/min/{1.73_m2}",),
    "ml/min/{1.73_m2}": ("mL/min/{1.73_m2}",), "ml/min/{1.73m2}": ("mL/min/{1.73_m2}",),
    "ml/min/1.73sqm": ("mL/min/{1.73_m2}",), "ml/min/1.73": ("mL/min/{1.73_m2}",),
    "ml/min/1.73.m2": ("mL/min/{1.73_m2}",), "ml/min{1.73_m2}": ("mL/min/{1.73_m2}",),
    "u/l": ("U/L", "[iU]/L"), "iu/l": ("[iU]/L", "U/L"), "meq": ("meq",),
}  # fmt: skip

# "mass, substance or units per volume" in any case: both sides are looked up without case.
_UPPER = {
    "kg": "kg", "g": "g", "gm": "g", "mg": "mg", "mcg": "ug", "µg": "ug", "ug": "ug", "ng": "ng", "pg": "pg",
    "mol": "mol", "mmol": "mmol", "umol": "umol", "µmol": "umol", "nmol": "nmol", "pmol": "pmol", "fmol": "fmol",
    "mmols": "mmol", "eq": "eq", "meq": "meq", "u": "[iU]", "iu": "[iU]", "unit": "[iU]", "units": "[iU]",
    "mu": "m[iU]", "miu": "m[iU]", "uu": "u[iU]", "µu": "u[iU]", "uiu": "u[iU]", "µiu": "u[iU]", "mcu": "u[iU]",
    "ml": "mL", "l": "L", "dl": "dL", "ul": "uL", "m[iu]": "m[iU]", "u[iu]": "u[iU]", "[iu]": "[iU]", "{units}": "[iU]",
}  # fmt: skip
_LOWER = {
    "dl": "dL", "l": "L", "ml": "mL", "cl": "cL", "ul": "uL", "µl": "uL", "mcl": "uL", "liter": "L", "litre": "L",
    "min": "min", "minute": "min", "h": "h", "hr": "h", "hour": "h", "d": "d", "day": "d", "24h": "(24.h)", "kg": "kg",
    "mol": "mol", "g": "g", "mmol": "mmol", "100ml": "dL", "cc": "mL",
}  # fmt: skip

_VOLUME = {
    "ul": "uL", "µl": "uL", "mcl": "uL", "mm3": "uL", "mm^3": "uL", "mm³": "uL", "cmm": "uL", "cumm": "uL",
    "microl": "uL", "microliter": "uL", "microlitre": "uL", "nl": "nL", "pl": "pL", "ml": "mL", "cm3": "mL", "dl": "dL",
    "l": "L", "liter": "L", "litre": "L", "fl": "fL",
}  # fmt: skip
_WORDS = {
    "k": 3, "th": 3, "thou": 3, "thous": 3, "thousand": 3, "thousands": 3, "tsd": 3, "m": 6, "mil": 6, "mill": 6,
    "mio": 6, "million": 6, "millions": 6, "g": 9, "giga": 9, "bil": 9, "billion": 9, "t": 12, "tera": 12, "": 0,
    "cells": 0, "{cells}": 0, "#": 0, "cell": 0, "1": 0,
}  # fmt: skip
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_POWER = re.compile(r"(?:x|×)?10(?:\*\*|[*^+e])?(\d{1,2})(?:cells|\{cells\})?")


def _count(text: str) -> str | None:
    """Powers of ten per volume, in the spellings that documents use: ``x10E3/uL``, ``10^9/L``, ``K/mcL``, ``THOU/CMM``.

    Eight spellings of the blood count alone were seen in vendors' documents, so this is a grammar and not a list.
    """
    above, slash, below = text.translate(_SUPERSCRIPT).partition("/")
    if not slash or below not in _VOLUME:
        return None
    power = _WORDS.get(above)
    if power is None:
        written = _POWER.fullmatch(above)
        if written is None:
            return None
        power = int(written[1])
    return f"10*{power}/{_VOLUME[below]}"


def readings(text: str) -> tuple[str, ...]:
    """The UCUM terms that ``text`` may mean, the likeliest first; the text itself, as UCUM, comes last."""
    text = text.strip().replace("μ", "µ")
    if text == "Cal":  # the dietary calorie, by its capital alone
        return ("kcal",)
    plain = re.sub(r"\s+", "", text).lower()
    found: list[str] = list(_ALIASES.get(plain, ()))
    count = _count(plain)
    above, slash, below = plain.partition("/")
    if slash and above in _UPPER and below in _LOWER:
        found.append(f"{_UPPER[above]}/{_LOWER[below]}".replace("(24.h)", "d"))
    if count is not None:
        found.append(count)
    # Where an alias or the grammar has read the text, UCUM's own reading of it is not trusted any more.
    return tuple(found) or (text.replace("µ", "u"),)


_BRIDGE = ("g", "mol", "eq", "iU")


def _per_mole(base: str, quantity: Quantity) -> Fraction | None:
    """How much of ``base`` one mole of the substance is."""
    if base == "mol":
        return Fraction(1)
    if base == "g" and quantity.molar_mass is not None:
        return Fraction(str(quantity.molar_mass))
    if base == "eq" and quantity.valence is not None:
        return Fraction(quantity.valence)
    if base == "iU" and quantity.activity is not None:
        return Fraction(10**9) / Fraction(str(quantity.activity))
    return None


def _bridge(found: ucum.Dimension, own: ucum.Dimension, quantity: Quantity) -> Fraction | None:
    """Factor between two dimensions of one substance (mass, amount, equivalents, activity); None if there is none."""
    if found == own:
        return Fraction(1)
    ours, theirs = dict(own), dict(found)
    sides = [base for base in _BRIDGE if ours.get(base) == 1], [base for base in _BRIDGE if theirs.get(base) == 1]
    if len(sides[0]) != 1 or len(sides[1]) != 1:
        return None
    del ours[sides[0][0]], theirs[sides[1][0]]
    to, fro = _per_mole(sides[0][0], quantity), _per_mole(sides[1][0], quantity)
    return to / fro if ours == theirs and to is not None and fro is not None else None


# HbA1c: IFCC mmol/mol to NGSP %, the master equation (Hoelzel 2004; NGSP "IFCC Standardization of HbA1c")
_IFCC = {"mmol/mol", "mmol/molhb", "mmol/mol{hb}", "mmol/molhgb"}


@lru_cache(maxsize=16384)
def conversion(unit_text: str, quantity: Quantity) -> Conversion:
    """How values written in ``unit_text`` become values of ``quantity``; raises :class:`UnitError`."""
    if quantity.name == "hba1c" and re.sub(r"\s+", "", unit_text).lower() in _IFCC:
        return Conversion(0.09148, 2.152, "mmol/mol")
    if unit_text == quantity.unit:
        return Conversion(1.0, 0.0, unit_text)
    own = ucum.read(quantity.unit)
    read: list[str] = []
    for term in readings(unit_text):
        try:
            unit = ucum.read(term)
        except ucum.UnreadableUnit:
            continue
        read.append(term)
        bridge = _bridge(unit.dimension, own.dimension, quantity)
        if bridge is not None:
            factor = unit.factor * bridge / own.factor
            return Conversion(float(factor), float(unit.offset * factor - own.offset), term)
    shown = unit_text[:40]
    if not read:
        raise UnitError(
            f"the unit {shown!r}",
            expected=f"a unit of {quantity.name}, such as {quantity.unit}",
            remedy="state the unit in a mapping, or report the spelling so that it becomes an alias",
        )
    raise UnitError(
        f"the unit {shown!r}, read as {read[0]}",
        expected=f"a unit of {quantity.name}, convertible to {quantity.unit}",
        remedy="check that the column or code names this quantity",
    )


def convert(value: float, unit_text: str | None, quantity: Quantity) -> float:
    """``value`` as written in ``unit_text``, in the unit of ``quantity``; raises :class:`UnitError`.

    An absent unit is an error here: a dialect or mapping that knows the unit of its source states it and flags the
    event ``UNIT_ASSUMED``.
    """
    if not unit_text or not unit_text.strip():
        raise UnitError(
            f"no unit for {quantity.name}",
            expected=quantity.unit,
            remedy="state the unit in the source or in a mapping",
        )
    return conversion(unit_text, quantity)(value)


_SHOWN = {
    "mm[Hg]": "mmHg", "cm[H2O]": "cmH₂O", "Cel": "°C", "[degF]": "°F", "[lb_av]": "lb", "[in_i]": "in", "[iU]": "U",
    "[iU]/h": "U/h", "u[iU]/mL": "µU/mL", "10*3/uL": "10³/µL", "10*6/uL": "10⁶/µL", "{steps}": "steps",
    "mL/min/{1.73_m2}": "mL/min/1.73 m²", "kg/m2": "kg/m²", "a": "years", "ug": "µg", "umol/L": "µmol/L",
}  # fmt: skip


def written(unit: str) -> str:
    """A UCUM term as people write it; for pages and tables only, never to be read back."""
    return _SHOWN.get(unit, unit)


def display_unit(quantity: Quantity, locale: str) -> str:
    """The UCUM unit in which ``quantity`` is shown in ``locale`` (a BCP 47 tag such as ``en-GB``)."""
    return dict(quantity.display).get(locale, quantity.unit)


def display(value: float, quantity: Quantity, locale: str) -> tuple[float, str]:
    """``value`` (in the quantity's unit) in the locale's unit, and that unit as people write it."""
    unit = display_unit(quantity, locale)
    if unit == quantity.unit:
        return value, written(unit)
    back = conversion(unit, quantity)
    return (value - back.offset) / back.factor, written(unit)
