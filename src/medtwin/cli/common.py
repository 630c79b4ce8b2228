"""What every command shares: its options, the open home, one JSON form, one table form, and one form of error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from medtwin.errors import MedtwinError

if TYPE_CHECKING:
    from rich.table import Table

    from medtwin.applications.glucose_report.unit import Unit
    from medtwin.governance.grant import Grant
    from medtwin.record.sql import SqlStore

Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="FOLDER",
        envvar="MEDTWIN_HOME",
        show_default="the user data folder",
        help="Folder of all state.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
ModelName = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Another structure: glucose_meals or glucose_insulin."),
]
RESEARCH = "research output, no advice on treatment"
GlucoseUnit = Annotated[
    str, typer.Option("--unit", metavar="mg/dL|mmol/L", help="In which glucose is shown.")
]  # fmt: skip
PatientId = Annotated[str, typer.Argument(metavar="PATIENT", help="The patient's id, as `medtwin patients` lists it.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="A moment: ISO 8601, -2h, -3d, 'last' (the newest reading)."),
]
ClockName = Annotated[
    str,
    typer.Option(
        "--clock", metavar="available|recorded",
        help="What counted as known then: what could be known, or what this home held.",
    ),
]  # fmt: skip


class Commands(TyperGroup):
    """A group whose commands end with one sentence and a code where they fail, never with a traceback."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except MedtwinError as error:
            complain(str(error))
        except OSError as error:
            where = f"; at {error.filename}; look at its name and its rights" if error.filename else ""
            complain(f"found {error.strerror or error}{where}")
        except (typer.Exit, typer.Abort, RuntimeError) as error:
            if type(error) is not RuntimeError:
                raise
            _unforeseen(error)
        except Exception as error:
            if type(error).__module__.partition(".")[0] in ("click", "typer") or os.environ.get("MEDTWIN_DEBUG"):
                raise
            _unforeseen(error)
        raise typer.Exit(1)


def _unforeseen(error: Exception) -> None:
    if os.environ.get("MEDTWIN_DEBUG"):
        raise error
    complain(
        f"found a fault of medtwin's own ({type(error).__name__}: {str(error)[:200]}); "
        "run again with MEDTWIN_DEBUG=1 to see where, and report it"
    )


def complain(sentence: str) -> None:
    """One sentence in red on standard error."""
    typer.secho(sentence, fg=typer.colors.RED, err=True)


def note(sentence: str) -> None:
    """One sentence beside the result, on standard error."""
    typer.secho(sentence, fg=typer.colors.YELLOW, err=True)


def glucose_unit(name: str) -> Unit:
    """The unit that ``--unit`` names; a wrong use of the command for another one."""
    from medtwin.applications.glucose_report.unit import UNITS

    if name not in UNITS:
        raise typer.BadParameter(" or ".join(UNITS), param_hint="--unit")
    return UNITS[name]


def examples(*lines: str) -> str:
    """The end of a command's help: commands that work as they stand."""
    return "Examples:\n\n\b\n" + "\n".join(f"  {line}" for line in lines)


def command(
    app: typer.Typer, function: Callable[..., None], *lines: str, name: str | None = None, before: str = ""
) -> None:
    """Register ``function``, its docstring as help, with example lines at the end of it."""
    words = (function.__doc__ or "").strip().partition("\n")[0]
    app.command(name, short_help=words, epilog=before + examples(*lines))(function)


@contextmanager
def opened(home: Path | None, *, make: bool = False) -> Iterator[tuple[SqlStore, Grant]]:
    """The store of a home and a grant for whoever can open it; ``make``: a new home may be made."""
    from medtwin.errors import StoreError
    from medtwin.record.home import KEY_FILE, home_path, open_store

    folder = home_path(home)
    if not make and not (folder / KEY_FILE).exists():
        raise StoreError(
            "no home of medtwin", where=str(folder), remedy="ingest something first, or name another with --home"
        )
    with open_store(home) as store:
        yield store, store.issue_grant()


def is_synthetic(store: SqlStore, grant: Grant, patient: str) -> bool:
    """Whether the patient is a made-up person; False for one who is not here."""
    return any(one.synthetic for one in store.patients(grant) if one.id == patient)


def titled(name: str, synthetic: bool) -> None:
    """A bold line that names the patient, and says so of a made-up one."""
    typer.secho(f"{name}{' (SYNTHETIC DATA)' if synthetic else ''}", bold=True)


def emit(command: str, content: dict[str, Any], version: int = 1) -> None:
    """One JSON document with its schema first."""
    typer.echo(json.dumps({"schema": f"medtwin/{command}/{version}", **content}, default=_plain, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if hasattr(value, "__struct_fields__"):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return str(value)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Iterable[int] = ()) -> None:
    """A table on standard output; columns numbered in ``right`` hold figures."""
    from rich import box
    from rich.table import Table

    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    figures = set(right)
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number in figures else "left", overflow="fold")
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    show(made)


def show(thing: Table | str) -> None:
    """Print with rich, as wide as the terminal; no markup is read from data."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else 132
    Console(width=width, markup=False, highlight=False, soft_wrap=isinstance(thing, str)).print(thing)


@contextmanager
def progress(what: str, *, quiet: bool, unit: str = "") -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error, where somebody looks at it; called with (name, done, in all)."""
    if quiet or not sys.stderr.isatty():
        yield lambda name, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    count = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), count, TimeElapsedColumn(), console=Console(stderr=True),
        transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task(what, total=None)

        def tell(name: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=f"{what} {name[-40:]}".rstrip())

        yield tell


def ago(span: float) -> str:
    """Seconds as people say them."""
    minutes = span / 60.0
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 2880 else f"{minutes / 1440:.0f} days"
