"""What the documents of Nightscout and oref0 say: facts, reasons, and counts of what has no quantity here.

Members are those of Nightscout's API 3 (``lib/api3/swagger.yaml`` of nightscout/cgm-remote-monitor) and of oref0's pump
history (``lib/iob/history.js`` of openaps/oref0). ``date`` counts milliseconds; the offset is that of ``dateString`` or
``created_at`` as sent, else ``utcOffset`` in minutes, else UTC. Sensor values without ``units`` are mg/dL and flagged so.

A temporary basal rate is known when it starts, for the length that was programmed; what follows it (another one, its
cancellation, a suspension) ends it, which a corrected version of the same fact says from then on. One that is a percentage
of a schedule is no rate without that schedule: quarantined, unless it is none at all (0 U/h). A combo bolus has its
immediate part in ``insulin`` and the extended one as ``relative`` U/h for ``duration`` minutes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import isfinite, nan

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.record.event import Code, Event, Status
from medtwin.record.moment import Moment, Precision
from medtwin.sources.clock import iso
from medtwin.sources.contradictions import flagged
from medtwin.sources.fact import Facts
from medtwin.sources.item import Item, Reason, Unmapped
from medtwin.sources.tabular import key_of, settle

_UNITS = {"mg": "mg/dL", "mg/dl": "mg/dL", "mgdl": "mg/dL", "mmol": "mmol/L", "mmol/l": "mmol/L"}
_FOOD = {"carbs": "carbohydrate_intake", "protein": "protein_intake", "fat": "fat_intake"}
_TEMPORARY = frozenset(("Temp Basal", "Temp Basal Start", "Temp Basal End"))
_LAST_CODE = 12  #: a sensor writes its errors as whole numbers up to this, in place of glucose (from memory)
_LONGEST = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON object, what it is (empty: nothing known) and where it stands."""

    kind: str
    values: dict[str, object]
    where: str


@dataclass(frozen=True, slots=True)
class _Basal:
    """Something that sets or ends a temporary rate, as it was written; ``rate`` None where it only ends one."""

    time: Moment
    rate: str | None
    lasts: timedelta
    document: Document
    share: bool = False  #: ``rate`` is a percentage of a schedule
    none: bool = False  #: nothing flows, whatever is written
    open: bool = False  #: it states no length of its own


class _Bad(Exception):
    """A document, or one of its members, cannot be understood."""

    def __init__(self, found: str, expected: str, remedy: str = "") -> None:
        super().__init__(found)
        self.found, self.expected, self.remedy = found, expected, remedy


def facts_of(documents: list[Document], facts: Facts, zone: str | None) -> Iterator[Item]:
    yield from flagged(_items(documents, _Reading(facts, zone)))


def _items(documents: list[Document], reading: _Reading) -> Iterator[Item]:
    unmapped: dict[str, int] = {}
    nameless: list[tuple[Event, str]] = []
    basal: list[_Basal] = []
    lengths = reading.lengths(documents)
    for document in documents:
        try:
            for item in reading.document(document, lengths):
                if isinstance(item, _Basal):
                    basal.append(item)
                elif isinstance(item, Unmapped):
                    unmapped[item.kind] = unmapped.get(item.kind, 0) + item.count
                elif isinstance(item, Event) and item.key.startswith(f"{item.quantity}@"):
                    nameless.append((item, f"{item.text}"))
                else:
                    yield item
        except (_Bad, FormatError) as error:
            yield Reason(found=error.found, expected=error.expected, where=document.where, remedy=error.remedy)
    yield from settle(nameless)
    yield from reading.rates(basal)
    for kind, count in unmapped.items():
        yield Unmapped(kind, count)


def _written(value: object) -> str | None:
    """A number as it was written, also where it is in a text; None for nothing."""
    text = getattr(value, "text", value)
    return text if isinstance(text, str) and text.strip() else None


def _number(value: object, what: str) -> float:
    try:
        number = float(_written(value) or "")
    except ValueError:
        number = nan
    if not isfinite(number):
        raise _Bad(f"{what} {str(getattr(value, 'text', value))[:40]!r}", "a number")
    return number


def _positive(value: object, what: str) -> bool:
    return value is not None and _written(value) is not None and _number(value, what) > 0


