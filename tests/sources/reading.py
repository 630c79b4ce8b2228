"""Reading bytes by one dialect without a store."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

from medtwin.record.event import Event
from medtwin.sources.archives import Plain
from medtwin.sources.item import Dialect, Intake, Item, Origin, Part, Reason, Unmapped
from medtwin.sources.recognise import recognise

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def payload(content: bytes, name: str = "file") -> Plain:
    return Plain(name, len(content), lambda: io.BytesIO(content))


def parts(content: bytes, dialect: Dialect, name: str = "file", **stated: Any) -> list[Part]:
    intake = Intake(file=name, now=NOW, anonymous=stated.pop("anonymous", "anonymous-1"), **stated)
    return list(dialect.parts(payload(content, name), intake))


def items(content: bytes, dialect: Dialect, name: str = "file", **stated: Any) -> list[Item]:
    found: list[Item] = []
    for number, part in enumerate(parts(content, dialect, name, **stated)):
        found.extend(part.read(Origin(raw=f"raw{number}", file=name)))
    return found


def events(content: bytes, dialect: Dialect, name: str = "file", **stated: Any) -> list[Event]:
    return [item for item in items(content, dialect, name, **stated) if isinstance(item, Event)]


def reasons(content: bytes, dialect: Dialect, name: str = "file", **stated: Any) -> list[Reason]:
    return [item for item in items(content, dialect, name, **stated) if isinstance(item, Reason)]


def unmapped(content: bytes, dialect: Dialect, name: str = "file", **stated: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in items(content, dialect, name, **stated):
        if isinstance(item, Unmapped):
            counts[item.kind] = counts.get(item.kind, 0) + item.count
    return counts


def named(content: bytes, name: str = "file", **stated: Any) -> str | None:
    dialect, _ = recognise(payload(content, name), Intake(file=name, now=NOW, **stated))
    return dialect.name if dialect else None
