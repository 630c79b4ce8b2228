"""Dimensions of a model's variables, and how a number changes when the base units are chosen anew.

The bases are those of physiology rather than of physics: the kilogram of a body is not the gram of a substance (mg/kg
does not cancel), a volume is not a length cubed, a pressure is a base of its own. Within a base (mg and g, pmol and
[iU], min and h) an equation may convert by a plain number; between bases only a parameter with a unit may.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from medtwin.errors import UnitError

#: base: factor by which every number in it is multiplied (its unit is chosen smaller); no product of small powers is 1
BASES = {
    "body": 1.7320508,
    "mass": 0.6180340,
    "substance": 2.7182818,
    "volume": 1.3247180,
    "time": 0.5671433,
    "pressure": 1.4655712,
    "energy": 0.7390851,
    "length": 1.2599210,
}
_ATOMS = {
    "body": ("kg",),
    "mass": ("g", "mg", "ug", "ng", "pg"),
    "substance": ("mol", "mmol", "umol", "nmol", "pmol", "[iU]", "m[iU]", "u[iU]", "eq", "meq"),
    "volume": ("L", "dL", "mL", "uL", "fL"),
    "time": ("ms", "s", "min", "h", "d", "wk", "mo", "a"),
    "pressure": ("mm[Hg]", "kPa", "Pa"),
    "energy": ("kcal", "cal", "J", "kJ"),
    "length": ("m", "cm", "mm", "um"),
    "": ("1", "%", "10*3", "10*6", "10*9", "10*12"),
}
_BASE_OF = {atom: base for base, atoms in _ATOMS.items() for atom in atoms}
_TERM = re.compile(r"(?P<atom>10\*-?\d+|[a-zA-Z%]*\[[^\]]*\]|[a-zA-Z%]+|1)(?P<power>-?\d+)?")
_ANNOTATION = re.compile(r"\{[^{}]*\}")


def exponents(unit: str) -> dict[str, int]:
    """Power of each base in a unit: ``mg/kg/min`` is ``{"mass": 1, "body": -1, "time": -1}``.

    >>> exponents("mm[Hg].s2/mL")
    {'pressure': 1, 'time': 2, 'volume': -1}
    """
    found: dict[str, int] = {}
    text = _ANNOTATION.sub("1", unit)
    text = re.sub(r"(?<=[a-zA-Z\]])1(?=$|[./])", "", text)  # an annotation after an atom says nothing
    for i, part in enumerate(re.split(r"(?=[./])", text if text[:1] in "./" else "." + text)):
        if i == 0 and not part:
            continue
        operator, term = part[:1], part[1:]
        match = _TERM.fullmatch(term)
        base = _BASE_OF.get(match["atom"]) if match else None
        if match is None or base is None or operator not in "./":
            raise UnitError(
                f"the unit {unit!r}",
                expected="UCUM terms joined by . and /, of "
                + ", ".join(atom for atoms in _ATOMS.values() for atom in atoms),
            )
        power = int(match["power"] or 1) * (1 if operator == "." else -1)
        if base:
            found[base] = found.get(base, 0) + power
    return {base: power for base, power in found.items() if power}


def scale(unit: str, extra: Mapping[str, int] | None = None) -> float:
    """Factor by which a number in ``unit`` (times the bases in ``extra``) changes when all bases are chosen anew."""
    factor = 1.0
    for powers in (exponents(unit), extra or {}):
        for base, power in powers.items():
            factor *= BASES[base] ** power
    return factor
