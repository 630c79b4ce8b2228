"""Who is whose: links from the keys of sources to patients, as intake makes them.

A key that a payload names (a FHIR Patient, the person of a Clarity export) becomes a patient of its own when nobody has
linked it yet. Facts of a payload that names nobody wait unassigned, unless the caller says whose they are. What sources say of
people is compared in the store (:mod:`medtwin.record.identity`), which links keys where the evidence suffices; a key whose number
comes with another person's names and birth date becomes a key of its own. What a source itself states of its own keys (an HL7v2
merge, link or unlink) is carried out. All of it moves keys, never facts, is a row of one stream, and can be undone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from weakref import WeakKeyDictionary

from medtwin.errors import AccessDenied, StoreError
from medtwin.governance.grant import Grant
from medtwin.record.event import SourcePatient
from medtwin.record.identity.search import NEW
from medtwin.record.identity.statement import names_nobody
from medtwin.record.store import Demographics, Store
from medtwin.sources.item import Identity, Part, Same

ANONYMOUS = "anonymous-"
_KNOWN: WeakKeyDictionary[Store, Links] = WeakKeyDictionary()


def adopt_zone(store: Store, grant: Grant, patient: str) -> str | None:
    """Make the one zone that a patient's facts state the patient's own, where nobody stated another; the zone, if so.

    Facts that came with an offset, or with none at all, state no zone. Facts that state several settle nothing.
    """
    entry = next((entry for entry in store.patients(grant) if entry.id == patient), None)
    if entry is None or entry.zone is not None:
        return None
    stated = {event.time.zone for event in store.record(patient, grant).events} - {None}
    if len(stated) != 1:
        return None
    zone = stated.pop()
    store.link(entry.keys[0], patient, grant, zone=zone)
    return zone


class Links:
    """Links of one store as last seen under one grant."""

    def __init__(self, store: Store, grant: Grant) -> None:
        self.store, self.grant = store, grant
        self.described: dict[SourcePatient, Demographics] = {}
        self.patients: dict[SourcePatient, str] = {}
        self.zones: dict[str, str | None] = {}  #: home zones of patients, where somebody stated one
        self.unsettled: set[str] = set()  #: patients whose facts state several zones
        self.reads = True  #: whether the grant covers the worklist
        self.owed: set[str] = set()  #: raw bytes whose statements on keys began and did not end
        self.load()

    @classmethod
    def of(cls, store: Store, grant: Grant, *, fresh: bool) -> Links:
        """The links of ``store``; a live intake reuses what it saw before, since a worklist costs more than a fact."""
        known = None if fresh else _KNOWN.get(store)
        if known is None or known.grant != grant:
            known = cls(store, grant)
            _KNOWN[store] = known
        return known

    def load(self) -> None:
        try:
            entries = self.store.patients(self.grant)
        except (
            AccessDenied
        ):  # a device may write without reading a worklist: it learns whose the keys are that it brings
            self.reads = False
            return
        self.reads = True
        self.patients = {key: entry.id for entry in entries for key in entry.keys}
        self.zones = {entry.id: entry.zone for entry in entries}

    def learn(self, keys: Iterable[SourcePatient]) -> None:
        """Whose these keys are now, where the grant covers no worklist."""
        if self.reads:
            return
        asked = set(keys)
        said = self.store.whose(asked, self.grant)
        self.patients = {key: whose for key, whose in self.patients.items() if key not in asked} | said

    def anonymous(self, patient: str | None, mark: str) -> str:
        """The key of a payload that names nobody: one for each patient that the caller states, else by the content.

        A patient keeps the anonymous key of the first such payload, so that overlapping exports meet in one key.
        """
        if patient is None:
            return ANONYMOUS + mark
        for key, whose in self.patients.items():
            if whose == patient and key.value.startswith(ANONYMOUS):
                return key.value
        waiting = ANONYMOUS + mark
        try:
            if any(key.value == waiting for key in self.store.unassigned(self.grant)):
                return waiting
        except AccessDenied:
            pass
        return ANONYMOUS + blake2b(patient.encode(), digest_size=12).hexdigest()

    def contradiction(self, owner: SourcePatient, patient: str | None) -> str | None:
        """Why facts of ``owner`` are not those of the ``patient`` whom somebody states; None where nothing speaks against it."""
        whose = self.patients.get(owner)
        if patient is None or whose is None or patient == whose:
            return None
        return (
            f"found a person of {owner.system} who is patient {whose} here; expected {patient}, as stated; nothing of it was "
            f"stored: leave --patient out or name {whose} where it is the same person, else look whose file it is"
        )

    def link(
        self, owner: SourcePatient, named: bool, patient: str | None, zone: str | None, notes: list[str]
    ) -> str | None:
        """The patient whose key ``owner`` is, linked now where it was not; None while nobody is known."""
        whose = self.patients.get(owner)
        if whose is not None:
            if zone is not None and patient == whose:
                self.store.link(owner, whose, self.grant, zone=zone)
                self.zones[whose] = zone
            return whose
        if patient is None and not named:
            return None
        chosen = patient or self._new(owner)
        try:
            if patient is not None:
                self.store.link(owner, chosen, self.grant, zone=zone, why="stated")
            else:
                chosen = self._make(owner, chosen, zone)
        except StoreError:
            self.load()  # somebody else linked it meanwhile
            self.learn([owner])
            if owner not in self.patients:
                raise
            return self.patients[owner]
        self.patients[owner] = chosen
        self.zones[chosen] = zone or self.zones.get(chosen)
        return chosen

    def _make(self, owner: SourcePatient, chosen: str, zone: str | None) -> str:
        """Link to a new patient; where that id is somebody's, of whom this grant need not know, to one with the source's mark."""
        try:
            self.store.link(owner, chosen, self.grant, zone=zone, why=NEW, new=True)
        except StoreError:
            marked = self._names(owner)[1]
            if marked == chosen:
                raise
            self.store.link(owner, marked, self.grant, zone=zone, why=NEW, new=True)
            return marked
        return chosen

    def same(self, said: Identity, notes: list[str]) -> None:
        """Carry out what a source states of two of its keys; once done, the same statement does nothing again."""
        self.load()  # a person may have moved a key since
        try:
            self._same(said, notes)
        except StoreError:
            self.load()  # somebody else moved a key meanwhile
            self._same(said, notes)

    def remind(self, said: Identity, notes: list[str]) -> None:
        """Name a statement of bytes that came before and that does not hold now: a person undid it, or intake was cut short."""
        self.load()
        stands, gone = self.patients.get(said.stands), self.patients.get(said.gone)
        if (stands is not None and stands == gone) == (said.same is Same.UNLINKED):
            notes.append(
                f"{said.said} of {said.gone.system}: these bytes came before, so nothing moves again, and {said.gone.value} is a "
                f"key of {gone or 'nobody'} now, {said.stands.value} of {stands or 'nobody'}; `medtwin assign` changes it"
            )

    def _same(self, said: Identity, notes: list[str]) -> None:
        stands = self.link(said.stands, True, None, None, notes)
        before = self.patients.get(said.gone)
        if said.same is Same.UNLINKED:
            if before is None or before != stands:
                return
            self.store.unlink(said.gone, self.grant, why=said.said)
            del self.patients[said.gone]
            chosen = self._new(said.gone)
        else:
            if before == stands or stands is None:
                return
            chosen = stands
        moving = [said.gone, *(self._follow(said, before) if before is not None else ())]
        if before is not None and said.same is not Same.UNLINKED:
            for key in moving:
                self.store.unlink(key, self.grant, why=said.said)
                del self.patients[key]
        for key in moving:
            self.store.link(key, chosen, self.grant, why=said.said)
            self.patients[key] = chosen
        if said.same is Same.UNLINKED:
            self.store.refuse(said.stands, said.gone, self.grant, why=said.said)
        self.zones.setdefault(chosen, None)
        many = f"{len(moving)} keys" if len(moving) > 1 else "a key"
        left = sum(whose == before for whose in self.patients.values()) if before is not None else 0
        notes.append(
            f"{said.said} of {said.gone.system}: {many} of {before or 'nobody yet'} "
            f"belong{'s' if len(moving) == 1 else ''} to {chosen} now ({said.same}); `medtwin assign --release` undoes it"
            + (
                f"; {left} other keys stay with {before}: look whose they are"
                if left and said.same is Same.MERGED
                else ""
            )
        )

    def _follow(self, said: Identity, before: str) -> list[SourcePatient]:
        """The keys that were merged into ``gone`` before and so are where it goes.

        They are the keys of the same system in the patient that was made for ``gone``. Where the patient was made for another
        key, or a key is of another system, somebody else brought them together: they stay, and the report says it.
        """
        if said.same is not Same.MERGED or before not in self._names(said.gone):
            return []
        return [
            key for key, whose in self.patients.items()
            if whose == before and key.system == said.gone.system and key != said.gone
        ]  # fmt: skip

    def settle(self, patient: str, stated: set[str], notes: list[str]) -> None:
        """The zone that all facts of a patient state becomes the patient's, where none is known."""
        if self.zones.get(patient) is not None or patient in self.unsettled:
            return
        try:
            zone = adopt_zone(self.store, self.grant, patient) if len(stated) == 1 else None
        except AccessDenied:  # a device may write without reading
            return
        if zone is None:
            self.unsettled.add(patient)
            return
        self.zones[patient] = zone
        notes.append(f"{patient}: the zone is {zone} from now on, which all facts state")

    def own(self, part: Part, notes: list[str]) -> SourcePatient:
        """The key of a part's person: another than the source states where the number is known for somebody else."""
        if not part.named:
            return part.owner
        said = next((said for owner, said in part.people if owner == part.owner), Demographics())
        if self.described.get(part.owner) == said and said.birth_date and not names_nobody(said):
            return part.owner
        key = self.store.key_of(part.owner, said, self.grant)
        if key != part.owner and key.value.endswith("#"):
            # one payload each: whoever assigns it says nothing of the next one
            key = SourcePatient(key.system, f"{key.value}?{blake2b(part.raw, digest_size=6).hexdigest()}")
            notes.append(
                f"{part.owner.system}: a number that several people have, and not enough to tell whose this is; its facts "
                "wait for a person, see `medtwin assign`"
            )
        elif key != part.owner:
            notes.append(
                f"{part.owner.system}: one number, and names and birth date of somebody else than before; what came with them is "
                "kept under a key of its own, see `medtwin people matches`"
            )
        return key

    def describe(self, owner: SourcePatient, said: Demographics, notes: list[str]) -> None:
        """Keep what the source says of the person and look who it may be, once for each statement."""
        if self.described.get(owner) == said:
            return
        found = self.store.identify(owner, said, self.grant)
        self.described[owner] = said
        for key, patient in found.moved:
            notes.append(
                f"{key.system}: a key of {self.patients.get(key) or 'nobody yet'} belongs to {patient} now, by what sources say "
                "of the person; `medtwin people unlink` undoes it"
            )
            self.patients[key] = patient
            self.zones.setdefault(patient, None)
        if found.possible:
            notes.append(
                f"{owner.system}: a key of {self.patients.get(owner) or 'nobody yet'} may be somebody who is here already: "
                "see `medtwin people matches`"
            )

    def _new(self, owner: SourcePatient) -> str:
        """An id for a new patient: the source's own where it is free, else with the source's mark."""
        first, marked = self._names(owner)
        return first if first and first not in set(self.patients.values()) else marked

    @staticmethod
    def _names(owner: SourcePatient) -> tuple[str, str]:
        """The two ids that a patient made for a key may have; the first is empty where the key has no fit letters."""
        own = re.sub(r"[^A-Za-z0-9._-]+", "-", owner.value).strip("-.")[:64]
        short = re.sub(r"[^a-z0-9]+", "-", owner.system.lower()).strip("-")[:24]
        if owner.system == "fhir" or owner.system.startswith("http"):
            first = own
        else:
            first = f"{short}-{own}"
        mark = blake2b(f"{owner.system}|{owner.value}".encode(), digest_size=4).hexdigest()
        return first if own else "", f"{first or short or 'patient'}-{mark}"
