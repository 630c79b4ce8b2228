"""One run of intake: payloads to parts, raw bytes kept before facts, what is not understood to quarantine."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import chain

from medtwin.errors import AccessDenied, FormatError, MedtwinError, StoreError
from medtwin.governance.grant import Grant
from medtwin.record.event import Event, SourcePatient
from medtwin.record.store import QUARANTINE, RawKept, RawPending, Store
from medtwin.sources.archives import Plain, Refused
from medtwin.sources.clock import known_zone
from medtwin.sources.fact import stated_units
from medtwin.sources.item import Dialect, Intake, Item, Origin, Part, Reason
from medtwin.sources.links import Links
from medtwin.sources.mapping import Table
from medtwin.sources.recognise import recognise
from medtwin.sources.report import NotStored, Report, SourceRow
from medtwin.sources.suspicions import Suspicions

_UNKNOWN = "unknown"
_BINARY = "application/octet-stream"
_HELD = 64 * 1024 * 1024  #: bytes of an unknown file that are held in memory at most
_BATCH = 4000
_SAME_REASON = 100  #: items of one part and one expectation that are listed one by one


def held(name: str, content: bytes) -> Plain:
    return Plain(name, len(content), lambda: io.BytesIO(content))


class Run:
    """One intake: what was stated, what waits to be appended, and the report."""

    def __init__(
        self, store: Store, grant: Grant, patient: str | None, zone: str | None, source: str | None,
        tables: tuple[Table, ...], now: datetime | None, *, cached: bool = False,
        units: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.store, self.grant, self.patient, self.source, self.tables = store, grant, patient, source, tables
        self.units = stated_units(units or {})
        self.zone = known_zone(zone) if zone else None
        self.now = now or datetime.now(UTC)
        self.report = Report()
        self.links = Links.of(store, grant, fresh=not cached)
        self.waiting: list[Event] = []
        self.keeping: list[RawPending] = []  #: raw bytes on their way to the disk, before the facts that wait
        self.met: set[str] = set()  #: patients of the report
        self.row: SourceRow | None = None  #: of what waits
        self.refused: list[str] = []  #: locators of what was quarantined
        self.containers: set[str] = set()  #: archives kept for a member that could not be read
        self.owner: SourcePatient | None = None  #: of bytes that are replayed
        self.told: dict[str, set[str]] = {}  #: patient -> zones that the facts state
        self.stated = self.zone, source
        self.denied: int | None = None  #: parts of people of whom nothing may be kept; None: the first one ends the run

    def again(self, raw: str) -> None:
        """Prepare for a replay: facts belong to the person, source and zone that they came in under."""
        entry = self.store.raw_entry(None, raw, self.grant)
        zone, source = self.stated
        self.owner = entry.owner
        self.zone = zone or self.links.zones.get(self.links.patients.get(entry.owner, ""))
        self.source = source or (entry.source if entry.source != _UNKNOWN else None)

    # payloads

    def take(self, payload: Plain | Refused, likely: Dialect | None = None) -> None:
        """One payload, whatever it holds; raises :class:`AccessDenied` only. ``likely`` is asked before all other dialects."""
        self.report.files += 1
        if isinstance(payload, Refused):
            self.refuse(payload.payload, None, payload.error)
            return
        dialect: Dialect | None = None
        try:
            intake, dialect = self.begin(payload, likely)
            if dialect is None:
                raise FormatError(
                    "a format that medtwin does not read",
                    expected="FHIR R4, HL7v2, C-CDA, Clarity, LibreView, Apple Health, Open mHealth, Nightscout, FIT, VCF, "
                    "or a mapped table",
                    remedy="for a table, write a mapping (docs/mappings/README.md) and state it with --mapping",
                )
            self.parts(payload, dialect, intake)
        except AccessDenied:
            raise
        except FormatError as error:
            self.refuse(payload, dialect, error)
        except StoreError as error:
            self.report.not_stored.append(NotStored(file=payload.name, reason=str(error)))
        except Exception as error:  # a hostile file finds an error of ours: it is kept, named, and harms no other
            what = f"a file on which the reader failed ({type(error).__name__})"
            self.refuse(
                payload, dialect, FormatError(what, expected="a readable file", remedy="report this file's kind")
            )

    def begin(self, payload: Plain, likely: Dialect | None = None) -> tuple[Intake, Dialect | None]:
        intake = Intake(file=payload.name, now=self.now, zone=self.zone, source=self.source, tables=self.tables)
        dialect, head = recognise(payload, intake, likely)
        mark = blake2b(head, digest_size=12)
        mark.update(str(payload.size).encode())
        if dialect is not None and dialect.name == "vcf" and payload.size != len(head):
            with payload.open() as stream:  # one pipeline writes one long header for everybody
                while chunk := stream.read(1 << 20):
                    mark.update(chunk)
        anonymous = self.links.anonymous(self.patient, mark.hexdigest())
        if self.owner is not None and self.owner.system != QUARANTINE:
            anonymous = self.owner.value
        self.report.size += max(payload.size, 0)
        return (
            Intake(
                file=payload.name, now=self.now, zone=self.zone, source=self.source, tables=self.tables,
                anonymous=anonymous, units=self.units,
            ),
            dialect,
        )  # fmt: skip

    def parts(self, payload: Plain, dialect: Dialect, intake: Intake) -> None:
        """Parts in turn; the first few are looked at together, to see whether one person is named or several."""
        ahead: list[Part] = []
        named: set[SourcePatient] = set()
        parts = dialect.parts(payload, intake)
        rows: set[int] = set()
        for part in parts:
            ahead.append(part)
            if part.named:
                named.add(part.owner)
            if not part.named or len(named) > 1 or len(ahead) >= 16 or self.patient is None:
                break
        else:
            parts = iter(())
        mine = self.patient if len(named) <= 1 else None
        if self.patient is not None and (mine is None or any(part.several for part in ahead)):
            self.report.notes.append(f"{payload.name}: names several people, so --patient was not used for it")
        while ahead:
            part = ahead.pop(0)
            row = self.report.row(part.system, f"{dialect.name}/{dialect.version}")
            if id(row) not in rows:
                rows.add(id(row))
                row.files += 1
            try:
                stated = None if part.several else self.patient
                self.part(part, payload, row, mine if part.named and not part.several else stated)
            except AccessDenied:
                if self.denied is None:
                    raise
                self.denied += 1
            except FormatError as error:  # a person's key that no database can keep, say: the others are not harmed
                self.refuse(held(payload.name, part.raw), dialect, error, part.system)
            following = next(parts, None) if not ahead else None
            if following is not None:
                ahead.append(following)

    def part(self, part: Part, payload: Plain, row: SourceRow, patient: str | None) -> None:
        part = self.own(part)
        self.links.learn([part.owner, *(owner for owner, _ in part.people)])
        stated = {"media_type": part.media_type, "file": payload.name, "source": part.system}
        if wrong := self.links.contradiction(part.owner, patient):
            self.report.not_stored.append(NotStored(file=payload.name, reason=wrong, again=False))
            return
        if part.keyed and (not part.named or part.owner not in self.links.patients):
            self.report.notes.append(f"{payload.name}: {part.keyed}")
        again = False  #: whether these bytes, with what they state of keys, were taken in before
        if (
            self.denied is None and not part.identities and part.owner in self.links.patients
        ):  # many patients in one file go into few commits
            later = self.store.keep_raw_later(part.raw, part.owner, self.grant, **stated)
            raw = later.hash
            self.keeping.append(later)
            if len(self.keeping) >= _BATCH:
                self.settle()
        else:  # a key that is new here may be one that no database can keep: that is told at once
            kept = self.store.keep_raw(part.raw, part.owner, self.grant, **stated)
            raw, again = kept.hash, kept.duplicate and kept.hash not in self.links.owed
            self.count_raw(kept)
        if part.identities and not again:
            self.links.owed.add(raw)  # a store that refuses is asked again with the same bytes
        linked = self.links.link(part.owner, part.named, patient, self.zone, self.report.notes)
        for owner, said in part.people:
            self.links.describe(owner, said, self.report.notes)
        linked = self.links.patients.get(part.owner, linked)
        if linked is not None and linked not in self.met:
            self.met.add(linked)
            self.report.patients.append(linked)
        if self.row is not row:
            self.flush()
            self.row = row
        reasons: dict[str, int] = {}
        suspicions = Suspicions()
        for item in part.read(Origin(raw=raw, file=payload.name)):
            if isinstance(item, Event):
                row.read += 1
                suspicions.saw(item)
                row.quantities[item.quantity] = row.quantities.get(item.quantity, 0) + 1
                if linked is None:
                    row.unassigned += 1
                elif item.time.zone is not None:
                    self.told.setdefault(linked, set()).add(item.time.zone)
                self.waiting.append(item)
                if len(self.waiting) >= _BATCH:
                    self.flush()
            elif isinstance(item, Reason):
                reasons[item.expected] = reasons.get(item.expected, 0) + 1
                self.count(row, item.found)
                if reasons[item.expected] <= _SAME_REASON:
                    self.quarantine(raw, payload.name, row.dialect, item, len(part.raw))
            else:
                row.unmapped[item.kind] = row.unmapped.get(item.kind, 0) + item.count
        for number, identity in enumerate(part.identities, start=1):
            if not self.links.reads:  # to move keys takes knowing all of a patient's
                reason = Reason(
                    found=f"{identity.said}: a sender that may only write states whose keys are whose",
                    expected="facts, from such a sender", where=f"identity {number}",
                    remedy="look whether it holds: `medtwin people link`, `medtwin people unlink`, `medtwin assign`",
                )  # fmt: skip
                self.count(row, reason.found)
                self.quarantine(raw, payload.name, row.dialect, reason, len(part.raw))
            elif again:  # a person may have undone it since
                self.links.remind(identity, self.report.notes)
            else:
                self.links.same(identity, self.report.notes)
        self.links.owed.discard(raw)
        self.report.notes += [f"{payload.name}: {sentence}" for sentence in suspicions.said()]
        for expected, count in reasons.items():
            if count > _SAME_REASON:
                rest = Reason(
                    found=f"{count - _SAME_REASON} more items of the same kind", expected=expected, where="further on"
                )
                self.quarantine(raw, payload.name, row.dialect, rest, len(part.raw))

    def own(self, part: Part) -> Part:
        """The part under the key that its person has here."""
        key, stated = self.links.own(part, self.report.notes), part.owner
        if key == stated:
            return part

        def read(origin: Origin) -> Iterator[Item]:
            for item in part.read(origin):
                yield replace(item, subject=key) if isinstance(item, Event) and item.subject == stated else item

        people = tuple((key if owner == stated else owner, said) for owner, said in part.people)
        if "#?" in key.value:  # of nobody yet
            named = tuple((owner, said) for owner, said in people if owner != key)
            return replace(part, owner=key, people=named, read=read, named=False)
        return replace(part, owner=key, people=people, read=read)

    # facts

    def flush(self) -> None:
        """Append what waits, after the raw bytes; what cannot be stored is named in the report."""
        events, self.waiting = self.waiting, []
        try:
            self.settle()
        except StoreError as error:
            if events:
                reason = f"{len(events)} facts from here on: {error}"
                self.report.not_stored.append(NotStored(file=events[0].source.file, reason=reason))
            return
        if events and self.row is not None:
            self.append(events, self.row)

    def settle(self) -> None:
        """Wait until the raw bytes so far are durable; raises what keeping one of them raised."""
        keeping, self.keeping = self.keeping, []
        for later in keeping:
            self.count_raw(later.wait())

    def count_raw(self, kept: RawKept) -> None:
        if kept.duplicate:
            self.report.raw_duplicate += 1
        else:
            self.report.raw_kept += 1

    def finish(self) -> Report:
        """Append the rest, settle the patients' zones; the report."""
        self.flush()
        for patient, zones in self.told.items():
            self.links.settle(patient, zones, self.report.notes)
        return self.report

    def append(self, events: list[Event], row: SourceRow) -> None:
        try:
            receipt = self.store.append(events, self.grant)
        except AccessDenied:
            raise
        except StoreError as error:
            self.report.not_stored.append(
                NotStored(file=events[0].source.file, reason=f"{len(events)} facts from here on: {error}")
            )
        except (FormatError, ValueError, OverflowError) as error:
            self.divide(events, row, error)
        else:
            row.new += len(receipt.new)
            row.duplicate += receipt.duplicate
            row.superseded += receipt.superseded
            self.report.sequence = max(self.report.sequence, receipt.sequence)

    def divide(self, events: list[Event], row: SourceRow, error: Exception) -> None:
        """One fact that no database can keep must not take the others with it."""
        if len(events) > 1:
            middle = len(events) // 2
            self.append(events[:middle], row)
            self.append(events[middle:], row)
            return
        event = events[0]
        row.read -= 1
        row.quantities[event.quantity] -= 1
        found = error.found if isinstance(error, MedtwinError) else "a fact that cannot be written down"
        reason = Reason(found=found, expected="a fact that a database can keep", where=event.source.locator)
        self.count(row, found)
        self.quarantine(event.source.raw, event.source.file, event.source.dialect, reason, 0)

    # quarantine

    def count(self, row: SourceRow, found: str) -> None:
        row.quarantined += 1
        if found in row.reasons or len(row.reasons) < 200:
            row.reasons[found] = row.reasons.get(found, 0) + 1

    def quarantine(self, raw: str, file: str, dialect: str | None, reason: Reason, size: int) -> None:
        self.refused.append(reason.where)
        number = self.store.quarantine(
            raw, file=file, dialect=dialect, locator=reason.where, found=reason.found[:500], expected=reason.expected,
            remedy=reason.remedy, size=size, grant=self.grant,
        )  # fmt: skip
        self.report.quarantine.append(number)

    def refuse(self, payload: Plain, dialect: Dialect | None, error: FormatError, system: str | None = None) -> None:
        """A whole payload that was not understood: its bytes are kept and named, if they can be had at all."""
        name = f"{dialect.name}/{dialect.version}" if dialect else None
        known, system = system is not None, system or self.source or _UNKNOWN
        if self.owner is not None:  # a replay: the bytes are kept, and their item of the quarantine stays open
            self.refused.append("")
            self.count(self.report.row(system, name or _UNKNOWN), error.found)
            return
        try:
            owner = SourcePatient(QUARANTINE, mark_of(payload))
            kept = self.keep_whole(payload, owner, system)
        except (FormatError, OSError) as unread:
            self.unreadable(payload, dialect, error, unread)
            return
        except StoreError as failed:
            self.report.not_stored.append(NotStored(file=payload.name, reason=str(failed)))
            return
        try:
            self.count_raw(kept)
            self.links.link(owner, False, self.patient, None, self.report.notes)
            row = self.report.row(system, name or _UNKNOWN)
            row.files += 0 if known else 1
            self.count(row, error.found)
            reason = Reason(found=error.found, expected=error.expected, where=error.where, remedy=error.remedy)
            self.quarantine(kept.hash, payload.name, name, reason, max(payload.size, 0))
        except StoreError as failed:
            self.report.not_stored.append(NotStored(file=payload.name, reason=str(failed)))

    def keep_whole(self, payload: Plain, owner: SourcePatient, system: str) -> RawKept:
        """Keep the bytes of a payload of any length."""
        with payload.open() as stream:
            first = stream.read(_HELD + 1)
            if len(first) <= _HELD:
                return self.store.keep_raw(
                    first, owner, self.grant, media_type=_BINARY, file=payload.name, source=system
                )
            chunks = chain((first,), iter(lambda: stream.read(1 << 20), b""))
            return self.store.keep_raw_stream(
                chunks, owner, self.grant, media_type=_BINARY, file=payload.name, source=system
            )

    def unreadable(self, payload: Plain, dialect: Dialect | None, error: FormatError, unread: Exception) -> None:
        """Bytes that cannot be had (a bomb, a broken member): the archive that holds them is kept instead, once."""
        container = payload.container
        if container is None:
            lost = f"{error}; its bytes could not be kept ({unread})"
            self.report.not_stored.append(NotStored(file=payload.name, reason=lost))
        elif container.name not in self.containers:
            self.containers.add(container.name)
            said = unread if isinstance(unread, FormatError) else error
            where = said.where or payload.name[-80:]
            self.refuse(
                container, dialect, FormatError(said.found, expected=said.expected, where=where, remedy=said.remedy)
            )


def mark_of(payload: Plain) -> str:
    """Hash of all bytes: raises what reading them raises."""
    mark = blake2b(digest_size=16)
    with payload.open() as stream:
        while chunk := stream.read(1 << 20):
            mark.update(chunk)
    return mark.hexdigest()
