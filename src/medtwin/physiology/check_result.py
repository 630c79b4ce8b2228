"""What a single check returns: measured value, limit, detail; and whether that is fine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """Words for a reader."""

    measured: str
    limit: str
    detail: str = ""


Outcome = tuple[Result, bool]


class NotDeclared(Exception):
    """The model declares nothing for this check; the message says what it would have to declare."""


def listed(names: list[str], most: int = 4) -> str:
    """The first few names, and how many more."""
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
