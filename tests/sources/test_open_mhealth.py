"""Open mHealth: the schemas' own checks, and the real points that must pass and must fail."""

import json
from pathlib import Path
from typing import Any

import pytest

from medtwin.record.event import Basis, Flag, SourcePatient
from medtwin.sources.item import Reason
from medtwin.sources.open_mhealth import Reader
from sources.reading import events, items, named, parts, reasons, unmapped

OMH = Reader()
WHEN = {"effective_time_frame": {"date_time": "2013-02-05T07:25:00Z"}}
HOUR = {
    "effective_time_frame": {
        "time_interval": {"start_date_time": "2013-02-05T06:25:00Z", "end_date_time": "2013-02-05T07:25:00Z"}
    }
}


def glucose(**fields: Any) -> dict[str, Any]:
    return {"blood_glucose": {"unit": "mg/dL", "value": 95}, **WHEN, **fields}


def encoded(point: Any) -> bytes:
    return json.dumps(point).encode()


def test_a_point() -> None:
    raw = encoded(glucose()).replace(b"95", b"95.0").replace(b"mg/dL", b"mmol/L")
    (event,) = events(raw, OMH)
    assert (event.quantity, event.text, event.unit_text, event.time.offset) == ("blood_glucose", "95.0", "mmol/L", 0)


def test_the_specimen_decides_which_glucose_it_is() -> None:
    (event,) = events(encoded(glucose(specimen_source="interstitial fluid")), OMH)
    assert event.quantity == "glucose"


def test_blood_pressure_is_a_group() -> None:
    point = {
        "systolic_blood_pressure": {"value": 160, "unit": "mmHg"},
        "diastolic_blood_pressure": {"value": 60, "unit": "mmHg"},
        **WHEN,
    }
    upper, lower = events(encoded(point), OMH)
    assert upper.group == lower.group
    assert (upper.value, lower.value) == (160, 60)


def test_intervals_by_any_two_of_three() -> None:
    lasted = {"value": 30, "unit": "min"}
    ends = {"time_interval": {"end_date_time": "2013-02-05T07:25:00Z", "duration": lasted}}
    starts = {"time_interval": {"start_date_time": "2013-02-05T06:55:00Z", "duration": lasted}}
    for frame in (ends, starts):
        (event,) = events(encoded({"step_count": 900, "effective_time_frame": frame}), OMH)
        assert (event.time.text, event.until.text) == ("2013-02-05T06:55:00+00:00", "2013-02-05T07:25:00+00:00")


def test_statistics_of_a_level_are_derived_and_of_an_amount_no_amount() -> None:
    (event,) = events(
        encoded({"heart_rate": {"value": 50, "unit": "beats/min"}, **HOUR, "descriptive_statistic": "minimum"}), OMH
    )
    assert event.basis is Basis.DERIVED
    steps = {
        "step_count": {"value": 12500, "unit": "steps"},
        **HOUR,
        "descriptive_statistic": "average",
        "descriptive_statistic_denominator": "d",
    }
    assert events(encoded(steps), OMH) == []
    assert unmapped(encoded(steps), OMH)["step_count average"] == 1


def test_activity_sleep_and_what_is_not_mapped() -> None:
    walk = {
        "activity_name": "walking",
        "distance": {"value": 1, "unit": "mi"},
        "kcal_burned": {"value": 160, "unit": "kcal"},
        "met_value": 3.5,
        **HOUR,
    }
    found = {event.quantity: event.value for event in events(encoded(walk), OMH)}
    assert found == {"physical_activity": 60, "distance_travelled": pytest.approx(1609.344), "active_energy": 160}
    assert unmapped(encoded(walk), OMH) == {"met_value": 1}


def test_a_header_names_the_person_the_fact_and_the_time_it_was_known() -> None:
    header = {
        "id": "u1",
        "creation_date_time": "2013-02-06T00:00:00Z",
        "user_id": "joe",
        "schema_id": {"namespace": "omh", "name": "blood-glucose", "version": "4.0"},
    }
    raw = encoded({"header": header, "body": glucose()})
    (event,) = events(raw, OMH)
    assert (event.subject, event.key) == (SourcePatient("open_mhealth", "joe"), "u1#blood_glucose")
    assert event.available.isoformat() == "2013-02-06T00:00:00+00:00"
    both = encoded(
        [{"header": header, "body": glucose()}, {"header": {**header, "id": "u2", "user_id": "ann"}, "body": glucose()}]
    )
    split = parts(both, OMH)
    assert [part.owner.value for part in split] == ["joe", "ann"]
    assert b"ann" not in split[0].raw
    assert [event.key for event in events(split[1].raw, OMH)] == ["u2#blood_glucose"]


