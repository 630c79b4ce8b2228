"""Mapping files: how the columns of any table become facts. YAML, checked strictly, dialect ``medtwin-mapping/1``.

A mapping holds several tables; which one a file is, its columns decide (``match``). ``docs/mappings`` has examples, and
its README describes every word.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from medtwin.errors import FormatError, MedtwinError, UnitError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind
from medtwin.quantities.units import conversion
from medtwin.sources.clock import iso, known_zone

DIALECT = "medtwin-mapping/1"
MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "-", "--")


class Match(Struct, forbid_unknown_fields=True, frozen=True):
    """Which files this table describes."""

    columns: list[str]  #: all of them stand in the header
    file: str | None = None  #: a regular expression that the file's name must hold
    row: dict[str, str] = {}  #: column to a regular expression that the first row must hold


class Subject(Struct, forbid_unknown_fields=True, frozen=True):
    """Who a row is about; without this, the file names nobody."""

    column: str | None = None
    file: str | None = None  #: a regular expression on the file's name, whose first group is the person's key


class Time(Struct, forbid_unknown_fields=True, frozen=True):
    """When a row was true: one column, several joined by a space, or a fixed text (``2019``, with ``until``)."""

    column: str | None = None
    columns: list[str] = []
    format: str = "iso"  #: strptime directives, ``iso``, ``epoch_s`` or ``epoch_ms``
    date_format: str | None = None  #: of rows that state a date only, if any do
    offset_seconds: str | None = None  #: a column with the offset east of UTC, for epochs
    fixed: str | None = None
    until: str | None = None
    zone: str | None = None  #: IANA zone that the mapping's author knows; ``ingest --timezone`` overrides it


class When(Struct, forbid_unknown_fields=True, frozen=True):
    """A value applies only where another column holds one of these texts."""

    column: str
    equals: list[str]
    other: Literal["refuse", "skip"] = "refuse"  #: a row with another text is quarantined, or has no such value


class Coded(Struct, forbid_unknown_fields=True, frozen=True):
    code: str
    system: str = ""
    display: str = ""
    negated: bool = False


class Value(Struct, forbid_unknown_fields=True, frozen=True):
    """One column that becomes one quantity."""

    column: str
    quantity: str
    unit: str | None = None  #: the unit, for all rows
    unit_column: str | None = None  #: or the column that holds it
    when: When | None = None
    zero: Literal["value", "missing"] = "value"
    missing: list[str] = []  #: texts that mean "no value", besides the usual ones
    words: dict[str, str] = {}  #: texts that mean a bound: {"Low": "<40"}
    codes: dict[str, Coded | None] = {}  #: for coded quantities: text to code; null means "says nothing"
    intent: Literal["happened", "planned", "ordered", "stated"] = "happened"


class Constant(Struct, forbid_unknown_fields=True, frozen=True):
    """What the mapping's author knows of everybody in the file, such as the diagnosis that a study asked for."""

    quantity: str
    time: str  #: as precise as it is known: ``2023``
    code: Coded


class Duration(Struct, forbid_unknown_fields=True, frozen=True):
    """How long a row lasted; it makes the end of its interval."""

    column: str
    unit: Literal["s", "min", "h"] = "s"


class Table(Struct, forbid_unknown_fields=True, frozen=True):
    """One kind of file."""

    name: str
    match: Match
    time: Time
    values: list[Value]
    subject: Subject | None = None
    duration: Duration | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: Literal[".", ","] = "."
    skip_rows: int = 0
    transposed: bool = False
    latency_minutes: float = 0.0  #: how long after a value was true this source shows it
    group: str | None = None  #: facts of one moment belong together under this word ("meal", "panel")
    constants: list[Constant] = []
    ignore: list[str] = []  #: columns left out on purpose; others are counted as unmapped
    source: str = ""  #: filled in from the mapping


class Mapping(Struct, forbid_unknown_fields=True, frozen=True):
    dialect: Literal["medtwin-mapping/1"]
    source: str  #: name of the sending system or study
    tables: list[Table]
    title: str = ""
    licence: str = ""


