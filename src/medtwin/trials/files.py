"""Writes the files of trials: each is whole or is not there, nobody but its owner reads it, and none takes its input's place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medtwin.errors import AnalysisError
from medtwin.reports.save import write

if TYPE_CHECKING:
    import polars as pl

TABLES = (".csv", ".parquet")


def refuse_input(path: Path, *inputs: Path) -> None:
    """Raises :class:`AnalysisError` where one of the files that are read would be written over, also by another name of it."""
    for one in inputs:
        if path.exists() and one.exists() and path.samefile(one):
            raise AnalysisError("an output that is the input", expected="a file of its own", where=str(path),
                                remedy="name another file with --out")  # fmt: skip


def table_path(path: Path, *inputs: Path) -> Path:
    """Itself, where a table can be written there: .csv or .parquet, and none of the inputs. Raises :class:`AnalysisError`."""
    if path.suffix.lower() not in TABLES:
        raise AnalysisError(f"a table to be written as {path.suffix or 'a file without a suffix'}", where=str(path),
                            expected=" or ".join(TABLES), remedy="end the file's name so")  # fmt: skip
    refuse_input(path, *inputs)
    return path


def write_table(frame: pl.DataFrame, path: Path, *inputs: Path) -> None:
    """CSV or Parquet by the name's end, see :func:`table_path` and :func:`medtwin.reports.save.write`."""
    import io

    table_path(path, *inputs)
    held = io.BytesIO()
    if path.suffix.lower() == ".csv":
        frame.write_csv(held)
    else:
        frame.write_parquet(held)
    write(path, held.getvalue(), "a table")
