"""A wrong merge undone: the belief of each twin, folded again from the record, is the same to the bit."""

from dataclasses import replace

from medtwin.record import SourcePatient
from medtwin.record.home import open_store
from medtwin.twin.patients import Patients

OTHER = SourcePatient("CLINIC", "b-2")


def belief(store, grant, patient, at):
    life = Patients(store, grant).life(patient, at=at)
    return [piece.name for piece in life.twin.pieces], life.record.events


def test_beliefs_before_a_merge_and_after_its_undoing_are_the_same(short, own_home):
    hours = [event for event in short.events if event.quantity != "diagnosis"]
    diagnosis = [event for event in short.events if event.quantity == "diagnosis"]
    at = max(event.instant for event in short.events)
    theirs = [
        replace(
            event,
            subject=OTHER,
            key=f"b/{event.key}",
            value=event.value * (1.2 if event.quantity == "glucose" else 1.0),
        )
        for event in hours
    ]
    with open_store(own_home) as store:
        grant = store.issue_grant()
        for key, patient, events in ((short.events[0].subject, "A", short.events), (OTHER, "B", theirs)):
            store.link(key, patient, grant, zone="Europe/Berlin")
            store.append(events, grant)
        store.append([replace(event, subject=OTHER, key=f"b/{event.key}") for event in diagnosis], grant)
        before = {patient: belief(store, grant, patient, at) for patient in "AB"}
        store.merge("A", "B", grant)
        merged = belief(store, grant, "A", at)
        store.separate("A", "B", grant)
        after = {patient: belief(store, grant, patient, at) for patient in "AB"}
    assert merged[0] != before["A"][0]
    assert len(merged[1]) == sum(len(events) for _, events in before.values())
    assert after == before
