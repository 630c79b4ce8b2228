"""Facts come in: ingest, quarantine, replay, assign, state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli.common import Home, Json, PatientId, command, emit, examples, note, opened, progress, table

if TYPE_CHECKING:
    from medtwin.governance.grant import Grant
    from medtwin.record.event import Event
    from medtwin.record.sql import SqlStore
    from medtwin.record.store import UnassignedEntry
    from medtwin.sources.report import Report

Zone = Annotated[
    str | None,
    typer.Option("--timezone", metavar="ZONE", help="IANA zone of wall clocks without an offset (Europe/London)."),
]
SourceName = Annotated[str | None, typer.Option("--source", metavar="NAME", help="Name of the sending system.")]
Mappings = Annotated[
    list[Path] | None,
    typer.Option("--mapping", metavar="FILE", help="A mapping file (YAML) for tables; may be repeated."),
]
Units = Annotated[
    list[str] | None,
    typer.Option("--unit", metavar="QUANTITY=UNIT", help="The unit of a quantity, where a source writes a wrong one."),
]
Owner = Annotated[str | None, typer.Option("--patient", metavar="ID", help="Whose, where a file names nobody.")]

Resolved = Annotated[bool, typer.Option("--resolved", help="Resolved items too.")]

quarantine_app = typer.Typer(rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    command(
        app, ingest,
        "medtwin ingest export.zip",
        "medtwin ingest bundle.json clarity.csv",
        "medtwin ingest glucose.csv --patient anna --timezone Europe/London --mapping mapping.yaml",
    )  # fmt: skip
    command(
        app, replay,
        "medtwin replay --all",
        "medtwin replay 17 18",
        "medtwin replay --all --mapping mended.yaml",
    )  # fmt: skip
    command(
        app, assign,
        "medtwin assign",
        "medtwin assign anonymous-3f2a --patient anna --timezone Europe/Berlin",
        "medtwin assign 'LAB|4711' --release",
    )  # fmt: skip
    command(
        app, state,
        "medtwin state anna diagnosis 46635009 --at 2010",
        "medtwin state anna body_weight '72 kg'",
        "medtwin state anna carbohydrate_intake '45 g' --at 2026-05-01T12:30+02:00",
    )  # fmt: skip
    quarantine_app.callback(
        invoke_without_command=True, epilog=examples("medtwin quarantine", "medtwin quarantine --resolved --json")
    )(quarantine)
    command(
        quarantine_app, quarantine_list, "medtwin quarantine list", "medtwin quarantine list --resolved", name="list"
    )
    command(
        quarantine_app, quarantine_show, "medtwin quarantine show 17", "medtwin quarantine show 17 --raw", name="show"
    )
    app.add_typer(quarantine_app, name="quarantine")


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, folders or archives.")],
    patient: Owner = None,
    timezone: Zone = None,
    source: SourceName = None,
    mapping: Mappings = None,
    unit: Units = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take in files, folders and archives; formats are recognised by content.

    Ends with a table per source. What is not understood goes to quarantine with its reason. The exit code is 0 when
    everything ended as facts or in quarantine, 1 when something was not stored.
    """
    from medtwin.sources.ingest import ingest as take

    with opened(home, make=True) as (store, grant), progress("reading", quiet=as_json, unit="bytes") as tell:
        report = take(
            paths,
            store,
            grant,
            patient=patient,
            zone=timezone,
            source=source,
            mapping=mapping or None,
            progress=tell,
            units=_stated(unit),
        )
    _finish("ingest", report, as_json)


def _stated(units: list[str] | None) -> dict[str, str]:
    """``glucose=mmol/L`` by quantity."""
    made = {}
    for one in units or ():
        quantity, equals, unit = one.partition("=")
        if not equals or not unit:
            raise typer.BadParameter(
                f"found {one[:40]!r}; expected QUANTITY=UNIT, such as glucose=mmol/L", param_hint="--unit"
            )
        made[quantity] = unit
    return made


def _finish(name: str, report: Report, as_json: bool) -> None:
    if as_json:
        import msgspec

        emit(name, {**msgspec.to_builtins(report), "exit_code": report.exit_code})
    else:
        rows = [
            (r.source, r.dialect, r.files, r.read, r.new, r.duplicate, r.superseded, r.unassigned, r.quarantined)
            for r in report.sources
        ]
        names = ("source", "dialect", "files", "read", "new", "duplicate", "superseded", "unassigned", "quarantined")
        table("Taken in", names, rows, right=range(2, 9))
        reasons = [(r.source, count, found) for r in report.sources for found, count in r.reasons.items()]
        if reasons:
            table("In quarantine, because found", ("source", "items", "what"), reasons, right=(1,))
        kinds = [(r.source, count, kind) for r in report.sources for kind, count in r.unmapped.items()]
        if kinds:
            table("Kept, without a quantity here", ("source", "items", "what"), kinds, right=(1,))
        for line in report.notes:
            note(line)
        if report.patients:
            typer.echo(f"Patients: {', '.join(report.patients)}")
        if any(r.unassigned for r in report.sources):
            typer.echo("Unassigned facts wait for their person: see `medtwin assign`.")
        for lost in report.not_stored:
            typer.secho(f"not stored: {lost.file}: {lost.reason}", fg=typer.colors.RED, err=True)
    raise typer.Exit(report.exit_code)


