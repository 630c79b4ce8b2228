"""Writes files: each is whole or is not there, and nobody but its owner reads it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from medtwin.errors import AnalysisError
from medtwin.reports.document import Document


def write(path: Path, content: bytes, what: str = "a report") -> None:
    """The file of a report, its folder made if it is not there. Raises :class:`AnalysisError`."""
    make_folder(path.parent, what)
    write_whole(path, content, what)


def save_document(document: Document, path: Path) -> None:
    """A document as one file, PDF where its name ends in .pdf, else HTML. Raises :class:`AnalysisError`."""
    if path.suffix.lower() == ".pdf":
        from medtwin.reports.pdf import paginated

        write(path, paginated(document))
    else:
        from medtwin.reports.html import page

        write(path, page(document).encode())


def write_whole(path: Path, content: bytes, what: str = "a file") -> None:
    """The bytes under this name, mode 0600, by a rename in place of a file of that name. Raises :class:`AnalysisError`.

    Written beside it first: who reads while it is written, or after it could not be, has the old one.
    """
    try:
        descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    except OSError as error:
        raise _unwritten(path, what, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise _unwritten(path, what, error) from error
    finally:
        Path(part).unlink(missing_ok=True)


def make_folder(path: Path, what: str = "a file") -> None:
    """The folder and those above it, mode 0700 where they are made. Raises :class:`AnalysisError`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritten(path, what, error) from error


def _unwritten(path: Path, what: str, error: OSError) -> AnalysisError:
    return AnalysisError(f"{what} that could not be written ({error.strerror})", where=str(path),
                         remedy="look at the folder, its rights and the room on the disk")  # fmt: skip
