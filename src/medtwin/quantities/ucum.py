"""UCUM (The Unified Code for Units of Measure): a term becomes a dimension, an exact factor and an offset.

The atoms of everyday medicine stand in a table of exact numbers, so that the common case neither imports a unit library
nor rounds. A term with any other atom goes to ucumvert and pint, loaded on first need. Clauses are those of the UCUM
specification 2.1 (ucum.org/ucum): 2.4.1 full grammar, 3.2 powers of ten, 22 special units, 24 arbitrary units.

Arbitrary units (``[iU]``) are a dimension of their own here: pint would read them as the number one, and an activity
would pass for a percentage. So is the annotation ``{1.73_m2}``: UCUM drops annotations (6.2), but a filtration rate per
body surface is not a filtration rate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache

Dimension = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """``value in base = (value + offset) * factor``; the base is metre, gram, second, kelvin, mole, [iU], eq."""

    dimension: Dimension
    factor: Fraction
    offset: Fraction = Fraction(0)


class UnreadableUnit(ValueError):
    """The text is no UCUM term that can be read."""


_PREFIX = {
    "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15,
}  # fmt: skip
_PASCAL = {"g": 1, "m": -1, "s": -2}
_JOULE = {"g": 1, "m": 2, "s": -2}

#: code: (takes a prefix, factor to the base, dimension); table 1 to 9 of UCUM
_ATOMS: dict[str, tuple[bool, Fraction, dict[str, int]]] = {
    "m": (True, Fraction(1), {"m": 1}),
    "g": (True, Fraction(1), {"g": 1}),
    "s": (True, Fraction(1), {"s": 1}),
    "K": (True, Fraction(1), {"K": 1}),
    "mol": (True, Fraction(1), {"mol": 1}),
    "eq": (True, Fraction(1), {"eq": 1}),
    "L": (True, Fraction(1, 1000), {"m": 3}),
    "l": (True, Fraction(1, 1000), {"m": 3}),
    "min": (False, Fraction(60), {"s": 1}),
    "h": (False, Fraction(3600), {"s": 1}),
    "d": (False, Fraction(86400), {"s": 1}),
    "wk": (False, Fraction(604800), {"s": 1}),
    "mo": (False, Fraction(2629800), {"s": 1}),
    "a": (False, Fraction(31557600), {"s": 1}),
    "%": (False, Fraction(1, 100), {}),
    "Hz": (True, Fraction(1), {"s": -1}),
    "Pa": (True, Fraction(1000), _PASCAL),
    "bar": (True, Fraction(100_000_000), _PASCAL),
    "m[Hg]": (True, Fraction(133_322_387_415, 1000), _PASCAL),
    "m[H2O]": (True, Fraction(9_806_650), _PASCAL),
    "J": (True, Fraction(1000), _JOULE),
    "cal": (True, Fraction(4184), _JOULE),
    "W": (True, Fraction(1000), {"g": 1, "m": 2, "s": -3}),
    "U": (True, Fraction(1, 60_000_000), {"mol": 1, "s": -1}),  # of an enzyme; never of insulin
    "kat": (True, Fraction(1), {"mol": 1, "s": -1}),
    "[iU]": (True, Fraction(1), {"iU": 1}),
    "[IU]": (True, Fraction(1), {"iU": 1}),
    "[lb_av]": (False, Fraction(45_359_237, 100_000), {"g": 1}),
    "[oz_av]": (False, Fraction(45_359_237, 1_600_000), {"g": 1}),
    "[in_i]": (False, Fraction(254, 10_000), {"m": 1}),
    "[ft_i]": (False, Fraction(3048, 10_000), {"m": 1}),
    "[yd_i]": (False, Fraction(9144, 10_000), {"m": 1}),
    "[mi_i]": (False, Fraction(1_609_344, 1000), {"m": 1}),
}
_SPECIAL = {
    "Cel": Unit((("K", 1),), Fraction(1), Fraction(27315, 100)),
    "[degF]": Unit((("K", 1),), Fraction(5, 9), Fraction(45967, 100)),
}
_ANNOTATION = re.compile(r"\{[^{}]*\}")
_TOKEN = re.compile(
    r"(?P<power>10[*^](?P<ten>[+-]?\d+))|(?P<annotation>\{[^{}]*\})|(?P<atom>(?:[A-Za-z%]|\[[A-Za-z0-9_'&]+\])+)"
    r"(?P<exponent>[+-]?\d+)?|(?P<number>\d+)"
)


def _atom(text: str) -> Unit | None:
    for cut in (0, 1, 2):
        entry, prefix = _ATOMS.get(text[cut:]), text[:cut]
        if entry is None or (cut and (not entry[0] or prefix not in _PREFIX)):
            continue
        scale = Fraction(10) ** _PREFIX[prefix] if cut else Fraction(1)
        return Unit(tuple(sorted(entry[2].items())), entry[1] * scale)
    return None


def _own(term: str) -> Unit | None:
    """The term by the table above, or None when it holds an atom that is not in it or uses brackets."""
    if term in _SPECIAL:
        return _SPECIAL[term]
    factor, sign, place = Fraction(1), 1, 0
    dimension: dict[str, int] = {}
    if term.startswith("/"):
        sign, place = -1, 1
    while place < len(term):
        found = _TOKEN.match(term, place)
        if found is None:
            return None
        place = found.end()
        exponent = sign * int(found["exponent"] or 1)
        if found["power"]:
            if abs(int(found["ten"])) > MOST:
                raise UnreadableUnit(term)
            factor *= Fraction(10) ** (sign * int(found["ten"]))
        elif found["number"]:
            if int(found["number"]) == 0:
                return None
            factor *= Fraction(int(found["number"])) ** sign
        elif found["annotation"]:
            if found["annotation"].replace(" ", "").lower() in ("{1.73_m2}", "{1.73m2}"):
                dimension["bsa"] = dimension.get("bsa", 0) + sign
        else:
            unit = _atom(found["atom"])
            if unit is None or abs(exponent) > 9:
                return None
            factor *= unit.factor**exponent
            for base, power in unit.dimension:
                dimension[base] = dimension.get(base, 0) + power * exponent
        if place < len(term) and term[place] in "./":
            sign = 1 if term[place] == "." else -1
            place += 1
            if place == len(term):
                return None
        elif place < len(term) and term[place] != "{":
            return None
    return Unit(tuple(sorted((base, power) for base, power in dimension.items() if power)), factor)


@cache
def _library() -> object:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from ucumvert import PintUcumRegistry

        return PintUcumRegistry()


_BASES = {"[length]": "m", "[mass]": "g", "[time]": "s", "[temperature]": "K", "[substance]": "mol"}
_ARBITRARY = re.compile(r"\[(?:iU|IU|arb'U|USP'U|[a-zA-Z0-9]*'U|[a-z]+_[uU])\]|\bB\b|\[pH\]|Np|\[p'diop\]")


MOST = 30  #: the greatest power of ten; clinical units end at 15
_HUGE = re.compile(r"\d{4,}")


def _by_library(term: str) -> Unit:
    """The term by ucumvert and pint; annotations (dropped) and arbitrary units (read as the number one) are refused."""
    bare = _ANNOTATION.sub("", term)
    if _HUGE.search(bare):  # a library that computes 10^99999999 never ends
        raise UnreadableUnit(term)
    if "1.73" in term or _ARBITRARY.search(bare) or not bare:
        raise UnreadableUnit(term)
    try:
        base = _library().from_ucum(term).to_root_units()  # type: ignore[attr-defined]
        magnitude = Fraction(repr(float(base.magnitude)))
        dimension = {_BASES[name]: int(power) for name, power in base.dimensionality.items()}
    except Exception as error:  # the library leaks its parser's errors; UCUM 2.4.1 is all that matters here
        raise UnreadableUnit(term) from error
    return Unit(tuple(sorted(dimension.items())), magnitude)


@lru_cache(maxsize=4096)
def _read(term: str) -> Unit | None:
    """What ``read`` gives, or None: failures are remembered too, since a file may hold one a million times."""
    if not term or len(term) > 80 or not term.isascii() or not term.isprintable():
        return None
    try:
        return _own(term) or _by_library(term)
    except UnreadableUnit:
        return None


def read(term: str) -> Unit:
    """The UCUM term as a :class:`Unit`; raises :class:`UnreadableUnit`."""
    unit = _read(term)
    if unit is None:
        raise UnreadableUnit(term[:80])
    return unit
