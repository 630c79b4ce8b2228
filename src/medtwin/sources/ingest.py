"""Ingest: paths or bytes to durable facts, by one path for files and for live messages.

For each part of a payload the raw bytes are kept first and the facts are appended after, so that a crash may leave raw
bytes without facts, never facts without raw bytes; sending the file again completes it. Nothing is rejected at the
door: what is not understood goes to quarantine with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from medtwin.governance.grant import Grant
from medtwin.record.store import Store
from medtwin.sources import archives
from medtwin.sources.archives import Plain
from medtwin.sources.mapping import Table, load
from medtwin.sources.report import NotStored, Report
from medtwin.sources.run import QUARANTINE, Run, held

__all__ = ["QUARANTINE", "ingest", "ingest_bytes", "replay"]

Mapping = Path | str | Table
Progress = Callable[[str, int, int], None]


def ingest(
    paths: Iterable[Path | str], store: Store, grant: Grant, *, patient: str | None = None, zone: str | None = None,
    source: str | None = None, mapping: Mapping | Sequence[Mapping] | None = None, progress: Progress | None = None,
    now: datetime | None = None, units: dict[str, str] | None = None,
) -> Report:  # fmt: skip
    """Take in files, folders and archives.

    ``patient`` is whose the facts are where an export names nobody; ``zone`` is the IANA zone of wall clocks that came
    without an offset; ``source`` names the sending system; ``mapping`` says how tables are read;
    ``units`` overrules, by quantity, the unit that a source writes. ``progress`` is called
    with (name, bytes done, bytes in all). Raises :class:`FormatError` for a wrong mapping or zone, and
    :class:`AccessDenied`; everything else ends in the report.
    """
    run = Run(store, grant, patient, zone, source, _tables(mapping), now, units=units)
    known, missing = _sized(paths)
    for name in missing:
        run.report.not_stored.append(NotStored(file=name, reason="found no such file"))
    total, done = sum(file.size for file in known), 0
    for file in known:
        if progress is not None:
            progress(file.name, done, total)
        for payload in archives.walk(file):
            run.take(payload)
        done += file.size
    report = run.finish()
    if progress is not None:
        progress("", total, total)
    return report


def ingest_bytes(
    content: bytes, name: str, store: Store, grant: Grant, *, patient: str | None = None, zone: str | None = None,
    source: str | None = None, mapping: Mapping | Sequence[Mapping] | None = None, now: datetime | None = None,
) -> Report:  # fmt: skip
    """Take in one message, such as a FHIR resource that a server received: the same path as files."""
    run = Run(store, grant, patient, zone, source, _tables(mapping), now, cached=True)
    for payload in archives.walk(held(name, content)):
        run.take(payload)
    return run.finish()


def replay(
    ids: Iterable[int] | None, store: Store, grant: Grant, *, patient: str | None = None, zone: str | None = None,
    source: str | None = None, mapping: Mapping | Sequence[Mapping] | None = None, now: datetime | None = None,
    units: dict[str, str] | None = None,
) -> Report:  # fmt: skip
    """Read quarantined bytes again with the present readers and mappings (``ids`` None: all of them).

    An item is resolved when its bytes are read without the reason at its place. What was understood the first time is
    a duplicate now.
    """
    run = Run(store, grant, patient, zone, source, _tables(mapping), now, units=units)
    wanted = None if ids is None else set(ids)
    items_of: dict[str, list[tuple[int, str, str]]] = {}
    files: dict[str, str] = {}
    for item in store.quarantined(grant):
        if wanted is None or item.id in wanted:
            items_of.setdefault(item.raw, []).append((item.id, item.locator, item.found))
            files[item.raw] = item.file
    for raw, items in items_of.items():
        content = store.raw(None, raw, grant)
        run.refused.clear()
        run.again(raw)
        for payload in archives.walk(held(files[raw], content)):
            run.take(payload)
        run.flush()
        still = set(run.refused)
        for number, locator, _ in items:
            if locator not in still and "" not in still:
                store.resolve(number, grant)
    return run.finish()


def _tables(mapping: Mapping | Sequence[Mapping] | None) -> tuple[Table, ...]:
    if mapping is None:
        return ()
    given = [mapping] if isinstance(mapping, (str, Path, Table)) else mapping
    tables: list[Table] = []
    for one in given:
        tables.extend([one] if isinstance(one, Table) else load(one))
    return tuple(tables)


def _sized(paths: Iterable[Path | str]) -> tuple[list[Plain], list[str]]:
    found: list[Plain] = []
    missing: list[str] = []
    for path in paths:
        if Path(path).exists():
            found.extend(archives.files([path]))
        else:
            missing.append(str(path))
    return found, missing
