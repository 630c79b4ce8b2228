"""GET /people/matches: two keys that may be one person's; POST /people/link, unlink, refuse: what a person decides."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class MatchField(Struct, kw_only=True):
    field: str
    older: str
    newer: str
    level: str
    bits: float | None


class MatchSide(Struct, kw_only=True):
    name: str
    patient: str | None
    key: str
    facts: int
    first: datetime | None
    last: datetime | None


class Match(Struct, kw_only=True):
    id: str
    time: datetime
    probability: float
    reasons: list[str]
    older: MatchSide
    newer: MatchSide
    fields: list[MatchField]


class Matches(Struct, kw_only=True):
    now: datetime
    matches: list[Match]


class PeopleRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    one: str
    other: str
    why: str = ""


class PeopleDecided(Struct, kw_only=True):
    one: str
    other: str
    keys: int
