"""Erasing a patient for real: keys and rows go, the files are rewritten, and the rest is told truthfully."""

from __future__ import annotations

from medtwin.errors import StoreError
from medtwin.governance.grant import Action, Grant
from medtwin.record.access import Access
from medtwin.record.database import marks
from medtwin.record.writer import Work

_ELSEWHERE = (
    "backups and exports made earlier (they hold their own copies and keys); other people's copies of the files; "
    "audit rows (they hold no fact, only a pseudonym)"
)
_QUEUE = (
    "; live messages that still wait in a queue (intake, sealed; a listener reads them and removes their file as soon as nothing "
    "waits), and its .damaged files"
)


def erase(access: Access, patient: str, grant: Grant) -> dict[str, int | str]:
    """Destroy keys, facts, sources, demographics, raw bytes, quarantine and artifacts of a patient.

    Counts by what was erased, and ``not erased`` in words. Raises :class:`~medtwin.errors.UnknownPatient`. All grants
    issued so far become void: the epoch moves in the same transaction.
    """

    def job(work: Work) -> dict[str, int | str]:
        access.allow(work, grant, Action.ADMINISTER, patient)
        access.known(work, patient)
        run, rows = work.connection.run, work.connection.rows
        owners = [int(row[0]) for row in rows("SELECT id FROM owner WHERE patient = ?", (patient,))]
        said: dict[str, int | str] = dict.fromkeys(("facts", "sources", "raw", "quarantine", "keys"), 0)
        if owners:
            mine = f"owner IN ({marks(len(owners))})"
            wholes = f"SELECT id FROM raw WHERE {mine}"
            said["facts"] = run(f"DELETE FROM fact WHERE {mine}", owners)
            said["sources"] = run(f"DELETE FROM source WHERE {mine}", owners)
            said["quarantine"] = run(f"DELETE FROM quarantine WHERE raw IN ({wholes})", owners)
            run(f"DELETE FROM piece WHERE whole IN ({wholes})", owners)
            said["raw"] = run(f"DELETE FROM raw WHERE {mine}", owners)
            run(f"DELETE FROM blocking WHERE {mine}", owners)
            run(f"DELETE FROM identity WHERE {mine} OR other IN ({marks(len(owners))})", (*owners, *owners))
            said["keys"] = run(f"DELETE FROM owner WHERE id IN ({marks(len(owners))})", owners)
        run("UPDATE identity SET before = NULL WHERE before = ?", (patient,))
        run("UPDATE identity SET patient = NULL WHERE patient = ?", (patient,))
        run("DELETE FROM piece WHERE whole IN (SELECT id FROM artifact WHERE patient = ?)", (patient,))
        said["artifacts"] = run("DELETE FROM artifact WHERE patient = ?", (patient,))
        said["keys"] = int(said["keys"]) + run("DELETE FROM patient WHERE id = ?", (patient,))
        work.epoch += 1
        work.patients.add(patient)
        work.entries.append(access.entry(grant, "erase", patient, count=int(said["facts"]), sequence=work.sequence))
        access.names.forget()
        return said

    from medtwin.record import webhooks

    unread = ""
    said: dict[str, int | str] = access.write(grant, "erase", job, patient=patient)
    access.names.forget()
    access.read_names.forget()
    try:
        if senders := webhooks.forget(access.folder, patient):
            said["webhooks"] = senders
    except StoreError as error:  # the facts are gone; what is left of the person is said
        unread = f"; senders of this patient, whose file cannot be read ({error.where})"
    queue = _QUEUE if any(access.folder.glob("intake/*/*")) else ""
    said["not erased"] = f"{_ELSEWHERE}{queue}{unread}; {access.database.scrub()}"
    return said
