"""Two people compared field by field: each field gives the name of a level, or nothing where one side says nothing.

Missing and placeholder values are no evidence. An exchange of given name and surname is a level of the given name; the surname is
then compared crosswise. What a person has several of (identifiers) is compared as sets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from medtwin.record.event import SourcePatient
from medtwin.record.identity import text
from medtwin.record.store import Demographics

#: the levels of each field, best first; the last one is disagreement
LEVELS: dict[str, tuple[str, ...]] = {
    "given": ("same", "close", "alike", "exchanged", "differs"),
    "family": ("same", "close", "alike", "differs"),
    "birth_date": ("same", "slip", "exchanged", "part", "differs"),
    "sex": ("same", "differs"),
    "number": ("same", "close", "differs"),
    "house": ("same", "close", "differs"),
    "street": ("same", "close", "differs"),
    "street_more": ("same", "close", "differs"),
    "city": ("same", "close", "differs"),
    "postal_code": ("same", "close", "differs"),
    "state": ("same", "differs"),
    "phone": ("same", "differs"),
}
WHERE = ("house", "street", "street_more", "city", "postal_code", "state", "phone")  #: what a household shares
WHO = ("given", "family", "birth_date", "sex")
Levels = dict[str, str]

_MARKED = re.compile(r"#(?:\??[0-9a-f]{12})?$")
_CLOSE, _ALIKE = 0.9, 0.8  #: Jaro-Winkler similarities of names
_NATIONAL = {
    # Social Security number of the USA: HL7 NamingSystem "ssn"; NHS number: (from memory)
    "urn:oid:2.16.840.1.113883.4.1": "us-ssn", "http://hl7.org/fhir/sid/us-ssn": "us-ssn", "ssn": "us-ssn", "ssa": "us-ssn",
    "usssa": "us-ssn", "urn:oid:2.16.840.1.113883.2.1.4.1": "nhs-number", "https://fhir.nhs.uk/id/nhs-number": "nhs-number",
    "nhs": "nhs-number",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """What a source says of a person, made ready to be compared. Empty text: nothing is said."""

    given: str
    family: str
    birth_date: str
    sex: str
    house: str
    street: str
    street_more: str
    city: str
    postal_code: str
    state: str
    phone: str
    numbers: frozenset[tuple[str, str]]  #: (system, number) of every identifier that is no placeholder


def person(said: Demographics, key: SourcePatient | None = None) -> Person:
    """``key``: the source's own key, which is one of the identifiers."""
    given, family = said.given, said.family
    if not (given or family) and said.name:
        *first, family = said.name.split()
        given = " ".join(first)
    house, street = _house(text.place(said.street))
    held = (*said.identifiers, *((stated(key),) if key is not None else ()))
    numbers = ((system(one.system), text.number(one.value)) for one in held)
    return Person(
        given=text.name(given), family=text.name(family), birth_date=text.date(said.birth_date),
        sex=said.sex if said.sex in ("male", "female", "other") else "", house=house, street=text.place(street),
        street_more=text.place(said.street_more), city=text.place(said.city), state=text.place(said.state),
        postal_code=text.postal_code(said.postal_code), phone=text.phone(said.phone),
        numbers=frozenset((where, value) for where, value in numbers if value),
    )  # fmt: skip


def stated(key: SourcePatient) -> SourcePatient:
    """A key as its source states it: without the mark of one of several people who have it."""
    return SourcePatient(key.system, _MARKED.sub("", key.value))


def system(written: str) -> str:
    """One name for a national number that systems name differently; any other system as it is written."""
    return _NATIONAL.get(written.casefold(), written)


def national(where: str) -> bool:
    """Whether everybody has one number of that system, so that two different ones speak against one person."""
    return where in ("us-ssn", "nhs-number")


