"""One table out of many kinds of file, typed a whole column at a time; what cannot be read is said, with its place."""

import base64
import contextlib
import datetime as dt
import gzip

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtwin.errors import AnalysisError
from medtwin.trials.tables import read_table, typed

#: Three invented patients, written by R's haven 2.5 as ADSL: USUBJID, TRT01P, AGE (labelled), ADT; zipped.
SAS7BDAT = (
    "H4sICKPoDGsCA2Fkc2wuc2FzN2JkYXQA7dpPSwJBGAbwV5PS8qDUQShIooOHit2UMOjgxpoZFtGuNw9ZiAhhUEl1qu6dOvctOgfS"
    "pWN0KDoIQcc+QAX9sXVnzHXQFISgen4iL/PMvCMrLOyIRDUXj0erZwPeq/MTJ7ku5WPfsMcbJBohG8n0rYG6kaZo/rl4IqoquqJF"
    "dX8z1EKln60rOsO790qtCio7eYjsQjw9IcmSvCgZNWTUqUQuX9gjAAAAAAAAAAAAAAAAAACA/8hlvIju3GwU6KqfLfLcJ3Tt8DxR"
    "DWyshHk+I+SlPlZTQn7K84iwf6pJPtQkL/U2zgEAAADg7/h4LZvaXR8hR0f9TIjcHfV3+vk1b6y9PC/kDvNt/7raHj7mj87kNMc2"
    "6hfGVnzrcqD25G3uQzRK3WYdI3ZUkEg4MtA77w1bMvE/wUktObsQV0lf0SV5mUiJRUlRdVKyGX8u79/PpLe2VUWPPhmq12T1bGjn"
    "OxrktavJvKPVBp7GcVmAuxF+JRu7M7Rx4zbcSK9n1jbN8eESO0nf3EaMqUl1q5Ctdly/HJi/DDyYU0HrZoexiHUJAAAAAAAAAPyI"
    "Txo1SHQAQAAA"
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def test_csv_is_typed_by_whole_columns(folder):
    file = folder / "a.csv"
    file.write_text(
        "id,value,day,count,flag,nothing,word\n"
        '001,1.5,2020-01-02,NA,TRUE,NA,NA\n002,NA,2020-02-03,5,false,NA,"a,b"\n003,.,,7,true,NA,\n'
    )
    frame = read_table(file).frame
    assert frame["id"].to_list() == ["001", "002", "003"]
    assert frame["value"].to_list() == [1.5, None, None]
    assert frame["day"].to_list() == [dt.date(2020, 1, 2), dt.date(2020, 2, 3), None]
    assert frame["count"].to_list() == [None, 5, 7]
    assert frame["flag"].to_list() == [True, False, True]
    assert frame["nothing"].null_count() == 3
    assert frame["word"].to_list() == ["NA", "a,b", None], "NA is a word among words: Namibia, sodium"


def test_every_kind_of_file_gives_the_same_table(folder):
    frame = pl.DataFrame({"arm": ["a", "b", "b"], "y": [1.0, None, 3.0], "n": [1, 2, 3]})
    frame.write_csv(folder / "t.csv")
    frame.write_csv(folder / "t.tsv", separator="\t")
    frame.write_parquet(folder / "t.parquet")
    for name in ("t.csv", "t.tsv", "t.parquet"):
        held = read_table(folder / name)
        assert held.frame.equals(frame), name
        assert len(held.sha256) == 64
        assert held.source == name
    assert read_table(frame).frame.equals(frame)


def test_pandas_frame_with_its_missing_values():
    pandas = pytest.importorskip("pandas")
    given = pandas.DataFrame(
        {"arm": pandas.Categorical(["a", None, "b"]), "y": [1.0, np.nan, 3.0],
         "when": pandas.to_datetime(["2020-01-01", None, "2020-01-03"]), "n": pandas.array([1, None, 3], dtype="Int64")}
    )  # fmt: skip
    frame = read_table(given).frame
    assert frame["arm"].to_list() == ["a", None, "b"]
    assert frame["y"].to_list() == [1.0, None, 3.0]
    assert frame["n"].to_list() == [1, None, 3]
    assert frame["when"].dt.to_string("%Y-%m-%d").to_list() == ["2020-01-01", None, "2020-01-03"]
    with pytest.raises(AnalysisError, match="several kinds"):
        read_table(pandas.DataFrame({"x": [1, "a"]}))


def test_sas_transport(folder):
    pandas, pyreadstat = pytest.importorskip("pandas"), pytest.importorskip("pyreadstat")
    given = pandas.DataFrame({"USUBJID": ["a", "b", ""], "AVAL": [1.5, np.nan, 3.0], "ADT": [dt.date(2020, 1, 1)] * 3})
    pyreadstat.write_xport(given, str(folder / "adlb.xpt"), column_labels=["Subject", "Value", "Date"],
                           file_format_version=5, table_name="ADLB")  # fmt: skip
    held = read_table(folder / "adlb.xpt")
    assert held.labels == {"USUBJID": "Subject", "AVAL": "Value", "ADT": "Date"}
    day = dt.date(2020, 1, 1)
    assert held.frame.rows() == [("a", 1.5, day), ("b", None, day), (None, 3.0, day)]


def test_sas7bdat(folder):
    file = folder / "adsl.sas7bdat"
    file.write_bytes(gzip.decompress(base64.b64decode(SAS7BDAT)))
    held = read_table(file)
    assert held.labels == {"AGE": "Age in years"}
    assert held.frame.rows() == [
        ("S-01", "Placebo", 61.0, dt.date(2024, 1, 5)), ("S-02", "Drug", None, dt.date(2024, 2, 29)), ("S-03", None, 47.0, None)
    ]  # fmt: skip


def test_semicolons_and_decimal_commas_are_said(folder):
    (folder / "a.csv").write_text("y;word\n1,5;x\n-2,25;y\n")
    held = read_table(folder / "a.csv")
    assert held.frame["y"].to_list() == [1.5, -2.25]
    assert "decimal" in held.notes[0]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", b"", "empty"), ("a.csv", b"a,b\n", "0 rows"), ("a.csv", b"a,a\n1,2\n", "twice"),
        ("a.csv", b"a,\n1,2\n", "without a name"), ("a.csv", b"a,b\n1,2\n1\n", "1 cells in row 3"),
        ("a.csv", b"a,b\n1,2,3\n", "3 cells"), ("a.csv", b"\xff\xfea", "UTF-8"), ("a.csv", b'a,b\n"1,2\n', "told apart"),
        ("a.parquet", b"nonsense", "not Parquet"), ("a.xpt", b"nonsense" * 40, "not xpt"),
        ("a.sas7bdat", b"nonsense" * 40, "not sas7bdat"), ("a.xlsx", b"PK", "kind .xlsx"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(folder, name, content, found):
    (folder / name).write_bytes(content)
    with pytest.raises(AnalysisError, match=found):
        read_table(folder / name)


def test_long_numbers_are_names(folder):
    (folder / "a.csv").write_text("id,y\n12345678901234567890,1\n12345678901234567891,2\n")
    assert read_table(folder / "a.csv").frame["id"].n_unique() == 2


def test_not_a_number_is_missing(folder):
    pl.DataFrame({"y": [1.0, float("nan")]}).write_parquet(folder / "a.parquet")
    assert read_table(folder / "a.parquet").frame["y"].to_list() == [1.0, None]


def test_a_slip_of_the_pen_is_said_with_its_line(folder):
    (folder / "a.csv").write_text("y\n" + "1.5\n" * 20 + "1..5\n" + "2\n")
    held = read_table(folder / "a.csv")
    assert held.frame["y"].dtype == pl.String
    assert held.notes == ("column y: 1 of 22 cells are no numbers, first in line 22: read as words",)


def test_no_file(folder):
    with pytest.raises(AnalysisError, match="no readable file"):
        read_table(folder / "gone.csv")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none(), min_size=1, max_size=20))
def test_numbers_come_back_to_the_bit(values):
    words = pl.Series("x", ["NA" if one is None else repr(one) for one in values])
    assert typed(words).cast(pl.Float64).to_list() == values


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=8), min_size=1, max_size=10))
def test_words_are_kept_or_wholly_understood(cells):
    found = typed(pl.Series("x", cells, dtype=pl.String))
    assert len(found) == len(cells)
    if found.dtype == pl.String:
        assert found.to_list() == [cell.strip() or None for cell in cells]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_an_error(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("t") / "a.csv"
    file.write_bytes(content)
    with contextlib.suppress(AnalysisError):
        assert read_table(file).frame.height > 0
