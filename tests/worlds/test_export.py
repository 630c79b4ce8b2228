"""The files, read by other means than medtwin's: json, csv, an XML parser, and a third party's FHIR classes."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import yaml

from medtwin.worlds import demo_persons, export
from medtwin.worlds.export import clarity, fhir, libreview, open_mhealth

NOW = datetime(2026, 3, 11, 14, 2, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def people():
    return demo_persons(NOW, days=4, ahead_hours=6)


def told(person, name):
    return export.chosen(person, name)


def test_each_told_fact_goes_into_exactly_one_file(people):
    for p in people:
        where = Counter(f for name in export.PLAN[p.kind] for f in told(p, name))
        assert set(where) == set(p.told())
        assert set(where.values()) == {1}


def test_files_are_deterministic_and_written_as_they_are(people, tmp_path):
    for p in people:
        files = export.files(p)
        assert files == export.files(p)
        paths = export.write(p, tmp_path / p.name)
        assert {path.name: path.read_bytes() for path in paths} == files


def test_nothing_hidden_is_written(people):
    for p in people:
        late = {f.time for f in p.to_come() if f.quantity == "glucose"}
        for content in export.files(p).values():
            assert b"truth" not in content.lower()
            for moment in list(late)[:20]:
                assert moment.astimezone(BERLIN).strftime("%Y-%m-%dT%H:%M:00").encode() not in content


def test_clarity_is_laid_out_as_clarity(people):
    for p in people[:2]:
        raw = export.files(p)["dexcom_clarity.csv"]
        assert raw.startswith(b"\xef\xbb\xbf")
        assert b"\r" not in raw
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
        assert [r["Index"] for r in rows] == [str(k) for k in range(1, len(rows) + 1)]
        assert rows[0]["Patient Info"] == "Synthetic"
        assert all(r["Timestamp (YYYY-MM-DDThh:mm:ss)"] == "" for r in rows[:11])
        events = rows[11:]
        moments = [
            datetime.strptime(r["Timestamp (YYYY-MM-DDThh:mm:ss)"], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=BERLIN)
            for r in events
        ]
        assert moments == sorted(moments)
        facts = told(p, "dexcom_clarity.csv")
        column = {
            "EGV": "Glucose Value (mg/dL)", "Insulin": "Insulin Value (u)", "Carbs": "Carb Value (grams)",
        }  # fmt: skip
        kind = {"EGV": "glucose", "Insulin": "insulin_bolus", "Carbs": "carbohydrate_intake"}
        bound = {"Low": 40.0, "High": 400.0}
        read = []
        for r, moment in zip(events, moments, strict=True):
            cell = r[column[r["Event Type"]]]
            read.append((moment, kind[r["Event Type"]], bound.get(cell) or float(cell)))
        assert sorted(read) == sorted((f.time, f.quantity, f.value) for f in facts)
        assert {r["Event Subtype"] for r in events if r["Event Type"] == "Insulin"} <= {"Fast-Acting"}


def test_apple_health_parses_and_carries_the_same_numbers(people):
    for p in people[:3]:
        raw = export.files(p)["apple_health_export.xml"]
        root = ET.fromstring(raw)
        assert root.tag == "HealthData"
        assert root.find("Me").get("HKCharacteristicTypeIdentifierDateOfBirth") == p.birth_date.isoformat()
        read = Counter()
        for record in root.iter("Record"):
            start = datetime.strptime(record.get("startDate"), "%Y-%m-%d %H:%M:%S %z")
            end = datetime.strptime(record.get("endDate"), "%Y-%m-%d %H:%M:%S %z")
            if record.get("type") == "HKCategoryTypeIdentifierSleepAnalysis":
                assert record.get("unit") is None
                read["sleep_duration", start, round((end - start) / timedelta(hours=1), 2)] += 1
            else:
                name = {
                    "HKQuantityTypeIdentifierHeartRate": "heart_rate",
                    "HKQuantityTypeIdentifierStepCount": "step_count",
                    "HKQuantityTypeIdentifierBodyMass": "body_weight",
                }[record.get("type")]
                read[name, start, float(record.get("value"))] += 1
        assert read == Counter((f.quantity, f.time, f.value) for f in told(p, "apple_health_export.xml"))


def test_open_mhealth_points_carry_the_same_numbers(people):
    for p in people[1:3]:
        points = json.loads(export.files(p)["open_mhealth.json"])
        assert len({q["header"]["id"] for q in points}) == len(points)
        read = set()
        for q in points:
            schema, body = q["header"]["schema_id"], q["body"]
            assert schema["namespace"] == "omh"
            moment = datetime.fromisoformat(body["effective_time_frame"]["date_time"])
            if schema["name"] == "blood-pressure":
                for key in ("systolic", "diastolic"):
                    assert body[f"{key}_blood_pressure"]["unit"] == "mmHg"
                    read.add((moment, f"{key}_pressure", body[f"{key}_blood_pressure"]["value"]))
            else:
                key = schema["name"].replace("-", "_")
                read.add((moment, key, body[key]["value"]))
        facts = told(p, "open_mhealth.json")
        assert read == {(f.time, f.quantity, f.value) for f in facts if f.quantity != "mean_arterial_pressure"}


def test_libreview_is_quarter_hourly_in_mmol(people):
    deniz = people[3]
    lines = export.files(deniz)["libreview.csv"].decode().splitlines()
    assert lines[0].startswith("Glucose Data,Generated on,11-03-2026 14:02 UTC,Generated by,Synthetic Deniz")
    rows = list(csv.DictReader(lines[1:]))
    facts = libreview.quarter_hourly(deniz, told(deniz, "libreview.csv"))
    food = [float(r["Carbohydrates (grams)"]) for r in rows if r["Record Type"] == "5"]
    assert food == [f.value for f in told(deniz, "libreview.csv") if f.quantity == "carbohydrate_intake"]
    assert len(food) > 10
    rows = [r for r in rows if r["Record Type"] != "5"]
    assert len(rows) == len(facts) > 300
    for r, f in zip(rows, facts, strict=True):
        moment = datetime.strptime(r["Device Timestamp"], "%d-%m-%Y %H:%M").replace(tzinfo=BERLIN)
        assert moment == f.time
        assert float(r["Historic Glucose mmol/L"]) == pytest.approx(f.value / 18.0182, abs=0.051)
        assert r["Record Type"] == "0"


def test_the_own_table_can_be_read_with_its_mapping(people):
    deniz = people[3]
    files = export.files(deniz)
    (how,) = yaml.safe_load(files["home_readings.mapping.yaml"])["tables"]
    rows = list(csv.DictReader(io.StringIO(files["home_readings.csv"].decode())))
    read = set()
    for r in rows:
        text = " ".join(r[column] for column in how["time"]["columns"])
        moment = datetime.strptime(text, how["time"]["format"]).replace(tzinfo=ZoneInfo(how["time"]["zone"]))
        for about in how["values"]:
            if r[about["column"]] != "0":
                read.add((moment, about["quantity"], float(r[about["column"]])))
    facts = told(deniz, "home_readings.csv")
    assert read == {(f.time, f.quantity, f.value) for f in facts if f.quantity != "mean_arterial_pressure"}


def test_fhir_says_synthetic_everywhere_and_carries_the_same_numbers(people):
    for p in people:
        bundle = json.loads(export.files(p)["clinic.fhir.json"])
        resources = [e["resource"] for e in bundle["entry"]]
        assert all(any(t["code"] == "HTEST" for t in r["meta"]["tag"]) for r in resources)
        assert len({r["id"] for r in resources}) == len(resources)
        assert resources[0]["name"][0]["text"] == f"Synthetic {p.name}"
        assert all(r["subject"]["reference"] == bundle["entry"][0]["fullUrl"] for r in resources[1:])
        codes = {code: name for name, (code, _, _) in fhir.CODES.items()}
        read = Counter()
        for r in resources:
            if r["resourceType"] == "Observation":
                moment = datetime.fromisoformat(r["effectiveDateTime"])
                for part in r.get("component", [r]):
                    read[codes[part["code"]["coding"][0]["code"]], moment, part["valueQuantity"]["value"]] += 1
            elif r["resourceType"] == "MedicationAdministration" and "dose" in r["dosage"]:
                assert r["dosage"]["dose"]["code"] == "[iU]"
                moment = datetime.fromisoformat(r["effectiveDateTime"])
                read["insulin_bolus", moment, r["dosage"]["dose"]["value"]] += 1
            elif r["resourceType"] == "MedicationAdministration":
                moment = datetime.fromisoformat(r["effectivePeriod"]["start"])
                read["insulin_basal_rate", moment, r["dosage"]["rateQuantity"]["value"]] += 1
        assert read == Counter((f.quantity, f.time, f.value) for f in told(p, "clinic.fhir.json"))
        kinds = Counter(r["resourceType"] for r in resources)
        assert kinds["Condition"] == len(p.conditions)
        assert kinds["MedicationStatement"] == len(p.medications)


def test_fhir_is_valid_by_a_third_partys_classes(people):
    bundles = pytest.importorskip("fhir.resources.R4B.bundle")
    for p in people:
        parsed = bundles.Bundle.model_validate_json(export.files(p)["clinic.fhir.json"])
        assert parsed.entry[0].resource.gender == p.sex
        everything = fhir.bundle(p, p.told())
        assert len(bundles.Bundle.model_validate_json(json.dumps(everything)).entry) == len(everything["entry"])


def test_low_and_high_are_comparators_in_fhir(people):
    from medtwin.worlds.facts import Fact

    fact = Fact(NOW, NOW, "glucose", 40.0, "cgm", text="Low")
    value = fhir.observation(people[0], (fact,))["valueQuantity"]
    assert value["comparator"] == "<"
    assert value["value"] == 40


@pytest.mark.shared
def test_layouts_are_those_of_real_exports(shared_data, people):
    folder = shared_data / "metabolism" / "exports"
    real = (folder / "dexcom_clarity.csv").read_bytes().split(b"\n")
    ours = export.files(people[0])["dexcom_clarity.csv"].split(b"\n")
    assert ours[0] == real[0]
    for line in range(1, 13):
        a, b = ours[line].decode().split(","), real[line].decode().split(",")
        assert len(a) == len(b) == len(clarity.HEADER)
        assert a[2:4] == b[2:4]
        assert [bool(x) for x in a] == [bool(x) for x in b]
    sample = (folder / "libreview_with_header_and_type6.csv").read_text(encoding="utf-8-sig").splitlines()
    assert export.files(people[3])["libreview.csv"].decode().splitlines()[1] == sample[1]
    apple = ET.parse(folder / "apple_health_export.xml").getroot()
    mine = ET.fromstring(export.files(people[0])["apple_health_export.xml"])
    known = set(apple.find("Record").attrib) | set(apple.findall("Record")[1].attrib)
    for record in mine.findall("Record"):
        assert set(record.attrib) <= known
    schemas = shared_data / "plumbing" / "openmhealth_schemas"
    for point in open_mhealth.points(people[2], told(people[2], "open_mhealth.json")):
        schema = json.loads((schemas / "{name}-{version}.json".format(**point["header"]["schema_id"])).read_text())
        assert set(schema["required"]) <= set(point["body"]) <= set(schema["properties"])
