"""A sender that is bound to one patient: what it delivers is of that patient, or none of it is taken.

The delivery is read once before anything of it is kept. What names another person (a key that is somebody else's, several people,
names and a birth date that are not the patient's, a statement on whose keys are whose) is refused as a whole, in words that name
nobody. The keys that are new are linked to the patient, so that intake then runs under a grant that covers this patient only.
"""

from __future__ import annotations

from datetime import datetime

from medtwin.errors import AccessDenied, FormatError, StoreError, UnknownPatient
from medtwin.governance.grant import Grant
from medtwin.record.event import Event, SourcePatient
from medtwin.record.identity.compare import compare, person
from medtwin.record.identity.score import compatible
from medtwin.record.store import QUARANTINE, Store
from medtwin.sources import archives
from medtwin.sources.archives import Plain, Refused
from medtwin.sources.item import Origin, Part
from medtwin.sources.links import ANONYMOUS, Links
from medtwin.sources.run import Run, held, mark_of

_TURNS = 3  #: the key of bytes that name nobody may depend on those that were linked before


def bind(
    content: bytes, name: str, store: Store, grant: Grant, limited: Grant, patient: str, *, zone: str | None = None,
    source: str | None = None, now: datetime | None = None,
) -> None:  # fmt: skip
    """Check a delivery and link its new keys under ``grant``; :func:`~medtwin.sources.ingest.ingest_bytes` then runs ``limited``.

    Raises :class:`AccessDenied` where it names another person, and for a patient who withdrew.
    """
    for _ in range(_TURNS):
        fresh = _Look(store, grant, patient, zone, source, now).keys(held(name, content))
        if not fresh:
            break
        for key in fresh:
            store.link(key, patient, grant, why="stated")
    Links.of(store, limited, fresh=True)


class _Look:
    """One reading of a delivery that keeps nothing."""

    def __init__(
        self, store: Store, grant: Grant, patient: str, zone: str | None, source: str | None, now: datetime | None
    ) -> None:
        self.store, self.grant, self.patient = store, grant, patient
        self.run = Run(store, grant, patient, zone, source, (), now)
        self.whose = self.run.links.patients
        self.fresh: dict[SourcePatient, None] = {}
        self.named: set[SourcePatient] = set()

    def keys(self, whole: Plain) -> list[SourcePatient]:
        """The keys that are to be the patient's and are not yet."""
        for payload in archives.walk(whole):
            if isinstance(payload, Refused):
                self._unread(payload.payload)
                self._unread(whole)
                continue
            try:
                intake, dialect = self.run.begin(payload)
                if dialect is None:
                    self._unread(payload)
                    continue
                for part in dialect.parts(payload, intake):
                    self._part(part, payload.name)
            except (AccessDenied, StoreError):
                raise
            except Exception:  # intake meets the same and quarantines the bytes
                self._unread(payload)
        if len(self.named) > 1 or any(self._known(key.system) for key in self.named):
            raise _other("a key of a person that is not its patient's")
        return list(self.fresh)

    def _part(self, part: Part, file: str) -> None:
        if part.several or any(owner != part.owner for owner, _ in part.people):
            raise _other("several people")
        if part.identities:
            raise _other("a statement on whose keys are whose")
        if self.whose.get(part.owner, self.patient) != self.patient:
            raise _other("another person")
        for owner, said in part.people:
            if part.named and self.store.key_of(owner, said, self.grant, keep=False) != owner:
                raise _other("names or a birth date of another person")
            try:
                held_here = self.store.demographics(self.patient, self.grant)
            except UnknownPatient:
                continue
            if not compatible(compare(person(held_here), person(said))):
                raise _other("names or a birth date of another person")
        if part.owner not in self.whose:
            self.fresh[part.owner] = None
            if part.named:
                self.named.add(part.owner)
        for item in part.read(Origin(raw="", file=file)):
            if isinstance(item, Event) and item.subject != part.owner:
                raise _other("facts of another person")

    def _known(self, system: str) -> bool:
        """Whether that system knows the patient by another key, so that a new one of it is somebody else's."""
        return any(
            whose == self.patient and key.system == system and not key.value.startswith(ANONYMOUS)
            for key, whose in self.whose.items()
        )  # fmt: skip

    def _unread(self, payload: Plain) -> None:
        try:
            key = SourcePatient(QUARANTINE, mark_of(payload))
        except (FormatError, OSError):
            return
        if self.whose.get(key, self.patient) != self.patient:
            raise _other("bytes that came in for another person")
        if key not in self.whose:
            self.fresh[key] = None


def _other(found: str) -> AccessDenied:
    return AccessDenied(
        f"a delivery with {found}", expected="facts of the one patient whom this sender is registered for",
        remedy="send nothing of others; a new key of the patient is linked by `medtwin assign`",
    )  # fmt: skip