@pytest.mark.parametrize(
    "point",
    [
        glucose(descriptive_statistic="minmum"),
        glucose(temporal_relationship_to_meal="fsting"),
        glucose(temporal_relationship_to_sleep="bfore sleeping"),
        glucose(specimen_source="fluid"),
        glucose(blood_glucose={"value": 95}),
        glucose(blood_glucose={"unit": "mg/dL", "value": "95"}),
        glucose(blood_glucose={"unit": "mg/dL", "value": True}),
        glucose(blood_glucose={"unit": "mg/l", "value": 95}),
        glucose(effective_time_frame={"date_time": "2013-02-05T07:25:00"}),
        glucose(effective_time_frame={"date_time": "2013-02-05"}),
        glucose(effective_time_frame={"date_time": ""}),
        glucose(effective_time_frame={"start_date_time": "2013-02-05T07:25:00Z"}),
        glucose(effective_time_frame={"time_interval": {"start_date_time": "2013-02-05T07:25:00Z"}}),
        glucose(effective_time_frame={"time_interval": {"date": "2013-02-05", "part_of_day": "evening"}}),
        {"blood_glucose": {"unit": "mg/dL", "value": 95}},
        {"heart_rate": {"value": 60, "unit": "beat/min"}, **WHEN},
        {"body_weight": {"value": 50, "unit": "km"}, **WHEN},
        {"body_temperature": {"value": 36, "unit": "G"}, **WHEN},
        {"step_count": 6000, **WHEN},
        {"step_count": "6000", **HOUR},
        {"sleep_duration": {"value": 24000, "unit": "s"}, **HOUR},
        {"kcal_burned": {"value": 1600, "unit": "kcalories"}, **HOUR},
        {"systolic_blood_pressure": {"value": 160, "unit": "mmHg"}, **WHEN},
        {"activity_name": "walking", "distance": {"value": 3.2, "unit": "miles"}, **HOUR},
        {"activity_name": "walking"},
    ],
)  # fmt: skip
def test_a_point_that_breaks_its_schema_gives_its_reason(point: dict[str, Any]) -> None:
    assert events(encoded(point), OMH) == []
    (reason,) = reasons(encoded(point), OMH)
    assert reason.found
    assert reason.expected


def verdict(path: Path) -> str:
    """What becomes of a file: facts, a reason, or no dialect at all."""
    raw = path.read_bytes()
    if named(raw, path.name) != "open_mhealth":
        return "unknown"
    found = items(raw, OMH)
    return "reason" if any(isinstance(item, Reason) for item in found) else "facts"


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["metabolism/exports/open_mhealth", "plumbing/openmhealth"])
def test_every_point_that_should_fail_is_quarantined(shared_data: Path, folder: str) -> None:
    failing = sorted((shared_data / folder).rglob("shouldFail/*.json"))
    assert len(failing) > 70
    passed = [str(path) for path in failing if verdict(path) == "facts"]
    assert passed == []


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["metabolism/exports/open_mhealth", "plumbing/openmhealth"])
def test_every_point_that_should_pass_is_a_fact_or_cannot_be_placed_in_time(shared_data: Path, folder: str) -> None:
    """Schemas 1.x and 2.x allow points that no clock can place; those wait in quarantine, and say why."""
    timeless = {"a point without effective_time_frame", "a part of a day", "an interval that ends before it starts"}
    passing = sorted((shared_data / folder).rglob("shouldPass/*.json"))
    facts = 0
    for path in passing:
        raw = path.read_bytes()
        if named(raw, path.name) != "open_mhealth":
            assert path.parts[-4] in FRAGMENTS, path
            continue
        found = {reason.found for reason in reasons(raw, OMH)}
        assert found <= timeless, (path, found)
        facts += not found
    assert facts >= 30


#: schemas of fragments of a point, and of measures without a quantity here
FRAGMENTS = {
    "date-time", "local-time", "time-frame", "time-interval", "temporal-relationship-to-physical-activity",
    "temporal-relationship-to-sleep", "diastolic-blood-pressure", "expiratory-time", "inspiratory-time", "rr-interval",
    "hk-category-sample", "hk-quantity-sample",
}  # fmt: skip


@pytest.mark.parametrize("named", [True, False])
def test_several_values_of_one_moment_contradict_each_other(named: bool) -> None:
    def point(number: int, value: int, **more: Any) -> dict[str, Any]:
        body = glucose(blood_glucose={"unit": "mg/dL", "value": value}, **more)
        header = {"id": f"p{number}", "user_id": "u", "creation_date_time": "2024-01-01T00:00:00Z",
                  "schema_id": {"namespace": "omh", "name": "blood-glucose", "version": "3.0"}}  # fmt: skip
        return {"header": header, "body": body} if named else body

    found = events(encoded([point(1, 70), point(2, 90)]), OMH)
    assert len({event.key for event in found}) == 2
    assert all(Flag.CONTRADICTED in event.flags for event in found)
    for second in (point(2, 70), point(2, 90, descriptive_statistic="maximum")):
        assert not any(Flag.CONTRADICTED in event.flags for event in events(encoded([point(1, 70), second]), OMH))
