"""What is known of a patient: Event, Record, Store."""

from medtwin.record.event import (
    ArtifactId,
    Basis,
    Code,
    Comparator,
    Event,
    Flag,
    Intent,
    Source,
    SourcePatient,
    Status,
)
from medtwin.record.moment import Moment, Precision
from medtwin.record.record import Record
from medtwin.record.store import Receipt, Store

__all__ = [
    "ArtifactId", "Basis", "Code", "Comparator", "Event", "Flag", "Intent", "Moment", "Precision", "Receipt", "Record",
    "Source", "SourcePatient", "Status", "Store",
]  # fmt: skip