class _Reading:
    """Reads documents one by one; all share the facts' maker and the zone that somebody stated."""

    def __init__(self, facts: Facts, zone: str | None) -> None:
        self.facts, self.zone = facts, zone

    # times

    def epoch(self, value: object) -> datetime | None:
        """An instant in milliseconds, or None; seconds are not guessed."""
        if not isinstance(value, float):
            return None
        if not 1e11 < value < 1e13:
            raise _Bad(f"the date {_written(value)}", "milliseconds since 1970", "seconds or days are not guessed")
        return datetime.fromtimestamp(value / 1000, UTC)

    def time(self, values: dict[str, object]) -> Moment:
        """When it held; raises :class:`_Bad` or :class:`FormatError`."""
        text = next(
            (said for name in ("dateString", "created_at", "timestamp") if isinstance(said := values.get(name), str)),
            None,
        )
        counted = next(
            (said for name in ("date", "mills", "timestamp") if isinstance(said := values.get(name), float)), None
        )
        instant = self.epoch(counted)
        moment: Moment | None = None
        if text is not None:
            try:
                moment = iso(text, self.zone)
            except FormatError:
                if instant is None:
                    raise
        if instant is None:
            if moment is None:
                raise _Bad("a document without a time", "date, created_at or timestamp")
            return self._shifted(moment, values) if moment.offset == 0 else moment
        if moment is not None and moment.offset is not None:
            if abs(moment.instant - instant) > timedelta(minutes=1):
                raise _Bad(
                    f"two times of one document: {text} and {_written(counted)}",
                    "one moment",
                    "ask which clock is right",
                )
            if moment.offset:
                return moment
        precision = Precision.FRACTION if instant.microsecond else Precision.SECOND
        return self._shifted(Moment(instant.replace(tzinfo=None), precision, 0), values)

    def _shifted(self, moment: Moment, values: dict[str, object]) -> Moment:
        """The same instant on the clock that ``utcOffset`` states."""
        offset = values.get("utcOffset")
        if not isinstance(offset, float) or abs(offset) > 14 * 60 or offset != int(offset):
            return moment
        return replace(moment, local=moment.local + timedelta(minutes=offset), offset=int(offset))

    def known(self, values: dict[str, object]) -> datetime | None:
        return self.epoch(values.get("srvModified") or values.get("srvCreated"))

    # documents

    def lengths(self, documents: list[Document]) -> dict[str, object]:
        """Minutes of a pump's temporary rates: they stand beside it, in a document of the same time."""
        return {
            str(document.values.get("timestamp")): document.values.get("duration (min)")
            for document in documents if document.values.get("_type") == "TempBasalDuration"
        }  # fmt: skip

    def document(self, document: Document, lengths: dict[str, object]) -> Iterator[Item | _Basal]:
        if document.kind == "entry":
            yield from self.entry(document)
        elif document.kind == "treatment":
            yield from self.treatment(document)
        elif document.kind == "pump":
            yield from self.pump(document, lengths)
        elif document.kind:
            yield Unmapped(document.kind)
        else:
            raise _Bad("a document of no kind that medtwin knows", "an entry, a treatment or a line of pump history")

    def fact(
        self, name: str, value: object, unit: str | None, time: Moment, document: Document, *, part: str = "",
        until: Moment | None = None, assumed: bool = False, number: float | None = None, programmed: bool = False,
    ) -> Item:  # fmt: skip
        """One number of a document, named by its id where it has one; what is ``programmed`` is known when it starts."""
        values = document.values
        said = values.get("identifier") or values.get("_id")
        said = said.get("$oid") if isinstance(said, dict) else said  # as mongoexport writes it
        key = f"{said}#{name}{part}" if isinstance(said, str) and said else f"{key_of(name, time)}{part}"
        return self.facts.number(
            registry.get(name), _written(value) or "", unit, time, key, document.where, value=number, until=until,
            available=self.known(values) or (time.instant if programmed and time.offset_known else None),
            assumed=assumed, reckoned=number is not None, status=self._status(values),
        )  # fmt: skip

    def _status(self, values: dict[str, object]) -> Status:
        return Status.ENTERED_IN_ERROR if values.get("isValid") is False else Status.FINAL

    def entry(self, document: Document) -> Iterator[Item]:
        values = document.values
        kind = values.get("type") or ("mbg" if "mbg" in values else "sgv")
        if kind not in ("sgv", "mbg"):
            yield Unmapped(f"entry {str(kind)[:40]}")
            return
        value = values.get(kind) if values.get(kind) is not None else values.get("glucose")
        number = _number(value, f"the {kind}")
        if number == int(number) and number <= _LAST_CODE and "units" not in values:
            yield Unmapped(f"entry {kind} that is an error code of the sensor")
            return
        stated = values.get("units")
        unit = _UNITS.get(str(stated).lower(), str(stated)) if stated else "mg/dL"
        name = "glucose" if kind == "sgv" else "blood_glucose"
        yield self.fact(name, value, unit, self.time(values), document, assumed=not stated)

    def treatment(self, document: Document) -> Iterator[Item | _Basal]:
        values, time = document.values, self.time(document.values)
        kind = str(values.get("eventType") or "")
        some = False
        if kind in _TEMPORARY:
            yield self.temporary(document, time)
            return
        if values.get("insulinInjections") not in (None, "", "[]", []):
            yield Reason(
                found="an injection that names its insulin (insulinInjections)", expected="rapid-acting insulin alone",
                where=document.where, remedy="enter long-acting insulin by hand; it is no bolus",
            )  # fmt: skip
            some = True
        elif _positive(values.get("insulin"), "the insulin"):
            yield self.fact("insulin_bolus", values["insulin"], "U", time, document)
            some = True
        if _positive(values.get("relative"), "the relative rate"):
            minutes = self.minutes(values)
            total = _number(values["relative"], "the relative rate") * minutes / timedelta(hours=1)
            yield self.fact(
                "insulin_bolus", values["relative"], "U", time, document, part="#extended", until=_later(time, minutes),
                number=total, programmed=True,
            )  # fmt: skip
            some = True
        for member, name in _FOOD.items():
            if _positive(values.get(member), member):
                yield self.fact(name, values[member], "g", time, document)
                some = True
        if values.get("glucose") is not None:
            yield self.checked(document, time, kind)
            some = True
        if kind == "Exercise" and _positive(values.get("duration"), "the duration"):
            yield self.fact(
                "physical_activity", values["duration"], "min", time, document, until=_later(time, self.minutes(values))
            )
            some = True
        words = [
            str(values[name]) for name in ("profile", "notes") if isinstance(values.get(name), str) and values[name]
        ]
        if words and (kind == "Profile Switch" or values.get("notes")):
            text = ": ".join(([kind] if kind else []) + words)
            yield self.facts.coded(
                "note", Code("", "", text), time, key_of("note", time), document.where, text=text,
                available=self.known(values), status=self._status(values),
            )  # fmt: skip
            some = True
        if not some:
            yield Unmapped(f"treatment {kind[:40] or 'without a kind'}")

    def checked(self, document: Document, time: Moment, kind: str) -> Item:
        """Blood glucose of a finger; what a treatment copies from the sensor stands in the entries."""
        values = document.values
        how = values.get("glucoseType")
        if how != "Finger" and kind != "BG Check":
            return Unmapped(f"treatment glucose {str(how or 'of no stated kind')[:20]}")
        if how == "Sensor":
            return Unmapped("treatment glucose Sensor")
        stated = values.get("units")
        unit = _UNITS.get(str(stated).lower(), str(stated)) if stated else None
        return self.fact("blood_glucose", values["glucose"], unit, time, document)

    def minutes(self, values: dict[str, object]) -> timedelta:
        name = "durationInMilliseconds" if values.get("durationInMilliseconds") is not None else "duration"
        if values.get(name) is None:
            raise _Bad("no duration", "a duration in minutes")
        number = _number(values[name], "the duration") / (60_000 if name != "duration" else 1)
        if not 0 <= number <= _LONGEST / timedelta(minutes=1):
            raise _Bad(f"a duration of {number:g} min", f"at most {_LONGEST.days} days")
        return timedelta(minutes=number)

    def temporary(self, document: Document, time: Moment) -> _Basal:
        values = document.values
        lasts = self.minutes(values) if values.get("duration") is not None else timedelta(0)
        relative = str(values.get("temp") or "").startswith("percent")
        rate = _written(values.get("absolute")) or (None if relative else _written(values.get("rate")))
        if rate is not None or not lasts:
            return _Basal(time, rate, lasts, document)
        for member, nothing in (("percent", -100.0), *((("rate", -100.0),) if relative else ())):
            if (rate := _written(values.get(member))) is not None:
                return _Basal(time, rate, lasts, document, True, _number(rate, "the percentage") == nothing)
        raise _Bad("a temporary basal rate without a rate", "absolute or percent")

    def pump(self, document: Document, lengths: dict[str, object]) -> Iterator[Item | _Basal]:
        values, time = document.values, self.time(document.values)
        kind = str(values["_type"])
        if kind == "Bolus":
            lasts = self.minutes(values) if _positive(values.get("duration"), "the duration") else None
            yield self.fact("insulin_bolus", values.get("amount"), "U", time, document,
                            until=_later(time, lasts) if lasts else None, programmed=lasts is not None)  # fmt: skip
        elif kind == "TempBasal":
            minutes = lengths.get(str(values.get("timestamp")))
            if minutes is None:
                raise _Bad("a TempBasal without its TempBasalDuration", "both, of one timestamp")
            rate, share = _written(values.get("rate")), str(values.get("temp")).startswith("percent")
            none = share and rate is not None and _number(rate, "the percentage") == 0
            yield _Basal(time, rate, self.minutes({"duration": minutes}), document, share, none)
        elif kind == "PumpSuspend":
            yield _Basal(time, "0", _LONGEST, document, open=True)
        elif kind == "PumpResume":
            yield _Basal(time, None, timedelta(0), document)
        elif kind in ("BolusWizard", "JournalEntryMealMarker") and _positive(values.get("carb_input"), "carb_input"):
            if str(values.get("carb_units", "grams")) != "grams":
                raise _Bad(f"carbohydrate in {str(values['carb_units'])[:20]}", "grams")
            yield self.fact("carbohydrate_intake", values["carb_input"], "g", time, document)
        elif kind != "TempBasalDuration":
            yield Unmapped(f"pump {kind[:40]}")

    # basal rates

    def rates(self, found: list[_Basal]) -> Iterator[Item]:
        """Rates as they were programmed, and as what came next ended them."""
        standing = {one.time.instant for one in found if self._status(one.document.values) is Status.FINAL}
        times = sorted(standing)
        for one in found:
            place = bisect_right(times, one.time.instant)
            after = times[place] if place < len(times) else None
            where = one.document.where
            if one.rate is None or not one.lasts:
                yield Unmapped("end of a temporary basal rate")
            elif one.share and not one.none:
                yield Reason(
                    found=f"a temporary basal rate of {one.rate[:20]} %", expected="U/h", where=where,
                    remedy="the scheduled rate is not in this document: no rate is made of it",
                )  # fmt: skip
            elif one.open and after is None:
                yield Reason(found="a suspension without its end", expected="PumpResume", where=where)
            else:
                yield from self.rate(one, after)

    def rate(self, one: _Basal, after: datetime | None) -> Iterator[Item]:
        until = _later(one.time, one.lasts)
        if one.open and after is not None:
            until = _later(one.time, after - one.time.instant)
        part = "" if one.document.values.get("_id") or one.document.values.get("identifier") else f"|{one.rate}"
        item = self.fact(
            "insulin_basal_rate", one.rate, "U/h", one.time, one.document, part=part, until=until, programmed=not one.open,
            number=0.0 if one.none else None,
        )  # fmt: skip
        yield item
        ended = after is not None and one.time.instant < after < until.instant
        if isinstance(item, Event) and after is not None and ended and item.status is Status.FINAL:
            yield replace(
                item, until=_later(one.time, after - one.time.instant), status=Status.CORRECTED,
                available=max(item.available, after),
            )  # fmt: skip


def _later(time: Moment, by: timedelta) -> Moment:
    local = time.local + by
    return replace(time, local=local, precision=Precision.FRACTION if local.microsecond else Precision.SECOND)
