"""Who is whom: possible matches, and what people decide on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from medtwin.cli.common import Home, Json, command, emit, examples, opened, table

if TYPE_CHECKING:
    from medtwin.record.identity_verbs import Match, Side

One = Annotated[str, typer.Argument(metavar="A", help="A patient's id, or a source's key as SYSTEM|VALUE.")]
Other = Annotated[str, typer.Argument(metavar="B", help="The other one, written in the same way.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, in words; it is kept with the decision.")]

people_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


def register(app: typer.Typer) -> None:
    people_app.callback(
        help="Who is whom: matches that wait for a person, links, and how to undo them.",
        epilog=examples("medtwin people matches", "medtwin people link anna LAB-4711"),
    )(lambda: None)
    command(people_app, matches, "medtwin people matches", "medtwin people matches --json")
    command(
        people_app, link,
        "medtwin people link anna LAB-4711",
        "medtwin people link anna 'LAB|4711' --why 'passport seen at the desk'",
    )  # fmt: skip
    command(
        people_app, unlink,
        "medtwin people unlink anna LAB-4711",
        "medtwin people unlink anna 'LAB|4711' --why 'two people of one name'",
    )  # fmt: skip
    command(people_app, refuse, "medtwin people refuse anna LAB-4711 --why twins")
    command(people_app, history, "medtwin people history", "medtwin people history anna --json")
    app.add_typer(people_app, name="people")


def matches(home: Home = None, as_json: Json = False) -> None:
    """List possible matches that wait for a person, both sides side by side, with what speaks for and against."""
    with opened(home) as (store, grant):
        waiting = store.matches(grant)
    if as_json:
        emit("people-matches", {"matches": [_match(one) for one in waiting]})
        return
    from medtwin.record.identity.side_by_side import lines
    from medtwin.record.identity.spoken import name

    for one in waiting:
        rows = [
            (line.field, line.older, line.newer, line.level, "" if line.bits is None else f"{line.bits:+.1f}")
            for line in lines(one.older.said, one.newer.said, one.parts)
        ]
        title = f"{_named(one.older)} and {_named(one.newer)}: one person with probability {one.probability:.4g}"
        table(title, ("field", _facts(one.older), _facts(one.newer), "agreement", "bits"), rows, right=(4,))
        for reason in one.reasons:
            typer.echo(f"Waits because {reason}.")
        a, b = (side.patient or name(side.key) for side in (one.older, one.newer))
        typer.echo(f"Same person: medtwin people link '{a}' '{b}'. Not the same: medtwin people refuse '{a}' '{b}'.\n")
    if not waiting:
        typer.echo("No match waits for a person.")


def link(a: One, b: Other, why: Why = "", home: Home = None, as_json: Json = False) -> None:
    """Say that two are one person: every key of B belongs to A from now on. `medtwin people unlink` undoes it.

    No fact moves: the record of A is a view over the keys that are theirs.
    """
    from medtwin.record.identity.spoken import patient as patient_of
    from medtwin.record.identity.spoken import whom

    with opened(home) as (store, grant):
        stays, gone = patient_of(store, grant, a), whom(store, grant, b)
        moved = store.merge(stays, gone, grant, why=why)
    _said(
        "people-link",
        {"patient": stays, "from": b, "keys": moved},
        f"{_many(moved)} of {b} belong to {stays} now.",
        as_json,
    )


def unlink(a: One, b: Other, why: Why = "", home: Home = None, as_json: Json = False) -> None:
    """Undo a link, whoever made it: the keys that A has from B go back, and both records are what they were.

    The two are noted as not the same person, so that no machine links them again.
    """
    from medtwin.record.identity.spoken import patient as patient_of
    from medtwin.record.identity.spoken import whom

    with opened(home) as (store, grant):
        stays, gone = patient_of(store, grant, a), whom(store, grant, b)
        moved = store.separate(stays, gone, grant, why=why)
    _said(
        "people-unlink",
        {"patient": stays, "to": b, "keys": moved},
        f"{_many(moved)} of {stays} went back to {b}.",
        as_json,
    )


def refuse(a: One, b: Other, why: Why = "", home: Home = None, as_json: Json = False) -> None:
    """Say that two are not one person: the match waits no more, and no machine links them."""
    from medtwin.record.identity.spoken import whom

    with opened(home) as (store, grant):
        pairs = store.refuse(whom(store, grant, a), whom(store, grant, b), grant, why=why)
    _said("people-refuse", {"one": a, "other": b, "pairs": pairs}, f"{a} and {b} are two people.", as_json)


def history(
    patient: Annotated[str | None, typer.Argument(metavar="[PATIENT]", help="Of one patient only.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List every decision on who is whom, the newest first: who made it, when and why."""
    with opened(home) as (store, grant):
        told = store.identity(grant, patient=patient)
    if as_json:
        emit("people-history", {"events": told})
        return
    from medtwin.record.identity.spoken import name

    rows = [
        (f"{e.time:%Y-%m-%d %H:%M:%S}", e.kind.value, name(e.key), name(e.other) if e.other else "", e.before or "",
         e.patient or "", e.who, e.why)
        for e in told
    ]  # fmt: skip
    table("Decisions", ("time (UTC)", "what", "key", "with", "from", "to", "who", "why"), rows)


def _said(name: str, content: dict[str, Any], sentence: str, as_json: bool) -> None:
    if as_json:
        emit(name, content)
    else:
        typer.echo(sentence)


def _many(keys: int) -> str:
    return "1 key" if keys == 1 else f"{keys} keys"


def _named(side: Side) -> str:
    return side.patient or f"{side.key.system}|{side.key.value} (waits)"


def _facts(side: Side) -> str:
    return f"{side.key.system}|{side.key.value}: {side.events} facts"


def _match(one: Match) -> dict[str, Any]:
    from medtwin.record.identity.side_by_side import lines

    return {
        "number": one.number, "time": one.time, "probability": one.probability, "reasons": one.reasons,
        "older": _side(one.older), "newer": _side(one.newer),
        "fields": lines(one.older.said, one.newer.said, one.parts),
    }  # fmt: skip


def _side(side: Side) -> dict[str, Any]:
    return {"patient": side.patient, "key": side.key, "facts": side.events, "first": side.first, "last": side.last}