def replay(
    items: Annotated[list[int] | None, typer.Argument(metavar="[ID...]", help="Items of the quarantine.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All open items.")] = False,
    timezone: Zone = None,
    source: SourceName = None,
    mapping: Mappings = None,
    unit: Units = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read quarantined bytes again, with the present readers and mappings."""
    from medtwin.sources.ingest import replay as again

    if bool(items) == everything:
        raise typer.BadParameter("name items, or --all")
    with opened(home) as (store, grant):
        report = again(
            None if everything else items,
            store,
            grant,
            zone=timezone,
            source=source,
            mapping=mapping or None,
            units=_stated(unit),
        )
    _finish("replay", report, as_json)


def quarantine(ctx: typer.Context, resolved: Resolved = False, home: Home = None, as_json: Json = False) -> None:
    """List what was not understood, kept with its reason; the same as `medtwin quarantine list`."""
    if ctx.invoked_subcommand is None:
        _list(resolved, home, as_json)


def quarantine_list(ctx: typer.Context, resolved: Resolved = False, home: Home = None, as_json: Json = False) -> None:
    """What was not understood, oldest first."""
    home, as_json = _before(ctx, home, as_json)
    _list(resolved or _outer(ctx).get("resolved", False), home, as_json)


def _outer(ctx: typer.Context) -> dict[str, Any]:
    """The options that stand before the name of a subcommand."""
    return {} if ctx.parent is None else ctx.parent.params


def _before(ctx: typer.Context, home: Path | None, as_json: bool) -> tuple[Path | None, bool]:
    """--home and --json where they stand before the name of the subcommand; after it they count more."""
    source, outer = ctx.get_parameter_source("home"), _outer(ctx)
    nearer = home if source is not None and source.name == "COMMANDLINE" else outer.get("home") or home
    return nearer, as_json or outer.get("as_json", False)


def _list(resolved: bool, home: Path | None, as_json: bool) -> None:
    with opened(home) as (store, grant):
        items = store.quarantined(grant, include_resolved=resolved)
    if as_json:
        emit("quarantine-list", {"items": items})
        return
    rows = [(i.id, i.file, i.locator, i.found, i.expected, "resolved" if i.resolved else "open") for i in items]
    table("Quarantine", ("id", "file", "where", "found", "expected", ""), rows, right=(0,))


def quarantine_show(
    ctx: typer.Context,
    item: Annotated[int, typer.Argument(metavar="ID", help="Number of the item.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the bytes as they came in to standard output.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """One item: its reason, and the beginning of its bytes."""
    from medtwin.errors import StoreError

    home, as_json = _before(ctx, home, as_json)
    with opened(home) as (store, grant):
        found = [i for i in store.quarantined(grant, include_resolved=True) if i.id == item]
        if not found:
            raise StoreError(f"no quarantine item {item}", remedy="see `medtwin quarantine list`")
        if raw:
            for chunk in store.raw_chunks(None, found[0].raw, grant):
                typer.echo(chunk, nl=False)
            return
        head = store.raw_range(None, found[0].raw, 0, 400, grant)
    if as_json:
        emit("quarantine-show", {"item": found[0], "head": head.decode("utf-8", "replace")})
        return
    one = found[0]
    facts = [
        ("file", one.file), ("dialect", one.dialect), ("where", one.locator), ("found", one.found),
        ("expected", one.expected), ("what to do", one.remedy), ("bytes", one.size), ("received", one.received),
        ("resolved", one.resolved), ("begins", repr(head.decode("utf-8", "replace"))[1:-1]),
    ]  # fmt: skip
    table(f"Quarantine item {one.id}", ("", ""), facts)


def assign(
    owner: Annotated[str | None, typer.Argument(metavar="[OWNER]", help="A source's key; without: list them.")] = None,
    patient: Annotated[str | None, typer.Option("--patient", metavar="ID", help="Whose facts they are.")] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Take the key from its patient: its facts wait unassigned again.")
    ] = False,
    timezone: Zone = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say whose facts are that came in under a key that nobody knew; without OWNER, list what waits.

    With --release a key that belongs to the wrong patient (a merge that a system took back) waits again, to be assigned anew.
    """
    from medtwin.errors import StoreError
    from medtwin.sources.clock import known_zone
    from medtwin.sources.links import adopt_zone

    with opened(home) as (store, grant):
        if owner is None:
            _waiting(store.waiting(grant), as_json)
            return
        if release:
            _release(store, grant, owner, as_json)
            return
        waiting = store.unassigned(grant)
        if patient is None:
            raise typer.BadParameter("say whose: --patient ID")
        meant = [key for key in waiting if owner in (key.value, f"{key.system}|{key.value}")]
        if len(meant) != 1:
            raise StoreError(
                f"{len(meant)} unassigned keys of that name", expected="one", where=owner[:40],
                remedy="see `medtwin assign`; a key may be written as SYSTEM|OWNER",
            )  # fmt: skip
        store.link(meant[0], patient, grant, zone=known_zone(timezone) if timezone else None)
        if timezone is None:
            adopt_zone(store, grant, patient)
    if as_json:
        emit("assign", {"assigned": meant[0], "patient": patient})
    else:
        typer.echo(f"{meant[0].system} {meant[0].value} is {patient} now.")


def _release(store: SqlStore, grant: Grant, owner: str, as_json: bool) -> None:
    from medtwin.errors import StoreError

    linked = [(key, entry.id) for entry in store.patients(grant) for key in entry.keys]
    meant = [(key, whose) for key, whose in linked if owner in (key.value, f"{key.system}|{key.value}")]
    if len(meant) != 1:
        raise StoreError(
            f"{len(meant)} linked keys of that name", expected="one", where=owner[:40],
            remedy="a key may be written as SYSTEM|OWNER; see `medtwin patients --json`",
        )  # fmt: skip
    key, whose = meant[0]
    store.unlink(key, grant)
    if any(entry.id == whose for entry in store.patients(grant)):
        store.refuse(whose, key, grant, why="released")
    if as_json:
        emit("assign", {"released": key, "patient": whose})
    else:
        typer.echo(f"{key.system} {key.value} is not {whose} any more; its facts wait unassigned.")


def _waiting(entries: tuple[UnassignedEntry, ...], as_json: bool) -> None:
    if as_json:
        rows = [
            {"system": e.key.system, "value": e.key.value, "sources": e.sources, "files": e.files, "facts": e.events,
             "first": e.first, "last": e.last}
            for e in entries
        ]  # fmt: skip
        emit("assign", {"unassigned": rows})
        return
    table(
        "Unassigned", ("owner", "system", "sources", "files", "facts", "first", "last (UTC)"),
        [
            (e.key.value, e.key.system, ", ".join(e.sources), _few(e.files), e.events,
             f"{e.first:%Y-%m-%d}" if e.first else "", f"{e.last:%Y-%m-%d %H:%M}" if e.last else "")
            for e in entries
        ],
        right=(4,),
    )  # fmt: skip


def _few(files: tuple[str, ...]) -> str:
    shown = ", ".join(file.rpartition("/")[2] for file in files[:3])
    return f"{shown} and {len(files) - 3} more" if len(files) > 3 else shown


def state(
    patient: PatientId,
    quantity: Annotated[str, typer.Argument(metavar="QUANTITY", help="Its name (`medtwin quantities`).")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="A number with its unit, or a code.")],
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="When it was true: ISO 8601, a year or a date too; default: now."),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Its end.")] = None,
    system: Annotated[
        str, typer.Option("--system", metavar="URI", help="Code system of a coded value.")
    ] = "http://snomed.info/sct",
    display: Annotated[str, typer.Option("--display", metavar="TEXT", help="The code in words.")] = "",
    retract: Annotated[bool, typer.Option("--retract", help="Take the same statement back.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """State a fact yourself: a diagnosis that no export names, a weight, a meal.

    It is kept with your user name as its source, like every other fact. A fact that was true at --at counts as
    known from then on; what this home knew is answered by the recorded clock.
    """
    from medtwin.sources.stated import state as say

    with opened(home, make=True) as (store, grant):
        event, receipt = say(
            store, grant, patient, quantity, value, at=at, until=until, system=system, display=display, retract=retract
        )
    notes = _flagged(event)
    if as_json:
        content = {"event": event, "id": event.id, "new": len(receipt.new), "duplicate": receipt.duplicate}
        emit("state", {**content, "notes": notes})
    else:
        known = "recorded" if receipt.new else "was recorded already"
        typer.echo(f"{quantity} = {value} at {event.time.text}: {known}{', flagged' if notes else ''}.")
    for sentence in notes:
        note(sentence)


def _flagged(event: Event) -> list[str]:
    """What intake noticed of a statement, in sentences; a flag never changes a value."""
    from medtwin.quantities import registry
    from medtwin.quantities.units import written
    from medtwin.record.event import Flag
    from medtwin.record.moment import Precision

    known, said = registry.get(event.quantity), []
    if Flag.IMPLAUSIBLE in event.flags:
        said.append(
            f"implausible: {event.value:g} {written(known.unit)} lies outside {known.low:g} to {known.high:g}; it is kept "
            "as stated, and the same command with --retract takes it back"
        )
    if Flag.FUTURE in event.flags:
        said.append(f"future: {event.time.text} has not come yet")
    if Flag.OFFSET_UNKNOWN in event.flags and event.time.precision > Precision.DAY:
        said.append(
            f"offset-unknown: {event.time.text} has no offset and the patient's zone is not known: it was read as UTC"
        )
    return said
