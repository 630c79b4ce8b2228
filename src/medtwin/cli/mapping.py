"""``medtwin map``: drafts of mapping files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from medtwin.cli.common import Home, Json, command, emit, note

map_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Say how the columns of tables become facts.")


def register(app: typer.Typer) -> None:
    command(
        map_app, suggest,
        "medtwin map suggest export.csv",
        "medtwin map suggest glucose.csv meals.csv --source my_pump --out my_pump.yaml",
    )  # fmt: skip
    app.add_typer(map_app, name="map")


def suggest(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Tables: CSV, any delimiter.")],
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Name of the sending system or study.")
    ] = "my_source",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.yaml", help="Write the draft here; never over a file.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Draft a mapping file for tables that medtwin does not know, from titles, units and numbers, for you to read and mend.

    What a table cannot tell (the zone, who is meant, day or month first) and what was assumed is marked CHECK; nothing is
    taken in.
    """
    from medtwin.errors import FormatError
    from medtwin.sources.suggest import suggest as drafts_of
    from medtwin.sources.suggest import yaml_of

    drafts = drafts_of(files)
    text = yaml_of(drafts, source)
    if out is not None:
        if out.exists():
            raise FormatError(
                f"the file {out.name}, which is there already", expected="a new file", remedy="name another --out"
            )
        out.write_text(text, encoding="utf-8")
    if as_json:
        emit("map", {"tables": [asdict(draft) for draft in drafts], "mapping": text, "file": str(out) if out else None})
        return
    if out is None:
        typer.echo(text, nl=False)
    understood = sum(len(draft.values) + len(draft.codes) for draft in drafts)
    note(
        f"{understood} columns understood in {len(drafts)} kinds of table, {sum(len(d.left) for d in drafts)} left out"
    )
    for draft in drafts:
        for one in draft.unsure if out is not None else ():
            note(f"{draft.name}: CHECK {one}")
    if out is not None:
        note(f"wrote {out}: read it, then medtwin ingest FILES --mapping {out}")
