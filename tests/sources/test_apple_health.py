"""Apple Health: each record's own offset, fractions, insulin, correlations, entities refused, memory flat."""

import io
import tracemalloc

import pytest

from medtwin.errors import FormatError
from medtwin.governance.grant import Grant
from medtwin.record.event import SourcePatient
from medtwin.record.sql import SqlStore
from medtwin.sources import apple_health
from medtwin.sources.apple_health import Reader
from medtwin.sources.archives import Plain
from medtwin.sources.ingest import ingest_bytes
from medtwin.sources.item import Intake, Origin
from sources.reading import NOW, events, named, parts, unmapped

APPLE = Reader()
ME = (
    '<Me HKCharacteristicTypeIdentifierDateOfBirth="1990-02-02" '
    'HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSexMale"/>'
)
DTD = "<!DOCTYPE HealthData [\n<!ELEMENT HealthData (ExportDate,Me,Record*)>\n<!ATTLIST Record type CDATA #REQUIRED>\n]>\n"


def record(kind: str, value: str, unit: str = "", start: str = "2018-09-10 02:28:55 -0700", end: str = "", inner: str = "",
           source: str = "Watch", created: str = "") -> str:  # fmt: skip
    return (
        f'<Record type="HKQuantityTypeIdentifier{kind}" sourceName="{source}" unit="{unit}" '
        f'creationDate="{created or end or start}" startDate="{start}" endDate="{end or start}" value="{value}">'
        f"{inner}</Record>\n"
    )


