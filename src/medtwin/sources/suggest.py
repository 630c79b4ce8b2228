"""Suggest how a table becomes facts: a draft of a mapping file from titles, units and numbers, for a person to check.

Each column is held against every quantity: do the words of its title name it, does the title's unit convert, and are its numbers
possible for it? Where the title states no unit, the candidates are those that make the numbers usual (glucose of 7 is mmol/L, of
120 mg/dL). A column that names a device, an average or a target says something about a quantity and is left out. What was seen,
and what cannot be told from a table (the zone, who is meant, day or month first), stands in the draft as comments; nothing is
taken in by it until somebody has read it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from medtwin.errors import FormatError, UnitError
from medtwin.quantities import registry
from medtwin.quantities.quantity import Kind, Quantity
from medtwin.quantities.units import conversion
from medtwin.sources.mapping import DIALECT, MISSING
from medtwin.sources.suggest_columns import Column, clock_only, column, named
from medtwin.sources.suggest_words import ABOUT, PHRASES
from medtwin.sources.tabular import encoding_of, rows_of, text_of

ROWS = 5000  #: read of a table
LEAST = 0.75  #: share of a title's words that a phrase must explain
POSSIBLE = 0.97  #: share of the numbers that must be possible for the quantity
#: where several units are in use: unit and the range in which the median of people's values usually lies
USUAL: dict[str, tuple[tuple[str, float, float], ...]] = {
    "glucose": (("mg/dL", 40, 400), ("mmol/L", 2, 25)), "blood_glucose": (("mg/dL", 40, 400), ("mmol/L", 2, 25)),
    "hba1c": (("%", 3.5, 16), ("mmol/mol", 20, 150)), "creatinine": (("mg/dL", 0.2, 10), ("umol/L", 20, 900)),
    "total_cholesterol": (("mg/dL", 60, 500), ("mmol/L", 1.5, 15)), "ldl_cholesterol": (("mg/dL", 20, 400), ("mmol/L", 0.5, 10)),
    "hdl_cholesterol": (("mg/dL", 10, 150), ("mmol/L", 0.3, 5)), "triglycerides": (("mg/dL", 30, 2000), ("mmol/L", 0.3, 25)),
    "body_temperature": (("Cel", 30, 43), ("[degF]", 86, 110)),
    "body_height": (("cm", 40, 230), ("m", 0.4, 2.3), ("[in_i]", 20, 39)),
    "haemoglobin": (("g/dL", 3, 24), ("g/L", 30, 240)), "urea_nitrogen": (("mg/dL", 3, 200),),
}  # fmt: skip
#: words of a title that tell no quantity from another
EMPTY_WORDS = frozenset(
    {"value", "reading", "result", "measured", "measurement", "input", "dose", "amount", "total", "intake"}
)
CLOCK_WORDS = frozenset({"time", "timestamp", "ts", "date", "datetime", "at", "when", "data", "export", "log"})
THINGS = frozenset(
    {"device", "source", "transmitter", "serial", "record", "event", "info", "type", "row"}
)  #: with an id
SEX = {
    "f": "female", "female": "female", "w": "female", "woman": "female", "m": "male", "male": "male", "man": "male",
}  # fmt: skip
PERSON = re.compile(
    r"(^|[_ .-])(patient|person|subject|participant|mrn)([_ .-]?(id|no|number|key|code|nr|identifier))?$"
    r"|(^|[_ .-])(pt|user|member)[_ .-]?(id|no|number|key|code|nr)$|^pid$", re.I,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suggested:
    """One column's quantity and unit, and why; ``assumed``: the title states no unit."""

    column: str
    quantity: str
    unit: str | None
    assumed: bool
    zero: bool  #: 0 is impossible and stands for no value
    why: str
    score: float


@dataclass(frozen=True, slots=True)
class Draft:
    """One table's draft. ``unsure``: what a person must say; ``left``: columns without a quantity, each with the reason."""

    name: str
    header: tuple[str, ...]
    delimiter: str
    decimal: str
    encoding: str
    time: tuple[str, ...]  #: columns
    formats: tuple[str, ...]
    subject: str | None
    subject_file: str | None
    values: tuple[Suggested, ...]
    left: tuple[tuple[str, str], ...]
    codes: dict[str, dict[str, str]]  #: column of sexes: text to code
    unsure: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """The first rows of one file."""

    path: Path
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def suggest(paths: Sequence[Path]) -> list[Draft]:
    """A draft for each kind of table: files of one header are looked at together. Raises :class:`FormatError` where a file is no
    table with a header."""
    kinds: dict[tuple[str, ...], list[Read]] = {}
    for path in paths:
        read = _read(path)
        kinds.setdefault(read.header, []).append(read)
    return [_draft(files) for files in kinds.values()]


