"""Snapshots: beliefs at the ends of pieces, named by the hash of all that made them.

The name of a snapshot is the hash of its dialect, its parent's name, the digest of the code, the covariates and the tape
of its piece. The same inputs give the same name on every machine; a late, corrected or deleted fact changes the names
from its piece on, and what was believed before stays under its old name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from importlib import import_module
from importlib.resources import files
from typing import Protocol

import numpy as np

from medtwin.governance.grant import Grant
from medtwin.inference.tape import Tape
from medtwin.record.store import Store

DIALECT = "medtwin-snapshot/1"
BEGINNING = "beginning"  #: the parent of a first piece


@dataclass(frozen=True)
class Snapshot:
    """One piece of a life as the twin went through it. ``belief`` is the serialised belief at its end.

    ``columns`` holds what the page draws, by name: arrays over the settled steps of the piece.
    """

    name: str
    parent: str
    piece: int
    belief: bytes = field(repr=False)
    columns: Mapping[str, np.ndarray] = field(repr=False)


class Shelf(Protocol):
    """Where snapshots stand between runs."""

    def get(self, name: str) -> Snapshot | None: ...

    def put(self, snapshot: Snapshot) -> None: ...


class MemoryShelf:
    """Snapshots of this process only."""

    def __init__(self) -> None:
        self.held: dict[str, Snapshot] = {}

    def get(self, name: str) -> Snapshot | None:
        return self.held.get(name)

    def put(self, snapshot: Snapshot) -> None:
        self.held[snapshot.name] = snapshot


class StoreShelf:
    """Snapshots as artifacts of a patient in a store, with a memory in front."""

    def __init__(self, store: Store, patient: str, grant: Grant) -> None:
        self.store, self.patient, self.grant = store, patient, grant
        self.memory = MemoryShelf()
        self.known: dict[str, str] | None = None  # snapshot name -> artifact hash

    def _index(self) -> dict[str, str]:
        if self.known is None:
            listed = self.store.artifacts(self.patient, "snapshot", self.grant)
            self.known = {str(manifest["name"]): artifact for artifact, manifest in listed}
        return self.known

    def get(self, name: str) -> Snapshot | None:
        held = self.memory.get(name)
        if held is None and name in self._index():
            _, content = self.store.artifact(self.patient, self._index()[name], self.grant)
            held = decode(content)
            self.memory.put(held)
        return held

    def put(self, snapshot: Snapshot) -> None:
        self.memory.put(snapshot)
        manifest: dict[str, object] = {"name": snapshot.name, "parent": snapshot.parent, "piece": snapshot.piece}
        artifact = self.store.put_artifact(self.patient, "snapshot", encode(snapshot), manifest, self.grant)
        self._index()[snapshot.name] = artifact


def encode(snapshot: Snapshot) -> bytes:
    """Bytes of a snapshot: msgpack with the dialect first."""
    import msgspec

    columns = {k: (v.dtype.str, list(v.shape), np.ascontiguousarray(v).tobytes()) for k, v in snapshot.columns.items()}
    return msgspec.msgpack.encode((DIALECT, snapshot.name, snapshot.parent, snapshot.piece, snapshot.belief, columns))


def decode(content: bytes) -> Snapshot:
    """Inverse of :func:`encode`; raises FormatError for another dialect."""
    import msgspec

    from medtwin.errors import FormatError

    dialect, name, parent, piece, belief, columns = msgspec.msgpack.decode(content)
    if dialect != DIALECT:
        raise FormatError(f"a snapshot of dialect {dialect!r}", expected=DIALECT, remedy="assimilate anew")
    arrays = {k: np.frombuffer(raw, np.dtype(kind)).reshape(shape) for k, (kind, shape, raw) in columns.items()}
    return Snapshot(name, parent, piece, belief, arrays)


def name_of(parent: str, piece: int, tape: Tape, covariates: Mapping[str, float], settings: str) -> str:
    """The content address of the snapshot that these inputs make."""
    digest = blake2b(digest_size=20)
    digest.update(
        "|".join((DIALECT, parent, str(piece), code_digest(), settings, repr(sorted(covariates.items())))).encode()
    )
    for quantity in sorted(tape.inputs):
        digest.update(quantity.encode() + np.asarray(tape.inputs[quantity], "<f8").tobytes())
    for quantity in sorted(tape.readings):
        r = tape.readings[quantity]
        present = np.asarray(r.present, bool)
        digest.update(quantity.encode() + present.tobytes())
        for column in (r.value, r.sd, r.kind):
            digest.update(np.asarray(column, "<f8")[present].tobytes())
    digest.update(np.asarray([tape.start, tape.first, tape.valid], "<f8").tobytes())
    return digest.hexdigest()


@cache
def code_digest() -> str:
    """Hash of the code that turns facts into beliefs: another version of a model is another belief."""
    digest = blake2b(digest_size=8)
    for room in ("medtwin.physiology", "medtwin.inference", "medtwin.twin"):
        import_module(room)
        for file in sorted(files(room).iterdir(), key=lambda f: f.name):
            if file.name.endswith(".py"):
                digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
