"""Anything as plain values that JSON and YAML can hold: text, numbers that are finite, lists, maps, or null."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from medtwin.reports.figures.text import clean


def plain(value: Any) -> Any:
    """A number that is not finite becomes null; a name that JSON has not becomes its text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for name, one in value.items():
            held = clean(name)
            while held in made:  # two names that differ in what JSON cannot hold
                held += "'"
            made[held] = plain(one)
        return made
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(one) for one in value), key=str)
    return clean(value)