def load(path: Path | str) -> tuple[Table, ...]:
    """The tables of a mapping file; raises :class:`FormatError` that says where the file is wrong."""
    import yaml

    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        detail = " ".join(str(error).split())[:200]
        raise FormatError(f"a mapping that cannot be read ({detail})", expected="YAML", where=path.name) from error
    return parse(content, path.name)


def parse(content: object, where: str = "mapping") -> tuple[Table, ...]:
    """The tables of a mapping given as plain data."""
    try:
        mapping = msgspec.convert(content, Mapping)
    except msgspec.ValidationError as error:
        raise FormatError(
            str(error), expected=f"a mapping of dialect {DIALECT}", where=where, remedy="see docs/mappings/README.md"
        ) from error
    for table in mapping.tables:
        _check(table, where)
    return tuple(msgspec.structs.replace(table, source=mapping.source) for table in mapping.tables)


def _check(table: Table, where: str) -> None:
    """What types cannot say: names, units, patterns and zones that exist."""

    def wrong(found: str, expected: str, place: str) -> FormatError:
        return FormatError(
            found,
            expected=expected,
            where=f"{where}, table {table.name!r}, {place}",
            remedy="see docs/mappings/README.md",
        )

    if len(table.delimiter) != 1:
        raise wrong(f"the delimiter {table.delimiter!r}", "one character", "delimiter")
    try:
        "".encode(table.encoding)
    except LookupError as error:
        raise wrong(f"the encoding {table.encoding!r}", "an encoding that Python knows", "encoding") from error
    time = table.time
    if sum((time.column is not None, bool(time.columns), time.fixed is not None)) != 1:
        raise wrong("a time of no or of several kinds", "one of column, columns, fixed", "time")
    if time.fixed is None and time.until is not None:
        raise wrong("until without fixed", "until only beside a fixed time", "time")
    try:
        for text in (time.fixed, time.until):
            if text is not None:
                iso(text)
        if time.zone is not None:
            known_zone(time.zone)
    except FormatError as error:
        raise wrong(error.found, error.expected, "time") from error
    for form in (time.format, time.date_format):
        if form in (None, "iso", "epoch_s", "epoch_ms"):
            continue
        try:
            datetime.strptime(datetime(2001, 2, 3, 4, 5, 6).strftime(form), form)  # noqa: DTZ001, DTZ007
        except ValueError as error:
            raise wrong(f"the format {form!r}", "strptime directives such as %d/%m/%Y %H:%M", "time") from error
    for pattern, place in (
        (table.match.file, "match"), (table.subject.file if table.subject else None, "subject"),
        *((pattern, "match.row") for pattern in table.match.row.values()),
    ):  # fmt: skip
        try:
            if pattern is not None and re.compile(pattern).groups < (place == "subject"):
                raise wrong(f"the pattern {pattern!r}", "a pattern with one group, the person's key", place)
        except re.error as error:
            raise wrong(f"the pattern {pattern!r} ({error})", "a regular expression", place) from error
    for constant in table.constants:
        try:
            if registry.get(constant.quantity).kind is not Kind.CODE:
                raise wrong(f"the constant {constant.quantity!r}", "a coded quantity", "constants")
            iso(constant.time)
        except FormatError:
            raise
        except MedtwinError as error:
            raise wrong(error.found, error.expected, "constants") from error
    for index, value in enumerate(table.values):
        place = f"values[{index}] ({value.column})"
        try:
            quantity = registry.get(value.quantity)
        except MedtwinError as error:
            raise wrong(error.found, error.expected, place) from error
        if quantity.kind is Kind.CODE:
            continue
        if (value.unit is None) == (value.unit_column is None):
            raise wrong("no unit or two", "either unit or unit_column", place)
        if value.unit is not None:
            try:
                conversion(value.unit, quantity)
            except UnitError as error:
                raise wrong(error.found, error.expected, place) from error


def fits(table: Table, header: list[str], first: list[str], name: str) -> bool:
    """Whether ``table`` describes a file with this header, first row and name."""
    if not set(table.match.columns) <= set(header):
        return False
    if table.match.file is not None and re.search(table.match.file, name) is None:
        return False
    for column, pattern in table.match.row.items():
        place = header.index(column) if column in header else len(first)
        if place >= len(first) or re.search(pattern, first[place]) is None:
            return False
    return True
