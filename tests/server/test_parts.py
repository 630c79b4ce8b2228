"""Small parts: places in raw bytes, freshness, the shelf of a piece under way, silent facts, words."""

from datetime import timedelta

import numpy as np
import pytest

from medtwin.evidence import calibrated
from medtwin.evidence.calibrated import Calibration
from medtwin.quantities import registry
from medtwin.record import Record
from medtwin.server import fresh, words
from medtwin.server.living import PieceShelf
from medtwin.server.raw import place
from medtwin.twin.snapshot import MemoryShelf, Snapshot
from server.conftest import NOW
from twin.people import committed, event

TABLE = b"a,b\n1,2\n\xc3\xa9,4\nlast"
BUNDLE = b'{"resourceType":"Bundle","entry":[{"resource":{"id":"x"}},{"resource":{"id":"x"}}, {"resource":{"id":"y"}}]}'


@pytest.mark.parametrize(
    ("content", "locator", "named"),
    [
        (TABLE, "line 1", b"a,b"), (TABLE, "line 3", b"\xc3\xa9,4"), (TABLE, "line 4", b"last"),
        (TABLE, "line 9", b""), (TABLE, "bytes 4-7", b"1,2"), (TABLE, "byte 4-9999", TABLE[4:]),
        (TABLE, "nowhere", b""), (TABLE, "resource", TABLE),
        (BUNDLE, "entry[2]", b'{"resource":{"id":"y"}}'), (BUNDLE, "entry[7]", b""),
        (BUNDLE, "entry[1].component[0]", b'{"resource":{"id":"x"}}'), (b"not json", "entry[0]", b""),
        (b"\n" + BUNDLE, "line 2 entry[2]", b'{"resource":{"id":"y"}}'),
    ],
)  # fmt: skip
def test_a_locator_names_its_bytes(content, locator, named):
    begin, end = place(content, locator)
    assert content[begin:end] == named


def test_the_second_of_two_equal_entries_is_the_second():
    assert place(BUNDLE, "entry[1]")[0] > place(BUNDLE, "entry[0]")[0]


def moments(count, every, end=NOW):
    return [end - every * k for k in reversed(range(count))]


def test_a_regular_channel_makes_a_promise_and_an_irregular_one_none():
    five = timedelta(minutes=5)
    assert fresh.interval(moments(40, five)) == 300.0
    assert fresh.interval(moments(40, five)[::1][:10]) is None
    assert fresh.interval(moments(40, timedelta(days=1))) is None
    uneven = [m + timedelta(minutes=37 * (k % 3 == 0) * k) for k, m in enumerate(moments(60, five))]
    assert fresh.interval(sorted(uneven)) is None


@pytest.mark.parametrize(
    ("age", "every", "state"),
    [
        (4, 300, "fresh"),
        (19, 300, "fresh"),
        (21, 300, "late"),
        (181, 300, "silent"),
        (181, 1800, "late"),
        (9999, None, None),
    ],
)
def test_fresh_late_silent(age, every, state):
    assert fresh.state(NOW - timedelta(minutes=age), every, NOW) == state


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("count", "every", "age", "state"),
    [
        (40, 5 * DAY, 3 * DAY, "fresh"),
        (40, 5 * DAY, 21 * DAY, "late"),
        (40, 5 * DAY, 996 * DAY, "silent"),
        (6, DAY / 24, DAY / 2, "fresh"),  # a few readings of one morning: nobody expects the next within the hour
        (6, DAY / 24, 2 * DAY, "late"),
        (6, DAY / 24, 996 * DAY, "silent"),
        (2, DAY, 996 * DAY, None),  # a height
        (30, 91 * DAY, 200 * DAY, None),  # an HbA1c
    ],
)
def test_without_a_promise_a_channel_is_judged_by_its_own_pace(count, every, age, state):
    times = moments(count, every, NOW - age)
    assert fresh.interval(times) is None
    assert fresh.state(times[-1], None, NOW, fresh.pace(times)) == state
    record = Record("ada", committed([event("body_weight", 70.0, time) for time in times]))
    assert [channel.state for channel in fresh.channels(record, NOW, "glucose")] == [state]


def snapshot(name, piece, last):
    return Snapshot(name, "p", piece, b"", {"boundary": np.array([last - 1, last])})


def test_only_whole_pieces_are_put_into_the_store():
    inner = MemoryShelf()
    later = []
    shelf = PieceShelf(inner, 120, later.append)
    shelf.put(snapshot("whole", 2, 360))
    assert shelf.get("whole").name == "whole"
    assert inner.held == {}
    later.pop()()
    shelf.put(snapshot("under way", 3, 400))
    assert set(inner.held) == {"whole"}
    assert shelf.get("under way").name == "under way"
    assert shelf.get("whole").name == "whole"
    assert shelf.get("none") is None
    for number in range(20):
        shelf.put(snapshot(f"n{number}", 3, 401 + number))
    assert len(shelf.recent) == 8
    assert shelf.get("under way") is None


def test_a_parameter_is_shown_only_inside_its_bounds(monkeypatch):
    good, bad = (Calibration(coverage=share, level=0.9, n=400, days=3.0, even=True) for share in (0.9, 0.71))
    known = {"m": {"good": good, "bad": bad}}
    monkeypatch.setattr(calibrated, "_evidence", lambda: known)
    assert calibrated.withheld("m", "good") is None
    assert calibrated.withheld("m", "bad") == "90 % intervals cover 71 % of 400, outside 86 % to 94 %"
    assert "not yet calibrated" in calibrated.withheld("m", "other")


def test_every_quantity_has_words_and_units():
    for name, quantity in registry.everything().items():
        assert words.label(name)[0].isupper() or name in ("hba1c",)
        assert words.display_units(name)[0].unit == quantity.unit


def test_another_unit_is_the_same_amount():
    own, other = words.display_units("glucose")
    assert (own.unit, other.unit) == ("mg/dL", "mmol/L")
    assert 100 * other.scale == pytest.approx(5.55, abs=0.01)
