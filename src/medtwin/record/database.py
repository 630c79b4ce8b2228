"""What the store asks of a database. Two siblings answer: :mod:`~medtwin.record.sqlite`,
:mod:`~medtwin.record.postgresql`.

Statements are written once, in the SQL that both understand, with ``?`` for each bound value. Values are int, float,
str, bytes or None.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from threading import Event as Flag
from typing import Any, Protocol

Value = int | float | str | bytes | None
Row = Sequence[Any]


class Connection(Protocol):
    """One connection. Every error of the database leaves as :class:`~medtwin.errors.StoreError`."""

    @property
    def words(self) -> Mapping[str, str]:
        """The words in which the two dialects differ: ``blob``, ``real``, ``clustered``, ``cover``."""

    def rows(self, statement: str, values: Sequence[Value] = ()) -> Sequence[Row]: ...

    def run(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Rows touched."""

    def stream(self, statement: str, values: Sequence[Value] = (), size: int = 5000) -> Iterator[Sequence[Row]]:
        """Result rows in lots of ``size``, with flat memory; inside ``reading(snapshot=True)`` only."""

    def pairs(self, statement: str, values: Sequence[Value] = ()) -> Sequence[tuple[int, float]]:
        """Rows of exactly one integer and one number, neither null, in the quickest way that the database has."""

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        """Many rows in the quickest way that the database has."""


class Database(Protocol):
    """Connections to one database, and the few things that only a dialect can do."""

    dialect: str

    def writing(self) -> AbstractContextManager[Connection]:
        """The one write transaction of all processes; durable when the block is left, undone on an error."""

    def reading(self, *, snapshot: bool = False) -> AbstractContextManager[Connection]:
        """A connection to read with; with ``snapshot`` all statements of the block see one state."""

    def announce(self, connection: Connection, sequence: int) -> None:
        """Tell other processes, at the commit of the running write transaction, that there is something new."""

    def watch(self, stop: Flag) -> Iterator[None]:
        """Yields whenever another process may have committed, until ``stop`` is set."""

    def scrub(self) -> str:
        """Rewrite the files so that erased bytes are gone; says what may still hold them."""

    def place(self) -> str:
        """Where the database is, without any password."""

    def close(self) -> None: ...


def marks(count: int) -> str:
    """``?, ?, ?`` for an IN list."""
    return ", ".join(["?"] * count)


_SIZES = (1, 2, 4, 8, 32, 128, 512)


def lots(values: Iterable[Value]) -> Iterator[list[Value]]:
    """The values in lots of few sizes, so that statements are prepared once; the last value is repeated as filling."""
    pending = list(values)
    for start in range(0, len(pending), _SIZES[-1]):
        lot = pending[start : start + _SIZES[-1]]
        size = next(size for size in _SIZES if size >= len(lot))
        yield lot + [lot[-1]] * (size - len(lot))
