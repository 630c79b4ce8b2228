"""Any table with a mapping file: wide, long or transposed; one person or many; units fixed, in a column, or by another.

Rows of several persons are split, so that each person's raw bytes are the header and the own rows only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice, zip_longest
from pathlib import PurePath
from zoneinfo import ZoneInfo

from medtwin.errors import FormatError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.record.event import Code, Event, Intent, SourcePatient
from medtwin.record.moment import Moment, Precision
from medtwin.sources.clock import by_pattern, iso
from medtwin.sources.fact import Facts, number
from medtwin.sources.item import Intake, Item, Origin, Part, Payload, Reason, Unmapped
from medtwin.sources.mapping import MISSING, Table, Value, fits
from medtwin.sources.tabular import Row, encoding_of, key_of, rows_of, settle, text_of
from medtwin.sources.wall_clock import told_apart

DIALECT = "table/1"
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


class Reader:
    """Dialect ``table``."""

    name, version = "table", 1

    def recognise(self, head: bytes, name: str, intake: Intake) -> float:
        return 0.97 if _choose(head, name, intake) is not None else 0.0

    def parts(self, payload: Payload, intake: Intake) -> Iterator[Part]:
        content = payload.read()
        table = _choose(content[: 1 << 16], payload.name, intake)
        if table is None:
            raise FormatError(
                "a table that no mapping describes", expected="a mapping whose match names its columns",
                remedy="write a mapping (docs/mappings/README.md) and state it with --mapping",
            )  # fmt: skip
        text = text_of(content, table.encoding)
        rows = _rows(text, table)
        if not rows:
            raise FormatError("an empty table", expected="a header and rows")
        header = [title.strip() for title in rows[0].cells]
        system = intake.source or table.source
        persons = _persons(rows[1:], header, table, PurePath(payload.name).name)
        if len(persons) <= 1:
            value = next(iter(persons), None)
            yield _part(value, system, content, rows, header, table, intake)
            return
        lines = text.splitlines(keepends=True)
        if table.transposed:
            raise FormatError("several persons in a transposed table", expected="one person")
        for value, own in persons.items():
            moved, chunks, line = [rows[0]], lines[: rows[0].last], rows[0].last
            for row in own:
                chunks += lines[row.line - 1 : row.last]
                height = row.last - row.line + 1
                moved.append(Row(row.cells, line + 1, line + height))
                line += height
            yield _part(
                value,
                system,
                "".join(chunks).encode(encoding_of(content, table.encoding)),
                moved,
                header,
                table,
                intake,
            )


def _rows(text: str, table: Table, most: int | None = None) -> list[Row]:
    """The table's rows, the first ``most`` of them."""
    read = rows_of(text, table.delimiter, table.skip_rows)
    if not table.transposed:
        return list(islice(read, most))
    rows = list(read)
    turned = zip_longest(*(row.cells for row in rows), fillvalue="")
    return [Row(list(cells), index, index) for index, cells in enumerate(turned, 1)]


def _choose(head: bytes, name: str, intake: Intake) -> Table | None:
    """The mapping's table that fits the first bytes."""
    found = []
    for table in intake.tables:
        try:
            rows = _rows(text_of(_whole_lines(head), table.encoding), table, 2)
        except FormatError:
            continue
        header = [title.strip() for title in rows[0].cells] if rows else []
        first = [cell.strip() for cell in rows[1].cells] if len(rows) > 1 else []
        if fits(table, header, first, PurePath(name).name):
            found.append(table)
    return max(found, key=lambda table: (len(table.match.columns), table.match.file is not None), default=None)


def _whole_lines(head: bytes) -> bytes:
    """Without a last line that is cut off, which might end within a character."""
    end = head.rfind(b"\n")
    return head[: end + 1] if end >= 0 and not head.startswith((b"\xff\xfe", b"\xfe\xff")) else head


def _persons(rows: list[Row], header: list[str], table: Table, name: str) -> dict[str | None, list[Row]]:
    """Rows by the person's key; None where nothing names one."""
    subject = table.subject
    if subject is not None and subject.file is not None:
        found = re.search(subject.file, name)
        return {found[1] if found else None: rows}
    if subject is None or subject.column is None:
        return {None: rows}
    if subject.column not in header:
        raise FormatError(f"no column {subject.column!r}", expected="the mapping's subject column")
    column = header.index(subject.column)
    persons: dict[str | None, list[Row]] = {}
    for row in rows:
        value = row.cells[column].strip() if column < len(row.cells) else ""
        persons.setdefault(value or None, []).append(row)
    return persons


