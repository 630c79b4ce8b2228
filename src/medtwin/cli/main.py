"""The ``medtwin`` command. Each group of commands is a file of its own; nothing heavy is imported until a command runs."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from medtwin.cli import (
    coronary,
    decisions,
    demo,
    fleet,
    futures,
    genome,
    glucose,
    identify,
    intake,
    keeping,
    listen,
    mapping,
    matches,
    moving,
    people,
    population,
    road,
    serve,
    sources,
    study,
    trial,
    webhook,
)
from medtwin.cli.common import Commands, examples

# Our matrices are small and many: more threads of the linear algebra only wait for each other, on a busy machine for minutes.
# Read when NumPy is first imported, which no command has done yet.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="medtwin keeps a living model of one patient: many sources, one record, honest uncertainty.",
    epilog=examples(
        "medtwin demo                                # a synthetic patient, live, in your browser",
        "medtwin ingest export.zip                   # your own files; formats are recognised",
        "medtwin patients                            # who is here",
        "medtwin show PATIENT                        # what is known, and how surely",
        "medtwin forecast PATIENT --hours 6          # what comes next",
        "medtwin what-if PATIENT --carbs 45 --in 20m # what if",
        "medtwin COMMAND --help                      # more, with examples",
    ),
)


def _version(asked: bool) -> None:
    if asked:
        import medtwin

        typer.echo(f"medtwin {medtwin.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options of every command stand after its name."""


for group in (
    intake, mapping, listen, sources, people, matches, futures, decisions, glucose, road, identify, genome, study, trial,
    coronary, population, fleet, keeping, moving, webhook, serve, demo,
):  # fmt: skip
    group.register(app)


def app_entry() -> None:
    """Entry point of the installed command."""
    app(prog_name="medtwin")


if __name__ == "__main__":
    app_entry()
