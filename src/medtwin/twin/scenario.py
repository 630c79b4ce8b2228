"""Scenarios: planned events written down in a small YAML file, or on a command line.

::

    dialect: medtwin-scenario/1
    name: lunch, bolus ten minutes before it     # optional
    events:
      - quantity: insulin_bolus                  # `medtwin quantities` lists the names
        value: 3.5 U                             # a number with its unit; converted at this door
        at: +10m                                 # from the moment of the forecast, or ISO 8601
      - quantity: carbohydrate_intake
        value: 45 g
        at: +20m
        until: +35m                              # optional: the end of the meal
      - quantity: heart_rate                     # a walk: the rate that it brings about
        value: 110 /min
        at: 14:00                                # the next 14:00 where the patient is
        lasts: 45min                             # instead of until

A planned event is a fact that has not happened yet: it is an :class:`~medtwin.record.Event` with intent ``planned``. Of
levels only those of :data:`DONE` can be planned: a heart rate is brought about by a walk, a glucose is what the model answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import yaml

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.quantities.units import conversion
from medtwin.record import Event, Intent, Moment, Source, SourcePatient
from medtwin.record.moment import Precision
from medtwin.sources.times import clock, instant, span
from medtwin.twin.choice import STRUCTURES, Choice, structure
from medtwin.twin.doses import BASAL, LONG_ACTING

DIALECT = "medtwin-scenario/1"
LIMIT = 1 << 20  #: bytes of a scenario file
MOST = 1000  #: planned events in one scenario
DONE = ("heart_rate",)  #: levels that somebody brings about by doing something, for as long as it lasts
WALKING = (
    110.0  #: heart rate of a walk of which none is stated, 1/min; judgement: the middle of the walks of evidence.lives
)
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:bpm|/min)?\s*")
_VALUE = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(\S.*?)?\s*")


class Planned(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One planned event as it is written."""

    quantity: str
    value: str
    at: str
    until: str | None = None
    lasts: str | None = None


