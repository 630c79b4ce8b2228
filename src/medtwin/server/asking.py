"""Questions to a person: the twin's disagreements as the page shows them, and the answers, which are facts.

An answer is kept as a note in the record (source system ``medtwin-page``) with the question it answers in its raw
bytes. "Yes, I ate" also states the meal: a carbohydrate fact at the time and of the size that the twin inferred.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from medtwin.errors import MedtwinError
from medtwin.governance.grant import Grant
from medtwin.quantities import registry
from medtwin.record import Code, Event, Moment, Source, SourcePatient
from medtwin.record.sql import SqlStore
from medtwin.server import words
from medtwin.server.belief import LEVEL, Z
from medtwin.server.living import Standing
from medtwin.server.shapes import Answer, Answered, Disagreement, Hypothesis, Value

if TYPE_CHECKING:
    from medtwin.twin import disagreements as found_by
    from medtwin.twin.disagreements import Opened

SYSTEM = "medtwin-page"
DIALECT = "medtwin-answer/1"
ASKED = timedelta(hours=12)  #: how long after its stretch a question stays open
LISTED = timedelta(days=3)  #: how far back closed questions are listed
LEAST = 0.01  #: probability below which a hypothesis is not listed

ANSWERS = {
    "missed_meal": (("yes", "Yes, I ate"), ("no", "No, nothing"), ("unsure", "Not sure")),
    "sensor_low": (("yes", "Yes, it was pressed"), ("no", "No"), ("unsure", "Not sure")),
    "sensor_bias": (("yes", "Yes, it is off"), ("no", "No, a finger-prick agrees"), ("unsure", "Not sure")),
    "sensor_drift": (("yes", "Yes, it is off"), ("no", "No, a finger-prick agrees"), ("unsure", "Not sure")),
    "missed_bolus": (("yes", "Yes, I injected"), ("no", "No, nothing"), ("unsure", "Not sure")),
    "lost_bolus": (("yes", "No, it did not arrive"), ("no", "Yes, it was given"), ("unsure", "Not sure")),
    "illness": (("yes", "Yes, I am unwell"), ("no", "No"), ("unsure", "Not sure")),
}
USUAL = (("yes", "Yes"), ("no", "No"), ("unsure", "Not sure"))


class Kept(msgspec.Struct, kw_only=True):
    """What the raw bytes of an answer hold."""

    dialect: str
    answered: Answered
    disagreement: Disagreement


def identity(quantity: str, since: datetime) -> str:
    """The name of a question: of what, and since when."""
    return f"{quantity}-{since:%Y%m%dT%H%M}"


def listed(store: SqlStore, grant: Grant, standing: Standing) -> list[Disagreement]:
    """Open questions first, then the newest: what the twin asks now, and what was answered before."""
    answered = _answered(store, grant, standing)
    now = standing.at
    found: dict[str, Disagreement] = {}
    if standing.twin is not None:
        from medtwin.twin.disagreements import disagreements

        found = {one.id: one for one in (_shown(standing, d, now) for d in disagreements(standing.twin, now - LISTED))}
    for name, kept in answered.items():
        found[name] = msgspec.structs.replace(kept.disagreement, status="answered", answered=kept.answered)
    for name, one in list(found.items()):
        # the same stretch may begin a few minutes elsewhere after an answer moved the belief
        if one.status != "answered" and any(
            abs(one.since - k.disagreement.since) < timedelta(minutes=45) and one.winner == k.disagreement.winner
            for k in answered.values()
        ):
            del found[name]
    return sorted(found.values(), key=lambda one: (one.status != "open", -one.since.timestamp()))


def open_count(standing: Standing, store: SqlStore, grant: Grant) -> int:
    return sum(one.status == "open" for one in listed(store, grant, standing))


def _answered(store: SqlStore, grant: Grant, standing: Standing) -> dict[str, Kept]:
    kept: dict[str, Kept] = {}
    for event in standing.record.of("note"):
        if event.source.system == SYSTEM and event.source.dialect == DIALECT:
            try:
                held = msgspec.json.decode(store.raw(standing.patient, event.source.raw, grant), type=Kept)
            except (MedtwinError, msgspec.DecodeError):
                continue
            kept[held.disagreement.id] = held
    return kept


def _shown(standing: Standing, found: found_by.Disagreement, now: datetime) -> Disagreement:
    unit = words.unit(found.quantity)
    zone = standing.record.zone
    quantity = registry.get(found.quantity)
    own = Z * quantity.sd(found.measured)
    when = found.opened.time if found.opened else found.since
    readings = standing.record.of(
        found.quantity, since=found.since - timedelta(minutes=1), until=found.until + timedelta(minutes=1)
    )
    return Disagreement(
        id=identity(found.quantity, found.since),
        quantity=found.quantity,
        label=words.channel(found.quantity),
        opened=found.peak,
        since=found.since,
        until=found.until,
        question=found.ask(clock_time(when, zone)),
        measured=Value(
            value=found.measured, unit=unit, time=found.peak, lower=found.measured - own, upper=found.measured + own,
            level=LEVEL,
        ),
        expected=Value(
            value=found.expected, unit=unit, time=found.peak, lower=found.expected - Z * found.expected_sd,
            upper=found.expected + Z * found.expected_sd, level=LEVEL,
        ),
        hypotheses=[
            Hypothesis(
                name=hypothesis.name,
                label=words.HYPOTHESES.get(hypothesis.name, hypothesis.meaning),
                probability=share,
                detail=_detail(found, zone) if hypothesis.name == found.winner.name else None,
            )
            for hypothesis, share in found.probability
            if share >= LEAST
        ],
        winner=found.winner.name,
        answers=[Answer(answer=a, label=b) for a, b in ANSWERS.get(found.winner.name, USUAL)],
        status="open" if now - found.until <= ASKED else "closed",
        answered=None,
        events=[event.id for event in readings],
    )  # fmt: skip


def _detail(found: found_by.Disagreement, zone: str | None) -> str | None:
    opened = found.opened
    if opened is None:
        return None
    unit = words.unit(opened.quantity)
    much = abs(opened.mean)
    low, high = max(much - Z * opened.sd, 0.0), much + Z * opened.sd
    return f"about {much:.0f} {unit} ({low:.0f} to {high:.0f} {unit}), {clock_time(opened.time, zone)}"


def clock_time(moment: datetime, zone: str | None) -> str:
    """The wall-clock time of a moment where the person is; UTC, and says so, where nobody stated a zone."""
    return f"{moment.astimezone(ZoneInfo(zone)):%H:%M}" if zone else f"{moment:%H:%M} UTC"


def facts(
    standing: Standing, about: Disagreement, answer: str, who: str, now: datetime, store: SqlStore, grant: Grant
) -> tuple[list[Event], Disagreement]:
    """Keep the raw bytes of an answer; the facts that it is, and the question as answered."""
    label = next(choice.label for choice in about.answers if choice.answer == answer)
    told = Answered(answer=answer, label=label, time=now, by=who)
    shown = msgspec.structs.replace(about, status="answered", answered=told)
    owner = SourcePatient(SYSTEM, standing.patient)
    raw = store.keep_raw(
        msgspec.json.encode(Kept(dialect=DIALECT, answered=told, disagreement=about)), owner, grant,
        media_type="application/json", file="answer.json", source=SYSTEM,
    ).hash  # fmt: skip
    store.link(owner, standing.patient, grant)

    def source(locator: str) -> Source:
        return Source(system=SYSTEM, dialect=DIALECT, raw=raw, locator=locator, file="answer.json")

    made = [
        Event(
            subject=owner, quantity="note", value=Code("urn:medtwin:answer", answer, f"{about.question} {label}"),
            text=label, time=Moment.of(now), available=now, source=source("answered"), key=f"{about.id}/answer",
            group=about.id,
        )
    ]  # fmt: skip
    meal = _meal(standing, about)
    if answer == "yes" and meal is not None:
        moment, grams = meal
        made.append(
            Event(
                subject=owner, quantity="carbohydrate_intake", value=grams, text=f"{grams:g}", unit_text="g",
                time=Moment.of(moment), available=now, source=source("disagreement.hypotheses[0].detail"),
                key=f"{about.id}/meal", group=about.id,
            )
        )  # fmt: skip
    return made, shown


def _meal(standing: Standing, about: Disagreement) -> tuple[datetime, float] | None:
    """When and how much was eaten, as the twin inferred it; grams to the nearest five, as people count."""
    found = inferred(standing, about) if about.winner == "missed_meal" else None
    if found is None:
        return None
    return found.time.replace(second=0, microsecond=0), max(5.0, 5.0 * round(found.mean / 5.0))


def inferred(standing: Standing, about: Disagreement) -> Opened | None:
    """What the winner of a question says was given without a record."""
    if standing.twin is None:
        return None
    from medtwin.twin.disagreements import disagreements

    for one in disagreements(standing.twin, about.since - timedelta(minutes=1)):
        if identity(one.quantity, one.since) == about.id:
            return one.opened
    return None
