"""A trial's table from whatever file it lies in: CSV, Parquet, SAS transport (xpt) and sas7bdat, or a data frame.

Every analysis of :mod:`medtwin.trials` takes a polars frame; this is where one comes from, with the hash of the bytes that
it was read from. Text is typed a column at a time and never in part: a column is numbers, dates (ISO 8601) or yes/no only
if every cell is, else it stays words. ``NA``, ``.`` and ``NaN`` are missing where the rest of the column is numbers or
dates, and words where it is words. Numbers with leading zeros ("007") or sixteen digits and more are names, not numbers.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtwin.errors import AnalysisError

if TYPE_CHECKING:
    import polars as pl

#: What stands for a missing number in files of R and SAS.
MISSING = ("NA", "NaN", "nan", ".", "NULL")
_TEXT = {".csv": ",", ".tsv": "\t", ".txt": ","}


@dataclass(frozen=True, kw_only=True)
class ReadTable:
    """A table and where it came from."""

    frame: pl.DataFrame
    sha256: str  #: of the file's bytes; of a frame, of its columns, types and cells
    source: str  #: the file's name without its folder, or "a data frame"
    labels: dict[str, str] = field(default_factory=dict)  #: of SAS: column -> label
    notes: tuple[str, ...] = ()


def read_table(source: Path | str | Any) -> ReadTable:
    """A file by its extension (``.csv``, ``.tsv``, ``.parquet``, ``.xpt``, ``.sas7bdat``), or a polars or pandas frame.

    Raises :class:`AnalysisError`: no such file, another kind, not UTF-8, a column named twice, rows of unequal length.
    """
    if not isinstance(source, Path | str):
        frame = without_nan(of_frame(source))
        return ReadTable(frame=frame, sha256=frame_hash(frame), source="a data frame")
    path = Path(source)
    kind = path.suffix.lower()
    readers = {**dict.fromkeys(_TEXT, _text), ".parquet": _parquet, ".xpt": _sas, ".sas7bdat": _sas}
    if kind not in readers:
        raise AnalysisError(f"a file of kind {kind or 'none'}", where=path.name, expected=", ".join(readers),
                            remedy="export the table as CSV or Parquet")  # fmt: skip
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AnalysisError(f"no readable file ({error.strerror})", where=path.name, expected="a table") from error
    if not content:
        raise AnalysisError("an empty file", where=path.name, expected="a table")
    frame, labels, notes = readers[kind](path, content)
    frame = without_nan(frame)
    if not frame.width or not frame.height:
        raise AnalysisError(
            f"{frame.height} rows, {frame.width} columns", where=path.name, expected="a table with rows"
        )
    return ReadTable(
        frame=frame, sha256=hashlib.sha256(content).hexdigest(), source=path.name, labels=labels, notes=notes
    )


def of_frame(given: Any) -> pl.DataFrame:
    """A polars frame as it is; of a pandas frame the columns, its missing values null, its index left behind."""
    import polars as pl

    if isinstance(given, pl.DataFrame):
        return given
    if isinstance(given, pl.LazyFrame):
        return given.collect()
    if not (hasattr(given, "columns") and hasattr(given, "notna") and hasattr(given, "astype")):
        raise AnalysisError(f"a {type(given).__name__}", expected="a file's path, a polars or a pandas frame")
    names = [str(name) for name in given.columns]
    _once(names, "the data frame")
    columns = []
    for position, name in enumerate(names):
        series = given.iloc[:, position]
        cells = series.astype(object).where(series.notna(), None).tolist()
        try:
            columns.append(pl.Series(name, cells, strict=True))
        except (TypeError, pl.exceptions.PolarsError) as error:
            raise AnalysisError(f"column {name} with cells of several kinds", where="the data frame",
                                expected="numbers, words, dates or yes/no, one kind a column") from error  # fmt: skip
    return pl.DataFrame(columns)


def without_nan(frame: pl.DataFrame) -> pl.DataFrame:
    """A value that is not a number is a value that is missing, whatever the file calls it."""
    import polars as pl

    return frame.with_columns(pl.col(name).fill_nan(None) for name, kind in frame.schema.items() if kind.is_float())


def frame_hash(frame: pl.DataFrame) -> str:
    """sha256 over names, types and cells in their order, the same on every machine."""
    held = hashlib.sha256(json.dumps([[name, str(kind)] for name, kind in frame.schema.items()]).encode())
    held.update(frame.write_csv(null_value="\x00", quote_style="non_numeric").encode())
    return held.hexdigest()


def _text(path: Path, content: bytes) -> tuple[pl.DataFrame, dict[str, str], tuple[str, ...]]:
    import polars as pl

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnalysisError(f"a byte that is not UTF-8, at {error.start}", where=path.name, expected="UTF-8",
                            remedy="save the file again as UTF-8") from error  # fmt: skip
    first = next(iter(text.splitlines()), "")
    separator = _TEXT[path.suffix.lower()]
    if separator == "," and first.count(";") > first.count(","):
        separator = ";"
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if row]
    except csv.Error as error:
        raise AnalysisError(f"cells that cannot be told apart ({error})", where=path.name, expected="CSV") from error
    header = [name.strip() for name in (rows[0] if rows else [])]
    _once(header, path.name)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise AnalysisError(f"{len(row)} cells in row {number}", where=path.name, expected=f"{len(header)}, as in the header",
                                remedy="quote cells that hold the separator")  # fmt: skip
    frame = pl.DataFrame(
        [pl.Series(name, [row[place] for row in rows[1:]], dtype=pl.String) for place, name in enumerate(header)]
    )
    if separator == ";":
        frame = frame.with_columns(
            pl.when(pl.col(name).str.contains(r"^-?\d+,\d+$")).then(pl.col(name).str.replace(",", ".", literal=True))
            .otherwise(pl.col(name)).alias(name) for name in frame.columns
        )  # fmt: skip
    made = frame.select(typed(frame[name]) for name in frame.columns)
    notes = nearly_numbers(frame, made)
    if separator == ";":
        notes = ("cells are separated by semicolons; a comma in a number was read as its decimal point", *notes)
    return made, {}, notes


def nearly_numbers(text: pl.DataFrame, made: pl.DataFrame) -> tuple[str, ...]:
    """Columns of words nearly all of which are numbers: a slip of the pen, or codes; said with the row, never mended."""
    import polars as pl

    notes = []
    for name in made.columns:
        if made.schema[name] != pl.String:
            continue
        cells = made[name].drop_nulls()
        strange = cells.cast(pl.Float64, strict=False).is_null() | cells.is_in(["inf", "-inf", "Infinity"])
        if 0 < strange.sum() <= 0.1 * len(cells):
            rows = [
                number for number, cell in enumerate(made[name].to_list(), start=2)
                if cell is not None and pl.Series([cell]).cast(pl.Float64, strict=False).is_null().any()
            ]  # fmt: skip
            where = f", first in line {rows[0]}" if rows else ""
            notes.append(f"column {name}: {strange.sum()} of {len(cells)} cells are no numbers{where}: read as words")
    return tuple(notes)


def typed(words: pl.Series) -> pl.Series:
    """A column of text as numbers, dates or yes/no where every cell is one; otherwise as it is, empty cells null."""
    import polars as pl

    text = words.str.strip_chars()
    text = text.set(text == "", None)
    bare = text.set(text.is_in(MISSING), None)
    if not bare.len() - bare.null_count():
        return bare.cast(pl.Float64) if text.len() - text.null_count() else text
    named = bare.str.contains(r"^[+-]?(?:0\d|\d{16,}$)").any()  # "007", and numbers longer than a float can tell apart
    if not named:
        for kind in (pl.Int64, pl.Float64):
            cast = bare.cast(kind, strict=False)
            if cast.null_count() == bare.null_count() and (kind == pl.Int64 or not cast.is_infinite().any()):
                return cast
    if bare.str.contains(r"^\d{4}-\d{2}-\d{2}").any():
        days = bare.str.to_date("%Y-%m-%d", strict=False)
        moments = bare.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False)
        for dates in (days, moments):
            if dates.null_count() == bare.null_count():
                return dates
    lower = bare.str.to_lowercase()
    if lower.drop_nulls().is_in(["true", "false"]).all():
        return lower == "true"
    return text


def _parquet(path: Path, content: bytes) -> tuple[pl.DataFrame, dict[str, str], tuple[str, ...]]:
    import polars as pl

    try:
        return pl.read_parquet(io.BytesIO(content)), {}, ()
    except pl.exceptions.PolarsError as error:
        raise AnalysisError("bytes that are not Parquet", where=path.name, expected="a Parquet file",
                            remedy=str(error).splitlines()[0][:160]) from error  # fmt: skip


def _sas(path: Path, content: bytes) -> tuple[pl.DataFrame, dict[str, str], tuple[str, ...]]:
    import polars as pl
    import pyreadstat

    read = pyreadstat.read_xport if path.suffix.lower() == ".xpt" else pyreadstat.read_sas7bdat
    try:
        frame, meta = read(str(path), output_format="polars")
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeDecodeError, ValueError) as error:
        raise AnalysisError(f"bytes that are not {path.suffix.lower()[1:]}", where=path.name, expected="a SAS file",
                            remedy=str(error).splitlines()[0][:160]) from error  # fmt: skip
    _once(frame.columns, path.name)
    words = [name for name, kind in frame.schema.items() if kind == pl.String]
    frame = frame.with_columns(
        *(pl.when(pl.col(name).str.strip_chars_end() == "").then(None).otherwise(pl.col(name).str.strip_chars_end())
          .alias(name) for name in words),
    )  # fmt: skip
    labels = {name: label for name, label in zip(meta.column_names, meta.column_labels, strict=True) if label}
    return frame, labels, ()


def _once(names: list[str], where: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not all(re.sub(r"\s", "", name) for name in names):
        raise AnalysisError(f"columns named twice {twice}" if twice else "a column without a name", where=where,
                            expected="each column by a name of its own")  # fmt: skip