class Scenario(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A scenario as it is written; :func:`events` makes planned events of it."""

    dialect: str
    events: list[Planned]
    name: str = "scenario"


def read(text: str | bytes, where: str = "the scenario") -> Scenario:
    """A scenario from YAML; raises :class:`FormatError` that says what is wrong, and where."""
    if len(text) > LIMIT:
        raise FormatError(f"{len(text)} bytes", expected=f"at most {LIMIT}", where=where)
    try:
        written = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes nothing but text, lists and maps
        made = msgspec.convert(written, Scenario)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"{where}, line {mark.line + 1}" if mark else where
        raise FormatError(
            f"text that is not YAML ({getattr(error, 'problem', None) or 'unreadable'})", expected=DIALECT, where=line
        ) from None
    except (msgspec.ValidationError, RecursionError, UnicodeError) as error:
        raise FormatError(
            str(error)[:300], expected=f"a scenario of dialect {DIALECT}", where=where,
            remedy="each event has quantity, value with unit, at, and maybe until; see `medtwin forecast --help`",
        ) from None  # fmt: skip
    if made.dialect != DIALECT:
        raise FormatError(f"the dialect {made.dialect[:40]!r}", expected=DIALECT, where=where)
    if len(made.events) > MOST:
        raise FormatError(f"{len(made.events)} planned events", expected=f"at most {MOST}", where=where)
    return made


def load(path: str | Path) -> Scenario:
    """The scenario in a file."""
    path = Path(path)
    if path.stat().st_size > LIMIT:
        raise FormatError(f"{path.stat().st_size} bytes", expected=f"at most {LIMIT}", where=str(path))
    return read(path.read_bytes(), str(path))


def events(scenario: Scenario, at: datetime, zone: str | None = None) -> tuple[Event, ...]:
    """Planned events of a scenario for a forecast made at ``at`` (UTC), from which relative times count.

    ``zone`` is the patient's, for times without an offset. Raises :class:`FormatError` or
    :class:`~medtwin.errors.UnitError` for what cannot be planned.
    """
    raw = blake2b(msgspec.json.encode(scenario), digest_size=16).hexdigest()
    return tuple(_event(one, i, scenario.name, raw, at, zone) for i, one in enumerate(scenario.events))


def _event(one: Planned, number: int, name: str, raw: str, at: datetime, zone: str | None) -> Event:
    where = f"events[{number}]"
    quantity = registry.get(one.quantity)
    if quantity.kind not in (Kind.AMOUNT, Kind.RATE) and quantity.name not in DONE:
        raise FormatError(
            f"a plan of {one.quantity}, which is a {quantity.kind.value}", expected="something given, eaten or done",
            where=where, remedy="see `medtwin quantities --kind amount`; a walk is planned as a heart_rate",
        )  # fmt: skip
    found = _VALUE.fullmatch(one.value)
    if found is None or found[2] is None:
        raise FormatError(
            f"the value {one.value[:40]!r}", expected=f"a number and its unit, such as 1 {quantity.unit}", where=where
        )
    value = conversion(found[2], quantity)(float(found[1]))
    if not quantity.plausible(value):
        raise FormatError(
            f"{one.quantity} of {value:g} {quantity.unit}", expected=f"{quantity.low:g} to {quantity.high:g}",
            where=where,
        )  # fmt: skip
    begin = _when(one.at, at, at, zone)
    if one.until is not None and one.lasts is not None:
        raise FormatError("an end and a length", expected="until or lasts", where=where)
    end = None if one.until is None else _when(one.until, at, begin, zone)
    if one.lasts is not None:
        end = begin + span(one.lasts)
    if end is None and quantity.kind is Kind.LEVEL:
        raise FormatError(
            f"a plan of {one.quantity} without an end", expected="how long it lasts", where=where,
            remedy="add `lasts: 45min`, or `until`",
        )  # fmt: skip
    if begin < at:
        raise FormatError(
            f"a plan for {begin:%Y-%m-%d %H:%M} UTC, {(at - begin).total_seconds() / 60:.0f} min before the forecast",
            expected="a time after it", where=where, remedy="what has happened is a fact: `medtwin state`",
        )  # fmt: skip
    if end is not None and end <= begin:
        raise FormatError("an end before its beginning", expected="until after at", where=where)
    return Event(
        subject=SourcePatient("scenario", name), quantity=one.quantity, value=value, time=_moment(begin),
        until=None if end is None else _moment(end), available=at,
        source=Source("scenario", DIALECT, raw, where, name), key=f"{raw}|{number}", text=found[1],
        unit_text=found[2], intent=Intent.PLANNED,
    )  # fmt: skip


def _when(text: str, at: datetime, after: datetime, zone: str | None) -> datetime:
    """The UTC instant of a time; one of the clock (``14:00``) is the next of that name from ``after`` on."""
    read = clock(text)
    if read is None:
        return instant(text, at, zone)
    there = ZoneInfo(zone) if zone else UTC
    day = after.astimezone(there).date()
    found = [datetime.combine(day + timedelta(days=n), read, there).astimezone(UTC) for n in (0, 1)]
    return max(found[0], after) if found[0] >= after.replace(second=0, microsecond=0) else found[1]


def _moment(instant: datetime) -> Moment:
    return Moment(instant.astimezone(UTC).replace(tzinfo=None), Precision.FRACTION, 0)


def planned(
    pairs: Sequence[tuple[str, str]], at: str, until: str | None = None, name: str = "what if",
    walks: Sequence[str] = (),
) -> Scenario:  # fmt: skip
    """A scenario of (quantity, value with unit) pairs, all ``at`` one time, and of walks as they are typed."""
    given = [Planned(quantity, value, at, until) for quantity, value in pairs]
    return Scenario(DIALECT, [*given, *(walk(text, at) for text in walks)], name)


def walk(text: str, at: str = "+0m") -> Planned:
    """A walk as it is typed, ``[TIME/]DURATION[@RATE]``: ``45min``, ``14:00/45min``, ``+1h/30m@120bpm``.

    Without a time it begins ``at``; without a rate the heart is taken to beat :data:`WALKING`. Raises :class:`FormatError`.
    """
    when, slash, rest = text.rpartition("/")
    lasts, sign, rate = rest.partition("@")
    beats = _RATE.fullmatch(rate)
    if (sign and beats is None) or (slash and not when.strip()):
        raise FormatError(f"the walk {text[:40]!r}", expected="[TIME/]DURATION[@RATE], such as 14:00/45min@110bpm")
    span(lasts)
    value = beats[1] if beats else f"{WALKING:g}"
    return Planned("heart_rate", f"{value} /min", when.strip() or at, lasts=lasts.strip())


def takers(quantity: str) -> tuple[str, ...]:
    """Structures for people who inject insulin that take a quantity; the names that ``--model`` knows."""
    return tuple(name for name in STRUCTURES if any(a.quantity == quantity for a in structure(name)[0].accepts))


def plannable(choice: Choice) -> tuple[str, ...]:
    """What can be planned for this person: all that the model takes; long-acting insulin acts as a basal rate."""
    taken = () if choice.model is None else choice.model.accepts
    accepted = tuple(a.quantity for a in taken if a.quantity not in choice.unused)
    return (*accepted, LONG_ACTING) if BASAL in accepted else accepted


def unheard(plans: Iterable[Event], choice: Choice) -> tuple[str, ...]:
    """Planned quantities that the person's model does not take: they would change nothing."""
    return tuple(sorted({event.quantity for event in plans} - set(plannable(choice))))
