"""Files come whole, private, in a named format, and never in the place of what they were made from."""

import stat

import polars as pl
import pytest

from medtwin.errors import AnalysisError
from medtwin.reports import save
from medtwin.reports.save import write_whole
from medtwin.trials.files import refuse_input, table_path, write_table

TABLE = pl.DataFrame({"a": [1, 2], "b": ["x", None]})


def test_a_file_is_whole_and_private(tmp_path, monkeypatch):
    path = tmp_path / "score.json"
    path.write_text("old")
    path.chmod(0o644)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(save.os, "fsync", fails)
    with pytest.raises(AnalysisError, match="a score that could not be written"):
        write_whole(path, b"newer", "a score")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(AnalysisError, match="could not be written"):
        write_whole(tmp_path / "no" / "such.json", b"")


def test_a_broken_off_write_leaves_nothing(tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(save.os, "fsync", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.json", b"x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "read"), [("t.csv", pl.read_csv), ("t.CSV", pl.read_csv), ("t.parquet", pl.read_parquet)]
)
def test_a_table_is_what_its_name_says(tmp_path, name, read):
    write_table(TABLE, tmp_path / name)
    assert read(tmp_path / name).equals(TABLE)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["t", "t.xlsx", "t.json", "t.csv.gz", "t.sas7bdat"])
def test_another_kind_is_refused(tmp_path, name):
    with pytest.raises(AnalysisError, match=r"\.csv or \.parquet"):
        write_table(TABLE, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_input_is_not_written_over(tmp_path):
    path, same, link = tmp_path / "t.csv", tmp_path / "same.csv", tmp_path / "link.csv"
    path.write_text("a\n1\n")
    same.hardlink_to(path)
    link.symlink_to(path)
    for other in (path, same, link, tmp_path / "." / "t.csv"):
        with pytest.raises(AnalysisError, match="an output that is the input"):
            write_table(TABLE, other, tmp_path / "absent.csv", path)
    assert path.read_text() == "a\n1\n"
    assert table_path(tmp_path / "new.csv", path) == tmp_path / "new.csv"
    refuse_input(tmp_path / "new.csv", path)
