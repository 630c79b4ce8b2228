"""Looking after a home and the people in it: erase, withdraw, audit, doctor."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from medtwin.cli.common import Home, Json, PatientId, command, complain, emit, note, opened, table

audit_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Who read or wrote what, and whether it is whole."
)


def register(app: typer.Typer) -> None:
    command(app, erase, "medtwin erase anna", "medtwin erase anna --yes")
    command(app, withdraw, "medtwin withdraw anna", "medtwin withdraw anna --undo")
    command(audit_app, audit_verify, "medtwin audit verify", "medtwin audit verify --json", name="verify")
    command(audit_app, audit_list, "medtwin audit list", "medtwin audit list --patient anna --limit 20", name="list")
    app.add_typer(audit_app, name="audit")
    command(app, doctor, "medtwin doctor", "medtwin doctor --thorough")


def erase(
    patient: PatientId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Destroy a patient's keys, facts, raw bytes and all that is derived; this cannot be undone.

    Asks for the patient's id unless --yes is given, and says truthfully what was erased and what was not.
    """
    from medtwin.errors import UnknownPatient

    with opened(home) as (store, grant):
        found = next((e for e in store.patients(grant) if e.id == patient), None)
        if found is None and not yes:
            raise UnknownPatient("an unknown patient", remedy="see `medtwin patients`; one who withdrew: give --yes")
        if not yes:
            asked = f"Type the patient's id to erase {found.events if found else 0} facts for ever"
            if typer.prompt(asked, err=True) != patient:
                note("Nothing was erased.")
                raise typer.Exit(1)
        said = store.erase(patient, grant)
    if as_json:
        emit("erase", {"patient": patient, "erased": {k: v for k, v in said.items() if k != "not erased"},
                       "not_erased": said["not erased"]})  # fmt: skip
        return
    table("Erased", ("what", "how many"), [(k, v) for k, v in said.items() if k != "not erased"], right=(1,))
    typer.echo(f"Not erased: {said['not erased']}")


def withdraw(
    patient: PatientId,
    undo: Annotated[bool, typer.Option("--undo", help="Give the consent back.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take a patient's consent away: from now on nobody reads or writes of them here.

    Every permission issued so far becomes void at once. The facts stay, sealed, until `medtwin erase`.
    """
    with opened(home) as (store, grant):
        epoch = (store.readmit if undo else store.withdraw)(patient, grant)
    if as_json:
        emit("withdraw", {"patient": patient, "withdrawn": not undo, "epoch": epoch})
    else:
        typer.echo(f"{patient}: consent {'given back' if undo else 'withdrawn'}; policy epoch {epoch}.")


def audit_verify(home: Home = None, as_json: Json = False) -> None:
    """Check the chain of the audit trail; names the first altered row, and then ends with code 1.

    Reading stops at the first wrong row: what comes after it hangs on it, and says nothing more.
    """
    with opened(home) as (store, _):
        rows, altered = store.verify_audit()
        head, exist = store.access.head_file.read(), store.audit_rows()
    if as_json:
        hashed = None if head is None else head[1].hex()
        emit("audit-verify", {"rows": rows, "exist": exist, "first_altered": altered, "head": hashed})
    elif altered is None:
        typer.echo(f"{rows} rows, none altered. Head: row {head[0]} {head[1].hex()}" if head else f"{rows} rows.")
    else:
        complain(
            f"found an audit trail altered at row {altered}; {exist} rows exist, and reading stopped at the first wrong "
            "or missing one"
        )
    if altered is not None:
        raise typer.Exit(1)


def audit_list(
    patient: Annotated[str | None, typer.Option("--patient", metavar="ID", help="Rows about one patient.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many, newest first.")] = 50,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List who read or wrote what, newest first. Patients stand there under a pseudonym."""
    from medtwin.record.codec import moment

    with opened(home) as (store, grant):
        rows = store.trail(grant, patient=patient, limit=limit)
    if as_json:
        said = [{"number": number, **asdict(row), "time": moment(row.time)} for number, row in rows]
        emit("audit-list", {"rows": said}, version=2)  # 2: the time is ISO 8601
        return
    table(
        "Audit trail, newest first",
        ("row", "time (UTC)", "who", "role", "purpose", "what", "patient", "quantities", "count"),
        [
            (number, f"{moment(r.time):%Y-%m-%d %H:%M:%S}", r.who, r.role, r.purpose, r.action, r.patient, r.quantities,
             r.count)
            for number, r in rows
        ],
        right=(0, 8),
    )  # fmt: skip


def doctor(
    thorough: Annotated[bool, typer.Option("--thorough", help="Compare the whole state with the log too.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Look what may be wrong with this home; ends with code 1 where something is."""
    from medtwin.record.doctor import checks

    found = checks(home, thorough=thorough)
    if as_json:
        emit("doctor", {"well": all(check.well for check in found), "checks": found})
    else:
        rows = [("well" if check.well else "ILL", check.name, check.found, check.remedy) for check in found]
        table("This home", ("", "check", "found", "what to do"), rows)
    if not all(check.well for check in found):
        raise typer.Exit(1)