def _read(path: Path) -> Read:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FormatError(
            f"{path.name}, which cannot be read ({error.strerror})", expected="a file that holds a table"
        ) from error
    encoding = encoding_of(content)
    try:
        text = text_of(content, encoding)
    except FormatError:
        encoding = "cp1252"
        text = text_of(content, encoding)
    delimiter = _delimiter(text)
    rows = []
    for row in rows_of(text, delimiter):
        rows.append(tuple(cell.strip() for cell in row.cells))
        if len(rows) > ROWS:
            break
    if len(rows) < 2 or len(rows[0]) < 2:
        raise FormatError(
            f"{len(rows)} rows of {len(rows[0]) if rows else 0} columns", expected="a header and rows, separated by , ; tab or |",
            where=path.name,
        )  # fmt: skip
    return Read(path, encoding, delimiter, rows[0], tuple(rows[1:]))


def _draft(files: Sequence[Read]) -> Draft:
    first, name = files[0], files[0].path.name
    cells = [
        [row[i] if i < len(row) else "" for file in files for row in file.rows] for i in range(len(first.header))
    ]  # fmt: skip
    decimal = "," if first.delimiter != "," and _commas(cells) else "."
    columns = [column(title, held, decimal) for title, held in zip(first.header, cells, strict=True)]
    unsure: list[str] = []
    time, formats = _time(columns, cells, unsure)
    subject, subject_file = _subject(columns, name, set(time), unsure)
    context = (*named(first.path.stem)[0], *(word for title in time for word in named(title)[0]))
    values, left, codes = [], [], {}
    for one, held in zip(columns, cells, strict=True):
        if one.title in time or one.title == subject:
            continue
        if one.cells == 0:
            left.append((one.title, "empty"))
        elif one.formats and not one.numeric:
            left.append((one.title, "another time"))
        elif sexes := _sexes(one, held):
            codes[one.title] = sexes
        elif (found := best(one, context)) is not None:
            values.append(found)
        else:
            left.append((one.title, _why_not(one)))
    taken: dict[str, Suggested] = {}
    for value in sorted(values, key=lambda value: -value.score):
        if value.quantity in taken:
            left.append((value.column, f"{taken[value.quantity].column!r} names {value.quantity} better"))
        else:
            taken[value.quantity] = value
    kept = tuple(value for value in values if taken[value.quantity] is value)
    if not kept and not codes:
        unsure.append("no column was understood: name the quantities yourself (medtwin quantities lists them)")
    unsure += [
        f"{value.column}: no unit is stated; {value.unit} fits the numbers ({value.why})" for value in kept if value.assumed
    ]  # fmt: skip
    for one in columns:
        words = sorted(one.odd)
        if (
            kept
            and not one.numeric
            and not one.formats
            and 1 <= one.distinct <= 8
            and one.title in dict(left)
            and one.cells > 20
        ):
            unsure.append(
                f"{one.title} holds few words ({', '.join(words[:8])}): does it say what a row is? Then `when` chooses by it"
            )
    return Draft(
        first.path.stem, first.header, first.delimiter, decimal, first.encoding, time, formats, subject, subject_file, kept,
        tuple(left), codes, tuple(unsure),
    )  # fmt: skip


def best(one: Column, context: Sequence[str] = ()) -> Suggested | None:
    """The quantity that a column's title, unit and numbers speak for; None where none does. ``context``: words of the file's name
    and of the time's title, which speak where the title itself says no more than ``value``."""
    named_so = [one]
    if set(one.words) <= EMPTY_WORDS and one.numeric:
        named_so = [replace(one, words=(word,)) for word in context if word not in CLOCK_WORDS]
    found = [
        made
        for as_named in named_so
        for name, phrase in _phrases()
        if (made := _fits(as_named, name, phrase)) is not None
    ]
    return max(found, key=lambda made: made.score, default=None)


@cache
def _phrases() -> tuple[tuple[str, frozenset[str]], ...]:
    made = []
    for name, phrases in PHRASES.items():
        made += [(name, frozenset(phrase.split())) for phrase in (*phrases, name.replace("_", " "))]
    for name in registry.everything():
        if name not in PHRASES:
            made.append((name, frozenset(name.split("_"))))
    return tuple(dict.fromkeys(made))


