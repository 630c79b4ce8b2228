"""The page of HL7v2 against expected FHIR: its bar is held, it is what the code makes, and it can find a difference."""

from pathlib import Path

import pytest

from medtwin.evidence.hl7v2_fhir import REASONS, main, page, score

pytestmark = pytest.mark.shared
PAGE = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "hl7v2-fhir.md"


@pytest.fixture
def folder(shared_data: Path) -> Path:
    return shared_data / "plumbing" / "hl7v2_ms_fhir_converter"


def test_nearly_all_fields_agree_or_differ_for_a_named_reason(folder: Path) -> None:
    scores, number = score(folder)
    assert number == 47
    compared = sum(one.compared for one in scores.values())
    unexplained = sum(len(one.open) for one in scores.values())
    missing = sum(one.missing for one in scores.values())
    agree = sum(one.agree for one in scores.values())
    assert compared > 900
    assert unexplained / compared <= 0.05
    assert agree / (compared - missing) >= 0.94  # of what the twin has at all
    assert {rule for one in scores.values() for rule in one.reasons} <= set(REASONS)


def test_the_committed_page_is_what_the_code_makes(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "page.md"
    assert main([str(folder), "--out", str(made)]) == 0
    assert made.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_a_message_that_says_something_else_is_seen(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "expected_fhir").mkdir()
    name = "SIU-S12-01"
    (tmp_path / "expected_fhir" / f"{name}.json").write_bytes((folder / "expected_fhir" / f"{name}.json").read_bytes())
    content = (folder / f"{name}.hl7").read_bytes()
    assert b"||72|beats" in content
    (tmp_path / f"{name}.hl7").write_bytes(content.replace(b"||72|beats", b"||73|beats"))
    scores, _ = score(tmp_path)
    assert scores[("SIU^S12", "Observation", "value")].open
    assert "without a reason" in page(scores, 1)
