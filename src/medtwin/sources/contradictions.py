"""Facts with names of their own that contradict each other: one source, one moment, one level, several values.

Tables give their facts no name, so that :func:`medtwin.sources.tabular.settle` meets the same rule by their keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.record.event import Basis, Event, Flag, Intent, Status, version
from medtwin.sources.item import Item


def flagged(items: Iterable[Item]) -> Iterator[Item]:
    """The items of one part, with each fact flagged beside which its source states another value for the same moment.

    A later version of a fact replaces the one before and contradicts nothing.
    """
    levels: list[Event] = []
    for item in items:
        if isinstance(item, Event) and _comparable(item):
            levels.append(item)
        else:
            yield item
    current: dict[str, Event] = {}
    for event in levels:
        before = current.get(event.key)
        if before is None or version(event)[:-1] >= version(before)[:-1]:
            current[event.key] = event
    said: dict[object, set[object]] = {}
    for event in current.values():
        if event.status is not Status.ENTERED_IN_ERROR:
            said.setdefault(_moment(event), set()).add((event.value, event.comparator))
    for event in levels:
        if current[event.key] is event and len(said.get(_moment(event), ())) > 1:
            event = replace(event, flags=(*event.flags, Flag.CONTRADICTED))
        yield event


def _comparable(event: Event) -> bool:
    quantity = registry.find(event.quantity)
    return (
        quantity is not None and quantity.kind in (Kind.LEVEL, Kind.RATE) and isinstance(event.value, float)
        and event.basis is Basis.OBSERVED and event.intent is Intent.HAPPENED and Flag.CONTRADICTED not in event.flags
    )  # fmt: skip


def _moment(event: Event) -> object:
    until = event.until.instant if event.until is not None else None
    return event.quantity, event.instant, event.time.precision, event.time.offset_known, until
