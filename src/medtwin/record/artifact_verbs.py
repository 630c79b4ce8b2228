"""Verbs on large or derived things, by content hash."""

from __future__ import annotations

from typing import Any

import msgspec

from medtwin.errors import StoreError
from medtwin.governance.grant import Action, Grant
from medtwin.record import vault
from medtwin.record.access import Access
from medtwin.record.schema import TABLES
from medtwin.record.writer import Job, Work

_encode = msgspec.msgpack.Encoder().encode
_manifest = msgspec.msgpack.Decoder(dict[str, Any]).decode


class ArtifactVerbs:
    """A part of :class:`~medtwin.record.sql.SqlStore`, which holds the fields."""

    _access: Access
    _deferred: list[Job]

    def put_artifact(
        self,
        patient: str,
        kind: str,
        content: bytes,
        manifest: dict[str, object],
        grant: Grant,
        *,
        durable: bool = True,
    ) -> str:
        """Keep a large or derived thing (a snapshot, a volume) by content hash, encrypted under the patient's key.

        The name is BLAKE2b (16 bytes, hexadecimal) of kind and content; what is here already stays, with its manifest.
        ``durable=False`` returns before the commit, for what can be derived again (snapshots): it is lost if the
        process dies within the next few milliseconds. A refusal is then raised by :meth:`flush`.
        """
        digest = vault.content_hash(kind, content)
        packed = _encode(manifest)

        def job(work: Work) -> None:
            self._access.allow(work, grant, Action.WRITE, patient)
            self._access.known(work, patient)
            self._access.audit(work, grant, "put artifact", patient, count=len(content))
            if work.connection.rows("SELECT 1 FROM artifact WHERE patient = ? AND hash = ?", (patient, digest)):
                return
            number = work.number()
            key = self._access.names.patient_key(work.connection, patient)
            sealed = key.seal(packed, b"artifact:%d" % number)
            row = (number, patient, kind, digest, len(content), sealed)
            work.connection.insert("artifact", TABLES["artifact"], [row])
            vault.put_pieces(work, key, number, content)

        weight = 1 + len(content) // 500
        if durable:
            self._access.write(grant, "put artifact", job, patient=patient, weight=weight)
        else:
            grant.require(Action.WRITE, patient, self._access.epoch())
            self._deferred = [one for one in self._deferred if not one.done.is_set() or one.error is not None]
            self._deferred.append(self._access.write(grant, "put artifact", job, weight=weight, wait=False))
        return digest.hex()

    def artifact(self, patient: str, artifact_hash: str, grant: Grant) -> tuple[dict[str, object], bytes]:
        """(manifest, content); raises :class:`StoreError` when the patient has no such artifact."""
        self._settle()
        with self._access.read(grant, "artifact", patient, snapshot=True) as read:
            rows = read.connection.rows(
                "SELECT id, manifest, size FROM artifact WHERE patient = ? AND hash = ?",
                (patient, vault.bits(artifact_hash)),
            )
            if not rows:
                raise StoreError("no artifact of that name", expected="the hash of an artifact of this patient")
            number, sealed, size = rows[0]
            key = self._access.read_names.patient_key(read.connection, patient)
            content = b"".join(vault.pieces(read.connection, key, int(number)))
            if len(content) != int(size):
                raise StoreError("an artifact with a piece missing", remedy="restore a backup")
            read.count = len(content)
            return _manifest(key.open(bytes(sealed), b"artifact:%d" % number)), content

    def artifacts(self, patient: str, kind: str, grant: Grant) -> tuple[tuple[str, dict[str, object]], ...]:
        """(hash, manifest) of all artifacts of one kind, oldest first."""
        self._settle()
        with self._access.read(grant, "artifacts", patient) as read:
            rows = read.connection.rows(
                "SELECT id, hash, manifest FROM artifact WHERE patient = ? AND kind = ? ORDER BY id", (patient, kind)
            )
            key = self._access.read_names.patient_key(read.connection, patient)
            read.count = len(rows)
            return tuple(
                (bytes(digest).hex(), _manifest(key.open(bytes(sealed), b"artifact:%d" % number)))
                for number, digest, sealed in rows
            )

    def drop_artifact(self, patient: str, artifact_hash: str, grant: Grant) -> None:
        """Delete an artifact; one that is not here is no error."""

        def job(work: Work) -> None:
            self._access.allow(work, grant, Action.WRITE, patient)
            place = (patient, vault.bits(artifact_hash))
            for row in work.connection.rows("SELECT id FROM artifact WHERE patient = ? AND hash = ?", place):
                vault.drop(work.connection, int(row[0]))
                work.connection.run("DELETE FROM artifact WHERE id = ?", (row[0],))
            self._access.audit(work, grant, "drop artifact", patient, count=1)

        self._access.write(grant, "drop artifact", job, patient=patient)

    def _settle(self) -> None:
        """A deferred artifact is seen by whoever reads after it was put."""
        if any(not job.done.is_set() for job in self._deferred):
            self._access.writer.flush()
