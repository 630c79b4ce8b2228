"""``medtwin webhook``: senders that may push to this home, each with a secret of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from medtwin.cli.common import Home, Json, command, emit, note, opened, table
from medtwin.cli.intake import SourceName, Zone

webhook_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Senders that may push to this home over HTTP."
)
Sender = Annotated[str, typer.Argument(metavar="NAME", help="Name of the sender: lower-case letters, digits, - and _.")]


def register(app: typer.Typer) -> None:
    command(
        webhook_app, add, "medtwin webhook add scale", "medtwin webhook add pump --patient anna --timezone Europe/Berlin --json"
    )  # fmt: skip
    command(webhook_app, list_, "medtwin webhook list", "medtwin webhook list --json", name="list")
    command(webhook_app, remove, "medtwin webhook remove scale", "medtwin webhook remove scale --json")
    app.add_typer(webhook_app, name="webhook")


def add(
    name: Sender,
    patient: Annotated[str | None, typer.Option("--patient", metavar="ID", help="Whose all of it is.")] = None,
    timezone: Zone = None,
    source: SourceName = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Register a sender, and print where it posts to and the secret that it signs with.

    Signed as Standard Webhooks 1.0 has it. A sender of the same name is replaced, and its old secret is void. The answer is 200
    only when what was sent is durable.
    """
    from medtwin.record import webhooks
    from medtwin.sources.clock import known_zone

    if timezone is not None:
        known_zone(timezone)
    with opened(home, make=True) as (store, _):
        made = webhooks.add(store.access.folder, name, patient=patient, timezone=timezone, source=source)
        secret = webhooks.secret_of(made, store.access.master)
    if as_json:
        emit("webhook-add", {**webhooks.described(made), "path": f"/hooks/{name}", "secret": secret})
        return
    typer.echo(f"path    /hooks/{name}  (at the address that `medtwin serve` prints)")
    typer.echo(f"secret  {secret}")
    note("give both to the sender; whoever has the secret may add facts to this home")


def list_(home: Home = None, as_json: Json = False) -> None:
    """List the senders; their secrets are not shown."""
    from medtwin.record import webhooks

    with opened(home) as (store, _):
        found = webhooks.webhooks(store.access.folder)
    if as_json:
        emit("webhook-list", {"webhooks": [webhooks.described(one) for one in found]})
        return
    rows = [
        (one.name, f"{one.created:%Y-%m-%d %H:%M}", one.patient or "", one.timezone or "", one.source or one.name)
        for one in found
    ]  # fmt: skip
    table("Senders", ("name", "since (UTC)", "patient", "zone", "source"), rows)


def remove(name: Sender, home: Home = None, as_json: Json = False) -> None:
    """Take nothing of this sender from now on; what came stays."""
    from medtwin.record import webhooks

    with opened(home) as (store, _):
        webhooks.remove(store.access.folder, name)
    if as_json:
        emit("webhook-remove", {"name": name, "removed": True})
        return
    typer.echo(f"{name} is removed")
