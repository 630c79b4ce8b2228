"""Writes the report's files: each is whole or is not there, and nobody but its owner reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from medtwin.errors import AnalysisError
from medtwin.trials.analysis_plan.analysed import Analysed
from medtwin.trials.files import make_folder, write_whole

Bytes = Callable[[Analysed], bytes]

#: Name of each file by its kind; ``ars`` has the results in CDISC's shape and as rows.
FILES: Mapping[str, tuple[str, ...]] = {
    "html": ("report.html",),
    "pdf": ("report.pdf",),
    "json": ("report.json",),
    "ars": ("report.ars.json", "report.ard.csv", "report.ard.parquet"),
}


def write_report(
    analysed: Analysed, folder_or_path: str | Path, kinds: Sequence[str] = ("html", "pdf", "json", "ars")
) -> tuple[Path, ...]:
    """The paths written. A path that ends in .html, .pdf or .json is that file alone; any other is a folder, made if it is
    not there (0700), for the files of ``kinds``: html, pdf, json, ars.

    Everything is made before anything is written; each file comes by a rename, mode 0600, in place of one of that name.
    Raises :class:`AnalysisError`.
    """
    target = Path(folder_or_path)
    alone = target.suffix.lower().removeprefix(".")
    if alone in ("html", "pdf", "json") and not target.is_dir():
        whole = [(target, _bytes(FILES[alone][0])(analysed))]
    else:
        if unknown := [kind for kind in kinds if kind not in FILES]:
            raise AnalysisError(f"kinds {unknown}", expected=f"of {list(FILES)}", where="the report")
        names = [name for kind in dict.fromkeys(kinds) for name in FILES[kind]]
        whole = [(target / name, _bytes(name)(analysed)) for name in names]
    for path, content in whole:
        make_folder(path.parent, "a report")
        write_whole(path, content, "a report")
    return tuple(path for path, _ in whole)


def _bytes(name: str) -> Bytes:
    """What makes the file of this name; each format is imported when it is asked for."""
    from medtwin.trials.report import ard, ars, html, json, pdf

    made: dict[str, Bytes] = {
        "report.html": lambda analysed: html.html(analysed).encode(),
        "report.pdf": pdf.pdf,
        "report.json": lambda analysed: json.json(analysed).encode(),
        "report.ars.json": lambda analysed: ars.ars(analysed).encode(),
        "report.ard.csv": ard.csv,
        "report.ard.parquet": ard.parquet,
    }
    return made[name]
