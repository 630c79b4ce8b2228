from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import example, given

from medtwin.errors import FormatError
from medtwin.record import Moment, Precision, Source, SourcePatient
from medtwin.record.codec import decode, encode, moment, offset_known
from medtwin.record.event import order, version
from record.making import START, fact, odd_events


def wall(*parts):
    return datetime(*parts)  # noqa: DTZ001  (a wall clock)


def there_and_back(event, sequence=7):
    row = encode(event)
    source = event.source
    stored = (
        1, row.start, sequence, row.value, row.status, row.available, 2, row.id, None, row.body,
    )  # fmt: skip
    return decode(
        stored,
        event.subject,
        {1: event.quantity},
        {2: Source(source.system, source.dialect, source.raw, "", source.file)},
    )


@given(odd_events)
@example(fact(0, 100))
@example(fact(0, time=Moment(wall(2024, 10, 27, 2, 30).replace(fold=1), Precision.MINUTE, None, "Europe/Berlin")))
@example(fact(0, time=Moment(wall(2024, 10, 27, 2, 30), Precision.MINUTE, None, "Europe/Berlin", True)))
@example(fact(0, time=Moment(wall(1, 1, 1), Precision.YEAR, 14 * 60)))
@example(fact(0, time=Moment(wall(9999, 12, 31, 23, 59), Precision.MINUTE, -14 * 60)))
def test_a_stored_fact_is_the_fact_that_came_in(event):
    back = there_and_back(event)
    value = float(event.value) if isinstance(event.value, int) else event.value
    kept = replace(event.committed(7, None), value=value, available=back.available)
    assert repr(back) == repr(kept)  # as text, since NaN is not equal to itself
    assert back.value == event.value or event.value != event.value
    assert (back.available, back.available.tzinfo) == (event.available, UTC)
    assert back.id == event.id
    assert back.time.local.fold == event.time.local.fold
    assert offset_known(encode(event).start, msgspec.msgpack.decode(encode(event).body)) == event.time.offset_known
    assert order(back) == order(event)
    assert version(back)[:4] == version(event)[:4]


def test_the_id_that_was_stored_is_the_id_that_would_be_computed():
    back = there_and_back(fact(0, 100))
    computed = back.committed(0, None)
    assert "id" not in vars(computed)
    assert computed.id == back.id


def test_one_statement_has_one_id_whether_int_or_float():
    assert fact(0, 100, text="100").id == fact(0, 100.0, text="100").id
    assert fact(0, 100.5, text="100").id != fact(0, 100.0, text="100").id


@pytest.mark.parametrize(
    "event",
    [
        fact(0, available=datetime(2024, 1, 1)),  # noqa: DTZ001
        fact(0, key="\ud800"),
        fact(0, text="\udfff"),
        fact(0, 10**400, text="1e400"),
        fact(0, time=Moment(START, Precision.SECOND, None, "Middle/Earth")),
    ],
    ids=["naive available", "surrogate in key", "surrogate in text", "huge integer", "no such zone"],
)
def test_what_no_database_can_keep_is_said_so(event):
    with pytest.raises(FormatError):
        encode(event)


def test_a_time_beyond_the_calendar_is_its_last_day():
    assert moment(2**62) == datetime.max.replace(tzinfo=UTC)
    assert moment(-(2**62)) == datetime.min.replace(tzinfo=UTC)


def test_owners_that_look_alike_do_not_share_a_slot():
    assert encode(fact(owner=SourcePatient("ab", "c"))).slot != encode(fact(owner=SourcePatient("a", "bc"))).slot
