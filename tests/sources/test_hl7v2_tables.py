"""Our few HL7 tables against the official v2-to-FHIR concept maps: the same target wherever those have one."""

import csv
from pathlib import Path

import pytest

from medtwin.record.event import Status
from medtwin.sources.hl7v2_tables import CLASS, CLASS_SYSTEM, NO_RESULT, NOT_GIVEN, REPORT, RESULT, SEX

pytestmark = pytest.mark.shared
FHIR = {
    "final": Status.FINAL, "corrected": Status.CORRECTED, "preliminary": Status.PRELIMINARY, "partial": Status.PRELIMINARY,
    "entered-in-error": Status.ENTERED_IN_ERROR, "amended": Status.CORRECTED,
}  # fmt: skip


@pytest.fixture
def official(shared_data: Path):  # type: ignore[no-untyped-def]
    folder = shared_data / "plumbing" / "hl7_v2_to_fhir_mappings" / "codesystems"

    def read(name: str) -> dict[str, tuple[str, str]]:
        """Code to (target, its system) of a concept map; columns are found by their names, the two called Code in order."""
        (path,) = [one for one in folder.glob("*.csv") if one.name.startswith(f"HL7 Concept Map_ {name} - ")]
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
        header = next(index for index, row in enumerate(rows) if row[:1] == ["Code"])
        source, target = [place for place, cell in enumerate(rows[header]) if cell == "Code"][:2]
        system = rows[header].index("Code System (URI)") if "Code System (URI)" in rows[header] else None
        system = (
            max(place for place, cell in enumerate(rows[header]) if cell.startswith("Code System"))
            if system is None
            else system
        )
        return {row[source]: (row[target], row[system]) for row in rows[header + 1 :] if row[source] and row[target]}

    return read


def test_result_status(official) -> None:  # type: ignore[no-untyped-def]
    found = official("ObservationResultStatusCodesInterpretation")
    assert len(found) >= 6
    for code, (target, _) in found.items():
        if target == "cancelled":
            assert code in NO_RESULT
        else:
            assert RESULT[code] is FHIR[target], code


def test_report_status(official) -> None:  # type: ignore[no-untyped-def]
    found = official("ResultStatus[Non-Queries]")
    assert len(found) >= 7
    for code, (target, _) in found.items():
        if target in ("registered", "cancelled"):  # there is no result
            assert code not in REPORT
        else:
            assert REPORT[code] is FHIR[target], code


def test_class_of_visit(official) -> None:  # type: ignore[no-untyped-def]
    for code, (target, system) in official("PatientClass[EncounterClass]").items():
        ours = CLASS.get(code, (CLASS_SYSTEM, code, ""))
        assert ours[:2] == (system, target), code


def test_sex_and_completion(official) -> None:  # type: ignore[no-untyped-def]
    sexes = official("AdministrativeSex")
    assert {code: target for code, (target, _) in sexes.items() if code in SEX} == SEX
    assert set(sexes) - set(SEX) == {"U", "N"}  # unknown and not applicable state nothing
    done = official("CompletionStatus")
    assert {code for code, (target, _) in done.items() if target == "not-done"} == NOT_GIVEN