def _house(street: str) -> tuple[str, str]:
    """The number of a house, before or after the street: ``("6", "tullaroop street")``."""
    words = street.split()
    for at in (0, len(words) - 1) if words else ():
        if words[at][0].isdigit():
            return words[at], " ".join(words[:at] + words[at + 1 :])
    return "", street


def compare(a: Person, b: Person) -> Levels:
    """The level of each field of which both sides say something."""
    found = _names(a, b)
    dates = _dates(a.birth_date, b.birth_date)
    if dates:
        found["birth_date"] = dates
    for field in ("sex", "state", "phone"):
        ours, theirs = getattr(a, field), getattr(b, field)
        if ours and theirs:
            found[field] = "same" if ours == theirs else "differs"
    for field in ("street", "street_more", "city"):
        ours, theirs = getattr(a, field), getattr(b, field)
        if ours and theirs:
            level = _name(ours, theirs)
            found[field] = "differs" if level == "alike" else level
    for field in ("house", "postal_code"):
        ours, theirs = getattr(a, field), getattr(b, field)
        if ours and theirs:
            found[field] = _code(ours, theirs)
    if a.numbers and b.numbers and (level := _numbers(a.numbers, b.numbers)):
        found["number"] = level
    return found


def _names(a: Person, b: Person) -> Levels:
    straight: Levels = {}
    if a.given and b.given and not _initial(a.given, b.given):
        straight["given"] = _name(a.given, b.given)
    if a.family and b.family:
        straight["family"] = _name(a.family, b.family)
    if a.given and b.given and a.family and b.family and set(straight.values()) & {"differs", "alike"}:
        crossed = _name(a.given, b.family), _name(a.family, b.given)
        if set(crossed) <= {"same", "close"}:
            return {"given": "exchanged", "family": "close" if "close" in crossed else "same"}
    return straight


def _initial(a: str, b: str) -> bool:
    """``A`` says little of ``Anna``: no evidence."""
    return a != b and min(len(a), len(b)) == 1 and a[0] == b[0]


@lru_cache(maxsize=400_000)
def _name(a: str, b: str) -> str:
    if a == b:
        return "same"
    words, others = a.split(), b.split()
    if a.replace(" ", "") == b.replace(" ", "") or sorted(words) == sorted(others):
        return "close"
    if set(words) < set(others) or set(others) < set(words):  # Anna and Anna Maria; but Maria and Anna Maria is less
        return "close" if words[0] == others[0] else "alike"
    similar = text.jaro_winkler(a, b)
    if similar >= _CLOSE or (min(len(a), len(b)) > 3 and text.edits(a, b) == 1):
        return "close"
    return "alike" if similar >= _ALIKE else "differs"


@lru_cache(maxsize=400_000)
def _code(a: str, b: str) -> str:
    if a == b:
        return "same"
    return "close" if max(len(a), len(b)) > 1 and text.edits(a, b) == 1 else "differs"


@lru_cache(maxsize=400_000)
def _dates(a: str, b: str) -> str:
    """Two dates of birth. Where one is known to the year or month only, agreement as far as it goes is no evidence."""
    if not a or not b:
        return ""
    if len(a) != 8 or len(b) != 8:
        shorter = min(len(a), len(b))
        return "" if a[:shorter] == b[:shorter] else "differs"
    if a == b:
        return "same"
    if text.edits(a, b) == 1:  # one digit, or two neighbours exchanged
        return "slip"
    if a[:4] == b[:4] and a[4:6] == b[6:] and a[6:] == b[4:6]:
        return "exchanged"
    parts = (a[:4] == b[:4]) + (a[4:6] == b[4:6]) + (a[6:] == b[6:])
    return "part" if parts == 2 else "differs"


def _numbers(a: frozenset[tuple[str, str]], b: frozenset[tuple[str, str]]) -> str:
    if a & b:
        return "same"
    level = ""
    for where, value in a:
        for there, other in b:
            if where == there and national(where):
                level = "close" if level == "close" or text.edits(value, other) == 1 else "differs"
    return level
