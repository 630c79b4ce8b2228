"""SqlStore: the one implementation of :class:`~medtwin.record.store.Store`, over SQLite or PostgreSQL alike.

Its verbs stand in siblings, by what they are about: :mod:`~medtwin.record.fact_verbs`, ``raw_verbs``, ``people_verbs``,
``identity_verbs``, ``quarantine_verbs``, ``artifact_verbs``, ``many_verbs``, ``system_verbs``. Each verb is written once; no part
changes another's.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from typing import final

from medtwin.governance import audit
from medtwin.governance.audit import AuditEntry
from medtwin.governance.grant import Action, Grant, Purpose, Role
from medtwin.record.access import Access
from medtwin.record.artifact_verbs import ArtifactVerbs
from medtwin.record.codec import check_text
from medtwin.record.fact_verbs import FactVerbs
from medtwin.record.identity_verbs import IdentityVerbs
from medtwin.record.many_verbs import ManyVerbs
from medtwin.record.people_verbs import PeopleVerbs
from medtwin.record.quarantine_verbs import QuarantineVerbs
from medtwin.record.raw_verbs import RawVerbs
from medtwin.record.schema import TABLES
from medtwin.record.system_verbs import SystemVerbs
from medtwin.record.writer import Job, Work


@final
class SqlStore(FactVerbs, RawVerbs, PeopleVerbs, IdentityVerbs, QuarantineVerbs, ArtifactVerbs, ManyVerbs, SystemVerbs):
    """An open store. Open one with :func:`medtwin.record.home.open_store`; ``with`` closes it.

    Threads may share it. Reads run beside each other; writes are gathered into group commits.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._deferred: list[Job] = []

    def __enter__(self) -> SqlStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Make durable what waits, and let go of the database."""
        self._access.close()

    def flush(self) -> None:
        """Return when every write and every audit row of a read so far is durable.

        Raises :class:`StoreError` when an artifact that was put with ``durable=False`` could not be kept.
        """
        self._access.writer.flush()
        deferred, self._deferred = self._deferred, []
        for job in deferred:
            job.wait()

    @property
    def access(self) -> Access:
        """What backup, doctor and erasure work on."""
        return self._access

    def epoch(self) -> int:
        """The current epoch of the policy; a grant of any other is denied."""
        return self._access.epoch()

    def sequence(self) -> int:
        """The newest commit sequence."""
        return self._access.newest()

    def issue_grant(
        self, *, who: str | None = None, role: Role = Role.OWNER, purpose: Purpose = Purpose.SELF,
        patients: Iterable[str] | None = None,
    ) -> Grant:  # fmt: skip
        """A grant at the current epoch for whoever can open this home (its folder and key are readable by one user
        only).

        ``who`` is that user when it is not given; a server with a login passes the person who logged in.
        """
        if who is None:
            try:
                who = getpass.getuser()
            except (OSError, KeyError, ImportError):
                who = "owner"
        check_text(who, what="the name of who asks")
        covered = None if patients is None else frozenset(patients)

        def job(work: Work) -> Grant:
            grant = Grant(who=who, role=role, purpose=purpose, epoch=work.epoch, patients=covered)
            count = 0 if covered is None else len(covered)
            work.entries.append(self._access.entry(grant, "grant", None, count=count, sequence=work.sequence))
            return grant

        issued: Grant = self._access.writer.do(job)
        return issued

    def verify_audit(self) -> tuple[int, int | None]:
        """(rows checked, number of the first altered row or None); limits: :mod:`medtwin.governance.audit`."""
        self._access.writer.flush()
        heads = []
        if (written := self._access.head_file.read()) is not None:
            heads.append(written if written[1] else (1, b""))
        with self._access.database.reading(snapshot=True) as connection:
            number, head = connection.rows("SELECT audit_number, audit_hash FROM head")[0]
            if number:
                heads.append((int(number), bytes(head)))
            lots = connection.stream(f"SELECT {', '.join(TABLES['audit'])} FROM audit ORDER BY number")
            rows = ((int(row[0]), tuple(row[1:11]), bytes(row[11])) for lot in lots for row in lot)
            return audit.verify(rows, self._access.audit_key, heads)

    def audit_rows(self) -> int:
        """How many audit rows exist, whatever they hold."""
        with self._access.database.reading() as connection:
            return int(connection.rows("SELECT COUNT(*) FROM audit")[0][0])

    def audit(self, grant: Grant, *, patient: str | None = None, limit: int = 100) -> tuple[AuditEntry, ...]:
        """The newest audit rows (of one patient), newest first; for a grant that may administer."""
        return tuple(entry for _, entry in self.trail(grant, patient=patient, limit=limit))

    def trail(
        self, grant: Grant, *, patient: str | None = None, limit: int = 100
    ) -> tuple[tuple[int, AuditEntry], ...]:
        """The same with the number of each row, as ``verify_audit`` names it."""
        with self._access.read(grant, "audit", None, action=Action.ADMINISTER) as read:
            where, values = ("", ()) if patient is None else (" WHERE patient = ?", (self._access.pseudonym(patient),))
            columns = ", ".join(TABLES["audit"][:11])
            rows = read.connection.rows(
                f"SELECT {columns} FROM audit{where} ORDER BY number DESC LIMIT ?", (*values, limit)
            )
            read.count = len(rows)
            return tuple(
                (int(row[0]), AuditEntry(**dict(zip(TABLES["audit"][1:11], row[1:], strict=True)))) for row in rows
            )
