"""The record as data frames, for notebooks, and as sorted Parquet, for DuckDB and polars.

``frame(record.events)`` has one row a fact; times are UTC microseconds, values in the quantity's own unit. polars is
imported when it is asked for, so that nothing else pays for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from medtwin.governance.grant import Grant
from medtwin.quantities import registry
from medtwin.record.event import ArtifactId, Code, Event
from medtwin.record.store import Store

if TYPE_CHECKING:
    import polars

DIALECT = "medtwin-facts/1"


def _schema() -> dict[str, Any]:
    import polars as pl

    moment, text = pl.Datetime("us", "UTC"), pl.String
    return {
        "quantity": text, "time": moment, "value": pl.Float64, "unit": text, "text": text, "unit_text": text,
        "comparator": text, "sd": pl.Float64, "code_system": text, "code": text, "display": text,
        "negated": pl.Boolean, "unconfirmed": pl.Boolean, "artifact": text, "until": moment, "precision": text,
        "offset_known": pl.Boolean,
        "local": pl.Datetime("us"), "available": moment, "recorded": pl.Int64, "intent": text, "status": text,
        "basis": text, "group": text, "flags": pl.List(text), "key": text, "id": text, "supersedes": text,
        "owner_system": text, "owner": text, "source": text, "dialect": text, "raw": text, "locator": text,
        "file": text,
    }  # fmt: skip


def _row(event: Event) -> tuple[Any, ...]:
    quantity = registry.find(event.quantity)
    value, code = event.value, event.value if isinstance(event.value, Code) else None
    return (
        event.quantity, event.instant, value if isinstance(value, (int, float)) else None,
        quantity.unit if quantity is not None else None, event.text, event.unit_text, event.comparator, event.sd,
        code and code.system, code and code.code, code and code.display, code and code.negated,
        code and code.unconfirmed,
        value.hash if isinstance(value, ArtifactId) else None, event.until.instant if event.until else None,
        event.time.precision.name.lower(), event.time.offset_known, event.time.local, event.available, event.recorded,
        event.intent, event.status, event.basis, event.group, list(event.flags), event.key, event.id,
        event.supersedes, event.subject.system, event.subject.value, event.source.system, event.source.dialect,
        event.source.raw, event.source.locator, event.source.file,
    )  # fmt: skip


def frame(events: Iterable[Event]) -> polars.DataFrame:
    """One row a fact, in the order given. An unknown offset shows as ``offset_known`` false; ``local`` is the clock."""
    import polars as pl

    columns = _schema()
    rows = list(zip(*map(_row, events), strict=True)) or [()] * len(columns)
    return pl.DataFrame(
        [
            pl.Series(name, [None if v is None else str(v) for v in values] if kind == pl.String else values, kind)
            for (name, kind), values in zip(columns.items(), rows, strict=True)
        ]
    )


def signal(
    store: Store, patient: str, quantity: str, since: datetime, until: datetime, grant: Grant
) -> polars.DataFrame:
    """(time, value) of one signal in ``since <= time < until``, in the quantity's own unit."""
    import polars as pl

    found = store.signal(patient, quantity, since, until, grant)
    columns = list(zip(*found, strict=True)) or [(), ()]
    return pl.DataFrame(
        [pl.Series("time", columns[0], pl.Datetime("us", "UTC")), pl.Series("value", columns[1], pl.Float64)]
    )


def patients(store: Store, grant: Grant) -> polars.DataFrame:
    """The worklist: id, name, zone, synthetic, events, first, last, sequence."""
    import polars as pl

    moment = pl.Datetime("us", "UTC")
    columns: dict[str, Any] = {
        "id": pl.String, "name": pl.String, "zone": pl.String, "synthetic": pl.Boolean, "events": pl.Int64,
        "first": moment, "last": moment, "sequence": pl.Int64,
    }  # fmt: skip
    entries = store.patients(grant)
    return pl.DataFrame(
        [pl.Series(name, [getattr(entry, name) for entry in entries], kind) for name, kind in columns.items()]
    )


def export_parquet(
    store: Store, folder: str | Path, grant: Grant, patients: Iterable[str] | None = None, *, history: bool = False
) -> tuple[Path, ...]:
    """Write ``folder/patient=<id>/facts.parquet`` for each patient, sorted by quantity and time; the files.

    DuckDB reads all with ``read_parquet('folder/*/*.parquet', hive_partitioning = true)``, polars with
    ``scan_parquet(..., hive_partitioning=True)``. ``history`` adds superseded and withdrawn facts. The files are plain:
    they hold what they show, for whoever can read them (mode 0600).
    """
    folder = Path(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = []
    for patient in patients if patients is not None else [entry.id for entry in store.patients(grant)]:
        record = store.record(patient, grant)
        place = folder / f"patient={quote(patient, safe='')}"
        place.mkdir(mode=0o700, exist_ok=True)
        path, part = place / "facts.parquet", place / "facts.parquet.part"
        table = frame(record.history if history else record.events).sort("quantity", "time", "recorded")
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        table.write_parquet(part, compression="zstd", metadata={"dialect": DIALECT})
        part.replace(path)
        written.append(path)
    return tuple(written)
