"""Whole things on the move: export and import of a patient, backup and restore of a home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medtwin.cli.common import AsOf, Home, Json, PatientId, command, emit, note, opened, progress

Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The new file to write.")]


def register(app: typer.Typer) -> None:
    command(
        app, export, "medtwin export anna -o anna.zip", "medtwin export anna -o anna.zip --as-of 2026-05-01T00:00+02:00"
    )
    command(
        app, bring, "medtwin import anna.zip", "medtwin import anna.zip --as anna-2 --home other-home", name="import"
    )
    command(app, backup, "medtwin backup medtwin.backup")
    command(app, restore, "medtwin restore medtwin.backup --home new-home")


def export(patient: PatientId, output: Output, as_of: AsOf = None, home: Home = None, as_json: Json = False) -> None:
    """Write everything of a patient to one archive: provided, observed and inferred.

    Raw bytes with their names, every version of every fact, beliefs, a forecast, the audit rows, a manifest with
    hashes. The archive is plain: whoever holds it can read it.
    """
    from medtwin.cli.people import moment_of, read_as_utc
    from medtwin.twin.portable_export import export as write

    with opened(home) as (store, grant), progress("exporting", quiet=as_json) as tell:
        at, notes = None, []
        if as_of is not None:
            at, _, zone = moment_of(store, grant, patient, as_of)
            notes = read_as_utc(patient, zone, as_of)
        said = write(store, patient, output, grant, at=at, progress=tell)
    if as_json:
        emit("export", {"file": str(output), "size": output.stat().st_size, "notes": notes, "manifest": said})
        return
    typer.echo(f"{output}: {said.raw} raw files, {said.facts} facts, {said.artifacts} artifacts of {patient}.")
    typer.echo(f"Belief {said.snapshot or 'of no model'} at {said.at:%Y-%m-%d %H:%M} UTC." if said.at else "No belief.")


def bring(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive that `medtwin export` wrote.")],
    patient: Annotated[str | None, typer.Option("--as", metavar="ID", help="Another id for the patient here.")] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Make the belief anew and compare.")] = True,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Bring an exported patient into this home.

    The archive's hashes are checked first. Into an empty home the recorded clock comes along too.
    """
    from medtwin.twin.portable_import import bring_in

    with opened(home, make=True) as (store, grant), progress("importing", quiet=as_json) as tell:
        found = bring_in(file, store, grant, patient=patient, check=check, progress=tell)
    if as_json:
        emit("import", {name: getattr(found, name) for name in found.__dataclass_fields__})
    else:
        typer.echo(
            f"{found.patient}: {found.facts} facts ({found.duplicate} were here), {found.raw} raw files, "
            f"{found.artifacts} artifacts."
        )
        note(found.note)
    if found.same is False:
        raise typer.Exit(1)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file to write.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write the whole home, its keys too, to one file while work goes on.

    Whoever holds the file can read everything in it. PostgreSQL and SQLite homes can be restored into each other.
    """
    from medtwin.record.backup import backup as write

    with opened(home) as (store, grant):
        said = write(store, file, grant)
    if as_json:
        emit("backup", {"file": str(file), "size": file.stat().st_size, "manifest": said})
    else:
        rows = sum(entry.rows for entry in said.entries.values())
        typer.echo(f"{file}: {rows} rows at commit {said.sequence}, read again and whole.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `medtwin backup` wrote.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Bring a backup into an empty home, and check all of it."""
    from medtwin.record.backup import restore as read

    said = read(file, home)
    if as_json:
        emit("restore", {"manifest": said})
    else:
        typer.echo(f"Restored the home of {said.created} at commit {said.sequence}; keys and audit trail are whole.")
