"""A trial's table from a file: CSV or Parquet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medtwin.errors import FormatError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class ReadTable:
    """Rows with named columns, and where they came from."""

    frame: pl.DataFrame
    sha256: str  #: of the file's bytes
    source: str


def read_table(path: Path) -> ReadTable:
    """The table of a file; its kind by the ending of its name."""
    import polars as pl

    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise FormatError(f"a file {kind or 'without ending'}", expected=".csv or .parquet", where=str(path))
    raw = path.read_bytes()
    try:
        frame = (
            pl.read_csv(raw, null_values=["NA", ""], infer_schema_length=None)
            if kind == ".csv"
            else pl.read_parquet(raw)
        )
    except pl.exceptions.PolarsError as error:
        raise FormatError(f"a table that cannot be read ({type(error).__name__})", where=str(path)) from error
    return ReadTable(frame, hashlib.sha256(raw).hexdigest(), str(path))
