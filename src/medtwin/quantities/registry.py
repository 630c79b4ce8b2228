"""Every Quantity that medtwin knows, by name and by code.

A new table of quantities is a new sibling file with a tuple ``QUANTITIES``, added to ``_TABLES`` below.
"""

from __future__ import annotations

from functools import cache

from medtwin.errors import MedtwinError
from medtwin.quantities import effects, genome, haemodynamics, laboratory, treatments, vital_signs
from medtwin.quantities.quantity import Quantity

_TABLES = (vital_signs, haemodynamics, laboratory, treatments, effects, genome)

LOINC_NOTICE = (
    "This material contains content from LOINC (http://loinc.org). LOINC is copyright Regenstrief Institute, Inc. and "
    "the Logical Observation Identifiers Names and Codes (LOINC) Committee and is available at no cost under the "
    "license at http://loinc.org/license. LOINC is a registered United States trademark of Regenstrief Institute, Inc."
)

SYSTEMS = {
    "http://loinc.org": "loinc",
    "http://snomed.info/sct": "snomed",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "rxnorm",
}


@cache
def everything() -> dict[str, Quantity]:
    """All quantities by name; raises on a name or code that is given twice."""
    found: dict[str, Quantity] = {}
    for table in _TABLES:
        for quantity in table.QUANTITIES:
            if quantity.name in found:
                raise MedtwinError(f"the quantity name {quantity.name!r} twice", where=table.__name__)
            found[quantity.name] = quantity
    return found


@cache
def _by_code() -> dict[tuple[str, str], Quantity]:
    codes: dict[tuple[str, str], Quantity] = {}
    for quantity in everything().values():
        for system in SYSTEMS.values():
            for code in getattr(quantity, system):
                if (system, code) in codes:
                    raise MedtwinError(f"the code {system}|{code} on two quantities", where=quantity.name)
                codes[(system, code)] = quantity
    return codes


def find(name: str) -> Quantity | None:
    """The quantity of that name, or None."""
    return everything().get(name)


def get(name: str) -> Quantity:
    """The quantity of that name; raises :class:`MedtwinError` naming the nearest ones when there is none."""
    quantity = everything().get(name)
    if quantity is None:
        from difflib import get_close_matches

        near = ", ".join(get_close_matches(name, everything(), 3)) or "see `medtwin quantities`"
        raise MedtwinError(f"the quantity name {name!r}", expected=f"a known quantity ({near})")
    return quantity


def by_code(system: str, code: str) -> Quantity | None:
    """The quantity that a code names. ``system`` is a FHIR system address or loinc, snomed, rxnorm."""
    return _by_code().get((SYSTEMS.get(system, system), code))
