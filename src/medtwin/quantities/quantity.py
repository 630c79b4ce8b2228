"""What a Quantity is: something that can be measured or given, with exactly one unit inside the house."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a quantity behaves in time; models and sources decide by this, never by name."""

    LEVEL = "level"  #: holds at a moment and between moments (glucose, heart rate, pressure)
    AMOUNT = "amount"  #: is given over an interval or at a moment (carbohydrate, insulin bolus, steps)
    RATE = "rate"  #: an amount per time that holds from its moment until the next (basal insulin)
    CODE = "code"  #: a coded statement (a diagnosis, a procedure, an allergy); it has no unit
    ARTIFACT = "artifact"  #: refers to bytes kept elsewhere by hash (a scan, a waveform)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One thing that can be measured or given.

    ``unit`` is UCUM and the only unit in which a value of this quantity exists inside medtwin; conversion happens at
    the door (:mod:`medtwin.quantities.units`, called from :mod:`medtwin.sources`). ``low`` and ``high`` bound what is
    physiologically possible: a value outside is stored with a flag, never repaired. ``error_sd`` (in ``unit``) and
    ``error_cv`` (a fraction of the value) are the usual measurement error, used when an event states none.
    """

    name: str
    meaning: str
    unit: str = ""
    kind: Kind = Kind.LEVEL
    low: float = float("-inf")
    high: float = float("inf")
    error_sd: float = 0.0
    error_cv: float = 0.0
    loinc: tuple[str, ...] = ()
    snomed: tuple[str, ...] = ()
    rxnorm: tuple[str, ...] = ()
    molar_mass: float | None = None  #: g/mol of the substance, for mass <-> amount-of-substance conversion
    activity: float | None = None  #: for arbitrary units: nmol per international unit (insulin: 6.0)
    valence: int | None = None  #: charges per ion, for mEq <-> mmol
    display: tuple[tuple[str, str], ...] = ()  #: (locale, unit) pairs, e.g. (("en-GB", "mmol/L"),)
    source: str = ""  #: where range and error come from

    def __post_init__(self) -> None:
        if self.kind is Kind.CODE and self.unit:
            raise ValueError(f"quantity {self.name!r}: a code has no unit, found {self.unit!r}; remove the unit")
        if not self.low < self.high:
            raise ValueError(f"quantity {self.name!r}: low {self.low} must be below high {self.high}")

    def plausible(self, value: float) -> bool:
        """Whether ``value`` (in ``unit``) is physiologically possible; NaN is not."""
        return self.low <= value <= self.high

    def sd(self, value: float) -> float:
        """Usual standard deviation (in ``unit``) of a measurement that reads ``value``."""
        return float((self.error_sd**2 + (self.error_cv * value) ** 2) ** 0.5)
