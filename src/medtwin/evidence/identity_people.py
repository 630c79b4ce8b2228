"""Synthetic people and second statements about them, made apart from the matcher and from the data on which it was trained.

Names follow a steep frequency (few are common, most are rare), people live in households, some are twins, some share name and
town with a stranger. A second statement is what another system has: typed again, heard, abbreviated, out of date, or filled with
placeholders. Nothing here is drawn from the matcher's levels or weights.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from medtwin.record.event import SourcePatient
from medtwin.record.store import Demographics

NUMBER = "urn:oid:2.16.840.1.113883.4.1"
_GIVEN = {
    "female": "Maria Anna Sofia Emma Laura Julia Lena Sarah Katharina Elena Ines Fatima Aisha Mei Yuki Ingrid Astrid Chloe Zoe "
    "Margaret Elizabeth Dorothy Joan Ruth Helen Olga Irina Natalia Camila Valentina Amara Ngozi Thandi Leila Noor Hannah",
    "male": "Thomas Michael Peter Johannes Lukas Paul Daniel David Ahmed Omar Ali Wei Hiroshi Lars Erik Pierre Louis William "
    "George Harold Stanley Ivan Sergei Diego Mateo Kwame Chidi Sipho Hassan Yusuf Nikolai Marco Andrea Luca Tomasz Jakub",
}
_FAMILY = (
    "Müller Smith Nguyen Garcia Kim Ivanova Rossi Khan Singh Schmidt Jones Brown Li Wang Silva Kowalski Novak Andersson Jensen "
    "Martin Bernard Dubois O'Brien MacDonald Yilmaz Hernandez Okafor Mensah Abebe Suzuki Tanaka Cohen Haddad Popescu Horvath"
)
_STREETS = "Linden Station Church Mill High Park Garden School Bridge River Castle Market Forest Hill Meadow Chapel Harbour Field"
_KINDS = ("Street", "Road", "Lane", "Avenue", "Square")
_TOWNS = "Northam Eastfield Westbury Southport Midville Kingsford Newhaven Oldbridge Riverton Lakeside"
_NICK = {
    "Margaret": "Peggy", "Elizabeth": "Liz", "William": "Bill", "Katharina": "Kathi", "Johannes": "Hans", "Thomas": "Tom",
    "Michael": "Mike", "Daniel": "Dan", "Valentina": "Vale", "Nikolai": "Kolja",
}  # fmt: skip
_HEARD = (
    ("ph", "f"),
    ("ck", "k"),
    ("th", "t"),
    ("sch", "sh"),
    ("ei", "ai"),
    ("mm", "m"),
    ("ss", "s"),
    ("y", "i"),
    ("w", "v"),
    ("z", "s"),
)
_NEAR = {
    "a": "s",
    "e": "r",
    "i": "o",
    "o": "p",
    "n": "m",
    "t": "z",
    "s": "d",
    "l": "k",
    "r": "e",
    "m": "n",
    "u": "i",
    "d": "f",
}
PLACEHOLDERS = ("000-00-0000", "999-99-9999", "111-11-1111", "123-45-6789", "UNKNOWN")


@dataclass(frozen=True)
class Statement:
    """What one system says of ``person``; ``errors``: what was done to it."""

    person: int
    said: Demographics
    errors: tuple[str, ...] = ()


def people(count: int, seed: int) -> list[Demographics]:
    """Households of one to five; one birth in eighty is of twins; one person in two hundred has a namesake in town."""
    draw = random.Random(seed)
    found: list[Demographics] = []
    while len(found) < count:
        family, home = _family(draw), _home(draw)
        for _ in range(draw.choice((1, 1, 2, 2, 3, 4, 5))):
            found.append(_person(draw, family, home))
            if draw.random() < 1 / 80:
                twin = _person(draw, family, home)
                found.append(replace(twin, birth_date=found[-1].birth_date))
            if draw.random() < 1 / 200:
                found.append(replace(_person(draw, family, _home(draw)), given=found[-1].given, sex=found[-1].sex))
        if draw.random() < 1 / 300 and len(found) > 1:  # a clerk's slip: one national number on two people
            found[-1] = replace(found[-1], identifiers=found[draw.randrange(len(found) - 1)].identifiers)
    return found[:count]


def again(one: Demographics, draw: random.Random) -> tuple[Demographics, tuple[str, ...]]:
    """What another system says of the same person."""
    errors = [name for name, share, _ in _ERRORS if draw.random() < share]
    for name, _, change in _ERRORS:
        if name in errors:
            one = change(one, draw)
    return one, tuple(errors)


def statements(count: int, second: float, seed: int) -> list[Statement]:
    """One statement of each of ``count`` people and a second one of a share of them, in a random order."""
    draw = random.Random(seed + 1)
    found = []
    for number, one in enumerate(people(count, seed)):
        found.append(Statement(number, one))
        if draw.random() < second:
            found.append(Statement(number, *again(one, draw)))
    draw.shuffle(found)
    return found


def _family(draw: random.Random) -> str:
    common = _FAMILY.split()
    if draw.random() < 0.45:
        return draw.choices(common, [1 / (rank + 1) for rank in range(len(common))])[0]
    first = ("b", "br", "d", "f", "gr", "h", "k", "kl", "l", "m", "n", "p", "r", "s", "st", "t", "v")
    middle, last = ("a", "e", "i", "o", "u", "au", "ei"), ("", "l", "n", "r", "s", "ck", "tt")
    parts = (draw.choice(first) + draw.choice(middle) + draw.choice(last) for _ in range(2))
    return ("".join(parts) + draw.choice(("", "er", "sen", "ski", "mann", "ov"))).capitalize()


def _home(draw: random.Random) -> dict[str, Any]:
    town = draw.randrange(10)
    street = f"{draw.randrange(1, 180)} {draw.choice(_STREETS.split())} {draw.choice(_KINDS)}"
    return {
        "street": street, "city": _TOWNS.split()[town], "postal_code": f"{20 + town}{draw.randrange(100, 160)}",
        "state": "AB"[town // 5] + "C", "phone": f"0{town}{draw.randrange(10**6, 10**7)}",
    }  # fmt: skip


def _person(draw: random.Random, family: str, home: dict[str, Any]) -> Demographics:
    sex = draw.choice(("female", "male"))
    names = _GIVEN[sex].split()
    given = draw.choices(names, [1 / (rank + 2) for rank in range(len(names))])[0]
    if draw.random() < 0.2:
        given += " " + draw.choice(names)
    born = date(1930, 1, 1) + timedelta(draw.randrange(90 * 365))
    number = f"{draw.randrange(100, 665)}-{draw.randrange(10, 99)}-{draw.randrange(1000, 9999)}"
    return Demographics(
        given=given,
        family=family,
        birth_date=born.isoformat(),
        sex=sex,
        identifiers=(SourcePatient(NUMBER, number),),
        **home,
    )


def _typo(word: str, draw: random.Random) -> str:
    if len(word) < 2:
        return word
    at = draw.randrange(len(word) - 1)
    kind = draw.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    return word[:at] + _NEAR.get(word[at].lower(), "e") + word[at + 1 :]


def _heard(word: str) -> str:
    return next((word.replace(a, b) for a, b in _HEARD if a in word), word)


def _digit(text: str, draw: random.Random) -> str:
    places = [at for at, one in enumerate(text) if one.isdigit()]
    at = draw.choice(places)
    return text[:at] + str((int(text[at]) + draw.randrange(1, 10)) % 10) + text[at + 1 :]


def _number(one: Demographics, draw: random.Random, value: str | None = None) -> Demographics:
    if not one.identifiers:
        return one
    old = one.identifiers[0].value
    places = [at for at, character in enumerate(old) if character.isdigit()]
    if value is None and places:
        at = draw.choice(places)
        value = old[:at] + str((int(old[at]) + 1) % 10) + old[at + 1 :]
    return replace(one, identifiers=(SourcePatient(NUMBER, old if value is None else value),))


def _exchanged(born: str) -> str:
    year, month, day = born.split("-")
    return f"{year}-{day}-{month}"


Change = Callable[[Demographics, random.Random], Demographics]
_ERRORS: tuple[tuple[str, float, Change], ...] = (
    ("given typed wrongly", 0.06, lambda one, draw: replace(one, given=_typo(one.given, draw))),
    ("given as called", 0.05, lambda one, _: replace(one, given=_NICK.get(one.given, one.given))),
    ("one given name only", 0.30, lambda one, _: replace(one, given=one.given.split()[0])),
    ("surname typed wrongly", 0.06, lambda one, draw: replace(one, family=_typo(one.family, draw))),
    ("surname as heard", 0.06, lambda one, _: replace(one, family=_heard(one.family))),
    ("another surname (marriage)", 0.03, lambda one, draw: replace(one, family=_family(draw))),
    ("names exchanged", 0.02, lambda one, _: replace(one, given=one.family, family=one.given)),
    ("capitals without accents", 0.30, lambda one, _: replace(one, given=one.given.upper(), family=one.family.upper())),
    ("birth date: a digit", 0.02, lambda one, draw: replace(one, birth_date=_digit(one.birth_date, draw))),
    ("birth date: day and month exchanged", 0.02, lambda one, _: replace(one, birth_date=_exchanged(one.birth_date))),
    ("birth date missing", 0.02, lambda one, _: replace(one, birth_date="")),
    ("birth date a placeholder", 0.01, lambda one, _: replace(one, birth_date="1900-01-01")),
    ("moved", 0.15, lambda one, draw: replace(one, **_home(draw))),
    ("street typed wrongly", 0.10, lambda one, draw: replace(one, street=_typo(one.street, draw))),
    ("no address", 0.10, lambda one, _: replace(one, street="", city="", postal_code="", state="")),
    ("no phone", 0.40, lambda one, _: replace(one, phone="")),
    ("sex unknown", 0.05, lambda one, _: replace(one, sex="unknown")),
    ("no number", 0.35, lambda one, _: replace(one, identifiers=())),
    ("number a placeholder", 0.08, lambda one, draw: _number(one, draw, draw.choice(PLACEHOLDERS))),
    ("number: a digit", 0.02, _number),
)  # fmt: skip
