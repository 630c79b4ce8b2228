"""Writes a file of a report: it is whole or is not there, and nobody but its owner reads it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from medtwin.errors import AnalysisError


def write(path: Path, content: bytes) -> None:
    """By a rename, mode 0600, in place of a file of that name; its folder is made (0700). Raises :class:`AnalysisError`."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    except OSError as error:
        raise AnalysisError(f"a report that could not be written ({error.strerror})", where=str(path)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        Path(part).unlink(missing_ok=True)
        raise AnalysisError(f"a report that could not be written ({error.strerror})", where=str(path)) from error
