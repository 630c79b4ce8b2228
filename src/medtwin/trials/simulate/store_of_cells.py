"""The file that a grid goes on from: JSON lines, the first says what it is, each other is a finished cell.

    {"dialect": "medtwin-trial-grid-store/1", "made_with": "0.1.0"}
    {"key": "9f2c...", "varied": {"correlation": 0.3}, "results": [...]}

A file is read as a whole, and found to be one of these, before a byte of it is changed. Only then is a last line without its end,
which a run that was broken off leaves, taken away; its cell is done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

import medtwin
from medtwin.errors import AnalysisError
from medtwin.trials.simulate.tally import Characteristics

DIALECT = "medtwin-trial-grid-store/1"


def opened(path: Path) -> dict[str, tuple[Characteristics, ...]]:
    """Finished cells by their key; a file that is not there, or is empty, is begun. Raises :class:`AnalysisError`."""
    try:
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if not whole and _first().startswith(content):  # nothing, or broken off within the first line
            path.write_bytes(_first())
            return {}
        cells = _cells(whole, path)
        if len(whole) < len(content):
            os.truncate(path, len(whole))
    except OSError as error:
        raise AnalysisError(f"a store that cannot be read or written ({error.strerror})", where=str(path)) from error
    return cells


def add(path: Path, key: str, varied: dict[str, Any], results: Sequence[Characteristics]) -> None:
    """One finished cell at the end."""
    line = json.dumps({"key": key, "varied": varied, "results": [asdict(one) for one in results]})
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise AnalysisError(f"a store that cannot be written ({error.strerror})", where=str(path)) from error


def _first() -> bytes:
    return json.dumps({"dialect": DIALECT, "made_with": medtwin.__version__}).encode() + b"\n"


def _cells(whole: bytes, path: Path) -> dict[str, tuple[Characteristics, ...]]:
    lines = whole.split(b"\n")[:-1]
    head = _decoded(lines[0]) if lines else None
    if not isinstance(head, dict) or head.get("dialect") != DIALECT:
        raise AnalysisError("a file that is no store of a grid", where=str(path), remedy="name another file; it was not changed",
                            expected=f"a first line with dialect {DIALECT}, or no file")  # fmt: skip
    out: dict[str, tuple[Characteristics, ...]] = {}
    for number, line in enumerate(lines[1:], start=2):
        held = _decoded(line)
        try:
            out[str(held["key"])] = tuple(msgspec.convert(one, Characteristics) for one in held["results"])
        except (KeyError, TypeError, msgspec.ValidationError):
            raise AnalysisError(f"line {number} that is no result of a grid", where=str(path), remedy="name another file; it was "
                                "not changed", expected="lines that an earlier run of a grid wrote") from None  # fmt: skip
    return out


def _decoded(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):  # UnicodeDecodeError is one of the first
        return None
