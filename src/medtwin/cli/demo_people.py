"""The demo's people and its home: when their life begins, their files, and how far it has come."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from medtwin.cli.common import progress
from medtwin.errors import MedtwinError

if TYPE_CHECKING:
    from medtwin.worlds import Person

DIALECT = "medtwin-demo/1"
STATE = "demo.json"
BEHIND = timedelta(hours=47)  #: how far before the present a new demo begins
OLDEST = timedelta(days=14)  #: a demo that began earlier is made anew
AHEAD = 24.0  #: hours of life beyond the present


class DemoError(MedtwinError):
    """A demo that does not show what it must."""


def beginning(folder: Path) -> datetime:
    """When the demo's life begins: as it was, or anew where there is none or where it lies far back."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    file = folder / STATE
    if file.exists():
        state = json.loads(file.read_text(encoding="utf-8"))
        if state.get("dialect") != DIALECT:
            raise DemoError(f"a demo of dialect {state.get('dialect')!r}", expected=DIALECT, where=str(folder),
                            remedy="remove that folder, or name another with --home")  # fmt: skip
        start = datetime.fromisoformat(state["start"])
        if timedelta(0) <= now - start <= OLDEST:
            return start
        shutil.rmtree(folder)  # nothing but the demo's own is in a folder that carries its mark
    elif folder.exists() and any(folder.iterdir()):
        raise DemoError("a folder that is no demo's", expected=f"{STATE} in it, or no such folder", where=str(folder),
                        remedy="name another with --home")  # fmt: skip
    return now - BEHIND


def make_people(start: datetime) -> list[Person]:
    from medtwin.worlds import demo_persons

    lived = (datetime.now(UTC) - start) / timedelta(hours=1)
    return demo_persons(start, ahead_hours=float(int(lived + AHEAD)))


def identity(person: Person) -> str:
    return person.name.lower()


def take_in(folder: Path, people: Sequence[Person], start: datetime, *, quiet: bool) -> None:
    """Write their files and take them in by the path that anybody's files take; once."""
    from medtwin.record.home import open_store
    from medtwin.sources.ingest import ingest
    from medtwin.worlds import export

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / STATE
    state = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if state.get("taken_in"):
        return
    state = {"dialect": DIALECT, "start": start.isoformat(), "taken_in": False}
    file.write_text(json.dumps(state), encoding="utf-8")
    with open_store(folder) as store:
        grant = store.issue_grant()
        for person in people:
            paths = export.write(person, folder / "incoming" / identity(person))
            mappings = [path for path in paths if path.name.endswith(".mapping.yaml")]
            with progress(f"taking in the files of {person.name}", quiet=quiet, unit="bytes") as tell:
                report = ingest(
                    [path for path in paths if path not in mappings], store, grant, patient=identity(person),
                    zone=person.zone, mapping=mappings or None, progress=tell,
                )  # fmt: skip
            if report.not_stored:
                raise DemoError(f"files that were not stored: {report.not_stored[0].reason}", where=person.name,
                                remedy="run the demo again; `medtwin doctor` looks at its home")  # fmt: skip
    file.write_text(json.dumps({**state, "taken_in": True}), encoding="utf-8")


def reached(folder: Path, start: datetime) -> datetime:
    """Where the demo's life has come to: the newest fact that it holds."""
    from medtwin.record.home import open_store

    with open_store(folder) as store:
        lasts = [entry.last for entry in store.patients(store.issue_grant()) if entry.last is not None]
    return min(max([start, *lasts]), datetime.now(UTC))
