"""How much speaks for one person: weights of agreement in bits, a posterior probability, rules, a decision.

Fellegi and Sunter 1969: a field at a level is worth log2(m / u) bits, m and u being the probabilities of that level in pairs of
one person and in other pairs; a common name is worth less (Winkler adjusts u by the value's frequency; from memory). Weights,
prior and thresholds are data (``weights.json``). The rules come after the score and only hold back: no number of bits overrules
them. Alone an identifier that comes with another person's names and birth date is raised, to a match that a person looks at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec

from medtwin.errors import FormatError
from medtwin.record.identity.compare import LEVELS, WHERE, WHO, Levels

DIALECT = "medtwin-identity-weights/1"
_MET = ("same", "close", "slip", "exchanged")
_TRUST = 1000  #: people whose names must have been seen before the share of a name counts half


class Decision(StrEnum):
    LINK = "link"  #: one person
    POSSIBLE = "possible"  #: somebody must look
    NONE = "none"


class Weight(msgspec.Struct, frozen=True):
    """Of one field: probability of each level in pairs of one person (m) and in other pairs (u), and where it is from."""

    m: dict[str, float]
    u: dict[str, float]
    origin: str


class Weights(msgspec.Struct, frozen=True):
    """All that a decision rests on.

    ``household``: the lowest that address and phone give together, and the highest that surname, address and phone give, in bits.
    """

    dialect: str
    fields: dict[str, Weight]
    population: int  #: people among whom one is looked for, at least
    link: float  #: posterior probability
    possible: float
    household: tuple[float, float]
    corroboration: float  #: bits beyond name, birth date and sex that an automatic link needs
    made: str  #: in words: from what


@dataclass(frozen=True, slots=True)
class Part:
    """What one field says: level and bits (positive: for one person)."""

    field: str
    level: str
    bits: float


@dataclass(frozen=True, slots=True)
class Scored:
    """``reasons``: the rules that held the decision back, in words."""

    decision: Decision
    probability: float
    parts: tuple[Part, ...]
    reasons: tuple[str, ...] = ()


@cache
def weights() -> Weights:
    """Those that ship."""
    return read((files("medtwin.record.identity") / "weights.json").read_bytes())


def read(content: bytes) -> Weights:
    """Raises :class:`FormatError` for what are no weights of this version."""
    try:
        held = msgspec.json.decode(content, type=Weights)
    except msgspec.MsgspecError as error:
        raise FormatError(f"weights of identity that cannot be read ({error})", expected=DIALECT) from error
    wrong = [
        name for name, one in held.fields.items() if set(one.m) != set(LEVELS[name]) or set(one.u) != set(LEVELS[name])
    ]
    if held.dialect != DIALECT or set(held.fields) != set(LEVELS) or wrong:
        raise FormatError(
            f"weights of dialect {held.dialect}, fields {sorted(wrong)}", expected=f"{DIALECT}, every field and level"
        )
    return held


def score(
    levels: Levels, people: int, shares: Mapping[str, tuple[int, int]] | None = None, by: Weights | None = None
) -> Scored:
    """Score one pair.

    ``people``: how many are known here. ``shares``: (people who bear it, people counted) of the names that agree exactly.
    """
    by = by or weights()
    parts = [Part(field, level, _bits(by, field, level, (shares or {}).get(field))) for field, level in levels.items()]
    where = sum(part.bits for part in parts if part.field in WHERE)
    home = max(where, by.household[0])  # people move
    family = sum(part.bits for part in parts if part.field == "family")
    held = min(home, by.household[1] - max(family, 0.0))  # who lives together shares surname, address and phone
    if held != where:
        parts.append(Part("household", "limit", held - where))
    prior = -math.log2(max(people, by.population))
    total = prior + sum(part.bits for part in parts)
    probability = _probability(total)
    decision = (
        Decision.LINK if probability >= by.link else Decision.POSSIBLE if probability >= by.possible else Decision.NONE
    )
    number = sum(part.bits for part in parts if part.field == "number")
    without, beyond = _probability(total - max(number, 0.0)), number + min(home, _lived(levels, parts))
    reasons = []
    if levels.get("number") == "same" and not compatible(levels, by):
        reasons = [
            "one number, and names and birth date that do not go together",
            *_holds_back(levels, by, without, beyond),
        ]
        decision = Decision.POSSIBLE
    elif decision is not Decision.NONE:
        reasons = list(_holds_back(levels, by, without, beyond))
        if decision is Decision.POSSIBLE:
            reasons.insert(0, "the probability does not suffice")
        decision = Decision.POSSIBLE if reasons else decision
    return Scored(decision, probability, tuple(parts), tuple(reasons))


def compatible(levels: Levels, by: Weights | None = None) -> bool:
    """Whether names, birth date and sex go together, of statements that one key makes: it is then taken to be one person's.

    Given names or birth dates that differ (twins; father and son of one name), or another sex beside either that does not agree
    exactly, are another person's, whatever the rest weighs.
    """
    by = by or weights()
    given, born = levels.get("given", "same"), levels.get("birth_date", "same")
    if "differs" in (given, born) or (levels.get("sex") == "differs" and (given, born) != ("same", "same")):
        return False
    return sum(_bits(by, field, level, None) for field, level in levels.items() if field in WHO) >= 0


def _lived(levels: Levels, parts: list[Part]) -> float:
    """Bits of a phone that agrees and of a house with its street or postal code: a city or a state is many people's."""
    house = levels.get("house") in _MET and (levels.get("street") in _MET or levels.get("postal_code") in _MET)
    counted = {"phone"} | ({"house", "street", "postal_code"} if house else set())
    return sum(part.bits for part in parts if part.field in counted and part.level in _MET)


def _holds_back(levels: Levels, by: Weights, without_number: float, beyond: float) -> list[str]:
    """Why a score that would suffice is looked at by a person all the same."""
    said = []
    if without_number < by.possible:
        said.append("it rests on one number alone")
    if levels.get("given") in ("alike", "differs"):
        said.append("given names differ: twins and families share the rest")
    if (levels.get("given"), levels.get("birth_date")) == ("close", "same") and levels.get("number") not in _MET:
        said.append("given names are only close, and no number agrees: twins share the rest")
    if "birth_date" not in levels:
        said.append("the birth date is not known on both sides: father and son may share the rest")
    if levels.get("birth_date") in ("part", "differs"):
        said.append("birth dates differ: namesakes share the rest")
    if levels.get("sex") == "differs":
        said.append("sex differs")
    if levels.get("number") == "differs":
        said.append("national numbers differ")
    if sum(levels.get(field) in _MET for field in ("given", "family", "birth_date")) < 2:
        said.append("fewer than two of given name, surname and birth date agree")
    if beyond < by.corroboration:
        said.append("nothing beyond name, birth date and sex speaks for it")
    return said


def _bits(by: Weights, field: str, level: str, share: tuple[int, int] | None) -> float:
    """log2(m / u); where a name agrees exactly, u is at least the share of people who bear it, drawn to the usual u."""
    weight = by.fields[field]
    u = weight.u[level]
    if share is not None and level == "same":
        u = max(u, (share[0] + _TRUST * u) / (share[1] + _TRUST))
    return math.log2(weight.m[level] / u)


def _probability(bits: float) -> float:
    return 1 / (1 + 2.0**-bits) if bits > -1000 else 0.0
