"""What HL7v2 messages mean where senders are terse: authorities, merges, ends, cancellations, corrections, zones."""

from __future__ import annotations

from medtwin.governance.grant import Grant
from medtwin.record.event import Event, Flag, Intent, SourcePatient, Status
from medtwin.record.sql import SqlStore
from medtwin.sources.hl7v2 import Reader
from medtwin.sources.ingest import ingest_bytes
from sources.reading import events, parts, reasons

READER = Reader()
PID = "PID|1||123^^^HOSP^MR||DOE^J||19700101|M"


def message(kind: str, *segments: str, sent: str = "20240601120000+0200", pid: str = PID) -> bytes:
    head = rf"MSH|^~\&|LAB|HOSPITAL|EHR|HOSPITAL|{sent}||{kind}|1|P|2.5"
    return "\r".join([head, pid, *segments]).encode() + b"\r"


def of(content: bytes, quantity: str, **stated: str) -> list[Event]:
    return [event for event in events(content, READER, **stated) if event.quantity == quantity]


def test_a_stated_source_keeps_two_authorities_apart() -> None:
    owners = {
        parts(message("ADT^A08", pid=PID.replace("HOSP", name)), READER, source="engine")[0].owner
        for name in ("HOSP1", "HOSP2", "")
    }
    assert owners == {SourcePatient(name, "123") for name in ("HOSP1", "HOSP2", "engine")}