def _fits(one: Column, name: str, phrase: frozenset[str]) -> Suggested | None:
    words = frozenset(one.words)
    if not phrase <= words:
        return None
    rest = words - phrase - EMPTY_WORDS
    if rest & ABOUT:
        return None
    share = len(phrase) / (len(phrase) + len(rest))
    quantity = registry.get(name)
    if share < LEAST * (0.6 if len(phrase) > 1 else 0.85):
        return None
    if quantity.kind is Kind.CODE:
        return _text(one, quantity, share)
    if not one.numeric:
        return None
    units = [(one.unit, False)] if one.unit else [(unit, True) for unit in _usual(quantity, one)]
    for unit, assumed in units:
        try:
            scale = conversion(unit, quantity)
        except UnitError:
            continue
        numbers, zero = one.numbers, False
        if 0.0 in numbers and not quantity.plausible(scale(0.0)):
            numbers, zero = tuple(number for number in numbers if number), True
        possible = sum(quantity.plausible(scale(number)) for number in numbers) / max(len(numbers), 1)
        if possible >= POSSIBLE:
            low, middle, high = (one.at(p) for p in (0.05, 0.5, 0.95))
            why = f"5 % to 95 %: {low:g} to {high:g}, middle {middle:g}"
            return Suggested(
                one.title, name, unit, assumed, zero, why, share + 0.1 * len(phrase) + (0.0 if assumed else 0.2)
            )
    return None


def _usual(quantity: Quantity, one: Column) -> list[str]:
    """Units in which the column's median is usual, the house's own where nothing else is known."""
    if quantity.name not in USUAL:
        return [quantity.unit]
    return [unit for unit, low, high in USUAL[quantity.name] if low <= one.at(0.5) <= high]


def _text(one: Column, quantity: Quantity, share: float) -> Suggested | None:
    """Words of a note; other codes are a person's to map."""
    if quantity.name != "note" or one.numeric:
        return None
    return Suggested(one.title, "note", None, False, False, f"words, such as {one.examples[0]!r}", share)


def _sexes(one: Column, cells: Sequence[str]) -> dict[str, str]:
    texts = {cell for cell in cells if cell not in MISSING}
    if not {"sex", "gender"} & set(one.words) or not texts or not all(text.lower() in SEX for text in texts):
        return {}
    return {text: SEX[text.lower()] for text in sorted(texts)}


def _why_not(one: Column) -> str:
    if set(one.words) & ABOUT:
        return "says something about a quantity"
    if not one.numeric:
        return f"words, such as {one.examples[0][:30]!r}" if one.examples else "no numbers"
    return f"no quantity of that name with such numbers (middle {one.at(0.5):g}{f' {one.unit}' if one.unit else ''})"


