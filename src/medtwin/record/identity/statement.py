"""Statements of one key brought together: what a later one leaves out stays known; one that names nobody tells nobody apart."""

from __future__ import annotations

from dataclasses import replace

from medtwin.record.identity.compare import compare, person
from medtwin.record.identity.score import compatible
from medtwin.record.store import Demographics

_ADDRESS = ("street", "street_more", "city", "postal_code", "state")


def together(a: Demographics, b: Demographics) -> bool:
    """Whether two statements may be one person's: names, birth date and sex go together, or one says none of them."""
    return compatible(compare(person(a), person(b)))


def names_nobody(said: Demographics) -> bool:
    """Whether neither a name nor a birth date stands there (placeholders are none)."""
    one = person(said)
    return not (one.given or one.family or one.birth_date)


def united(held: Demographics | None, said: Demographics) -> Demographics:
    """The newest statement, and of an earlier one what it leaves empty; an address stands or goes as a whole.

    Placeholders count as empty, and a birth date that only begins the earlier one, as less than it.
    """
    if held is None:
        return said
    new, old = person(said), person(held)
    kept: dict[str, str] = {}
    if (not new.given and old.given) or (not new.family and old.family):
        given, family = (said.given, said.family) if said.given or said.family else _split(said.name)
        was = (held.given, held.family) if held.given or held.family else _split(held.name)
        given, family = given if new.given else was[0], family if new.family else was[1]
        kept |= {"given": given, "family": family, "name": f"{given} {family}".strip()}
    if old.birth_date and old.birth_date.startswith(new.birth_date):
        kept["birth_date"] = held.birth_date
    if not new.sex and old.sex:
        kept["sex"] = held.sex
    if not any(getattr(new, field) for field in (*_ADDRESS, "house")):
        kept |= {field: getattr(held, field) for field in _ADDRESS}
    if not new.phone and old.phone:
        kept["phone"] = held.phone
    identifiers = tuple(dict.fromkeys((*held.identifiers, *said.identifiers)))
    return replace(said, synthetic=said.synthetic or held.synthetic, identifiers=identifiers, **kept)


def _split(name: str) -> tuple[str, str]:
    *first, family = name.split() or [""]
    return " ".join(first), family
