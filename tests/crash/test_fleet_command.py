"""``medtwin fleet`` killed between rounds and within one: what a folder held is in the record once, and beliefs catch up."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import numpy as np
import pytest

from crash.fleet_victim import BEGIN, PATIENTS, TYPE_1
from medtwin.record import Event, Moment, Source, SourcePatient
from medtwin.record.home import open_store
from medtwin.twin.choice import Choice, choose, structure
from medtwin.twin.fleet import Fleet
from medtwin.twin.twin import assimilate

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def told(patient):
    at = BEGIN - timedelta(hours=1)
    facts = (("diagnosis", TYPE_1), ("body_weight", 60.0 + 10.0 * PATIENTS.index(patient)), ("insulin_basal_rate", 0.8))
    return [
        Event(
            subject=SourcePatient("fhir", patient), quantity=quantity, value=value, time=Moment.of(at), available=at,
            source=Source("fhir", "fhir_r4/1", "0" * 32, "before", "before"), key=f"{patient}/{quantity}",
        )
        for quantity, value in facts
    ]  # fmt: skip


def arrives(folder, turn):
    """A file of a round, whole at once."""
    rows = []
    for i, patient in enumerate(PATIENTS):
        stamp = (BEGIN + timedelta(minutes=5 * turn + i)).isoformat().replace("+00:00", "Z")
        rows.append(
            {
                "resourceType": "Observation", "id": f"{patient}-{turn}", "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "99504-3"}]},
                "subject": {"reference": f"Patient/{patient}"}, "effectiveDateTime": stamp, "issued": stamp,
                "valueQuantity": {"value": 110 + 20 * i + 3 * turn, "unit": "mg/dL",
                                  "system": "http://unitsofmeasure.org", "code": "mg/dL"},
            }
        )  # fmt: skip
    part = folder / f"{turn}.ndjson.part"
    part.write_text("\n".join(json.dumps(row) for row in rows))
    part.rename(folder / f"{turn}.ndjson")


def command(home, folder, *more):
    line = [
        sys.executable,
        "-m",
        "medtwin",
        "fleet",
        str(folder),
        "--json",
        "--home",
        str(home),
        "--every",
        "0.1",
        *more,
    ]
    return subprocess.Popen(line, stdout=subprocess.PIPE)


def until(process, wanted):
    """Documents up to the first for which ``wanted`` holds."""
    said = []
    while line := process.stdout.readline():
        said.append(json.loads(line))
        if wanted(said[-1]):
            return said
    pytest.fail("the command ended")


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    process.stdout.close()


def test_a_killed_command_goes_on_where_it_was(own_home, tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    with open_store(own_home) as store:
        for patient in PATIENTS:
            store.link(SourcePatient("fhir", patient), patient, store.issue_grant(), zone="Europe/Berlin")
            store.append(told(patient), store.issue_grant())
    arrives(folder, 0)
    process = command(own_home, folder)
    try:
        (*_, first) = until(process, lambda one: one["round"] == 1)
        assert (first["readings"], first["made_anew"], first["kept"]) == (3, 3, 3)
        assert first["readings_per_s"] > 0
        arrives(folder, 1)
        (second,) = until(process, lambda one: one["round"] == 2)
        assert (second["carried_on"], second["made_anew"], second["kept"]) == (3, 0, 3)
    finally:
        kill(process)  # between two rounds
    arrives(folder, 2)
    process = command(own_home, folder)
    try:
        (taken_up, *_) = until(process, lambda one: one["round"] == 1)
        assert (taken_up["people"], taken_up["made_anew"]) == (3, 0)
        arrives(folder, 3)
        time.sleep(0.15)  # it has seen the file, or is about to
    finally:
        kill(process)  # somewhere in a round
    process = command(own_home, folder, "--once")
    said = [json.loads(line) for line in process.stdout]
    process.stdout.close()
    assert process.wait(60) == 0
    assert [one["round"] for one in said] == [0, 1]
    assert all(one["made_anew"] == 0 for one in said)  # beliefs were taken up, none made from the record again
    assert said[1]["facts"] + said[1]["duplicates"] == 3 * 4
    with open_store(own_home) as store:
        grant = store.issue_grant()
        assert store.verify_audit()[1] is None
        fleet = Fleet(store, grant, Choice("glucose", "a test", *structure("glucose_insulin")))
        assert fleet.load() == 3
        assert fleet.follow().facts == 0
        for patient in PATIENTS:
            record = store.record(patient, grant)
            assert len(record.of("glucose")) == 4
            twin, _ = assimilate(patient, choose(record), record, fleet.at(patient) + timedelta(seconds=29))
            for found, expected in zip(fleet.belief(patient).moments(), twin.belief.moments(), strict=True):
                np.testing.assert_allclose(found, expected, atol=1e-8, rtol=1e-8)
