"""Facts for the tests of the record: plain ones by hand, odd ones by Hypothesis."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from medtwin.record import (
    ArtifactId,
    Basis,
    Code,
    Comparator,
    Event,
    Flag,
    Intent,
    Moment,
    Precision,
    Source,
    SourcePatient,
    Status,
)

START = datetime(2024, 3, 1, 8, 0)  # noqa: DTZ001  (a wall clock)
JANE = SourcePatient("dexcom", "jane-1")


def fact(minute=0, value=100.0, *, owner=JANE, quantity="glucose", key=None, issued=None, **more):
    """One reading, ``minute`` minutes after the start; ``issued``: minutes after the start at which it could be known."""
    fields = {
        "subject": owner,
        "quantity": quantity,
        "value": value,
        "text": str(value),
        "unit_text": "mg/dL",
        "time": Moment(START + timedelta(minutes=minute), Precision.SECOND, 0),
        "available": (START + timedelta(minutes=minute if issued is None else issued)).replace(tzinfo=UTC),
        "source": Source("dexcom", "dexcom_clarity/1", "ab" * 16, f"line {minute}", "export.csv"),
        "key": f"{minute}/{quantity}" if key is None else key,
    }
    return Event(**(fields | more))


def readings(count, **more):
    return [fact(5 * number, 80.0 + number % 90, **more) for number in range(count)]


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_stated = (
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001
    st.sampled_from(Precision),
    st.one_of(st.none(), st.integers(-14 * 60, 14 * 60)),
    st.sampled_from([None, "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
_moments = st.builds(Moment, *_stated)
_times = st.builds(Moment, *_stated, st.booleans())
_values = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-(10**6), 10**6),
    st.builds(Code, _text, _text, _text, st.booleans(), st.booleans()),
    st.builds(ArtifactId, _text),
)
_aware = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)) | st.just(  # noqa: DTZ001
    datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=timezone(timedelta(hours=-3)))
)

#: any event that a database can keep
odd_events = st.builds(
    Event,
    subject=st.builds(SourcePatient, st.sampled_from(["a", "b"]), st.sampled_from(["1", "2"])),
    quantity=st.sampled_from(["glucose", "heart_rate", "condition", "a quantity of another version"]),
    value=_values,
    time=_times,
    available=_aware,
    source=st.builds(Source, _text.filter(lambda text: "\x00" not in text), _text, _text, _text, _text),
    key=_text,
    text=st.none() | _text,
    unit_text=st.none() | _text,
    comparator=st.none() | st.sampled_from(Comparator),
    sd=st.none() | st.floats(0, 1e300),
    until=st.none() | _moments,
    intent=st.sampled_from(Intent),
    status=st.sampled_from(Status),
    basis=st.sampled_from(Basis),
    group=st.none() | _text,
    flags=st.lists(st.sampled_from(Flag), max_size=3, unique=True).map(tuple),
)
