"""The glucose report of 90 days of five-minute readings, from a record to its numbers and to its page.

    python -m benchmarks.glucose_report [--json] [--days 90]

Numbers, intervals (2,000 resamples), profile, daily views, and the comparison with the 90 days before, which hold as many
readings again: CPU time of this process, the best of five. The gate is that of the project: 90 days under 0.2 s. The
page (HTML), the PDF and the mere arithmetic on arrays are timed beside it, not gated.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from medtwin.applications.glucose_report.report import glucose_report
from medtwin.applications.glucose_report.write import document
from medtwin.record import Record
from medtwin.record.event import Event, Source, SourcePatient
from medtwin.record.moment import Moment
from medtwin.reports.html import page
from medtwin.reports.pdf import paginated
from medtwin.statistics.glucose.episodes import episodes
from medtwin.statistics.glucose.excursions import excursions
from medtwin.statistics.glucose.intervals import changes, resampled
from medtwin.statistics.glucose.profile import daily, profile
from medtwin.statistics.glucose.trace import Trace
from medtwin.statistics.glucose.variability import day_to_day, overlapping_action

GATE_S = 0.2
START = datetime(2026, 1, 1)  # noqa: DTZ001 - a wall clock


def life(days: int) -> tuple[np.ndarray, np.ndarray]:
    """(minutes, mg/dL): meals, a slow drift, noise, and one reading in fifty missing."""
    rng = np.random.default_rng(1)
    minute = np.arange(days * 288) * 5
    hour = minute / 60.0
    slow = np.repeat(rng.normal(0.0, 15.0, days), 288)
    value = 140.0 + slow + 55.0 * np.sin(2.0 * np.pi * hour / 8.0) + rng.normal(0.0, 8.0, minute.size)
    keep = rng.random(minute.size) > 0.02
    return minute[keep], np.clip(value, 40.0, 400.0)[keep]


def person(minute: np.ndarray, value: np.ndarray) -> Record:
    """As an export of a sensor leaves it, its events in order."""
    events = []
    for m, v in zip(minute.tolist(), value.tolist(), strict=True):
        at = START + timedelta(minutes=m)
        events.append(
            Event(
                subject=SourcePatient("benchmark", "1"), quantity="glucose", value=v, time=Moment(at, zone="Europe/Berlin"),
                available=at.replace(tzinfo=UTC), source=Source("benchmark", "benchmark/1", "raw", "line"), key=str(m),
            )
        )  # fmt: skip
    made = Record("benchmark", tuple(events), "Europe/Berlin")
    made.of("glucose")  # sorted once, as for every use of a record
    return made


def arithmetic(minute: np.ndarray, value: np.ndarray, days: int) -> None:
    """What the report calculates, on arrays alone."""
    half = minute >= days * 1440
    now, before = (Trace.of(1.7e9 + 60.0 * minute[at], value[at]) for at in (half, ~half))
    drawn, drawn_before = resampled(now), resampled(before, seed=1)
    drawn.intervals(), drawn_before.intervals(), changes(drawn_before, drawn), profile(now), daily(now)
    for one in (now, before):
        episodes(one), excursions(one), day_to_day(one), overlapping_action(one)


def best(action: Callable[[], object], times: int = 5) -> float:
    """CPU seconds."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        action()
        taken.append(time.process_time() - began)
    return min(taken)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.glucose_report", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--days", type=int, default=90)
    given = parser.parse_args()
    minute, value = life(2 * given.days)
    record = person(minute, value)
    made = glucose_report(record, days=given.days)
    figures = {
        "readings": int(minute.size),
        "report_s": best(lambda: glucose_report(record, days=given.days)),
        "arithmetic_s": best(lambda: arithmetic(minute, value, given.days)),
        "html_s": best(lambda: page(document(made)), 3),
        "pdf_s": best(lambda: paginated(document(made)), 2),
    }
    passed = figures["report_s"] < GATE_S
    if given.json:
        said = {"schema": "medtwin/benchmarks/glucose_report/1", "days": given.days, "gate_s": GATE_S, "passed": passed}
        print(json.dumps({**said, **figures}, indent=1))
    else:
        for name, figure in figures.items():
            print(f"{name:<14}{figure:12.4g}")
        print(f"gate: report_s < {GATE_S} s of CPU: {'passed' if passed else 'MISSED'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
