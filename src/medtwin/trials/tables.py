"""Tables of trials from files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from medtwin.errors import AnalysisError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadTable:
    """A table and the file that it came from."""

    frame: pl.DataFrame
    sha256: str
    source: str


def read_table(path: Path) -> ReadTable:
    """CSV or Parquet."""
    content = path.read_bytes()
    try:
        frame = pl.read_parquet(content) if path.suffix == ".parquet" else pl.read_csv(content, null_values=["", "NA"])
    except pl.exceptions.PolarsError as error:
        raise AnalysisError("a table that cannot be read", expected="CSV or Parquet", where=str(path)) from error
    return ReadTable(frame=frame, sha256=hashlib.sha256(content).hexdigest(), source=path.name)
