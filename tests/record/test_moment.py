from datetime import UTC, datetime, timedelta

import pytest

from medtwin.record import Moment, Precision


def local(*parts):
    return datetime(*parts)  # noqa: DTZ001  (a wall clock)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        (Moment(local(2024, 5, 1), Precision.MONTH, 120), datetime(2024, 5, 31, 22, tzinfo=UTC)),
        (Moment(local(2024, 1, 1), Precision.YEAR, -300), datetime(2025, 1, 1, 5, tzinfo=UTC)),
        (Moment(local(2024, 3, 31), Precision.DAY, None, "Europe/Berlin"), datetime(2024, 3, 31, 22, tzinfo=UTC)),
        (Moment(local(2024, 2, 29), Precision.YEAR), datetime(2025, 1, 1, tzinfo=UTC)),
        (Moment(local(9999, 12, 31), Precision.DAY), datetime.max.replace(tzinfo=UTC)),
        (Moment(local(2024, 5, 1, 7, 40), Precision.MINUTE, 0), datetime(2024, 5, 1, 7, 41, tzinfo=UTC)),
    ],
)
def test_an_interval_ends_by_its_own_calendar(moment, end):
    assert moment.end == end


def test_a_day_on_which_the_clock_goes_forward_has_23_hours():
    day = Moment(local(2024, 3, 31), Precision.DAY, None, "Europe/Berlin")
    assert day.end - day.instant == timedelta(hours=23)


@pytest.mark.parametrize("offset", [840, -840])
@pytest.mark.parametrize("when", [local(1, 1, 1), local(9999, 12, 31, 23, 59)])
def test_an_offset_that_leads_past_the_calendar_stops_at_its_edge(when, offset):
    instant = Moment(when, Precision.FRACTION, offset).instant
    assert abs(instant - when.replace(tzinfo=UTC)) <= timedelta(hours=14, minutes=1)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (Moment(local(2023, 5, 1), Precision.YEAR, 60), "2023"),
        (Moment(local(2023, 5, 1), Precision.MONTH), "2023-05"),
        (Moment(local(2023, 5, 1), Precision.DAY, 60), "2023-05-01"),
        (Moment(local(2023, 5, 1, 7, 40), Precision.MINUTE, 120), "2023-05-01T07:40+02:00"),
        (Moment(local(2023, 5, 1, 7, 40, 5), Precision.SECOND, -210), "2023-05-01T07:40:05-03:30"),
        (Moment(local(2023, 5, 1, 7, 40, 5, 6), Precision.FRACTION), "2023-05-01T07:40:05.000006"),
        (Moment(local(800, 5, 1), Precision.YEAR), "0800"),
    ],
)
def test_a_moment_is_written_at_its_own_precision(moment, text):
    assert moment.text == text