def _part(
    value: str | None, system: str, raw: bytes, rows: list[Row], header: list[str], table: Table, intake: Intake
) -> Part:
    owner = SourcePatient(system, value or intake.anonymous)
    latency = timedelta(minutes=table.latency_minutes)

    def read(origin: Origin) -> Iterator[Item]:
        return _Reading(header, table, Facts(owner, system, DIALECT, origin, intake, latency), intake).items(rows[1:])

    return Part(owner=owner, system=system, raw=raw, read=read, named=value is not None, media_type="text/csv")


class _Reading:
    """One part's rows under one table of a mapping."""

    def __init__(self, header: list[str], table: Table, facts: Facts, intake: Intake) -> None:
        self.header, self.table, self.facts = header, table, facts
        self.zone = intake.zone or table.time.zone
        self.index = {title: place for place, title in reversed(list(enumerate(header)))}
        self.assumed = {value.column: not _states(value.column, value.unit) for value in table.values if value.unit}
        time = table.time
        named = {value.column for value in table.values} | {value.unit_column for value in table.values}
        named |= {value.when.column for value in table.values if value.when} | {time.column, time.offset_seconds}
        named |= {*time.columns, *table.ignore, table.subject.column if table.subject else None}
        named |= {table.duration.column if table.duration else None}
        self.rest = [title for title in header if title and title not in named]

    def cell(self, row: Row, column: str) -> str:
        place = self.index.get(column)
        if place is None:
            raise FormatError(f"no column {column[:60]!r}", expected="the columns that the mapping names")
        return row.cells[place].strip()

    def items(self, rows: list[Row]) -> Iterator[Item]:
        events: list[tuple[Event, str]] = []
        timed: list[tuple[Row, Moment | Reason]] = []
        unmapped = dict.fromkeys(self.rest, 0)
        empty: dict[str, int] = {}
        for row in rows:
            if len(row.cells) != len(self.header):
                reason = Reason(
                    found=f"a row of {len(row.cells)} cells", expected=f"{len(self.header)} cells", where=row.where,
                    remedy="the row is cut off, or a cell holds the delimiter without quotes",
                )  # fmt: skip
                timed.append((row, reason))
                continue
            try:
                timed.append((row, self.time(row)))
            except FormatError as error:
                timed.append((row, Reason(found=error.found, expected=error.expected, where=row.where)))
        times = iter(told_apart([time for _, time in timed if isinstance(time, Moment)]))
        for row, stated in timed:
            if isinstance(stated, Reason):
                yield stated
                continue
            time = next(times)
            until = self.until(row, time)
            for title in self.rest:
                if self.cell(row, title) not in MISSING:
                    unmapped[title] += 1
            text = "\x1f".join(cell.strip() for cell in row.cells)
            told = list(self.row(row, time, until))
            if not told and self.table.group:  # a meal that nobody measured: no fact, and not nothing
                empty[self.table.group] = empty.get(self.table.group, 0) + 1
            for item in told:
                if isinstance(item, Event):
                    events.append((item, text))
                else:
                    yield item
        for constant in self.table.constants:
            time, said = iso(constant.time, self.zone), constant.code
            yield self.facts.coded(
                constant.quantity, Code(said.system, said.code, said.display, said.negated), time,
                f"{key_of(constant.quantity, time)}|{said.code}", "mapping", text=said.display or said.code,
            )  # fmt: skip
        yield from settle(events)
        for title, count in unmapped.items():
            if count:
                yield Unmapped(f"column {title[:60]}", count)
        for group, count in empty.items():
            yield Unmapped(f"{group} without figures", count)

    def time(self, row: Row) -> Moment:
        time = self.table.time
        if time.fixed is not None:
            return iso(time.fixed, self.zone)
        columns = time.columns or [time.column or ""]
        text = " ".join(self.cell(row, column) for column in columns)
        try:
            moment = by_pattern(text, time.format, self.zone)
        except FormatError:
            if time.date_format is None:
                raise
            moment = by_pattern(text, time.date_format, self.zone)
        if time.offset_seconds is not None:
            offset = number(self.cell(row, time.offset_seconds))
            if offset is None or abs(offset[0]) > 50400:
                raise FormatError(f"the offset {self.cell(row, time.offset_seconds)[:20]!r}", expected="seconds")
            local = moment.local + timedelta(seconds=offset[0])
            moment = Moment(local, moment.precision, int(offset[0] // 60))
        return moment

    def until(self, row: Row, moment: Moment) -> Moment | None:
        """When the row's interval ended: so many seconds later, whatever the clock on the wall did meanwhile."""
        duration, time = self.table.duration, self.table.time
        if time.fixed is not None:
            return iso(time.until, self.zone) if time.until else None
        if duration is None:
            return None
        lasted = number(self.cell(row, duration.column))
        if lasted is None or not 0 < lasted[0] * _SECONDS[duration.unit] < 400 * 86400:
            return None
        seconds = timedelta(seconds=lasted[0] * _SECONDS[duration.unit])
        if moment.zone is not None and moment.precision > Precision.DAY:
            end = (moment.instant + seconds).astimezone(ZoneInfo(moment.zone)).replace(tzinfo=None)
        else:
            end = moment.local + seconds
        precision = max(moment.precision, Precision.FRACTION if end.microsecond else Precision.SECOND)
        return Moment(end, precision, moment.offset, moment.zone)

    def row(self, row: Row, time: Moment, until: Moment | None) -> Iterator[Item]:
        group = None
        if self.table.group:
            group = f"{self.table.group}@{time.text}" + ("#2" if time.settled and time.local.fold else "")
        refused: dict[str, str] = {}
        taken: set[str] = set()
        for value in self.table.values:
            text = self.cell(row, value.column)
            if text in MISSING or text in value.missing:
                continue
            if value.when is not None:
                other = self.cell(row, value.when.column)
                if other not in value.when.equals:
                    if value.when.other == "skip":
                        taken.add(value.column)
                        continue
                    refused[value.column] = f"{value.when.column} {other[:40]!r}"
                    continue
            taken.add(value.column)
            item = self.fact(value, text, row, time, until, group)
            if item is not None:
                yield item
        for column, found in refused.items():
            if column not in taken:
                yield Reason(
                    found=f"{found} beside a value in {column}", expected="a text that the mapping's `when` names",
                    where=row.where, remedy="add it to the mapping",
                )  # fmt: skip

    def fact(
        self, value: Value, text: str, row: Row, time: Moment, until: Moment | None, group: str | None
    ) -> Item | None:
        quantity = registry.get(value.quantity)
        key = key_of(quantity.name, time)
        intent = Intent(value.intent)
        if quantity.kind is Kind.CODE:
            if value.codes and text not in value.codes:
                return Reason(
                    found=f"the text {text[:40]!r} in {value.column}", where=row.where,
                    expected="a text that the mapping's `codes` names", remedy="add it to the mapping",
                )  # fmt: skip
            known = value.codes.get(text)
            if value.codes and known is None:
                return None
            code = Code(known.system, known.code, known.display, known.negated) if known else Code("", "", text)
            return self.facts.coded(
                quantity.name, code, time, key, row.where, text=text, until=until, intent=intent, group=group
            )
        plain = text.replace(",", ".") if self.table.decimal == "," else text
        read = number(value.words.get(text, plain))
        if read is None:
            return Reason(
                found=f"the value {text[:40]!r} in {value.column}",
                expected=f"a number ({quantity.name})",
                where=row.where,
            )
        if value.zero == "missing" and read[0] == 0:
            return None
        unit = value.unit or self.cell(row, value.unit_column or "")
        return self.facts.number(
            quantity, text, unit, time, key, row.where, value=read[0], comparator=read[1], until=until, intent=intent,
            group=group, assumed=self.assumed.get(value.column, False), reckoned=text in value.words,
        )  # fmt: skip


def _states(title: str, unit: str | None) -> bool:
    """Whether a column's title names the unit (``carbs_g``, ``Glucose (mg/dL)``); otherwise the mapping assumes it."""
    words = set(re.findall(r"[a-z%]+", title.lower()))
    wanted = re.findall(r"[a-z%]+", (unit or "").lower())
    return bool(wanted) and set(wanted) <= words
