"""Rounds of a fleet in process: what a folder holds, what a round says, and who is likely low."""

import json
from datetime import UTC, datetime, timedelta

import jax
import numpy as np
import pytest

from medtwin.applications.fleet import Live, waiting
from medtwin.errors import InferenceError
from medtwin.inference.belief import members
from medtwin.record import Code, Event, Moment, Source, SourcePatient
from medtwin.record.home import open_store
from medtwin.twin.fleet_ahead import LOW, ahead

BEGIN = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
TYPE_1 = Code("http://snomed.info/sct", "46635009", "Diabetes mellitus type 1")
LEVELS = {"p0": 62, "p1": 120, "p2": 210}


def told(patient):
    at = BEGIN - timedelta(days=1)
    facts = (("diagnosis", TYPE_1), ("body_weight", 70.0), ("insulin_basal_rate", 0.8))
    return [
        Event(
            subject=SourcePatient("fhir", patient), quantity=quantity, value=value, time=Moment.of(at), available=at,
            source=Source("fhir", "fhir_r4/1", "0" * 32, "before", "before"), key=f"{patient}/{quantity}",
        )
        for quantity, value in facts
    ]  # fmt: skip


def observation(patient, value, at):
    stamp = at.isoformat().replace("+00:00", "Z")
    return json.dumps(
        {
            "resourceType": "Observation", "id": f"{patient}-{at:%H%M}", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "99504-3"}]},
            "subject": {"reference": f"Patient/{patient}"}, "effectiveDateTime": stamp, "issued": stamp,
            "valueQuantity": {"value": value, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"},
        }
    )  # fmt: skip


def lines(turn):
    return "\n".join(observation(p, level, BEGIN + timedelta(minutes=5 * turn)) for p, level in LEVELS.items()) + "\n"


def home(store):
    for patient in LEVELS:
        store.link(SourcePatient("fhir", patient), patient, store.issue_grant(), zone="Europe/Berlin")
        store.append(told(patient), store.issue_grant())


def test_what_waits_in_a_folder(tmp_path):
    seen = {}
    (tmp_path / "b.json").write_text("{}")
    (tmp_path / "a.json").write_text("{}")
    for hidden in (".a.json", "c.part", "d.json.tmp"):
        (tmp_path / hidden).write_text("{}")
    assert [p.name for p in waiting(tmp_path, seen)] == ["a.json", "b.json"]
    assert waiting(tmp_path, seen) == []
    (tmp_path / "a.json").write_text('{"more": 1}')
    assert [p.name for p in waiting(tmp_path, seen)] == ["a.json"]


def test_rounds_and_what_comes_next(own_home, tmp_path):
    now = [BEGIN]
    with open_store(own_home) as store:
        home(store)
        live = Live(store, store.issue_grant(), minutes=30, clock=lambda: now[0])
        begun = live.begin()
        assert (begun.number, begun.without, begun.kept) == (0, 3, 0)  # no reading yet: nothing to believe
        for turn in range(3):
            now[0] = BEGIN + timedelta(minutes=5 * turn + 1)
            file = tmp_path / f"{turn}.ndjson"
            file.write_text(lines(turn))
            made = live.take([file])
            assert (made.files, made.readings, made.facts, made.kept, made.not_stored) == (1, 3, 3, 3, [])
            assert (made.anew, made.quick) == ((3, 0) if turn == 0 else (0, 3))
        again = live.take([file])
        assert (again.facts, again.duplicates, again.kept) == (0, 3, 0)
        streamed = live.take(observation("p1", 118, BEGIN + timedelta(minutes=11)).encode())
        assert (streamed.facts, streamed.quick, streamed.kept) == (1, 1, 1)
        assert set(made.stages) == {"record", "follow", "filter", "keep", "ahead"}
        assert made.per_second == pytest.approx(3 / sum(one["wall_s"] for one in made.stages.values()))
        assert [one.patient for one in made.ahead] == ["p0", "p1", "p2"]  # likeliest low first
        assert made.ahead[0].low > 0.3 > made.ahead[1].low
        assert made.ahead[0].at == BEGIN + timedelta(minutes=40)
        fleet = live.fleet
        with pytest.raises(InferenceError, match="multiple of 5"):
            ahead(fleet, ["p0"], 7)
        for one in ahead(fleet, ["nobody", "p0", "p2"], 30):
            # against members of the belief, each carried there on its own
            problem, count = fleet.problem(one.patient), 600
            state, parameters = members(problem, fleet.belief(one.patient), count, jax.random.key(0))
            member = fleet.members[one.patient]
            inputs = {q: d.held(member.step, 30) for q, d in member.doses.items()}

            def step(carry, given, parameters=parameters, model=problem.model):
                state, t = carry
                return (model.step(t, np.float64(1.0), state, parameters, given), t + 1.0), None

            start = np.float64(member.axis.since_midnight(member.step))
            (state, end), _ = jax.lax.scan(step, (state, start), inputs)
            seen = np.asarray(problem.model.observe(end, state, parameters)["glucose"])
            assert one.mean == pytest.approx(seen.mean(), abs=4 * seen.std() / np.sqrt(count) + 1.0)
            assert one.sd > 0.9 * seen.std()  # and the sensor's error, and what time adds
            assert 0.0 <= one.low <= 1.0
            assert (one.low > 0.5) == (one.mean < LOW)
