"""Patients and keys as people name them: an id as ``medtwin patients`` lists it, or a source's key as SYSTEM|VALUE."""

from __future__ import annotations

from medtwin.errors import UnknownPatient
from medtwin.governance.grant import Grant
from medtwin.record.event import SourcePatient
from medtwin.record.sql import SqlStore


def name(key: SourcePatient) -> str:
    """A key as commands write it."""
    return f"{key.system}|{key.value}"


def whom(store: SqlStore, grant: Grant, said: str) -> str | SourcePatient:
    """A patient's id as it stands, else the key that is meant."""
    if "|" not in said or any(entry.id == said for entry in store.patients(grant)):
        return said
    system, _, value = said.rpartition("|")
    return SourcePatient(system, value)


def patient(store: SqlStore, grant: Grant, said: str) -> str:
    """The patient who is named, by id or by one of their keys; raises :class:`UnknownPatient`."""
    for entry in store.patients(grant):
        if entry.id == said or any(name(key) == said for key in entry.keys):
            return entry.id
    raise UnknownPatient("no patient of that name", where=said[:40], remedy="see `medtwin patients`")
