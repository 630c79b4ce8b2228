"""A possible match as people read it: both sides field by field, with what speaks for and against one person."""

from __future__ import annotations

from dataclasses import dataclass

from medtwin.record.identity.score import Part
from medtwin.record.store import Demographics

WORDS = {
    "given": "given name", "family": "surname", "birth_date": "birth date", "sex": "sex", "number": "identifiers",
    "street": "street", "house": "house number", "street_more": "address, second line", "city": "city",
    "postal_code": "postal code", "state": "state", "phone": "phone", "household": "limit for a household",
}  # fmt: skip
LEVELS = {
    "same": "same", "close": "nearly the same", "alike": "alike", "exchanged": "exchanged", "slip": "one digit or two exchanged",
    "part": "two of day, month, year", "differs": "different", "limit": "shared by who lives together, or moved",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One field. ``bits`` is positive where it speaks for one person, None where it says nothing (a side is silent)."""

    field: str
    older: str
    newer: str
    level: str
    bits: float | None


def lines(older: Demographics, newer: Demographics, parts: tuple[Part, ...]) -> tuple[Line, ...]:
    """Every field of which a side says something, in a fixed order; the limit of a household last."""
    by = {part.field: part for part in parts}
    found = []
    for field, word in WORDS.items():
        part = by.get(field)
        ours, theirs = written(older, field), written(newer, field)
        if part is not None or ((ours or theirs) and field != "house"):
            found.append(Line(word, ours, theirs, LEVELS[part.level] if part else "", part.bits if part else None))
    return tuple(found)


def written(said: Demographics, field: str) -> str:
    """What a source says of a field, as it was written; the house's number stands in the street."""
    if field == "number":
        return ", ".join(f"{one.system} {one.value}" for one in said.identifiers)
    if field == "given" and not (said.given or said.family):
        return said.name
    return str(getattr(said, field, ""))
