"""Verbs on who is who: links, names, consent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from medtwin.errors import FormatError, StoreError, UnknownPatient
from medtwin.governance.grant import Action, Grant
from medtwin.record import erasure, vault
from medtwin.record.access import Access
from medtwin.record.codec import check_text, moment
from medtwin.record.event import SourcePatient
from medtwin.record.identity import search, stream
from medtwin.record.identity.stream import Kind
from medtwin.record.store import QUARANTINE, Demographics, PatientEntry, UnassignedEntry
from medtwin.record.writer import Work

_MORE = ("given", "family", "street", "street_more", "city", "postal_code", "state", "phone")


class PeopleVerbs:
    """A part of :class:`~medtwin.record.sql.SqlStore`, which holds the fields."""

    _access: Access

    def describe(self, owner: SourcePatient, demographics: Demographics, grant: Grant) -> None:
        """Keep what a source says of a person, sealed under the owner's key; the newest statement stands.

        :meth:`~medtwin.record.identity_verbs.IdentityVerbs.identify` also looks for the same person under other keys.
        """

        def job(work: Work) -> None:
            whose = self._access.begin(work, owner, grant)
            search.tell(self._access, work, whose, demographics)
            self._access.audit(work, grant, "describe", whose.patient, count=1)

        self._access.write(grant, "describe", job)

    def link(
        self, owner: SourcePatient, patient: str, grant: Grant, *, zone: str | None = None, why: str = "assigned",
        new: bool = False,
    ) -> None:  # fmt: skip
        """Make ``owner`` one of the keys of ``patient``, which is made when new. An unlinked owner is unassigned.

        Raises :class:`StoreError` for an owner that is linked to somebody else: ``unlink`` it first. ``new``: also where the
        patient is somebody already, by another key or in having withdrawn.
        """
        check_text(patient, zone or "", what="a patient's name here")
        if not patient:
            raise FormatError("an empty patient", expected="an id")

        def job(work: Work) -> None:
            whose = self._access.begin(work, owner, grant)
            if new and work.connection.rows(
                "SELECT 1 FROM owner WHERE patient = ? AND id <> ? UNION ALL"
                " SELECT 1 FROM patient WHERE id = ? AND withdrawn IS NOT NULL", (patient, whose.id, patient),
            ):  # fmt: skip
                raise StoreError("a patient who is somebody already", expected="an id that is free")
            self._access.allow(work, grant, Action.WRITE, patient)
            if whose.patient not in (None, patient):
                raise StoreError(
                    "a source's key that is linked to another patient", remedy="unlink it first, if that was wrong"
                )
            if not work.connection.rows("SELECT 1 FROM patient WHERE id = ?", (patient,)):
                wrapped = self._access.names.new_patient_key(patient)
                work.connection.run(
                    "INSERT INTO patient (id, zone, withdrawn, wrapped) VALUES (?, NULL, NULL, ?)", (patient, wrapped)
                )
            if zone is not None:
                work.connection.run("UPDATE patient SET zone = ? WHERE id = ?", (zone, patient))
            if whose.patient is None:
                stream.move(work, self._access.names, Kind.LINK, whose.id, patient, None, who=grant.who, why=why)
            self._access.audit(work, grant, "link", patient, count=1)

        self._access.write(grant, "link", job, patient=patient)

    def unlink(self, owner: SourcePatient, grant: Grant, *, why: str = "released") -> None:
        """Undo a link: the owner's facts wait unassigned again. No row moves."""

        def job(work: Work) -> None:
            whose = self._access.names.find_owner(work.connection, owner)
            self._access.allow(work, grant, Action.WRITE, None if whose is None else whose.patient)
            if whose is None or whose.patient is None:
                raise StoreError("a source's key that is not linked")
            stream.move(work, self._access.names, Kind.UNLINK, whose.id, None, whose.patient, who=grant.who, why=why)
            self._access.audit(work, grant, "unlink", whose.patient, count=1)

        self._access.write(grant, "unlink", job)

    def whose(self, keys: Iterable[SourcePatient], grant: Grant) -> dict[SourcePatient, str]:
        """The patients of these keys, as far as they are linked: what whoever writes facts under them must know, and no more.

        It asks for leave to write, not to read; a grant for some patients hears of those only.
        """
        with self._access.read(grant, "whose", action=Action.WRITE, everyone=True) as read:
            found = {key: self._access.read_names.find_owner(read.connection, key) for key in keys}
            said = {
                key: owner.patient for key, owner in found.items() if owner is not None and owner.patient is not None
            }
            if grant.patients is not None:
                said = {key: patient for key, patient in said.items() if patient in grant.patients}
            read.count = len(said)
            return said

    def patients(self, grant: Grant) -> tuple[PatientEntry, ...]:
        """The patients that the grant covers, by id. ``events`` counts all ever recorded, superseded ones too;
        ``first`` and ``last`` are of current facts that happened (plans and times in the future do not count)."""
        with self._access.read(grant, "patients", everyone=True, snapshot=True) as read:
            rows = read.connection.rows(
                "SELECT patient.id, patient.zone, owner.id, owner.system, owner.value, owner.demographics,"
                " owner.events, owner.first, owner.last, owner.sequence"
                " FROM patient JOIN owner ON owner.patient = patient.id"
                " WHERE patient.withdrawn IS NULL ORDER BY patient.id, owner.id"
            )
            grouped: dict[str, list[Sequence[Any]]] = {}
            for row in rows:
                if grant.patients is None or row[0] in grant.patients:
                    grouped.setdefault(row[0], []).append(row)
            read.count = len(grouped)
            return tuple(self._entry(read.connection, patient, grouped[patient]) for patient in sorted(grouped))

    def _entry(self, connection: Any, patient: str, rows: Sequence[Sequence[Any]]) -> PatientEntry:
        told = [
            said for row in rows if (said := search.told(connection, self._access.read_names, int(row[2]))) is not None
        ]
        firsts, lasts = [row[7] for row in rows if row[7] is not None], [row[8] for row in rows if row[8] is not None]
        return PatientEntry(
            id=patient, name=next((one.name for one in told if one.name), ""), zone=rows[0][1],
            synthetic=any(one.synthetic for one in told), keys=tuple(SourcePatient(row[3], row[4]) for row in rows),
            events=sum(int(row[6]) for row in rows), first=moment(min(firsts)) if firsts else None,
            last=moment(max(lasts)) if lasts else None, sequence=max(int(row[9]) for row in rows),
        )  # fmt: skip

    def demographics(self, patient: str, grant: Grant) -> Demographics:
        """What the sources say of a person, the longest known source first; empty fields filled by the next one."""
        with self._access.read(grant, "demographics", patient) as read:
            names = self._access.read_names
            each = [search.told(read.connection, names, number) for number, _ in read.owners]
            told = [said for said in each if said is not None]
            read.count = len(told)
        identifiers = dict.fromkeys(identifier for one in told for identifier in one.identifiers)
        return Demographics(
            name=next((one.name for one in told if one.name), ""),
            birth_date=next((one.birth_date for one in told if one.birth_date), ""),
            sex=next((one.sex for one in told if one.sex), ""),
            synthetic=any(one.synthetic for one in told), identifiers=tuple(identifiers),
            **{name: next((said for one in told if (said := getattr(one, name))), "") for name in _MORE},
        )  # fmt: skip

    def unassigned(self, grant: Grant) -> tuple[SourcePatient, ...]:
        """Source's keys of people whose patient is not known, oldest first; bytes in quarantine are nobody's key."""
        with self._access.read(grant, "unassigned") as read:
            rows = read.connection.rows(
                "SELECT system, value FROM owner WHERE patient IS NULL AND system <> ? ORDER BY id", (QUARANTINE,)
            )
            read.count = len(rows)
            return tuple(SourcePatient(system, value) for system, value in rows)

    def waiting(self, grant: Grant) -> tuple[UnassignedEntry, ...]:
        """The unassigned keys with what came in under them, oldest first."""
        with self._access.read(grant, "waiting", snapshot=True) as read:
            names, files = self._access.read_names, dict[int, set[int]]()
            for source, owner in read.connection.rows(
                "SELECT source.id, owner.id FROM source JOIN owner ON owner.id = source.owner"
                " WHERE owner.patient IS NULL AND owner.system <> ?", (QUARANTINE,)
            ):  # fmt: skip
                files.setdefault(int(owner), set()).add(int(source))
            rows = read.connection.rows(
                "SELECT id, system, value, events, first, last FROM owner WHERE patient IS NULL AND system <> ?"
                " ORDER BY id", (QUARANTINE,)
            )  # fmt: skip
            read.count = len(rows)
            found = []
            for owner, system, value, events, first, last in rows:
                wanted = files.get(int(owner), set())
                known = names.sources(read.connection, wanted)
                told = [known[number] for number in sorted(wanted)]
                found.append(
                    UnassignedEntry(
                        key=SourcePatient(system, value), sources=tuple(dict.fromkeys(one.system for one in told)),
                        files=tuple(dict.fromkeys(one.file for one in told if one.file)), events=int(events),
                        first=None if first is None else moment(first), last=None if last is None else moment(last),
                    )
                )  # fmt: skip
            return tuple(found)

    def withdraw(self, patient: str, grant: Grant) -> int:
        """Take a patient's consent away: nobody reads or writes of them, and every grant issued so far is void.

        The new epoch. The facts stay until ``erase``; ``readmit`` undoes it.
        """
        return self._consent(patient, grant, "withdraw", vault.now())

    def readmit(self, patient: str, grant: Grant) -> int:
        """Give a withdrawn consent back; the new epoch."""
        return self._consent(patient, grant, "readmit", None)

    def _consent(self, patient: str, grant: Grant, verb: str, withdrawn: int | None) -> int:
        def job(work: Work) -> int:
            self._access.allow(work, grant, Action.ADMINISTER, patient)
            if not work.connection.run("UPDATE patient SET withdrawn = ? WHERE id = ?", (withdrawn, patient)):
                raise UnknownPatient("an unknown patient", remedy="see `medtwin patients`")
            work.epoch += 1
            self._access.audit(work, grant, verb, patient, count=1)
            return work.epoch

        epoch: int = self._access.write(grant, verb, job, patient=patient)
        return epoch

    def erase(self, patient: str, grant: Grant) -> dict[str, int | str]:
        """Destroy the patient's keys, facts, raw bytes and artifacts; says truthfully what was erased and what not.

        Every grant issued so far is void afterwards, so that nothing computed earlier can still be shown.
        """
        return erasure.erase(self._access, patient, grant)
