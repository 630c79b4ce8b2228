"""What became of an intake: a table per source, reasons, and an exit code. Dialect ``medtwin-ingest-report/1``."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct, field

DIALECT = "medtwin-ingest-report/1"


class SourceRow(Struct, kw_only=True):
    """One sending system read by one dialect."""

    source: str
    dialect: str
    files: int = 0
    read: int = 0  #: facts that were read
    new: int = 0
    duplicate: int = 0
    superseded: int = 0  #: older facts that a new one replaced
    unassigned: int = 0  #: facts read whose person is not known yet
    quarantined: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    quantities: dict[str, int] = field(default_factory=dict)  #: facts read, by quantity
    unmapped: dict[str, int] = field(default_factory=dict)  #: understood, kept, without a quantity here


class NotStored(Struct, kw_only=True):
    """Something that ended neither as a fact nor in quarantine: send it again, but where it contradicts what is stated."""

    file: str
    reason: str
    again: bool = True


class Report(Struct, kw_only=True):
    """The end of an intake."""

    dialect: Literal["medtwin-ingest-report/1"] = "medtwin-ingest-report/1"
    files: int = 0
    size: int = 0  #: bytes, of payloads whose size was known
    raw_kept: int = 0
    raw_duplicate: int = 0
    sequence: int = 0  #: newest commit sequence
    sources: list[SourceRow] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)  #: ids of the patients whose facts came in
    quarantine: list[int] = field(default_factory=list)  #: ids of quarantine items
    notes: list[str] = field(default_factory=list)
    not_stored: list[NotStored] = field(default_factory=list)

    def row(self, source: str, dialect: str) -> SourceRow:
        """The row of that source and dialect, made when new."""
        for row in self.sources:
            if row.source == source and row.dialect == dialect:
                return row
        row = SourceRow(source=source, dialect=dialect)
        self.sources.append(row)
        return row

    @property
    def exit_code(self) -> int:
        """0 when everything ended as facts or in quarantine, 1 when something was not stored."""
        return 1 if self.not_stored else 0

    @property
    def new(self) -> int:
        return sum(row.new for row in self.sources)

    def to_json(self) -> bytes:
        return msgspec.json.encode(self)


def schema() -> dict[str, object]:
    """JSON Schema of the report."""
    return msgspec.json.schema(Report)
