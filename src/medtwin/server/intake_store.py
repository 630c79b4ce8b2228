"""The store as intake sees it, with a note of which facts an intake brought."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from medtwin.governance.grant import Grant
from medtwin.record import Event, Receipt
from medtwin.record.sql import SqlStore


class NotingStore:
    """Passes everything on; ``accept(events, moment)`` is told of facts before they are committed."""

    def __init__(self, store: SqlStore, accept: Callable[[Sequence[Event], float], None]) -> None:
        self._store, self._accept = store, accept
        self._here = threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def noting(self) -> Iterator[list[str]]:
        """Within it, the ids of all facts that this thread appends gather in the list."""
        self._here.ids, self._here.begun = [], time.perf_counter()
        try:
            yield self._here.ids
        finally:
            self._here.ids = None

    def append(self, events: Iterable[Event], grant: Grant) -> Receipt:
        held = list(events)
        ids = getattr(self._here, "ids", None)
        if ids is not None:
            self._accept(held, self._here.begun)
            ids.extend(event.id for event in held)
        return self._store.append(held, grant)