def export(*inner: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>\n' + DTD) -> bytes:
    return (head + '<HealthData locale="en_US">\n' + "".join(inner) + "</HealthData>\n").encode()


def test_a_record_carries_its_own_offset_and_zone() -> None:
    inner = '<MetadataEntry key="HKTimeZone" value="America/Los_Angeles"/>'
    raw = export(record("HeartRate", "72", "count/min", created="2018-09-10 02:47:35 -0700", inner=inner))
    (event,) = events(raw, APPLE)
    assert (event.quantity, event.value, event.time.offset, event.time.zone) == (
        "heart_rate", 72, -420, "America/Los_Angeles",
    )  # fmt: skip
    assert event.available.isoformat() == "2018-09-10T09:47:35+00:00"
    assert event.flags == ()
    assert event.until is None


@pytest.mark.parametrize(
    ("kind", "value", "unit", "quantity", "expected"),
    [
        ("OxygenSaturation", "0.97", "%", "oxygen_saturation", 97),
        ("BodyFatPercentage", "0.21", "%", "body_fat_fraction", 21),
        ("BodyMassIndex", "22.5", "count", "body_mass_index", 22.5),
        ("BodyMass", "154", "lb", "body_weight", 69.853),
        ("Height", "5.9", "ft", "body_height", 179.832),
        ("BodyTemperature", "98.6", "degF", "body_temperature", 37),
        ("BloodGlucose", "5.5", "mmol&lt;180.1558800000541&gt;/L", "blood_glucose", 99.0858),
        ("DietaryEnergyConsumed", "250", "Cal", "energy_intake", 250),
        ("StepCount", "120", "count", "step_count", 120),
        ("DietarySodium", "1500", "mg", "sodium_intake", 1500),
    ],
)
def test_types_and_their_units(kind: str, value: str, unit: str, quantity: str, expected: float) -> None:
    (event,) = events(export(record(kind, value, unit)), APPLE)
    assert (event.quantity, event.text) == (quantity, value)
    assert event.value == pytest.approx(expected, rel=1e-4)


def test_glucose_of_a_sensor_is_interstitial() -> None:
    (event,) = events(export(record("BloodGlucose", "100", "mg/dL", source="Dexcom G6")), APPLE)
    assert event.quantity == "glucose"


@pytest.mark.parametrize(
    ("reason", "end", "quantity", "value"),
    [
        ("2", "", "insulin_bolus", 1.5),
        ("1", "2018-09-10 02:58:55 -0700", "insulin_basal_rate", 3.0),
        ("1", "", "insulin_long_acting", 1.5),
    ],
)
def test_insulin_by_its_reason(reason: str, end: str, quantity: str, value: float) -> None:
    inner = f'<MetadataEntry key="HKInsulinDeliveryReason" value="{reason}"/>'
    (event,) = events(export(record("InsulinDelivery", "1.5", "IU", end=end, inner=inner)), APPLE)
    assert (event.quantity, event.value, event.text) == (quantity, pytest.approx(value), "1.5")


def test_a_correlation_and_its_copies_are_the_same_facts() -> None:
    pair = record("BloodPressureSystolic", "120", "mmHg") + record("BloodPressureDiastolic", "80", "mmHg")
    raw = export(f'<Correlation type="HKCorrelationTypeIdentifierBloodPressure">{pair}</Correlation>', pair)
    found = events(raw, APPLE)
    assert len(found) == 4
    assert len({event.id for event in found}) == 2
    assert len({event.group for event in found}) == 1


def test_sleep_counts_time_asleep_only() -> None:
    def night(value: str) -> str:
        return (
            f'<Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName="W" creationDate="2018-09-10 07:00:00 -0700" '
            f'startDate="2018-09-09 23:00:00 -0700" endDate="2018-09-10 06:30:00 -0700" '
            f'value="HKCategoryValueSleepAnalysis{value}"/>'
        )

    raw = export(night("AsleepCore"), night("InBed"))
    (event,) = events(raw, APPLE)
    assert (event.quantity, event.value) == ("sleep_duration", 7.5)
    assert unmapped(raw, APPLE) == {"Record sleep InBed": 1}


def test_workouts_people_and_what_is_not_mapped() -> None:
    workout = (
        '<Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="5.19" durationUnit="min" sourceName="W" '
        'creationDate="2016-11-14 07:33:49 -0700" startDate="2016-11-14 07:25:41 -0700" endDate="2016-11-14 07:30:52 -0700">'
        "<WorkoutRoute/></Workout>"
    )
    raw = export(ME, workout, record("FlightsClimbed", "3", "count"))
    (part,) = parts(raw, APPLE)
    assert part.raw == raw
    assert part.people[0][1].sex == "male"
    assert [(event.quantity, event.value) for event in events(raw, APPLE)] == [
        ("sex", events(raw, APPLE)[0].value), ("physical_activity", 5.19),
    ]  # fmt: skip
    assert unmapped(raw, APPLE) == {"WorkoutRoute": 1, "Record HKQuantityTypeIdentifierFlightsClimbed": 1}


def test_two_devices_at_one_moment_are_two_facts() -> None:
    raw = export(record("StepCount", "10", "count"), record("StepCount", "12", "count", source="Phone"))
    assert len({event.key for event in events(raw, APPLE)}) == 2


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE HealthData [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE HealthData [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE HealthData [<!ENTITY % p "x">]>',
    ],
)
def test_entities_are_refused(doctype: str) -> None:
    with pytest.raises(FormatError, match="entity"):
        events(export(record("HeartRate", "72", "count/min"), head=doctype), APPLE)


@pytest.mark.parametrize(
    "raw",
    [
        export("<a>" * 100), export().decode().encode("utf-16"), b"<HealthData>", b"<Other/>", b"<HealthData>\x00</HealthData>",
        export(head='<?xml version="1.0" encoding="ISO-8859-1"?>'),
    ],
)  # fmt: skip
def test_what_is_no_export_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(FormatError):
        events(raw, APPLE)


def test_a_cut_off_export_gives_what_was_whole_and_then_the_fault() -> None:
    whole = export(
        ME,
        *(
            record("HeartRate", str(60 + index), "count/min", start=f"2018-09-10 02:{index:02d}:55 -0700")
            for index in range(30)
        ),
    )
    cut = whole[: len(whole) - 400]
    intake = Intake(file="x", now=NOW, anonymous="a")
    found, fault = [], None
    try:
        for part in APPLE.parts(Plain("x", len(cut), lambda: io.BytesIO(cut)), intake):
            found += list(part.read(Origin(raw="r", file="x")))
    except FormatError as error:
        fault = error
    assert fault is not None
    assert len(found) == len(events(cut[: cut.rindex(b"<Record")] + b"</HealthData>", APPLE))
    assert {item.id for item in found} <= {event.id for event in events(whole, APPLE, anonymous="a")}


@pytest.mark.parametrize("closed", [True, False], ids=["with closing tags", "empty elements"])
@pytest.mark.parametrize("whole", [1, 2])
@pytest.mark.parametrize("left", [1, 60, 150, 900])
def test_every_record_before_a_break_is_a_fact(
    closed: bool, whole: int, left: int, store: SqlStore, grant: Grant
) -> None:
    """However short the export, and wherever in the next record it breaks off."""
    records = [record("HeartRate", str(70 + n), "count/min", f"2018-09-10 02:0{n}:00 -0700") for n in range(3)]
    if not closed:
        records = [text.replace("></Record>", "/>") for text in records]
    start = export(*records[:whole]).removesuffix(b"</HealthData>\n")
    left = min(left, len(records[whole]) - 12)
    report = ingest_bytes(start + records[whole][:left].encode(), "export.xml", store, grant, patient="jane")
    assert [(row.read, row.quarantined) for row in report.sources] == [(whole, 0), (0, 1)]
    assert {event.text for event in store.record("jane", grant).events} == {str(70 + n) for n in range(whole)}
    (waiting,) = store.quarantined(grant)
    assert "breaks off" in waiting.found


def test_a_large_export_is_cut_into_parts_and_memory_stays_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apple_health, "_PART", 1 << 17)
    minutes = [
        f"2018-{1 + index // 40320:02d}-{1 + index // 1440 % 28:02d} {index // 60 % 24:02d}:{index % 60:02d}:00 -0700"
        for index in range(8_000)
    ]
    raw = export(ME, *(record("HeartRate", "72", "count/min", start=minute) for minute in minutes))
    assert len(raw) > 3 << 19
    intake, count, most = Intake(file="x", now=NOW, anonymous="a"), 0, 0
    tracemalloc.start()
    for part in APPLE.parts(Plain("x", len(raw), lambda: io.BytesIO(raw)), intake):
        most = max(most, len(part.raw))
        count += sum(
            1 for item in part.read(Origin(raw="r", file="x")) if getattr(item, "quantity", "") == "heart_rate"
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 8_000
    assert most < 1 << 19
    assert peak < 12 << 20


def test_recognised_by_content_and_anonymous() -> None:
    assert named(export(ME), "whatever.txt") == "apple_health"
    (part,) = parts(export(ME), APPLE, anonymous="anonymous-9")
    assert (part.owner, part.named) == (SourcePatient("apple_health", "anonymous-9"), False)
