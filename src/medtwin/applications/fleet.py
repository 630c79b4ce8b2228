"""Many people followed live: bytes of a source -> the durable record -> beliefs -> what comes next, round by round.

A round takes what a source sent (:mod:`medtwin.sources.ingest`), carries the beliefs of all whom that concerns on
(:mod:`medtwin.twin.fleet`), and keeps them durably. Whatever ends the process, nothing that a round said it took is lost: the
record was durable before, and a new start takes up the kept beliefs and reads again what is not in them. A file whose round
did not end is sent again: what of it was stored is counted as a duplicate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from medtwin.sources.ingest import ingest, ingest_bytes
from medtwin.sources.report import Report
from medtwin.twin.choice import GLUCOSE, Choice, structure
from medtwin.twin.fleet import Fleet, Followed
from medtwin.twin.fleet_ahead import Ahead, ahead

if TYPE_CHECKING:
    from medtwin.governance.grant import Grant
    from medtwin.record.sql import SqlStore

PARTIAL = (".part", ".tmp", ".partial")  #: how a name ends while its sender still writes
Progress = Callable[[str, int, int], None]


@dataclass
class Round:
    """What one round did. ``stages``: CPU and wall seconds of this process, by stage."""

    number: int
    files: int = 0
    readings: int = 0  #: facts of glucose that were read, duplicates too
    facts: int = 0  #: new facts of any quantity
    duplicates: int = 0
    quarantined: int = 0
    not_stored: list[str] = field(default_factory=list)
    quick: int = 0  #: beliefs that were carried on
    anew: int = 0  #: beliefs that were made from the record
    without: int = 0  #: people for whom this model does not speak
    kept: int = 0
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    ahead: list[Ahead] = field(default_factory=list, repr=False)

    @property
    def wall(self) -> float:
        return sum(one["wall_s"] for one in self.stages.values())

    @property
    def cpu(self) -> float:
        return sum(one["cpu_s"] for one in self.stages.values())

    @property
    def per_second(self) -> float:
        """New facts a second of the wall's clock, all stages."""
        return self.facts / self.wall if self.wall else 0.0


class Live:
    """The beliefs of all for whom one glucose model speaks, and the rounds that move them."""

    def __init__(
        self, store: SqlStore, grant: Grant, *, model: str = GLUCOSE, minutes: int = 0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC), progress: Progress | None = None,
    ) -> None:  # fmt: skip
        """``minutes``: how far ahead to look after each round (0: not at all). Raises InferenceError for another model."""
        chosen = Choice("glucose", "asked for", *structure(model))
        self.store, self.grant, self.minutes, self.progress = store, grant, minutes, progress
        self.fleet = Fleet(store, grant, chosen, renew=store.issue_grant, clock=clock)
        self.rounds = 0

    def begin(self) -> Round:
        """Take up what was kept, and what was committed since; a round without a file."""
        made = Round(0)
        with self._stage(made, "load"):
            self.fleet.load(self.progress)
        self._onward(made)
        return made

    def take(self, sent: Sequence[Path] | bytes) -> Round:
        """One round: files of a source, or the bytes of one message such as lines of FHIR NDJSON."""
        self.rounds += 1
        made = Round(self.rounds)
        with self._stage(made, "record"):
            if isinstance(sent, bytes):
                report = ingest_bytes(sent, f"stream-{self.rounds}.ndjson", self.store, self.grant)
            else:
                report = ingest(sent, self.store, self.grant, progress=self.progress)
        self._counted(made, report)
        self._onward(made)
        return made

    def _counted(self, made: Round, report: Report) -> None:
        made.files = report.files
        for row in report.sources:
            made.readings += row.quantities.get("glucose", 0)
            made.facts += row.new
            made.duplicates += row.duplicate
            made.quarantined += row.quarantined
        made.not_stored = [f"{lost.file}: {lost.reason}" for lost in report.not_stored]

    def _onward(self, made: Round) -> None:
        before = dict(self.fleet.fold.spent)
        with self._stage(made, "follow"):
            done: Followed = self.fleet.follow(self.progress)
        made.quick, made.anew, made.without = done.quick, done.anew, done.without
        filtered = {name: value - before[name] for name, value in self.fleet.fold.spent.items()}
        for name in ("cpu_s", "wall_s"):  # the filter is a part of following: shown apart, counted once
            made.stages["follow"][name] -= filtered[name]
        made.stages["filter"] = filtered
        moved = sorted(self.fleet.changed)
        with self._stage(made, "keep"):
            made.kept = self.fleet.keep(self.progress)
        if self.minutes and moved:
            with self._stage(made, "ahead"):
                made.ahead = ahead(self.fleet, moved, self.minutes)
        for stage in made.stages.values():
            stage.update({name: round(value, 4) for name, value in stage.items()})

    @contextmanager
    def _stage(self, made: Round, name: str) -> Iterator[None]:
        cpu, wall = time.process_time(), time.monotonic()
        yield
        made.stages[name] = {"cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}


def waiting(folder: Path, seen: dict[Path, tuple[int, int]]) -> list[Path]:
    """Files of a folder that came or changed since ``seen`` (size and time of change by path, brought up to date), by name.

    Hidden files and those whose name says that they are still being written (``.part``, ``.tmp``) wait. A file that is written in
    place is read again when it has grown: what was read of it is a duplicate then, and a line that was half there stays in
    quarantine.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") or path.suffix in PARTIAL or not path.is_file():
            continue
        state = path.stat()
        mark = (state.st_size, state.st_mtime_ns)
        if seen.get(path) != mark:
            seen[path] = mark
            found.append(path)
    return found
