"""What many answers are made of: one number, a series, how it is shown, what went wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

Freshness = Literal["fresh", "late", "silent"]
Intended = Literal["happened", "planned", "ordered", "stated"]
Numbers = list[float | None]


class Problem(Struct, kw_only=True):
    """The body of every answer with status >= 400 (RFC 9457's words)."""

    title: str
    detail: str
    status: int
    advice: str | UnsetType = UNSET
    field: str | UnsetType = UNSET  #: of the request, where one is at fault


class Value(Struct, kw_only=True):
    """One number with everything that makes it a statement."""

    value: float
    unit: str
    time: datetime | UnsetType = UNSET
    lower: float | UnsetType = UNSET
    upper: float | UnsetType = UNSET
    level: float | UnsetType = UNSET


class DisplayUnit(Struct, kw_only=True):
    """shown = value * scale + offset, rounded to ``decimals``."""

    unit: str
    scale: float
    decimals: int
    offset: float | UnsetType = UNSET


class Band(Struct, kw_only=True):
    """A series of beliefs in columns; ``lower`` and ``upper`` hold ``level`` of the belief between them."""

    times: list[datetime]
    mean: Numbers
    lower: Numbers
    upper: Numbers
    level: float


class Target(Struct, kw_only=True):
    lower: float
    upper: float
    label: str
