"""Each sample file gives exactly the committed counts; the main series are counted a second way, without our readers."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golden.counting import SAMPLES, counts, golden

pytestmark = pytest.mark.shared


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_file_gives_the_committed_facts(name: str, shared_data: Path) -> None:
    found, committed = counts(name, shared_data), golden(name)
    assert set(found) == set(committed)
    for file, entry in found.items():
        assert entry == committed[file], file


# a second count, by csv and json alone


def rows(path: Path, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as stream:
        return list(csv.DictReader(stream))


def series(path: Path, keep: Callable[[dict[str, str]], bool]) -> int:
    return sum(1 for row in rows(path) if keep(row))


def test_t1d_uom_counted_by_csv(shared_data: Path) -> None:
    folder, committed = shared_data / "metabolism" / "t1d_uom", golden("t1d_uom")

    def facts(file: str, quantity: str) -> int:
        return int(committed[file]["facts"].get(quantity, 0))

    for person in ("2307", "2309", "2405"):
        assert facts(f"{person}_glucose.csv", "glucose") == series(
            folder / f"{person}_glucose.csv", lambda row: row["value"] != ""
        )
        basal = Counter(row["insulin_kind"] for row in rows(folder / f"{person}_basal.csv"))
        assert facts(f"{person}_basal.csv", "insulin_basal_rate") == basal["R"]
        assert facts(f"{person}_basal.csv", "insulin_long_acting") == basal["L"]
        assert facts(f"{person}_bolus.csv", "insulin_bolus") == len(rows(folder / f"{person}_bolus.csv"))
        for column, quantity in (
            ("carbs_g", "carbohydrate_intake"),
            ("prot_g", "protein_intake"),
            ("fat_g", "fat_intake"),
            ("fibre_g", "fibre_intake"),
        ):
            assert facts(f"{person}_nutrition.csv", quantity) == series(
                folder / f"{person}_nutrition.csv", lambda row, column=column: row[column] != ""
            )
        activity = rows(folder / f"{person}_activity.csv")
        assert facts(f"{person}_activity.csv", "step_count") == len(activity)
        moved = [row for row in activity if row["activity_type"] != "SEDENTARY"]
        assert facts(f"{person}_activity.csv", "physical_activity") == len(moved)
        for column in ("heart_rate", "resting_heart_rate"):
            assert facts(f"{person}_sleep_hr.csv", column) == series(
                folder / f"{person}_sleep_hr.csv", lambda row, column=column: float(row[column]) != 0
            )
    low = series(folder / "2307_glucose.csv", lambda row: float(row["value"]) * 18.0156 < 20)
    assert committed["2307_glucose.csv"]["flags"]["implausible"] == low == 7


def test_other_people_counted_by_csv(shared_data: Path) -> None:
    folder = shared_data / "metabolism"
    bigideas = golden("bigideas")
    for path in sorted((folder / "bigideas").glob("Dexcom_*.csv")):
        assert bigideas[path.name]["facts"]["glucose"] == series(
            path, lambda row: row["event_type"] == "EGV" and row["glucose"] != ""
        )
    for path in sorted((folder / "bigideas").glob("Food_Log_*.csv")):
        assert bigideas[path.name]["facts"]["carbohydrate_intake"] == series(path, lambda row: row["total_carb"] != "")
    cgm = rows(folder / "hall2018" / "hall2018_cgm.csv")
    hall = golden("hall2018")["hall2018_cgm.csv"]
    assert (hall["facts"]["glucose"], hall["persons"]) == (len(cgm), len({row["id"] for row in cgm}))
    shanghai = golden("shanghai_t2dm")
    for row in rows(folder / "shanghai_t2dm" / "metadata.csv"):
        assert shanghai[f"{row['person_id']}.csv"]["facts"]["glucose"] == int(row["glucose_level_record_count"])
    assert shanghai["metadata.csv"]["facts"]["hba1c"] == 15


def test_exports_counted_by_csv(shared_data: Path) -> None:
    folder, committed = shared_data / "metabolism" / "exports", golden("exports")
    readings = series(folder / "dexcom_clarity.csv", lambda row: row["Event Type"] == "EGV")
    assert committed["dexcom_clarity.csv"]["facts"] == {"glucose": readings}
    with (folder / "libreview_with_header_and_type6.csv").open(encoding="utf-8", newline="") as stream:
        next(stream)
        notes = Counter(bool(row["Notes"]) for row in csv.DictReader(stream))
    entry = committed["libreview_with_header_and_type6.csv"]
    assert entry["facts"] == {"note": notes[True]}
    assert entry["unmapped"] == {"record type 6 without a value": notes[False]}


def resources(path: Path) -> list[dict[str, Any]]:
    content = json.loads(path.read_bytes())
    if content["resourceType"] == "Bundle":
        return [entry["resource"] for entry in content.get("entry", []) if "resource" in entry]
    return [content]


#: LOINC codes of the samples, written down by hand from LOINC, not from our registry
BY_HAND = {
    "8302-2": "body_height", "29463-7": "body_weight", "39156-5": "body_mass_index", "8480-6": "systolic_pressure",
    "8462-4": "diastolic_pressure", "6690-2": "leukocytes", "789-8": "erythrocytes", "718-7": "haemoglobin",
    "4544-3": "haematocrit", "777-3": "platelets", "2093-3": "total_cholesterol", "2571-8": "triglycerides",
    "18262-6": "ldl_cholesterol", "2085-9": "hdl_cholesterol", "33914-3": "glomerular_filtration_rate",
    "8867-4": "heart_rate", "9279-1": "respiratory_rate", "8310-5": "body_temperature", "2708-6": "oxygen_saturation",
    "3094-0": "urea_nitrogen", "17861-6": "calcium", "2075-0": "chloride", "2160-0": "creatinine",
    "2345-7": "blood_glucose", "787-2": "mean_corpuscular_volume", "785-6": "mean_corpuscular_haemoglobin",
    "786-4": "mean_corpuscular_haemoglobin_concentration", "2823-3": "potassium", "2951-2": "sodium",
}  # fmt: skip


@pytest.mark.parametrize("name", ["fhir_r4_synthea", "fhir_us_core_examples"])
def test_fhir_counted_by_json(name: str, shared_data: Path) -> None:
    numbers: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for path in sorted((shared_data / "plumbing" / name).glob("*.json")):
        for resource in resources(path):
            others[resource["resourceType"]] += 1
            if resource["resourceType"] == "Observation":
                for value in (resource, *resource.get("component", ())):
                    codes = {coding.get("code") for coding in value.get("code", {}).get("coding", ())}
                    hit = codes & set(BY_HAND)
                    if "valueQuantity" in value and hit:
                        numbers[BY_HAND[hit.pop()]] += 1
    total: Counter[str] = Counter()
    unmapped: Counter[str] = Counter()
    for entry in golden(name).values():
        total.update(entry.get("facts", {}))
        unmapped.update(entry.get("unmapped", {}))
    assert {quantity: total[quantity] for quantity in numbers} == dict(numbers)
    assert sum(numbers.values()) > 15
    if name == "fhir_r4_synthea":
        assert sum(others.values()) == 341
        kinds = {"Encounter": "encounter", "Condition": "diagnosis", "Immunization": "immunization", "Procedure": "procedure",
                 "DiagnosticReport": "report", "MedicationRequest": "medication", "Patient": "sex"}  # fmt: skip
        assert {kind: total[quantity] for kind, quantity in kinds.items()} == {kind: others[kind] for kind in kinds}
        assert {kind: unmapped[f"resource {kind}"] for kind in ("Claim", "ExplanationOfBenefit", "CarePlan")} == {
            kind: others[kind] for kind in ("Claim", "ExplanationOfBenefit", "CarePlan")
        }


def test_no_sample_of_a_known_format_is_ignored() -> None:
    """Every file gives facts, or counts of what is not mapped, or a reason, or names a person."""
    for name in SAMPLES:
        for file, entry in golden(name).items():
            assert any(entry.get(key) for key in ("facts", "unmapped", "quarantined", "persons")), (name, file)
