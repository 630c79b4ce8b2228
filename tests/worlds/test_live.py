"""The stream that goes on where the files stop."""

from datetime import UTC, datetime, timedelta

import pytest

from medtwin.worlds import demo_persons, export, live
from medtwin.worlds.export import fhir

NOW = datetime(2026, 3, 11, 14, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def people():
    return demo_persons(NOW, days=2, ahead_hours=6)


def test_events_continue_without_gap_or_repeat(people):
    for p in people:
        seen = {(f.quantity, f.time, f.source) for name in export.PLAN[p.kind] for f in export.chosen(p, name)}
        last = NOW
        for moment, quantity, value, fact in live.events(p):
            assert moment >= last
            last = moment
            assert (quantity, fact.time, fact.source) not in seen
            assert value == fact.value
        assert last <= NOW + timedelta(hours=6, minutes=60)
    ada = people[0]
    first = next(f for f in ada.to_come() if f.quantity == "glucose")
    assert first.time - ada.told("glucose")[-1].time <= timedelta(minutes=60)


def test_streamed_resources_have_ids_of_their_own(people):
    for p in people:
        written = {r["id"] for name in export.PLAN[p.kind] for r in fhir.resources(p, export.chosen(p, name))}
        streamed = [r["id"] for _, r in live.resources(p)]
        assert len(set(streamed)) == len(streamed)
        assert not written & set(streamed)


def test_the_stream_keeps_its_pace(people):
    now, waits = [0.0], []

    def sleep(seconds):
        waits.append(seconds)
        now[0] += seconds

    moments = []
    for moment, someone, resource in live.stream(people, factor=120.0, sleep=sleep, clock=lambda: now[0]):
        assert now[0] == pytest.approx((moment - NOW).total_seconds() / 120.0, abs=1e-6)
        assert resource["resourceType"] in ("Observation", "MedicationAdministration")
        assert someone in people
        moments.append(moment)
    assert moments == sorted(moments)
    assert sum(waits) == pytest.approx((moments[-1] - NOW).total_seconds() / 120.0)
    with pytest.raises(ValueError, match="positive"):
        next(live.stream(people, factor=0.0))


def test_a_cuff_reading_is_one_observation(people):
    clara = people[2]
    panels = [r for _, r in live.resources(clara) if r["code"]["coding"][0]["code"] == "85354-9"]
    for panel in panels:
        assert [c["code"]["coding"][0]["code"] for c in panel["component"]] == ["8462-4", "8478-0", "8480-6"]