def _time(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], unsure: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(columns, formats) of the moment of a row."""

    def rank(one: Column) -> tuple[bool, bool, bool, int]:
        title = one.title.lower()
        hours = any("%H" in form or "%I" in form or form.startswith(("iso", "epoch")) for form in one.formats)
        named = re.search(r"time|stamp|date|_ts\b|_ts$|^ts$|when", title) is not None
        return hours, named, "end" not in title and "until" not in title, one.cells

    timely = [one for one in columns if one.formats]
    if not timely:
        unsure.append("no column of times was found: state time: {fixed: '2024'} or the column and its format")
        return (), ()
    chosen = max(timely, key=rank)
    dated = all(form in ("iso",) or ("%H" not in form and "%I" not in form) for form in chosen.formats)
    if (dated and chosen.formats != ("iso",)) or (dated and all(len(cell) <= 10 for cell in chosen.examples)):
        for one, held in zip(columns, cells, strict=True):
            if one is not chosen and (clock := clock_only(held)) is not None:
                forms = tuple(f"{form if form != 'iso' else '%Y-%m-%d'} {clock}" for form in chosen.formats)
                _ambiguous(forms, unsure)
                return (chosen.title, one.title), forms
        unsure.append(f"{chosen.title}: dates without a time of day; each fact holds somewhere within its day")
    _ambiguous(chosen.formats, unsure)
    return (chosen.title,), chosen.formats


def _ambiguous(formats: Sequence[str], unsure: list[str]) -> None:
    if len({form.replace("%S", "").replace(".%f", "") for form in formats}) > 1:
        unsure.append(f"day or month first? All of these read every row: {', '.join(formats)}")
    if not formats or not formats[0].startswith("epoch"):
        unsure.append("the zone of the clock is not in a table: add zone: Europe/Berlin under time, or give --timezone")


def _subject(columns: Sequence[Column], name: str, time: set[str], unsure: list[str]) -> tuple[str | None, str | None]:
    """(column, pattern on the file's name) of whose rows these are."""
    possible = [one for one in columns if not set(one.words) & THINGS and one.title not in time and one.cells]
    ranked = (
        [one for one in possible if PERSON.search(one.title.strip())],
        [one for one in possible if re.search(r"patient|person|subject|participant|mrn", one.title, re.I)],
        [one for one in possible if one.title.strip().lower() == "id" and 1 < one.distinct < one.cells],
    )
    if chosen := next((one for held in ranked for one in held), None):
        many = "one person" if chosen.distinct == 1 else f"{chosen.distinct} persons"
        unsure.append(f"the person is read from the column {chosen.title}: {many} in {chosen.cells} rows")
        return chosen.title, None
    if found := re.search(r"(?:^|[_\- ])(\d{2,})(?=[_\-. ])", name):
        before = re.escape(name[: found.start(1)])
        unsure.append(f"the person is read from the file's name: {found[1]}")
        return None, rf"^{before}(\d+)"
    unsure.append("nothing names the person: give --patient at the intake")
    return None, None


def _delimiter(text: str) -> str:
    head = text[: 1 << 16]
    try:
        return csv.Sniffer().sniff(head.splitlines()[0], delimiters=",;\t|").delimiter
    except (csv.Error, IndexError):
        return ","


def _commas(cells: Sequence[Sequence[str]]) -> bool:
    """Whether numbers are written with a decimal comma."""
    held = [cell for column in cells for cell in column[:200] if cell]
    return sum(re.fullmatch(r"-?\d+,\d+", cell) is not None for cell in held) > sum(
        re.fullmatch(r"-?\d+\.\d+", cell) is not None for cell in held
    )  # fmt: skip


def yaml_of(drafts: Sequence[Draft], source: str) -> str:
    """The drafts as one mapping file of dialect ``medtwin-mapping/1``, with what was seen as comments."""
    lines = [
        "# A draft by `medtwin map`, from titles, units and numbers alone: read it, mend it, then",
        "#   medtwin ingest FILES --mapping THIS_FILE.yaml",
        f"dialect: {DIALECT}", f"source: {_quoted(source)}", "tables:",
    ]  # fmt: skip
    for draft in drafts:
        lines += _table(draft)
    return "\n".join(lines) + "\n"


def _table(draft: Draft) -> list[str]:
    named = [*draft.time, *(value.column for value in draft.values), *draft.codes]
    if draft.subject:
        named.append(draft.subject)
    lines = [f"  - name: {_quoted(draft.name)}"]
    lines += [f"    # CHECK: {_line(one)}" for one in draft.unsure]
    lines.append(f"    match: {{columns: [{', '.join(map(_quoted, dict.fromkeys(named)))}]}}")
    if draft.encoding not in ("utf-8", "utf-8-sig"):
        lines.append(f"    encoding: {draft.encoding}")
    if draft.delimiter != ",":
        lines.append(f"    delimiter: {_quoted(draft.delimiter)}")
    if draft.decimal != ".":
        lines.append(f"    decimal: {_quoted(draft.decimal)}")
    if draft.subject:
        lines.append(f"    subject: {{column: {_quoted(draft.subject)}}}")
    elif draft.subject_file:
        lines.append(f"    subject: {{file: {_quoted(draft.subject_file)}}}")
    if draft.time:
        where = (
            f"column: {_quoted(draft.time[0])}"
            if len(draft.time) == 1
            else f"columns: [{', '.join(map(_quoted, draft.time))}]"
        )
        lines.append(f"    time: {{{where}, format: {_quoted(draft.formats[0])}}}")
    else:
        lines.append("    time: {fixed: '1900'}  # CHECK: when were these true?")
    lines.append("    values:")
    for value in draft.values:
        unit = f", unit: {_quoted(value.unit)}" if value.unit else ""
        unit += ", zero: missing" if value.zero else ""
        lines.append(
            f"      - {{column: {_quoted(value.column)}, quantity: {value.quantity}{unit}}}  # {_line(value.why)}"
        )
    for title, codes in draft.codes.items():
        lines += [f"      - column: {_quoted(title)}", "        quantity: sex", "        codes:"]
        lines += [
            f"          {_quoted(text)}: {{system: 'http://hl7.org/fhir/administrative-gender', code: {code}, display: {code}}}"
            for text, code in codes.items()
        ]  # fmt: skip
    if not draft.values and not draft.codes:
        lines[-1] = "    values: []"
    if draft.left:
        lines.append(f"    ignore: [{', '.join(_quoted(title) for title, _ in draft.left)}]")
        lines += [f"    #   {_line(f'{title}: {why}')}" for title, why in draft.left]
    return lines


def _line(text: str) -> str:
    """Text that stays within its comment."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:300]


def _quoted(text: str) -> str:
    """A YAML scalar: in single quotes, or escaped where something in it does not print (JSON's strings are YAML's)."""
    return "'" + text.replace("'", "''") + "'" if text.isprintable() else json.dumps(text)
