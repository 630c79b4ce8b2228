"""Standings of the sending systems in the text format that Prometheus reads (exposition format 0.0.4).

Counts and times by system and nothing else: no patient, no file name, no text of an error. Times are seconds since 1970, so that
lag is ``time() - medtwin_source_newest_fact_seconds``, and rates come from the counters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from medtwin.record.system_verbs import SystemStanding

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
Value = Callable[[SystemStanding], float | None]


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


METRICS: tuple[tuple[str, str, str, Value], ...] = (
    ("medtwin_source_facts_total", "counter", "Facts ever recorded.", lambda one: one.facts),
    ("medtwin_source_raw_total", "counter", "Files and messages kept, the same bytes once.", lambda one: one.raws),
    ("medtwin_source_raw_bytes_total", "counter", "Their bytes.", lambda one: one.bytes),
    ("medtwin_source_patients", "gauge", "People of whom it told.", lambda one: one.patients),
    ("medtwin_source_unassigned_keys", "gauge", "Keys whose person is not known.", lambda one: one.unassigned),
    ("medtwin_source_quarantined", "gauge", "What was not understood and is open.", lambda one: one.quarantined),
    ("medtwin_source_newest_fact_seconds", "gauge", "True time of the newest fact.", lambda one: _seconds(one.newest)),
    ("medtwin_source_last_recorded_seconds", "gauge", "When a fact was committed last.", lambda one: _seconds(one.recorded)),
    ("medtwin_source_last_received_seconds", "gauge", "When bytes came in last.", lambda one: _seconds(one.received)),
)  # fmt: skip


def exposition(systems: Sequence[SystemStanding]) -> str:
    """All metrics of all systems; a value that is not known has no line."""
    lines = []
    for name, kind, meaning, value in METRICS:
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
        for one in systems:
            if (number := value(one)) is not None:
                lines.append(f'{name}{{system="{_escaped(one.system)}"}} {number:.17g}')
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
