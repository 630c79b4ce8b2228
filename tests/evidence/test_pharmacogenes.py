"""The page of pharmacogenes: every file's call against its name, and the page as it is committed."""

from pathlib import Path

import pytest

from medtwin.evidence.pharmacogenes import NAMED, READINGS, TESTED, main, rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "pharmacogenes.md"
pytestmark = pytest.mark.shared


def test_each_file_is_called_as_its_name_states(shared_data: Path) -> None:
    folder = shared_data / "plumbing" / "vcf_pharmcat"
    assert set(NAMED) == {f"{path.parent.name}/{path.stem}" for path in folder.glob("*/*.vcf")}
    assert {*TESTED, *READINGS} <= set(NAMED)
    stated = 0
    for row in rows(folder):
        if row.expected is not None:
            stated += 1
            assert row.agrees, row
        assert set(TESTED.get(row.name, ())) <= set(row.stated.diplotypes)
        assert (
            set(row.stated.diplotypes) <= set(row.alone.diplotypes) or not row.alone.read
        )  # assumptions only take away
        if row.stated.diplotypes:
            others = len(row.stated.diplotypes) - len(set(row.expected or ()))
            assert sum(row.reasons().values()) == others, row.name
    assert stated == 34


def test_the_page_is_what_would_be_written(shared_data: Path, tmp_path: Path) -> None:
    made = tmp_path / "page.md"
    main([str(shared_data / "plumbing" / "vcf_pharmcat"), "--out", str(made)])
    assert made.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
